// Drives the operator's console in a real browser, narrow and wide, light and dark, with JavaScript and without.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { PASSWORD, SPACING, advance, codeSentTo, newNumber, url } from './support.mjs';

const axe = readFileSync(join(dirname(createRequire(import.meta.url).resolve('axe-core/package.json')), 'axe.min.js'), 'utf8');
const CONSOLE = `${url}/_local/console`;
const VIEWS = {
  '': 'Overview', people: 'Find a person', countries: 'Countries', switches: 'Kill switches', 'test-numbers': 'Test numbers', texts: 'Texts', audit: 'Audit log',
};
const SCREENS = { narrow: { width: 390, height: 844 }, wide: { width: 1280, height: 900 } };

let browser;
let context;
let page;
let complaints; // the errors that the browser reports, also about the content security policy
let requests; // the origins to which requests went

const open = async (options) => {
  context = await browser.newContext({ locale: 'en-US', reducedMotion: 'reduce', ...options });
  [complaints, requests] = [[], new Set()];
  context.on('request', (request) => requests.add(new URL(request.url()).origin));
  context.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  context.on('weberror', (error) => complaints.push(error.error().message));
  page = await context.newPage();
};
before(async () => {
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
});
after(() => browser?.close());
beforeEach(() => open({ viewport: SCREENS.wide }));
afterEach(async () => {
  await context.close();
  assert.deepEqual([...requests].filter((asked) => asked !== 'null' && asked !== url), [], 'no other host was asked');
});

const call = async (path, body) => {
  const answer = await fetch(`${url}/api/${path}`, { method: 'POST', body: JSON.stringify(body) });
  return { status: answer.status, ...await answer.json() };
};
/** Registers a user with a right code. */
const register = async (phoneNumber, properties) => {
  const { transactionId } = await call('users/register', { phoneNumber });
  const transactionCode = await codeSentTo(phoneNumber, 'sign up');
  return call('users/register', { phoneNumber, transactionId, transactionCode, password: PASSWORD, ...properties });
};
const logIn = async (phoneNumber) => {
  await advance(SPACING);
  const { transactionId } = await call('services/Plivo/loginWithPhoneNumber', phoneNumber);
  return call('services/Plivo/loginWithCode', { transactionId, code: await codeSentTo(phoneNumber, 'log in') });
};
/** What the content security policy and the like complained about. A page that is refused is an error, too, which the test expects. */
const silent = () => assert.deepEqual(complaints.filter((text) => !/status of 4\d\d/.test(text)), []);
const fits = async () => {
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert(content <= screen, `${content} px on a screen of ${screen} px`);
};
/** Checks the page by the rules of axe: contrast, names, roles, headings and the like. */
const isAccessible = async () => {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
  assert(passes.length > 15, `${passes.length} rules were checked`);
};
const picture = async (name) => {
  if (process.env.OTPOST_PICTURES) await page.screenshot({ path: join(process.env.OTPOST_PICTURES, `console-${name}.png`), fullPage: true });
};
const find = async (who) => {
  await page.goto(`${CONSOLE}/people`);
  await page.getByLabel('Phone like').fill(who);
  await page.getByRole('button', { name: 'Find' }).click();
};
/** Opens the form of a change, gives name and reason, and sends it. */
const change = async (name, fields = {}) => {
  const form = page.locator('details', { has: page.getByRole('button', { name, exact: true, includeHidden: true }) });
  await form.locator('summary').click();
  for (const [label, value] of Object.entries(fields)) await form.getByLabel(label).fill(value);
  await form.getByLabel('Your name').fill('Jane');
  await form.getByLabel('Reason').fill('a test');
  await form.getByRole('button', { name, exact: true }).click();
};

describe('each view', () => {
  let phone;
  before(async () => {
    phone = newNumber();
    await register(phone, { email: 'views@example.com', name: '<script>alert(1)</script>' });
    await logIn(phone);
    for (let count = 0; count < 3; count += 1) await call('users/register', { phoneNumber: newNumber() });
    await call('users/register', { phoneNumber: '+4915112345678' }); // refused: no SMS go there
    await call('services/Plivo/loginWithPhoneNumber', phone); // refused: too early
  });

  for (const [name, viewport] of Object.entries(SCREENS)) {
    for (const colorScheme of ['light', 'dark']) {
      test(`it fits, and is accessible: ${name}, ${colorScheme}`, async () => {
        await context.close();
        await open({ viewport, colorScheme });
        for (const [path, title] of Object.entries(VIEWS)) {
          await page.goto(`${CONSOLE}${path && `/${path}`}`);
          await page.getByRole('heading', { level: 1, name: title }).waitFor();
          assert.equal(await page.getByRole('navigation', { name: 'Views' }).locator('[aria-current=page]').textContent(), title);
          for (const details of await page.locator('main details').all()) await details.evaluate((one) => { one.open = true; });
          await fits();
          await isAccessible();
          await picture(`${path || 'overview'}-${name}-${colorScheme}`);
        }
        await find(phone);
        await page.getByRole('heading', { name: phone }).waitFor();
        await page.getByText('<script>alert(1)</script>').waitFor();
        await fits();
        await isAccessible();
        await picture(`person-${name}-${colorScheme}`);
        silent();
      });
    }
  }
});

