// Drives the service from pages in a real browser: an app's page on another origin with the SDK's own bundle, and the inbox.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import {
  CODE_REJECTED, DAY, NOT_FOUND, PASSWORD, SESSION_INVALID, SPACING, TOO_MANY_MESSAGES, advance, codeSentTo, config, newNumber, otherThan, url,
} from './support.mjs';

const sdk = readFileSync(join(dirname(createRequire(import.meta.url).resolve('backendless/package.json')), 'dist/backendless.min.js'));

// What an app's page does. `refused` returns what the page learns from a call's error.
const app = `<!doctype html>
<html lang="en"><title>An app</title><link rel="icon" href="data:,">
<script src="/backendless.min.js"></script>
<script>
  const domain = location.pathname === '/domain';
  Backendless.initApp(domain ? '${url}' : { appId: '${config.appId}', apiKey: '${config.apiKey}', serverURL: '${url}' });
  const plivo = (method, ...rest) => Backendless.APIServices.invoke('Plivo', method, ...rest);
  const refused = (call) => call.then(
    (value) => { throw new Error('answered ' + JSON.stringify(value)); },
    ({ status, code, message, body, headers }) => {
      const header = headers?.['retry-after'];
      return { status, code, message, ...body?.errorData, ...(header && { header }) };
    },
  );
</script>`;

const server = createServer((request, answer) => {
  const script = request.url === '/backendless.min.js';
  answer.setHeader('Content-Type', script ? 'text/javascript' : 'text/html; charset=utf-8').end(script ? sdk : app);
});

let browser;
let origin; // of the app's page
let context;
let page;
let requests; // the origins to which requests went
let complaints; // the errors that the browser reports

before(async () => {
  await new Promise((ready) => { server.listen(0, '127.0.0.1', ready); });
  origin = `http://127.0.0.1:${server.address().port}`;
  // Playwright gives the browser a user data directory of its own and removes it later. The browser resolves no other host.
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
    ],
  });
});
after(async () => {
  await browser?.close();
  server.closeAllConnections();
  server.close();
});

beforeEach(async () => {
  context = await browser.newContext({ locale: 'en-US' });
  [requests, complaints] = [new Set(), []];
  context.on('request', (request) => requests.add(new URL(request.url()).origin));
  context.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  context.on('weberror', (error) => complaints.push(error.error().message));
  page = await context.newPage();
});
afterEach(() => context.close());

const register = (phoneNumber) => fetch(`${url}/api/users/register`, { method: 'POST', body: JSON.stringify({ phoneNumber }) });
const send = (phoneNumber, message, mediaUrls) => fetch(`${url}/api/services/Plivo/sendMessage`, {
  method: 'POST', headers: { Authorization: `Bearer ${config.messageKey}` }, body: JSON.stringify({ phoneNumber, message, mediaUrls }),
});
const PHONE = { width: 360, height: 740 };
const MENU = 'https://media.example.com/menu/november.png';

