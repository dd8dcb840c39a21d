//! From what went wrong to what the caller is told: the one map of errors to status, Backendless code, message and reason.
//! Answers never hold an error's own text; the log holds it, once.

use std::error::Error;

use lambda_http::http::StatusCode;
use lambda_http::http::header::{self, HeaderName, HeaderValue};
use lambda_http::{Body, Response};
use serde_json::{Value, json};

use super::Duplicates;
use crate::app::App;
use crate::auth::AuthError;
use crate::auth::limits::{self, Limit, Limited};
use crate::auth::password::PasswordError;
use crate::auth::properties::PropertyError;
use crate::aws::secrets::SecretError;
use crate::logging;
use crate::messaging::media::MediaError;
use crate::messaging::{KeyError, MessageError};
use crate::metrics::Metric;
use crate::plivo::PlivoError;
use crate::spend::pumping::Rule;
use crate::store::StoreError;
use phone_number::PhoneError;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $status:ident, $code:literal, $message:literal;)+) => {
        /// Why a request was refused: the stable word of `errorData.reason`. `docs/errors.md` lists them all.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $name,)+ }

        impl Reason {
            /// All reasons.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $word,)+ } }

            /// The HTTP status.
            pub const fn status(self) -> StatusCode { match self { $(Self::$name => StatusCode::$status,)+ } }

            /// Backendless' code where it has one for the case, else 14000, its code for what a service throws.
            pub const fn code(self) -> u32 { match self { $(Self::$name => $code,)+ } }

            /// The message; `%s` stands for a field's name.
            pub const fn message(self) -> &'static str { match self { $(Self::$name => $message,)+ } }
        }
    };
}

