//! What a request carries beside its body: the client's network, the session's token, keys.

use lambda_http::http::header;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt as _};
use secrecy::SecretString;

use super::{Problem, Reason};
use crate::auth::Requester;
use crate::client_network::ClientNetwork;
use crate::messaging::{IdempotencyKey, KeyError};

/// Where a request comes from, as the gateway saw it. What headers say is the client's own word.
pub(super) fn client_network(request: &Request) -> ClientNetwork {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => ClientNetwork::from_source_ip(context.http.source_ip.as_deref()),
        _ => ClientNetwork::from_source_ip(None),
    }
}

/// Who asks, for limits.
pub fn requester(request: &Request) -> Requester {
    let token = request.headers().get("device-token").and_then(|value| value.to_str().ok());
    Requester { network: client_network(request), device_token: token.map(SecretString::from) }
}

/// The session's token, from the header `user-token`.
///
/// # Errors
/// [`Reason::SessionInvalid`] when there is none.
pub fn user_token(request: &Request) -> Result<&str, Problem> {
    let token = request.headers().get("user-token").and_then(|value| value.to_str().ok());
    token.ok_or_else(|| Problem::new(Reason::SessionInvalid))
}

/// The header `idempotency-key`; `None` when there is none.
///
/// # Errors
/// [`Reason::InvalidIdempotencyKey`].
pub fn idempotency_key(request: &Request) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    Ok(Some(IdempotencyKey::parse(value.to_str().map_err(|_| KeyError)?)?))
}

/// The key of `Authorization: Bearer …`.
pub fn bearer_token(request: &Request) -> Option<SecretString> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().into())
}
