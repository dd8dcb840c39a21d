/**
 * A small client for Otpost: one method per operation, the session's token, and errors with a stable reason.
 *
 * It never retries, since a retried start could send a second SMS.
 */

import type { components, operations } from './schema.js';

type Schemas = components['schemas'];
/** The body of an operation's successful answer. */
type Answer<Name extends keyof operations> =
  operations[Name] extends { responses: { 200: { content: { 'application/json': infer Body } } } } ? Body : never;

/** A user as the service returns it. The app's own properties stand beside these. */
export type User = Schemas['User'];

/** A user who has just logged in. */
export type LoggedInUser = User & { 'user-token': string };

/** A challenge that waits for the code that was sent. */
export type Transaction = Schemas['Transaction'];

/** What became of a code. Times are in epoch milliseconds of the service's clock. */
export type Status = Schemas['TransactionStatus'];

/** A login of the user on some device. */
export type Session = Schemas['Session'];

/** A JWT for the app's back end, and its life in seconds. */
export type Jwt = Answer<'issueJwt'>;

/** What Plivo answers to a message. */
export type PlivoAnswer = Answer<'sendMessage'>;

/** Why the service refused a request. Later versions may have more. */
export type Reason = Schemas['ErrorResponse']['errorData']['reason'];

/** `network`: no response arrived. `unexpected_answer`: the response did not come from Otpost (a proxy, for example). */
export type ClientReason = 'network' | 'unexpected_answer';

/** A request that failed. Base decisions on `reason`, which never changes. */
export class OtpostError extends Error {
  override readonly name = 'OtpostError';

