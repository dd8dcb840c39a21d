//! The one map from errors to responses: status, Backendless code, message and reason. Responses never contain an error's own text; the log
//! does, once.

use std::error::Error;

use lambda_http::http::header::{self, HeaderName, HeaderValue};
use lambda_http::{Body, Response};
use serde_json::{Value, json};

use super::{Duplicates, Reason};
use crate::app::App;
use crate::auth::AuthError;
use crate::auth::limits::{self, Limit, Limited};
use crate::auth::password::PasswordError;
use crate::auth::properties::PropertyError;
use crate::aws::secrets::SecretError;
use crate::logging;
use crate::messaging::consent::ConsentError;
use crate::messaging::media::MediaError;
use crate::messaging::{KeyError, MessageError};
use crate::metrics::Metric;
use crate::plivo::PlivoError;
use crate::spend::pumping::Rule;
use crate::store::StoreError;

/// A request's error response.
#[derive(Debug)]
pub struct Problem {
    reason: Reason,
    code: u32,
    message: String,
    retry_after: Option<u64>,
    limit: Option<limits::LimitRule>,
    allow: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A refusal without details.
    pub fn new(reason: Reason) -> Self {
        let (code, message) = (reason.code(), reason.message().to_owned());
        Self { reason, code, message, retry_after: None, limit: None, allow: None, cause: None }
    }

