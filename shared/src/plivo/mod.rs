//! Plivo's REST API: a typed client for what we use of it. The only place that knows the provider; rules about what may be sent are in
//! `messaging`.

mod error;
pub mod inbound;
pub mod message_error;
pub mod signature;

use std::time::Duration;

use lambda_http::http::{Method, StatusCode};
use reqwest::header::CONTENT_TYPE;
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use error::PlivoError;

use crate::aws::secrets::PlivoCredentials;
use crate::config::Sender;

/// For a whole call. Plivo takes 50 to 500 ms; Lambda's and the gateway's own limits are longer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(8);

/// The least and the most that `message_expiry` may be, in seconds ("Plivo: Send a message" page).
const EXPIRY: (u64, u64) = (5, 10_799);

/// The longest id of a message or a call that is taken for one. Plivo's are UUIDs, of 36 characters.
pub const MAX_ID_LENGTH: usize = 64;

/// How long a phone rings before its call ends.
const RING_SECONDS: u64 = 30;
/// How long a call lasts at most: Plivo bills whole minutes.
const CALL_SECONDS: u64 = 55;

/// Whether this may be an id of Plivo's.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=MAX_ID_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A text as the content of an XML element or attribute.
pub(crate) fn xml_escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&apos;")
}

/// A message to send, already checked.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The receiver, E.164.
    pub to: &'a str,
    /// The text.
    pub text: &'a str,
    /// Links to media; none makes it an SMS, some an MMS.
    pub media: &'a [url::Url],
    /// Whether Plivo may keep the text in its own logs. Codes stay out of them.
    pub keep_text: bool,
    /// Where Plivo reports what becomes of it: the path below `/plivo/` at `PLIVO_CALLBACK_URL`.
    pub callback: &'a str,
    /// After this long, it is not to be delivered any more; Plivo's own default is three hours.
    pub expiry: Option<Duration>,
}

/// A call to make, already checked.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The number that calls, E.164.
    pub from: &'a str,
    /// The number that is called, E.164.
    pub to: &'a str,
    /// The path below `/plivo/` at `PLIVO_CALLBACK_URL`: Plivo asks at its `/answer` what to say once somebody has answered, and tells at its
    /// `/hangup` how the call ended.
    pub callback: &'a str,
}

/// Plivo's answer to a call.
#[derive(Debug, Clone, Deserialize)]
pub struct CallAccepted {
    /// The call's id, which its callbacks repeat.
    pub request_uuid: String,
}

/// Plivo's answer to a message; `sendMessage` returns it unchanged.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Accepted {
    /// `message(s) queued`.
    pub message: String,
    /// One id per receiver.
    pub message_uuid: Vec<String>,
    /// The call's id.
    pub api_id: String,
}

/// A client of one account's messages.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    sender: Sender,
    callbacks: String,
    timeout: Duration,
}

impl Client {
    /// `http` opens a connection for each request; `base` is scheme and host, like `https://api.plivo.com`. `callbacks`: scheme and host at which
    /// Plivo reaches us.
    pub fn new(http: reqwest::Client, base: String, sender: Sender, callbacks: String) -> Self {
        Self { http, base, sender, callbacks, timeout: TIMEOUT }
    }

    /// Sends a message, once: a call that fails may still have arrived ([`PlivoError::may_have_arrived`]), so nothing here
    /// tries again.
    ///
    /// # Errors
    /// [`PlivoError`].
    pub async fn send(&self, credentials: &PlivoCredentials, message: Message<'_>) -> Result<Accepted, PlivoError> {
        let (sender, source) = match &self.sender {
            Sender::Source(source) => ("src", source),
            Sender::Powerpack(uuid) => ("powerpack_uuid", uuid),
        };
        // `number_only` keeps the number for the owner's bookkeeping and the text out.
        let log = if message.keep_text { "true" } else { "number_only" };
        let kind = if message.media.is_empty() { "sms" } else { "mms" };
        let mut body = json!({ sender: source, "dst": message.to, "text": message.text, "type": kind, "log": log,
            "url": format!("{}/plivo/{}", self.callbacks, message.callback) });
        if !message.media.is_empty() {
            body["media_urls"] = json!(message.media);
        }
        if let Some(expiry) = message.expiry {
            body["message_expiry"] = json!(expiry.as_secs().clamp(EXPIRY.0, EXPIRY.1));
        }
        let (status, answer) = self.request(Method::POST, credentials, "Message/", Some(&body)).await?;
        read(status, &answer)
    }

