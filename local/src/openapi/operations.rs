//! The operations: purpose, authentication, request, response and errors.

use serde_json::{Value, json};
use shared::auth::jwt;
use shared::http::Reason::{self, *};
use shared::http::routes::{
    CALL_ANSWER, CALL_HANGUP, CODE_REPORT, CONSENT, CONSENTS, INBOUND, JWKS, MESSAGE_REPORT, MESSAGE_STATUS,
};

/// How a request is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    None,
    /// By a session: the header `user-token`.
    Session,
    /// By a session, if there is one.
    OptionalSession,
    /// By the message key.
    MessageKey,
    /// By Plivo's signature.
    Plivo,
}

/// An operation of the API.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The method.
    pub method: &'static str,
    /// The path below the root.
    pub path: &'static str,
    /// The name that clients call it by.
    pub id: &'static str,
    /// The group that it belongs to.
    pub tag: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// More about it.
    pub description: &'static str,
    /// How it is authenticated.
    pub security: Security,
    /// The schema of its body, and examples by name.
    pub body: Option<(&'static str, Vec<(&'static str, Value)>)>,
    /// Whether its query says how a code is to come.
    pub takes_channel: bool,
    /// The optional headers that it takes.
    pub headers: &'static [&'static str],
    /// The schema of its answer, `[]` after it for a list, and examples by name.
    pub answer: Option<(&'static str, Vec<(&'static str, Value)>)>,
    /// Its error reasons.
    pub reasons: Vec<Reason>,
}

/// Errors of any operation.
const COMMON: &[Reason] = &[InvalidRequest, UnknownApplication, ProxyRequired, Unavailable, Internal];
const BODY: &[Reason] = &[EmptyBody, BodyTooLarge, NotJson, NotAnObject, DuplicateField, MissingField, WrongType];
const SESSION: &[Reason] = &[SessionInvalid, UserDisabled];
const NUMBER: &[Reason] = &[InvalidPhoneNumber, NumberNotServed, CountryNotServed];
/// Errors of sending a code.
const CODE_SENT: &[Reason] = &[
    TooManyStarts,
    CaptchaRequired,
    TooManyMessages,
    TooManyWrongCodes,
    BudgetSpent,
    NumbersSuspended,
    SwitchedOff,
    SmsUnavailable,
];
/// Failures of Plivo, where the response shows them.
const PLIVO: &[Reason] = &[SmsRejected, SmsUnknown];
const CODE: &[Reason] = &[InvalidTransactionId, InvalidCode, CodeRejected, TooManyWrongCodes, CaptchaRequired];
const NEW_PASSWORD: &[Reason] =
    &[PasswordTooShort, PasswordTooLong, PasswordNotPrintable, PasswordTooCommon, PasswordKnown];
const PROPERTIES: &[Reason] = &[InvalidEmail, InvalidProperties, InvalidPropertyValue];
const PASSWORD_CHECK: &[Reason] = &[LoginRejected, TooManyPasswords];

/// The optional headers of clients that request or enter a code.
const CLIENT: &[&str] = &["device-token", "captcha-token"];

const ID: &str = "CBFA6722-58AD-12BE-FF80-28999D7D0200";
const TRANSACTION: &str = "E6C1E533-AE95-3881-9FBC-162AAF6951B2";

fn user() -> Value {
    json!({
        "name": "Jane", "userStatus": "ENABLED", "created": 1_590_527_533_000_i64, "updated": null, "ownerId": ID, "objectId": ID,
        "___class": "Users", "blUserLocale": "en", "phoneNumber": "+14155550100", "email": "jane@example.com",
        "socialAccount": "BACKENDLESS", "lastLogin": 1_590_527_843_419_i64,
    })
}

fn user_with(more: &[(&str, Value)]) -> Value {
    let mut user = user();
    for (name, value) in more {
        user[*name] = value.clone();
    }
    user
}

fn transaction() -> Value {
    json!({ "transactionId": TRANSACTION })
}

