//! Secrets from Secrets Manager. They are fetched at the cold start and cached for [`MAX_AGE`], so that a rotated one is picked up. A failure at
//! the start is not fatal: a request that needs the secret fetches it again, and answers 503 if that fails.
//!
//! AWS's own `aws_secretsmanager_caching` was considered: it asks for secrets one by one (a batch is one call and one connection of a cold
//! start), ages them by a clock that stands still while Lambda freezes the process, and depends on `aws-config`.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::operation::batch_get_secret_value::BatchGetSecretValueOutput;
use futures_util::future::join_all;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{AwsClients, AwsError};
use crate::clock::Timestamp;
use crate::config::Resources;
use crate::crypto::{Keys, SigningKeys};
use crate::logging;

/// How long a fetched secret is used before it is fetched again: a rotated credential is in use after this long.
pub const MAX_AGE: Duration = Duration::from_secs(300);
/// How long a stale secret serves before the next attempt to fetch it.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// The shortest key of `sendMessage`, in characters.
pub const MESSAGE_KEY_LENGTH: usize = 20;

/// A secret cannot be fetched, or has the wrong format. Never holds a value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It could not be fetched.
    #[error("secret {name} cannot be fetched")]
    Fetch {
        /// The setting that names it.
        name: &'static str,
        /// Secrets Manager's error.
        source: AwsError,
    },
    /// It was fetched and has the wrong format.
    #[error("secret {name} has the wrong format: {problem}")]
    Format {
        /// The setting that names it.
        name: &'static str,
        /// What is wrong, without the value.
        problem: String,
    },
}

impl SecretError {
    /// Whether a retry may succeed. Otherwise there is no such secret for us, or it has the wrong format.
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Fetch { source, .. } if source.is_retryable())
    }
}

/// Plivo's credentials.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlivoCredentials {
    /// The account's id: 20 characters, `MA…` or `SA…`. It is half of the credentials, so it is not printed.
    pub auth_id: SecretString,
    /// The token.
    pub auth_token: SecretString,
    /// Further tokens by which Plivo may sign what it sends us: the main account's beside a subaccount's, or the other one while the token is
    /// changed.
    #[serde(default)]
    pub callback_tokens: Vec<SecretString>,
}

impl PlivoCredentials {
    /// All tokens by which Plivo may sign.
    pub fn signing_tokens(&self) -> impl Iterator<Item = &SecretString> {
        std::iter::once(&self.auth_token).chain(&self.callback_tokens)
    }
}

/// A secret that a function uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// The root key, from which all keys are derived.
    RootKey,
    /// Plivo's credentials.
    Plivo,
    /// The key of `sendMessage`.
    MessageKey,
    /// Our secret key at the captcha service.
    CaptchaKey,
    /// The keys that sign JWTs.
    SigningKeys,
}

/// What a secret holds.
trait Content: Sized {
    const SECRET: Secret;

    /// Reads it; the error says what is wrong, without the value.
    fn parse(value: &str) -> Result<Self, String>;
}

impl Content for Keys {
    const SECRET: Secret = Secret::RootKey;

    fn parse(value: &str) -> Result<Self, String> {
        Self::derive(&value.into()).map_err(|error| error.to_string())
    }
}

impl Content for PlivoCredentials {
    const SECRET: Secret = Secret::Plivo;

    fn parse(value: &str) -> Result<Self, String> {
        // serde's errors can quote the text, so only the position is reported.
        serde_json::from_str(value)
            .map_err(|error| format!("not {{authId, authToken, callbackTokens?}} (column {})", error.column()))
    }
}

impl Content for MessageKeys {
    const SECRET: Secret = Secret::MessageKey;

    fn parse(value: &str) -> Result<Self, String> {
        let keys: Vec<_> = value.split_whitespace().map(SecretString::from).collect();
        let is_good = |key: &SecretString| key.expose_secret().len() >= MESSAGE_KEY_LENGTH;
        let problem = || format!("not one or two keys of {MESSAGE_KEY_LENGTH} characters or more");
        (matches!(keys.len(), 1 | 2) && keys.iter().all(is_good)).then_some(keys).ok_or_else(problem)
    }
}

impl Content for SecretString {
    const SECRET: Secret = Secret::CaptchaKey;

    fn parse(value: &str) -> Result<Self, String> {
        let key = value.trim();
        if key.is_empty() { Err("empty".to_owned()) } else { Ok(key.into()) }
    }
}

impl Content for SigningKeys {
    const SECRET: Secret = Secret::SigningKeys;

    fn parse(value: &str) -> Result<Self, String> {
        Self::parse(value).map_err(|error| error.to_string())
    }
}

/// The keys that `sendMessage` takes: one, or two separated by white space while it is rotated.
pub type MessageKeys = Vec<SecretString>;

/// All secrets, each fetched when it is first needed.
#[derive(Debug)]
pub struct Secrets {
    clients: AwsClients,
    client: OnceLock<Client>,
    names: Resources,
    keys: Cached<Keys>,
    plivo: Cached<PlivoCredentials>,
    message_keys: Cached<MessageKeys>,
    captcha_key: Cached<SecretString>,
    signing_keys: Cached<SigningKeys>,
}

