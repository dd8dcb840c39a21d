// Drives every operation with the official Backendless SDK for JavaScript, as an app on Node does.

import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import sdk from 'backendless';
import {
  CODE_LIFE, CODE_REJECTED, DAY, LOGIN_REJECTED, LONGEST_SPACING, NOT_FOUND, PASSWORD, SESSION_INVALID, SPACING, TOO_MANY_MESSAGES, UPPER_UUID, UUID,
  advance, codeSentTo, config, messagesTo, newNumber, now, otherThan, refusal, url,
} from './support.mjs';

const Backendless = sdk.default ?? sdk;
const { appId, apiKey } = config;
const STALE = '0DEAD000-0000-4000-8000-00000000DEAD';

/** An app with its own session, which no other test sees. */
const newApp = () => Backendless.initApp({ appId, apiKey, serverURL: url, standalone: true });
let app;
beforeEach(() => { app = newApp(); });

const plivo = (method, parameters, options) => app.APIServices.invoke('Plivo', method, parameters, options);
const startRegistration = (phoneNumber) => app.Users.register({ phoneNumber }).then(({ transactionId }) => transactionId);
const emailOf = (phoneNumber) => `user${phoneNumber.slice(1)}@example.com`;

/** The body of step 2 of a registration that is started here. */
const secondStep = async (phoneNumber = newNumber()) => {
  const transactionId = await startRegistration(phoneNumber);
  const transactionCode = await codeSentTo(phoneNumber, 'sign up');
  return { email: emailOf(phoneNumber), password: PASSWORD, phoneNumber, transactionId, transactionCode };
};

/** A user whose phone may be sent to again. */
const newUser = async (properties) => {
  const user = await app.Users.register({ ...await secondStep(), ...properties });
  await advance(SPACING);
  return user;
};

/** A login that waits for its code. */
const startLogin = async (phoneNumber) => {
  const { transactionId } = await plivo('loginWithPhoneNumber', phoneNumber);
  return { transactionId, code: await codeSentTo(phoneNumber, 'log in') };
};

/** A user who is logged in at `app`. */
const loggedIn = async () => {
  const { phoneNumber } = await newUser();
  return app.Users.setCurrentUser(await plivo('loginWithCode', await startLogin(phoneNumber)));
};

const appInfo = async () => {
  const { version, ...info } = await app.appInfoPromise(true);
  assert.match(version, /^\d+\.\d+\.\d+$/);
  return info;
};
const useStaleToken = () => app.Users.setCurrentUser({ objectId: STALE, 'user-token': STALE });

describe('every way to point the SDK at the service', () => {
  const ways = {
    'application id and key': () => Backendless.initApp({ appId, apiKey, serverURL: url }),
    'custom domain': () => Backendless.initApp(url),
    'application id and key, standalone': newApp,
    'custom domain, standalone': () => Backendless.initApp({ domain: url, standalone: true }),
  };
  for (const [way, init] of Object.entries(ways)) {
    test(`${way}: registers, logs in by code, by password and code, and out`, async () => {
      app = init();
      assert.deepEqual(await appInfo(), { appId, apiKey, rtURL: '' });

      const { phoneNumber, objectId } = await newUser();
      const user = await plivo('loginWithCode', await startLogin(phoneNumber));
      assert.equal(user.objectId, objectId);
      app.Users.setCurrentUser(user);
      assert.equal(await app.Users.isValidLogin(), true);
      await app.Users.logout();

      await advance(SPACING);
      const { transactionId } = await plivo('loginWithPhoneNumberAndPassword', { phoneNumber, password: PASSWORD });
      const code = await codeSentTo(phoneNumber, 'confirm login');
      assert.equal((await plivo('loginWithCode', { transactionId, code })).objectId, objectId);
    });
  }

  test('another application is told so, and app info fails without hurting', async (t) => {
    const printed = t.mock.method(console, 'error', () => {});
    app = Backendless.initApp({ appId, apiKey: 'ANOTHER', serverURL: url, standalone: true });
    const unknown = {
      status: 400, code: 2002, message: 'Unable to find application. Check application id and/or API key.', reason: 'unknown_application',
    };
    assert.deepEqual(await refusal(app.appInfoPromise()), unknown);
    assert.deepEqual(await refusal(startRegistration(newNumber())), unknown);
    assert.match(printed.mock.calls[0].arguments[0], /could not load backendless app info/);
  });
});

