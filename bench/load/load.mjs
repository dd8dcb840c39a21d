// The local stack under load, beside better-auth: whole flows by autocannon, from one client and from 16, in turns, so that whatever else the
// machine does meets all servers alike. Prints Markdown.
//
//   node load.mjs LOCAL [--quick]     LOCAL: the local stack's binary; --quick takes a tenth of the flows

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import autocannon from 'autocannon';

const [local, option] = process.argv.slice(2);
const TURNS = 3;
const CONNECTIONS = { 1: { persons: 80, requests: 800 }, 16: { persons: 320, requests: 3200 } }; // of a turn
const share = option === '--quick' ? 0.1 : 1;

// autocannon has no setting for the clients' address. What the service counts per address is one item, for which all requests from one address
// would race, so each connection comes from an address of its own.
const connect = net.connect;
let opened = 0;
net.connect = (...given) => {
  const [port, host] = given; // as autocannon gives them
  return typeof host === 'string' ? connect({ port, host, localAddress: `127.0.1.${1 + (opened++ % 200)}` }) : connect(...given);
};

// A request of a flow: what it sends, and what it takes from the answer; the answer is wrong when that is nothing. `timed` is false for what
// only the benchmark asks.
const ask = (method, path, { body, take = (answer) => answer, timed = true } = {}) => ({ method, path, body, take, timed });
const post = (path, body, take) => ask('POST', path, { body, take });
const must = (is, what) => { if (!is) throw new Error(`load: ${what}`); };

const inbox = ask('GET', ({ phone }) => `/_local/messages?limit=1&to=${phone.slice(1)}`, {
  timed: false, take: ([message], person) => (person.code = message?.text.match(/^\d+/)?.[0]),
});
const transaction = ({ transactionId }, person) => (person.transactionId = transactionId);
const otpost = {
  'registration, both steps': [
    post('/api/users/register', ({ phone }) => ({ phoneNumber: phone }), transaction),
    inbox,
    post('/api/users/register', ({ phone, transactionId, code }) => ({
      phoneNumber: phone, email: `${phone.slice(1)}@example.com`, password: 'correct horse battery', transactionId, transactionCode: code,
    })),
  ],
  'login by code, both steps': [
    post('/api/services/Plivo/loginWithPhoneNumber', ({ phone }) => ({ phoneNumber: phone }), transaction),
    inbox,
    post('/api/services/Plivo/loginWithCode', ({ transactionId, code }) => ({ transactionId, code }), ({ 'user-token': token }) => token && tokens.push(token)),
  ],
};
const tokens = [];
const single = {
  isvalidusertoken: [ask('GET', ({ number }) => `/api/users/isvalidusertoken/${tokens[number % tokens.length]}`, { take: (valid) => valid === true })],
  info: [ask('GET', () => '/api/info')],
};
// Its phone-number plugin: registration and login are the same two requests, and a phone without a user gets one.
const verify = [
  post('/api/auth/phone-number/send-otp', ({ phone }) => ({ phoneNumber: phone })),
  ask('GET', ({ phone }) => `/code?to=%2B${phone.slice(1)}`, { timed: false, take: ({ code }, person) => (person.code = code) }),
  post('/api/auth/phone-number/verify', ({ phone, code }) => ({ phoneNumber: phone, code }), ({ token }) => token),
];

// Starts a server and waits for the line that has its address.
const children = [];
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));
// A signal ends Node without its exit handlers, and the servers would go on.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
async function start(name, flows, command, ...parameters) {
  const child = spawn(command, parameters, { stdio: ['pipe', 'pipe', 'ignore'] });
  children.push(child);
  for await (const line of createInterface(child.stdout)) {
    const url = line.match(/http:\/\/127\.0\.0\.1:\d+/)?.[0];
    if (url) return { name, flows, url, pid: child.pid };
  }
  throw new Error(`load: ${name} does not start`);
}

// Linux counts a process's time in hundredths of a second.
const processor = ({ pid }) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
};
const memory = ({ pid }) => Math.round(readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmHWM:\s+(\d+)/)[1] / 1024);

// Has so many clients go through a flow, as the persons from `first` on. Returns how long it took, the server's time and the requests' times.
async function turn(server, flow, clients, first, persons) {
  const times = [];
  let [next, ended] = [first];
  const requests = flow.map(({ method, path, body, take, timed }, step) => ({
    setupRequest: (request, person) => {
      if (step === 0) Object.assign(person, { number: next, phone: `+1212${2_000_000 + next++}` });
      person.at = performance.now();
      return {
        ...request, method, path: typeof path === 'string' ? path : path(person),
        headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body(person)),
      };
    },
    onResponse: (status, text, person) => {
      ended = performance.now();
      if (timed) times.push(ended - person.at);
      must(status === 200 && take(JSON.parse(text), person), `${server.name} answered request ${step + 1} of a flow by ${status}: ${text}`);
    },
  }));
  const [began, before] = [performance.now(), processor(server)];
  const amount = persons * flow.length;
  // autocannon sees the end at a sample, which is by default a second: the last answer is what counts.
  const result = await autocannon({ url: server.url, connections: clients, amount, requests, sampleInt: 20, bailout: 1 });
  must(result['2xx'] === amount, `${server.name}: ${result['2xx']} of ${amount} requests, ${result.errors} errors`);
  return { took: ended - began, used: processor(server) - before, times };
}