reasons! {
    /// There is no body.
    EmptyBody = "empty_body", BAD_REQUEST, 8005, "Invalid empty param for request";
    /// The body is over 16 KiB.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, 14000, "The body is larger than 16 KiB";
    /// The body is not JSON in UTF-8, or nested too deep.
    NotJson = "not_json", BAD_REQUEST, 8004, "Parsing input json params failed";
    /// The body is JSON but no object.
    NotAnObject = "not_an_object", BAD_REQUEST, 8004, "Parsing input json params failed";
    /// A field stands twice.
    DuplicateField = "duplicate_field", BAD_REQUEST, 8001, "Duplicate property: %s";
    /// A field is missing or empty.
    MissingField = "missing_field", BAD_REQUEST, 8007, "Missing parameter '%s'.";
    /// A field is not of its type.
    WrongType = "wrong_type", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// A field that the operation does not have.
    UnknownField = "unknown_field", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// The phone number is none.
    InvalidPhoneNumber = "invalid_phone_number", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// A kind of number that is not sent to: premium rate, shared cost, toll free and the like.
    NumberNotServed = "number_not_served", BAD_REQUEST, 14000, "This kind of number is not served";
    /// The number's country is not in SMS_COUNTRIES.
    CountryNotServed = "country_not_served", BAD_REQUEST, 14000, "This country is not served";
    /// The transaction id is not of our shape.
    InvalidTransactionId = "invalid_transaction_id", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// The code is not so many digits.
    InvalidCode = "invalid_code", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// The code is wrong, or its transaction is unknown, of another phone, expired, used or out of tries.
    CodeRejected = "code_rejected", UNAUTHORIZED, 14000, "The code is wrong or no longer valid";
    /// No such user, or another password.
    LoginRejected = "login_rejected", UNAUTHORIZED, 3003, "Invalid login or password";
    /// A registration has no password.
    PasswordMissing = "password_missing", BAD_REQUEST, 3011, "Property 'password' is required";
    /// The password is not a text.
    PasswordNotText = "password_not_text", BAD_REQUEST, 3050, "Password should be string";
    /// The password is too short.
    PasswordTooShort = "password_too_short", BAD_REQUEST, 14000, "The password has fewer than 8 characters";
    /// The password is too long.
    PasswordTooLong = "password_too_long", BAD_REQUEST, 14000, "The password has more than 128 characters";
    /// The password holds a control character.
    PasswordNotPrintable = "password_not_printable", BAD_REQUEST, 14000, "The password holds a control character";
    /// The password is one of the most common.
    PasswordTooCommon = "password_too_common", BAD_REQUEST, 14000, "The password is too common";
    /// The password holds the phone number, the e-mail address or the application's name.
    PasswordKnown = "password_known", BAD_REQUEST, 14000, "The password holds your phone number, your e-mail address or our name";
    /// A registration has no e-mail address where that is the identity.
    IdentityMissing = "identity_missing", BAD_REQUEST, 3013, "Unable to register user. Missing identity value for '%s'";
    /// The e-mail address is none.
    InvalidEmail = "invalid_email", BAD_REQUEST, 3040, "Provided email has wrong format.";
    /// objectId is not the caller's to set.
    ReservedObjectId = "reserved_object_id", BAD_REQUEST, 3039, "\"objectId\" is a reserved system property and is not allowed when registering a user.";
    /// updated is not the caller's to set.
    ReservedUpdated = "reserved_updated", BAD_REQUEST, 3076, "\"updated\" is a reserved system property and is not allowed while registration";
    /// created is not the caller's to set.
    ReservedCreated = "reserved_created", BAD_REQUEST, 3077, "\"created\" is a reserved system property and is not allowed while registration";
    /// Too many own properties, or a name that is none.
    InvalidProperties = "invalid_properties", BAD_REQUEST, 14000, "Own properties are at most 50, their names letters, digits and '_'";
    /// The value of an own property is too long, too deep or not text.
    InvalidPropertyValue = "invalid_property_value", BAD_REQUEST, 3049, "Wrong value type for property '%s'.";
    /// The phone or the identity is taken.
    UserExists = "user_exists", CONFLICT, 3033, "Unable to register user. User already exists.";
    /// The user may not log in.
    UserDisabled = "user_disabled", FORBIDDEN, 3090, "User account is disabled";
    /// The user-token is of no session, or of one that is over.
    SessionInvalid = "session_invalid", UNAUTHORIZED, 3064, "Not existing user token. Relogin user to update your user token";
    /// Another user's data.
    NotOwn = "not_own", FORBIDDEN, 14008, "Access denied";
    /// The key of sendMessage is missing or wrong.
    AccessDenied = "access_denied", UNAUTHORIZED, 14008, "Access denied";
    /// A code was asked for this phone a moment ago, or ten times in a day.
    TooManyMessages = "too_many_messages", TOO_MANY_REQUESTS, 14000, "Too many messages to this phone. Try again later.";
    /// Too many registrations or logins from this network in an hour, or for phones of too many countries in a day.
    TooManyStarts = "too_many_starts", TOO_MANY_REQUESTS, 14000, "Too many requests from this network. Try again later.";
    /// Too many wrong passwords for this phone.
    TooManyPasswords = "too_many_passwords", TOO_MANY_REQUESTS, 14000, "Too many wrong passwords for this phone. Try again later.";
    /// Too many wrong codes for this phone in a day.
    TooManyWrongCodes = "too_many_wrong_codes", TOO_MANY_REQUESTS, 14000, "Too many wrong codes for this phone. Try again later.";
    /// A message has neither text nor media.
    MessageEmpty = "message_empty", BAD_REQUEST, 8007, "Missing parameter '%s'.";
    /// The message is longer than Plivo takes.
    MessageTooLong = "message_too_long", BAD_REQUEST, 14000, "The message is longer than 1600 GSM or 737 Unicode characters";
    /// The message holds control characters.
    MessageNotText = "message_not_text", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// More than ten media links.
    TooManyMediaUrls = "too_many_media_urls", BAD_REQUEST, 14000, "More than 10 media links";
    /// A media link is no public https link.
    InvalidMediaUrl = "invalid_media_url", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// Media goes to the United States and Canada only.
    MediaNotServed = "media_not_served", BAD_REQUEST, 14000, "Media can be sent to the United States and Canada only";
    /// The idempotency key is none, or is given twice.
    InvalidIdempotencyKey = "invalid_idempotency_key", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// The idempotency key was another message's.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, 14000, "This idempotency key was used for another message";
    /// The message of this idempotency key is being sent.
    MessageInFlight = "message_in_flight", CONFLICT, 14000, "The message of this idempotency key is being sent";
    /// An event that `send-message` does not take.
    UnknownEvent = "unknown_event", BAD_REQUEST, 14000, "This is no event that carries a message";
    /// Plivo refuses this message.
    MessageRejected = "message_rejected", BAD_REQUEST, 14000, "Plivo refuses this message";
    /// Plivo refuses to send to this number; the message was not sent.
    SmsRejected = "sms_rejected", SERVICE_UNAVAILABLE, 14000, "SMS cannot be sent to this number";
    /// Plivo does not take messages now; this one was not sent.
    SmsUnavailable = "sms_unavailable", SERVICE_UNAVAILABLE, 14000, "SMS cannot be sent at the moment";
    /// The budget for messages, or the country's, is spent for this hour, day or month.
    BudgetSpent = "budget_spent", SERVICE_UNAVAILABLE, 14000, "No more SMS can be sent for now";
    /// Too many messages to neighbours of this number, or to its country, were not confirmed: it looks like fraud.
    NumbersSuspended = "numbers_suspended", SERVICE_UNAVAILABLE, 14000, "SMS to these numbers are suspended for now";
    /// The operator has switched off this operation, this country, SMS or MMS.
    SwitchedOff = "switched_off", SERVICE_UNAVAILABLE, 14000, "Switched off for now";
    /// Plivo's answer was lost or unreadable; the message may have been sent.
    SmsUnknown = "sms_unknown", SERVICE_UNAVAILABLE, 14000, "Plivo did not confirm the message. It may have been sent.";
    /// Storage or secrets do not answer now.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, 14000, "The service is not available at the moment";
    /// Another application's id or key.
    UnknownApplication = "unknown_application", BAD_REQUEST, 2002, "Unable to find application. Check application id and/or API key.";
    /// There is nothing at this path.
    NotFound = "not_found", NOT_FOUND, 14002, "Service method not found";
    /// There is something at this path, for other methods.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, 14002, "Service method not found";
    /// Our fault.
    Internal = "internal", INTERNAL_SERVER_ERROR, 14000, "Internal error";
}