describe('registration', () => {
  test('step 1 sends a code and answers with a challenge id only', async () => {
    const phoneNumber = newNumber();
    const answer = await app.Users.register({ phoneNumber });
    assert(answer instanceof Backendless.User);
    assert.deepEqual(Object.keys(answer).sort(), ['___class', 'transactionId']);
    assert.match(answer.transactionId, /^\S+$/);
    const [message, ...more] = await messagesTo(phoneNumber);
    assert.deepEqual([message.from, message.to, message.type, message.mediaUrls, more], ['+14155550199', phoneNumber, 'sms', [], []]);
  });

  test('step 1 takes a Backendless.User and a locale', async () => {
    const phoneNumber = newNumber();
    const { transactionId } = await app.Users.register(new Backendless.User({ phoneNumber, blUserLocale: 'de' }));
    assert.match(transactionId, /^\S+$/);
    assert.equal((await messagesTo(phoneNumber)).length, 1);
  });

  test('step 2 answers the user, without password and token', async () => {
    const body = await secondStep();
    const before = await now();
    const user = await app.Users.register(body);
    const { objectId, created, ...rest } = user;
    assert(user instanceof Backendless.User);
    assert.match(objectId, UPPER_UUID);
    assert(created >= before && created <= await now(), 'created is now, in milliseconds');
    assert.deepEqual(rest, {
      ___class: 'Users', blUserLocale: 'en', email: body.email, ownerId: objectId, phoneNumber: body.phoneNumber, updated: null, userStatus: 'ENABLED',
    });
    assert.equal(app.Users.getCurrentUserToken(), null, 'registering does not log in');
  });

  test('step 2 keeps the locale and own properties of a Backendless.User', async () => {
    const own = { name: 'Jane Dœ 🦦', age: 33, vip: true, tags: ['a', 'b'], address: { city: 'Oslo' } };
    const user = await app.Users.register(new Backendless.User({ ...await secondStep(), ...own, blUserLocale: 'de' }));
    const { name, age, vip, tags, address, blUserLocale } = user;
    assert.deepEqual({ name, age, vip, tags, address, blUserLocale }, { ...own, blUserLocale: 'de' });
    await advance(SPACING);
    const login = await plivo('loginWithCode', await startLogin(user.phoneNumber));
    assert.deepEqual([login.name, login.age, login.vip, login.tags, login.address, login.blUserLocale], [...Object.values(own), 'de']);
  });

  test("step 2 takes the page's slip transactioniId for transactionId", async () => {
    const { transactionId, ...body } = await secondStep();
    assert.equal((await app.Users.register({ ...body, transactioniId: transactionId })).email, body.email);
  });

  test("a second user with the phone or the e-mail address of another is refused", async () => {
    const exists = { status: 409, code: 3033, message: 'Unable to register user. User already exists.', reason: 'user_exists' };
    const { phoneNumber, email } = await newUser();
    assert.deepEqual(await refusal(app.Users.register({ ...await secondStep(), email })), exists);
    assert.deepEqual(await refusal(app.Users.register({ ...await secondStep(phoneNumber), email: 'another@example.com' })), exists);
  });

  test('a wrong code, another phone and a code of another flow are one error', async () => {
    const body = await secondStep();
    assert.deepEqual(await refusal(app.Users.register({ ...body, transactionCode: otherThan(body.transactionCode) })), CODE_REJECTED);
    assert.deepEqual(await refusal(app.Users.register({ ...body, phoneNumber: newNumber() })), CODE_REJECTED);
    assert.deepEqual(await refusal(plivo('loginWithCode', { transactionId: body.transactionId, code: body.transactionCode })), CODE_REJECTED);
    assert.equal((await app.Users.register(body)).email, body.email, 'none of these used the code up');
  });

  const invalid = {
    'a number that is none': [{ phoneNumber: '+1' }, 400, 8008, "Invalid parameter 'phoneNumber'", 'invalid_phone_number'],
    'no number': [{}, 400, 8007, "Missing parameter 'phoneNumber'.", 'missing_field'],
    'a toll-free number': [{ phoneNumber: '+18005550100' }, 400, 14000, 'This kind of number is not served', 'number_not_served'],
    'a country that is not served': [{ phoneNumber: '+4915112345678' }, 400, 14000, 'This country is not served', 'country_not_served'],
  };
  for (const [what, [body, status, code, message, reason]] of Object.entries(invalid)) {
    test(`step 1 refuses ${what}`, async () => {
      assert.deepEqual(await refusal(app.Users.register(body)), { status, code, message, reason });
    });
  }

  test('step 2 names what is wrong with its fields, and that costs no attempt', async () => {
    const body = await secondStep();
    const refused = async (changes) => Object.values(await refusal(app.Users.register({ ...body, ...changes })));
    assert.deepEqual(await refused({ password: undefined }), [400, 3011, "Property 'password' is required", 'password_missing']);
    assert.deepEqual(await refused({ password: 12345678 }), [400, 3050, 'Password should be string', 'password_not_text']);
    assert.deepEqual(await refused({ password: 'otters' }), [400, 14000, 'The password has fewer than 8 characters', 'password_too_short']);
    assert.deepEqual(await refused({ password: 'password1' }), [400, 14000, 'The password is too common', 'password_too_common']);
    assert.deepEqual(await refused({ email: undefined }), [400, 3013, "Unable to register user. Missing identity value for 'email'", 'identity_missing']);
    assert.deepEqual(await refused({ email: 'jane' }), [400, 3040, 'Provided email has wrong format.', 'invalid_email']);
    assert.deepEqual(await refused({ transactionCode: '12345' }), [400, 8008, "Invalid parameter 'transactionCode'", 'invalid_code']);
    assert.deepEqual(await refused({ transactionId: 'none' }), [400, 8008, "Invalid parameter 'transactionId'", 'invalid_transaction_id']);
    assert.deepEqual(await refused({ objectId: STALE }), [
      400, 3039, '"objectId" is a reserved system property and is not allowed when registering a user.', 'reserved_object_id',
    ]);
    assert.equal((await app.Users.register(body)).email, body.email);
  });
});

