//! Captchas: whether a client's token shows that a person asks. Turnstile, hCaptcha and reCAPTCHA share the form ("siteverify"): a POST of our secret
//! key and the token, answered by whether it is good, and for which page and action it was made. The service accepts each token once.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::config::CaptchaSettings;

/// For a whole call, which takes about 0.2 s.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The longest token, in bytes: Turnstile's have 2,048 at most, the others' a little more at times.
const LONGEST_TOKEN: usize = 4096;
/// The least score that is a person's, where there is one (reCAPTCHA v3: "By default, you can use a threshold of 0.5").
const LEAST_SCORE: f64 = 0.5;
/// Error codes that are not about the token, but about us or the service.
const NOT_THE_TOKEN: [&str; 5] =
    ["missing-input-secret", "invalid-input-secret", "sitekey-secret-mismatch", "bad-request", "internal-error"];

/// The service cannot say whether a token is good. Never holds a token or a key.
#[derive(Debug, thiserror::Error)]
pub enum CaptchaError {
    /// It does not answer, or what it answers is not of the form.
    #[error("the captcha service does not answer")]
    NoAnswer(#[from] reqwest::Error),
    /// It refuses our secret key, or fails.
    #[error("the captcha service refuses: {0}")]
    Refused(String),
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
        if token.is_empty() || token.len() > LONGEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(false);
        }
        let form = [("secret", secret.expose_secret()), ("response", token)];
        let request = self.http.post(self.settings.verify_url.clone()).form(&form).timeout(TIMEOUT);
        // The URL is the operator's, and an error without it says enough.
        let answer = async { request.send().await?.json().await }.await.map_err(reqwest::Error::without_url)?;
        self.judge(&answer, action)
    }

    fn judge(&self, answer: &Answer, action: &str) -> Result<bool, CaptchaError> {
        if let Some(error) = answer.errors.iter().find(|error| NOT_THE_TOKEN.contains(&error.as_str())) {
            return Err(CaptchaError::Refused(error.clone()));
        }
        let is_ours = self.settings.hostnames.contains(&answer.hostname.to_ascii_lowercase());
        // hCaptcha and reCAPTCHA v2 know no actions.
        let is_for_this = answer.action.is_empty() || answer.action == action;
        // Of services with actions only: hCaptcha's score is that of a program.
        let is_likely = answer.action.is_empty() || answer.score.is_none_or(|score| score >= LEAST_SCORE);
        Ok(answer.success && is_ours && is_for_this && is_likely)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(answer: &str) -> Result<bool, String> {
        let verify_url = "https://captcha.example/siteverify".parse().unwrap();
        let settings = CaptchaSettings { verify_url, hostnames: vec!["app.example.com".to_owned()] };
        let client = Client::new(crate::http_client::without_pool(&|_| None).unwrap(), settings);
        client.judge(&serde_json::from_str(answer).unwrap(), "login").map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_of_another_page_or_action_or_a_program_s_is_not_good() {
        for answer in [
            r#"{"success":false,"error-codes":["timeout-or-duplicate"]}"#,
            r#"{"success":false,"hostname":"app.example.com","action":"login"}"#,
            r#"{"success":true}"#,
            r#"{"success":true,"hostname":"evil.example"}"#,
            r#"{"success":true,"hostname":"evil.app.example.com"}"#,
            r#"{"success":true,"hostname":"app.example.com","action":"register"}"#,
            r#"{"success":true,"hostname":"app.example.com","action":"login","score":0.4}"#,
        ] {
            assert_eq!(judge(answer), Ok(false), "{answer}");
        }
    }

    #[test]
    fn the_three_services_answers_are_read() {
        for answer in [
            // Turnstile, hCaptcha, reCAPTCHA v2 and v3.
            r#"{"success":true,"challenge_ts":"2026-01-01T09:00:00.000Z","hostname":"app.example.com","error-codes":[],"action":"login","cdata":""}"#,
            r#"{"success":true,"challenge_ts":"2026-01-01T09:00:00.000000Z","hostname":"app.example.com","credit":false,"score":0.0}"#,
            r#"{"success":true,"challenge_ts":"2026-01-01T09:00:00Z","hostname":"APP.example.com"}"#,
            r#"{"success":true,"challenge_ts":"2026-01-01T09:00:00Z","hostname":"app.example.com","score":0.9,"action":"login"}"#,
        ] {
            assert_eq!(judge(answer), Ok(true), "{answer}");
        }
    }

    #[test]
    fn a_wrong_secret_key_is_our_fault_and_not_the_token_s() {
        let error = judge(r#"{"success":false,"error-codes":["invalid-input-secret"]}"#).unwrap_err();
        assert_eq!(error, "the captcha service refuses: invalid-input-secret");
    }
}