impl Reason {
    /// The event of OWASP's Logging Vocabulary that it is, if any.
    pub const fn event(self) -> Option<&'static str> {
        match self {
            Self::CodeRejected | Self::LoginRejected | Self::UserDisabled => Some("authn_login_fail"),
            Self::TooManyWrongCodes | Self::TooManyPasswords => Some("authn_login_fail_max"),
            Self::TooManyMessages | Self::TooManyStarts | Self::BudgetSpent | Self::NumbersSuspended => {
                Some("excess_rate_limit_exceeded")
            }
            Self::AccessDenied | Self::NotOwn => Some("authz_fail"),
            Self::SessionInvalid => Some("session_use_after_expire"),
            other if other.status().as_u16() == 400 => Some("input_validation_fail"),
            _ => None,
        }
    }
}

/// A request that is answered with an error.
#[derive(Debug)]
pub struct Problem {
    reason: Reason,
    code: u32,
    message: String,
    retry_after: Option<u64>,
    limit: Option<limits::Rule>,
    allow: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A refusal that needs no more words.
    pub fn new(reason: Reason) -> Self {
        Self {
            reason,
            code: reason.code(),
            message: reason.message().to_owned(),
            retry_after: None,
            limit: None,
            allow: None,
            cause: None,
        }
    }