    /// Makes a call, once, as [`Self::send`] sends.
    ///
    /// # Errors
    /// [`PlivoError`].
    pub async fn call(&self, credentials: &PlivoCredentials, call: Call<'_>) -> Result<CallAccepted, PlivoError> {
        let Call { from, to, callback } = call;
        let url = |event| format!("{}/plivo/{callback}/{event}", self.callbacks);
        let body = json!({
            "from": from, "to": to, "ring_timeout": RING_SECONDS, "time_limit": CALL_SECONDS,
            // Whoever can listen to a voice mailbox must not get a code by calling while the phone is busy.
            "machine_detection": "hangup",
            "answer_url": url("answer"), "answer_method": "POST", "hangup_url": url("hangup"), "hangup_method": "POST",
        });
        let (status, answer) = self.request(Method::POST, credentials, "Call/", Some(&body)).await?;
        read(status, &answer)
    }

    /// Reads the account: a call that costs nothing and fails where sending would fail. It stands in for a message that must not be sent, so
    /// that the client sees no difference.
    ///
    /// # Errors
    /// [`PlivoError`].
    pub async fn decoy(&self, credentials: &PlivoCredentials) -> Result<(), PlivoError> {
        let (status, answer) = self.request(Method::GET, credentials, "", None).await?;
        read::<Value>(status, &answer).map(drop)
    }

    async fn request(
        &self,
        method: Method,
        credentials: &PlivoCredentials,
        resource: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Vec<u8>), PlivoError> {
        let (id, token) = (credentials.auth_id.expose_secret(), credentials.auth_token.expose_secret());
        let request = self.http.request(method, format!("{}/v1/Account/{id}/{resource}", self.base));
        let request = request.basic_auth(id, Some(token)).timeout(self.timeout);
        let answer = match body {
            Some(body) => request.json(body),
            None => request.header(CONTENT_TYPE, "application/json"),
        };
        let answer = answer.send().await?;
        Ok((answer.status(), answer.bytes().await?.into()))
    }
}

/// What an answer says.
///
/// # Errors
/// [`PlivoError`], by its status; or [`PlivoError::Unreadable`].
pub fn read<A: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<A, PlivoError> {
    if status.is_success() {
        serde_json::from_slice(body).map_err(|_| PlivoError::Unreadable)
    } else {
        Err(PlivoError::from_status(status.as_u16(), body))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::http_client;
    use crate::tests;

    const MESSAGE: Message<'_> =
        Message { to: "+14155550100", text: "x", media: &[], keep_text: false, callback: "codes/x", expiry: None };

    fn credentials() -> PlivoCredentials {
        PlivoCredentials { auth_id: "MA".into(), auth_token: "secret".into(), callback_tokens: Vec::new() }
    }

    async fn send_to(base: String) -> PlivoError {
        let http = http_client::without_pool(&|_| None).unwrap();
        let client = Client {
            timeout: Duration::from_millis(50),
            ..Client::new(http, base, Sender::Source("Otpost".into()), String::new())
        };
        client.send(&credentials(), MESSAGE).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_server_that_never_answers_may_have_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = send_to(format!("http://{}", listener.local_addr().unwrap())).await;
        assert!(matches!(error, PlivoError::NoAnswer(_)) && error.may_have_arrived(), "{error:?}");
    }

    #[tokio::test]
    async fn no_message_goes_out_on_a_connection_that_was_idle() {
        let accepted = r#"{"message":"message(s) queued","message_uuid":["x"],"api_id":"y"}"#;
        let (url, connections) = tests::drops_idle_connections(202, accepted).await;
        let http = http_client::without_pool(&|_| None).unwrap();
        let client = Client::new(http, url, Sender::Source("Otpost".into()), String::new());
        let credentials = credentials();
        client.send(&credentials, MESSAGE).await.unwrap();
        client.send(&credentials, MESSAGE).await.unwrap();
        assert_eq!(connections.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_has_sent_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = send_to(format!("http://{address}")).await;
        assert!(matches!(error, PlivoError::Unreachable(_)) && !error.may_have_arrived(), "{error:?}");
        assert!(!crate::logging::chain(&error).contains("/v1/Account"), "the URL holds the account: {error:?}");
    }
}
