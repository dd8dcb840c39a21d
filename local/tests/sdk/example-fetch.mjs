export async function logIn(url, phoneNumber, askForCode) {
  let token;
  const call = async (method, path, body) => {
    const headers = { 'Content-Type': 'application/json', ...(token && { 'user-token': token }) };
    const answer = await fetch(`${url}/api${path}`, { method, headers, body: JSON.stringify(body) });
    const json = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(json.message), json.errorData); // with reason, and retryAfter in seconds
    return json;
  };
  const { transactionId } = await call('POST', '/services/Plivo/loginWithPhoneNumber', { phoneNumber });
  const user = await call('POST', '/services/Plivo/loginWithCode', { transactionId, code: await askForCode() });
  token = user['user-token'];
  return call('PUT', `/users/${user.objectId}`, { name: 'Jane Doe' });
}
