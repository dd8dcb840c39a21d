//! Secrets from Secrets Manager: fetched at the cold start (a failure there is not fatal: the request that needs one answers
//! 503 and the next tries again), kept for [`KEPT`] so that a rotated one is seen. `aws_secretsmanager_caching` does the
//! same but brings the SDK's default credential chain and TLS, ten times the cold start. Uses `aws`, `keys`, `clock`.

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

use crate::aws::{Aws, AwsError};
use crate::clock::Timestamp;
use crate::keys::Keys;
use crate::settings::Resources;

/// How long a stale secret serves before the next try to fetch it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a fetched secret is used before it is fetched again: a rotated credential is in use after this long.
pub const KEPT: Duration = Duration::from_secs(300);

/// The shortest key of `sendMessage`, in characters.
pub const MESSAGE_KEY_LENGTH: usize = 20;

/// A secret cannot be had, or is not of its form. Never holds a value.
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
    /// It was not among those that a batch gave.
    #[error("secret {name} is not given: {code}")]
    NotGiven {
        /// The setting that names it.
        name: &'static str,
        /// Secrets Manager's word for why.
        code: String,
    },
    /// It was fetched and is not what it should be.
    #[error("secret {name} is not of its form: {problem}")]
    Form {
        /// The setting that names it.
        name: &'static str,
        /// What is wrong, without the value.
        problem: String,
    },
}

impl SecretError {
    /// Whether Secrets Manager is not to be had now. Else it said that there is no such secret for us, or gave a bad one.
    fn passes(&self) -> bool {
        matches!(self, Self::Fetch { source, .. } if source.passes())
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

/// What a function needs before its first request: what it fetches, and opens, at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The keys derived from the root key.
    Keys,
    /// Plivo's credentials.
    Plivo,
    /// The key of `sendMessage`.
    Message,
    /// No secret, but a second connection to storage: for two calls side by side in the first request. One more opened then would
    /// cost it two round trips.
    SecondConnection,
}

/// All secrets, each fetched when it is first needed.
#[derive(Debug)]
pub struct Secrets {
    aws: Aws,
    client: OnceLock<Client>,
    names: Resources,
    keys: Kept<Keys>,
    plivo: Kept<PlivoCredentials>,
    message: Kept<Vec<SecretString>>,
}

impl Secrets {
    pub(crate) fn new(aws: Aws, names: Resources) -> Self {
        Self {
            aws,
            client: OnceLock::new(),
            names,
            keys: Kept::default(),
            plivo: Kept::default(),
            message: Kept::default(),
        }
    }

    /// The keys derived from the root key.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn keys(&self, now: Timestamp) -> Result<Arc<Keys>, SecretError> {
        self.keys.get(now, async { keys(&self.fetch(ROOT, &self.names.root_secret).await?) }).await
    }