impl Operation {
    fn new(method: &'static str, path: &'static str, id: &'static str, tag: &'static str) -> Self {
        let (summary, description, security, headers) = ("", "", Security::None, &[][..]);
        let mut reasons = COMMON.to_vec();
        // A segment that holds an encoded slash makes another path.
        reasons.extend(path.contains('{').then_some(NotFound));
        Self {
            method,
            path,
            id,
            tag,
            summary,
            description,
            security,
            body: None,
            takes_channel: false,
            headers,
            answer: None,
            reasons,
        }
    }

    fn text(self, summary: &'static str, description: &'static str) -> Self {
        Self { summary, description, ..self }
    }

    fn body<const N: usize>(self, schema: &'static str, examples: [(&'static str, Value); N]) -> Self {
        Self { body: Some((schema, examples.to_vec())), ..self }.reasons(&[BODY])
    }

    fn answer<const N: usize>(self, schema: &'static str, examples: [(&'static str, Value); N]) -> Self {
        Self { answer: Some((schema, examples.to_vec())), ..self }
    }

    fn session(self) -> Self {
        Self { security: Security::Session, ..self }.reasons(&[SESSION])
    }

    fn reasons(mut self, more: &[&[Reason]]) -> Self {
        self.reasons.extend(more.concat());
        self
    }

    fn without(mut self, never: &[Reason]) -> Self {
        self.reasons.retain(|reason| !never.contains(reason));
        self
    }

    /// Adds what an operation that sends a code takes and refuses.
    fn sends_code(self) -> Self {
        Self { headers: CLIENT, ..self }.reasons(&[NUMBER, CODE_SENT])
    }

    /// Adds how the code is to come, in the query.
    fn takes_channel(self) -> Self {
        Self { takes_channel: true, ..self }.reasons(&[&[WrongType]])
    }

    /// Adds what an operation that takes a code takes and refuses.
    fn takes_code(self) -> Self {
        Self { headers: CLIENT, ..self }.reasons(&[CODE])
    }
}

/// All operations, in the order of the routes.
pub fn operations() -> Vec<Operation> {
    [registration_and_login(), message(), sessions(), tokens(), profile(), queries(), passwords(), from_plivo()]
        .concat()
}

fn registration_and_login() -> Vec<Operation> {
    let finish = json!({
        "phoneNumber": "+14155550100", "email": "jane@example.com", "password": "correct horse battery",
        "transactionId": TRANSACTION, "transactionCode": "012345", "name": "Jane",
    });
    let number = json!({ "phoneNumber": "+14155550100" });
    vec![
        Operation::new("POST", "/users/register", "register", "Registration and login")
            .text(
                "Register a user, in two steps",
                "Step 1 sends a code to the phone and returns `transactionId`. Step 2 carries it and the code, with the user's e-mail address, password and custom properties, and returns the user. `POST /users/register` also works without the root `/api`.",
            )
            .body("Registration", [("step 1", number.clone()), ("step 2", finish)])
            .answer("RegistrationAnswer", [("step 1", transaction()), ("step 2", user())])
            .sends_code()
            .takes_code()
            .reasons(&[PLIVO, NEW_PASSWORD, PROPERTIES])
            .reasons(&[&[UnknownField, PasswordMissing, PasswordNotText, IdentityMissing, UserExists]])
            .reasons(&[&[ReservedObjectId, ReservedUpdated, ReservedCreated]]),
        Operation::new("POST", "/services/Plivo/loginWithPhoneNumber", "loginWithPhoneNumber", "Registration and login")
            .text(
                "Start a login with a code",
                "Sends a code to the phone of a user. The response is the same for a phone without a user. The body may also be the number alone, as a JSON string or as text.",
            )
            .body("Phone", [("a phone", number)])
            .answer("Transaction", [("started", transaction())])
            .sends_code()
            .reasons(&[&[UnknownField]])
            .without(&[NotAnObject]),
        Operation::new(
            "POST",
            "/services/Plivo/loginWithPhoneNumberAndPassword",
            "loginWithPhoneNumberAndPassword",
            "Registration and login",
        )
        .text("Start a login with password and code", "Sends a code if the password is right.")
        .body("PhoneAndPassword", [("phone and password", json!({ "phoneNumber": "+14155550100", "password": "correct horse battery" }))])
        .answer("Transaction", [("started", transaction())])
        .sends_code()
        .reasons(&[PLIVO, PASSWORD_CHECK, &[UnknownField]]),
        Operation::new("POST", "/services/Plivo/loginWithCode", "loginWithCode", "Registration and login")
            .text(
                "Finish a login of either kind",
                "Returns the user with `user-token`, the session's token. With the header `device-token: new`, also a `device-token` with limits of its own.",
            )
            .body("TransactionCode", [("a code", json!({ "transactionId": TRANSACTION, "code": "012345" }))])
            .answer("User", [("logged in", user_with(&[("___jsonclass", json!("Users")), ("user-token", json!("B83FA46D-A19A-A8CE-FF2B-976B7A1D8100"))]))])
            .takes_code()
            .reasons(&[&[UnknownField, UserDisabled]]),
        Operation::new("GET", "/services/Plivo/status/{transactionId}", "transactionStatus", "Registration and login")
            .text(
                "Get what became of a code",
                "Poll it every few seconds while the user waits. `retryAt` is when the phone's limits admit the next start. A phone without a user gets an answer like any other.",
            )
            .answer("TransactionStatus", [("delivered", transaction_status())])
            .reasons(&[&[TransactionNotFound]]),
    ]
}

