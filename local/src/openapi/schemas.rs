//! The bodies of requests and answers. The handlers take fields one by one, so these types exist only here; tests hold them against
//! what the handlers accept and answer.
#![expect(dead_code, reason = "only their schemas are used")]

use std::collections::HashMap;

use serde_json::Value;
use utoipa::ToSchema;

/// How a code comes: by SMS, or by a call that reads it, where a code has come by SMS before and calls are on.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum Channel {
    Sms,
    Voice,
}

/// A registration. Step 1: `phoneNumber` alone. Step 2: all of it, and the app's custom properties.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Registration {
    /// The phone, E.164, or as it is dialled in the default country.
    phone_number: String,
    /// The user's e-mail address, where it is the identity.
    email: Option<String>,
    /// 8 to 128 characters.
    password: Option<String>,
    /// From the response of step 1.
    transaction_id: Option<String>,
    /// The code from the SMS.
    transaction_code: Option<String>,
    /// The user's language, two letters.
    bl_user_locale: Option<String>,
    /// In step 1, `voice` lets a call read the code. Otherwise it is a property of your own.
    channel: Option<Value>,
}

/// A phone.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Phone {
    /// The phone, E.164, or as it is dialled in the default country.
    phone_number: String,
    /// How the code is to come. By SMS, if it is missing.
    #[schema(inline, nullable = false)]
    channel: Option<Channel>,
}

/// A phone and its user's password.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct PhoneAndPassword {
    /// The phone, E.164, or as it is dialled in the default country.
    phone_number: String,
    /// The user's password.
    password: String,
    /// How the code is to come. By SMS, if it is missing.
    #[schema(inline, nullable = false)]
    channel: Option<Channel>,
}

/// A code for a transaction.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct TransactionCode {
    /// From the response that began the transaction.
    transaction_id: String,
    /// The code from the SMS.
    code: String,
}

/// A new password, with the code for it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct PasswordReset {
    /// From the response of `restorepassword`.
    transaction_id: String,
    /// The code from the SMS.
    code: String,
    /// The new password, 8 to 128 characters.
    password: String,
}

/// A password.
#[derive(ToSchema)]
pub(super) struct PasswordVerification {
    /// The user's password.
    password: String,
}

/// Changes of a user: those properties that are there. The whole object of a former answer may be sent back.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct UserChange {
    /// The user's id, where the path does not hold it.
    object_id: Option<String>,
    /// As read. If the user has changed since, the request is rejected.
    updated: Option<i64>,
    /// Another phone. The first answer holds a `transactionId`; send the change again with it and the code from the SMS.
    phone_number: Option<String>,
    /// With a new phone, `voice` lets a call read its code. Otherwise it is a property of your own.
    channel: Option<Value>,
    /// From the response to the first request with the new phone.
    transaction_id: Option<String>,
    /// The code that was sent to the new phone.
    transaction_code: Option<String>,
    /// Another e-mail address, where it is not the identity.
    email: Option<String>,
    /// A new password, 8 to 128 characters.
    password: Option<String>,
    /// The current password: needed for a new phone or password when the login was too long ago.
    current_password: Option<String>,
    /// The user's language, two letters.
    bl_user_locale: Option<String>,
}

/// An SMS, or an MMS where it has media.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Message {
    /// The phone, E.164, or as it is dialled in the default country.
    phone_number: String,
    /// The text: up to 1600 GSM or 737 Unicode characters. May be missing where there is media.
    message: Option<String>,
    /// Up to ten public https links of media. A string separated by commas, as Backendless has it, is accepted as well.
    media_urls: Option<Vec<String>>,
    /// Like the header `Idempotency-Key`.
    idempotency_key: Option<String>,
}

/// What a phone's owner has agreed to.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Consent {
    /// The phone, E.164, or as it is dialled in the default country.
    phone_number: String,
    /// What the owner was shown, up to 500 characters.
    #[schema(max_length = 500)]
    text: String,
    /// Where, like the address of the page, up to 100 characters.
    #[schema(max_length = 100)]
    source: String,
}

/// A query over users. It finds only the session's user.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Query {
    /// A condition like `name = 'Jane'`.
    r#where: Option<String>,
    /// The properties to return, separated by commas.
    props: Option<String>,
    /// The properties to leave out, separated by commas.
    exclude_props: Option<String>,
    /// How many users to return.
    #[schema(minimum = 0)]
    page_size: Option<i64>,
    /// How many users to skip.
    #[schema(minimum = 0)]
    offset: Option<i64>,
}

/// A transaction that a code will finish.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Transaction {
    /// Its id.
    transaction_id: String,
}

/// What became of a transaction's code.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct TransactionStatus {
    /// `queued`, `sent`, `delivered`, `failed` or `unknown`.
    state: String,
    /// `sms` or `voice`.
    channel: String,
    /// Why it failed: a reason of docs/status.md.
    #[schema(nullable = false)]
    reason: Option<String>,
    /// The state in words for a person, in English.
    message: String,
    /// When the next start is admitted, in epoch milliseconds.
    retry_at: i64,
    /// Whether a call can read the code instead.
    voice: bool,
    /// When the code expires, in epoch milliseconds.
    expires: i64,
}