describe('login without a password', () => {
  const forms = {
    'a bare number': (number) => [number],
    'a bare number without the plus': (number) => [number.slice(1)],
    'a bare number of the default country': (number) => [number.slice(2)],
    'a number as people write it': (number) => [number.replace(/^\+1(...)(...)(....)$/, ' +1 ($1) $2-$3\u00a0')],
    'a JSON string': (number) => [JSON.stringify(number)],
    'a JSON string with its content type': (number) => [JSON.stringify(number), { httpRequestHeaders: { 'Content-Type': 'application/json' } }],
    'a bare number that claims to be JSON': (number) => [number, { httpRequestHeaders: { 'Content-Type': 'application/json' } }],
    'bare digits that claim to be JSON': (number) => [number.slice(1), { httpRequestHeaders: { 'Content-Type': 'application/json' } }],
    'plain text with its content type': (number) => [number, { httpRequestHeaders: { 'Content-Type': 'text/plain;charset=UTF-8' } }],
    'an object': (phoneNumber) => [{ phoneNumber }],
  };
  for (const [form, build] of Object.entries(forms)) {
    for (const service of ['APIServices', 'CustomServices']) {
      test(`${service}.invoke takes ${form}`, async () => {
        const { phoneNumber, objectId } = await newUser();
        const answer = await app[service].invoke('Plivo', 'loginWithPhoneNumber', ...build(phoneNumber));
        assert.deepEqual(Object.keys(answer), ['transactionId']);
        const code = await codeSentTo(phoneNumber, 'log in');
        assert.equal((await app[service].invoke('Plivo', 'loginWithCode', { ...answer, code })).objectId, objectId);
      });
    }
  }

  test("the SDK's own request takes a JSON string and bare text", async () => {
    for (const write of [JSON.stringify, String]) {
      const { phoneNumber } = await newUser();
      const request = Backendless.Request.post(`${app.appPath}/services/Plivo/loginWithPhoneNumber`).set('Content-Type', 'application/json');
      assert.deepEqual(Object.keys(await request.send(write(phoneNumber))), ['transactionId']);
      await codeSentTo(phoneNumber, 'log in');
    }
  });

  const empty = { status: 400, code: 8005, message: 'Invalid empty param for request', reason: 'empty_body' };
  const wrongType = { status: 400, code: 8008, message: "Invalid parameter 'phoneNumber'", reason: 'wrong_type' };
  const noNumber = { ...wrongType, reason: 'invalid_phone_number' };
  for (const [what, body, expected] of [
    ['nothing', undefined, empty], ['null', null, empty], ['an empty text', '', empty], ['a word of the SDK that means no body', 'sync', empty],
    ['a list', ['+12125550100'], wrongType], ['an object with null', { phoneNumber: null }, { ...wrongType, code: 8007, message: "Missing parameter 'phoneNumber'.", reason: 'missing_field' }],
    ['a word', 'jane', noNumber], ['a number that is too short', '+1555', noNumber],
  ]) {
    test(`refuses ${what}`, async () => assert.deepEqual(await refusal(plivo('loginWithPhoneNumber', body)), expected));
  }

  test('an unknown number gets an answer of the same form, and no message', async () => {
    const { phoneNumber } = await newUser();
    const stranger = newNumber();
    const [known, unknown] = [await plivo('loginWithPhoneNumber', phoneNumber), await plivo('loginWithPhoneNumber', stranger)];
    assert.deepEqual(Object.keys(unknown), Object.keys(known));
    assert.equal(unknown.transactionId.length, known.transactionId.length);
    assert.deepEqual(await messagesTo(stranger), []);
    assert.deepEqual(await refusal(plivo('loginWithCode', { ...unknown, code: '123456' })), CODE_REJECTED);
  });

  test('an unknown number is limited like a known one', async () => {
    const { phoneNumber } = await newUser();
    for (const number of [phoneNumber, newNumber()]) {
      await plivo('loginWithPhoneNumber', number);
      const { retryAfter, ...error } = await refusal(plivo('loginWithPhoneNumber', number));
      assert.deepEqual(error, TOO_MANY_MESSAGES);
      await advance(retryAfter);
      assert.deepEqual(Object.keys(await plivo('loginWithPhoneNumber', number)), ['transactionId']);
    }
  });

  test('loginWithCode answers the user as Backendless does', async () => {
    const registered = await newUser({ name: 'Jane' });
    const login = await startLogin(registered.phoneNumber);
    const before = await now();
    const { lastLogin, 'user-token': token, ...user } = await plivo('loginWithCode', login);
    assert(lastLogin >= before && lastLogin <= await now(), 'lastLogin is now, in milliseconds');
    assert.match(token, UPPER_UUID);
    assert.deepEqual(user, { ...registered, ___jsonclass: 'Users', socialAccount: 'BACKENDLESS' });
  });

  test('a wrong, a used, an expired code and one of nobody are the same error', async () => {
    const { phoneNumber } = await newUser();
    const login = await startLogin(phoneNumber);
    const stranger = await plivo('loginWithPhoneNumber', newNumber());
    const refused = [await refusal(plivo('loginWithCode', { ...login, code: otherThan(login.code) }))];
    await plivo('loginWithCode', login);
    refused.push(await refusal(plivo('loginWithCode', login)));
    refused.push(await refusal(plivo('loginWithCode', { ...stranger, code: login.code })));
    await advance(SPACING);
    const late = await startLogin(phoneNumber);
    await advance(CODE_LIFE);
    refused.push(await refusal(plivo('loginWithCode', late)));
    assert.deepEqual(refused, Array(4).fill(CODE_REJECTED));
  });

  test('the right code is refused after five wrong ones', async () => {
    const { phoneNumber } = await newUser();
    const login = await startLogin(phoneNumber);
    for (let attempts = 0; attempts < 5; attempts += 1) {
      assert.deepEqual(await refusal(plivo('loginWithCode', { ...login, code: otherThan(login.code) })), CODE_REJECTED);
    }
    assert.deepEqual(await refusal(plivo('loginWithCode', login)), CODE_REJECTED);
  });

  test('a second start sends the same code for the same challenge', async () => {
    const { phoneNumber } = await newUser();
    const first = await plivo('loginWithPhoneNumber', phoneNumber);
    const code = await codeSentTo(phoneNumber, 'log in');
    await advance(SPACING);
    assert.deepEqual(await plivo('loginWithPhoneNumber', phoneNumber), first);
    const texts = (await messagesTo(phoneNumber)).map(({ text }) => text);
    assert.equal(texts.length, 3);
    assert.equal(texts[0].slice(0, 6), code);
  });

  test('loginWithCode names what is wrong with its fields', async () => {
    const { transactionId } = await plivo('loginWithPhoneNumber', newNumber());
    const refused = async (body) => Object.values(await refusal(plivo('loginWithCode', body)));
    assert.deepEqual(await refused({ code: '123456' }), [400, 8007, "Missing parameter 'transactionId'.", 'missing_field']);
    assert.deepEqual(await refused({ transactionId }), [400, 8007, "Missing parameter 'code'.", 'missing_field']);
    assert.deepEqual(await refused({ transactionId, code: 123456 }), [400, 8008, "Invalid parameter 'code'", 'wrong_type']);
    assert.deepEqual(await refused({ transactionId, code: '1234567' }), [400, 8008, "Invalid parameter 'code'", 'invalid_code']);
    assert.deepEqual(await refused({ transactionId: 'none', code: '123456' }), [400, 8008, "Invalid parameter 'transactionId'", 'invalid_transaction_id']);
    assert.deepEqual(await refused([]), [400, 8004, 'Parsing input json params failed', 'not_an_object']);
  });
});

