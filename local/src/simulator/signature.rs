//! Signs callbacks as Plivo does ("Plivo: Signature validation" page, version 3).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use ring::hmac;

use super::callback::Method;

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The signature of a callback with these parameters.
pub(super) fn sign(token: &str, method: Method, url: &str, nonce: &str, form: &[(&str, String)]) -> String {
    let text = format!("{}.{nonce}", signed_text(method, url, form));
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

/// What is signed before the nonce: the URL with its query decoded and sorted, and of a POST the parameters.
fn signed_text(method: Method, url: &str, form: &[(&str, String)]) -> String {
    let url = url.split_once('#').map_or(url, |(before, _)| before);
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let parts = query.split('&').filter(|part| !part.is_empty());
    let mut query: Vec<Pair<'_>> = parts.map(|part| part.split_once('=').unwrap_or((part, ""))).map(decoded).collect();
    let mut form: Vec<Pair<'_>> = form.iter().map(|(name, value)| ((*name).into(), value.into())).collect();
    if method == Method::Get {
        query.append(&mut form);
    }
    query.sort();
    form.sort();
    let query = query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let form_text: String = form.iter().map(|(name, value)| format!("{name}{value}")).collect();
    match (query.is_empty(), form.is_empty()) {
        (true, true) => base.to_owned(),
        (false, true) => format!("{base}?{query}"),
        (true, false) => format!("{base}?{form_text}"),
        (false, false) => format!("{base}?{query}.{form_text}"),
    }
}

fn decoded<'a>((name, value): (&'a str, &'a str)) -> Pair<'a> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned().into();
    (decode(name), decode(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of Plivo's own rules, and a delivery report that both official SDKs accept.
    #[test]
    fn the_signed_text_is_that_of_the_official_sdks() {
        let form = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
        };
        for (method, url, pairs, text) in [
            (Method::Post, "https://h/p", &[("a", "1")][..], "https://h/p?a1"),
            (Method::Post, "https://h/p?x=1", &[("a", "1")], "https://h/p?x=1.a1"),
            (Method::Post, "https://h/p", &[], "https://h/p"),
            (Method::Get, "https://h/p", &[("To", "1"), ("From", "2")], "https://h/p?From=2&To=1"),
            (Method::Post, "https://h:443/a%20b/?b=two+words&a=%2B#x", &[], "https://h:443/a%20b/?a=+&b=two words"),
            (
                Method::Post,
                "https://h/p?b&a=&&b=%zz",
                &[("b", "2"), ("b", "1"), ("B", "")],
                "https://h/p?a=&b=&b=%zz.Bb1b2",
            ),
        ] {
            assert_eq!(signed_text(method, url, &form(pairs)), text);
        }
    }

    #[test]
    fn a_signature_of_another_token_nonce_or_form_differs() {
        let form = [("From", "14150000001".to_owned()), ("Text", "héllo".to_owned())];
        let right = sign("token", Method::Post, "http://h/p", "1", &form);
        assert_eq!(right.len(), 44);
        for other in [
            sign("other", Method::Post, "http://h/p", "1", &form),
            sign("token", Method::Post, "http://h/p", "2", &form),
            sign("token", Method::Post, "http://h/q", "1", &form),
            sign("token", Method::Get, "http://h/p", "1", &form),
            sign("token", Method::Post, "http://h/p", "1", &form[..1]),
        ] {
            assert_ne!(other, right);
        }
    }
}