async function compare(servers, name, clients, first, persons) {
  const rows = servers.map((server) => ({ server, name, clients, flows: 0, took: 0, used: 0, times: [] }));
  for (let number = 0; number < TURNS; number++) {
    for (const row of rows) {
      const { took, used, times } = await turn(row.server, row.server.flows[name], clients, first + number * persons, persons);
      row.flows += persons;
      row.took += took;
      row.used += used;
      row.times.push(...times);
    }
  }
  return rows;
}

const perSecond = ({ flows, took }) => (flows / took) * 1000;
const each = ({ flows, used }) => used / flows;
const percentile = (times, percent) => times.sort((a, b) => a - b)[Math.ceil((times.length * percent) / 100) - 1];
const table = (heading, columns, rows) => {
  const line = (cells) => `|${cells.join('|')}|`;
  console.log([`### ${heading}\n`, line(columns), line(columns.map((_, at) => (at ? '---:' : '---'))), ...rows.map(line), ''].join('\n'));
};

const folder = mkdtempSync(join(tmpdir(), 'otpost-load-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
const settings = ['BUDGET=1000000/1000000/1000000', 'PUMPING_MODE=monitor', 'STARTS_PER_ADDRESS=10000'];
const ours = await start('Otpost', { ...otpost, ...single }, local, '--port', '0', ...settings.flatMap((one) => ['--config', one]));
const theirs = Object.fromEntries(Object.keys(otpost).map((name) => [name, verify]));
const beside = (name) => new URL(name, import.meta.url).pathname;
const installed = ['better-auth', 'better-sqlite3'].every((name) => existsSync(beside(`node_modules/${name}`)));
const all = [ours];
for (const [name, storage] of installed ? [['in memory', 'memory'], ['file', join(folder, 'better-auth.sqlite')]] : []) {
  all.push(await start(`better-auth, ${name}`, theirs, process.execPath, beside('better-auth.mjs'), storage));
}
const atStart = all.map(memory);

// better-auth's compiler learns by this. Ours has nothing to learn.
for (const server of all.slice(1)) await turn(server, verify, 16, 1_000_000, 16 * Math.ceil(20 * share));
const rows = [];
let first = 0;
for (const [clients, { persons, requests }] of Object.entries(CONNECTIONS)) {
  const count = (full) => clients * Math.ceil((full * share) / clients);
  for (const name of Object.keys(otpost)) {
    // Past the wait between two messages to one phone.
    await fetch(`${ours.url}/_local/clock`, { method: 'POST', body: '{"advance":31}', headers: { 'content-type': 'application/json' } });
    rows.push(...await compare(all, name, Number(clients), first, count(persons)));
  }
  for (const name of Object.keys(single)) rows.push(...await compare([ours], name, Number(clients), 0, count(requests)));
  first += TURNS * count(persons);
}

console.log('## The local stack under load\n');
table('Flows', ['server', 'flow', 'clients', 'flows', 'flows a second', 'its processor a flow', 'request, median', 'request, 99 %'],
  rows.map((row) => [row.server.name, row.name, row.clients, row.flows, perSecond(row).toFixed(0), `${each(row).toFixed(2)} ms`,
    `${percentile(row.times, 50).toFixed(2)} ms`, `${percentile(row.times, 99).toFixed(2)} ms`]));
console.log('A registration with Otpost hashes a password (Argon2id, 19 MiB); one with better-auth has none. Otpost holds the answer to the first request of '
  + 'either flow until the next step of 10 ms, so a single client mostly waits.\n');
const compared = rows.filter((row) => row.server === ours && otpost[row.name]);
if (!installed) console.log('better-auth is not installed, so Otpost was measured alone (`bench/peers/install load`).\n');
else table('Otpost beside the better of both of better-auth', ['flow', 'clients', 'flows a second', 'processor a flow'], compared.map((row) => {
  const others = rows.filter((other) => other.server !== ours && other.name === row.name && other.clients === row.clients);
  const [fastest, cheapest] = [Math.max(...others.map(perSecond)), Math.min(...others.map(each))];
  return [row.name, row.clients, `${(perSecond(row) / fastest).toFixed(2)}×`, `${(each(row) / cheapest).toFixed(2)}×`];
}));
table('Most memory that a server held', ['server', 'after its start', 'after all of the above'],
  all.map((server, at) => [server.name, `${atStart[at]} MiB`, `${memory(server)} MiB`]));
process.exit();