describe('login with password and code', () => {
  test('the right password sends a code, which logs in', async () => {
    const { phoneNumber, objectId } = await newUser();
    const answer = await plivo('loginWithPhoneNumberAndPassword', { phoneNumber, password: PASSWORD });
    assert.deepEqual(Object.keys(answer), ['transactionId']);
    const code = await codeSentTo(phoneNumber, 'confirm login');
    assert.deepEqual(await refusal(plivo('loginWithCode', { ...answer, code: otherThan(code) })), CODE_REJECTED);
    assert.equal((await plivo('loginWithCode', { ...answer, code })).objectId, objectId);
  });

  test('a wrong password and an unknown number are the same error and send nothing', async () => {
    const { phoneNumber } = await newUser();
    const stranger = newNumber();
    assert.deepEqual(await refusal(plivo('loginWithPhoneNumberAndPassword', { phoneNumber, password: `${PASSWORD}!` })), LOGIN_REJECTED);
    assert.deepEqual(await refusal(plivo('loginWithPhoneNumberAndPassword', { phoneNumber: stranger, password: PASSWORD })), LOGIN_REJECTED);
    assert.equal((await messagesTo(phoneNumber)).length, 1, 'the one of the registration');
    assert.deepEqual(await messagesTo(stranger), []);
  });

  test('a missing password is named', async () => {
    assert.deepEqual(await refusal(plivo('loginWithPhoneNumberAndPassword', { phoneNumber: newNumber() })), {
      status: 400, code: 8007, message: "Missing parameter 'password'.", reason: 'missing_field',
    });
  });
});

