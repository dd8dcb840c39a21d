// The start of a login by phone as a Lambda function in Node, for the comparison of cold starts (bench/peers/install).
//
// It does what functions/login-phone does, in the fewest lines that do it, with the same environment variables: two secrets, the keyed
// hashes, one read of all that is known, the client's count, the challenge beside the reservation; then the decision log, the prefix's
// count and the SMS. What it leaves out makes it faster: no phone library, no limits, one budget, no retries, no check
// of what Plivo has been doing; the phone may be anybody's. Who sends is `fetch.mjs` or `plivo.mjs`.

import { createHmac, hkdfSync, randomInt, randomUUID } from 'node:crypto';
import { BatchGetItemCommand, DynamoDBClient, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

const env = process.env;
const dynamodb = new DynamoDBClient();
const secretsManager = new SecretsManagerClient();
const LIFE = 300;
const HOUR = 60 * 60;
const DAY = 24 * HOUR;
// Millionths of a dollar: what a message costs, and what a shard of the budgets may spend in an hour.
const PRICE = 7_700;
const BUDGET = 1_250_000;
const SHARDS = ['shard#0', 'shard#1', 'shard#2', 'shard#3'];
const SPENT = 'all_spent_hour';

const fetchSecret = async (name) =>
  (await secretsManager.send(new GetSecretValueCommand({ SecretId: env[name] }))).SecretString;

// Asked for while the function starts; awaited by the first request.
const secrets = Promise.all([fetchSecret('ROOT_SECRET'), fetchSecret('PLIVO_SECRET')]).then(([root, plivo]) => {
  const key = (use) => Buffer.from(hkdfSync('sha256', root, 'otpost/1', use, 32));
  const keys = { phone: key('phone'), prefix: key('prefix'), client: key('client'), code: key('code') };
  return { keys, credentials: JSON.parse(plivo) };
});
secrets.catch(() => {}); // the request that awaits it fails

const sign = (key, text) => createHmac('sha256', key).update(text).digest();
const short = (hash) => hash.subarray(0, 8).toString('hex');
const number = (value) => ({ N: String(value) });
const after = (now, seconds) => number(Math.floor(now / 1000) + seconds);

/** What is known, by id: the phone and its user as they are, the rest may be a moment late. */
const read = async (phone, owner, counters) => {
  const keys = (...ids) => ids.map((id) => ({ id: { S: id } }));
  const RequestItems = {
    [env.PHONES_TABLE]: { Keys: keys(phone), ConsistentRead: true },
    [env.USERS_TABLE]: { Keys: keys(owner), ConsistentRead: true },
    [env.COUNTERS_TABLE]: { Keys: keys(...counters) },
    [env.CONTROLS_TABLE]: { Keys: keys('circuit_breaker', 'kill_switches') },
  };
  const { Responses } = await dynamodb.send(new BatchGetItemCommand({ RequestItems }));
  return Object.fromEntries(Object.values(Responses).flat().map((item) => [item.id.S, item]));
};

/** Writes a whole item, on condition that nobody wrote in between: its `mark` is new with each write. */
const write = (table, id, seen, mark, changed) => {
  const condition = seen
    ? {
        ConditionExpression: '#mark = :seen',
        ExpressionAttributeNames: { '#mark': mark },
        ExpressionAttributeValues: { ':seen': seen[mark] },
      }
    : { ConditionExpression: 'attribute_not_exists(id)' };
  return dynamodb.send(new PutItemCommand({ TableName: env[table], Item: { ...seen, ...changed, id: { S: id } }, ...condition }));
};

/** Adds to a count of a counter, up to `most`. Only the first in a new hour writes the whole item. */
const count = (id, counter, name, amount, now, most = Number.MAX_SAFE_INTEGER) => {
  const hour = number(Math.floor(now / 1000 / HOUR));
  if (counter?.hour.N !== hour.N) {
    const version = number(Number(counter?.version.N ?? 0) + 1);
    const changed = { version, hour, [name]: number(amount), expires_at: after(now, 40 * DAY) };
    return write('COUNTERS_TABLE', id, counter, 'version', changed);
  }
  const command = new UpdateItemCommand({
    TableName: env.COUNTERS_TABLE,
    Key: { id: { S: id } },
    UpdateExpression: 'ADD #version :one, #name :amount',
    ConditionExpression: '#hour = :hour AND (attribute_not_exists(#name) OR #name <= :room)',
    ExpressionAttributeNames: { '#version': 'version', '#hour': 'hour', '#name': name },
    ExpressionAttributeValues: { ':one': number(1), ':hour': hour, ':amount': number(amount), ':room': number(most - amount) },
  });
  return dynamodb.send(command);
};

/** Counts the start for the client. */
const countClient = (client, record, now) => {
  const starts = { L: [...(record?.starts.L ?? []), number(now)] };
  const changed = { version: { S: randomUUID() }, starts, expires_at: after(now, DAY) };
  return write('COUNTERS_TABLE', client, record, 'version', changed);
};

/** The challenge, with a keyed hash of the code. */
const challenge = (codeKey, id, code, user, now) => ({
  M: {
    id: { S: id },
    code: { S: sign(codeKey, `${id} ${code}`).toString('hex') },
    expires: number(now + LIFE * 1000),
    max_attempts: number(5),
    attempts: { M: {} },
    ...(user && { user }),
  },
});

/** Counts the start and stores the challenge. */
const issue = (key, record, login, now) => {
  const counts = record?.without_password?.M;
  const without_password = { M: { ...counts, starts: { L: [...(counts?.starts.L ?? []), number(now)] } } };
  const changed = { version: { S: randomUUID() }, without_password, challenges: { M: { login } }, expires_at: after(now, LIFE + DAY) };
  return write('PHONES_TABLE', key, record, 'version', changed);
};

/** Writes the decision log. */
const logDecision = (phone, prefix, client, spent, now) => {
  const Item = {
    id: { S: randomUUID() },
    phone: { S: phone },
    prefix: { S: prefix },
    client: { S: client },
    inputs: { M: { at: number(now), flow: { S: 'login' }, spent: number(spent) } },
    decision: { M: { outcome: { S: 'send' } } },
    sent: { BOOL: true },
    expires_at: after(now, 30 * DAY),
  };
  return dynamodb.send(new PutItemCommand({ TableName: env.DECISIONS_TABLE, Item }));
};

/** The handler. `send` gets Plivo's credentials, the phone and the text. */
export const handlerWith = (send) => async (event) => {
  const { keys, credentials } = await secrets;
  const body = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString() : event.body;
  const phone = JSON.parse(body).phoneNumber;
  const hash = sign(keys.phone, phone);
  const [key, owner] = [short(hash), `phone#${hash.toString('base64url')}`];
  const prefix = short(sign(keys.prefix, phone.slice(0, -4)));
  const client = short(sign(keys.client, `${event.requestContext.http.sourceIp}/32`));
  const [prefixId, clientId] = [`prefix#${prefix}`, `client#${client}`];
  const known = await read(key, owner, [prefixId, clientId, ...SHARDS]);
  const [now, id, code] = [Date.now(), randomUUID().toUpperCase(), String(randomInt(10 ** 6)).padStart(6, '0')];
  await countClient(clientId, known[clientId], now);
  const spent = (shard) => Number(known[shard]?.[SPENT]?.N ?? 0);
  const shard = SHARDS.reduce((least, other) => (spent(other) < spent(least) ? other : least));
  await Promise.all([
    issue(key, known[key], challenge(keys.code, id, code, known[owner]?.user, now), now),
    count(shard, known[shard], SPENT, PRICE, now, BUDGET),
  ]);
  // login-phone answers here and does the rest afterwards. With Lambda's runtime for Node an answer ends the request, and what is still
  // under way is frozen, so the rest comes before it, side by side.
  const text = `${code} is your ${env.APP_NAME ?? 'Otpost'} code to log in. Valid 5 min. Do not share it.`;
  await Promise.all([
    logDecision(key, prefix, client, SHARDS.reduce((sum, each) => sum + spent(each), 0), now),
    count(prefixId, known[prefixId], 'login_sends', 1, now),
    send(credentials, phone, text),
  ]);
  const headers = { 'content-type': 'application/json' };
  return { statusCode: 200, headers, body: JSON.stringify({ transactionId: id }) };
};
