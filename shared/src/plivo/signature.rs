//! Plivo's signature V3: proof that a request comes from Plivo and is about this address and these parameters.
//!
//! The signed text is the address, the parameters sorted, and a nonce; the key is the token of the account or subaccount. V2 covers no
//! parameters, so who has seen one pair could send anything: it is not accepted.
//!
//! A signature does not say when it was made, and Plivo repeats a request for seven minutes, so an old one is known by its effect: reports only
//! move forward, and each other request works once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::http::{HeaderMap, Method};
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use url::form_urlencoded;

/// The headers that may hold signatures: by the token of the account that owns the number, and by the main account's.
pub const SIGNATURES: [&str; 2] = ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"];
/// The header of the nonce.
pub const NONCE: &str = "x-plivo-signature-v3-nonce";

/// What is signed, but for the nonce.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The method.
    pub method: &'a Method,
    /// The whole address as Plivo knows it: scheme, host, path and query, nothing decoded.
    pub url: &'a str,
    /// The parameters of the form body, decoded.
    pub parameters: &'a [(String, String)],
}

impl Signed<'_> {
    /// The signature with this token.
    pub fn sign(&self, nonce: &str, token: &SecretString) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, token.expose_secret().as_bytes());
        STANDARD.encode(hmac::sign(&key, self.text(nonce).as_bytes()))
    }

    /// Whether one of the headers holds the signature by one of these tokens; an empty token signs nothing. Constant time: it tells nobody
    /// how near a guess was.
    pub fn verify<'t>(&self, headers: &HeaderMap, tokens: impl Iterator<Item = &'t SecretString>) -> bool {
        let Some((nonce, given)) = signatures(headers) else { return false };
        tokens.filter(|token| !token.expose_secret().is_empty()).fold(false, |is_right, token| {
            let expected = self.sign(nonce, token);
            let equals = |given: &&str| bool::from(given.trim().as_bytes().ct_eq(expected.as_bytes()));
            given.iter().filter(|given| equals(given)).count() > 0 || is_right
        })
    }

    /// The text under the signature.
    fn text(&self, nonce: &str) -> String {
        let url = self.url.split_once('#').map_or(self.url, |(url, _)| url);
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        // In bytes: sorting by code points and by UTF-8 is the same.
        let mut query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut parameters = self.parameters.to_vec();
        let has_body = self.method == Method::POST && !parameters.is_empty();
        if !has_body {
            query.append(&mut parameters);
        }
        query.sort_unstable();
        parameters.sort_unstable();
        let query: Vec<_> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = query.join("&");
        let body: String = parameters.into_iter().map(|(name, value)| name + &value).collect();
        match (has_body, query.is_empty()) {
            (true, true) => format!("{base}?{body}.{nonce}"),
            (true, false) => format!("{base}?{query}.{body}.{nonce}"),
            (false, true) => format!("{base}.{nonce}"),
            (false, false) => format!("{base}?{query}.{nonce}"),
        }
    }
}

/// The nonce and the signatures in the headers; `None` when one is missing, empty, twice, or no text. The gateway joins two headers of one name by
/// a comma: of nonces that is no nonce, and of signatures that is Plivo's own way to send several.
fn signatures(headers: &HeaderMap) -> Option<(&str, Vec<&str>)> {
    let nonce = only(headers, NONCE)?.filter(|nonce| !nonce.is_empty() && !nonce.contains(','))?;
    let mut given = Vec::new();
    for name in SIGNATURES {
        given.extend(only(headers, name)?.into_iter().flat_map(|value| value.split(',')));
    }
    given.retain(|signature| !signature.is_empty());
    (!given.is_empty()).then_some((nonce, given))
}