/// A user, with the app's custom properties.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct User {
    /// The user's id, an upper-case UUID.
    object_id: String,
    /// The same id.
    owner_id: String,
    /// `Users`.
    #[schema(rename = "___class")]
    class: String,
    /// The phone, E.164.
    phone_number: String,
    /// The e-mail address, where the user has one.
    email: Option<String>,
    /// `ENABLED` or `DISABLED`.
    user_status: String,
    /// When the user registered, in milliseconds since 1970.
    created: i64,
    /// When the user was last changed; null until then.
    #[schema(required)]
    updated: Option<i64>,
    /// When the user last logged in.
    last_login: Option<i64>,
    /// The user's language, two letters.
    bl_user_locale: String,
    /// `BACKENDLESS`.
    social_account: Option<String>,
    /// `Users`, after a login.
    #[schema(rename = "___jsonclass")]
    json_class: Option<String>,
    /// The session's token, after a login: send it as the header `user-token`.
    #[schema(rename = "user-token")]
    user_token: Option<String>,
    /// A device token, where the login asked for one by the header `device-token: new`.
    #[schema(rename = "device-token")]
    device_token: Option<String>,
    /// After a change of the phone was asked for: the transaction that the code finishes.
    transaction_id: Option<String>,
}

/// A session.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Session {
    /// Its id.
    id: String,
    /// What the client called itself at the login.
    device: String,
    /// When it began, in milliseconds since 1970.
    created: i64,
    /// When it was last used.
    last_seen: i64,
    /// Whether it is the session of this request.
    current: bool,
}

/// All stored data about a user.
#[derive(ToSchema)]
pub(super) struct UserExport {
    /// The user.
    user: User,
    /// The user's sessions.
    sessions: Vec<HashMap<String, Value>>,
    /// The phone's limits.
    phone: HashMap<String, Value>,
    /// When messages went to the phone, in milliseconds since 1970.
    messages: Vec<i64>,
    /// What the phone has agreed to.
    consents: Consents,
}

/// A column of users.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Column {
    /// The property's name.
    name: String,
    /// Whether a registration needs it.
    required: bool,
    /// Backendless' type.
    r#type: String,
    /// Always null.
    #[schema(required)]
    default_value: Option<String>,
    /// Always null.
    #[schema(required)]
    related_table: Option<String>,
    /// Always null.
    #[schema(required)]
    custom_regex: Option<String>,
    /// Always false.
    auto_load: bool,
    /// Whether users are known by it.
    identity: bool,
    /// Whether it is the user's id.
    is_primary_key: bool,
}

/// The application.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Info {
    /// Its id.
    app_id: String,
    /// Its key, which is public.
    api_key: String,
    /// Empty: there is no real-time server.
    #[schema(rename = "rtURL")]
    rt_url: String,
    /// Otpost's version.
    version: String,
}

/// A JWT for the app's back end.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Jwt {
    /// The token.
    token: String,
    /// How long it is valid, in seconds.
    expires_in: u64,
}

/// Where the public keys are (OpenID Connect Discovery 1.0).
#[derive(ToSchema)]
pub(super) struct OpenidConfiguration {
    /// The issuer that JWTs name.
    issuer: String,
    /// The address of the public keys.
    jwks_uri: String,
    /// `RS256`.
    id_token_signing_alg_values_supported: Vec<String>,
}

/// Public keys (RFC 7517).
#[derive(ToSchema)]
pub(super) struct Jwks {
    /// The keys: the one that signs, and during a rotation another.
    keys: Vec<HashMap<String, Value>>,
}

/// Whether a password is right.
#[derive(ToSchema)]
pub(super) struct PasswordCheck {
    /// Whether it is.
    valid: bool,
}

/// A deletion.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct DeletionResult {
    /// When, in milliseconds since 1970.
    deletion_time: i64,
}

/// Plivo's response.
#[derive(ToSchema)]
pub(super) struct MessageAccepted {
    /// Plivo's text.
    message: String,
    /// The ids of the messages at Plivo.
    message_uuid: Vec<String>,
    /// The id of the request at Plivo.
    api_id: String,
}

/// What a phone has agreed to.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Consents {
    /// The phone's opt-out from messages; null if there is none.
    #[schema(required)]
    opted_out: Option<OptOut>,
    /// The last 50 records, oldest first.
    records: Vec<ConsentRecord>,
}

/// An opt-out from messages.
#[derive(ToSchema)]
pub(super) struct OptOut {
    /// When, in milliseconds since 1970.
    at: i64,
    /// The word that the phone sent, or `plivo_200` where Plivo has blocked a message.
    by: String,
}

/// A record of a consent, an opt-out or its end.
#[derive(ToSchema)]
pub(super) struct ConsentRecord {
    /// When, in milliseconds since 1970.
    at: i64,
    /// `consent`, `opt_out` or `opt_in`.
    kind: String,
    /// What the owner was shown or wrote; null once the user is deleted.
    #[schema(required)]
    text: Option<String>,
    /// Where it comes from.
    source: String,
}

/// What became of a message.
#[derive(ToSchema)]
pub(super) struct MessageStatus {
    /// Its id at Plivo.
    message_uuid: String,
    /// `queued`, `sent`, `delivered`, `undelivered`, `failed`, or `unknown`.
    state: String,
    /// Plivo's error code, if it failed.
    #[schema(rename = "errorCode")]
    error_code: Option<String>,
    /// What the code means, in English.
    message: Option<String>,
    /// How many segments it has, once a report has said it.
    segments: Option<u8>,
    /// When it was sent, in epoch milliseconds.
    created: i64,
    /// When the state last changed.
    updated: i64,
}

/// What Plivo tells: its own names and values.
#[derive(ToSchema)]
pub(super) struct PlivoForm(HashMap<String, String>);

/// Why a request was refused.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct ErrorResponse {
    /// Backendless' code for the case, else 14000.
    code: u32,
    /// A sentence for developers.
    message: String,
    /// Machine-readable details.
    error_data: ErrorData,
}

/// Machine-readable details.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct ErrorData {
    /// The reason, a stable word. Treat unknown values as a failure.
    reason: String,
    /// Seconds after which to try again.
    retry_after: Option<u64>,
}
