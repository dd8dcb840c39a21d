//! AWS's signatures: Signature Version 4 (IAM User Guide: "Create a signed AWS API request") of the one form of request that there is
//! here: `POST /` without a query. Uses `clock`, `settings`.
//!
//! With AWS's own `aws-sigv4`, which signs requests of any form, signatures were 30 % of what `login-phone` executes until its first
//! answer, for want of SHA-256 by `ring`, which TLS brings; with this they are 7 % (`valgrind --tool=callgrind`). botocore computes
//! each signature again where `local/tests/moto` runs the functions.

use ring::{digest, hmac};
use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;

use crate::clock::Timestamp;
use crate::settings::{Lookup, SettingError, required};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// As whom requests are made, and where.
#[derive(Debug)]
pub(super) struct Signer {
    pub(super) region: String,
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: Option<SecretString>,
}

/// What of a request is signed, beside its method, its path and the time.
pub(super) struct Signable<'a> {
    pub(super) service: &'static str,
    pub(super) host: &'a str,
    pub(super) content_type: &'a str,
    pub(super) target: &'a str,
    pub(super) body: &'a [u8],
}

impl Signer {
    /// Reads `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    pub(super) fn from_lookup(lookup: Lookup<'_>) -> Result<Self, SettingError> {
        let find = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let region = find("AWS_REGION").or_else(|| find("AWS_DEFAULT_REGION"));
        Ok(Self {
            region: region.ok_or_else(|| SettingError::new("AWS_REGION", "is missing"))?,
            access_key_id: required(lookup, "AWS_ACCESS_KEY_ID")?,
            secret_access_key: required(lookup, "AWS_SECRET_ACCESS_KEY")?.into(),
            session_token: find("AWS_SESSION_TOKEN").map(SecretString::from),
        })
    }

    /// The headers that make a signed request of it, beside `content-type`, `host` and `x-amz-target`.
    pub(super) fn headers(
        &self,
        request: &Signable<'_>,
        now: Timestamp,
    ) -> Result<Vec<(&'static str, String)>, time::error::ComponentRange> {
        let time = time(now)?;
        let date = &time[..8];
        let scope = format!("{date}/{}/{}/aws4_request", self.region, request.service);
        let Signable { service, host, content_type, target, body } = request;
        let token = self.session_token.as_ref().map(|token| token.expose_secret());
        let (token_line, token_name) = match token {
            Some(token) => (format!("x-amz-security-token:{token}\n"), "x-amz-security-token;"),
            None => (String::new(), ""),
        };
        let names = format!("content-type;host;x-amz-date;{token_name}x-amz-target");
        let canonical = format!(
            "POST\n/\n\ncontent-type:{content_type}\nhost:{host}\nx-amz-date:{time}\n{token_line}x-amz-target:{target}\n\n{names}\n{}",
            hash(body)
        );
        let signed = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hash(canonical.as_bytes()));
        let signature = hex(hmac(&self.key(date, service), &signed).as_ref());
        let credential = &self.access_key_id;
        let authorization =
            format!("{ALGORITHM} Credential={credential}/{scope}, SignedHeaders={names}, Signature={signature}");
        let headers = [("x-amz-date", time), ("authorization", authorization)].into_iter();
        Ok(headers.chain(token.map(|token| ("x-amz-security-token", token.to_owned()))).collect())
    }

    /// The key for a day, the region and a service.
    fn key(&self, date: &str, service: &str) -> hmac::Tag {
        let key = format!("AWS4{}", self.secret_access_key.expose_secret());
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), date.as_bytes());
        [&self.region, service, "aws4_request"].into_iter().fold(key, |key, part| hmac(&key, part))
    }
}

/// `20150830T123600Z`.
fn time(now: Timestamp) -> Result<String, time::error::ComponentRange> {
    let now = OffsetDateTime::from_unix_timestamp(now.as_millis().div_euclid(1000))?;
    let ((year, month, day), (hour, minute, second)) = (now.to_calendar_date(), now.to_hms());
    Ok(format!("{year:04}{:02}{day:02}T{hour:02}{minute:02}{second:02}Z", u8::from(month)))
}

fn hmac(key: &hmac::Tag, text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), text.as_bytes())
}

fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(token: Option<&str>) -> Signer {
        Signer {
            region: "us-east-1".to_owned(),
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: token.map(SecretString::from),
        }
    }

    /// 2015-08-30T12:36:00Z, as in AWS's examples.
    const TIME: Timestamp = Timestamp::from_millis(1_440_938_160_999);

    #[test]
    fn keys_are_as_in_the_example_of_aws() {
        let key = signer(None).key("20150830", "iam");
        assert_eq!(hex(key.as_ref()), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }

    #[test]
    fn times_are_whole_seconds_in_utc() {
        assert_eq!(time(TIME).unwrap(), "20150830T123600Z");
        assert_eq!(time(Timestamp::from_millis(951_782_400_000)).unwrap(), "20000229T000000Z");
        assert!(time(Timestamp::from_millis(i64::MAX)).is_err());
    }

    /// The signatures are those of botocore's `SigV4Auth`.
    #[test]
    fn signatures_are_those_of_botocore() {
        let request = Signable {
            service: "dynamodb",
            host: "dynamodb.us-east-1.amazonaws.com",
            content_type: "application/x-amz-json-1.0",
            target: "DynamoDB_20120810.GetItem",
            body: br#"{"TableName":"users"}"#,
        };
        let authorization = |token, names, signature| {
            let headers = signer(token).headers(&request, TIME).unwrap();
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/dynamodb/aws4_request, SignedHeaders={names}, Signature={signature}"
            );
            assert_eq!(headers[0], ("x-amz-date", "20150830T123600Z".to_owned()));
            assert_eq!(headers[1], ("authorization", expected));
            assert_eq!(headers.get(2).map(|(_, value)| value.as_str()), token);
        };
        authorization(
            None,
            "content-type;host;x-amz-date;x-amz-target",
            "7e2934fdfb66b8be259c4f5375e2ec65537f847bc5a6f50d8f8f1108f2554f22",
        );
        authorization(
            Some("session/token=="),
            "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
            "192eb83058ec29c06839f90df1aba3fbea1807fcece0c1e0e1425a4e818bb45a",
        );
    }

    #[test]
    fn neither_the_key_nor_the_token_is_printed() {
        let printed = format!("{:?}", signer(Some("session/token==")));
        assert!(!printed.contains("wJalr") && !printed.contains("token=="), "{printed}");
    }
}
