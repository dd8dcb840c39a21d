// Drives <phone-login> on the demo page of the local stack in a real browser.
//
//   OTPOST_SCREENSHOTS   if set, pictures of each step are written to this folder

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import {
  CODE_LIFE, PASSWORD, REPORTED, SPACING, TOLD, advance, codeSentTo, codeSpokenTo, emailOf, injectFault, messagesTo, newCanadianNumber, newNumber,
  otherThan, url,
} from './support.mjs';

const screenshots = process.env.OTPOST_SCREENSHOTS;
if (screenshots) mkdirSync(screenshots, { recursive: true });

let browser;
let context;
let page;
let complaints; // the errors that the browser reports, among them those of the Content-Security-Policy

before(async () => {
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
    ],
  });
});
after(() => browser?.close());

/** Opens the demo page. */
const open = async (options = {}) => {
  context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(10_000);
  complaints = [];
  context.on('console', (message) => {
    const isRefusal = /^https?:\/\/[^/]+\/api\//.test(message.location().url); // the browser reports those of the service
    if (message.type() === 'error' && !isRefusal) complaints.push(message.text());
  });
  context.on('weberror', (error) => complaints.push(error.error().message));
  page = await context.newPage();
  const now = await advance(0);
  await page.clock.install({ time: now - 60 * 60 * 1000 });
  await page.goto(`${url}/demo`);
  await page.clock.pauseAt(now); // from now on, the page's time moves by `pass` and `passTo` only
};
afterEach(async () => {
  assert.deepEqual(complaints, []);
  await context.close();
});

const field = (name) => page.getByLabel(name, { exact: true });
const button = (name) => page.getByRole('button', { name, exact: true });
const heading = (name) => page.getByRole('heading', { name, exact: true });
const focused = () => page.evaluate(() => {
  const inner = document.activeElement.shadowRoot?.activeElement ?? document.activeElement;
  return inner.id || inner.textContent;
});
/** What a screen reader says about a field that is wrong, besides its name. */
const errorOf = async (name) => {
  assert.equal(await field(name).getAttribute('aria-invalid'), 'true');
  return field(name).evaluate((input) => input.getRootNode().getElementById(input.getAttribute('aria-describedby')).innerText);
};

const picture = async (name) => {
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
};

/** Moves the time of the stack and of the page. */
const pass = async (seconds) => {
  await advance(seconds);
  await page.clock.runFor(seconds * 1000);
};

/** Moves the time of the stack, and the page's to the same time: it has stood still while the stack's went on. */
const passTo = async (seconds) => page.clock.pauseAt(await advance(seconds));

/** Lets the time pass until the service tells what Plivo reports of a message. */
const passReport = async () => {
  await passTo(REPORTED);
  await passTo(TOLD);
};

/** A user whose phone may be sent to again. */
const registered = async () => {
  const phoneNumber = newNumber();
  const post = (body) => fetch(`${url}/api/users/register`, { method: 'POST', body: JSON.stringify(body) });
  const { transactionId } = await post({ phoneNumber }).then((answer) => answer.json());
  const transactionCode = await codeSentTo(phoneNumber, 'sign up');
  await post({ phoneNumber, transactionId, transactionCode, email: emailOf(phoneNumber), password: PASSWORD });
  await passTo(SPACING);
  return phoneNumber;
};

const isStatus = (answer) => /\/status\//.test(answer.url());

/** Waits until all answers have arrived that the page has asked for before. */
const settle = () => page.evaluate(() => fetch('/api/info').then(() => {}));

/** Lets time pass until the form has asked once more what became of its code. */
const passPoll = async (seconds) => {
  await Promise.all([page.waitForResponse(isStatus), passTo(seconds)]);
  await settle();
};

/** Sends a code by the button of this name, and waits until the form knows its status. */
const start = async (name) => {
  let isSent = false;
  const isStatusAfter = (answer) => {
    isSent ||= answer.request().method() === 'POST';
    return isSent && isStatus(answer);
  };
  await Promise.all([page.waitForResponse(isStatusAfter), button(name).click()]);
  await field('Code').waitFor();
};

const sendCode = async (phoneNumber) => {
  await field('Phone number').fill(phoneNumber.slice(2));
  await start('Send code');
};

