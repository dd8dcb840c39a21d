/**
 * A small client for Otpost: one method per operation, the session's token, and errors with a stable reason.
 *
 * It never retries, since a retried start could send a second SMS.
 */
/** A request that failed. Base decisions on `reason`, which never changes. */
export class OtpostError extends Error {
    reason;
    status;
    code;
    retryAfter;
    name = 'OtpostError';
    constructor(message, reason, 
    /** The HTTP status; 0 if no answer arrived. */
    status, 
    /** Backendless' code; 0 if there is none. */
    code, 
    /** Seconds until the same request may succeed. */
    retryAfter, options) {
        super(message, options);
        this.reason = reason;
        this.status = status;
        this.code = code;
        this.retryAfter = retryAfter;
    }
}
export class Otpost {
    #url;
    #fetch;
    #storage;
    #rememberDevice;
    #phoneColumn;
    // The storage's keys. Clients of two services can share a storage, and must not send each other's tokens.
    #sessionKey;
    #deviceKey;
    constructor(options) {
        const { url, fetch = globalThis.fetch, storage = inMemory(), rememberDevice = false, phoneColumn = 'phoneNumber' } = options ?? {};
        if (typeof url !== 'string' || url === '')
            throw new TypeError("url is required: new Otpost({ url: 'https://api.example.com/api' })");
        this.#url = url.replace(/\/+$/, '');
        this.#sessionKey = `otpost.session:${this.#url}`;
        this.#deviceKey = `otpost.device-token:${this.#url}`;
        // A browser's fetch must not be called as a method of another object.
        this.#fetch = (...request) => fetch(...request);
        this.#storage = storage;
        this.#rememberDevice = rememberDevice;
        this.#phoneColumn = phoneColumn;
    }
    /** The session's token, if somebody is logged in. */
    get token() {
        return this.#session?.token;
    }
    /** The `objectId` of who is logged in. */
    get userId() {
        return this.#session?.userId;
    }
    /** Sends a code to a phone that is to be registered. */
    startRegistration(phoneNumber, options) {
        const body = { [this.#phoneColumn]: phoneNumber, channel: options?.channel };
        return this.#request('POST', 'users/register', { body, headers: captcha(options) });
    }
    /** Creates the user. It also logs in where the service's setting `SESSION_AFTER_REGISTRATION` says so: see `token`. */
    async finishRegistration({ phoneNumber, ...fields }, options) {
        const body = { [this.#phoneColumn]: phoneNumber, ...fields };
        const user = await this.#request('POST', 'users/register', { body, headers: captcha(options) });
        this.#keep(user);
        return user;
    }
    /** Sends a code to a user's phone. The answer is the same for a phone without a user. */
    loginWithPhoneNumber(phoneNumber, options) {
        return this.#plivo('loginWithPhoneNumber', { phoneNumber, channel: options?.channel }, captcha(options));
    }
    /** Sends a code to a user's phone if the password is right. */
    loginWithPhoneNumberAndPassword(phoneNumber, password, options) {
        return this.#plivo('loginWithPhoneNumberAndPassword', { phoneNumber, password, channel: options?.channel }, captcha(options));
    }
    /** What became of the code that a start has sent. Ask every five seconds while the user waits. */
    status({ transactionId }) {
        return this.#request('GET', `services/Plivo/status/${encodeURIComponent(transactionId)}`);
    }
    /** Finishes either login, and keeps the session. */
    async loginWithCode({ transactionId }, code, options) {
        const headers = captcha(options);
        if (this.#rememberDevice)
            headers['device-token'] = 'new';
        const user = await this.#plivo('loginWithCode', { transactionId, code }, headers);
        this.#keep(user);
        return user;
    }
    /** Ends the session. */
    async logout() {
        const session = this.#storage.getItem(this.#sessionKey);
        await this.#request('GET', 'users/logout');
        this.#forget(this.#sessionKey, session);
    }
    /** Whether the kept session is alive. */
    async isValid() {
        if (this.token === undefined)
            return false;
        try {
            await this.me(); // not users/isvalidusertoken/{token}, since proxies log paths
            return true;
        }
        catch (error) {
            if (error instanceof OtpostError && error.reason === 'session_invalid')
                return false;
            throw error;
        }
    }
    /** The user who is logged in. */
    me() {
        return this.#request('GET', 'users/me');
    }
    /** Changes properties, or the password. Pass `updated` of the user that you read to be refused if it has changed since. */
    update(change) {
        return this.#request('PUT', this.#ownPath(), { body: change });
    }
    /** Sends a code to the user's new phone. */
    startPhoneChange(phoneNumber, { currentPassword, channel, ...options } = {}) {
        const body = { [this.#phoneColumn]: phoneNumber, currentPassword, channel };
        return this.#request('PUT', this.#ownPath(), { body, headers: captcha(options) });
    }
    /** Changes the phone. */
    finishPhoneChange(phoneNumber, { transactionId }, transactionCode, options) {
        const body = { [this.#phoneColumn]: phoneNumber, transactionId, transactionCode };
        return this.#request('PUT', this.#ownPath(), { body, headers: captcha(options) });
    }
    /** Deletes the user, within ten minutes of a login. */
    async deleteAccount() {
        const [session, device] = [this.#storage.getItem(this.#sessionKey), this.#storage.getItem(this.#deviceKey)];
        const deleted = await this.#request('DELETE', this.#ownPath());
        this.#forget(this.#sessionKey, session);
        this.#forget(this.#deviceKey, device);
        return deleted;
    }
    /** Everything that the service keeps about the user. */
    export() {
        return this.#request('GET', 'users/export');
    }
    /** Whether this is the user's password. */
    async verifyPassword(password) {
        const { valid } = await this.#request('POST', 'users/verifypassword', { body: { password } });
        return valid;
    }
    /** Sends a code for a new password to the phone of the user with this phone number or e-mail address. */
    restorePassword(identity, options) {
        const query = options?.channel === undefined ? '' : `?channel=${encodeURIComponent(options.channel)}`;
        return this.#request('GET', `users/restorepassword/${encodeURIComponent(identity)}${query}`, { headers: captcha(options) });
    }
    /** Sets a new password. This ends all of the user's sessions. */
    async resetPassword({ transactionId }, code, password, options) {
        await this.#plivo('resetPassword', { transactionId, code, password }, captcha(options));
    }
    /** Where the user is logged in. */
    sessions() {
        return this.#request('GET', 'users/sessions');
    }
    /** Ends one session. */
    async endSession(id) {
        await this.#request('DELETE', `users/sessions/${encodeURIComponent(id)}`);
    }
    /** Ends all sessions but this one, and makes all device tokens invalid. */
    async endOtherSessions() {
        const device = this.#storage.getItem(this.#deviceKey);
        await this.#request('DELETE', 'users/sessions');
        this.#forget(this.#deviceKey, device);
    }
    /** A JWT of five minutes for the app's back end. */
    jwt() {
        return this.#request('POST', 'users/token');
    }
    /** Sends an SMS or MMS. For servers only: the message key spends your money, so it must never be in a page or an app. */
    sendMessage(message, messageKey, { idempotencyKey } = {}) {
        return this.#plivo('sendMessage', message, { Authorization: `Bearer ${messageKey}`, 'Idempotency-Key': idempotencyKey });
    }
    get #session() {
        return readSession(this.#storage.getItem(this.#sessionKey));
    }
    /** Keeps the tokens that came with a user, if any. */
    #keep({ objectId, 'user-token': token, 'device-token': device }) {
        if (token)
            this.#storage.setItem(this.#sessionKey, JSON.stringify({ token, userId: objectId }));
        if (device)
            this.#storage.setItem(this.#deviceKey, device);
    }
    /** Deletes what is kept under a key, unless it was replaced while the request was under way. */
    #forget(key, kept) {
        if (this.#storage.getItem(key) === kept)
            this.#storage.removeItem(key);
    }
    /** The path of the own user. Without a session, the service refuses any. */
    #ownPath() {
        return `users/${encodeURIComponent(this.userId ?? '-')}`;
    }
    #plivo(method, body, headers) {
        return this.#request('POST', `services/Plivo/${method}`, { body, headers });
    }
    async #request(method, path, { body, headers } = {}) {
        const session = this.#storage.getItem(this.#sessionKey);
        const device = this.#rememberDevice ? this.#storage.getItem(this.#deviceKey) : null;
        const tokens = { 'user-token': readSession(session)?.token, 'device-token': device ?? undefined };
        const all = new Headers(body === undefined ? {} : { 'Content-Type': 'application/json' });
        for (const [name, value] of Object.entries({ ...tokens, ...headers })) {
            if (value !== undefined)
                all.set(name, value);
        }
        const [text, answer] = await this.#send(`${this.#url}/${path}`, { method, headers: all, body: JSON.stringify(body) });
        if (answer.ok)
            return parsed(text, answer);
        const error = refusal(text, answer);
        if (error.reason === 'session_invalid')
            this.#forget(this.#sessionKey, session);
        throw error;
    }
    /** The answer and its body. Whatever keeps it from arriving is an error of the network. */
    async #send(url, init) {
        try {
            const answer = await this.#fetch(url, init);
            return [await answer.text(), answer];
        }
        catch (cause) {
            throw new OtpostError('The service cannot be reached', 'network', 0, 0, undefined, { cause });
        }
    }
}
/** The session that the storage holds. What cannot be read is none. */
function readSession(kept) {
    try {
        const session = JSON.parse(kept ?? 'null');
        return typeof session?.token === 'string' ? session : undefined;
    }
    catch {
        return undefined;
    }
}
function captcha(options) {
    return { 'captcha-token': options?.captchaToken };
}
function parsed(text, answer) {
    try {
        return JSON.parse(text);
    }
    catch (cause) {
        throw unexpected(answer, { cause });
    }
}
/** What an answer that is no success says. */
function refusal(text, answer) {
    let body;
    try {
        body = JSON.parse(text);
    }
    catch (cause) {
        return unexpected(answer, { cause });
    }
    if (typeof body?.errorData?.reason !== 'string')
        return unexpected(answer);
    const { code, message, errorData } = body;
    const { hint } = errorData; // only the local stack gives hints
    const withHint = hint ? `${message}: ${hint}` : message;
    return new OtpostError(withHint, errorData.reason, answer.status, code, errorData.retryAfter ?? retryAfter(answer));
}
function unexpected(answer, options) {
    const message = `Unexpected answer with status ${answer.status}`;
    return new OtpostError(message, 'unexpected_answer', answer.status, 0, retryAfter(answer), options);
}
/** Seconds by the header `Retry-After`. */
function retryAfter(answer) {
    const header = answer.headers.get('Retry-After');
    return header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
}
function inMemory() {
    const kept = new Map();
    return {
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, value) => void kept.set(key, value),
        removeItem: (key) => void kept.delete(key),
    };
}
