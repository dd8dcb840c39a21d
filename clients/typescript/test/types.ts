// Compiled, not run: the types that a program sees.

import { Otpost, OtpostError, type Status, type User } from 'otpost';
import 'otpost/phone-login';

export async function useClient(otpost: Otpost): Promise<[User, string[], number]> {
  const registration = await otpost.startRegistration('+14155550100');
  const fields = { phoneNumber: '+14155550100', email: 'jane@example.com', password: 'correct horse', name: 'Jane' };
  const user = await otpost.finishRegistration({ ...fields, ...registration, transactionCode: '123456' });
  const token: string = (await otpost.loginWithCode(registration, '123456'))['user-token'];
  await otpost.update({ ...user, name: token });
  await otpost.loginWithPhoneNumber('+14155550100', { channel: 'voice' });
  // @ts-expect-error there is no such channel
  await otpost.loginWithPhoneNumber('+14155550100', { channel: 'fax' });
  const { state, reason, retryAt }: Status = await otpost.status(registration);
  if (state === 'failed') console.log(reason?.length, new Date(retryAt));
  const change = await otpost.startPhoneChange('+14155550101', { currentPassword: 'correct horse' });
  await otpost.finishPhoneChange('+14155550101', change, '123456');
  const { message_uuid: ids } = await otpost.sendMessage({ phoneNumber: '+14155550100', message: 'Hello' }, 'key');
  return [(await otpost.export()).user, ids, (await otpost.deleteAccount()).deletionTime];
}

export function isWrongCode(error: unknown): boolean {
  // @ts-expect-error there is no such reason
  if (error instanceof OtpostError && error.reason === 'wrong_code') return true;
  return error instanceof OtpostError && error.reason === 'code_rejected';
}

export function useElement(widget: HTMLElementTagNameMap['phone-login']): void {
  widget.client = new Otpost({ url: '/api', storage: localStorage });
  widget.captcha = async (action) => `token for ${action}`;
  widget.addEventListener('login', ({ detail }) => console.log(detail.objectId));
  widget.addEventListener('error', ({ detail }) => console.log(detail.retryAfter));
  widget.addEventListener('click', ({ clientX }) => console.log(clientX));
}
