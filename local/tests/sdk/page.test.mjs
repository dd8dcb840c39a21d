// Drives the service from pages in a real browser: the stack's start page and inbox, and an app's page on another origin with the SDK's own bundle.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import {
  CODE_REJECTED, DAY, NOT_FOUND, PASSWORD, SESSION_INVALID, SPACING, TOO_MANY_MESSAGES, advance, codeSentTo, config, injectFault, messagesTo, newNumber, now,
  otherThan, url,
} from './support.mjs';

const packageFile = (name, file) => readFileSync(join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), file), 'utf8');
const sdk = packageFile('backendless', 'dist/backendless.min.js');
const axe = packageFile('axe-core', 'axe.min.js');

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
      const { hint, ...data } = body?.errorData ?? {}; // the local gateway's own addition
      return { status, code, message, ...data, ...(header && { header }), ...(data.reason === 'not_found' && { hint }) };
    },
  );
</script>`;

const SPEECH = '<Response><Speak>Your code is 1, 2, 3, 4, 5, 6</Speak></Response>';
const server = createServer((request, answer) => {
  if (request.url === '/speech') { answer.setHeader('Content-Type', 'text/xml').end(SPEECH); return; }
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
const fits = async () => {
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert(content <= screen, `${content} px on a screen of ${screen} px`);
};
/** Checks the page by the rules of axe: contrast, names, roles, headings and the like. */
const isAccessible = async () => {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
  assert(passes.length > 20, `${passes.length} rules were checked`);
};
/** Keeps a picture for people to look at, if they ask for it. */
const picture = async (name) => {
  if (process.env.OTPOST_PICTURES) await page.screenshot({ path: join(process.env.OTPOST_PICTURES, `${name}.png`), fullPage: true });
};
const onlyTheStack = () => {
  assert.deepEqual([...requests].filter((asked) => asked !== 'null'), [url], 'no other host was asked; null is the origin of data:');
  assert.deepEqual(complaints, []);
};
const MENU = 'https://media.example.com/menu/november.png';

describe('the inbox', () => {
  const login = (phoneNumber) => fetch(`${url}/api/services/Plivo/loginWithPhoneNumber`, { method: 'POST', body: phoneNumber });
  const card = (number) => page.getByRole('article').filter({ hasText: number });

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

    if (process.env.OTPOST_SCREENSHOT) {
      await page.emulateMedia({ reducedMotion: 'reduce' });
      const unknown = newNumber();
      await login(unknown);
      await card(unknown).waitFor();
      await page.screenshot({ path: process.env.OTPOST_SCREENSHOT });
    }
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

  const enter = (transactionId, code) => fetch(`${url}/api/services/Plivo/loginWithCode`, {
    method: 'POST', body: JSON.stringify({ transactionId, code }),
  });
  /** Registers a user, who may then start again at once. */
  const newUser = async () => {
    const phoneNumber = newNumber();
    const { transactionId } = await (await register(phoneNumber)).json();
    const transactionCode = await codeSentTo(phoneNumber, 'sign up');
    const body = { email: `user${phoneNumber.slice(1)}@example.com`, password: PASSWORD, phoneNumber, transactionId, transactionCode, name: 'Jane' };
    const answer = await fetch(`${url}/api/users/register`, { method: 'POST', body: JSON.stringify(body) });
    assert.equal(answer.status, 200);
    return { phoneNumber, ...await answer.json() };
  };
  const search = (text) => page.getByRole('searchbox', { name: 'Search texts and numbers' }).fill(text);
  const tab = (name) => page.getByRole('tab', { name, exact: true });

  test('a start that sent nothing and a rejected code are cards of their own, which say why', async () => {
    await page.goto(`${url}/_local/`);
    const unknown = newNumber();
    const { transactionId } = await (await login(unknown)).json();
    const silent = card(unknown).filter({ has: page.getByRole('heading', { name: `No SMS · ${unknown}` }) });
    await silent.getByText('No user has this phone.', { exact: false }).waitFor();
    await silent.getByText('login · no_user', { exact: false }).waitFor();

    assert.equal((await enter(transactionId, '123456')).status, 401);
    const rejected = card(unknown).filter({ has: page.getByRole('heading', { name: `Code rejected · ${unknown}` }) });
    await rejected.getByText('Wrong code, attempt 1 of 5.', { exact: true }).waitFor();
    assert.equal(await rejected.getByRole('button', { name: /Copy code/ }).count(), 0);
    assert.deepEqual(complaints.splice(0), [], 'the page itself asked for nothing that failed');
    onlyTheStack();
  });

  test('a code is marked when it expires or is used, and buttons move the clock', async () => {
    const { phoneNumber } = await newUser();
    await page.goto(`${url}/_local/`);
    await card(phoneNumber).getByText('Code used', { exact: true }).waitFor();

    await login(phoneNumber);
    const next = card(phoneNumber).filter({ hasText: 'log in' });
    await next.getByText(/^Code expires in [45]:\d\d min$/).waitFor();
    const before = await now();
    await page.getByRole('button', { name: '+5 min' }).click();
    await next.getByText('Code expired', { exact: true }).waitFor();
    assert(await now() - before >= 300_000);
    await page.getByText(/^The clock of the local stack is .* ahead of this machine's\.$/).waitFor();
    for (const [button, seconds] of [['+30 s', 30], ['+1 day', DAY]]) {
      const earlier = await now();
      const moved = page.waitForResponse(`${url}/_local/clock`);
      await page.getByRole('button', { name: button }).click();
      assert((await (await moved).json()).now - earlier >= seconds * 1000, button);
    }
    onlyTheStack();
  });

  test('texts and numbers can be searched, and all is cleared by a button', async () => {
    const [lunch, dinner] = [newNumber(), newNumber()];
    await send(lunch, 'Lunch is served');
    await send(dinner, 'Dinner is served');
    await page.goto(`${url}/_local/`);
    await card(dinner).waitFor();
    await search('lunch IS');
    await card(dinner).waitFor({ state: 'hidden' });
    assert.equal(await card(lunch).count(), 1);
    await search(dinner.slice(2));
    await card(lunch).waitFor({ state: 'hidden' });
    await card(dinner).waitFor();
    await search('no such words');
    await page.getByText('Nothing found.').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await card(lunch).waitFor();

    await page.getByRole('button', { name: 'Clear', exact: true }).click();
    await page.getByRole('heading', { name: 'No messages yet' }).waitFor();
    assert.deepEqual(await messagesTo(lunch), []);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'tab-messages', 'the focus is not lost');
    onlyTheStack();
  });

  test('users, sessions and phones are tabs, which the keyboard reaches', async () => {
    const { phoneNumber, objectId } = await newUser();
    const { transactionId } = await (await login(phoneNumber)).json();
    const { 'user-token': token } = await (await enter(transactionId, await codeSentTo(phoneNumber, 'log in'))).json();
    await page.goto(`${url}/_local/`);
    await tab('Messages').focus();
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'tab-users');
    assert.equal(await tab('Users').getAttribute('aria-selected'), 'true');
    await search(objectId);
    await card(phoneNumber).getByText('Enabled', { exact: true }).waitFor();
    await card(phoneNumber).getByText('"name": "Jane"', { exact: false }).waitFor();
    await search('');

    await tab('Sessions').click();
    await card(phoneNumber).getByText(/^ends in 7 days$/).waitFor();
    await tab('Phones').click();
    const row = card(phoneNumber).getByRole('row', { name: /^Code requests today 2 of 10/ });
    await row.getByText('next slot in 24 h', { exact: true }).waitFor();
    await card(phoneNumber).getByRole('columnheader', { name: 'Resets' }).first().waitFor();
    await card(phoneNumber).getByText('login: used, 1 of 5 attempts').waitFor();
    const shown = await page.content();
    assert(!shown.includes(token) && !shown.includes('argon2'), 'no secret');

    await page.goto(`${url}/_local/#users`);
    await page.getByRole('tabpanel', { name: 'Users' }).getByText(objectId).waitFor();
    onlyTheStack();
  });

  test('a phone without a user says that no code was sent, and how long a limit blocks it', async () => {
    const unknown = newNumber();
    await login(unknown);
    await page.goto(`${url}/_local/#phones`);
    await card(unknown).getByText('login: no code was sent', { exact: true }).waitFor();
    const row = card(unknown).getByRole('row', { name: /^Wait between two codes 1 of 1/ });
    await row.getByText(/^blocked for \d+ s$/).waitFor();
    await page.getByRole('button', { name: '+30 s' }).click();
    await row.waitFor({ state: 'hidden' });
    onlyTheStack();
  });

  test('a message that may have arrived is not said to be none', async () => {
    const { phoneNumber } = await newUser();
    await injectFault({ hangUp: true }, phoneNumber);
    await page.goto(`${url}/_local/`);
    await login(phoneNumber);
    const told = card(phoneNumber).filter({ has: page.getByRole('heading', { name: `Perhaps an SMS · ${phoneNumber}` }) });
    await told.getByText("Plivo's response was lost; the message may have arrived.", { exact: false }).waitFor();
    await card(phoneNumber).getByText('is your Otpost code to log in.', { exact: false }).waitFor();
    onlyTheStack();
  });

  test('a phone answers by keyboard, and the conversation is shown', async () => {
    await page.setViewportSize({ width: 390, height: 740 });
    const number = newNumber();
    await send(number, 'Are you coming?');
    await page.goto(`${url}/_local/`);
    const from = (word) => page.getByRole('article').filter({ has: page.getByRole('heading', { name: `${word} ${number}` }) });
    const button = from('To').getByRole('button', { name: 'Answer as this phone' });
    await button.focus();
    await page.keyboard.press('Enter');
    assert.equal(await button.getAttribute('aria-expanded'), 'true');
    await fits();
    await isAccessible();
    await picture('inbox-answer');
    assert.equal(await page.evaluate(() => document.activeElement.labels?.[0].textContent), `Answer as ${number}`, 'the field has the focus');
    await page.keyboard.type('Yes, at eight');
    await page.keyboard.press('Enter');
    await from('From').getByText('Yes, at eight', { exact: true }).waitFor();
    await from('From').getByText('Received', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    assert.deepEqual([await button.getAttribute('aria-expanded'), await page.getByRole('textbox').count()], ['false', 0]);
    await fits();
    onlyTheStack();
  });

  test('a message that was not delivered says why, and a call shows what was spoken', async () => {
    const [unreached, called] = [newNumber(), newNumber()];
    await injectFault({ failed: 30 }, unreached);
    await send(unreached, 'Hello');
    const { plivoAuthId, plivoAuthToken } = config;
    const call = await fetch(`${url}/v1/Account/${plivoAuthId}/Call/`, {
      method: 'POST', headers: { Authorization: `Basic ${btoa(`${plivoAuthId}:${plivoAuthToken}`)}` },
      body: JSON.stringify({ from: '+14155550199', to: called, answer_url: `${origin}/speech` }),
    });
    assert.equal(call.status, 201);
    await page.goto(`${url}/_local/`);
    await card(unreached).getByText('Failed · 30', { exact: true }).waitFor();
    await card(called).getByText('Your code is 1, 2, 3, 4, 5, 6', { exact: true }).waitFor();
    await card(called).getByText('Call', { exact: false }).first().waitFor();
    await card(called).getByRole('button', { name: 'Copy code 123456' }).waitFor();
    assert.equal(await (await fetch(`${url}/_local/code?to=${encodeURIComponent(called)}`)).text(), '123456');
    await advance(8);
    await card(called).getByText('Call ended', { exact: true }).waitFor();
    await isAccessible();
    await picture('inbox-call');
    onlyTheStack();
  });

  test("a tab's first card stands below the tools, which leave a small screen to the cards", async () => {
    await page.setViewportSize({ width: 390, height: 740 });
    const { phoneNumber } = await newUser();
    await page.goto(`${url}/_local/#phones`);
    await card(phoneNumber).waitFor();
    await tab('Users').click();
    await card(phoneNumber).waitFor();
    const bounds = (selector) => page.locator(selector).first().boundingBox();
    const [tools, first] = [await bounds('.tools'), await bounds('#users article')];
    assert(tools.height <= 112, `${tools.height} px`);
    assert(first.y >= tools.y + tools.height, `${first.y} px, and the tools end at ${tools.y + tools.height} px`);
    onlyTheStack();
  });

  for (const colorScheme of ['light', 'dark']) {
    for (const width of [390, 1280]) {
      test(`every tab fits a screen of ${width} px and is accessible (${colorScheme})`, async () => {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.setViewportSize({ width, height: 900 });
        const { phoneNumber } = await newUser();
        const unknown = newNumber();
        const { transactionId } = await (await login(unknown)).json();
        await enter(transactionId, '123456');
        await login(phoneNumber);
        for (const name of ['messages', 'users', 'sessions', 'phones']) {
          await page.goto(`${url}/_local/#${name}`);
          const some = name === 'sessions' ? page.getByRole('tabpanel', { name: 'Sessions' }) : card(phoneNumber).first();
          await some.waitFor();
          await fits();
          await isAccessible();
          await picture(`inbox-${name}-${width}-${colorScheme}`);
        }
        onlyTheStack();
      });
    }
  }

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

describe('the start page', () => {
  test('a browser gets the page, a program the answer of the service', async () => {
    await page.goto(url);
    await page.getByRole('heading', { name: 'Otpost', exact: true }).waitFor();
    await page.getByText(`${url}/api`, { exact: true }).waitFor();
    const row = page.getByRole('row', { name: /POST \/api\/users\/register/ });
    await row.getByText('Register a user, in two steps', { exact: true }).waitFor();
    await page.getByRole('row', { name: 'POST /users/register The same, without a root' }).waitFor();
    const links = await page.getByRole('navigation').getByRole('link').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
    assert.deepEqual(links, ['/_local/', '/_local/#users', '/_local/#sessions', '/_local/#phones', '/_local/console', '/demo', '/docs']);
    await page.getByRole('link', { name: /^Users/ }).click();
    await page.getByRole('tab', { name: 'Users', selected: true }).waitFor();
    onlyTheStack();

    const answer = await fetch(url);
    assert.deepEqual([answer.status, (await answer.json()).errorData.reason], [404, 'not_found']);
  });

  for (const colorScheme of ['light', 'dark']) {
    for (const width of [390, 1280]) {
      test(`it fits a screen of ${width} px and is accessible (${colorScheme})`, async () => {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 900 });
        await page.goto(url);
        await fits();
        await isAccessible();
        await picture(`home-${width}-${colorScheme}`);
        onlyTheStack();
      });
    }
  }
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
    const code = await codeSentTo(next, 'set password');
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
    const { hint, ...notFound } = await page.evaluate(() => refused(plivo('noSuchMethod', {})));
    assert.deepEqual(notFound, NOT_FOUND);
    assert.match(hint, /^There is no route POST /, 'the local stack says what was asked for');
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
