// Drives every operation with the client, as a program on Node does.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Otpost, OtpostError } from 'otpost';
import { registerAndLogIn } from '../example.mjs';
import {
  CODE_LIFE, PASSWORD, REPORTED, SPACING, TOLD, advance, codeSentTo, codeSpokenTo, config, emailOf, injectFault, messagesTo,
  newCanadianNumber, newNumber, otherThan, url,
} from './support.mjs';

const newClient = (options) => new Otpost({ url: `${url}/api/`, ...options });
const SESSION_KEY = `otpost.session:${url}/api`;
const DEVICE_KEY = `otpost.device-token:${url}/api`;
const newStorage = () => {
  const kept = new Map();
  return { kept, getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
};

const register = async (client, phoneNumber = newNumber(), own = {}) => {
  const transaction = await client.startRegistration(phoneNumber);
  const transactionCode = await codeSentTo(phoneNumber, 'sign up');
  return client.finishRegistration({ phoneNumber, email: emailOf(phoneNumber), password: PASSWORD, transactionCode, ...transaction, ...own });
};
const logIn = async (client, phoneNumber) => {
  const transaction = await client.loginWithPhoneNumber(phoneNumber);
  return client.loginWithCode(transaction, await codeSentTo(phoneNumber, 'log in'));
};
/** A registered user who has logged in, and whose phone may be sent to again. */
const loggedIn = async (options) => {
  const [client, phoneNumber] = [newClient(options), newNumber()];
  await register(client, phoneNumber);
  const user = await logIn(client, phoneNumber);
  await advance(SPACING);
  return { client, phoneNumber, user };
};

/** What the error of a promise says. */
const refusal = async (promise) => {
  const error = await promise.then((value) => assert.fail(`answered ${JSON.stringify(value)}`), (reason) => reason);
  if (!(error instanceof OtpostError)) throw error;
  const { reason, status, code, retryAfter } = error;
  return { reason, status, code, retryAfter };
};
const SESSION_INVALID = { reason: 'session_invalid', status: 401, code: 3064, retryAfter: undefined };
const CODE_REJECTED = { reason: 'code_rejected', status: 401, code: 14000, retryAfter: undefined };

test("the README's example works", async () => {
  const [phoneNumber, aims] = [newNumber(), ['sign up', 'log in']];
  const user = await registerAndLogIn(`${url}/api`, phoneNumber, () => codeSentTo(phoneNumber, aims.shift()));
  assert.deepEqual([user.phoneNumber, user.name], [phoneNumber, 'Jane']);
  const read = (name) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
  assert(read('README.md').includes(`\`\`\`js\n${read('example.mjs')}\`\`\``), 'the README shows example.mjs');
});

test('each start says how the code is to come, if it is told', async () => {
  const asked = [];
  const client = newClient({
    fetch: async (address, { body }) => {
      asked.push(new URL(address).searchParams.get('channel') ?? JSON.parse(body ?? '{}').channel);
      return new Response('{"transactionId":"E6C1E533-AE95-3881-9FBC-162AAF6951B2"}');
    },
  });
  for (const options of [undefined, { captchaToken: 'x' }, { channel: 'voice' }]) {
    await client.startRegistration('+14155550100', options);
    await client.loginWithPhoneNumber('+14155550100', options);
    await client.loginWithPhoneNumberAndPassword('+14155550100', PASSWORD, options);
    await client.startPhoneChange('+14155550100', options);
    await client.restorePassword('+14155550100', options);
  }
  assert.deepEqual(asked, [...Array(10).fill(undefined), ...Array(5).fill('voice')]);
});

test('the status of an id that is none is refused', async () => {
  const client = newClient();
  const { transactionId } = await client.startRegistration(newNumber());
  for (const id of ['E6C1E533-AE95-3881-9FBC-162AAF6951B2', transactionId.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')), 'x']) {
    const { reason, status } = await refusal(client.status({ transactionId: id }));
    assert.deepEqual([reason, status], ['transaction_not_found', 404], id);
  }
});

test('the status tells why a code has not arrived, but not in a login by phone number alone', async () => {
  const [client, phoneNumber] = [newClient(), newNumber()];
  await injectFault(phoneNumber, { undelivered: 80 });
  const registration = await client.startRegistration(phoneNumber);
  const { state, ...queued } = await client.status(registration);
  assert.deepEqual([state, queued.channel, queued.reason, queued.voice], ['queued', 'sms', undefined, true]);
  assert.equal(queued.expires - queued.retryAt, (CODE_LIFE - SPACING) * 1000);
  await advance(REPORTED);
  await advance(TOLD);
  const failed = await client.status(registration);
  assert.deepEqual([failed.state, failed.reason, failed.retryAt], ['failed', 'unreachable', queued.retryAt]);
  assert.match(failed.message, /^The phone could not be reached\./);

  const transactionCode = await codeSentTo(phoneNumber, 'sign up');
  await client.finishRegistration({ phoneNumber, email: emailOf(phoneNumber), password: PASSWORD, transactionCode, ...registration });
  await injectFault(phoneNumber, { undelivered: 80 });
  const login = await client.loginWithPhoneNumber(phoneNumber);
  await advance(REPORTED);
  await advance(TOLD);
  const told = await client.status(login);
  assert.deepEqual([told.state, told.reason], ['sent', undefined]);
});

test('a code is on its way, then delivered, and unknown when it has expired without a report', async () => {
  const [client, phoneNumber, lost] = [newClient(), newNumber(), newNumber()];
  await injectFault(phoneNumber, { queued: 10 });
  const transaction = await client.startRegistration(phoneNumber);
  await advance(10);
  assert.equal((await client.status(transaction)).state, 'sent');
  await advance(REPORTED);
  await advance(TOLD);
  assert.equal((await client.status(transaction)).state, 'delivered');
  await injectFault(lost, { callbacks: 'lost' });
  const unreported = await client.startRegistration(lost);
  await advance(CODE_LIFE);
  const { state, voice } = await client.status(unreported);
  assert.deepEqual([state, voice], ['unknown', false]);
});

test('a call reads the code to a phone that has got it by SMS, where the service calls', async () => {
  const [client, canadian] = [newClient(), newCanadianNumber()];
  const silent = await client.startRegistration(canadian);
  assert.equal((await client.status(silent)).voice, false);
  await advance(SPACING);
  await client.startRegistration(canadian, { channel: 'voice' });
  assert.deepEqual((await messagesTo(canadian)).map(({ type }) => type), ['sms', 'sms']);

  const { phoneNumber } = await loggedIn();
  const first = await client.loginWithPhoneNumberAndPassword(phoneNumber, PASSWORD);
  const code = await codeSentTo(phoneNumber, 'confirm login');
  await advance(SPACING);
  const login = await client.loginWithPhoneNumberAndPassword(phoneNumber, PASSWORD, { channel: 'voice' });
  assert.deepEqual(login, first);
  await advance(REPORTED);
  assert.equal(await codeSpokenTo(phoneNumber), code);
  await advance(10);
  await advance(TOLD);
  const { channel, state } = await client.status(login);
  assert.deepEqual([channel, state], ['voice', 'delivered']);
  await client.loginWithCode(login, code);
});

test('a user registers, logs in, changes everything, logs out and is deleted', async () => {
  const [client, phoneNumber] = [newClient(), newNumber()];
  const registered = await register(client, phoneNumber, { name: 'Jane' });
  assert.deepEqual([registered.phoneNumber, registered.name, client.token], [phoneNumber, 'Jane', undefined]);

  const user = await logIn(client, phoneNumber);
  assert.deepEqual([user['user-token'], user.objectId], [client.token, client.userId]);
  assert.equal(await client.isValid(), true);
  assert.equal((await client.me()).objectId, registered.objectId);

  assert.equal((await client.update({ name: 'Jane Doe' })).name, 'Jane Doe');
  assert.equal((await client.me()).name, 'Jane Doe');
  assert.equal((await refusal(client.update({ name: 'Late', updated: 1 }))).reason, 'user_changed');

  await client.update({ password: 'battery staple horse' });
  assert.equal(await client.verifyPassword(PASSWORD), false);
  assert.equal(await client.verifyPassword('battery staple horse'), true);

  const next = newNumber();
  const change = await client.startPhoneChange(next, { currentPassword: 'battery staple horse' });
  assert.equal(change.phoneNumber, phoneNumber, 'unchanged until it is proven');
  assert.equal((await client.finishPhoneChange(next, change, await codeSentTo(next, 'change phone'))).phoneNumber, next);

  const exported = await client.export();
  assert.equal(exported.user.phoneNumber, next);

  await client.logout();
  assert.equal(client.token, undefined);
  assert.equal(await client.isValid(), false);
  assert.deepEqual(await refusal(client.me()), SESSION_INVALID);

  await advance(SPACING);
  const transaction = await client.loginWithPhoneNumberAndPassword(next, 'battery staple horse');
  await client.loginWithCode(transaction, await codeSentTo(next, 'confirm login'));
  const { deletionTime } = await client.deleteAccount();
  assert(deletionTime > 0);
  assert.deepEqual([client.token, client.userId], [undefined, undefined]);
});

test('a forgotten password is replaced, which ends the session', async () => {
  const { client, phoneNumber } = await loggedIn();
  const transaction = await newClient().restorePassword(emailOf(phoneNumber));
  await newClient().resetPassword(transaction, await codeSentTo(phoneNumber, 'set password'), 'battery staple horse');
  assert.equal(await client.isValid(), false);
  assert.equal(client.token, undefined, 'the client drops what is no longer valid');
  await advance(SPACING);
  await client.loginWithPhoneNumberAndPassword(phoneNumber, 'battery staple horse');
});

test('sessions are listed, and others are ended', async () => {
  const { client, phoneNumber } = await loggedIn();
  const [second, third] = [newClient(), newClient()];
  await logIn(second, phoneNumber);
  await advance(SPACING);
  await logIn(third, phoneNumber);

  const sessions = await client.sessions();
  assert.equal(sessions.length, 3);
  assert.equal(sessions.filter(({ current }) => current).length, 1);
  const { id } = (await second.sessions()).find(({ current }) => current);
  await client.endSession(id);
  assert.deepEqual([await second.isValid(), await third.isValid()], [false, true]);
  await client.endOtherSessions();
  assert.deepEqual([await client.isValid(), await third.isValid()], [true, false]);
  assert.equal((await refusal(client.endSession(id))).reason, 'session_not_found');
});

test('a session is kept in the storage, and dropped when it has ended', async () => {
  const storage = newStorage();
  const { user } = await loggedIn({ storage });
  const reloaded = newClient({ storage });
  assert.equal((await reloaded.me()).objectId, user.objectId);
  assert.equal((await reloaded.update({ name: 'Jane' })).name, 'Jane');

  await advance(31 * 24 * 60 * 60);
  assert.deepEqual(await refusal(reloaded.me()), SESSION_INVALID);
  assert.deepEqual([reloaded.token, storage.kept.size], [undefined, 0]);
});

test('without a session, all that needs one is refused', async () => {
  const client = newClient();
  const calls = [
    client.me(), client.update({ name: 'Jane' }), client.startPhoneChange(newNumber()), client.deleteAccount(), client.export(),
    client.verifyPassword(PASSWORD), client.sessions(), client.endSession('x'), client.endOtherSessions(), client.jwt(), client.logout(),
  ];
  assert.deepEqual(await Promise.all(calls.map(refusal)), calls.map(() => SESSION_INVALID));
});

test('a refusal tells its reason, status and code', async () => {
  const [client, phoneNumber] = [newClient(), newNumber()];
  const number = await refusal(client.startRegistration('+1'));
  assert.deepEqual(number, { reason: 'invalid_phone_number', status: 400, code: 8008, retryAfter: undefined });
  const { transactionId } = await client.startRegistration(phoneNumber);
  const code = await codeSentTo(phoneNumber, 'sign up');
  const step = { phoneNumber, transactionId, transactionCode: code, email: emailOf(phoneNumber), password: PASSWORD };
  assert.deepEqual(await refusal(client.finishRegistration({ ...step, transactionCode: otherThan(code) })), CODE_REJECTED);
  assert.equal((await refusal(client.finishRegistration({ ...step, password: 'short' }))).reason, 'password_too_short');
  await client.finishRegistration(step);
  assert.equal((await refusal(client.loginWithPhoneNumberAndPassword(phoneNumber, 'wrong password'))).reason, 'login_rejected');
  const login = await client.loginWithPhoneNumber(phoneNumber);
  assert.deepEqual(await refusal(client.loginWithCode(login, otherThan(await codeSentTo(phoneNumber, 'log in')))), CODE_REJECTED);
  assert.equal(client.token, undefined);
});

test('a limit tells when to try again, and the client does not try by itself', async () => {
  const [client, phoneNumber] = [newClient(), newNumber()];
  await client.startRegistration(phoneNumber);
  const { retryAfter, ...error } = await refusal(client.startRegistration(phoneNumber));
  assert.deepEqual(error, { reason: 'too_many_messages', status: 429, code: 14000 });
  assert(retryAfter > 0 && retryAfter <= SPACING, `retryAfter ${retryAfter}`);
  assert.equal((await messagesTo(phoneNumber)).length, 1);
  await advance(retryAfter);
  await client.startRegistration(phoneNumber);
  assert.equal((await messagesTo(phoneNumber)).length, 2);
});

test('a device token is asked for, kept, and has limits of its own', async () => {
  const storage = newStorage();
  const { client, phoneNumber } = await loggedIn({ storage, rememberDevice: true });
  assert(storage.kept.has(DEVICE_KEY));
  await newClient().loginWithPhoneNumber(phoneNumber);
  await client.logout();
  await logIn(client, phoneNumber); // a stranger's start does not make it wait
});

test('sendMessage needs the message key, and sends once by idempotency key', async () => {
  const [client, phoneNumber] = [newClient(), newNumber()];
  const refused = await refusal(client.sendMessage({ phoneNumber, message: 'Hello' }, 'wrong'));
  assert.deepEqual(refused, { reason: 'access_denied', status: 401, code: 14008, retryAfter: undefined });
  const mediaUrls = ['https://media.example.com/a,b.png', 'https://media.example.com/c.png'];
  const send = () => client.sendMessage({ phoneNumber, message: 'Hello', mediaUrls }, config.messageKey, { idempotencyKey: 'once' });
  const answer = await send();
  assert.deepEqual(await send(), answer);
  const [message, ...more] = await messagesTo(phoneNumber);
  assert.deepEqual([message.id, message.mediaUrls, more], [answer.message_uuid[0], mediaUrls, []]);
});

test('a JWT is issued', async () => {
  const { client, user } = await loggedIn();
  const { token, expiresIn } = await client.jwt();
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  assert.deepEqual([sub, expiresIn], [user.objectId, 300]);
});

// What the stack cannot be made to answer.
const answering = (body, init) => newClient({ fetch: async () => new Response(body, init) });

test('a service that cannot be reached is a reason of its own', async () => {
  const cause = new TypeError('fetch failed');
  const error = await newClient({ fetch: () => Promise.reject(cause) }).me().catch((reason) => reason);
  assert(error instanceof OtpostError);
  assert.deepEqual([error.reason, error.status, error.cause], ['network', 0, cause]);
});

test("an answer that is not Otpost's is a reason of its own, and Retry-After is read", async () => {
  const busy = answering('<html>', { status: 503, headers: { 'Retry-After': '7' } });
  assert.deepEqual(await refusal(busy.me()), { reason: 'unexpected_answer', status: 503, code: 0, retryAfter: 7 });
  const throttled = answering('{"message":"Too Many Requests"}', { status: 429, headers: { 'Retry-After': 'Mon, 30 Nov 2026 10:00:00 GMT' } });
  assert.deepEqual(await refusal(throttled.me()), { reason: 'unexpected_answer', status: 429, code: 0, retryAfter: undefined });
  assert.equal((await refusal(answering('<html>').me())).reason, 'unexpected_answer');
});

test('a captcha token and a renamed phone column are sent as the service expects them', async () => {
  const requests = [];
  const fetch = async (address, { headers, body }) => {
    requests.push([address, headers.get('captcha-token'), JSON.parse(body)]);
    return new Response('{"transactionId":"x"}');
  };
  const client = new Otpost({ url: 'https://api.example.com/api', fetch, phoneColumn: 'mobile' });
  await client.startRegistration('+14155550100', { captchaToken: 'proof' });
  assert.deepEqual(requests, [['https://api.example.com/api/users/register', 'proof', { mobile: '+14155550100' }]]);
});

/** A client on the session of another one, whose answers of this status wait for `release`. */
const late = (client, status) => {
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  const storage = newStorage();
  storage.setItem(SESSION_KEY, JSON.stringify({ token: client.token, userId: client.userId }));
  const fetchLate = async (address, init) => {
    const answer = await fetch(address, init);
    if (answer.status === status && init.method !== 'POST') await held;
    return answer;
  };
  return { other: newClient({ storage, fetch: fetchLate, rememberDevice: true }), storage, release };
};

test('a session that ended late does not drop a newer one', async () => {
  const { client, phoneNumber } = await loggedIn();
  const { other, release } = late(client, 401);
  await client.logout();
  const refused = refusal(other.me());
  const { 'user-token': token } = await logIn(other, phoneNumber);
  release();
  assert.deepEqual(await refused, SESSION_INVALID);
  assert.equal(other.token, token);
});

for (const name of ['logout', 'deleteAccount']) {
  test(`${name}() does not drop what a login brings meanwhile`, async () => {
    const { client } = await loggedIn();
    const { phoneNumber } = await loggedIn();
    const { other, storage, release } = late(client, 200);
    const ended = other[name]();
    const { 'user-token': token } = await logIn(other, phoneNumber);
    release();
    await ended;
    assert.deepEqual([other.token, storage.kept.has(DEVICE_KEY)], [token, true]);
  });
}

test('services that share a storage do not get the tokens of each other', async () => {
  const storage = newStorage();
  const { client } = await loggedIn({ storage, rememberDevice: true });
  let sent;
  const elsewhere = newClient({
    url: 'https://api.example.org/api',
    storage,
    rememberDevice: true,
    fetch: async (address, { headers }) => {
      sent = [...headers.keys()];
      return new Response('{}');
    },
  });
  await elsewhere.me();
  assert.deepEqual([sent, elsewhere.token], [[], undefined]);
  assert.equal(await client.isValid(), true);
});

test('a stored session that cannot be read is no session', async () => {
  for (const kept of ['{"token":', 'null', '"text"', '{}']) {
    const storage = newStorage();
    storage.setItem(SESSION_KEY, kept);
    const client = newClient({ storage });
    assert.deepEqual([client.token, client.userId, await client.isValid()], [undefined, undefined, false]);
    assert.deepEqual(await refusal(client.me()), SESSION_INVALID);
    assert.equal(storage.kept.size, 0);
  }
});

test('no path holds the token', async () => {
  const { client } = await loggedIn();
  const addresses = [];
  const storage = newStorage();
  storage.setItem(SESSION_KEY, JSON.stringify({ token: client.token, userId: client.userId }));
  const fetchAndNote = (address, init) => { addresses.push(address); return fetch(address, init); };
  assert.equal(await newClient({ storage, fetch: fetchAndNote }).isValid(), true);
  assert.deepEqual(addresses, [`${url}/api/users/me`]);
  await assert.rejects(newClient({ storage, fetch: () => Promise.reject(new TypeError('fetch failed')) }).isValid(), { reason: 'network' });
});

test("the local stack's hint is part of the message", async () => {
  const error = await newClient({ url }).me().catch((reason) => reason);
  assert.deepEqual([error.reason, error.message.split(': ').at(-1)], ['not_found', 'There is no route GET /users/me. Did you mean GET /api/users/me?']);
});

test('a client without a URL is refused', () => {
  const message = "url is required: new Otpost({ url: 'https://api.example.com/api' })";
  for (const options of ['https://api.example.com/api', {}, { url: '' }, undefined]) {
    assert.throws(() => new Otpost(options), { name: 'TypeError', message });
  }
});