describe('limits of messages to one phone', () => {
  test('a second message within 30 seconds is refused, and retryAfter is when it goes', async () => {
    const phoneNumber = newNumber();
    await startRegistration(phoneNumber);
    const error = await app.Users.register({ phoneNumber }).catch((reason) => reason);
    const { retryAfter, ...said } = await refusal(Promise.reject(error));
    assert.deepEqual(said, TOO_MANY_MESSAGES);
    assert(retryAfter > 0 && retryAfter <= SPACING, `retryAfter ${retryAfter}`);
    assert.equal(error.headers['retry-after'], String(retryAfter));
    await advance(retryAfter);
    await startRegistration(phoneNumber);
    assert.equal((await messagesTo(phoneNumber)).length, 2);
  });

  test('an eleventh start within a day is refused, retryAfter is when it goes, and five of a new phone send', async () => {
    const phoneNumber = newNumber();
    for (let started = 0; started < 10; started += 1) {
      await startRegistration(phoneNumber);
      await advance(LONGEST_SPACING);
    }
    assert.equal((await messagesTo(phoneNumber)).length, 5);
    const { retryAfter, ...error } = await refusal(app.Users.register({ phoneNumber }));
    assert.deepEqual(error, TOO_MANY_MESSAGES);
    assert(retryAfter > DAY - 11 * LONGEST_SPACING && retryAfter <= DAY - 10 * LONGEST_SPACING, `retryAfter ${retryAfter}`);
    await advance(retryAfter);
    await startRegistration(phoneNumber);
    assert.equal((await messagesTo(phoneNumber)).length, 6);
  });
});

