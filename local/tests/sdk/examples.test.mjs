// Runs the README's examples.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as byFetch from './example-fetch.mjs';
import * as byBackendless from './example-backendless.mjs';
import { CODE_LIFE, PASSWORD, advance, codeSentTo, newNumber, otherThan, url } from './support.mjs';

const post = (path, body) => fetch(`${url}/api${path}`, { method: 'POST', body: JSON.stringify(body) }).then((answer) => answer.json());

const registered = async () => {
  const phoneNumber = newNumber();
  const { transactionId } = await post('/users/register', { phoneNumber });
  const transactionCode = await codeSentTo(phoneNumber, 'sign up');
  const email = `user${phoneNumber.slice(1)}@example.com`;
  await post('/users/register', { phoneNumber, email, password: PASSWORD, transactionId, transactionCode });
  return phoneNumber;
};

for (const [name, { logIn }] of Object.entries({ fetch: byFetch, Backendless: byBackendless })) {
  test(`a login by ${name} changes the user's name, and a wrong code says so`, async () => {
    const phoneNumber = await registered();
    const code = () => codeSentTo(phoneNumber, 'log in');
    const refused = await logIn(url, phoneNumber, async () => otherThan(await code())).catch((error) => error);
    assert.equal(refused.reason ?? refused.body.errorData.reason, 'code_rejected');
    await advance(CODE_LIFE); // so that the next login has a code of its own
    assert.equal((await logIn(url, phoneNumber, code)).name, 'Jane Doe');
  });
}
