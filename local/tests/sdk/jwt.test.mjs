// Checks a JWT with jose as docs/back-end.md says, from the public keys alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import sdk from 'backendless';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { PASSWORD, codeSentTo, config, newNumber, url } from './support.mjs';

const Backendless = sdk.default ?? sdk;
const { appId: audience, apiKey } = config;

test('the SDK asks for a JWT, and a back end checks it', async () => {
  const app = Backendless.initApp({ appId: audience, apiKey, serverURL: url, standalone: true });
  const phoneNumber = newNumber();
  const { transactionId } = await app.Users.register({ phoneNumber });
  const transactionCode = await codeSentTo(phoneNumber, 'sign up');
  const user = { email: 'jane@example.com', password: PASSWORD, phoneNumber, transactionId, transactionCode };
  const { objectId } = await app.Users.register(user);
  // Who has just proven the phone may log in at once.
  const login = await app.APIServices.invoke('Plivo', 'loginWithPhoneNumber', phoneNumber);
  const code = await codeSentTo(phoneNumber, 'log in');
  await app.Users.setCurrentUser(await app.APIServices.invoke('Plivo', 'loginWithCode', { ...login, code }));

  const { token, expiresIn } = await app.request.post({ url: `${app.appPath}/users/token` });
  assert.equal(expiresIn, 300);
  const configuration = await fetch(`${url}/.well-known/openid-configuration`).then((answer) => answer.json());
  const keys = createRemoteJWKSet(new URL(configuration.jwks_uri));
  const check = (options) => jwtVerify(token, keys, { issuer: url, audience, algorithms: ['RS256'], ...options });
  const { payload } = await check();
  assert.equal(payload.sub, objectId);
  for (const wrong of [{ issuer: 'https://api.example.com' }, { audience: 'another' }, { currentDate: new Date(Date.now() + 301_000) }]) {
    await assert.rejects(check(wrong));
  }
});
