//! How a call to Plivo can fail, told apart by what it means for us.

use serde::Deserialize;
use strum::IntoStaticStr;

/// The longest text of Plivo's that is passed on, in characters.
const LONGEST_TEXT: usize = 200;

/// A call to Plivo failed.
#[derive(Debug, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum PlivoError {
    /// No connection: nothing was sent.
    #[error("Plivo cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// Connected, and no whole answer in time or at all: it may have been sent.
    #[error("Plivo did not answer")]
    NoAnswer(#[source] reqwest::Error),
    /// 2xx with a body that is not Plivo's: it may have been sent.
    #[error("Plivo's answer cannot be read")]
    Unreadable,
    /// 401, or 404 for the account: our credentials are refused.
    #[error("Plivo refuses our credentials")]
    Credentials,
    /// 402: the account has no credit.
    #[error("the Plivo account has no credit")]
    Credit,
    /// 403: the account may not send to this country (geo permissions).
    #[error("the Plivo account may not send there: {0}")]
    Forbidden(String),
    /// 429: over the account's rate.
    #[error("Plivo's rate limit is reached")]
    Throttled,
    /// 400 and other 4xx: this message is refused.
    #[error("Plivo refuses the message: {0}")]
    Rejected(String),
    /// 5xx, and redirects, which the API does not use: Plivo's trouble.
    #[error("Plivo failed with status {0}")]
    Unavailable(u16),
}

/// Without the URL: paths hold the account.
impl From<reqwest::Error> for PlivoError {
    fn from(error: reqwest::Error) -> Self {
        let (connected, error) = (!error.is_connect() && !error.is_builder(), error.without_url());
        if connected { Self::NoAnswer(error) } else { Self::Unreachable(error) }
    }
}

/// The body of most errors.
#[derive(Deserialize)]
struct ErrorBody {
    error: String,
}

impl PlivoError {
    /// What a status means (Plivo's status table; 402 is not documented for sends but means what it says).
    pub(super) fn from_status(status: u16, body: &[u8]) -> Self {
        match status {
            401 | 404 => Self::Credentials,
            402 => Self::Credit,
            403 => Self::Forbidden(text(body)),
            429 => Self::Throttled,
            400..=499 => Self::Rejected(text(body)),
            _ => Self::Unavailable(status),
        }
    }

    /// For metrics.
    pub fn as_str(&self) -> &'static str {
        self.into()
    }

    /// Whether the message may be on its way although the call failed.
    pub const fn may_have_arrived(&self) -> bool {
        // 503 refuses the request; after the other 5xx it may have been carried out all the same.
        matches!(self, Self::NoAnswer(_) | Self::Unreadable | Self::Unavailable(500..=502 | 504..))
    }

    /// Whether the next message, to anybody, would fail as well. Not so for the rate limit: a stranger's burst must not become a pause for
    /// all.
    pub const fn concerns_everybody(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Credentials | Self::Credit | Self::Unavailable(503))
    }

    /// Whether Plivo has failed, perhaps only at this number.
    pub const fn may_concern_everybody(&self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::Unreadable | Self::Unavailable(_))
    }
}

/// The `error` text of a body, shortened; empty when the body is of another form. Digits are masked, since Plivo quotes the
/// number it refuses and this text goes to the log.
fn text(body: &[u8]) -> String {
    let error = serde_json::from_slice::<ErrorBody>(body).map(|body| body.error).unwrap_or_default();
    error.chars().take(LONGEST_TEXT).map(|character| if character.is_ascii_digit() { '*' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_told_apart() {
        let name = |status| PlivoError::from_status(status, br#"{"api_id":"x","error":"no"}"#).as_str();
        let expected = [
            (400, "rejected"),
            (401, "credentials"),
            (402, "credit"),
            (403, "forbidden"),
            (404, "credentials"),
            (405, "rejected"),
            (409, "rejected"),
            (422, "rejected"),
            (429, "throttled"),
            (302, "unavailable"),
            (500, "unavailable"),
            (502, "unavailable"),
            (503, "unavailable"),
            (504, "unavailable"),
        ];
        for (status, what) in expected {
            assert_eq!(name(status), what, "{status}");
        }
    }

    #[test]
    fn a_quoted_number_is_masked() {
        let error = PlivoError::from_status(400, br#"{"error":"'14155550100' is not a valid phone number."}"#);
        assert_eq!(error.to_string(), "Plivo refuses the message: '***********' is not a valid phone number.");
    }

    #[test]
    fn other_bodies_are_no_text() {
        for body in [&b"<html>"[..], b"", b"{\"error\":{\"src\":[\"bad\"]}}", b"\xff"] {
            assert_eq!(PlivoError::from_status(400, body).to_string(), "Plivo refuses the message: ");
        }
    }
}
