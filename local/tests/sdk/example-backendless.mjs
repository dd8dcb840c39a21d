import Backendless from 'backendless';

export async function logIn(url, phoneNumber, askForCode) {
  Backendless.initApp(url);
  const plivo = (method, argument) => Backendless.APIServices.invoke('Plivo', method, argument);
  const { transactionId } = await plivo('loginWithPhoneNumber', phoneNumber);
  try {
    const user = await plivo('loginWithCode', { transactionId, code: await askForCode() });
    await Backendless.Users.setCurrentUser(user, true); // true: also after the page is loaded again
    return await Backendless.Users.update({ objectId: user.objectId, name: 'Jane Doe' });
  } catch (error) {
    if (error.body?.errorData.reason === 'code_rejected') console.log('Wrong code');
    throw error;
  }
}