fn transaction_status() -> Value {
    json!({
        "state": "delivered", "channel": "sms", "message": "Your code has been delivered.", "retryAt": 1_590_527_563_000_i64,
        "voice": false, "expires": 1_590_527_833_000_i64,
    })
}

fn message() -> Vec<Operation> {
    let text = json!({ "phoneNumber": "+14155550100", "message": "Your table is booked." });
    let accepted = json!({ "message": "message(s) queued", "message_uuid": ["8b9cdb3e-0b0f-11f0-8ee3-0242ac110004"], "api_id": "8b9cd9f4-0b0f-11f0-8ee3-0242ac110004" });
    let mut operation = Operation::new("POST", "/services/Plivo/sendMessage", "sendMessage", "Messages")
        .text(
            "Send an SMS or MMS",
            "For your own servers, which have the message key; never for an app. A message with the same `Idempotency-Key` is sent only once.",
        )
        .body("Message", [("an SMS", text)])
        .answer("MessageAccepted", [("accepted", accepted)])
        .reasons(&[NUMBER, &[UnknownField, AccessDenied, MessageEmpty, MessageTooLong, MessageNotText]])
        .reasons(&[&[TooManyMediaUrls, InvalidMediaUrl, MediaNotServed, InvalidIdempotencyKey, IdempotencyKeyReused]])
        .reasons(&[&[MessageInFlight, OptedOut, BudgetSpent, TooManyMessages, MessageRejected, SwitchedOff]])
        .reasons(&[&[SmsUnavailable, SmsUnknown]]);
    (operation.security, operation.headers) = (Security::MessageKey, &["idempotency-key"]);
    [vec![operation, message_status()], consents()].concat()
}

fn consents() -> Vec<Operation> {
    let (text, source) = ("Text me when my table is ready.", "https://example.com/book");
    let consent = json!({ "phoneNumber": "+14155550100", "text": text, "source": source });
    let record = json!({ "at": 1_590_527_533_000_i64, "kind": "consent", "text": text, "source": source });
    let kept = json!({ "optedOut": null, "records": [record] });
    let add = Operation::new("POST", CONSENT, "addConsent", "Messages")
        .text(
            "Record what a phone's owner has agreed to",
            "For your own servers. The last 50 records of a phone are kept. It lifts no opt-out: only the phone does, by START.",
        )
        .body("Consent", [("a consent", consent)])
        .answer("Consents", [("recorded", kept.clone())])
        .reasons(&[&[UnknownField]]);
    let show = Operation::new("GET", CONSENTS, "getConsents", "Messages")
        .text("Get a phone's consents, and whether it has opted out", "For your own servers.")
        .answer("Consents", [("one consent", kept)]);
    let with_key = |operation: Operation| {
        let operation = operation.reasons(&[&[InvalidPhoneNumber, NumberNotServed, AccessDenied]]);
        Operation { security: Security::MessageKey, ..operation }
    };
    [add, show].map(with_key).to_vec()
}