    /// Plivo's credentials.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn plivo(&self, now: Timestamp) -> Result<Arc<PlivoCredentials>, SecretError> {
        self.plivo.get(now, async { plivo(&self.fetch(PLIVO, &self.names.plivo_secret).await?) }).await
    }

    /// The keys that `sendMessage` takes: one, or two while it is changed, apart by white space.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn message_keys(&self, now: Timestamp) -> Result<Arc<Vec<SecretString>>, SecretError> {
        self.message.get(now, async { message_keys(&self.fetch(MESSAGE, &self.names.message_secret).await?) }).await
    }

    /// Fetches what a function will need, in one call where that is more than one secret. One by one they were a connection each,
    /// side by side, and TLS for one is 0.4 ms of processor. Failures are logged once and left to the request, which fetches its own.
    pub async fn warm(&self, needs: &[Need], now: Timestamp) {
        let named = |need: &Need| self.named(*need).map(|(name, id)| Wanted { need: *need, name, id });
        let wanted: Vec<_> = needs.iter().filter_map(named).collect();
        let batch = if wanted.len() > 1 { self.fetch_batch(&wanted).await } else { None };
        let outcomes = match batch {
            Some(values) => wanted.iter().map(|wanted| self.keep(wanted, &find(&values, wanted)?, now)).collect(),
            None => join_all(wanted.iter().map(|wanted| self.fetch_and_keep(wanted, now))).await,
        };
        for error in outcomes.into_iter().filter_map(Result::err) {
            tracing::warn!(cause = crate::logging::chain(&error), "secret not fetched at start");
        }
    }

    /// The setting that names a need's secret, and what it says.
    fn named(&self, need: Need) -> Option<(&'static str, &str)> {
        match need {
            Need::Keys => Some((ROOT, &self.names.root_secret)),
            Need::Plivo => Some((PLIVO, &self.names.plivo_secret)),
            Need::Message => Some((MESSAGE, &self.names.message_secret)),
            Need::SecondConnection => None,
        }
    }

    fn keep(&self, wanted: &Wanted<'_>, secret: &SecretString, now: Timestamp) -> Result<(), SecretError> {
        match wanted.need {
            Need::Keys => self.keys.put(now, keys(secret)?),
            Need::Plivo => self.plivo.put(now, plivo(secret)?),
            Need::Message => self.message.put(now, message_keys(secret)?),
            Need::SecondConnection => {}
        }
        Ok(())
    }

    async fn fetch_and_keep(&self, wanted: &Wanted<'_>, now: Timestamp) -> Result<(), SecretError> {
        self.keep(wanted, &self.fetch(wanted.name, wanted.id).await?, now)
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| self.aws.secrets())
    }

    async fn fetch(&self, name: &'static str, id: &str) -> Result<SecretString, SecretError> {
        let answer = Box::pin(self.client().get_secret_value().secret_id(id).send()).await;
        let answer = answer.map_err(|source| SecretError::Fetch { name, source: source.into() })?;
        answer.secret_string.map(SecretString::from).ok_or_else(|| form(name, &"not a text"))
    }

    /// Tried once: an account may ask for 100 batches a second, and for 10,000 secrets (AWS: "Secrets Manager quotas").
    async fn fetch_batch(&self, wanted: &[Wanted<'_>]) -> Option<BatchGetSecretValueOutput> {
        let ids = wanted.iter().map(|wanted| wanted.id.to_owned()).collect();
        let request = self.client().batch_get_secret_value().set_secret_id_list(Some(ids)).customize();
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let answer = Box::pin(request.config_override(once).send()).await;
        let log = |error| tracing::info!(cause = crate::logging::chain(&error), "secrets fetched one by one");
        answer.map_err(|error| log(AwsError::from(error))).ok()
    }
}

/// A secret that is needed, by the setting that names it, and its name.
struct Wanted<'a> {
    need: Need,
    name: &'static str,
    id: &'a str,
}

/// The settings that name the secrets.
const ROOT: &str = "ROOT_SECRET";
const PLIVO: &str = "PLIVO_SECRET";
const MESSAGE: &str = "MESSAGE_SECRET";

fn keys(secret: &SecretString) -> Result<Keys, SecretError> {
    Keys::derive(secret).map_err(|error| form(ROOT, &error))
}

fn plivo(secret: &SecretString) -> Result<PlivoCredentials, SecretError> {
    // serde's errors can quote the text, so only the place is told.
    serde_json::from_str(secret.expose_secret())
        .map_err(|error| form(PLIVO, &format!("not {{authId, authToken}} (column {})", error.column())))
}

fn message_keys(secret: &SecretString) -> Result<Vec<SecretString>, SecretError> {
    let keys: Vec<_> = secret.expose_secret().split_whitespace().map(SecretString::from).collect();
    if matches!(keys.len(), 1 | 2) && keys.iter().all(|key| key.expose_secret().len() >= MESSAGE_KEY_LENGTH) {
        Ok(keys)
    } else {
        Err(form(MESSAGE, &format!("not one or two keys of {MESSAGE_KEY_LENGTH} characters or more")))
    }
}

/// What a batch holds of it.
fn find(batch: &BatchGetSecretValueOutput, wanted: &Wanted<'_>) -> Result<SecretString, SecretError> {
    let is_it = |id: Option<&str>| id == Some(wanted.id);
    let found = batch.secret_values().iter().find(|value| is_it(value.arn()) || is_it(value.name()));
    let found = found.ok_or_else(|| {
        let error = batch.errors().iter().find(|error| is_it(error.secret_id()));
        let code = error.and_then(|error| error.error_code()).unwrap_or("Missing").to_owned();
        SecretError::NotGiven { name: wanted.name, code }
    });
    found?.secret_string().map(SecretString::from).ok_or_else(|| form(wanted.name, &"not a text"))
}