describe('the inbox', () => {
  const card = (number) => page.getByRole('article').filter({ hasText: number });
  const fits = async () => {
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert(content <= screen, `${content} px on a screen of ${screen} px`);
  };
  const onlyTheStack = () => {
    assert.deepEqual([...requests].filter((asked) => asked !== 'null'), [url], 'no other host was asked; null is the origin of data:');
    assert.deepEqual(complaints, []);
  };

  test('it is empty at first, then messages appear by themselves, newest first', async () => {
    await page.setViewportSize(PHONE);
    await page.goto(`${url}/_local/`);
    await page.getByRole('heading', { name: 'No messages yet' }).waitFor();
    await fits();
    await page.setViewportSize({ width: 1200, height: 800 });
    await page.evaluate(() => { window.untouched = true; });

    const numbers = [newNumber(), newNumber(), newNumber(), newNumber()];
    await register(numbers[0]);
    await send(numbers[1], 'Your table for two is booked for 19:30 tonight. See you soon!');
    await send(numbers[2], 'Our November menu is here. We look forward to seeing you!', encodeURIComponent(MENU));
    await register(numbers[3]);

    for (const number of numbers) {
      await card(number).waitFor();
      await card(number).getByText('Delivered').waitFor();
    }
    const shown = await page.getByRole('article').getByRole('heading').allTextContents();
    assert.deepEqual(shown, numbers.toReversed().map((number) => `To ${number}`));
    assert.equal(await page.evaluate(() => window.untouched), true, 'the page was not loaded again');

    const code = await codeSentTo(numbers[3], 'sign up');
    await card(numbers[3]).getByText(`${code} is your Otpost code to sign up. Valid 5 min. Do not share it.`, { exact: true }).waitFor();
    await card(numbers[3]).getByRole('button', { name: `Copy code ${code}` }).waitFor();
    const link = card(numbers[2]).getByRole('link');
    assert.deepEqual([await link.textContent(), await link.getAttribute('href')], [MENU, MENU]);
    await card(numbers[2]).getByText('MMS').waitFor();
    assert.equal(await card(numbers[1]).getByRole('link').count(), 0);

    if (process.env.OTPOST_SCREENSHOT) await page.screenshot({ path: process.env.OTPOST_SCREENSHOT });
    onlyTheStack();
  });

  test('a page that is opened later shows what came before', async () => {
    const number = newNumber();
    await send(number, 'Came before');
    await page.goto(`${url}/_local/`);
    await card(number).getByText('Came before', { exact: true }).waitFor();
    onlyTheStack();
  });

  test('markup in a message is text', async () => {
    const [number, text] = [newNumber(), '<img src=x onerror="document.title=1"><b>bold</b>'];
    await send(number, text);
    await page.goto(`${url}/_local/`);
    await card(number).getByText(text, { exact: true }).waitFor();
    assert.equal(await card(number).locator('img').count(), 0);
    onlyTheStack();
  });

  test('long words and links do not make it wider than a phone', async () => {
    await page.setViewportSize(PHONE);
    const number = newNumber();
    await send(number, `${'W'.repeat(400)} https://example.com/${'path'.repeat(50)}`, `https://media.example.com/${'picture'.repeat(40)}.png`);
    await page.goto(`${url}/_local/`);
    await card(number).getByRole('link').waitFor();
    await fits();
    onlyTheStack();
  });
});