describe('session', () => {
  test('setCurrentUser, isValidLogin, getCurrentUser(true), logout', async () => {
    const user = await loggedIn();
    const token = app.Users.getCurrentUserToken();
    assert(user instanceof Backendless.User);
    assert.equal(await app.Users.isValidLogin(), true);
    const { ___jsonclass, ...own } = user;
    assert.equal(___jsonclass, 'Users');
    const reloaded = await app.Users.getCurrentUser(true);
    assert(reloaded instanceof Backendless.User);
    assert.deepEqual({ ...reloaded }, { ...own }, 'the SDK puts the token back itself');

    await app.Users.logout();
    assert.equal(await app.Users.getCurrentUser(), null);
    assert.equal(await app.Users.isValidLogin(), false, 'the SDK has no token any more');
    app.Users.setCurrentUser({ objectId: user.objectId, 'user-token': token });
    assert.equal(await app.Users.isValidLogin(), false, 'the service knows the token no more');
  });

  test('each login has a session of its own', async () => {
    const { phoneNumber } = await newUser();
    const [one, other] = [app, newApp()];
    one.Users.setCurrentUser(await plivo('loginWithCode', await startLogin(phoneNumber)));
    await advance(SPACING);
    other.Users.setCurrentUser(await plivo('loginWithCode', await startLogin(phoneNumber)));
    await one.Users.logout();
    assert.equal(await other.Users.isValidLogin(), true);
  });

  test("another user's data is refused", async () => {
    const { objectId } = await newUser();
    await loggedIn();
    assert.deepEqual(await refusal(app.Data.of(Backendless.User).findById(objectId)), {
      status: 403, code: 14008, message: 'Access denied: users can reach their own data only', reason: 'not_own',
    });
  });

  test('a stale token is ignored by app info, which settles', async () => {
    useStaleToken();
    assert.deepEqual(await appInfo(), { appId, apiKey, rtURL: '' });
  });

  test('a stale token is ignored by registration and login', async () => {
    useStaleToken();
    const { phoneNumber, objectId } = await newUser();
    assert.equal((await plivo('loginWithCode', await startLogin(phoneNumber))).objectId, objectId);
    await advance(SPACING);
    assert.deepEqual(Object.keys(await plivo('loginWithPhoneNumberAndPassword', { phoneNumber, password: PASSWORD })), ['transactionId']);
  });

  test('a stale token is no valid login, and 3064 where a session is needed', async () => {
    useStaleToken();
    assert.equal(await app.Users.isValidLogin(), false);
    assert.deepEqual(await refusal(app.Users.getCurrentUser(true)), SESSION_INVALID);
    assert.deepEqual(await refusal(app.Users.logout()), SESSION_INVALID);
    assert.equal(app.Users.getCurrentUserToken(), null, 'the SDK forgot the token');
    assert.deepEqual(await refusal(app.Users.logout()), SESSION_INVALID, 'without a token too');
  });

  test('a session ends after seven days without a call', async () => {
    await loggedIn();
    await advance(7 * DAY - 60);
    assert.equal(await app.Users.isValidLogin(), true, 'a call begins the seven days anew');
    await advance(7 * DAY - 60);
    assert.equal(await app.Users.isValidLogin(), true);
    await advance(7 * DAY);
    assert.equal(await app.Users.isValidLogin(), false);
    assert.deepEqual(await refusal(app.Users.getCurrentUser(true)), SESSION_INVALID);
  });
});

