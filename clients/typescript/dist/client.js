/**
 * A small client for Otpost: one method per operation, the session's token, and errors with a stable reason.
 *
 * It repeats no request by itself, since a repeated start could send a second SMS.
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
const SESSION = 'otpost.session';
const DEVICE = 'otpost.device-token';
export class Otpost {
    #url;
    #fetch;
    #storage;
    #rememberDevice;
    #phoneColumn;
    constructor({ url, fetch = globalThis.fetch, storage = inMemory(), rememberDevice = false, phoneColumn = 'phoneNumber' }) {
        this.#url = url.replace(/\/+$/, '');
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
        return this.#request('POST', 'users/register', { body: { [this.#phoneColumn]: phoneNumber }, headers: captcha(options) });
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
        return this.#plivo('loginWithPhoneNumber', { phoneNumber }, captcha(options));
    }
    /** Sends a code to a user's phone if the password is right. */
    loginWithPhoneNumberAndPassword(phoneNumber, password, options) {
        return this.#plivo('loginWithPhoneNumberAndPassword', { phoneNumber, password }, captcha(options));
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
        await this.#request('GET', 'users/logout');
        this.#forgetSession();
    }
    /** Whether the kept session is alive. */
    async isValid() {
        const { token } = this;
        if (token === undefined)
            return false;
        const isValid = await this.#request('GET', `users/isvalidusertoken/${encodeURIComponent(token)}`);
        if (!isValid)
            this.#forgetSession(token);
        return isValid;
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
    startPhoneChange(phoneNumber, { currentPassword, ...options } = {}) {
        const body = { [this.#phoneColumn]: phoneNumber, currentPassword };
        return this.#request('PUT', this.#ownPath(), { body, headers: captcha(options) });
    }
    /** Changes the phone. */
    finishPhoneChange(phoneNumber, { transactionId }, transactionCode, options) {
        const body = { [this.#phoneColumn]: phoneNumber, transactionId, transactionCode };
        return this.#request('PUT', this.#ownPath(), { body, headers: captcha(options) });
    }
    /** Deletes the user, within ten minutes of a login. */
    async deleteAccount() {
        const deleted = await this.#request('DELETE', this.#ownPath());
        this.#forgetSession();
        this.#storage.removeItem(DEVICE);
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
        return this.#request('GET', `users/restorepassword/${encodeURIComponent(identity)}`, { headers: captcha(options) });
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
        await this.#request('DELETE', 'users/sessions');
        this.#storage.removeItem(DEVICE);
    }
    /** A JWT of five minutes for the app's back end. */
    jwt() {
        return this.#request('POST', 'users/token');
    }
    /** Sends an SMS or MMS. For servers only: the message key spends your money, so it must never be in a page or an app. */
    sendMessage(message, messageKey, { idempotencyKey } = {}) {
        const mediaUrls = message.mediaUrls?.map(encodeURIComponent).join(',');
        const headers = { Authorization: `Bearer ${messageKey}`, 'Idempotency-Key': idempotencyKey };
        return this.#plivo('sendMessage', { ...message, mediaUrls }, headers);
    }
    get #session() {
        const kept = this.#storage.getItem(SESSION);
        return kept === null ? undefined : JSON.parse(kept);
    }
    /** Keeps the tokens that came with a user, if any. */
    #keep({ objectId, 'user-token': token, 'device-token': device }) {
        if (token)
            this.#storage.setItem(SESSION, JSON.stringify({ token, userId: objectId }));
        if (device)
            this.#storage.setItem(DEVICE, device);
    }
    /** Drops the session, unless another one has taken its place. */
    #forgetSession(token = this.token) {
        if (token === this.token)
            this.#storage.removeItem(SESSION);
    }
    /** The path of the own user. Without a session, the service refuses any. */
    #ownPath() {
        return `users/${encodeURIComponent(this.userId ?? '-')}`;
    }
    #plivo(method, body, headers) {
        return this.#request('POST', `services/Plivo/${method}`, { body, headers });
    }
    async #request(method, path, { body, headers } = {}) {
        const { token } = this;
        const device = this.#rememberDevice ? this.#storage.getItem(DEVICE) : null;
        const tokens = { 'user-token': token, 'device-token': device ?? undefined };
        const all = new Headers(body === undefined ? {} : { 'Content-Type': 'application/json' });
        for (const [name, value] of Object.entries({ ...tokens, ...headers })) {
            if (value !== undefined)
                all.set(name, value);
        }
        const [text, answer] = await this.#send(`${this.#url}/${path}`, { method, headers: all, body: JSON.stringify(body) });
        if (answer.ok)
            return parsed(text, answer);
        const error = refusal(text, answer);
        if (error.reason === 'session_invalid' && token !== undefined)
            this.#forgetSession(token);
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
    return new OtpostError(message, errorData.reason, answer.status, code, errorData.retryAfter ?? retryAfter(answer));
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
