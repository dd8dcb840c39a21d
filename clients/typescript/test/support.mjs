// What both test files share: the stack at OTPOST_URL, its clock, its inbox, and fresh phone numbers.

import assert from 'node:assert/strict';

export const url = process.env.OTPOST_URL;
assert(url, 'OTPOST_URL must be the address of a fresh local stack; ./run-tests starts one');

const local = async (path, init) => {
  const answer = await fetch(`${url}/_local/${path}`, init);
  assert.equal(answer.status, 200, path);
  return answer.json();
};

/** url, appId, apiKey, messageKey, … */
export const config = await local('config');

/** Moves the time of the stack forward, by seconds. */
export const advance = (seconds) => (
  local('clock', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ advance: seconds }) })
);

/** Seconds until a phone may get another code. */
export const SPACING = 30;

/** What arrived at a phone, newest first. */
export const messagesTo = (number) => local(`messages?to=${encodeURIComponent(number)}`);

/** The digits of the newest message to a phone, which must be of this aim: "sign up", "log in", … */
export const codeSentTo = async (number, aim) => {
  const [message] = await messagesTo(number);
  const [, code] = message?.text.match(new RegExp(`^(\\d{6}) is your Otpost code (?:to|for a) ${aim}\\.`)) ?? [];
  assert(code, `"${message?.text}" is no code to ${aim}`);
  return code;
};

/** A code of the same length that is not this one. */
export const otherThan = (code) => code.replace(/\d$/, (digit) => (Number(digit) + 1) % 10);

const numbers = (function* () {
  for (let last = 100; last < 200; last += 1) {
    for (const area of [212, 303, 312, 404, 503]) yield `+1${area}5550${last}`;
  }
})();
/** A number of the United States that nobody has used: they are reserved for fiction. */
export const newNumber = () => numbers.next().value;

export const emailOf = (number) => `user${number.slice(1)}@example.com`;
export const PASSWORD = 'seven purple otters';