describe('sendMessage', () => {
  const withKey = (key = config.messageKey) => ({ httpRequestHeaders: { Authorization: `Bearer ${key}` } });
  /** Sends, checks that the answer is Plivo's, and gives what arrived. */
  const sent = async (body, options = withKey()) => {
    const answer = await plivo('sendMessage', body, options);
    assert.deepEqual(Object.keys(answer).sort(), ['api_id', 'message', 'message_uuid']);
    assert.equal(answer.message, 'message(s) queued');
    assert.match(answer.api_id, UUID);
    const [{ id, text, type, mediaUrls }, ...more] = await messagesTo(body.phoneNumber);
    assert.deepEqual([answer.message_uuid, more], [[id], []]);
    return { text, type, mediaUrls };
  };

  test('sends a text', async () => {
    const text = 'Your table is ready. Grüße, 日本 🍜';
    assert.deepEqual(await sent({ phoneNumber: newNumber(), message: text }), { text, type: 'sms', mediaUrls: [] });
  });

  test('null or no text in mediaUrls is no media', async () => {
    for (const mediaUrls of [null, '']) {
      assert.deepEqual(await sent({ phoneNumber: newNumber(), message: 'Hello', mediaUrls }), { text: 'Hello', type: 'sms', mediaUrls: [] });
    }
  });

  test('sends media, each link encoded or plain, or an array', async () => {
    const links = ['https://media.example.com/a,b.png?q=1&r=2', 'https://media.example.com/c.jpg'];
    const mediaUrls = `${encodeURIComponent(links[0])},${links[1]}`;
    assert.deepEqual(await sent({ phoneNumber: newNumber(), message: 'Look', mediaUrls }), { text: 'Look', type: 'mms', mediaUrls: links });
    assert.deepEqual(await sent({ phoneNumber: newNumber(), message: 'Look', mediaUrls: links }), { text: 'Look', type: 'mms', mediaUrls: links });
    assert.deepEqual(await sent({ phoneNumber: newNumber(), mediaUrl: links[1] }), { text: '', type: 'mms', mediaUrls: [links[1]] });
  });

  test('is refused without the key, with a wrong key and with a session', async () => {
    await loggedIn();
    const phoneNumber = newNumber();
    const none = "Access denied: send the message key in the header 'Authorization: Bearer KEY'";
    const wrong = 'Access denied: this is not the message key';
    for (const [message, options] of [
      [none, undefined],
      [none, withKey('')],
      [none, { httpRequestHeaders: { Authorization: config.messageKey } }],
      [wrong, withKey('wrong')],
      [wrong, withKey(apiKey)],
    ]) {
      assert.deepEqual(await refusal(plivo('sendMessage', { phoneNumber, message: 'Hello' }, options)), {
        status: 401, code: 14008, message, reason: 'access_denied',
      });
    }
    assert.deepEqual(await messagesTo(phoneNumber), []);
  });

  test('names what is wrong with its fields', async () => {
    const phoneNumber = newNumber();
    const refused = async (body) => Object.values(await refusal(plivo('sendMessage', body, withKey())));
    assert.deepEqual(await refused({ message: 'Hello' }), [400, 8007, "Missing parameter 'phoneNumber'.", 'missing_field']);
    assert.deepEqual(await refused({ phoneNumber }), [400, 8007, "Missing parameter 'message'.", 'message_empty']);
    assert.deepEqual(await refused({ phoneNumber, message: 'a'.repeat(1601) }), [
      400, 14000, 'The message is longer than 1600 GSM or 737 Unicode characters', 'message_too_long',
    ]);
    assert.deepEqual(await refused({ phoneNumber, mediaUrls: 'http://media.example.com/a.png' }), [400, 8008, "Invalid parameter 'mediaUrls'", 'invalid_media_url']);
    assert.deepEqual(await refused({ phoneNumber, mediaUrls: [1] }), [400, 8008, "Invalid parameter 'mediaUrls'", 'wrong_type']);
    assert.deepEqual(await refused({ phoneNumber, message: 'Hello', to: 'x' }), [400, 8008, "Invalid parameter 'to'", 'unknown_field']);
    assert.deepEqual(await refused({ phoneNumber: '+4915112345678', mediaUrls: 'https://media.example.com/a.png' }), [
      400, 14000, 'Media can be sent to the United States and Canada only', 'media_not_served',
    ]);
    assert.deepEqual(await messagesTo(phoneNumber), []);
  });
});

describe('what the SDK can do besides', () => {
  for (const type of ['sync', 'async', 'async-low-priority']) {
    test(`execution type ${type} changes nothing`, async () => {
      const { phoneNumber, objectId } = await newUser();
      const { transactionId } = await plivo('loginWithPhoneNumber', phoneNumber, type);
      const code = await codeSentTo(phoneNumber, 'log in');
      assert.equal((await plivo('loginWithCode', { transactionId, code }, { executionType: type })).objectId, objectId);
    });
  }

  test('methods and services that the service has not are told so', async () => {
    assert.deepEqual(await refusal(plivo('noSuchMethod')), NOT_FOUND);
    assert.deepEqual(await refusal(app.APIServices.invoke('Twilio', 'loginWithPhoneNumber', newNumber())), NOT_FOUND);
    const message = 'Unable to login. User login is disabled.';
    const withoutCode = { status: 400, code: 3034, message, reason: 'login_disabled' };
    assert.deepEqual(await refusal(app.Users.login('jane@example.com', PASSWORD)), withoutCode);
    assert.deepEqual(await refusal(app.Users.update({ objectId: STALE, name: 'Jane' })), SESSION_INVALID);
  });
});

