// The login that sends with Plivo's own SDK.

import plivo from 'plivo';
import { handlerWith } from './login.mjs';

let client; // made by the first request, when the credentials are there

const send = ({ authId, authToken }, to, text) => {
  client ??= new plivo.Client(authId, authToken, { url: `${process.env.PLIVO_API_URL}/v1/Account/${authId}` });
  return client.messages.create(process.env.PLIVO_SENDER, to, text, { log: 'number_only' });
};

export const handler = handlerWith(send);
