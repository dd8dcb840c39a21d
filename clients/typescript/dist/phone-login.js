/**
 * `<phone-login>`: a form that logs a user in, or registers one, by a code sent by SMS or read aloud in a call.
 *
 * It needs no style and no script in the page, so it works under a strict Content-Security-Policy.
 */
import { Otpost, OtpostError, } from './client.js';
/** What the form says. A page can replace any of it before the element is connected. */
export const texts = {
    logIn: 'Log in',
    register: 'Create an account',
    country: 'Country',
    phoneNumber: 'Phone number',
    email: 'E-mail address',
    password: 'Password',
    passwordHint: 'At least 8 characters',
    code: 'Code',
    sendCode: 'Send code',
    createAccount: 'Create account',
    toRegister: 'No account yet? Create one',
    toLogIn: 'Have an account? Log in',
    otherNumber: 'Use another number',
    resend: 'Send the code again',
    resendIn: (time) => `Send again in ${time}`,
    callMe: 'Call me instead',
    sent: (number) => `We have sent a code to ${number}.`,
    sentIfKnown: (number) => `If ${number} has an account, we have sent it a code.`,
    sentAgain: 'We have sent the code again.',
    called: 'A call is on its way. Answer it to hear the code.',
    onItsWay: 'On its way.',
    delivered: 'Delivered.',
    /** `message` is the service's, in English; `reason` is one of docs/status.md. */
    notDelivered: (message, _reason) => `Not delivered: ${message}`,
    expired: 'The code is no longer valid. Ask for a new one.',
    canResend: 'You can ask for the code again.',
    registered: 'Your account is ready.',
    sentToLogIn: 'We have sent you another code to log in.',
    loggedIn: 'You are logged in.',
    tryAgain: (when) => `Try again ${when}.`,
};
/** What the form says when a request is refused, or a field is empty, by reason. A page can replace these, too. */
export const messages = {
    network: 'There is no connection. Check it, then try again.',
    phone_number_missing: 'Enter your phone number.',
    invalid_phone_number: 'This is not a valid phone number.',
    number_not_served: 'We cannot send codes to this kind of number.',
    country_not_served: 'We do not send codes to this country.',
    sms_rejected: 'We cannot send codes to this number.',
    invalid_code: 'Enter all digits of the code.',
    code_rejected: 'This code is wrong, or no longer valid.',
    login_rejected: 'The phone number or the password is wrong.',
    invalid_email: 'This is not a valid e-mail address.',
    identity_missing: 'Enter your e-mail address.',
    password_missing: 'Enter a password.',
    password_too_short: 'The password needs at least 8 characters.',
    password_too_long: 'The password has more than 128 characters.',
    password_not_printable: 'The password holds a character that cannot be typed.',
    password_too_common: 'Too many people use this password. Choose another.',
    password_known: 'The password must not hold your phone number, your e-mail address or our name.',
    user_exists: 'There is an account with this phone number or e-mail address already.',
    user_disabled: 'This account is disabled.',
    captcha_required: 'We could not tell that you are a person.',
    too_many_messages: 'No further code can be sent to this number yet.',
    too_many_starts: 'There were too many attempts from your network.',
    too_many_passwords: 'There were too many wrong passwords.',
    too_many_wrong_codes: 'There were too many wrong codes.',
    sms_unknown: 'The code may not arrive. Wait a little, then send it again.',
    sms_unavailable: 'We cannot send codes at the moment.',
    budget_spent: 'We cannot send codes at the moment.',
    numbers_suspended: 'We cannot send codes to this number at the moment.',
    switched_off: 'This is switched off at the moment.',
    fallback: 'Something went wrong. Try again later.',
};
/** The fields that the reasons are about. */
const FIELD_OF_REASON = {
    invalid_phone_number: 'phoneNumber',
    number_not_served: 'phoneNumber',
    country_not_served: 'phoneNumber',
    sms_rejected: 'phoneNumber',
    invalid_code: 'code',
    code_rejected: 'code',
    login_rejected: 'password',
    invalid_email: 'email',
    identity_missing: 'email',
    password_missing: 'password',
    password_too_short: 'password',
    password_too_long: 'password',
    password_not_printable: 'password',
    password_too_common: 'password',
    password_known: 'password',
};
/** What is missing if a field is empty. */
const IF_EMPTY = {
    phoneNumber: 'phone_number_missing',
    code: 'invalid_code',
    email: 'identity_missing',
    password: 'password_missing',
};
/** Each calling code, and the countries that use it. */
const CALLING_CODES = `
1 AG AI AS BB BM BS CA DM DO GD GU JM KN KY LC MP MS PR SX TC TT US VC VG VI,7 KZ RU,20 EG,27 ZA,30 GR,31 NL,32 BE,33 FR,34 ES,36 HU,39 IT VA,
40 RO,41 CH,43 AT,44 GB GG IM JE,45 DK,46 SE,47 NO SJ,48 PL,49 DE,51 PE,52 MX,53 CU,54 AR,55 BR,56 CL,57 CO,58 VE,60 MY,61 AU CC CX,62 ID,63 PH,
64 NZ,65 SG,66 TH,81 JP,82 KR,84 VN,86 CN,90 TR,91 IN,92 PK,93 AF,94 LK,95 MM,98 IR,211 SS,212 EH MA,213 DZ,216 TN,218 LY,220 GM,221 SN,222 MR,
223 ML,224 GN,225 CI,226 BF,227 NE,228 TG,229 BJ,230 MU,231 LR,232 SL,233 GH,234 NG,235 TD,236 CF,237 CM,238 CV,239 ST,240 GQ,241 GA,242 CG,
243 CD,244 AO,245 GW,246 IO,247 AC,248 SC,249 SD,250 RW,251 ET,252 SO,253 DJ,254 KE,255 TZ,256 UG,257 BI,258 MZ,260 ZM,261 MG,262 RE YT,263 ZW,
264 NA,265 MW,266 LS,267 BW,268 SZ,269 KM,290 SH TA,291 ER,297 AW,298 FO,299 GL,350 GI,351 PT,352 LU,353 IE,354 IS,355 AL,356 MT,357 CY,358 AX FI,
359 BG,370 LT,371 LV,372 EE,373 MD,374 AM,375 BY,376 AD,377 MC,378 SM,380 UA,381 RS,382 ME,383 XK,385 HR,386 SI,387 BA,389 MK,420 CZ,421 SK,423 LI,
500 FK,501 BZ,502 GT,503 SV,504 HN,505 NI,506 CR,507 PA,508 PM,509 HT,590 BL GP MF,591 BO,592 GY,593 EC,594 GF,595 PY,596 MQ,597 SR,598 UY,
599 BQ CW,670 TL,672 NF,673 BN,674 NR,675 PG,676 TO,677 SB,678 VU,679 FJ,680 PW,681 WF,682 CK,683 NU,685 WS,686 KI,687 NC,688 TV,689 PF,690 TK,
691 FM,692 MH,850 KP,852 HK,853 MO,855 KH,856 LA,880 BD,886 TW,960 MV,961 LB,962 JO,963 SY,964 IQ,965 KW,966 SA,967 YE,968 OM,970 PS,971 AE,972 IL,
973 BH,974 QA,975 BT,976 MN,977 NP,992 TJ,993 TM,994 AZ,995 GE,996 KG,998 UZ`;
const CALLING_CODE_OF = new Map(CALLING_CODES.trim().split(/,\s*/).flatMap((entry) => {
    const [code, ...countries] = entry.split(' ');
    return countries.map((country) => [country, code]);
}));
/** The wait before the same phone can get another code, in seconds, until the service has told it. */
const FIRST_WAIT = 30;
/** How often the form asks what became of the code, in milliseconds. */
const POLL_INTERVAL = 5000;
const styles = new CSSStyleSheet();
styles.replaceSync(`
:host {
  --_text: var(--phone-login-text, #1e2423);
  --_soft: var(--phone-login-soft, #5b6461);
  --_ground: var(--phone-login-ground, #ffffff);
  --_line: var(--phone-login-line, #8b9390);
  --_accent: var(--phone-login-accent, #1f6f63);
  --_on-accent: var(--phone-login-on-accent, #ffffff);
  --_error: var(--phone-login-error, #b3261e);
  --_radius: var(--phone-login-radius, .6rem);
  display: block;
  max-width: 24rem;
  color: var(--_text);
  color-scheme: light;
  line-height: 1.5;
}
@media (prefers-color-scheme: dark) {
  :host {
    --_text: var(--phone-login-text, #e8ecea);
    --_soft: var(--phone-login-soft, #a0aaa6);
    --_ground: var(--phone-login-ground, #1b201f);
    --_line: var(--phone-login-line, #717a77);
    --_accent: var(--phone-login-accent, #6cc5b4);
    --_on-accent: var(--phone-login-on-accent, #0d2420);
    --_error: var(--phone-login-error, #f2b8b5);
    color-scheme: dark;
  }
}
:host([hidden]), [hidden] { display: none; }
*, ::before, ::after { box-sizing: border-box; }
h2 { margin: 0 0 1rem; font-size: 1.375rem; line-height: 1.25; }
h2:focus { outline: none; }
form { display: grid; gap: 1rem; }
.field { display: grid; }
label { margin-bottom: .25rem; font-weight: 600; }
p { margin: 0; overflow-wrap: anywhere; }
.notes p { margin-top: .25rem; }
.hint, .status { color: var(--_soft); font-size: .9375rem; }
.status span { display: block; }
.status:not(:empty), .alert:not(:empty) { margin-bottom: 1rem; }
.error, .alert { color: var(--_error); font-size: .9375rem; }
.error:empty, .status span:empty { display: none; }
input, select, button { font: inherit; min-height: 2.75rem; border-radius: var(--_radius); }
input, select {
  width: 100%;
  min-width: 0;
  padding: .5rem .75rem;
  border: 1px solid var(--_line);
  background: var(--_ground);
  color: inherit;
  font-size: max(1rem, 16px);
}
/* An arrow of its own, since the browser's touches the border. No image, which a Content-Security-Policy could forbid. */
select {
  appearance: none;
  padding-right: 2.5rem;
  background-image:
    linear-gradient(45deg, transparent 45%, currentColor 55%),
    linear-gradient(-45deg, transparent 45%, currentColor 55%);
  background-position: right 1.25rem center, right .875rem center;
  background-size: .375rem .375rem;
  background-repeat: no-repeat;
}
input[aria-invalid=true] { border-color: var(--_error); box-shadow: inset 0 0 0 1px var(--_error); }
input[aria-invalid=true] + .notes .hint { display: none; }
input[autocomplete=one-time-code] { font-size: 1.375rem; letter-spacing: .25em; font-variant-numeric: tabular-nums; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
button { padding: .5rem 1rem; border: 1px solid transparent; cursor: pointer; }
button[type=submit] { background: var(--_accent); color: var(--_on-accent); font-weight: 600; }
button[type=button] { background: none; color: var(--_accent); text-decoration: underline; text-underline-offset: .2em; }
button:disabled { color: var(--_soft); text-decoration: none; cursor: default; font-variant-numeric: tabular-nums; }
form[aria-busy=true] button { cursor: progress; }
.others { display: flex; flex-wrap: wrap; justify-content: center; gap: 0 .5rem; }
`);
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
export class PhoneLogin extends HTMLElement {
    static observedAttributes = ['api', 'mode', 'countries', 'country', 'fields', 'two-factor'];
    /** Gets a captcha token when the service asks for one. */
    captcha;
    #title = create('h2', { id: 'title', part: 'title', tabindex: '-1' });
    #form = create('form', { 'aria-labelledby': 'title', novalidate: '' });
    #alert = create('p', { role: 'alert', class: 'alert', part: 'error' });
    #status = create('p', { role: 'status', 'aria-atomic': 'false', class: 'status', part: 'status' });
    #sent = create('span', {});
    #delivery = create('span', {});
    #canResend = create('span', {});
    #client;
    #ownClient;
    #inputs = new Map();
    #countries = create('select', { id: 'country', autocomplete: 'tel-country-code' });
    #resend = create('button', {});
    #call = create('button', {});
    #typedNumber = '';
    #challenge;
    #busy = false;
    #resendTime = 0;
    #pollTime = Infinity;
    #retryAt;
    #timer;
    #otp;
    constructor() {
        super();
        const root = this.attachShadow({ mode: 'open' });
        root.adoptedStyleSheets = [styles];
        root.append(this.#title, this.#status, this.#alert, this.#form);
    }
    /** The client that the form uses. A page can set its own, to share the session. */
    get client() {
        return this.#client ?? (this.#ownClient ??= new Otpost({ url: this.getAttribute('api') ?? '/api' }));
    }
    set client(client) {
        this.#client = client;
    }
    /** `login` or `register`. */
    get mode() {
        return flowOf(this.getAttribute('mode'));
    }
    set mode(mode) {
        this.setAttribute('mode', mode);
    }
    connectedCallback() {
        if (this.#isShown())
            this.#resume();
        else
            this.reset();
    }
    disconnectedCallback() {
        this.#leaveStep();
    }
    attributeChangedCallback(name, before, after) {
        const isSame = name === 'mode' ? flowOf(before) === flowOf(after) : before === after;
        if (isSame)
            return; // a code that was sent must not be lost
        if (name === 'api')
            this.#ownClient = undefined;
        if (this.isConnected || this.#isShown())
            this.reset();
    }
    /** Begins anew, with the number. */
    reset() {
        const isRegistration = this.mode === 'register';
        const asksPassword = !isRegistration && this.hasAttribute('two-factor');
        this.#showStep(isRegistration ? texts.register : texts.logIn, () => this.#submitNumber());
        this.#fillCountries();
        const number = this.#input('phoneNumber', { type: 'tel', autocomplete: 'tel-national' });
        number.value = this.#typedNumber;
        this.#form.append(labelled(texts.country, this.#countries), this.#field(texts.phoneNumber, number), ...(asksPassword ? [this.#field(texts.password, this.#input('password', { type: 'password', autocomplete: 'current-password' }))] : []), submit(texts.sendCode), others(this.#link(isRegistration ? texts.toLogIn : texts.toRegister, 'switch', () => this.#switchMode())));
    }
    #showCode(challenge, sent) {
        const isRegistration = challenge.flow === 'register';
        this.#showStep(isRegistration ? texts.register : texts.logIn, () => this.#submitCode(challenge));
        const code = this.#input('code', { type: 'text', inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: '12', spellcheck: 'false' });
        this.#resend = this.#link(texts.resend, 'link', () => this.#sendAgain(challenge, 'sms'));
        this.#call = this.#link(texts.callMe, 'link', () => this.#sendAgain(challenge, 'voice'));
        this.#call.hidden = true;
        this.#form.append(this.#field(texts.code, code), ...(isRegistration ? this.#accountFields() : []), submit(isRegistration ? texts.createAccount : texts.logIn), others(this.#resend, this.#call, this.#link(texts.otherNumber, 'link', () => this.#backToNumber())));
        this.#challenge = challenge;
        this.#sent.textContent = sent;
        this.#delivery.textContent = '';
        this.#status.replaceChildren(this.#sent, this.#delivery, this.#canResend);
        this.#retryAt = undefined;
        this.#pollTime = 0;
        this.#countDown(Date.now() + FIRST_WAIT * 1000);
        code.focus();
        this.#resume();
    }
    /** What a registration asks for besides the code. */
    #accountFields() {
        const asked = this.getAttribute('fields') ?? 'email password';
        const fields = [];
        if (asked.includes('email'))
            fields.push(this.#field(texts.email, this.#input('email', { type: 'email', autocomplete: 'email' })));
        if (asked.includes('password')) {
            fields.push(this.#field(texts.password, this.#input('password', { type: 'password', autocomplete: 'new-password' }), texts.passwordHint));
        }
        return fields;
    }
    #showDone() {
        this.#showStep(texts.loggedIn, async () => { });
        this.#title.focus();
    }
    /** Replaces what the form shows. */
    #showStep(title, onSubmit) {
        this.#leaveStep();
        this.#challenge = undefined;
        this.#title.textContent = title;
        this.#inputs.clear();
        this.#form.replaceChildren();
        this.#form.onsubmit = (event) => {
            event.preventDefault();
            void this.#run(onSubmit);
        };
        this.#alert.textContent = '';
        this.#status.textContent = '';
    }
    #leaveStep() {
        clearInterval(this.#timer);
        this.#otp?.abort();
    }
    /** Waits for the code, also after the page has moved the form. This sends nothing. */
    #resume() {
        const [code, challenge] = [this.#inputs.get('code'), this.#challenge];
        if (!code || !challenge)
            return;
        const tick = () => {
            this.#showWait();
            if (Date.now() >= this.#pollTime && !document.hidden && code.value === '')
                void this.#poll(challenge);
        };
        this.#timer = setInterval(tick, 1000);
        tick();
        void this.#readCode(code, challenge);
    }
    #isShown() {
        return this.#form.childElementCount > 0;
    }
    async #submitNumber() {
        const shownNumber = this.#shownNumber();
        const password = this.#inputs.get('password')?.value;
        if (!this.#isFilledIn())
            return;
        this.#typedNumber = this.#value('phoneNumber');
        await this.#start({ flow: this.mode, phoneNumber: shownNumber.replace(/[^+\d]/g, ''), shownNumber, password });
    }
    /** Sends a code and shows the form for it. */
    async #start(start, told) {
        if (!this.isConnected)
            return; // removed, for example by a listener of `register`: nobody waits for a code
        const transaction = await this.#send(start);
        if (!this.isConnected)
            return;
        const sent = start.flow === 'register' || start.password !== undefined ? texts.sent : texts.sentIfKnown;
        this.#showCode({ ...start, transaction }, told ?? sent(start.shownNumber));
    }
    #send({ flow, phoneNumber, password, channel }) {
        const { client } = this;
        if (flow === 'register') {
            return this.#withCaptcha('register', (options) => client.startRegistration(phoneNumber, { ...options, channel }));
        }
        if (password === undefined) {
            return this.#withCaptcha('login', (options) => client.loginWithPhoneNumber(phoneNumber, { ...options, channel }));
        }
        return this.#withCaptcha('second_factor', (options) => {
            return client.loginWithPhoneNumberAndPassword(phoneNumber, password, { ...options, channel });
        });
    }
    async #submitCode(challenge) {
        if (!this.#isFilledIn())
            return;
        const code = this.#value('code').replace(/\D/g, '');
        if (challenge.flow === 'register')
            return this.#finishRegistration(challenge, code);
        const user = await this.#withCaptcha('code', (options) => this.client.loginWithCode(challenge.transaction, code, options));
        this.#loggedIn(user);
    }
    async #finishRegistration({ phoneNumber, shownNumber, transaction }, transactionCode) {
        const [email, password] = [this.#inputs.get('email')?.value.trim(), this.#inputs.get('password')?.value];
        const registration = { phoneNumber, ...transaction, transactionCode, email, password };
        const user = await this.#withCaptcha('code', (options) => this.client.finishRegistration(registration, options));
        const goesOn = this.#dispatch('register', user);
        if (typeof user['user-token'] === 'string')
            return this.#loggedIn(user);
        const login = { flow: 'login', phoneNumber, shownNumber, password: this.hasAttribute('two-factor') ? password : undefined };
        this.mode = 'login';
        this.#status.textContent = texts.registered; // even if no code can be sent now
        if (goesOn)
            await this.#start(login, `${texts.registered} ${texts.sentToLogIn}`);
    }
    #loggedIn(user) {
        this.#showDone();
        this.#dispatch('login', user);
    }
    #sendAgain(challenge, channel) {
        return this.#run(() => this.#start({ ...challenge, channel }, channel === 'sms' ? texts.sentAgain : texts.called));
    }
    #backToNumber() {
        this.reset();
        this.#inputs.get('phoneNumber')?.focus();
    }
    #switchMode() {
        this.#typedNumber = this.#value('phoneNumber');
        this.mode = this.mode === 'login' ? 'register' : 'login';
        this.#inputs.get('phoneNumber')?.focus();
    }
    /** Runs one request at a time, and shows its error. */
    async #run(action) {
        if (this.#busy)
            return;
        this.#busy = true;
        this.#form.setAttribute('aria-busy', 'true');
        this.#clearErrors();
        try {
            await action();
        }
        catch (error) {
            if (!(error instanceof OtpostError)) {
                this.#alert.textContent = messages.fallback;
                throw error; // the page's, for example of its captcha
            }
            this.#showError(error);
            this.dispatchEvent(new CustomEvent('error', { detail: error }));
        }
        finally {
            this.#busy = false;
            this.#form.removeAttribute('aria-busy');
        }
    }
    /** Repeats a request with a captcha token if the service asks for one; such a refusal has sent nothing. */
    async #withCaptcha(action, request) {
        try {
            return await request();
        }
        catch (error) {
            if (!this.captcha || !(error instanceof OtpostError) || error.reason !== 'captcha_required')
                throw error;
            const captchaToken = await this.captcha(action);
            if (!this.isConnected)
                throw error; // removed meanwhile
            return request({ captchaToken });
        }
    }
    #showError({ reason, retryAfter }) {
        const message = messages[reason] ?? messages.fallback;
        const text = retryAfter === undefined ? message : `${message} ${texts.tryAgain(relativeTime(retryAfter, this.#language()))}`;
        const name = FIELD_OF_REASON[reason];
        const isWaiting = this.#inputs.has('code') && reason === 'too_many_messages' && retryAfter !== undefined;
        if (isWaiting)
            this.#countDown(Date.now() + retryAfter * 1000);
        if (name !== undefined && this.#inputs.has(name))
            this.#markInvalid(name, text);
        else
            this.#alert.textContent = text;
    }
    #markInvalid(name, text) {
        const input = this.#inputs.get(name);
        const error = this.shadowRoot?.getElementById(`${name}-error`);
        if (!input || !error)
            return;
        input.setAttribute('aria-invalid', 'true');
        error.textContent = text;
        input.focus();
        if (name === 'code')
            input.select();
    }
    #clearErrors() {
        this.#alert.textContent = '';
        for (const [name, input] of this.#inputs) {
            input.removeAttribute('aria-invalid');
            this.shadowRoot?.getElementById(`${name}-error`)?.replaceChildren();
        }
    }
    /** Whether no field is empty. Marks the first that is. */
    #isFilledIn() {
        const empty = [...this.#inputs].find(([, input]) => input.value.trim() === '');
        if (empty)
            this.#markInvalid(empty[0], messages[IF_EMPTY[empty[0]]] ?? messages.fallback);
        return !empty;
    }
    /** Lets the user ask for the code again from this time on. */
    #countDown(time) {
        this.#resendTime = time;
        this.#resend.disabled = true;
        this.#canResend.textContent = '';
        this.#showWait();
    }
    #showWait() {
        if (!this.#resend.disabled)
            return;
        const left = Math.max(0, Math.ceil((this.#resendTime - Date.now()) / 1000));
        this.#resend.disabled = this.#call.disabled = left > 0;
        this.#resend.textContent = left > 0 ? texts.resendIn(`${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`) : texts.resend;
        if (left === 0)
            this.#canResend.textContent = texts.canResend;
    }
    /** Asks what became of the code. The form asks again later, unless that is settled. */
    async #poll(challenge) {
        this.#pollTime = Infinity;
        const status = await this.client.status(challenge.transaction).catch((error) => error);
        if (this.#challenge !== challenge)
            return; // the form shows something else by now
        if (!(status instanceof OtpostError))
            this.#showDelivery(challenge, status);
        if (!isSettled(status))
            this.#pollTime = Date.now() + POLL_INTERVAL;
    }
    #showDelivery(challenge, { state, channel, reason, message, retryAt, voice }) {
        // A code that can no longer be read aloud has gone by SMS.
        if (challenge.channel === 'voice' && channel === 'sms')
            this.#sent.textContent = texts.sentAgain;
        const told = {
            sent: channel === 'sms' ? texts.onItsWay : '',
            delivered: texts.delivered,
            failed: texts.notDelivered(message, reason),
            unknown: texts.expired,
        };
        const text = told[state] ?? '';
        if (this.#delivery.textContent !== text)
            this.#delivery.textContent = text; // or it would be read out again
        this.#delivery.className = state === 'failed' ? 'error' : '';
        this.#call.hidden = !voice;
        // While a start is admitted, `retryAt` is the service's time. So if it moves, the wait is over, however wrong this device's clock is.
        if (this.#retryAt === undefined)
            this.#countDown(retryAt);
        else if (retryAt !== this.#retryAt)
            this.#resendTime = 0;
        this.#retryAt = retryAt;
        this.#showWait();
    }
    /** WebOTP: the browser reads the code from the SMS, if the user allows it. */
    async #readCode(input, { flow }) {
        if (!('OTPCredential' in window))
            return;
        this.#otp = new AbortController();
        const options = { otp: { transport: ['sms'] }, signal: this.#otp.signal };
        const credential = await navigator.credentials.get(options).catch(() => null); // declined, or too late
        if (!credential || !input.isConnected)
            return;
        input.value = credential.code;
        if (flow === 'login')
            this.#form.requestSubmit();
    }
    #fillCountries() {
        const names = new Intl.DisplayNames([this.#language()], { type: 'region' });
        const selected = this.#countries.value || this.getAttribute('country') || '';
        const asked = (this.getAttribute('countries') ?? 'US,CA').toUpperCase().split(/[\s,]+/);
        const options = asked.flatMap((country) => {
            const code = CALLING_CODE_OF.get(country);
            return code === undefined ? [] : [create('option', { value: country }, `${names.of(country)} (+${code})`)];
        });
        this.#countries.replaceChildren(...options);
        if (options.some(({ value }) => value === selected))
            this.#countries.value = selected;
    }
    /** The number that was typed, with its calling code. */
    #shownNumber() {
        const typed = this.#value('phoneNumber');
        return typed.startsWith('+') ? typed : `+${CALLING_CODE_OF.get(this.#countries.value) ?? ''} ${typed}`;
    }
    #value(name) {
        return this.#inputs.get(name)?.value.trim() ?? '';
    }
    /** The language of the element or the page; English if that is missing or malformed, like `en_US`. */
    #language() {
        try {
            return Intl.getCanonicalLocales(this.lang || document.documentElement.lang)[0] ?? 'en';
        }
        catch {
            return 'en';
        }
    }
    #input(name, attributes) {
        const input = create('input', { id: name, name, part: 'input', 'aria-required': 'true', ...attributes });
        this.#inputs.set(name, input);
        return input;
    }
    #field(label, input, hint) {
        const field = labelled(label, input);
        const notes = create('div', { id: `${input.id}-notes`, class: 'notes' });
        if (hint !== undefined)
            notes.append(create('p', { class: 'hint' }, hint));
        notes.append(create('p', { id: `${input.id}-error`, class: 'error', part: 'error' }));
        input.setAttribute('aria-describedby', notes.id);
        field.append(notes);
        return field;
    }
    #link(text, part, onClick) {
        const button = create('button', { type: 'button', part }, text);
        button.onclick = () => {
            if (!this.#busy)
                onClick();
        };
        return button;
    }
    /** Tells the page. The tokens stay in the client, since any script of the page can listen. False if the page cancelled the event. */
    #dispatch(type, { 'user-token': _token, 'device-token': _device, ...detail }) {
        return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: type === 'register' }));
    }
}
/** What a value of the attribute `mode` means. */
function flowOf(mode) {
    return mode === 'register' ? 'register' : 'login';
}
function create(name, attributes, text = '') {
    const element = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes))
        element.setAttribute(attribute, value);
    element.textContent = text;
    return element;
}
function labelled(text, control) {
    const field = create('div', { class: 'field' });
    field.append(create('label', { for: control.id }, text), control);
    return field;
}
function submit(text) {
    return create('button', { type: 'submit', part: 'button' }, text);
}
function others(...buttons) {
    const row = create('div', { class: 'others' });
    row.append(...buttons);
    return row;
}
/** Whether the service would tell nothing new if it were asked again. */
function isSettled(status) {
    if (status instanceof OtpostError)
        return status.status >= 400 && status.status < 500;
    return status.state !== 'queued' && status.state !== 'sent';
}
/** Like "in 25 seconds". */
function relativeTime(seconds, language) {
    const format = new Intl.RelativeTimeFormat([language]);
    if (seconds < 120)
        return format.format(seconds, 'second');
    if (seconds < 2 * 3600)
        return format.format(Math.ceil(seconds / 60), 'minute');
    return format.format(Math.ceil(seconds / 3600), 'hour');
}
customElements.define('phone-login', PhoneLogin);