    /// A refusal about a field.
    pub fn field(reason: Reason, name: &str) -> Self {
        Self { message: reason.message().replace("%s", &short(name)), ..Self::new(reason) }
    }

    pub(super) fn missing(name: &str) -> Self {
        Self::field(Reason::MissingField, name)
    }

    pub(super) fn wrong_type(name: &str) -> Self {
        Self::field(Reason::WrongType, name)
    }

    pub(super) fn unknown(name: &str) -> Self {
        Self::field(Reason::UnknownField, name)
    }

    pub(super) fn duplicate(name: &str, duplicates: Duplicates) -> Self {
        match duplicates {
            Duplicates::Service => Self::field(Reason::DuplicateField, name),
            Duplicates::Registration => Self {
                code: 3043,
                message: "Unable to register user. There are the same properties in request.".to_owned(),
                ..Self::new(Reason::DuplicateField)
            },
        }
    }

    /// A path that takes only these methods.
    pub fn method_not_allowed(methods: &[&str]) -> Self {
        Self { allow: Some(methods.join(", ")), ..Self::new(Reason::MethodNotAllowed) }
    }

    fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    fn because(self, cause: impl Error + Send + Sync + 'static) -> Self {
        Self { cause: Some(Box::new(cause)), ..self }
    }

    /// The reason.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// A code's message that failed, where that is told. One that may be on its way counts, so the next waits its turn.
    fn from_code_message(error: PlivoError) -> Self {
        let problem = Self::from(error);
        match problem.reason {
            Reason::MessageRejected => Self { cause: problem.cause, ..Self::new(Reason::SmsRejected) },
            Reason::SmsUnknown => problem.retry_after(Limit::CodeMessageSpacing.rule().window.as_secs()),
            _ => problem,
        }
    }