describe('the account of a user who is logged in', () => {
  test('an update of the whole object keeps the session, and a stale one is refused', async () => {
    const user = await loggedIn();
    user.name = 'Jane';
    const updated = await app.Users.update(user);
    assert.deepEqual([updated.name, updated.objectId], ['Jane', user.objectId]);
    assert(updated.updated > 0);
    assert.equal(await app.Users.isValidLogin(), true);
    await advance(1);
    await app.Users.update(updated);
    const changed = { status: 409, code: 14000, message: 'The user has been changed since you read it', reason: 'user_changed' };
    assert.deepEqual(await refusal(app.Users.update(updated)), changed);
    const saved = await app.Data.of(Backendless.User).save({ objectId: user.objectId, age: 30 });
    assert.deepEqual([saved.name, saved.age], ['Jane', 30]);
  });

  test('finds, counts and describes itself, and has the roles of a user', async () => {
    const user = await loggedIn();
    const users = app.Data.of(Backendless.User);
    const found = await users.find();
    assert.deepEqual(found.map(({ objectId }) => objectId), [user.objectId]);
    assert.equal((await users.findFirst()).objectId, user.objectId);
    assert.equal((await users.findLast()).objectId, user.objectId);
    assert.equal((await users.findById(user.objectId)).email, user.email);
    assert.equal(await users.getObjectCount(), 1);
    assert.equal(await users.getObjectCount("email = 'nobody@example.com'"), 0);
    assert.deepEqual(await app.Users.getUserRoles(), ['AuthenticatedUser', 'RestUser']);
    const columns = await app.Users.describeUserClass();
    assert.deepEqual(columns.filter(({ identity }) => identity).map(({ name }) => name), ['email']);
  });

  test('verifies its password', async () => {
    await loggedIn();
    assert.equal(await app.Users.verifyPassword(PASSWORD), true);
    assert.equal(await app.Users.verifyPassword('another'), false);
  });

  test('lists its sessions and ends the others', async () => {
    const user = await loggedIn();
    await advance(SPACING);
    const other = newApp();
    const second = other.Users.setCurrentUser(await plivo('loginWithCode', await startLogin(user.phoneNumber)));
    const request = (method) => Backendless.Request[method](`${url}/api/users/sessions`).set('user-token', second['user-token']);
    assert.deepEqual((await request('get').send()).map(({ current }) => current), [false, true]);
    await request('delete').send();
    assert.equal(await app.Users.isValidLogin(), false);
    assert.equal(await other.Users.isValidLogin(), true);
  });

  test('changes its phone with the code of the new one', async () => {
    const user = await loggedIn();
    const phoneNumber = newNumber();
    const started = await app.Users.update({ ...user, phoneNumber });
    assert.equal(started.phoneNumber, user.phoneNumber, 'unchanged until it is proven');
    const transactionCode = await codeSentTo(phoneNumber, 'change phone');
    const changed = await app.Users.update({ ...user, phoneNumber, transactionId: started.transactionId, transactionCode });
    assert.equal(changed.phoneNumber, phoneNumber);
    assert.equal(await app.Users.isValidLogin(), true);
    assert.equal((await plivo('loginWithCode', await startLogin(phoneNumber))).objectId, user.objectId);
  });

  test('a forgotten password is reset by a code, for users and for nobody alike', async () => {
    const { phoneNumber, email } = await newUser();
    await app.Users.restorePassword('nobody@example.com');
    const { transactionId } = await app.Users.restorePassword(email);
    const code = await codeSentTo(phoneNumber, 'set password');
    await plivo('resetPassword', { transactionId, code, password: 'battery staple horse' });
    await advance(SPACING);
    await plivo('loginWithPhoneNumberAndPassword', { phoneNumber, password: 'battery staple horse' });
  });

  test('deletes itself, and is gone', async () => {
    const user = await loggedIn();
    const { deletionTime } = await app.Data.of(Backendless.User).remove(user);
    assert(deletionTime > 0);
    assert.equal(await app.Users.isValidLogin(), false);
    assert.deepEqual(await refusal(app.Users.update(user)), SESSION_INVALID);
  });
});