/** Lets the service answer this status. */
const answerStatus = async (status = {}) => {
  const retryAt = await page.evaluate((wait) => Date.now() + wait, SPACING * 1000);
  const answer = { state: 'queued', channel: 'sms', message: 'Words of the service.', retryAt, voice: false, expires: retryAt, ...status };
  await page.unroute('**/status/*');
  await page.route('**/status/*', (route) => route.fulfill({ json: answer }));
};

/** Counts the requests of the form whose path ends like this, from now on. */
const countRequests = (pattern) => {
  let count = 0;
  page.on('request', (request) => { if (pattern.test(request.url())) count += 1; });
  return async () => {
    await settle();
    return count;
  };
};

const fillRegistration = async (phoneNumber) => {
  await field('Code').fill(await codeSentTo(phoneNumber, 'sign up'));
  await field('E-mail address').fill(emailOf(phoneNumber));
  await field('Password').fill(PASSWORD);
};

const assertFits = async () => {
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert(content <= screen, `${content} px on a screen of ${screen} px`);
};

/** Names and sizes of all controls, unique ids, and contrast of all texts (WCAG 2.2: 1.4.3, 2.5.8, 4.1.2). */
const assertAccessible = async () => {
  const found = await page.evaluate(() => {
    const roots = [document, document.querySelector('phone-login').shadowRoot];
    const shown = roots.flatMap((root) => [...root.querySelectorAll('*')]).filter((element) => element.checkVisibility());
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const channels = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color) => {
      const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
      const [red, green, blue] = channels(color).map((channel) => linear(channel / 255));
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const ground = (element) => {
      const color = getComputedStyle(element).backgroundColor;
      return channels(color)[3] === 255 ? color : ground(element.parentElement ?? element.getRootNode().host);
    };
    const contrast = (element) => {
      const [dark, light] = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((a, b) => a - b);
      return (light + 0.05) / (dark + 0.05);
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== '');
    const controls = shown.filter((element) => element.matches('input, select, button'));
    const labels = (element) => [...element.labels ?? []].map((label) => label.textContent).join(' ');
    const name = (element) => (element.matches('button') ? element.textContent : labels(element));
    const ids = roots.flatMap((root, index) => [...root.querySelectorAll('[id]')].map(({ id }) => `${index}#${id}`));
    return {
      unnamed: controls.filter((control) => !name(control)).map((control) => control.outerHTML),
      small: controls.filter((control) => control.getBoundingClientRect().height < 44).map((control) => control.outerHTML),
      twice: ids.filter((id, index) => ids.indexOf(id) !== index),
      pale: shown.filter((element) => hasText(element) && !element.disabled && contrast(element) < 4.5).map((element) => element.outerHTML),
      texts: shown.filter(hasText).length,
    };
  });
  const { texts, ...faults } = found;
  assert.deepEqual(faults, { unnamed: [], small: [], twice: [], pale: [] });
  assert(texts > 5, 'the texts were found');
};

const looks = [
  [390, 'light'], [390, 'dark'], [1280, 'light'], [1280, 'dark'],
].map(([width, colorScheme]) => ({ name: `${width}-${colorScheme}`, viewport: { width, height: 800 }, colorScheme }));

for (const { name, ...look } of looks) {
  test(`registers, logs in, changes the name and logs out (${name})`, async () => {
    await open(look);
    const check = async (step) => {
      await assertFits();
      await assertAccessible();
      await picture(`${name}-${step}`);
    };
    const phoneNumber = newNumber();
    await heading('Create an account').waitFor();
    await check('1-register');
    await button('Have an account? Log in').click();
    await heading('Log in').waitFor();
    await check('2-log-in');
    await button('No account yet? Create one').click();

    await injectFault(phoneNumber, { undelivered: 80 });
    await sendCode(phoneNumber);
    assert.equal(await focused(), 'code');
    await passReport();
    await page.getByRole('status').getByText('Not delivered: The phone could not be reached.').waitFor();
    await passTo(SPACING);
    assert.equal(await button('Call me instead').isEnabled(), true);
    await field('Password').fill('short');
    await field('E-mail address').fill(emailOf(phoneNumber));
    await field('Code').fill(await codeSentTo(phoneNumber, 'sign up'));
    await button('Create account').click();
    await page.getByText('The password needs at least 8 characters.').waitFor();
    assert.equal(await errorOf('Password'), 'The password needs at least 8 characters.');
    assert.equal(await focused(), 'password');
    await check('3-register-code');

    await field('Password').fill(PASSWORD);
    await button('Create account').click();
    await page.getByRole('status').getByText('Your account is ready. We have sent you another code to log in.').waitFor();
    await passReport();
    await page.getByRole('status').getByText('On its way.').waitFor();
    await check('4-log-in-code');
    await field('Code').fill(await codeSentTo(phoneNumber, 'log in'));
    await button('Log in').click();

    await heading('You are logged in').waitFor();
    assert.equal(await focused(), 'account-title');
    await field('Name').fill('Jane');
    await button('Save').click();
    await page.getByText('Your name is saved.').waitFor();
    const user = JSON.parse(await page.locator('#user').textContent());
    assert.deepEqual([user.phoneNumber, user.name], [phoneNumber, 'Jane']);
    await check('5-account');

    await page.reload();
    await heading('You are logged in').waitFor();
    await button('Log out').click();
    await heading('Log in').waitFor();
    await page.reload();
    await heading('Create an account').waitFor();
    await page.getByRole('link', { name: 'Start page' }).click();
    await page.waitForURL(`${url}/`);
  });
}

