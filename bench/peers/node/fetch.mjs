// The login that sends with Node's own `fetch`: the leanest.

import { handlerWith } from './login.mjs';

const send = async ({ authId, authToken }, dst, text) => {
  const answer = await fetch(`${process.env.PLIVO_API_URL}/v1/Account/${authId}/Message/`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${authId}:${authToken}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ src: process.env.PLIVO_SENDER, dst, text, type: 'sms', log: 'number_only' }),
  });
  if (!answer.ok) throw new Error(`Plivo answered ${answer.status}`);
  await answer.arrayBuffer();
};

export const handler = handlerWith(send);
