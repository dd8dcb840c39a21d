//! Secrets from Secrets Manager: fetched at the cold start (a failure there is not fatal: the request that needs one answers 503 and the
//! next tries again), cached for [`MAX_AGE`] so that a rotated one is seen.
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
use crate::crypto::Keys;
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
    /// Secrets Manager did not give it.
    #[error("secret {name} cannot be fetched")]
    Fetch {
        /// The setting that names it.
        name: &'static str,
        /// Why.
        source: AwsError,
    },
    /// A batch came back without it.
    #[error("secret {name} is not given: {code}")]
    NotGiven {
        /// The setting that names it.
        name: &'static str,
        /// Secrets Manager's error code.
        code: String,
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
    /// Whether Secrets Manager cannot be reached now. Otherwise it said that there is no such secret for us, or gave a bad one.
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Fetch { source, .. } if source.is_retryable())
    }
}

/// Plivo's credentials.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlivoCredentials {
    /// The account: 20 characters, `MA…` or `SA…`. In every path, but half of the credentials: not printed.
    pub auth_id: SecretString,
    /// The token.
    pub auth_token: SecretString,
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
}

impl Secret {
    /// The setting that names it.
    const fn setting(self) -> &'static str {
        match self {
            Self::RootKey => "ROOT_SECRET",
            Self::Plivo => "PLIVO_SECRET",
            Self::MessageKey => "MESSAGE_SECRET",
        }
    }

    fn bad_format(self, problem: &dyn std::fmt::Display) -> SecretError {
        SecretError::Format { name: self.setting(), problem: problem.to_string() }
    }
}

/// All secrets, each fetched when it is first needed.
#[derive(Debug)]
pub struct Secrets {
    clients: AwsClients,
    client: OnceLock<Client>,
    names: Resources,
    keys: Cached<Keys>,
    plivo: Cached<PlivoCredentials>,
    message_keys: Cached<Vec<SecretString>>,
}

impl Secrets {
    pub(crate) fn new(clients: AwsClients, names: Resources) -> Self {
        let (keys, plivo, message_keys) = (Cached::default(), Cached::default(), Cached::default());
        Self { clients, client: OnceLock::new(), names, keys, plivo, message_keys }
    }