fn form(name: &'static str, problem: &dyn std::fmt::Display) -> SecretError {
    SecretError::Form { name, problem: problem.to_string() }
}

/// A value and until when it is used.
struct Kept<T>(Mutex<Option<(Timestamp, Arc<T>)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> std::fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

impl<T> Kept<T> {
    /// Keeps a fetched value, unless one is being fetched.
    fn put(&self, now: Timestamp, value: T) {
        if let Ok(mut kept) = self.0.try_lock() {
            *kept = Some((now.plus(KEPT), Arc::new(value)));
        }
    }

    /// The kept value while it is fresh, else a fetched one, kept for [`KEPT`]. While Secrets Manager does not answer, the stale one
    /// serves on: nothing says that another stands there, and refusing everybody would be worse. Requests that wait for the same
    /// secret fetch it once.
    async fn get(
        &self,
        now: Timestamp,
        fetch: impl Future<Output = Result<T, SecretError>>,
    ) -> Result<Arc<T>, SecretError> {
        let mut kept = self.0.lock().await;
        if let Some((until, value)) = &*kept
            && now < *until
        {
            return Ok(Arc::clone(value));
        }
        let (until, value) = match (fetch.await, kept.take()) {
            (Ok(value), _) => (now.plus(KEPT), Arc::new(value)),
            (Err(error), Some((_, stale))) if error.passes() => {
                tracing::warn!(cause = crate::logging::chain(&error), "secret not fetched again, the last one is used");
                (now.plus(PATIENCE), stale)
            }
            (Err(error), _) => return Err(error),
        };
        *kept = Some((until, Arc::clone(&value)));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> SecretError {
        refused(503)
    }

    fn refused(status: u16) -> SecretError {
        let source = AwsError::Refused { status, code: String::new(), message: String::new() };
        SecretError::Fetch { name: ROOT, source }
    }

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    #[tokio::test]
    async fn a_failed_fetch_is_tried_again_by_the_next_request() {
        let kept = Kept::<u32>::default();
        assert!(kept.get(START, async { Err(failure()) }).await.is_err());
        assert_eq!(*kept.get(START, async { Ok(1) }).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_rotated_secret_is_seen_when_the_kept_one_is_old() {
        let kept = Kept::<u32>::default();
        assert_eq!(*kept.get(START, async { Ok(1) }).await.unwrap(), 1);
        let almost = Timestamp::from_millis(START.plus(KEPT).as_millis() - 1);
        assert_eq!(*kept.get(almost, async { Ok(2) }).await.unwrap(), 1);
        assert_eq!(*kept.get(START.plus(KEPT), async { Ok(2) }).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_stale_secret_serves_while_no_other_can_be_had() {
        let kept = Kept::<u32>::default();
        assert_eq!(*kept.get(START, async { Ok(1) }).await.unwrap(), 1);
        assert_eq!(*kept.get(START.plus(KEPT), async { Err(failure()) }).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_stale_secret_is_not_asked_for_at_each_request() {
        let kept = Kept::<u32>::default();
        assert_eq!(*kept.get(START, async { Ok(1) }).await.unwrap(), 1);
        let stale = START.plus(KEPT);
        assert_eq!(*kept.get(stale, async { Err(failure()) }).await.unwrap(), 1);
        assert_eq!(*kept.get(stale, async { Ok(2) }).await.unwrap(), 1, "not yet");
        assert_eq!(*kept.get(stale.plus(PATIENCE), async { Ok(2) }).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_stale_secret_does_not_serve_where_another_stands_or_none_may_be_had() {
        for error in [form(ROOT, &"test"), refused(400), SecretError::NotGiven { name: ROOT, code: String::new() }] {
            let kept = Kept::<u32>::default();
            assert_eq!(*kept.get(START, async { Ok(1) }).await.unwrap(), 1);
            assert!(kept.get(START.plus(KEPT), async { Err(error) }).await.is_err());
            assert_eq!(*kept.get(START.plus(KEPT), async { Ok(2) }).await.unwrap(), 2);
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