fn message_status() -> Operation {
    let status = json!({
        "message_uuid": "8b9cdb3e-0b0f-11f0-8ee3-0242ac110004", "state": "undelivered", "errorCode": "80",
        "message": "The phone could not be reached. It may be switched off or out of coverage.", "segments": 1,
        "created": 1_590_527_843_419_i64, "updated": 1_590_527_903_419_i64,
    });
    let mut operation = Operation::new("GET", MESSAGE_STATUS, "messageStatus", "Messages")
        .text(
            "Ask what became of a message",
            "By the `message_uuid` that `sendMessage` has answered, for 30 days. `unknown`: no final report came within four hours.",
        )
        .answer("MessageStatus", [("not delivered", status)])
        .reasons(&[&[AccessDenied, MessageNotFound]]);
    operation.security = Security::MessageKey;
    operation
}

/// What Plivo calls, at an address of its own.
fn from_plivo() -> Vec<Operation> {
    let report = json!({
        "MessageUUID": "8b9cdb3e-0b0f-11f0-8ee3-0242ac110004", "From": "14155550199", "To": "14155550100", "Status": "delivered",
        "Sequence": "3", "PartInfo": "1 of 1", "ErrorCode": "000", "MCC": "310", "MNC": "260", "TotalAmount": "0.00770",
    });
    let inbound = json!({ "MessageUUID": "8b9cdb3e-0b0f-11f0-8ee3-0242ac110004", "From": "14155550100", "To": "14155550199", "Text": "STOP" });
    let call =
        json!({ "CallUUID": "8b9cdb3e-0b0f-11f0-8ee3-0242ac110004", "From": "14155550199", "To": "14155550100" });
    let operation = |path, id, summary, example| {
        let operation = Operation::new("POST", path, id, "From Plivo").text(
            summary,
            "For Plivo only, which signs it (V3). Known, unknown, late and repeated ones are all answered with 200.",
        );
        let mut operation = operation.without(&[UnknownApplication, ProxyRequired]);
        operation.body = Some(("PlivoForm", vec![("a request", example)]));
        operation.security = Security::Plivo;
        operation.reasons(&[&[BodyTooLarge, SignatureInvalid]])
    };
    vec![
        operation(CODE_REPORT, "reportCode", "Report what became of a code's SMS", report.clone()),
        operation(MESSAGE_REPORT, "reportMessage", "Report what became of a message of sendMessage", report),
        operation(INBOUND, "receiveMessage", "Pass on a message to our number", inbound),
        operation(CALL_ANSWER, "answerCall", "Ask what a call that was answered is to say", call.clone()),
        operation(CALL_HANGUP, "endCall", "Report the end of a call", call),
    ]
}