describe("an app's page on another origin", () => {
  const open = (root = 'keys') => page.goto(`${origin}/${root}`);
  const onlyOurs = () => assert.deepEqual([...requests].filter((asked) => asked !== 'null').sort(), [origin, url].sort());

  /** Registers a user in the page; its phone may be sent to again. */
  const registered = async () => {
    const phoneNumber = newNumber();
    const { transactionId } = await page.evaluate((number) => Backendless.Users.register({ phoneNumber: number }), phoneNumber);
    const transactionCode = await codeSentTo(phoneNumber, 'sign up');
    const body = { email: `user${phoneNumber.slice(1)}@example.com`, password: PASSWORD, phoneNumber, transactionId, transactionCode };
    const user = await page.evaluate((step) => Backendless.Users.register(step), body);
    await advance(SPACING);
    return user;
  };

  /** Logs a user in and keeps the login beyond the page. */
  const stayLoggedIn = async (phoneNumber) => {
    const { transactionId } = await page.evaluate((number) => plivo('loginWithPhoneNumber', number), phoneNumber);
    const code = await codeSentTo(phoneNumber, 'log in');
    return page.evaluate(async (login) => Backendless.Users.setCurrentUser(await plivo('loginWithCode', login), true), { transactionId, code });
  };

  for (const root of ['keys', 'domain']) {
    test(`registers, logs in, is still logged in after a reload, and logs out (${root})`, async () => {
      await open(root);
      const { objectId, phoneNumber, blUserLocale } = await registered();
      assert.equal(blUserLocale, 'en', "the browser's language");
      assert.equal((await stayLoggedIn(phoneNumber)).objectId, objectId);

      await page.reload();
      const { version, ...info } = await page.evaluate(() => Backendless.appInfoPromise());
      assert.deepEqual(info, { appId: config.appId, apiKey: config.apiKey, rtURL: '' });
      assert.match(version, /^\d+\.\d+\.\d+$/);
      assert.equal(await page.evaluate(() => Backendless.Users.isValidLogin()), true);
      const user = await page.evaluate(() => Backendless.Users.getCurrentUser());
      assert.deepEqual([user.objectId, user.phoneNumber], [objectId, phoneNumber]);

      await page.evaluate(() => Backendless.Users.logout());
      await page.reload();
      assert.equal(await page.evaluate(() => Backendless.Users.getCurrentUser()), null);
      assert.equal(await page.evaluate(() => Backendless.Users.isValidLogin()), false);
      onlyOurs();
      assert.deepEqual(complaints, []);
    });
  }

  test('logs in with password and code', async () => {
    await open();
    const { objectId, phoneNumber } = await registered();
    const { transactionId } = await page.evaluate(
      (fields) => plivo('loginWithPhoneNumberAndPassword', fields), { phoneNumber, password: PASSWORD });
    const code = await codeSentTo(phoneNumber, 'confirm login');
    assert.equal((await page.evaluate((login) => plivo('loginWithCode', login), { transactionId, code })).objectId, objectId);
    onlyOurs();
  });

  test('a user changes its account, phone and password, and deletes it', async () => {
    await open();
    const { objectId, phoneNumber, email } = await registered();
    await stayLoggedIn(phoneNumber);

    const about = await page.evaluate(async ([address, password]) => {
      const { Users, UserService, Data, Request } = Backendless;
      const { name } = await Users.update({ ...await Users.getCurrentUser(true), name: 'Jane' });
      const found = await Data.of(Backendless.User).find();
      const sessions = await Request.get(`${address}/api/users/sessions`).set('user-token', Backendless.getCurrentUserToken()).send();
      return {
        name, found: found.map((user) => user.objectId), roles: await Users.getUserRoles(), isRight: await Users.verifyPassword(password),
        identity: (await UserService.describeUserClass()).filter(({ identity }) => identity).map((column) => column.name),
        sessions: sessions.map(({ current }) => current),
      };
    }, [url, PASSWORD]);
    assert.deepEqual(about, {
      name: 'Jane', found: [objectId], roles: ['AuthenticatedUser', 'RestUser'], isRight: true, identity: ['email'], sessions: [true],
    });

    const next = newNumber();
    const changePhone = (step) => page.evaluate((fields) => Backendless.Users.update(fields), { objectId, phoneNumber: next, ...step });
    const { transactionId } = await changePhone({});
    const transactionCode = await codeSentTo(next, 'change phone');
    assert.equal((await changePhone({ transactionId, transactionCode })).phoneNumber, next);

    await advance(SPACING);
    const reset = await page.evaluate((identity) => Backendless.Users.restorePassword(identity), email);
    const code = await codeSentTo(next, 'new password');
    await page.evaluate((step) => plivo('resetPassword', step), { ...reset, code, password: 'battery staple horse' });
    assert.equal(await page.evaluate(() => Backendless.Users.isValidLogin()), false, 'a reset ends all sessions');

    await advance(SPACING);
    await stayLoggedIn(next);
    await page.evaluate((address) => (
      Backendless.Request.delete(`${address}/api/users/sessions`).set('user-token', Backendless.getCurrentUserToken()).send()
    ), url);
    assert.equal(await page.evaluate(() => Backendless.Users.isValidLogin()), true, 'the others only');
    const { deletionTime } = await page.evaluate((id) => Backendless.Data.of(Backendless.User).remove({ objectId: id }), objectId);
    assert(deletionTime > 0);
    assert.equal(await page.evaluate(() => Backendless.Users.isValidLogin()), false);
    onlyOurs();
    assert.deepEqual(complaints, []);
  });

  test('a number that is a number in JavaScript is taken', async () => {
    await open();
    const { phoneNumber } = await registered();
    await page.evaluate((number) => plivo('loginWithPhoneNumber', Number(number)), phoneNumber.slice(1));
    await codeSentTo(phoneNumber, 'log in');
  });

  test('a bare number needs no preflight, and every other call passes its own', async () => {
    await open();
    const devtools = await context.newCDPSession(page);
    await devtools.send('Network.enable');
    const preflights = [];
    const last = new Promise((seen) => {
      devtools.on('Network.responseReceived', ({ type, response }) => {
        if (type !== 'Preflight') return;
        const path = new URL(response.url).pathname.split('/').slice(3).join('/').replace(/[0-9A-F-]{36}$/, '…');
        preflights.push(`${response.status} ${path}`);
        if (path.endsWith('logout')) seen();
      });
    });
    const { phoneNumber } = await registered();
    await stayLoggedIn(phoneNumber);
    await page.evaluate(async ([number, key]) => {
      await plivo('sendMessage', { phoneNumber: number, message: 'Hello' }, { httpRequestHeaders: { Authorization: `Bearer ${key}` } });
      await Backendless.Users.isValidLogin();
      await Backendless.Users.getCurrentUser(true);
      await Backendless.Users.logout();
    }, [newNumber(), config.messageKey]);
    await last;
    assert.deepEqual(preflights, [
      '204 users/register', '204 services/Plivo/loginWithCode', '204 services/Plivo/sendMessage',
      '204 users/isvalidusertoken/…', '204 data/Users/…', '204 users/logout',
    ]);
    assert.deepEqual(complaints, []);
  });

  test('an execution type passes its preflight', async () => {
    await open();
    const { phoneNumber } = await registered();
    await page.evaluate((number) => plivo('loginWithPhoneNumber', number, 'async-low-priority'), phoneNumber);
    await codeSentTo(phoneNumber, 'log in');
  });

  test('errors reach the page with status, code, message and reason', async () => {
    await open();
    const { phoneNumber } = await registered();
    const { transactionId } = await page.evaluate((number) => plivo('loginWithPhoneNumber', number), phoneNumber);
    const code = otherThan(await codeSentTo(phoneNumber, 'log in'));

    assert.deepEqual(await page.evaluate((login) => refused(plivo('loginWithCode', login)), { transactionId, code }), CODE_REJECTED);
    const { header, retryAfter, ...limited } = await page.evaluate((number) => refused(plivo('loginWithPhoneNumber', number)), phoneNumber);
    assert.deepEqual(limited, TOO_MANY_MESSAGES);
    assert.equal(header, String(retryAfter), 'the page may read Retry-After');
    assert.deepEqual(await page.evaluate(() => refused(plivo('noSuchMethod', {}))), NOT_FOUND);
    assert.deepEqual(await page.evaluate(() => refused(Backendless.Users.update({ objectId: 'x' }))), SESSION_INVALID);
    onlyOurs();
  });

  test('a login that ended while the page was closed is told, and the page goes on', async () => {
    await open();
    const { phoneNumber } = await registered();
    await stayLoggedIn(phoneNumber);
    await advance(31 * DAY);
    await page.reload();
    assert.equal((await page.evaluate(() => Backendless.appInfoPromise())).appId, config.appId);
    assert.equal(await page.evaluate(() => Backendless.Users.isValidLogin()), false);
    assert.deepEqual(await page.evaluate(() => refused(Backendless.Users.getCurrentUser())), SESSION_INVALID);
    assert.deepEqual(await page.evaluate(() => refused(Backendless.Users.logout())), SESSION_INVALID);
    await stayLoggedIn(phoneNumber);
    assert.equal(await page.evaluate(() => Backendless.Users.isValidLogin()), true);
    onlyOurs();
  });
});
