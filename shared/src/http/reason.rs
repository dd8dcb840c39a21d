//! Why a request was refused: one list of reasons with status, Backendless code and message. `docs/errors.md` lists them for readers.

use lambda_http::http::StatusCode;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $status:ident, $code:literal, $message:literal;)+) => {
        /// Why a request was refused: the stable name in `errorData.reason`. `docs/errors.md` lists them all.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $name,)+ }

        impl Reason {
            /// All reasons.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $word,)+ } }

            /// The HTTP status.
            pub const fn status(self) -> StatusCode { match self { $(Self::$name => StatusCode::$status,)+ } }

            /// Backendless' code for the case, or else 14000, its code for an error that a service throws.
            pub const fn code(self) -> u32 { match self { $(Self::$name => $code,)+ } }

            /// The message; `%s` stands for a field's name.
            pub const fn message(self) -> &'static str { match self { $(Self::$name => $message,)+ } }
        }
    };
}

reasons! {
    /// `users/login` would be a login without a code.
    LoginDisabled = "login_disabled", BAD_REQUEST, 3034, "Unable to login. User login is disabled.";
    /// The path, the query or the encoding of the body are no HTTP.
    InvalidRequest = "invalid_request", BAD_REQUEST, 8004, "Parsing input json params failed";
    /// There is no body.
    EmptyBody = "empty_body", BAD_REQUEST, 8005, "Invalid empty param for request";
    /// The body is over 16 KiB.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, 14000, "The body is larger than 16 KiB";
    /// The body is not JSON in UTF-8, or nested too deep.
    NotJson = "not_json", BAD_REQUEST, 8004, "Parsing input json params failed";
    /// The body is JSON but no object.
    NotAnObject = "not_an_object", BAD_REQUEST, 8004, "Parsing input json params failed";
    /// A field occurs twice.
    DuplicateField = "duplicate_field", BAD_REQUEST, 8001, "Duplicate property: %s";
    /// A field is missing or empty.
    MissingField = "missing_field", BAD_REQUEST, 8007, "Missing parameter '%s'.";
    /// A field is not of its type.
    WrongType = "wrong_type", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// A field that the operation does not have.
    UnknownField = "unknown_field", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// Not a valid phone number.
    InvalidPhoneNumber = "invalid_phone_number", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// A kind of number that is not sent to: premium rate, shared cost, toll free and the like.
    NumberNotServed = "number_not_served", BAD_REQUEST, 14000, "This kind of number is not served";
    /// The number's country is not in SMS_COUNTRIES.
    CountryNotServed = "country_not_served", BAD_REQUEST, 14000, "This country is not served";
    /// The `transactionId` has the wrong form.
    InvalidTransactionId = "invalid_transaction_id", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// The code is not CODE_LENGTH digits.
    InvalidCode = "invalid_code", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// The request has not come through the proxy in front of the API.
    ProxyRequired = "proxy_required", FORBIDDEN, 14008, "Access denied: the request has not come through the proxy";
    /// The code is wrong, or its challenge is unknown, of another phone, expired, redeemed or out of attempts.
    CodeRejected = "code_rejected", UNAUTHORIZED, 14000, "The code is wrong or no longer valid";
    /// No transaction has this id any more, or none ever had.
    TransactionNotFound = "transaction_not_found", NOT_FOUND, 14000, "There is no such transaction";
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
    /// Not a valid e-mail address.
    InvalidEmail = "invalid_email", BAD_REQUEST, 3040, "Provided email has wrong format.";
    /// The client may not set objectId.
    ReservedObjectId = "reserved_object_id", BAD_REQUEST, 3039, "\"objectId\" is a reserved system property and is not allowed when registering a user.";
    /// The client may not set updated.
    ReservedUpdated = "reserved_updated", BAD_REQUEST, 3076, "\"updated\" is a reserved system property and is not allowed while registration";
    /// The client may not set created.
    ReservedCreated = "reserved_created", BAD_REQUEST, 3077, "\"created\" is a reserved system property and is not allowed while registration";
    /// Too many own properties, or an invalid name.
    InvalidProperties = "invalid_properties", BAD_REQUEST, 14000, "Own properties are at most 50, their names letters, digits and '_'";
    /// The value of an own property is too long, too deep or not text.
    InvalidPropertyValue = "invalid_property_value", BAD_REQUEST, 3049, "Wrong value type for property '%s'.";
    /// The phone or the identity is taken.
    UserExists = "user_exists", CONFLICT, 3033, "Unable to register user. User already exists.";
    /// The user may not log in.
    UserDisabled = "user_disabled", FORBIDDEN, 3090, "User account is disabled";
    /// The user-token belongs to no session, or to one that is over.
    SessionInvalid = "session_invalid", UNAUTHORIZED, 3064, "Not existing user token. Relogin user to update your user token";
    /// The user was changed since the client has read it: its `updated` is another's.
    UserChanged = "user_changed", CONFLICT, 14000, "The user has been changed since you read it";
    /// A property that its user cannot change.
    FixedProperty = "fixed_property", FORBIDDEN, 14000, "Property '%s' cannot be changed";
    /// The login was too long ago for this: log in again, or send the password.
    SessionNotFresh = "session_not_fresh", FORBIDDEN, 3055, "Log in again, or send your current password";
    /// A query that is not understood.
    InvalidQuery = "invalid_query", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// The user has no session of this id.
    SessionNotFound = "session_not_found", NOT_FOUND, 14000, "There is no such session";
    /// Another user's data.
    NotOwn = "not_own", FORBIDDEN, 14008, "Access denied: users can reach their own data only";
    /// The key of sendMessage is missing or wrong.
    AccessDenied = "access_denied", UNAUTHORIZED, 14008, "Access denied";
    /// What comes over Plivo's paths is not signed by Plivo, or is signed for something else.
    SignatureInvalid = "signature_invalid", UNAUTHORIZED, 14008, "Access denied: this is not signed by Plivo";
    /// Plivo has no message of this id for us, or it is older than 30 days.
    MessageNotFound = "message_not_found", NOT_FOUND, 14000, "There is no such message";
    /// A start for this phone came too soon after the last one, or after ten in a day.
    TooManyMessages = "too_many_messages", TOO_MANY_REQUESTS, 14000, "Too many messages to this phone. Try again later.";
    /// A limit of this network or a suspension refuses, unless the header `captcha-token` shows that a person asks.
    CaptchaRequired = "captcha_required", FORBIDDEN, 14000, "Show by a captcha that you are a person";
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
    /// A media link is not a public https link.
    InvalidMediaUrl = "invalid_media_url", BAD_REQUEST, 8008, "Invalid parameter '%s'";
    /// Media goes to the United States and Canada only.
    MediaNotServed = "media_not_served", BAD_REQUEST, 14000, "Media can be sent to the United States and Canada only";
    /// The phone has opted out of messages: it answered STOP.
    OptedOut = "opted_out", FORBIDDEN, 14000, "This phone has opted out of messages";
    /// The idempotency key has the wrong form, or two different ones are given.
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
    /// Its event in OWASP's Logging Vocabulary, if any.
    pub const fn event(self) -> Option<&'static str> {
        match self {
            Self::CodeRejected | Self::LoginRejected | Self::UserDisabled => Some("authn_login_fail"),
            Self::TooManyWrongCodes | Self::TooManyPasswords => Some("authn_login_fail_max"),
            Self::TooManyMessages
            | Self::TooManyStarts
            | Self::CaptchaRequired
            | Self::BudgetSpent
            | Self::NumbersSuspended => Some("excess_rate_limit_exceeded"),
            Self::AccessDenied | Self::NotOwn | Self::ProxyRequired | Self::SignatureInvalid => Some("authz_fail"),
            Self::SessionInvalid => Some("session_use_after_expire"),
            other if other.status().as_u16() == 400 => Some("input_validation_fail"),
            _ => None,
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
