// Drives the simulated Plivo with the official Plivo SDK for Node, and reads with it what the service sent.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, afterEach, before, describe, test } from 'node:test';
import plivo from 'plivo';
import { UUID, advance, config, injectFault, messagesTo, newNumber, url } from './support.mjs';

const { plivoAuthId, plivoAuthToken } = config;
const clientWith = (token) => new plivo.Client(plivoAuthId, token, { url: `${url}/v1/Account/${plivoAuthId}` });
const client = clientWith(plivoAuthToken);
const SENDER = '+14155550001';
const MEDIA = ['https://media.example.com/menu.png', 'https://media.example.com/map.pdf'];

const digits = (number) => number.slice(1);
const uuidOf = async (sent) => (await sent).messageUuid[0];
const post = (path, body, headers) =>
  fetch(`${url}/api/${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) });

/** The only message that arrived at a phone, once it is delivered, which takes two seconds of the stack's time. */
const delivered = async (to) => {
  await advance(2);
  const [message, ...more] = await messagesTo(to);
  assert.deepEqual(more, []);
  return message;
};

/** The error of a call, as its fields. */
const errorOf = async (call) => {
  const error = await call.then((value) => assert.fail(`answered ${JSON.stringify(value)}`), (reason) => reason);
  if (error instanceof assert.AssertionError) throw error;
  const { status, statusText, message } = error;
  return { status, statusText, message };
};

describe('sending', () => {
  test('an SMS is queued and shows up in the inbox', async () => {
    const to = newNumber();
    const text = 'Grüße {aus} Oslo 🦦';
    const { apiId, message, messageUuid } = await client.messages.create(SENDER, to, text);
    assert.match(apiId, UUID);
    assert.equal(message, 'message(s) queued');
    const { created, ...arrived } = await delivered(to);
    assert(Number.isInteger(created));
    assert.deepEqual(arrived, { id: messageUuid[0], from: SENDER, to, text, type: 'sms', mediaUrls: [], state: 'delivered' });
  });

  test('an MMS is queued with its media', async () => {
    const to = newNumber();
    const id = await uuidOf(client.messages.create({ src: SENDER, dst: to, text: 'The menu', type: 'mms', media_urls: MEDIA }));
    const { created, ...arrived } = await delivered(to);
    assert.deepEqual(arrived, { id, from: SENDER, to, text: 'The menu', type: 'mms', mediaUrls: MEDIA, state: 'delivered' });
    const { objects } = await client.messages.listMedia(id);
    assert.deepEqual(objects.map(({ contentType, mediaUrl, messageUuid }) => [contentType, mediaUrl, messageUuid]), [
      ['image/png', MEDIA[0], id], ['application/pdf', MEDIA[1], id],
    ]);
  });

  test('numbers are taken as people write them', async () => {
    const to = newNumber();
    await client.messages.create('+1 (415) 555-0001', to.replace(/^\+1(...)(...)(....)$/, '+1 ($1) $2-$3'), 'Hello');
    const [{ from, text }] = await messagesTo(to);
    assert.deepEqual([from, text], [SENDER, 'Hello']);
  });

  test('many numbers get a message each, and bad ones are named', async () => {
    const [one, other] = [newNumber(), newNumber()];
    const { messageUuid, invalid_number: invalid } = await client.messages.create(SENDER, [one, other, '123'], 'Hello');
    assert.deepEqual(messageUuid, [(await messagesTo(one))[0].id, (await messagesTo(other))[0].id]);
    assert.deepEqual(invalid, ['123']);
  });
});

describe('reading', () => {
  test('a message says who, what and what it costs', async () => {
    const to = newNumber();
    const id = await uuidOf(client.messages.create(SENDER, to, 'a'.repeat(161)));
    await delivered(to);
    const message = await client.messages.get(id);
    assert.match(message.apiId, UUID);
    assert.match(message.messageTime, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00$/);
    const expected = {
      messageUuid: id, fromNumber: digits(SENDER), toNumber: digits(to), messageDirection: 'outbound', messageType: 'sms', messageState: 'delivered',
      units: 2, totalRate: '0.00550', totalAmount: '0.01100', errorCode: '000', resourceUri: `/v1/Account/${plivoAuthId}/Message/${id}/`,
    };
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, message[name]])), expected);
  });

  test('the list is newest first, in pages, and can be filtered', async () => {
    const to = newNumber();
    const ids = [];
    for (const text of ['one', 'two', 'three']) ids.unshift(await uuidOf(client.messages.create(SENDER, to, text)));
    const first = await client.messages.list({ to_number: digits(to), limit: 2 });
    assert.deepEqual(first.map(({ messageUuid }) => messageUuid), ids.slice(0, 2));
    assert.deepEqual(first.meta, {
      limit: 2, offset: 0, totalCount: 3, previous: null, next: `/v1/Account/${plivoAuthId}/Message/?limit=2&offset=2&to_number=${digits(to)}`,
    });
    const second = await client.messages.list({ to_number: digits(to), limit: 2, offset: 2 });
    assert.deepEqual(second.map(({ messageUuid }) => messageUuid), ids.slice(2));
    assert.deepEqual([...await client.messages.list({ to_number: digits(to), message_type: 'mms' })], []);
  });

  test('the account is there', async () => {
    const { accountType, name } = await client.accounts.get();
    assert.deepEqual([accountType, name], ['standard', 'Otpost simulator']);
  });
});

describe('errors', () => {
  const bad = (message) => ({ status: 400, statusText: 'Bad Request', message });
  test('a wrong token', async () => {
    assert.deepEqual(await errorOf(clientWith('wrong').messages.create(SENDER, newNumber(), 'Hello')), {
      status: 401, statusText: 'Unauthorized', message: 'Could not verify your access level for that URL. You have to login with proper credentials',
    });
  });

  test('a number that is none', async () => {
    assert.deepEqual(await errorOf(client.messages.create(SENDER, '1111111', 'Hello')), bad("'1111111' is not a valid phone number."));
  });

  test('a message to its sender, one without text, media that is no MMS', async () => {
    assert.deepEqual(await errorOf(client.messages.create(SENDER, SENDER, 'Hello')), bad('src and dst cannot be the same number'));
    assert.deepEqual(await errorOf(client.messages.create(SENDER, newNumber(), '')), bad('text parameter not present'));
    assert.deepEqual(
      await errorOf(client.messages.create(SENDER, newNumber(), 'Hello', { media_urls: MEDIA })),
      bad('media_urls is only applicable when type is mms'),
    );
  });

  test('a message that is not there', async () => {
    assert.deepEqual(await errorOf(client.messages.get('5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46')), { status: 404, statusText: 'Not Found', message: 'not found' });
  });
});

describe('what the service sent', () => {
  test('a code can be looked up, and Plivo was asked not to log its text', async () => {
    const to = newNumber();
    assert.equal((await post('users/register', { phoneNumber: to })).status, 200);
    const [{ id }] = await messagesTo(to);
    const { fromNumber, toNumber, messageType, units, log } = await client.messages.get(id);
    assert.deepEqual(
      { fromNumber, toNumber, messageType, units, log },
      { fromNumber: '14155550199', toNumber: digits(to), messageType: 'sms', units: 1, log: 'number_only' },
    );
  });

  test('a message of sendMessage can be looked up by the uuid of its answer, with its media', async () => {
    const to = newNumber();
    const body = { phoneNumber: to, message: 'The menu', mediaUrls: MEDIA.map(encodeURIComponent).join() };
    const answer = await post('services/Plivo/sendMessage', body, { Authorization: `Bearer ${config.messageKey}` });
    const { message_uuid: [id] } = await answer.json();
    const { fromNumber, toNumber, messageType } = await client.messages.get(id);
    assert.deepEqual([fromNumber, toNumber, messageType], ['14155550199', digits(to), 'mms']);
    assert.deepEqual((await client.messages.listMedia(id)).objects.map(({ mediaUrl }) => mediaUrl), MEDIA);
    assert.deepEqual((await client.messages.list({ to_number: digits(to) })).map(({ messageUuid }) => messageUuid), [id]);
  });
});

describe('what Plivo tells an application', () => {
  const SPEECH = '<Response><Speak loop="2">Your code is 1, 2, 3, 4, 5, 6</Speak></Response>';
  const received = [];
  const server = createServer(async (request, answer) => {
    const chunks = await request.toArray();
    received.push({ path: request.url, headers: request.headers, params: Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString())) });
    answer.setHeader('Content-Type', 'text/xml').end(request.url.startsWith('/answer') ? SPEECH : '');
  });
  let application;
  before(async () => {
    await new Promise((ready) => { server.listen(0, '127.0.0.1', ready); });
    application = `http://127.0.0.1:${server.address().port}`;
  });
  after(() => { server.closeAllConnections(); server.close(); });
  afterEach(() => { received.length = 0; });

  /** Whether the SDK takes a request for Plivo's, by each header. */
  const accepted = ({ path, headers, params }) => ['x-plivo-signature-v3', 'x-plivo-signature-ma-v3'].map((name) => (
    plivo.validateV3Signature('POST', application + path, headers['x-plivo-signature-v3-nonce'], plivoAuthToken, headers[name], params)
  ));

  test('reports of a message are signed', async () => {
    const to = newNumber();
    const id = await uuidOf(client.messages.create(SENDER, to, 'Grüße, é 🦦', { url: `${application}/report/a%20b?of=shop+1&b`, method: 'POST' }));
    await advance(2);
    assert.deepEqual(received.map(({ params }) => [params.MessageUUID, params.Status, params.To]), [
      [id, 'queued', digits(to)], [id, 'sent', digits(to)], [id, 'delivered', digits(to)],
    ]);
    assert.deepEqual(received.map(accepted), [[true, true], [true, true], [true, true]]);
    const [{ params, ...request }] = received;
    assert.deepEqual(accepted({ ...request, params: { ...params, Status: 'delivered' } }), [false, false], 'of these parameters only');
  });

  test('a forged report is not accepted', async () => {
    const to = newNumber();
    await injectFault({ callbacks: 'forged' }, to);
    await client.messages.create(SENDER, to, 'Hello', { url: `${application}/report` });
    await advance(0);
    assert.deepEqual(received.map(accepted), [[false, false]]);
  });

  test('a message that is not delivered can be read with its error', async () => {
    const to = newNumber();
    await injectFault({ undelivered: 30 }, to);
    const id = await uuidOf(client.messages.create(SENDER, to, 'Hello'));
    const { state, errorCode } = await delivered(to);
    assert.deepEqual([state, errorCode], ['undelivered', 30]);
    const { messageState, errorCode: code } = await client.messages.get(id);
    assert.deepEqual([messageState, code], ['undelivered', '30']);
  });

  test('a call asks what to say, says it, and tells its end', async () => {
    // The SDK has no option for the address of calls.
    const axios = createRequire(createRequire(import.meta.url).resolve('plivo'))('axios');
    const send = axios.getAdapter(axios.defaults.adapter);
    axios.defaults.adapter = (request) => send({ ...request, url: request.url.replace(/^https:\/\/[^/]+\/v1\/Account/, `${url}/v1/Account`) });
    const to = newNumber();
    const { message, requestUuid } = await client.calls.create(SENDER, to, `${application}/answer`, { hangupUrl: `${application}/hangup` });
    assert.equal(message, 'call fired');
    assert.match(requestUuid, UUID);
    await advance(2);
    const { created, ...call } = (await messagesTo(to))[0];
    assert.deepEqual(call, {
      id: requestUuid, from: SENDER, to, text: 'Your code is 1, 2, 3, 4, 5, 6', type: 'call', mediaUrls: [], state: 'in-progress',
    });
    await advance(8);
    assert.deepEqual(received.map(({ path, params }) => [path, params.CallUUID, params.CallStatus]), [
      ['/answer', requestUuid, 'in-progress'], ['/hangup', requestUuid, 'completed'],
    ]);
    assert.deepEqual(received.map(accepted), [[true, true], [true, true]]);
    const { callUuid, toNumber, callDuration, hangupCauseName } = await client.calls.get(requestUuid);
    assert.deepEqual([callUuid, toNumber, callDuration, hangupCauseName], [requestUuid, digits(to), 8, 'End Of XML Instructions']);
  });
});