impl Secrets {
    /// Of these names; calls nobody.
    pub fn new(clients: AwsClients, names: Resources) -> Self {
        Self {
            clients,
            client: OnceLock::new(),
            names,
            keys: Cached::default(),
            plivo: Cached::default(),
            message_keys: Cached::default(),
            captcha_key: Cached::default(),
            signing_keys: Cached::default(),
        }
    }

    /// The keys derived from the root key.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn keys(&self, now: Timestamp) -> Result<Arc<Keys>, SecretError> {
        self.keys.get(now, self.fetch()).await
    }

    /// Plivo's credentials.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn plivo(&self, now: Timestamp) -> Result<Arc<PlivoCredentials>, SecretError> {
        self.plivo.get(now, self.fetch()).await
    }

    /// The keys that `sendMessage` takes.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn message_keys(&self, now: Timestamp) -> Result<Arc<MessageKeys>, SecretError> {
        self.message_keys.get(now, self.fetch()).await
    }

    /// Our secret key at the captcha service.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn captcha_key(&self, now: Timestamp) -> Result<Arc<SecretString>, SecretError> {
        self.captcha_key.get(now, self.fetch()).await
    }

    /// The keys that sign JWTs.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn signing_keys(&self, now: Timestamp) -> Result<Arc<SigningKeys>, SecretError> {
        self.signing_keys.get(now, self.fetch()).await
    }

    /// Fetches what a function will need, in one call where that is more than one secret: one by one they would be a connection each.
    /// Failures are logged once and left to the request, which fetches its own.
    pub(crate) async fn prefetch(&self, secrets: &[Secret], now: Timestamp) {
        let batch = if secrets.len() > 1 { self.fetch_batch(secrets).await } else { None };
        let outcomes = join_all(secrets.iter().map(async |secret| {
            match secret {
                Secret::RootKey => self.keys.put(now, self.find(batch.as_ref()).await?),
                Secret::Plivo => self.plivo.put(now, self.find(batch.as_ref()).await?),
                Secret::MessageKey => self.message_keys.put(now, self.find(batch.as_ref()).await?),
                Secret::CaptchaKey => self.captcha_key.put(now, self.find(batch.as_ref()).await?),
                Secret::SigningKeys => self.signing_keys.put(now, self.find(batch.as_ref()).await?),
            }
            Ok::<_, SecretError>(())
        }));
        for error in outcomes.await.into_iter().filter_map(Result::err) {
            tracing::warn!(cause = logging::chain(&error), "secret not fetched at start");
        }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| self.clients.secrets_manager())
    }

    /// The setting that names a secret, and the name or ARN that it holds.
    fn named(&self, secret: Secret) -> (&'static str, &str) {
        match secret {
            Secret::RootKey => ("ROOT_SECRET", &self.names.root_secret),
            Secret::Plivo => ("PLIVO_SECRET", &self.names.plivo_secret),
            Secret::MessageKey => ("MESSAGE_SECRET", &self.names.message_secret),
            Secret::CaptchaKey => ("CAPTCHA_SECRET", &self.names.captcha_secret),
            Secret::SigningKeys => ("JWT_SECRET", &self.names.jwt_secret),
        }
    }

    fn parse<T: Content>(&self, value: Option<&str>) -> Result<T, SecretError> {
        let parsed = value.ok_or_else(|| "not a text".to_owned()).and_then(T::parse);
        parsed.map_err(|problem| SecretError::Format { name: self.named(T::SECRET).0, problem })
    }

    async fn fetch<T: Content>(&self) -> Result<T, SecretError> {
        let (setting, name) = self.named(T::SECRET);
        let response = Box::pin(self.client().get_secret_value().secret_id(name).send()).await;
        let failed = |source| SecretError::Fetch { name: setting, source };
        self.parse(response.map_err(AwsError::from).map_err(failed)?.secret_string())
    }

    /// Tried once: an account may ask for 100 batches a second, and for 10,000 secrets (AWS: "Secrets Manager quotas").
    async fn fetch_batch(&self, secrets: &[Secret]) -> Option<BatchGetSecretValueOutput> {
        let names = secrets.iter().map(|secret| self.named(*secret).1.to_owned()).collect();
        let request = self.client().batch_get_secret_value().set_secret_id_list(Some(names)).customize();
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let response = Box::pin(request.config_override(once).send()).await.map_err(AwsError::from);
        response.inspect_err(|error| tracing::info!(cause = logging::chain(error), "secrets fetched one by one")).ok()
    }

    /// A secret from a batch, where there is one.
    async fn find<T: Content>(&self, batch: Option<&BatchGetSecretValueOutput>) -> Result<T, SecretError> {
        let Some(batch) = batch else { return self.fetch().await };
        let (setting, name) = self.named(T::SECRET);
        let is_it = |found: Option<&str>| found == Some(name);
        match batch.secret_values().iter().find(|value| is_it(value.arn()) || is_it(value.name())) {
            Some(value) => self.parse(value.secret_string()),
            None => {
                let error = batch.errors().iter().find(|error| is_it(error.secret_id()));
                let code = error.and_then(|error| error.error_code()).unwrap_or("Missing").to_owned();
                let source = AwsError::Refused { status: 400, code, message: String::new() };
                Err(SecretError::Fetch { name: setting, source })
            }
        }
    }
}