/// A header's one value, if it is there; `None` when it is there twice or no text.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::http::HeaderValue;
    use lambda_http::http::header::HeaderName;
    use serde::Deserialize;

    use super::*;

    const TOKEN: &str = "NmI1ZDY3ZjE4YzQ0NGRhY2E3YjI5OGQ1";
    const URL: &str = "https://sms.example.com/plivo/status";
    const V3: &str = SIGNATURES[0];
    const MA_V3: &str = SIGNATURES[1];

    /// On which the official SDKs of Python and Node agree; and those of the tests of Plivo's Go SDK.
    #[derive(Deserialize)]
    struct Vectors {
        requests: Vec<Vector>,
        headers: Vec<(String, bool)>,
    }

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        method: String,
        url: String,
        nonce: String,
        parameters: Vec<(String, String)>,
        token: String,
        signature: String,
    }

    fn vectors() -> Vectors {
        serde_json::from_str(include_str!("signature_vectors.json")).unwrap()
    }

    fn headers(values: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        let mut headers = HeaderMap::new();
        for (name, value) in values.iter().map(pair) {
            headers.append(name, value);
        }
        headers
    }

    fn parameters(values: &[(&str, &str)]) -> Vec<(String, String)> {
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Whether a delivery report of these headers is from Plivo.
    fn is_from_plivo(values: &[(&str, &str)], tokens: &[&str]) -> bool {
        let parameters = parameters(&[("Status", "delivered"), ("To", "1")]);
        let signed = Signed { method: &Method::POST, url: URL, parameters: &parameters };
        let tokens: Vec<SecretString> = tokens.iter().map(|token| SecretString::from(*token)).collect();
        signed.verify(&headers(values), tokens.iter())
    }

    fn signature(nonce: &str, token: &str) -> String {
        let parameters = parameters(&[("To", "1"), ("Status", "delivered")]);
        Signed { method: &Method::POST, url: URL, parameters: &parameters }.sign(nonce, &token.into())
    }

    #[test]
    fn signatures_are_those_of_the_official_sdks() {
        let vectors = vectors().requests;
        assert_eq!(vectors.len(), 22);
        for Vector { name, method, url, nonce, mut parameters, token, signature } in vectors {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            for _ in 0..2 {
                let signed = Signed { method: &method, url: &url, parameters: &parameters };
                assert_eq!(signed.sign(&nonce, &token.as_str().into()), signature, "{name}");
                parameters.reverse();
            }
        }
    }

    #[test]
    fn a_header_may_hold_several_signatures() {
        let Vectors { requests, headers: forms } = vectors();
        let Vector { url, nonce, parameters, token, .. } = &requests[0];
        let signed = Signed { method: &Method::POST, url, parameters };
        assert_eq!(forms.len(), 6);
        for (value, is_accepted) in forms {
            let headers = headers(&[(V3, &value), (NONCE, nonce)]);
            let token = SecretString::from(token.as_str());
            assert_eq!(signed.verify(&headers, [&token].into_iter()), is_accepted, "{value}");
        }
    }

    #[test]
    fn missing_empty_and_repeated_headers_are_refused() {
        let right = signature("1", TOKEN);
        let right = right.as_str();
        assert!(is_from_plivo(&[(V3, right), (NONCE, "1")], &[TOKEN]), "so the rest is refused for its headers");
        for values in [
            &[][..],
            &[(V3, right)],
            &[(NONCE, "1")],
            &[(V3, ""), (NONCE, "1")],
            &[(V3, ","), (NONCE, "1")],
            &[(V3, right), (NONCE, "")],
            &[(V3, right), (V3, right), (NONCE, "1")],
            &[(V3, right), (MA_V3, right), (MA_V3, right), (NONCE, "1")],
            &[(V3, right), (NONCE, "1"), (NONCE, "1")],
            &[(V3, right), (NONCE, "1,1")],
            &[("x-plivo-signature-v2", right), ("x-plivo-signature-v2-nonce", "1"), (NONCE, "1")],
            &[("x-plivo-signature-v2", right), ("x-plivo-signature-ma-v2", right), ("x-plivo-signature-v2-nonce", "1")],
        ] {
            assert!(!is_from_plivo(values, &[TOKEN]), "{values:?}");
        }
    }

    #[test]
    fn only_a_live_token_signs_and_an_empty_one_does_not() {
        let by = |token: &str, tokens: &[&str]| is_from_plivo(&[(MA_V3, &signature("1", token)), (NONCE, "1")], tokens);
        assert!(by(TOKEN, &["another", TOKEN]) && by(TOKEN, &[TOKEN, "another"]));
        assert!(!by(TOKEN, &[]) && !by(TOKEN, &["another"]) && !by("", &["", TOKEN]));
    }

    #[test]
    fn each_part_is_signed() {
        let form = parameters(&[("Status", "delivered"), ("To", "1")]);
        let signed = Signed { method: &Method::POST, url: URL, parameters: &form };
        let token = SecretString::from(TOKEN);
        let headers = |nonce| headers(&[(V3, &signed.sign("1", &token)), (NONCE, nonce)]);
        let verify = |signed: Signed<'_>, nonce| signed.verify(&headers(nonce), [&token].into_iter());
        assert!(verify(signed, "1"));
        assert!(!verify(signed, "2"), "another nonce");
        for url in [
            "https://sms.example.com/plivo/other",
            "https://evil.example/plivo/status",
            "http://sms.example.com/plivo/status",
        ] {
            assert!(!verify(Signed { url, ..signed }, "1"), "{url}");
        }
        assert!(!verify(Signed { url: &format!("{URL}?a=1"), ..signed }, "1"), "a query");
        assert!(!verify(Signed { method: &Method::GET, ..signed }, "1"), "another method");
        for other in [
            &[("Status", "failed"), ("To", "1")][..],
            &[("Status", "delivered")],
            &[("Status", "delivered"), ("To", "1"), ("a", "b")],
        ] {
            assert!(!verify(Signed { parameters: &parameters(other), ..signed }, "1"), "{other:?}");
        }
    }
}