    /// A refusal about a field.
    pub fn field(reason: Reason, name: &str) -> Self {
        Self { message: reason.message().replace("%s", &short(name)), ..Self::new(reason) }
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

    /// A request with a method that its path does not have; these are the ones that it has.
    pub fn method_not_allowed(methods: &[&str]) -> Self {
        Self { allow: Some(methods.join(", ")), ..Self::new(Reason::MethodNotAllowed) }
    }

    /// Adds to the message how to mend the request.
    #[must_use]
    pub fn with_hint(self, hint: &str) -> Self {
        Self { message: format!("{}: {hint}", self.message), ..self }
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

    /// A code message that failed, where the client learns it. One that may be on its way counts, so the next start has to wait.
    fn from_code_message(error: PlivoError) -> Self {
        let problem = Self::from(error);
        match problem.reason {
            Reason::MessageRejected => Self { cause: problem.cause, ..Self::new(Reason::SmsRejected) },
            Reason::SmsUnknown => problem.retry_after(Limit::StartSpacing.rule().window.as_secs()),
            _ => problem,
        }
    }

    /// Whether a retry may succeed: after a failure of ours or of a service that we depend on, or of a budget. A message that may have been sent is never retried.
    pub const fn is_retryable(&self) -> bool {
        use Reason::{BudgetSpent, Internal, MessageInFlight, SmsUnavailable, SwitchedOff, Unavailable};
        matches!(self.reason, Unavailable | Internal | SmsUnavailable | MessageInFlight | SwitchedOff | BudgetSpent)
    }

    /// Logs one line (`error` for our failures and those of services, `info` for refusals) and counts one metric.
    pub fn report(&self, app: &App, function: &str) {
        app.metrics.count(Metric::Refused(self.reason.as_str()), app.clock.now());
        self.log(function);
    }

    fn log(&self, function: &str) {
        let (reason, status, event) = (self.reason.as_str(), self.reason.status().as_u16(), self.reason.event());
        let cause = self.cause.as_ref().map(|cause| logging::chain(cause.as_ref()));
        match self.reason {
            // Our own rules (the start has logged which one), and what anybody can cause with a number that Plivo refuses.
            Reason::SmsRejected | Reason::BudgetSpent | Reason::NumbersSuspended | Reason::SwitchedOff => {
                tracing::warn!(function, event, status, reason, cause, "request refused");
            }
            _ if status >= 500 => tracing::error!(function, event, status, reason, cause, "request failed"),
            _ => tracing::info!(function, event, status, reason, "request refused"),
        }
    }

    /// `{"code", "message", "errorData": {"reason", …}}`.
    pub fn body(&self) -> Value {
        let mut data = json!({ "reason": self.reason.as_str() });
        if let Some(seconds) = self.retry_after {
            data["retryAfter"] = json!(seconds);
        }
        json!({ "code": self.code, "message": self.message, "errorData": data })
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let body = self.body();
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.reason.status();
        let (limit, wait) = (self.limit.map(|rule| (rule, rule.limit.name())), self.retry_after);
        let left = limit.zip(wait).map(|((_, name), wait)| format!("\"{name}\";r=0;t={wait}"));
        let policy = limit.map(|(rule, name)| format!("\"{name}\";q={};w={}", rule.max, rule.window.as_secs()));
        let challenge = (self.reason == Reason::AccessDenied).then(|| "Bearer".to_owned());
        let headers = [
            (header::RETRY_AFTER, wait.map(|seconds| seconds.to_string())),
            (RATE_LIMIT, left),
            (RATE_LIMIT_POLICY, policy),
            (header::ALLOW, self.allow),
            (header::WWW_AUTHENTICATE, challenge),
        ];
        for (name, value) in headers {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// A client's text as it is quoted in a response: enough to find the mistake.
fn short(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}

/// How much is left of a limit (IETF draft-ietf-httpapi-ratelimit-headers).
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The limit itself.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Seconds after which a retry is worthwhile when a service was unavailable.
const SOON: u64 = 2;

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::CodeRejected(_) => Self::new(Reason::CodeRejected),
            AuthError::ChallengeNotFound => Self::new(Reason::TransactionNotFound),
            AuthError::LoginRejected => Self::new(Reason::LoginRejected),
            AuthError::UserExists => Self::new(Reason::UserExists),
            AuthError::UserDisabled => Self::new(Reason::UserDisabled),
            AuthError::SessionInvalid => Self::new(Reason::SessionInvalid),
            AuthError::UserChanged => Self::new(Reason::UserChanged),
            AuthError::Fixed(name) => Self::field(Reason::FixedProperty, &name),
            AuthError::Properties(error) => error.into(),
            AuthError::Password(error) => error.into(),
            AuthError::SessionNotFresh => Self::new(Reason::SessionNotFresh),
            AuthError::SessionNotFound => Self::new(Reason::SessionNotFound),
            AuthError::NoJwt => Self::new(Reason::NotFound),
            AuthError::NotOwn => Self::new(Reason::NotOwn),
            AuthError::Limited(limited) => limited.into(),
            AuthError::SpendRefused { rule, retry_after } => {
                let is_budget = matches!(rule, Rule::Budget | Rule::CountryBudget);
                let reason = if is_budget { Reason::BudgetSpent } else { Reason::NumbersSuspended };
                Self::new(reason).retry_after(retry_after)
            }
            AuthError::CaptchaRequired => Self::new(Reason::CaptchaRequired),
            AuthError::SwitchedOff => Self::new(Reason::SwitchedOff),
            AuthError::CountryNotServed => Self::new(Reason::CountryNotServed),
            AuthError::SmsDown { retry_after } => Self::new(Reason::SmsUnavailable).retry_after(retry_after),
            AuthError::Sms(error) => Self::from_code_message(error),
            AuthError::Store(error) => error.into(),
            AuthError::Secret(error) => error.into(),
            AuthError::Hash(error) => Self::new(Reason::Internal).because(error),
            AuthError::Seal(error) => Self::new(Reason::Internal).because(error),
            AuthError::Jwt(error) => Self::new(Reason::Internal).because(error),
        }
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        let reason = match limited.rule.limit {
            Limit::StartSpacing | Limit::StartsPerDay | Limit::UnconfirmedMessagesPerDay | Limit::MessagesPerPhone => {
                Reason::TooManyMessages
            }
            Limit::WrongCodes | Limit::WrongCodesAfterPassword | Limit::WrongCodesPerAddress => {
                Reason::TooManyWrongCodes
            }
            Limit::WrongPasswords | Limit::WrongPasswordsPerMonth => Reason::TooManyPasswords,
            Limit::StartsPerAddress | Limit::CountriesPerAddress => Reason::TooManyStarts,
        };
        Self { limit: Some(limited.rule), ..Self::new(reason).retry_after(limited.retry_after) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Throttled(_) | StoreError::OtherRootKey => {
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
            MessageError::NoKey => Self::new(Reason::AccessDenied)
                .with_hint("send the message key in the header 'Authorization: Bearer KEY'"),
            MessageError::WrongKey => Self::new(Reason::AccessDenied).with_hint("this is not the message key"),
            MessageError::Empty => Self::field(Reason::MessageEmpty, "message"),
            MessageError::TooLong => Self::new(Reason::MessageTooLong),
            MessageError::NotText => Self::field(Reason::MessageNotText, "message"),
            MessageError::MediaCountry => Self::new(Reason::MediaNotServed),
            MessageError::CountryNotServed => Self::new(Reason::CountryNotServed),
            MessageError::SwitchedOff => Self::new(Reason::SwitchedOff),
            MessageError::OptedOut => Self::new(Reason::OptedOut),
            MessageError::BudgetSpent { retry_after } => Self::new(Reason::BudgetSpent).retry_after(retry_after),
            MessageError::Limited(limited) => limited.into(),
            MessageError::OtherMessage => Self::new(Reason::IdempotencyKeyReused),
            MessageError::InFlight { retry_after } => Self::new(Reason::MessageInFlight).retry_after(retry_after),
            MessageError::NotFound => Self::new(Reason::MessageNotFound),
            MessageError::Unknown => Self::new(Reason::SmsUnknown),
            MessageError::Secret(error) => error.into(),
            MessageError::Store(error) => error.into(),
            MessageError::Plivo(error) => error.into(),
        }
    }
}

/// As `sendMessage` reports it: its client is the owner's own system.
impl From<PlivoError> for Problem {
    fn from(error: PlivoError) -> Self {
        let reason = match &error {
            error if error.may_have_arrived() => Reason::SmsUnknown,
            PlivoError::Rejected(_) | PlivoError::Forbidden(_) => Reason::MessageRejected,
            _ => Reason::SmsUnavailable,
        };
        Self::new(reason).because(error)
    }
}

impl From<KeyError> for Problem {
    fn from(_: KeyError) -> Self {
        Self::field(Reason::InvalidIdempotencyKey, "idempotencyKey")
    }
}

impl From<ConsentError> for Problem {
    fn from(error: ConsentError) -> Self {
        Self::field(Reason::WrongType, error.field)
            .with_hint(&format!("at most {} characters, without control characters", error.max))
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