fn sessions() -> Vec<Operation> {
    let info = json!({ "appId": "10CA1000-0000-0000-0000-0000000000A1", "apiKey": "10CA1000-0000-0000-0000-0000000000B2", "rtURL": "", "version": "0.1.0" });
    let session = json!([{ "id": "3f1c", "device": "Firefox", "created": 1_590_527_843_419_i64, "lastSeen": 1_590_527_843_419_i64, "current": true }]);
    vec![
        Operation::new("GET", "/info", "info", "Session")
            .text("Get the application's id and key", "")
            .answer("Info", [("the application", info)]),
        Operation::new("GET", "/users/isvalidusertoken/{token}", "isValidUserToken", "Session")
            .text("Check a session", "")
            .answer("boolean", [("valid", json!(true))]),
        Operation::new("GET", "/users/logout", "logout", "Session")
            .text("End the session", "")
            .answer("Empty", [("ended", json!({}))])
            .session(),
        Operation::new("GET", "/users/me", "me", "Session")
            .text("Get the session's user", "")
            .answer("User", [("the user", user())])
            .session(),
        Operation::new("GET", "/users/sessions", "listSessions", "Session")
            .text("List the user's sessions", "")
            .answer("Session[]", [("one session", session)])
            .session(),
        Operation::new("DELETE", "/users/sessions", "endOtherSessions", "Session")
            .text("End all other sessions", "Ends the user's device tokens too.")
            .answer("Empty", [("ended", json!({}))])
            .session(),
        Operation::new("DELETE", "/users/sessions/{sessionId}", "endSession", "Session")
            .text("End one session", "")
            .answer("Empty", [("ended", json!({}))])
            .session()
            .reasons(&[&[SessionNotFound]]),
    ]
}

