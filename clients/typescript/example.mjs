import { Otpost, OtpostError } from 'otpost';

export async function registerAndLogIn(url, phoneNumber, askForCode) {
  const otpost = new Otpost({ url }); // in a browser, add storage: localStorage
  const registration = await otpost.startRegistration(phoneNumber);
  const account = { phoneNumber, email: 'jane@example.com', password: 'correct horse battery' };
  await otpost.finishRegistration({ ...account, ...registration, transactionCode: await askForCode() });

  const login = await otpost.loginWithPhoneNumber(phoneNumber);
  try {
    await otpost.loginWithCode(login, await askForCode());
  } catch (error) {
    if (error instanceof OtpostError && error.reason === 'code_rejected') console.log('Wrong code');
    throw error;
  }
  return otpost.update({ name: 'Jane' });
}