/// A value and until when it is used.
#[derive(derive_more::Debug)]
#[debug("Cached")]
struct Cached<T>(Mutex<Option<(Timestamp, Arc<T>)>>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Cached<T> {
    /// Caches a fetched value, unless one is being fetched.
    fn put(&self, now: Timestamp, value: T) {
        if let Ok(mut cached) = self.0.try_lock() {
            *cached = Some((now.plus(MAX_AGE), Arc::new(value)));
        }
    }

    /// The cached value while it is fresh, otherwise a fetched one. While Secrets Manager does not answer, the stale one serves on:
    /// nothing says that it was rotated, and refusing everybody would be worse. Requests that wait for the same secret fetch it once.
    async fn get(
        &self,
        now: Timestamp,
        fetch: impl Future<Output = Result<T, SecretError>>,
    ) -> Result<Arc<T>, SecretError> {
        let mut cached = self.0.lock().await;
        if let Some((until, value)) = &*cached
            && now < *until
        {
            return Ok(Arc::clone(value));
        }
        let (until, value) = match (fetch.await, cached.take()) {
            (Ok(value), _) => (now.plus(MAX_AGE), Arc::new(value)),
            (Err(error), Some((_, stale))) if error.is_retryable() => {
                tracing::warn!(cause = logging::chain(&error), "secret not fetched again, the stale one is used");
                (now.plus(RETRY_AFTER), stale)
            }
            (Err(error), _) => return Err(error),
        };
        *cached = Some((until, Arc::clone(&value)));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> SecretError {
        let source = AwsError::Refused { status, code: String::new(), message: String::new() };
        SecretError::Fetch { name: "ROOT_SECRET", source }
    }

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    #[tokio::test]
    async fn a_failed_fetch_is_tried_again_by_the_next_request() {
        let cached = Cached::<u32>::default();
        assert!(cached.get(START, async { Err(refused(503)) }).await.is_err());
        assert_eq!(*cached.get(START, async { Ok(1) }).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_rotated_secret_is_seen_when_the_cached_one_is_old() {
        let cached = Cached::<u32>::default();
        assert_eq!(*cached.get(START, async { Ok(1) }).await.unwrap(), 1);
        let almost = Timestamp::from_millis(START.plus(MAX_AGE).as_millis() - 1);
        assert_eq!(*cached.get(almost, async { Ok(2) }).await.unwrap(), 1);
        assert_eq!(*cached.get(START.plus(MAX_AGE), async { Ok(2) }).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_stale_secret_serves_while_no_other_can_be_had_and_is_not_asked_for_at_each_request() {
        let cached = Cached::<u32>::default();
        assert_eq!(*cached.get(START, async { Ok(1) }).await.unwrap(), 1);
        let stale = START.plus(MAX_AGE);
        assert_eq!(*cached.get(stale, async { Err(refused(503)) }).await.unwrap(), 1);
        assert_eq!(*cached.get(stale, async { Ok(2) }).await.unwrap(), 1, "not yet");
        assert_eq!(*cached.get(stale.plus(RETRY_AFTER), async { Ok(2) }).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_stale_secret_does_not_serve_where_it_was_replaced_or_access_was_revoked() {
        let bad = SecretError::Format { name: "ROOT_SECRET", problem: String::new() };
        for error in [bad, refused(400)] {
            let cached = Cached::<u32>::default();
            assert_eq!(*cached.get(START, async { Ok(1) }).await.unwrap(), 1);
            assert!(cached.get(START.plus(MAX_AGE), async { Err(error) }).await.is_err());
            assert_eq!(*cached.get(START.plus(MAX_AGE), async { Ok(2) }).await.unwrap(), 2);
        }
    }

    #[test]
    fn credentials_do_not_print() {
        let credentials: PlivoCredentials = serde_json::from_str(
            r#"{"authId":"MAXXXXXXXXXXXXXXXXXX","authToken":"very-secret","callbackTokens":["other-secret"]}"#,
        )
        .unwrap();
        let printed = format!("{credentials:?}");
        assert!(!printed.contains("-secret") && !printed.contains("MAXX"), "{printed}");
    }

    #[test]
    fn plivo_signs_by_its_token_and_by_further_ones() {
        let tokens = |more: &str| {
            let text = format!(r#"{{"authId":"MA","authToken":"one"{more}}}"#);
            let credentials = PlivoCredentials::parse(&text).unwrap();
            credentials.signing_tokens().map(|token| token.expose_secret().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(tokens(""), ["one"]);
        assert_eq!(tokens(r#","callbackTokens":["two","three"]"#), ["one", "two", "three"]);
        assert!(PlivoCredentials::parse(r#"{"authId":"MA","authToken":"one","callbackTokens":"two"}"#).is_err());
    }
}
