// Phone login by better-auth and its phone-number plugin, as its documentation sets it up, for the comparison under load. Settings
// that differ from the defaults: no rate limit, no telemetry, no log, and what a phone needs to sign up.
//
//   node better-auth.mjs memory | FILE     where SQLite keeps the data (a file: with a write-ahead log)
//
// Listens on a free port of 127.0.0.1, prints its address, and ends when its standard input does. `GET /code?to=NUMBER` reads the last code of a
// number: better-auth leaves the sending to the app, and this app keeps codes in memory.

import { createServer } from 'node:http';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import { phoneNumber } from 'better-auth/plugins';
import Database from 'better-sqlite3';

const [, , storage] = process.argv;
const database = new Database(storage === 'memory' ? ':memory:' : storage);
if (storage !== 'memory') database.pragma('journal_mode = WAL');
const codes = new Map();

const answer = (request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  if (url.pathname !== '/code') return handler(request, response);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ code: codes.get(url.searchParams.get('to')) }));
};

const server = createServer(answer);
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const { port } = server.address();

const auth = betterAuth({
  baseURL: `http://127.0.0.1:${port}`,
  secret: 'a secret for the benchmark, which nobody else uses',
  database,
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
  plugins: [
    phoneNumber({
      sendOTP: ({ phoneNumber, code }) => void codes.set(phoneNumber, code),
      signUpOnVerification: {
        getTempEmail: (number) => `${number.slice(1)}@example.com`,
        getTempName: (number) => number,
      },
    }),
  ],
});
const handler = toNodeHandler(auth);
await (await getMigrations(auth.options)).runMigrations();
console.log(`http://127.0.0.1:${port}`);

process.stdin.resume().on('end', () => process.exit());
