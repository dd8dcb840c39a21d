// The page of /demo: logs in or registers with <phone-login>, then shows who is logged in.

import { Otpost } from '/demo/client.js';
import '/demo/phone-login.js';

const otpost = new Otpost({ url: '/api', storage: localStorage, rememberDevice: true });
const find = (id) => document.getElementById(id);
const widget = document.querySelector('phone-login');
widget.client = otpost;

const show = (user) => {
  find('login').hidden = true;
  find('account').hidden = false;
  find('name').value = user.name ?? '';
  find('user').textContent = JSON.stringify(user, null, 2);
};

const showLogin = () => {
  find('account').hidden = true;
  find('login').hidden = false;
  widget.mode = 'login';
  widget.reset();
};

/** Runs a request of who is logged in, and says what came of it. */
const attempt = async (request, done = '') => {
  try {
    await request();
    find('account-status').textContent = done;
  } catch (error) {
    if (error.reason === 'session_invalid') showLogin();
    else find('account-status').textContent = error.message;
  }
};

widget.addEventListener('login', async () => {
  await attempt(async () => show(await otpost.me()));
  find('account-title').focus();
});

find('name-form').addEventListener('submit', (event) => {
  event.preventDefault();
  attempt(async () => show(await otpost.update({ name: find('name').value })), 'Your name is saved.');
});

find('logout').addEventListener('click', () => attempt(async () => {
  await otpost.logout();
  showLogin();
}));

if (otpost.token !== undefined) attempt(async () => show(await otpost.me()));
