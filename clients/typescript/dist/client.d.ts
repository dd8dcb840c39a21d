/**
 * A small client for Otpost: one method per operation, the session's token, and errors with a stable reason.
 *
 * It never retries, since a retried start could send a second SMS.
 */
import type { components, operations } from './schema.js';
type Schemas = components['schemas'];
/** The body of an operation's successful answer. */
type Answer<Name extends keyof operations> = operations[Name] extends {
    responses: {
        200: {
            content: {
                'application/json': infer Body;
            };
        };
    };
} ? Body : never;
/** A user as the service returns it. The app's own properties stand beside these. */
export type User = Schemas['User'];
/** A user who has just logged in. */
export type LoggedInUser = User & {
    'user-token': string;
};
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
export declare class OtpostError extends Error {
    readonly reason: Reason | ClientReason;
    /** The HTTP status; 0 if no answer arrived. */
    readonly status: number;
    /** Backendless' code; 0 if there is none. */
    readonly code: number;
    /** Seconds until the same request may succeed. */
    readonly retryAfter?: number | undefined;
    readonly name = "OtpostError";
    constructor(message: string, reason: Reason | ClientReason, 
    /** The HTTP status; 0 if no answer arrived. */
    status: number, 
    /** Backendless' code; 0 if there is none. */
    code: number, 
    /** Seconds until the same request may succeed. */
    retryAfter?: number | undefined, options?: ErrorOptions);
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
export type Registration = Schemas['Registration'] & Transaction & {
    transactionCode: string;
};
/** Changes of one's own user. A new password, or a new phone, needs `currentPassword` unless the login is fresh. */
export type UserChange = Schemas['UserChange'];
/** An SMS, or an MMS if it has media. */
export type Message = Omit<Schemas['Message'], 'idempotencyKey'>;
export declare class Otpost {
    #private;
    constructor(options: OtpostOptions);
    /** The session's token, if somebody is logged in. */
    get token(): string | undefined;
    /** The `objectId` of who is logged in. */
    get userId(): string | undefined;
    /** Sends a code to a phone that is to be registered. */
    startRegistration(phoneNumber: string, options?: StartOptions): Promise<Transaction>;
    /** Creates the user. It also logs in where the service's setting `SESSION_AFTER_REGISTRATION` says so: see `token`. */
    finishRegistration({ phoneNumber, ...fields }: Registration, options?: CaptchaOptions): Promise<User>;
    /** Sends a code to a user's phone. The answer is the same for a phone without a user. */
    loginWithPhoneNumber(phoneNumber: string, options?: StartOptions): Promise<Transaction>;
    /** Sends a code to a user's phone if the password is right. */
    loginWithPhoneNumberAndPassword(phoneNumber: string, password: string, options?: StartOptions): Promise<Transaction>;
    /** What became of the code that a start has sent. Ask every five seconds while the user waits. */
    status({ transactionId }: Transaction): Promise<Status>;
    /** Finishes either login, and keeps the session. */
    loginWithCode({ transactionId }: Transaction, code: string, options?: CaptchaOptions): Promise<LoggedInUser>;
    /** Ends the session. */
    logout(): Promise<void>;
    /** Whether the kept session is alive. */
    isValid(): Promise<boolean>;
    /** The user who is logged in. */
    me(): Promise<User>;
    /** Changes properties, or the password. Pass `updated` of the user that you read to be refused if it has changed since. */
    update(change: UserChange): Promise<User>;
    /** Sends a code to the user's new phone. */
    startPhoneChange(phoneNumber: string, { currentPassword, channel, ...options }?: StartOptions & {
        currentPassword?: string;
    }): Promise<User & Transaction>;
    /** Changes the phone. */
    finishPhoneChange(phoneNumber: string, { transactionId }: Transaction, transactionCode: string, options?: CaptchaOptions): Promise<User>;
    /** Deletes the user, within ten minutes of a login. */
    deleteAccount(): Promise<Answer<'deleteUser'>>;
    /** Everything that the service keeps about the user. */
    export(): Promise<Answer<'exportUser'>>;
    /** Whether this is the user's password. */
    verifyPassword(password: string): Promise<boolean>;
    /** Sends a code for a new password to the phone of the user with this phone number or e-mail address. */
    restorePassword(identity: string, options?: StartOptions): Promise<Transaction>;
    /** Sets a new password. This ends all of the user's sessions. */
    resetPassword({ transactionId }: Transaction, code: string, password: string, options?: CaptchaOptions): Promise<void>;
    /** Where the user is logged in. */
    sessions(): Promise<Session[]>;
    /** Ends one session. */
    endSession(id: string): Promise<void>;
    /** Ends all sessions but this one, and makes all device tokens invalid. */
    endOtherSessions(): Promise<void>;
    /** A JWT of five minutes for the app's back end. */
    jwt(): Promise<Jwt>;
    /** Sends an SMS or MMS. For servers only: the message key spends your money, so it must never be in a page or an app. */
    sendMessage(message: Message, messageKey: string, { idempotencyKey }?: {
        idempotencyKey?: string;
    }): Promise<PlivoAnswer>;
}
export {};
