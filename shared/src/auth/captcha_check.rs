//! Where a limit of the client's network or the rule against pumping would refuse, a captcha lets a person pass, if one is set up.

use secrecy::SecretString;

use super::AuthError;
use crate::app::App;
use crate::aws;
use crate::clock::Timestamp;
use crate::logging;

/// The action for which the token of an entered code is made. That of a start is its flow.
pub(super) const CODE: &str = "code";

/// Whether the client's token lets it pass. `false` where no captcha is set up and where its service does not answer: then nothing opens. It takes
/// no longer than a call to storage.
///
/// # Errors
/// [`AuthError::CaptchaRequired`] where the token is missing or not good.
pub(super) async fn passes(
    app: &App,
    token: Option<&SecretString>,
    action: &str,
    now: Timestamp,
) -> Result<bool, AuthError> {
    let Some(captcha) = &app.captcha else { return Ok(false) };
    let token = token.ok_or(AuthError::CaptchaRequired)?;
    let verified = async {
        let secret = app.secrets.captcha_key(now).await.map_err(|error| logging::chain(&error))?;
        captcha.verify(&secret, token, action).await.map_err(|error| logging::chain(&error))
    };
    let verified = tokio::time::timeout(aws::TIMEOUT, verified).await;
    match verified.unwrap_or_else(|_| Err("it takes too long".to_owned())) {
        Ok(true) => Ok(true),
        Ok(false) => Err(AuthError::CaptchaRequired),
        Err(cause) => {
            tracing::error!(cause, "a captcha cannot be verified, and its limit stands");
            Ok(false)
        }
    }
}