describe('<phone-login>', () => {
  beforeEach(async () => {
    await open({ viewport: { width: 390, height: 800 } });
    await button('Have an account? Log in').click();
  });

  test('works by keyboard alone', async () => {
    const phoneNumber = await registered();
    const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
    await field('Country').focus();
    await press('C');
    assert.equal(await field('Country').inputValue(), 'CA');
    await press('U', 'Tab');
    assert.equal(await focused(), 'phoneNumber');
    await page.keyboard.type(phoneNumber.slice(2));
    await press('Enter');
    await field('Code').waitFor();
    assert.equal(await focused(), 'code');
    await page.keyboard.type(await codeSentTo(phoneNumber, 'log in'));
    await press('Tab');
    assert.equal(await focused(), 'Log in');
    await press('Tab');
    assert.equal(await focused(), 'Use another number', 'the button that waits is skipped');
    await press('Shift+Tab', 'Space');
    await heading('You are logged in').waitFor();
  });

  test('says what is wrong with a number, and asks for one', async () => {
    await button('Send code').click();
    assert.equal(await errorOf('Phone number'), 'Enter your phone number.');
    await field('Phone number').fill('12');
    await button('Send code').click();
    await page.getByText('This is not a valid phone number.').waitFor();
    assert.equal(await focused(), 'phoneNumber');
    await field('Phone number').fill('+4915112345678');
    await button('Send code').click();
    await page.getByText('We do not send codes to this country.').waitFor();
    await picture('390-light-error');
  });

  test('a wrong code is told, and the right one still logs in', async () => {
    const phoneNumber = await registered();
    await sendCode(phoneNumber);
    assert.equal(await page.getByRole('status').textContent(), `If +1 ${phoneNumber.slice(2)} has an account, we have sent it a code.`);
    const code = await codeSentTo(phoneNumber, 'log in');
    await field('Code').fill(otherThan(code));
    await button('Log in').click();
    await page.getByText('This code is wrong, or no longer valid.').waitFor();
    assert.equal(await errorOf('Code'), 'This code is wrong, or no longer valid.');
    await assertAccessible();
    await picture('390-light-wrong-code');
    await field('Code').fill(`${code.slice(0, 3)} ${code.slice(3)}`);
    await button('Log in').click();
    await heading('You are logged in').waitFor();
  });

  test('counts down to the time that the service tells, after each code anew', async () => {
    const phoneNumber = await registered();
    await answerStatus();
    await sendCode(phoneNumber);
    await button('Send again in 0:30').waitFor();
    assert.equal(await button('Send again in 0:30').isDisabled(), true);
    await pass(10);
    assert.equal(await button('Send again in 0:20').isDisabled(), true);
    await pass(20);
    await page.getByText('You can ask for the code again.').waitFor();
    await answerStatus({ retryAt: await page.evaluate(() => Date.now() + 60_000) });
    await start('Send the code again');
    await page.getByRole('status').getByText('We have sent the code again.').waitFor();
    assert.equal(await focused(), 'code');
    await button('Send again in 1:00').waitFor();
    assert.equal(await page.getByText('You can ask for the code again.').count(), 0);
    assert.equal(await button('Send again in 1:00').isDisabled(), true);
    assert.equal((await messagesTo(phoneNumber)).length, 3, 'sign up, log in, and once more');
  });

  test('a wait is over when the service says so, even if the clock of the device is wrong', async () => {
    const phoneNumber = await registered();
    const served = await page.evaluate(() => Date.now() + 3_600_000); // the device is an hour late
    await answerStatus({ retryAt: served + SPACING * 1000 });
    await sendCode(phoneNumber);
    await button('Send again in 60:30').waitFor();
    await answerStatus({ retryAt: served + (SPACING + 5) * 1000 });
    await Promise.all([page.waitForResponse(isStatus), pass(SPACING)]);
    await pass(1);
    await start('Send the code again');
    assert.equal((await messagesTo(phoneNumber)).length, 3);
  });

  test('a refusal for a limit says when to try again, and the countdown follows it', async () => {
    const phoneNumber = await registered();
    await answerStatus();
    await sendCode(phoneNumber);
    await page.clock.runFor(SPACING * 1000); // the stack's time stands still
    await button('Send the code again').click();
    await page.getByRole('alert').getByText(/^No further code can be sent to this number yet\. Try again in \d+ seconds\.$/).waitFor();
    await button(/^Send again in 0:\d\d$/).waitFor();
    await button('Use another number').click();
    await button('Send code').click();
    await page.getByRole('alert').getByText('No further code can be sent to this number yet.').waitFor();
  });

  test('a service that cannot be reached is told', async () => {
    await page.route('**/api/**', (route) => route.abort());
    await field('Phone number').fill('2125550100');
    await button('Send code').click();
    await page.getByRole('alert').getByText('There is no connection. Check it, then try again.').waitFor();
  });

  test('an existing account is told in the registration', async () => {
    const phoneNumber = await registered();
    await button('No account yet? Create one').click();
    await sendCode(phoneNumber);
    await fillRegistration(phoneNumber);
    await button('Create account').click();
    await page.getByRole('alert').getByText('There is an account with this phone number or e-mail address already.').waitFor();
  });

  test('a number that was typed is kept when the mode is switched', async () => {
    await field('Phone number').fill('2125550100');
    await button('No account yet? Create one').click();
    assert.equal(await field('Phone number').inputValue(), '2125550100');
    assert.equal(await focused(), 'phoneNumber');
    assert.equal(await page.evaluate(() => document.querySelector('phone-login').mode), 'register');
  });

  /** Replaces the element by one with these attributes, which collects its events. */
  const place = (attributes) => page.evaluate((given) => {
    const widget = document.createElement('phone-login');
    for (const [name, value] of Object.entries(given)) widget.setAttribute(name, value);
    window.events = [];
    for (const type of ['register', 'login', 'error']) {
      widget.addEventListener(type, ({ detail }) => window.events.push([type, detail.reason ?? detail.phoneNumber]));
    }
    document.querySelector('phone-login').replaceWith(widget);
  }, attributes);
  const events = () => page.evaluate(() => window.events);

  test('asks for the password, too, with two-factor, and tells the page what happened', async () => {
    const phoneNumber = await registered();
    await place({ api: '/api', 'two-factor': '' });
    await field('Phone number').fill(phoneNumber.slice(2));
    await field('Password').fill('wrong password');
    await button('Send code').click();
    await page.getByText('The phone number or the password is wrong.').waitFor();
    await field('Password').fill(PASSWORD);
    await button('Send code').click();
    await field('Code').waitFor();
    await field('Code').fill(await codeSentTo(phoneNumber, 'confirm login'));
    await button('Log in').click();
    await heading('You are logged in.').waitFor();
    assert.equal(await focused(), 'title');
    assert.deepEqual(await events(), [['error', 'login_rejected'], ['login', phoneNumber]]);
  });

  test('asks for nothing but the code where a registration needs no more', async () => {
    const phoneNumber = newNumber();
    await place({ api: '/api', mode: 'register', fields: '' });
    await sendCode(phoneNumber);
    assert.equal(await page.locator('phone-login input').count(), 1);
    await field('Code').fill(await codeSentTo(phoneNumber, 'sign up'));
    await button('Create account').click();
    await page.getByRole('alert').getByText('Enter your e-mail address.').waitFor();
    assert.deepEqual(await events(), [['error', 'identity_missing']], 'this service does need it');
  });

  test('a registration that begins a session needs no second code, and its events hold no tokens', async () => {
    const phoneNumber = newNumber();
    const tokens = { 'user-token': 'token', 'device-token': 'device' };
    await page.route('**/users/register', async (route) => {
      const answer = await route.fetch();
      const body = await answer.json();
      await route.fulfill({ response: answer, json: 'objectId' in body ? { ...body, ...tokens } : body });
    });
    await place({ api: '/api', mode: 'register' });
    await page.evaluate(() => {
      window.keys = [];
      for (const type of ['register', 'login']) document.addEventListener(type, ({ detail }) => window.keys.push(...Object.keys(detail)));
    });
    await sendCode(phoneNumber);
    await fillRegistration(phoneNumber);
    await button('Create account').click();
    await heading('You are logged in.').waitFor();
    assert.deepEqual(await events(), [['register', phoneNumber], ['login', phoneNumber]]);
    assert.equal(await page.evaluate(() => document.querySelector('phone-login').client.token), 'token');
    assert.deepEqual(await page.evaluate(() => window.keys.filter((key) => key === 'objectId' || key.endsWith('-token'))), ['objectId', 'objectId']);
    assert.equal((await messagesTo(phoneNumber)).length, 1);
  });

  /** Registers on a page that answers `register` by this method of the element or the event. Returns the logins that were started. */
  const registerAndStop = async (target, method) => {
    const phoneNumber = newNumber();
    const logins = [];
    page.on('request', (request) => { if (request.url().endsWith('/loginWithPhoneNumber')) logins.push(request.url()); });
    await page.evaluate(([to, name]) => {
      const widget = document.querySelector('phone-login');
      window.widget = widget;
      window.isRegistered = new Promise((resolve) => {
        widget.addEventListener('register', (event) => {
          ({ event, widget })[to][name]();
          resolve();
        });
      });
    }, [target, method]);
    await button('No account yet? Create one').click();
    await sendCode(phoneNumber);
    await fillRegistration(phoneNumber);
    await button('Create account').click();
    await page.evaluate(() => window.isRegistered.then(() => fetch('/api/info')).then(() => {})); // a request after any of the form's
    return logins;
  };

  test('sends no further code when the page has removed it', async () => {
    assert.deepEqual(await registerAndStop('widget', 'remove'), []);
    await page.evaluate(() => document.getElementById('login').append(window.widget));
    await heading('Log in').waitFor();
    assert.equal(await field('Code').count(), 0);
  });

  test('sends no further code when the page cancels the login that follows a registration', async () => {
    assert.deepEqual(await registerAndStop('event', 'preventDefault'), []);
    await heading('Log in').waitFor();
    assert.equal(await page.locator('phone-login').getByRole('status').textContent(), 'Your account is ready.');
  });

  test('sends no code when the page removes it while a captcha is solved', async () => {
    let requests = 0;
    await page.route('**/loginWithPhoneNumber', (route) => {
      requests += 1;
      return route.fulfill({ status: 403, json: { code: 14000, message: '', errorData: { reason: 'captcha_required' } } });
    });
    const ended = page.evaluate(() => new Promise((resolve) => {
      const widget = document.querySelector('phone-login');
      widget.addEventListener('error', resolve);
      widget.captcha = async () => {
        widget.remove();
        return 'proof';
      };
    }));
    await field('Phone number').fill('2125550100');
    await button('Send code').click();
    await ended;
    assert.equal(requests, 1);
  });

  test('keeps the step when it is moved, or an attribute is set to what it means already', async () => {
    const phoneNumber = await registered();
    await answerStatus();
    await sendCode(phoneNumber);
    await field('Code').fill('12');
    await page.evaluate(() => {
      const widget = document.querySelector('phone-login');
      widget.mode = 'login';
      widget.setAttribute('mode', 'login');
      widget.setAttribute('api', '/api');
      document.getElementById('login').append(document.createElement('div'));
      document.querySelector('#login div').append(widget);
    });
    assert.equal(await field('Code').inputValue(), '12');
    await pass(10);
    assert.equal(await button('Send again in 0:20').isDisabled(), true, 'the countdown goes on');
    await pass(20);
    const status = page.locator('phone-login').getByRole('status');
    const said = await status.textContent();
    assert.match(said, /You can ask for the code again\.$/);
    await page.evaluate(() => document.getElementById('login').append(document.querySelector('phone-login')));
    assert.equal(await status.textContent(), said);
    assert.equal((await messagesTo(phoneNumber)).length, 2, 'sign up and log in');
    await field('Code').fill(await codeSentTo(phoneNumber, 'log in'));
    await button('Log in').click();
    await heading('You are logged in').waitFor();
  });

  test('begins anew when an attribute changes, even while it is removed', async () => {
    await sendCode(await registered());
    await page.evaluate(() => {
      const widget = document.querySelector('phone-login');
      widget.remove();
      widget.mode = 'register';
      document.getElementById('login').append(widget);
    });
    await heading('Create an account').waitFor();
    assert.equal(await field('Code').count(), 0);
  });

  test('speaks English where the language is malformed', async () => {
    await page.evaluate(() => { document.documentElement.lang = 'en_US'; });
    await place({ api: '/api' });
    assert.deepEqual(await field('Country').locator('option').allTextContents(), ['United States (+1)', 'Canada (+1)']);
    const limit = { code: 14000, message: '', errorData: { reason: 'too_many_messages', retryAfter: 25 } };
    await page.route('**/loginWithPhoneNumber', (route) => route.fulfill({ status: 429, json: limit }));
    await field('Phone number').fill('2125550100');
    await button('Send code').click();
    await page.getByRole('alert').getByText('Try again in 25 seconds.').waitFor();
  });

  test('an error of the page is told, and reported to the browser', async () => {
    const refusal = { code: 14000, message: '', errorData: { reason: 'captcha_required' } };
    await page.route('**/loginWithPhoneNumber', (route) => route.fulfill({ status: 403, json: refusal }));
    await page.evaluate(() => { document.querySelector('phone-login').captcha = () => Promise.reject(new Error('no captcha')); });
    await field('Phone number').fill('2125550100');
    const reported = context.waitForEvent('weberror');
    await button('Send code').click();
    await page.getByRole('alert').getByText('Something went wrong. Try again later.').waitFor();
    assert.equal((await reported).error().message, 'no captcha');
    assert.deepEqual(complaints.splice(0), ['no captcha']);
  });

  test('an account that is ready is told even if no code to log in can be sent', async () => {
    const phoneNumber = newNumber();
    const refusal = { code: 14000, message: '', errorData: { reason: 'switched_off' } };
    await page.route('**/loginWithPhoneNumber', (route) => route.fulfill({ status: 503, json: refusal }));
    await button('No account yet? Create one').click();
    await sendCode(phoneNumber);
    await fillRegistration(phoneNumber);
    await button('Create account').click();
    await page.getByRole('alert').getByText('This is switched off at the moment.').waitFor();
    assert.equal(await page.locator('phone-login').getByRole('status').textContent(), 'Your account is ready.');
    await heading('Log in').waitFor();
    assert.equal(await field('Phone number').inputValue(), phoneNumber.slice(2));
  });

  test('offers the countries that it is given, with their names and calling codes', async () => {
    await place({ api: '/api', countries: 'gb, DE,US,XX', country: 'DE' });
    assert.deepEqual(await field('Country').locator('option').allTextContents(), ['United Kingdom (+44)', 'Germany (+49)', 'United States (+1)']);
    assert.equal(await field('Country').inputValue(), 'DE');
    await page.evaluate(() => { document.querySelector('phone-login').lang = 'de'; });
    await place({ api: '/api', countries: 'DE', lang: 'de' });
    assert.deepEqual(await field('Country').locator('option').allTextContents(), ['Deutschland (+49)']);
  });

  test('gets a captcha token from the page when the service asks for one', async () => {
    const phoneNumber = await registered();
    const tokens = [];
    await page.route('**/loginWithPhoneNumber', (route) => {
      const token = route.request().headers()['captcha-token'];
      tokens.push(token);
      if (token !== undefined) return route.continue();
      return route.fulfill({ status: 403, json: { code: 14000, message: '', errorData: { reason: 'captcha_required' } } });
    });
    await page.evaluate(() => { document.querySelector('phone-login').captcha = async (action) => `proof of ${action}`; });
    await sendCode(phoneNumber);
    assert.deepEqual(tokens, [undefined, 'proof of login']);
  });

  test('fills in the code that the browser reads from the SMS, and stops to listen when it is left', async () => {
    const phoneNumber = await registered();
    await page.evaluate(() => {
      window.OTPCredential ??= class {};
      window.asked = [];
      navigator.credentials.get = (options) => new Promise((resolve, reject) => {
        options.signal.onabort = () => reject(options.signal.reason);
        window.asked.push({ options, resolve });
      });
    });
    await sendCode(phoneNumber);
    await button('Use another number').click();
    const asked = await page.evaluate(() => window.asked.map(({ options: { otp, signal } }) => [otp, signal.aborted]));
    assert.deepEqual(asked, [[{ transport: ['sms'] }, true]]);
    await pass(SPACING);
    await button('Send code').click();
    await field('Code').waitFor();
    const code = await codeSentTo(phoneNumber, 'log in');
    await page.evaluate((read) => window.asked[1].resolve({ code: read }), code);
    await heading('You are logged in').waitFor();
  });

  /** What the form says about its code. */
  const told = (text) => page.locator('phone-login').getByRole('status').getByText(text, { exact: true }).waitFor();
  const callMe = () => button('Call me instead');

  test('says nothing about a code whose status is refused, and does not ask again', async () => {
    const phoneNumber = await registered();
    const asked = countRequests(/\/status\//);
    const refusal = { code: 14000, message: '', errorData: { reason: 'transaction_not_found' } };
    await page.route('**/status/*', (route) => route.fulfill({ status: 404, json: refusal }));
    await sendCode(phoneNumber);
    await pass(SPACING);
    assert.equal(await asked(), 1);
    assert.equal(await page.getByRole('alert').textContent(), '');
    assert.equal(await button('Send the code again').isEnabled(), true, 'after the usual wait');
    assert.deepEqual([await callMe().count(), await events()], [0, undefined]);
  });

  test('asks again when the service could not be reached', async () => {
    const phoneNumber = await registered();
    await page.route('**/status/*', (route) => route.abort());
    await field('Phone number').fill(phoneNumber.slice(2));
    await Promise.all([page.waitForEvent('requestfailed'), button('Send code').click()]);
    await answerStatus({ state: 'sent' });
    await settle();
    await pass(5);
    await told('On its way.');
    assert.equal(await page.getByRole('alert').textContent(), '');
    complaints = complaints.filter((text) => !text.includes('ERR_FAILED'));
  });

  test('says no more of a login than that its code is on its way', async () => {
    const phoneNumber = await registered();
    await injectFault(phoneNumber, { undelivered: 80 });
    await sendCode(phoneNumber);
    await passReport();
    await told('On its way.');
    await assertAccessible();
  });

  test('says why in the words of the page', async () => {
    const phoneNumber = newNumber();
    await page.evaluate(async () => {
      const { texts } = await import('/demo/phone-login.js');
      texts.notDelivered = (_message, reason) => `Nicht zugestellt (${reason}).`;
    });
    await place({ api: '/api', mode: 'register' });
    await injectFault(phoneNumber, { failed: 200 });
    await sendCode(phoneNumber);
    await passReport();
    await told('Nicht zugestellt (opted_out).');
  });

  test('offers no call where the service does not call', async () => {
    await sendCode(newCanadianNumber());
    await passTo(SPACING);
    await button('Send the code again').waitFor();
    assert.equal(await callMe().count(), 0);
  });

  test('says that a code is on its way, then that it is delivered, and asks no more', async () => {
    const phoneNumber = newNumber();
    await place({ api: '/api', mode: 'register' });
    await injectFault(phoneNumber, { queued: 20 });
    await sendCode(phoneNumber);
    await passTo(5);
    await told('On its way.');
    await passPoll(15);
    await passReport();
    await told('Delivered.');
    const asked = countRequests(/\/status\//);
    await pass(60);
    assert.equal(await asked(), 0);
    await assertFits();
  });

  test('says that a code has expired which nobody has reported', async () => {
    const phoneNumber = await registered();
    await injectFault(phoneNumber, { callbacks: 'lost' });
    await sendCode(phoneNumber);
    await passTo(CODE_LIFE);
    await told('The code is no longer valid. Ask for a new one.');
    assert.equal(await callMe().count(), 0);
  });

  test('does not ask while the page is hidden, a code is typed in, or the element is removed', async () => {
    const phoneNumber = await registered();
    await answerStatus({ state: 'sent' });
    await sendCode(phoneNumber);
    await told('On its way.');
    const asked = countRequests(/\/status\//);
    const hide = (isHidden) => page.evaluate((hidden) => Object.defineProperty(document, 'hidden', { value: hidden, configurable: true }), isHidden);
    await pass(4);
    assert.equal(await asked(), 0, 'not before five seconds');
    await hide(true);
    await pass(60);
    await hide(false);
    await field('Code').fill('1');
    await pass(60);
    await page.evaluate(() => {
      window.widget = document.querySelector('phone-login');
      window.widget.remove();
    });
    await pass(60);
    assert.equal(await asked(), 0);
    await page.evaluate(() => document.getElementById('login').append(window.widget));
    assert.equal(await asked(), 0, 'the code is still there');
    await field('Code').fill('');
    await Promise.all([page.waitForResponse(isStatus), pass(1)]);
    assert.equal(await asked(), 1);
  });

  test('an answer about a code that has been sent again meanwhile changes nothing', async () => {
    const phoneNumber = await registered();
    await answerStatus({ state: 'failed', voice: true });
    let release;
    const held = new Promise((resolve) => { release = resolve; });
    await page.route('**/status/*', (route) => held.then(() => route.fallback()), { times: 1 });
    await field('Phone number').fill(phoneNumber.slice(2));
    await button('Send code').click();
    await button('Send again in 0:30').waitFor();
    await pass(SPACING);
    await page.route('**/status/*', (route) => route.continue(), { times: 1 });
    await start('Send the code again');
    await Promise.all([page.waitForResponse(isStatus), release()]);
    await settle();
    assert.equal(await page.locator('phone-login').getByRole('status').textContent(), 'We have sent the code again.');
    assert.equal(await callMe().isDisabled(), true);
  });

  test('offers a call beside the second SMS, and its code logs in', async () => {
    const phoneNumber = await registered();
    await sendCode(phoneNumber);
    await callMe().waitFor();
    assert.equal(await callMe().isDisabled(), true, 'until the service admits it');
    await passPoll(SPACING);
    await assertFits();
    await assertAccessible();
    await start('Call me instead');
    await told('A call is on its way. Answer it to hear the code.');
    assert.equal(await focused(), 'code');
    await page.evaluate(() => {
      const widget = document.querySelector('phone-login');
      widget.remove();
      document.getElementById('login').append(widget);
    });
    await passTo(REPORTED);
    const types = (await messagesTo(phoneNumber)).map(({ type }) => type);
    assert.deepEqual(types, ['call', 'sms', 'sms'], 'no second call for a form that was moved');
    await field('Code').fill(await codeSpokenTo(phoneNumber));
    await button('Log in').click();
    await heading('You are logged in').waitFor();
  });

  test('says so when the code comes by SMS instead of the call', async () => {
    const phoneNumber = newNumber();
    await place({ api: '/api', mode: 'register' });
    await sendCode(phoneNumber);
    await passReport();
    await told('Delivered.');
    await passTo(CODE_LIFE); // an expired code cannot be read aloud
    await start('Call me instead');
    await told('We have sent the code again.');
    assert.deepEqual((await messagesTo(phoneNumber)).map(({ type }) => type), ['sms', 'sms']);
  });

  test('calls in a registration and after a password, too', async () => {
    const phoneNumber = newNumber();
    await place({ api: '/api', mode: 'register' });
    await sendCode(phoneNumber);
    await passPoll(SPACING);
    await start('Call me instead');
    await passTo(REPORTED);
    await field('Code').fill(await codeSpokenTo(phoneNumber));
    await field('E-mail address').fill(emailOf(phoneNumber));
    await field('Password').fill(PASSWORD);
    await button('Create account').click();
    await told('Your account is ready. We have sent you another code to log in.');

    await place({ api: '/api', 'two-factor': '' });
    await field('Phone number').fill(phoneNumber.slice(2));
    await field('Password').fill(PASSWORD);
    await start('Send code');
    await passPoll(SPACING);
    await start('Call me instead');
    await passPoll(10);
    await passTo(TOLD);
    await told('Delivered.');
    await field('Code').fill(await codeSpokenTo(phoneNumber));
    await button('Log in').click();
    await heading('You are logged in.').waitFor();
  });

  test('leaves no timer behind when it is removed', async () => {
    await sendCode(await registered());
    const left = await page.evaluate(() => {
      const cleared = [];
      const { clearInterval: clear } = window;
      window.clearInterval = (timer) => { cleared.push(timer); clear(timer); };
      document.querySelector('phone-login').remove();
      return cleared.length;
    });
    assert.equal(left, 1);
  });
});
