//! What a request carries beside its body: the client's network, the session's token, keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::http::Uri;
use lambda_http::http::header::{self, HeaderName, HeaderValue};
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt as _};
use ring::digest::{SHA256, digest};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Problem, Reason};
use crate::app::App;
use crate::auth::Requester;
use crate::channel::Channel;
use crate::client_network::ClientNetwork;
use crate::config::Settings;
use crate::language::Language;
use crate::messaging::{IdempotencyKey, KeyError};

/// Where a request comes from: as the gateway saw it, since what headers say is the client's own word. Or, where a proxy stands before the
/// gateway, as the proxy says.
///
/// # Errors
/// [`Reason::ProxyRequired`] where there is a proxy and the request has not come through it.
pub(super) fn client_network(settings: &Settings, request: &Request) -> Result<ClientNetwork, Problem> {
    let (Some(header), Some(secret)) = (&settings.client_address_header, &settings.proxy_secret_sha256) else {
        return Ok(source_network(request));
    };
    let value = |name: &str| request.headers().get(name).map_or(&[][..], |value| value.as_bytes());
    let given = hex(digest(&SHA256, value("proxy-secret")).as_ref());
    // Of hashes: how they differ says nothing about the secret.
    if given != *secret {
        return Err(Problem::new(Reason::ProxyRequired));
    }
    Ok(ClientNetwork::from_header(&String::from_utf8_lossy(value(header))))
}

/// Where a request comes from, as the gateway saw it.
pub(super) fn source_network(request: &Request) -> ClientNetwork {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => ClientNetwork::from_source_ip(context.http.source_ip.as_deref()),
        _ => ClientNetwork::from_source_ip(None),
    }
}

/// Takes out of the gateway's event what `lambda_http` would fail or panic at, which would be a failed invocation and an alarm that anybody can
/// cause. Returns whether the event is still the request that the client sent: if not, it is to be refused.
pub(super) fn make_readable(event: &mut Value) -> bool {
    if let Some(headers) = event.get_mut("headers").and_then(Value::as_object_mut) {
        let is_header = |name: &str, value: &Value| {
            let value = value.as_str().is_some_and(|value| HeaderValue::from_str(value).is_ok());
            value && HeaderName::try_from(name).is_ok()
        };
        headers.retain(|name, value| is_header(name, value));
        // They are made part of the URI, and nobody needs them there.
        headers.retain(|name, _| !["host", "x-forwarded-proto"].contains(&name.as_str()));
    }
    let path = event["rawPath"].as_str().is_none_or(|path| path.starts_with('/'));
    let query = event["rawQueryString"].as_str().is_none_or(|query| Uri::try_from(format!("/?{query}")).is_ok());
    let is_base64 = event["isBase64Encoded"] == true;
    let body = !is_base64 || event["body"].as_str().is_none_or(|body| STANDARD.decode(body).is_ok());
    for (is_readable, part, replacement) in
        [(path, "rawPath", json!("/")), (query, "rawQueryString", json!("")), (body, "isBase64Encoded", json!(false))]
    {
        if !is_readable {
            event[part] = replacement;
        }
    }
    path && query && body
}

/// Who asks, for limits.
///
/// # Errors
/// [`Reason::ProxyRequired`].
pub fn requester(app: &App, request: &Request) -> Result<Requester, Problem> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(SecretString::from);
    let network = client_network(&app.settings, request)?;
    Ok(Requester {
        network,
        device_token: header("device-token"),
        captcha_token: header("captcha-token"),
        user_agent: user_agent(request),
        language: language(request),
        channel: Channel::Sms,
    })
}

/// What the client calls itself, at most [`LONGEST_USER_AGENT`] characters.
fn user_agent(request: &Request) -> String {
    let value = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.chars().take(LONGEST_USER_AGENT).collect()
}

/// The language that the client asks for.
fn language(request: &Request) -> Language {
    let value = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    value.map_or(Language::English, Language::accepted)
}

/// Enough for browser, system and version.
const LONGEST_USER_AGENT: usize = 120;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The session's token, from the header `user-token`.
///
/// # Errors
/// [`Reason::SessionInvalid`] when there is none.
pub fn user_token(request: &Request) -> Result<&str, Problem> {
    let token = request.headers().get("user-token").and_then(|value| value.to_str().ok());
    token.ok_or_else(|| Problem::new(Reason::SessionInvalid))
}

/// The header `idempotency-key`; `None` when there is none. The gateway joins two headers by a comma, so a key with a comma is refused here.
///
/// # Errors
/// [`Reason::InvalidIdempotencyKey`].
pub fn idempotency_key(request: &Request) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = request.headers().get_all("idempotency-key").into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().map_err(|_| KeyError)?;
    if values.next().is_some() || text.contains(',') {
        return Err(KeyError.into());
    }
    Ok(Some(IdempotencyKey::parse(text)?))
}

/// The key of `Authorization: Bearer …`.
pub fn bearer_token(request: &Request) -> Option<SecretString> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().into())
}