  constructor(
    message: string,
    readonly reason: Reason | ClientReason,
    /** The HTTP status; 0 if no answer arrived. */
    readonly status: number,
    /** Backendless' code; 0 if there is none. */
    readonly code: number,
    /** Seconds until the same request may succeed. */
    readonly retryAfter?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Where the client keeps its tokens: `localStorage`, `sessionStorage`, or anything with these methods. */
export type TokenStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export interface OtpostOptions {
  /** The address of the service with its root, like `https://api.example.com/api`. */
  url: string;
  /** Replaces the global `fetch`. */
  fetch?: typeof fetch;
  /** Keeps the session and the device token. In memory by default. */
  storage?: TokenStorage;
  /** Asks for a device token, so that strangers cannot use up this device's limits. */
  rememberDevice?: boolean;
  /** The service's setting `PHONE_COLUMN`. */
  phoneColumn?: string;
}

/** For requests that may be refused with `captcha_required`. */
export interface CaptchaOptions {
  captchaToken?: string;
}

/** How a code is to come: by SMS, or by a call that reads the code that an SMS has brought before, where the service has calls. */
export type Channel = 'sms' | 'voice';

/** For requests that send a code. */
export interface StartOptions extends CaptchaOptions {
  /** `sms` by default. Without calls, the service sends an SMS whatever is asked for. */
  channel?: Channel;
}

/** The second step of a registration. The app's own properties may stand beside these. */
export type Registration = Schemas['Registration'] & Transaction & { transactionCode: string };

/** Changes of one's own user. A new password, or a new phone, needs `currentPassword` unless the login is fresh. */
export type UserChange = Schemas['UserChange'];

/** An SMS, or an MMS if it has media. */
export type Message = Omit<Schemas['Message'], 'idempotencyKey'>;

interface KeptSession {
  token: string;
  userId: string;
}

type RequestHeaders = Record<string, string | undefined>;

export class Otpost {
  readonly #url: string;
  readonly #fetch: typeof fetch;
  readonly #storage: TokenStorage;
  readonly #rememberDevice: boolean;
  readonly #phoneColumn: string;
  // The storage's keys. Clients of two services can share a storage, and must not send each other's tokens.
  readonly #sessionKey: string;
  readonly #deviceKey: string;

  constructor(options: OtpostOptions) {
    const { url, fetch = globalThis.fetch, storage = inMemory(), rememberDevice = false, phoneColumn = 'phoneNumber' } = options ?? {};
    if (typeof url !== 'string' || url === '') throw new TypeError("url is required: new Otpost({ url: 'https://api.example.com/api' })");
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
  get token(): string | undefined {
    return this.#session?.token;
  }

  /** The `objectId` of who is logged in. */
  get userId(): string | undefined {
    return this.#session?.userId;
  }

  /** Sends a code to a phone that is to be registered. */
  startRegistration(phoneNumber: string, options?: StartOptions): Promise<Transaction> {
    const body = { [this.#phoneColumn]: phoneNumber, channel: options?.channel };
    return this.#request('POST', 'users/register', { body, headers: captcha(options) });
  }

  /** Creates the user. It also logs in where the service's setting `SESSION_AFTER_REGISTRATION` says so: see `token`. */
  async finishRegistration({ phoneNumber, ...fields }: Registration, options?: CaptchaOptions): Promise<User> {
    const body = { [this.#phoneColumn]: phoneNumber, ...fields };
    const user = await this.#request<User>('POST', 'users/register', { body, headers: captcha(options) });
    this.#keep(user);
    return user;
  }

  /** Sends a code to a user's phone. The answer is the same for a phone without a user. */
  loginWithPhoneNumber(phoneNumber: string, options?: StartOptions): Promise<Transaction> {
    return this.#plivo('loginWithPhoneNumber', { phoneNumber, channel: options?.channel }, captcha(options));
  }

  /** Sends a code to a user's phone if the password is right. */
  loginWithPhoneNumberAndPassword(phoneNumber: string, password: string, options?: StartOptions): Promise<Transaction> {
    return this.#plivo('loginWithPhoneNumberAndPassword', { phoneNumber, password, channel: options?.channel }, captcha(options));
  }

  /** What became of the code that a start has sent. Ask every five seconds while the user waits. */
  status({ transactionId }: Transaction): Promise<Status> {
    return this.#request('GET', `services/Plivo/status/${encodeURIComponent(transactionId)}`);
  }

  /** Finishes either login, and keeps the session. */
  async loginWithCode({ transactionId }: Transaction, code: string, options?: CaptchaOptions): Promise<LoggedInUser> {
    const headers = captcha(options);
    if (this.#rememberDevice) headers['device-token'] = 'new';
    const user = await this.#plivo<LoggedInUser>('loginWithCode', { transactionId, code }, headers);
    this.#keep(user);
    return user;
  }

  /** Ends the session. */
  async logout(): Promise<void> {
    const session = this.#storage.getItem(this.#sessionKey);
    await this.#request('GET', 'users/logout');
    this.#forget(this.#sessionKey, session);
  }

  /** Whether the kept session is alive. */
  async isValid(): Promise<boolean> {
    if (this.token === undefined) return false;
    try {
      await this.me(); // not users/isvalidusertoken/{token}, since proxies log paths
      return true;
    } catch (error) {
      if (error instanceof OtpostError && error.reason === 'session_invalid') return false;
      throw error;
    }
  }

  /** The user who is logged in. */
  me(): Promise<User> {
    return this.#request('GET', 'users/me');
  }

  /** Changes properties, or the password. Pass `updated` of the user that you read to be refused if it has changed since. */
  update(change: UserChange): Promise<User> {
    return this.#request('PUT', this.#ownPath(), { body: change });
  }

  /** Sends a code to the user's new phone. */
  startPhoneChange(
    phoneNumber: string,
    { currentPassword, channel, ...options }: StartOptions & { currentPassword?: string } = {},
  ): Promise<User & Transaction> {
    const body = { [this.#phoneColumn]: phoneNumber, currentPassword, channel };
    return this.#request('PUT', this.#ownPath(), { body, headers: captcha(options) });
  }

  /** Changes the phone. */
  finishPhoneChange(phoneNumber: string, { transactionId }: Transaction, transactionCode: string, options?: CaptchaOptions): Promise<User> {
    const body = { [this.#phoneColumn]: phoneNumber, transactionId, transactionCode };
    return this.#request('PUT', this.#ownPath(), { body, headers: captcha(options) });
  }

  /** Deletes the user, within ten minutes of a login. */
  async deleteAccount(): Promise<Answer<'deleteUser'>> {
    const [session, device] = [this.#storage.getItem(this.#sessionKey), this.#storage.getItem(this.#deviceKey)];
    const deleted = await this.#request<Answer<'deleteUser'>>('DELETE', this.#ownPath());
    this.#forget(this.#sessionKey, session);
    this.#forget(this.#deviceKey, device);
    return deleted;
  }

  /** Everything that the service keeps about the user. */
  export(): Promise<Answer<'exportUser'>> {
    return this.#request('GET', 'users/export');
  }

  /** Whether this is the user's password. */
  async verifyPassword(password: string): Promise<boolean> {
    const { valid } = await this.#request<Answer<'verifyPassword'>>('POST', 'users/verifypassword', { body: { password } });
    return valid;
  }

  /** Sends a code for a new password to the phone of the user with this phone number or e-mail address. */
  restorePassword(identity: string, options?: StartOptions): Promise<Transaction> {
    const query = options?.channel === undefined ? '' : `?channel=${encodeURIComponent(options.channel)}`;
    return this.#request('GET', `users/restorepassword/${encodeURIComponent(identity)}${query}`, { headers: captcha(options) });
  }

  /** Sets a new password. This ends all of the user's sessions. */
  async resetPassword({ transactionId }: Transaction, code: string, password: string, options?: CaptchaOptions): Promise<void> {
    await this.#plivo('resetPassword', { transactionId, code, password }, captcha(options));
  }

  /** Where the user is logged in. */
  sessions(): Promise<Session[]> {
    return this.#request('GET', 'users/sessions');
  }

  /** Ends one session. */
  async endSession(id: string): Promise<void> {
    await this.#request('DELETE', `users/sessions/${encodeURIComponent(id)}`);
  }

  /** Ends all sessions but this one, and makes all device tokens invalid. */
  async endOtherSessions(): Promise<void> {
    const device = this.#storage.getItem(this.#deviceKey);
    await this.#request('DELETE', 'users/sessions');
    this.#forget(this.#deviceKey, device);
  }

  /** A JWT of five minutes for the app's back end. */
  jwt(): Promise<Jwt> {
    return this.#request('POST', 'users/token');
  }

  /** Sends an SMS or MMS. For servers only: the message key spends your money, so it must never be in a page or an app. */
  sendMessage(message: Message, messageKey: string, { idempotencyKey }: { idempotencyKey?: string } = {}): Promise<PlivoAnswer> {
    return this.#plivo('sendMessage', message, { Authorization: `Bearer ${messageKey}`, 'Idempotency-Key': idempotencyKey });
  }

  get #session(): KeptSession | undefined {
    return readSession(this.#storage.getItem(this.#sessionKey));
  }

  /** Keeps the tokens that came with a user, if any. */
  #keep({ objectId, 'user-token': token, 'device-token': device }: User): void {
    if (token) this.#storage.setItem(this.#sessionKey, JSON.stringify({ token, userId: objectId } satisfies KeptSession));
    if (device) this.#storage.setItem(this.#deviceKey, device);
  }

  /** Deletes what is kept under a key, unless it was replaced while the request was under way. */
  #forget(key: string, kept: string | null): void {
    if (this.#storage.getItem(key) === kept) this.#storage.removeItem(key);
  }

  /** The path of the own user. Without a session, the service refuses any. */
  #ownPath(): string {
    return `users/${encodeURIComponent(this.userId ?? '-')}`;
  }

  #plivo<Body>(method: string, body: unknown, headers: RequestHeaders): Promise<Body> {
    return this.#request('POST', `services/Plivo/${method}`, { body, headers });
  }

  async #request<Body>(method: string, path: string, { body, headers }: { body?: unknown; headers?: RequestHeaders } = {}): Promise<Body> {
    const session = this.#storage.getItem(this.#sessionKey);
    const device = this.#rememberDevice ? this.#storage.getItem(this.#deviceKey) : null;
    const tokens = { 'user-token': readSession(session)?.token, 'device-token': device ?? undefined };
    const all = new Headers(body === undefined ? {} : { 'Content-Type': 'application/json' });
    for (const [name, value] of Object.entries({ ...tokens, ...headers })) {
      if (value !== undefined) all.set(name, value);
    }
    const [text, answer] = await this.#send(`${this.#url}/${path}`, { method, headers: all, body: JSON.stringify(body) });
    if (answer.ok) return parsed(text, answer);
    const error = refusal(text, answer);
    if (error.reason === 'session_invalid') this.#forget(this.#sessionKey, session);
    throw error;
  }

  /** The answer and its body. Whatever keeps it from arriving is an error of the network. */
  async #send(url: string, init: RequestInit): Promise<[string, Response]> {
    try {
      const answer = await this.#fetch(url, init);
      return [await answer.text(), answer];
    } catch (cause) {
      throw new OtpostError('The service cannot be reached', 'network', 0, 0, undefined, { cause });
    }
  }
}

/** The session that the storage holds. What cannot be read is none. */
function readSession(kept: string | null): KeptSession | undefined {
  try {
    const session = JSON.parse(kept ?? 'null');
    return typeof session?.token === 'string' ? session : undefined;
  } catch {
    return undefined;
  }
}

function captcha(options?: CaptchaOptions): RequestHeaders {
  return { 'captcha-token': options?.captchaToken };
}

function parsed<Body>(text: string, answer: Response): Body {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unexpected(answer, { cause });
  }
}

/** What an answer that is no success says. */
function refusal(text: string, answer: Response): OtpostError {
  let body;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    return unexpected(answer, { cause });
  }
  if (typeof body?.errorData?.reason !== 'string') return unexpected(answer);
  const { code, message, errorData } = body as Schemas['ErrorResponse'];
  const { hint } = errorData as { hint?: string }; // only the local stack gives hints
  const withHint = hint ? `${message}: ${hint}` : message;
  return new OtpostError(withHint, errorData.reason, answer.status, code, errorData.retryAfter ?? retryAfter(answer));
}

function unexpected(answer: Response, options?: ErrorOptions): OtpostError {
  const message = `Unexpected answer with status ${answer.status}`;
  return new OtpostError(message, 'unexpected_answer', answer.status, 0, retryAfter(answer), options);
}

/** Seconds by the header `Retry-After`. */
function retryAfter(answer: Response): number | undefined {
  const header = answer.headers.get('Retry-After');
  return header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
}

function inMemory(): TokenStorage {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}
