// The start of a login by phone as a Lambda function in Node, for the comparison of cold starts (bench/peers/install).
//
// It does what functions/login-phone does, in the fewest lines that do it, with the same environment variables: two secrets, the keyed
// hashes, three reads side by side, one conditional write with the transaction, the SMS. What it leaves out makes it faster: no phone
// library, no limits, no check of what Plivo has been doing; the phone may be anybody's. Who sends is `fetch.mjs` or `plivo.mjs`.

import { createHmac, hkdfSync, randomInt, randomUUID } from 'node:crypto';
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

const env = process.env;
const dynamodb = new DynamoDBClient();
const secretsManager = new SecretsManagerClient();
const LIFE = 300;
const DAY = 24 * 60 * 60;

const fetchSecret = async (name) =>
  (await secretsManager.send(new GetSecretValueCommand({ SecretId: env[name] }))).SecretString;

// Asked for while the function starts; awaited by the first request.
const secrets = Promise.all([fetchSecret('ROOT_SECRET'), fetchSecret('PLIVO_SECRET')]).then(([root, plivo]) => {
  const key = (purpose) => Buffer.from(hkdfSync('sha256', root, 'otpost/1', purpose, 32));
  return { phoneKey: key('phone'), codeKey: key('code'), credentials: JSON.parse(plivo) };
});
secrets.catch(() => {}); // the request that awaits it fails

const sign = (key, text) => createHmac('sha256', key).update(text).digest();
const number = (value) => ({ N: String(value) });

const get = async (table, id, ConsistentRead = true) =>
  (await dynamodb.send(new GetItemCommand({ TableName: env[table], Key: { id: { S: id } }, ConsistentRead }))).Item;

/** The pending login. A keyed hash stands for the code. */
const transaction = (codeKey, id, code, user, now) => ({
  M: {
    id: { S: id },
    code: { S: sign(codeKey, `${id} ${code}`).toString('hex') },
    expires: number(now + LIFE * 1000),
    allowance: number(5),
    tries: { M: {} },
    ...(user && { user }),
  },
});

/** Counts the message and holds the transaction, on condition that nobody wrote in between. */
const write = (key, record, login, now) => {
  const Item = {
    ...record,
    id: { S: key },
    revision: { S: randomUUID() },
    sends: { L: [...(record?.sends.L ?? []), number(now)] },
    login,
    expires_at: number(Math.floor(now / 1000) + LIFE + DAY),
  };
  const condition = record
    ? { ConditionExpression: 'revision = :seen', ExpressionAttributeValues: { ':seen': record.revision } }
    : { ConditionExpression: 'attribute_not_exists(id)' };
  return dynamodb.send(new PutItemCommand({ TableName: env.PHONES_TABLE, Item, ...condition }));
};

/** The handler. `send` gets Plivo's credentials, the phone and the text. */
export const handlerWith = (send) => async (event) => {
  const { phoneKey, codeKey, credentials } = await secrets;
  const body = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString() : event.body;
  const phone = JSON.parse(body).phoneNumber;
  const hash = sign(phoneKey, phone);
  const key = hash.subarray(0, 8).toString('hex');
  const [record, login] = await Promise.all([
    get('PHONES_TABLE', key),
    get('USERS_TABLE', `phone#${hash.toString('base64url')}`),
    get('CONTROLS_TABLE', 'plivo', false),
  ]);
  const [now, id, code] = [Date.now(), randomUUID().toUpperCase(), String(randomInt(10 ** 6)).padStart(6, '0')];
  await write(key, record, transaction(codeKey, id, code, login?.user, now), now);
  await send(credentials, phone, `${code} is your ${env.APP_NAME ?? 'Otpost'} code to log in. Valid 5 min. Do not share it.`);
  const headers = { 'content-type': 'application/json' };
  return { statusCode: 200, headers, body: JSON.stringify({ transactionId: id }) };
};
