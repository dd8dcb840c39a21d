//! Captchas: whether a client's token shows that a person asks. Turnstile, hCaptcha and reCAPTCHA share the form ("siteverify"): a POST of our secret
//! key and the token, answered by whether it is good, and for which page and action it was made. The service accepts each token once.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::config::CaptchaSettings;

/// For a whole call, which takes about 0.2 s.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The longest token, in bytes: Turnstile's have 2,048 at most, the others' a little more at times.
const MAX_TOKEN_BYTES: usize = 4096;
/// The least score that is a person's, where there is one (reCAPTCHA v3: "By default, you can use a threshold of 0.5").
const MIN_SCORE: f64 = 0.5;
/// Error codes that concern our secret key or the service, not the token.
const SERVICE_ERRORS: [&str; 3] = ["missing-input-secret", "invalid-input-secret", "internal-error"];
/// What hCaptcha says in place of a host while it is busy: its tokens are bound to our key alone (hCaptcha: "Verify the User Response Server Side").
const NO_HOSTNAME: &str = "not-provided";

/// The service cannot say whether a token is good. Never holds a token or a key.
#[derive(Debug, thiserror::Error)]
pub enum CaptchaError {
    /// It does not answer, or what it answers is not of the form.
    #[error("the captcha service does not answer")]
    NoAnswer(#[from] reqwest::Error),
    /// It refuses our secret key, or fails.
    #[error("captcha verification failed: {0}")]
    Failed(String),
}

#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    action: String,
    score: Option<f64>,
    #[serde(default, rename = "error-codes")]
    errors: Vec<String>,
}

/// What an answer says, which differs by service.
enum Service {
    /// Hosts. Its score is the likelihood of a bot, and exists only for some plans.
    Hcaptcha,
    /// Hosts; in its third version, scores and actions.
    Recaptcha,
    /// Hosts and actions. Unknown services are treated as Turnstile.
    Turnstile,
}

/// A client of one service.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    settings: CaptchaSettings,
}

impl Client {
    /// `http` opens a connection for each request.
    pub(crate) const fn new(http: reqwest::Client, settings: CaptchaSettings) -> Self {
        Self { http, settings }
    }

