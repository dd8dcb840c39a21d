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

const post = (path, body) => local(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

/** Moves the time of the stack forward, by seconds. Returns the new time, in epoch milliseconds. */
export const advance = async (seconds) => (await post('clock', { advance: seconds })).now;

/** What becomes of the next message to a phone: `{ undelivered: PLIVO'S ERROR }`, `{ queued: SECONDS }`, … */
export const injectFault = (number, fault) => post('plivo', { ...fault, to: number, times: 1 });

/** Seconds until a phone may get another code. */
export const SPACING = 30;
/** Seconds until Plivo has reported what became of a message, or a call is answered. */
export const REPORTED = 2;
/** Seconds from a report until the service tells it, since it tells all of them in steps of five seconds after the start. */
export const TOLD = 8;
/** Seconds until a code expires. */
export const CODE_LIFE = 300;

/** What arrived at a phone, newest first. */
export const messagesTo = (number) => local(`messages?to=${encodeURIComponent(number)}`);

/** The digits of the newest message to a phone, which must be of this aim: "sign up", "log in", … */
export const codeSentTo = async (number, aim) => {
  const [message] = await messagesTo(number);
  const [, code] = message?.text.match(new RegExp(`^(\\d{6}) is your Otpost code (?:to|for a) ${aim}\\.`)) ?? [];
  assert(code, `"${message?.text}" is no code to ${aim}`);
  return code;
};

/** The digits that the newest call to a phone has read aloud, which it must do twice. */
export const codeSpokenTo = async (number) => {
  const [{ type, text }] = await messagesTo(number);
  const digits = text.replace(/\D/g, '');
  const code = digits.slice(0, digits.length / 2);
  assert(type === 'call' && /^\d{6}$/.test(code) && digits === code + code, `"${text}" reads no code`);
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
/** Such a number of Canada, where the stack does not call. */
export const newCanadianNumber = () => newNumber().replace(/^.{5}/, '+1416');

export const emailOf = (number) => `user${number.slice(1)}@example.com`;
export const PASSWORD = 'seven purple otters';