fn tokens() -> Vec<Operation> {
    let issuer = "https://api.example.com";
    let configuration = json!({
        "issuer": issuer, "jwks_uri": format!("{issuer}{JWKS}"), "response_types_supported": ["token"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
    });
    let keys =
        json!({ "keys": [{ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": "AQAB", "e": "AQAB" }] });
    vec![
        Operation::new("POST", "/users/token", "issueJwt", "Back end")
            .text("Get a JWT for the app's back end", "404 unless the setting JWT_ISSUER is set.")
            .answer(
                "Jwt",
                [("a token", json!({ "token": "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "expiresIn": jwt::LIFE.as_secs() }))],
            )
            .session()
            .reasons(&[&[NotFound]]),
        Operation::new("GET", "/.well-known/openid-configuration", "openidConfiguration", "Back end")
            .text("Find the public keys for JWTs", "404 unless the setting JWT_ISSUER is set.")
            .answer("OpenidConfiguration", [("the issuer", configuration)])
            .reasons(&[&[NotFound]]),
        Operation::new("GET", JWKS, "jwks", "Back end")
            .text("Read the public keys for JWTs", "404 unless the setting JWT_ISSUER is set.")
            .answer("Jwks", [("a key", keys)])
            .reasons(&[&[NotFound]]),
        Operation::new("POST", "/users/login", "login", "Registration and login")
            .text("Not offered", "It would be a login without a code: use `loginWithPhoneNumberAndPassword`.")
            .reasons(&[&[LoginDisabled]]),
    ]
}

fn profile() -> Vec<Operation> {
    let change = json!({ "name": "Jane Doe" });
    let changed = user_with(&[("name", json!("Jane Doe")), ("updated", json!(1_590_528_000_000_i64))]);
    let deleted = json!({ "deletionTime": 1_590_528_000_000_i64 });
    let update = |path, id, example: Value| {
        Operation::new("PUT", path, id, "Account")
            .text(
                "Update the user, password or phone",
                "A new password needs a login within ten minutes, or `currentPassword`; a new phone one within twenty. A new phone takes two requests, the second with `transactionId` and `transactionCode`.",
            )
            .body("UserChange", [("another name", example)])
            .answer("User", [("changed", changed.clone())])
            .session()
            .sends_code()
            .takes_code()
            .reasons(&[PLIVO, NEW_PASSWORD, PROPERTIES, PASSWORD_CHECK])
            .reasons(&[&[NotOwn, SessionNotFresh, UserChanged, FixedProperty, UserExists]])
    };
    let delete = |path, id| {
        Operation::new("DELETE", path, id, "Account")
            .text("Delete the user and their data", "Needs a login within ten minutes.")
            .answer("DeletionResult", [("deleted", deleted.clone())])
            .session()
            .reasons(&[&[NotOwn, SessionNotFresh]])
    };
    vec![
        update("/users/{objectId}", "updateUser", change.clone()),
        delete("/users/{objectId}", "deleteUser"),
        update("/data/Users", "saveUser", json!({ "objectId": ID, "name": "Jane Doe" })),
        Operation::new("GET", "/data/Users/{objectId}", "getUser", "Account")
            .text("Get the session's user by id", "")
            .answer("User", [("the user", user())])
            .session()
            .reasons(&[&[NotOwn]]),
        delete("/data/Users/{objectId}", "deleteUserData"),
    ]
}

fn queries() -> Vec<Operation> {
    let column = json!([{
        "name": "email", "required": true, "type": "STRING", "defaultValue": null, "identity": true, "relatedTable": null,
        "customRegex": null, "autoLoad": false, "isPrimaryKey": false,
    }]);
    let query = |path, id, summary| {
        let operation = Operation::new("POST", path, id, "Account")
            .text(summary, "Returns only the session's user. The body is optional.")
            .body("Query", [("by name", json!({ "where": "name = 'Jane'" }))])
            .session()
            .reasons(&[&[InvalidQuery]]);
        operation.without(&[EmptyBody, MissingField])
    };
    let describe = |path, id| {
        Operation::new("GET", path, id, "Account")
            .text("List the columns of users", "Only the service's own columns: custom properties have no fixed type.")
            .answer("Column[]", [("a column", column.clone())])
    };
    let mut roles = Operation::new("GET", "/users/userroles", "userRoles", "Account")
        .text("List the roles of the session's user", "Without a session, the roles of a guest.")
        .answer("string[]", [("a user", json!(["AuthenticatedUser", "RestUser"]))])
        .reasons(&[SESSION]);
    roles.security = Security::OptionalSession;
    vec![
        query("/data/Users/find", "findUsers", "Find users").answer("FoundUser[]", [("oneself", json!([user()]))]),
        query("/data/Users/count", "countUsers", "Count users").answer("integer", [("oneself", json!(1))]),
        describe("/users/userclassprops", "describeUserClass"),
        describe("/data/Users/properties", "describeUsers"),
        roles,
    ]
}

fn passwords() -> Vec<Operation> {
    let verify = |path, id, description| {
        let mut operation = Operation::new("POST", path, id, "Account")
            .text("Check the user's password", description)
            .body("PasswordVerification", [("a password", json!({ "password": "correct horse battery" }))])
            .answer("PasswordCheck", [("right", json!({ "valid": true }))])
            .session()
            .reasons(&[PASSWORD_CHECK, &[UnknownField, TooManyWrongCodes]]);
        operation.headers = &["device-token"];
        operation
    };
    let reset = json!({ "transactionId": TRANSACTION, "code": "012345", "password": "battery staple horse" });
    let export = json!({ "user": user(), "sessions": [], "phone": {}, "messages": [1_590_527_843_419_i64], "consents": { "optedOut": null, "records": [] } });
    vec![
        verify("/users/verifypassword", "verifyPassword", "A wrong password counts as a failed login."),
        verify("/users/verifypassowrd", "verifyPassowrd", "The Backendless SDK's spelling of `verifypassword`."),
        Operation::new("GET", "/users/export", "exportUser", "Account")
            .text("Export all data about the user", "")
            .answer("UserExport", [("everything", export)])
            .session(),
        Operation::new("GET", "/users/restorepassword/{identity}", "restorePassword", "Account")
            .text(
                "Start the reset of a forgotten password",
                "Sends a code to the phone of the user with this phone or e-mail address. The response is the same if there is none.",
            )
            .answer("Transaction", [("started", transaction())])
            .sends_code()
            .takes_channel()
            .reasons(&[&[InvalidEmail]]),
        Operation::new("POST", "/services/Plivo/resetPassword", "resetPassword", "Account")
            .text("Set a new password with a code", "Ends all sessions. Does not log in.")
            .body("PasswordReset", [("a new password", reset)])
            .answer("Empty", [("set", json!({}))])
            .takes_code()
            .reasons(&[NEW_PASSWORD, &[UnknownField, UserDisabled]]),
    ]
}