    /// Whether a retry may succeed: a failure of ours, or of what we depend on. What may have been sent is never retried.
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self.reason,
            Reason::Unavailable
                | Reason::Internal
                | Reason::SmsUnavailable
                | Reason::MessageInFlight
                | Reason::SwitchedOff
        )
    }

    /// One line, `error` for our failures and those of what we depend on, `info` for refusals; and one metric.
    pub fn report(&self, app: &App, function: &str) {
        app.metrics.count(Metric::Refused(self.reason.as_str()), app.clock.now());
        self.log(function);
    }

    fn log(&self, function: &str) {
        let (reason, status, event) = (self.reason.as_str(), self.reason.status().as_u16(), self.reason.event());
        match &self.cause {
            // Anybody can ask for a number that Plivo does not like.
            Some(cause) if self.reason == Reason::SmsRejected => {
                tracing::warn!(
                    function,
                    event,
                    status,
                    reason,
                    cause = logging::chain(cause.as_ref()),
                    "request refused"
                );
            }
            // Our own rules, not our failures; the start has logged which.
            None if matches!(self.reason, Reason::BudgetSpent | Reason::NumbersSuspended | Reason::SwitchedOff) => {
                tracing::warn!(function, event, status, reason, "request refused");
            }
            Some(cause) if status >= 500 => {
                tracing::error!(
                    function,
                    event,
                    status,
                    reason,
                    cause = logging::chain(cause.as_ref()),
                    "request failed"
                );
            }
            None if status >= 500 => tracing::error!(function, event, status, reason, "request failed"),
            _ => tracing::info!(function, event, status, reason, "request refused"),
        }
    }

    /// `{"code", "message", "errorData": {"reason", …}}`.
    pub fn body(&self) -> Value {
        let mut data = json!({ "reason": self.reason.as_str() });
        if let (Some(seconds), Value::Object(data)) = (self.retry_after, &mut data) {
            data.insert("retryAfter".to_owned(), json!(seconds));
        }
        json!({ "code": self.code, "message": self.message, "errorData": data })
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let body = self.body();
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.reason.status();
        let headers = [
            (header::RETRY_AFTER, self.retry_after.map(|seconds| seconds.to_string())),
            (
                RATE_LIMIT,
                self.limit.zip(self.retry_after).map(|(rule, wait)| format!("\"{}\";r=0;t={wait}", rule.limit.name())),
            ),
            (
                RATE_LIMIT_POLICY,
                self.limit.map(|rule| format!("\"{}\";q={};w={}", rule.limit.name(), rule.max, rule.window.as_secs())),
            ),
            (header::ALLOW, self.allow),
            (header::WWW_AUTHENTICATE, (self.reason == Reason::AccessDenied).then(|| "Bearer".to_owned())),
        ];
        for (name, value) in headers {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// A caller's own text in an answer: enough to find the mistake.
fn short(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}

/// How much is left of a limit (IETF draft-ietf-httpapi-ratelimit-headers).
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The limit itself.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Seconds after which a passing failure is worth another request.
const SOON: u64 = 2;

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::CodeRejected => Self::new(Reason::CodeRejected),
            AuthError::LoginRejected => Self::new(Reason::LoginRejected),
            AuthError::UserExists => Self::new(Reason::UserExists),
            AuthError::UserDisabled => Self::new(Reason::UserDisabled),
            AuthError::SessionInvalid => Self::new(Reason::SessionInvalid),
            AuthError::NotOwn => Self::new(Reason::NotOwn),
            AuthError::Limited(limited) => limited.into(),
            AuthError::SpendRefused { rule: Rule::Budget | Rule::CountryBudget, retry_after } => {
                Self::new(Reason::BudgetSpent).retry_after(retry_after)
            }
            AuthError::SpendRefused { rule: Rule::CountryPumping | Rule::PrefixPumping, retry_after } => {
                Self::new(Reason::NumbersSuspended).retry_after(retry_after)
            }
            AuthError::SwitchedOff => Self::new(Reason::SwitchedOff),
            AuthError::CountryNotServed => Self::new(Reason::CountryNotServed),
            AuthError::SmsDown { retry_after } => Self::new(Reason::SmsUnavailable).retry_after(retry_after),
            AuthError::Sms(error) => Self::from_code_message(error),
            AuthError::Store(error) => error.into(),
            AuthError::Secret(error) => error.into(),
            AuthError::Hash(error) => Self::new(Reason::Internal).because(error),
            AuthError::Seal(error) => Self::new(Reason::Internal).because(error),
        }
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        let reason = match limited.rule.limit {
            Limit::CodeMessageSpacing | Limit::CodeMessagesPerDay | Limit::UnconfirmedMessagesPerDay => {
                Reason::TooManyMessages
            }
            Limit::WrongCodes | Limit::WrongCodesAfterPassword => Reason::TooManyWrongCodes,
            Limit::WrongPasswords => Reason::TooManyPasswords,
            Limit::StartsPerAddress | Limit::CountriesPerAddress => Reason::TooManyStarts,
        };
        Self { limit: Some(limited.rule), ..Self::new(reason).retry_after(limited.retry_after) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Throttled(_) => {
                Self::new(Reason::Unavailable).retry_after(SOON).because(error)
            }
            StoreError::Malformed { .. } => Self::new(Reason::Internal).because(error),
        }
    }
}

impl From<SecretError> for Problem {
    fn from(error: SecretError) -> Self {
        Self::new(Reason::Unavailable).retry_after(SOON).because(error)
    }
}

