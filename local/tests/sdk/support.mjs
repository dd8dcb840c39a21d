// What the test files of this folder share: the stack under test, its clock, its inbox, fresh phone numbers, errors as plain objects.
// The stack is the one at OTPOST_URL, which `run` starts anew for each file.

import assert from 'node:assert/strict';

export const url = process.env.OTPOST_URL;
assert(url, 'OTPOST_URL must be the address of a fresh local stack; ./run starts one');

const local = async (path, init) => {
  const answer = await fetch(`${url}/_local/${path}`, init);
  assert.equal(answer.status, 200, path);
  return answer.json();
};

/** url, appId, apiKey, messageKey, plivoAuthId, plivoAuthToken, … */
export const config = await local('config');

/** Moves the time of the stack forward; answers it in epoch milliseconds. */
export const advance = async (seconds) => {
  const headers = { 'Content-Type': 'application/json' };
  const { now } = await local('clock', { method: 'POST', headers, body: JSON.stringify({ advance: seconds }) });
  return now;
};
export const now = () => advance(0);

// The limits in docs/errors.md and the settings' default lifetimes, in seconds.
export const SPACING = 30;
/** The longest wait, in seconds: it doubles up to here. */
export const LONGEST_SPACING = 32 * 60;
export const DAY = 24 * 60 * 60;
export const CODE_LIFE = 300;

/** What arrived at a phone, newest first. */
export const messagesTo = (number) => local(`messages?to=${encodeURIComponent(number)}`);

/** The digits of the newest message to a phone, which must be of this aim: "sign up", "log in" or "confirm login". */
export const codeSentTo = async (number, aim) => {
  const [message] = await messagesTo(number);
  assert(message, `no message to ${number}`);
  const [, code] = message.text.match(new RegExp(`^(\\d{6}) is your Otpost code to ${aim}\\. Valid 5 min\\. Do not share it\\.$`)) ?? [];
  assert(code, `"${message.text}" is no code to ${aim}`);
  return code;
};

/** Lets Plivo do something else than usual, with the next request about this number. */
export const injectFault = (fault, to) => local('plivo', { method: 'POST', body: JSON.stringify({ ...fault, to, times: 1 }) });

/** A phone writes to the service. */
export const write = (from, text) => local('inbound', { method: 'POST', body: JSON.stringify({ from, text }) });

/** A code of the same length that is not this one. */
export const otherThan = (code) => code.replace(/\d$/, (digit) => (Number(digit) + 1) % 10);

// Numbers reserved for fiction, 555-0100 to 555-0199, in area codes other than that of the stack's own sender.
const numbers = (function* () {
  for (let last = 100; last < 200; last += 1) {
    for (const area of [212, 303, 312, 404, 503, 617, 713, 808]) yield `+1${area}5550${last}`;
  }
})();
/** A number of the United States that nobody has used. */
export const newNumber = () => numbers.next().value;

/** A promise that must be rejected, as what its error says. */
export const refusal = async (promise) => {
  const error = await promise.then((value) => assert.fail(`answered ${JSON.stringify(value)}`), (reason) => reason);
  if (error instanceof assert.AssertionError || error.status === undefined) throw error;
  const { status, code, message, body } = error;
  assert.deepEqual([body.code, body.message], [code, message], 'the error holds what the body says');
  const { hint: _, ...data } = body.errorData ?? {}; // the local gateway's own addition
  return { status, code, message, ...data };
};

// Refusals that several tests expect.
export const CODE_REJECTED = { status: 401, code: 14000, message: 'The code is wrong or no longer valid', reason: 'code_rejected' };
export const LOGIN_REJECTED = { status: 401, code: 3003, message: 'Invalid login or password', reason: 'login_rejected' };
export const SESSION_INVALID = { status: 401, code: 3064, message: 'Not existing user token. Relogin user to update your user token', reason: 'session_invalid' };
export const TOO_MANY_MESSAGES = { status: 429, code: 14000, message: 'Too many messages to this phone. Try again later.', reason: 'too_many_messages' };
export const NOT_FOUND = { status: 404, code: 14002, message: 'Service method not found', reason: 'not_found' };

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const UPPER_UUID = /^[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}$/;
export const PASSWORD = 'seven purple otters';