    /// The keys derived from the root key.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn keys(&self, now: Timestamp) -> Result<Arc<Keys>, SecretError> {
        self.keys.get(now, async { parse_keys(&self.fetch(Secret::RootKey).await?) }).await
    }

    /// Plivo's credentials.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn plivo(&self, now: Timestamp) -> Result<Arc<PlivoCredentials>, SecretError> {
        self.plivo.get(now, async { parse_plivo(&self.fetch(Secret::Plivo).await?) }).await
    }

    /// The keys that `sendMessage` takes: one, or two separated by white space while it is rotated.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn message_keys(&self, now: Timestamp) -> Result<Arc<Vec<SecretString>>, SecretError> {
        self.message_keys.get(now, async { parse_message_keys(&self.fetch(Secret::MessageKey).await?) }).await
    }

    /// Fetches what a function will need, in one call where that is more than one secret: one by one they would be a connection each.
    /// Failures are logged once and left to the request, which fetches its own.
    pub(crate) async fn prefetch(&self, secrets: &[Secret], now: Timestamp) {
        let batch = if secrets.len() > 1 { self.fetch_batch(secrets).await } else { None };
        let outcomes = match batch {
            Some(batch) => {
                secrets.iter().map(|secret| self.cache(*secret, &self.find(&batch, *secret)?, now)).collect()
            }
            None => join_all(secrets.iter().map(|secret| self.fetch_and_cache(*secret, now))).await,
        };
        for error in outcomes.into_iter().filter_map(Result::err) {
            tracing::warn!(cause = logging::chain(&error), "secret not fetched at start");
        }
    }

    /// The name or ARN of a secret.
    fn name(&self, secret: Secret) -> &str {
        match secret {
            Secret::RootKey => &self.names.root_secret,
            Secret::Plivo => &self.names.plivo_secret,
            Secret::MessageKey => &self.names.message_secret,
        }
    }

    fn cache(&self, secret: Secret, value: &SecretString, now: Timestamp) -> Result<(), SecretError> {
        match secret {
            Secret::RootKey => self.keys.put(now, parse_keys(value)?),
            Secret::Plivo => self.plivo.put(now, parse_plivo(value)?),
            Secret::MessageKey => self.message_keys.put(now, parse_message_keys(value)?),
        }
        Ok(())
    }

    async fn fetch_and_cache(&self, secret: Secret, now: Timestamp) -> Result<(), SecretError> {
        self.cache(secret, &self.fetch(secret).await?, now)
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| self.clients.secrets_manager())
    }

    async fn fetch(&self, secret: Secret) -> Result<SecretString, SecretError> {
        let response = Box::pin(self.client().get_secret_value().secret_id(self.name(secret)).send()).await;
        let response = response.map_err(|error| SecretError::Fetch { name: secret.setting(), source: error.into() })?;
        response.secret_string.map(SecretString::from).ok_or_else(|| secret.bad_format(&"not a text"))
    }

    /// Tried once: an account may ask for 100 batches a second, and for 10,000 secrets (AWS: "Secrets Manager quotas").
    async fn fetch_batch(&self, secrets: &[Secret]) -> Option<BatchGetSecretValueOutput> {
        let names = secrets.iter().map(|secret| self.name(*secret).to_owned()).collect();
        let request = self.client().batch_get_secret_value().set_secret_id_list(Some(names)).customize();
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let response = Box::pin(request.config_override(once).send()).await.map_err(AwsError::from);
        response.inspect_err(|error| tracing::info!(cause = logging::chain(error), "secrets fetched one by one")).ok()
    }

    /// A secret's value in a batch.
    fn find(&self, batch: &BatchGetSecretValueOutput, secret: Secret) -> Result<SecretString, SecretError> {
        let is_it = |name: Option<&str>| name == Some(self.name(secret));
        let found = batch.secret_values().iter().find(|value| is_it(value.arn()) || is_it(value.name()));
        let found = found.ok_or_else(|| {
            let error = batch.errors().iter().find(|error| is_it(error.secret_id()));
            let code = error.and_then(|error| error.error_code()).unwrap_or("Missing").to_owned();
            SecretError::NotGiven { name: secret.setting(), code }
        });
        found?.secret_string().map(SecretString::from).ok_or_else(|| secret.bad_format(&"not a text"))
    }
}

fn parse_keys(value: &SecretString) -> Result<Keys, SecretError> {
    Keys::derive(value).map_err(|error| Secret::RootKey.bad_format(&error))
}

fn parse_plivo(value: &SecretString) -> Result<PlivoCredentials, SecretError> {
    // serde's errors can quote the text, so only the place is told.
    serde_json::from_str(value.expose_secret())
        .map_err(|error| Secret::Plivo.bad_format(&format!("not {{authId, authToken}} (column {})", error.column())))
}

fn parse_message_keys(value: &SecretString) -> Result<Vec<SecretString>, SecretError> {
    let keys: Vec<_> = value.expose_secret().split_whitespace().map(SecretString::from).collect();
    if matches!(keys.len(), 1 | 2) && keys.iter().all(|key| key.expose_secret().len() >= MESSAGE_KEY_LENGTH) {
        Ok(keys)
    } else {
        let problem = format!("not one or two keys of {MESSAGE_KEY_LENGTH} characters or more");
        Err(Secret::MessageKey.bad_format(&problem))
    }
}

/// A value and until when it is used.
struct Cached<T>(Mutex<Option<(Timestamp, Arc<T>)>>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> std::fmt::Debug for Cached<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cached")
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
        let revoked = SecretError::NotGiven { name: "ROOT_SECRET", code: String::new() };
        for error in [Secret::RootKey.bad_format(&"test"), refused(400), revoked] {
            let cached = Cached::<u32>::default();
            assert_eq!(*cached.get(START, async { Ok(1) }).await.unwrap(), 1);
            assert!(cached.get(START.plus(MAX_AGE), async { Err(error) }).await.is_err());
            assert_eq!(*cached.get(START.plus(MAX_AGE), async { Ok(2) }).await.unwrap(), 2);
        }
    }

    #[test]
    fn credentials_do_not_print() {
        let credentials: PlivoCredentials =
            serde_json::from_str(r#"{"authId":"MAXXXXXXXXXXXXXXXXXX","authToken":"very-secret"}"#).unwrap();
        let printed = format!("{credentials:?}");
        assert!(!printed.contains("very-secret") && !printed.contains("MAXX"), "{printed}");
    }
}