impl From<MessageError> for Problem {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::AccessDenied => Self::new(Reason::AccessDenied),
            MessageError::Empty => Self::field(Reason::MessageEmpty, "message"),
            MessageError::TooLong => Self::new(Reason::MessageTooLong),
            MessageError::NotText => Self::field(Reason::MessageNotText, "message"),
            MessageError::MediaCountry => Self::new(Reason::MediaNotServed),
            MessageError::CountryNotServed => Self::new(Reason::CountryNotServed),
            MessageError::SwitchedOff => Self::new(Reason::SwitchedOff),
            MessageError::OtherMessage => Self::new(Reason::IdempotencyKeyReused),
            MessageError::InFlight { retry_after } => Self::new(Reason::MessageInFlight).retry_after(retry_after),
            MessageError::Unknown => Self::new(Reason::SmsUnknown),
            MessageError::Secret(error) => error.into(),
            MessageError::Store(error) => error.into(),
            MessageError::Plivo(error) => error.into(),
        }
    }
}

/// As `sendMessage` tells it, whose caller is the owner's own system.
impl From<PlivoError> for Problem {
    fn from(error: PlivoError) -> Self {
        let reason = match &error {
            error if error.may_have_arrived() => Reason::SmsUnknown,
            PlivoError::Rejected(_) | PlivoError::Forbidden(_) => Reason::MessageRejected,
            PlivoError::NoAnswer(_)
            | PlivoError::Unreadable
            | PlivoError::Unreachable(_)
            | PlivoError::Credentials
            | PlivoError::Credit
            | PlivoError::Throttled
            | PlivoError::Unavailable(_) => Reason::SmsUnavailable,
        };
        Self::new(reason).because(error)
    }
}

impl From<KeyError> for Problem {
    fn from(_: KeyError) -> Self {
        Self::field(Reason::InvalidIdempotencyKey, "idempotencyKey")
    }
}

impl From<PhoneError> for Problem {
    fn from(error: PhoneError) -> Self {
        match error {
            PhoneError::Invalid => Self::field(Reason::InvalidPhoneNumber, "phoneNumber"),
            PhoneError::NotServed => Self::new(Reason::NumberNotServed),
        }
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        Self::new(match error {
            PasswordError::TooShort => Reason::PasswordTooShort,
            PasswordError::TooLong => Reason::PasswordTooLong,
            PasswordError::Control => Reason::PasswordNotPrintable,
            PasswordError::Known => Reason::PasswordKnown,
            PasswordError::Common => Reason::PasswordTooCommon,
        })
    }
}

impl From<PropertyError> for Problem {
    fn from(error: PropertyError) -> Self {
        match error {
            PropertyError::TooMany | PropertyError::Name => Self::new(Reason::InvalidProperties),
            PropertyError::Value(name) => Self::field(Reason::InvalidPropertyValue, &name),
        }
    }
}

impl From<MediaError> for Problem {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::Link => Self::field(Reason::InvalidMediaUrl, "mediaUrls"),
            MediaError::TooMany => Self::new(Reason::TooManyMediaUrls),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::password;

    #[test]
    fn words_are_unique_and_plain() {
        let mut words: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
    }

    #[test]
    fn no_reason_is_a_502_which_the_sdk_hides() {
        assert!(Reason::ALL.iter().all(|reason| reason.status() != StatusCode::BAD_GATEWAY));
    }

    #[test]
    fn the_document_lists_every_reason_as_it_is() {
        let document = include_str!("../../../docs/errors.md");
        for reason in Reason::ALL {
            let row = format!(
                "| `{}` | {} | {} | {} |",
                reason.as_str(),
                reason.status().as_u16(),
                reason.code(),
                reason.message()
            );
            assert!(document.contains(&row), "docs/errors.md lacks: {row}");
        }
        let rows = document.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, Reason::ALL.len(), "docs/errors.md lists a reason that is gone");
    }

    #[test]
    fn messages_name_the_limits_in_force() {
        assert!(Reason::PasswordTooShort.message().contains(&password::MIN_LENGTH.to_string()));
        assert!(Reason::PasswordTooLong.message().contains(&password::MAX_LENGTH.to_string()));
        assert!(Reason::BodyTooLarge.message().contains(&(super::super::MAX_BODY_BYTES / 1024).to_string()));
    }
}
