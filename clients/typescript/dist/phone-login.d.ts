/**
 * `<phone-login>`: a form that logs a user in, or registers one, by a code sent by SMS or read aloud in a call.
 *
 * It needs no style and no script in the page, so it works under a strict Content-Security-Policy.
 */
import { Otpost, OtpostError, type ClientReason, type Reason, type User } from './client.js';
/** What the form says. A page can replace any of it before the element is connected. */
export declare const texts: {
    logIn: string;
    register: string;
    country: string;
    phoneNumber: string;
    email: string;
    password: string;
    passwordHint: string;
    code: string;
    sendCode: string;
    createAccount: string;
    toRegister: string;
    toLogIn: string;
    otherNumber: string;
    resend: string;
    resendIn: (time: string) => string;
    callMe: string;
    sent: (number: string) => string;
    sentIfKnown: (number: string) => string;
    sentAgain: string;
    called: string;
    onItsWay: string;
    delivered: string;
    /** `message` is the service's, in English; `reason` is one of docs/status.md. */
    notDelivered: (message: string, _reason?: string) => string;
    expired: string;
    canResend: string;
    registered: string;
    sentToLogIn: string;
    loggedIn: string;
    tryAgain: (when: string) => string;
};
/** What the form says when a request is refused, or a field is empty, by reason. A page can replace these, too. */
export declare const messages: Partial<Record<Reason | ClientReason | 'phone_number_missing', string>> & {
    fallback: string;
};
type Flow = 'login' | 'register';
type CaptchaAction = 'register' | 'login' | 'second_factor' | 'code';
/** The element's own events. The user of `login` and `register` has no tokens: the `client` keeps them. */
export interface PhoneLoginEventMap extends Omit<HTMLElementEventMap, 'error'> {
    login: CustomEvent<User>;
    register: CustomEvent<User>;
    error: CustomEvent<OtpostError>;
}
export interface PhoneLogin {
    addEventListener<Type extends keyof PhoneLoginEventMap>(type: Type, listener: (this: PhoneLogin, event: PhoneLoginEventMap[Type]) => unknown, options?: boolean | AddEventListenerOptions): void;
    addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}
/**
 * Attributes:
 * - `api`: the service's address with its root; `/api` by default.
 * - `mode`: `login` (the default) or `register`.
 * - `countries`: those to choose from, like `US,CA`; `country`: the one that is selected first.
 * - `fields`: what a registration asks for besides the code; `email password` by default.
 * - `two-factor`: log in with password and code.
 *
 * Events: `login` and `register`, whose detail is the user without the tokens, which the `client` keeps; `error`, whose detail is an
 * `OtpostError`. Cancel `register` to stop the login that follows.
 */
export declare class PhoneLogin extends HTMLElement {
    #private;
    static readonly observedAttributes: string[];
    /** Gets a captcha token when the service asks for one. */
    captcha?: (action: CaptchaAction) => Promise<string>;
    constructor();
    /** The client that the form uses. A page can set its own, to share the session. */
    get client(): Otpost;
    set client(client: Otpost);
    /** `login` or `register`. */
    get mode(): Flow;
    set mode(mode: Flow);
    connectedCallback(): void;
    disconnectedCallback(): void;
    attributeChangedCallback(name: string, before: string | null, after: string | null): void;
    /** Begins anew, with the number. */
    reset(): void;
}
declare global {
    interface HTMLElementTagNameMap {
        'phone-login': PhoneLogin;
    }
}
export {};