    /// Whether a token is good: known to the service, not used before, and made on one of our pages for this action.
    ///
    /// # Errors
    /// [`CaptchaError`].
    pub async fn verify(
        &self,
        secret: &SecretString,
        token: &SecretString,
        action: &str,
    ) -> Result<bool, CaptchaError> {
        let token = token.expose_secret();
        // What is no token must not make the service fail.
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(false);
        }
        let form = [("secret", secret.expose_secret()), ("response", token)];
        let request = self.http.post(self.settings.verify_url.clone()).form(&form).timeout(TIMEOUT);
        // The URL is the operator's, and an error without it says enough.
        let answer = async { request.send().await?.json().await }.await.map_err(reqwest::Error::without_url)?;
        self.judge(&answer, action)
    }

    fn judge(&self, answer: &Answer, action: &str) -> Result<bool, CaptchaError> {
        if let Some(error) = answer.errors.iter().find(|error| SERVICE_ERRORS.contains(&error.as_str())) {
            return Err(CaptchaError::Failed(error.clone()));
        }
        // A service that accepts every token, as one does beyond its free quota, has verified none.
        if answer.success && !answer.errors.is_empty() {
            return Err(CaptchaError::Failed("success with error codes".to_owned()));
        }
        let is_ours = self.settings.hostnames.contains(&answer.hostname.to_ascii_lowercase());
        // Decided by the configured service, not by the response: a client can omit the action.
        let is_good = match self.service() {
            Service::Hcaptcha => is_ours || answer.hostname == NO_HOSTNAME,
            // The second version has neither scores nor actions.
            Service::Recaptcha => {
                is_ours && answer.score.is_none_or(|score| score >= MIN_SCORE && answer.action == action)
            }
            Service::Turnstile => is_ours && answer.action == action,
        };
        Ok(answer.success && is_good)
    }

    fn service(&self) -> Service {
        let host = self.settings.verify_url.host_str().unwrap_or_default();
        let is_of = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        if is_of("hcaptcha.com") {
            Service::Hcaptcha
        } else if is_of("google.com") || is_of("recaptcha.net") {
            Service::Recaptcha
        } else {
            Service::Turnstile
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURNSTILE: &str = "https://challenges.cloudflare.com/turnstile/v0/siteverify";
    const HCAPTCHA: &str = "https://api.hcaptcha.com/siteverify";
    const RECAPTCHA: &str = "https://www.google.com/recaptcha/api/siteverify";

    fn judge(service: &str, answer: &str) -> Result<bool, String> {
        let settings =
            CaptchaSettings { verify_url: service.parse().unwrap(), hostnames: vec!["app.example.com".to_owned()] };
        let client = Client::new(crate::http_client::without_pool(&|_| None).unwrap(), settings);
        client.judge(&serde_json::from_str(answer).unwrap(), "login").map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_of_another_page_or_action_or_of_a_bot_is_not_good() {
        for (service, answer) in [
            (TURNSTILE, r#"{"success":false,"error-codes":["timeout-or-duplicate"]}"#),
            (TURNSTILE, r#"{"success":false,"hostname":"app.example.com","action":"login"}"#),
            (TURNSTILE, r#"{"success":true,"action":"login"}"#),
            (TURNSTILE, r#"{"success":true,"hostname":"evil.app.example.com","action":"login"}"#),
            (TURNSTILE, r#"{"success":true,"hostname":"app.example.com","action":"register"}"#),
            (TURNSTILE, r#"{"success":true,"hostname":"app.example.com"}"#),
            (TURNSTILE, r#"{"success":true,"hostname":"not-provided","action":"login"}"#),
            (RECAPTCHA, r#"{"success":true,"hostname":"evil.example"}"#),
            (RECAPTCHA, r#"{"success":true,"hostname":"app.example.com","action":"login","score":0.4}"#),
            (RECAPTCHA, r#"{"success":true,"hostname":"app.example.com","score":0.9}"#),
            (RECAPTCHA, r#"{"success":true,"hostname":"app.example.com","action":"","score":0.1}"#),
            (HCAPTCHA, r#"{"success":true,"hostname":"evil.example"}"#),
            (HCAPTCHA, r#"{"success":false,"error-codes":["sitekey-secret-mismatch"]}"#),
            (HCAPTCHA, r#"{"success":false,"error-codes":["bad-request"]}"#),
        ] {
            assert_eq!(judge(service, answer), Ok(false), "{service} {answer}");
        }
    }

    #[test]
    fn the_three_services_answers_are_read() {
        for (service, answer) in [
            (
                TURNSTILE,
                r#"{"success":true,"hostname":"APP.example.com","error-codes":[],"action":"login","cdata":""}"#,
            ),
            (HCAPTCHA, r#"{"success":true,"hostname":"app.example.com","credit":false,"score":0.0}"#),
            (HCAPTCHA, r#"{"success":true,"hostname":"not-provided"}"#),
            (RECAPTCHA, r#"{"success":true,"challenge_ts":"2026-01-01T09:00:00Z","hostname":"app.example.com"}"#),
            (RECAPTCHA, r#"{"success":true,"hostname":"app.example.com","score":0.9,"action":"login"}"#),
        ] {
            assert_eq!(judge(service, answer), Ok(true), "{service} {answer}");
        }
    }

    #[test]
    fn a_wrong_secret_key_is_our_fault_and_a_service_that_accepts_everything_verifies_nothing() {
        let error = judge(TURNSTILE, r#"{"success":false,"error-codes":["invalid-input-secret"]}"#).unwrap_err();
        assert_eq!(error, "captcha verification failed: invalid-input-secret");
        let open = r#"{"success":true,"hostname":"app.example.com","score":0.9,"action":"login","error-codes":["Over free quota."]}"#;
        assert!(judge(RECAPTCHA, open).is_err());
    }
}