describe('the overview', () => {
  test('its figures renew themselves, and only what changed is announced', async () => {
    await page.goto(CONSOLE);
    await page.getByText('These figures renew themselves.').waitFor();
    const sent = page.locator('.figures div', { hasText: 'Sent' }).first().locator('dd');
    const before = Number.parseInt(await sent.textContent(), 10);
    await page.locator('#hours summary').click();
    await call('users/register', { phoneNumber: newNumber() });
    await page.waitForFunction((more) => document.querySelector('.figures dd').textContent.startsWith(`${more}`), before + 1);
    assert.match(await page.getByRole('status').textContent(), new RegExp(`^In 24 hours: ${before + 1} sent`));
    assert(await page.locator('#hours').evaluate((details) => details.open), 'what was open stays open');
    silent();
  });
});

describe('by keyboard', () => {
  test('the first stop skips to the content', async () => {
    await page.goto(`${CONSOLE}/switches`);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  });
});

describe('changes, without JavaScript', () => {
  beforeEach(async () => {
    await context.close();
    await open({ viewport: SCREENS.wide, javaScriptEnabled: false });
  });

  test('a flow is switched off and on, and the audit log says who and why', async () => {
    await page.goto(`${CONSOLE}/switches`);
    await change('Switch register off');
    await page.getByRole('status').getByText('Done.').waitFor();
    await advance(15);
    assert.equal((await call('users/register', { phoneNumber: newNumber() })).status, 503);
    await change('Switch register on');
    await page.getByRole('status').getByText('Done.').waitFor();
    await advance(15);
    assert.equal((await call('users/register', { phoneNumber: newNumber() })).status, 200);
    await page.goto(`${CONSOLE}/audit`);
    assert.deepEqual(await page.getByRole('row').filter({ hasText: 'register' }).first().getByRole('cell').allTextContents().then((cells) => cells.slice(2)), ['Jane', 'a test']);
  });

  test('a person is found, disabled, enabled, signed out and, by four digits, deleted', async () => {
    const phone = newNumber();
    const { objectId } = await register(phone, { email: 'jane@example.com' });
    const { 'user-token': token } = await logIn(phone);
    const isValid = async () => (await fetch(`${url}/api/users/isvalidusertoken/${token}`)).json();
    for (const who of [phone, 'jane@example.com', objectId]) {
      await find(who);
      await page.getByRole('heading', { name: phone }).waitFor();
      assert(!page.url().includes(encodeURIComponent(who)), 'the browser keeps no number');
    }
    assert.equal(await isValid(), true);
    await change('Sign out everywhere');
    await page.getByText('Done.').waitFor();
    assert.equal(await isValid(), false);
    await change('Disable');
    await page.getByText('DISABLED').waitFor();
    await change('Enable');
    await page.getByText('Enabled').waitFor();
    await change('Delete', { 'The last four digits': '0000' });
    await page.getByRole('alert').getByText('Nothing is deleted').waitFor();
    await change('Delete', { 'The last four digits': phone.slice(-4) });
    await page.getByText('Done.').waitFor();
    await find(phone);
    await page.getByText('No user').waitFor();
  });

  test('a phone without a user has a timeline, and is unblocked', async () => {
    const phone = newNumber();
    await call('users/register', { phoneNumber: phone });
    await find(phone);
    await page.getByRole('row', { name: /start_spacing/ }).waitFor();
    await page.getByRole('listitem').filter({ hasText: 'was to go out' }).waitFor();
    await change('Unblock');
    await page.getByText('None: a start would be allowed.').waitFor();
    assert.equal(page.url(), `${CONSOLE}/unblock`);
  });

  test('a text is tried', async () => {
    await page.goto(`${CONSOLE}/texts?language=de`);
    await page.getByText('000000 ist Ihr Code von Otpost zur Anmeldung').waitFor();
    await page.getByLabel('Text, with').fill('{code} bit.ly/x');
    await page.getByRole('button', { name: 'Check' }).click();
    await page.getByText('has a link').waitFor();
  });
});

describe('other pages', () => {
  test('they can change nothing, and put the console in no frame', async () => {
    await page.goto('about:blank');
    await page.setContent(`<form method="post" action="${CONSOLE}/switches"><input name="name" value="login"><input name="to" value="off">
      <input name="by" value="x"><input name="why" value="x"><button>Go</button></form><iframe src="${CONSOLE}"></iframe>`);
    await page.getByRole('button', { name: 'Go' }).click();
    await page.getByText(/loopback_only|Refused/).waitFor();
    await page.goto(`${CONSOLE}/switches`);
    assert.equal(await page.getByRole('button', { name: 'Switch login on', includeHidden: true }).count(), 0);
  });
});
