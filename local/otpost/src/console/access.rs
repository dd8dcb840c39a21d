//! Who may open the console. It can do what its operator may do in AWS, and listens where every program of the machine can reach it. So it asks
//! for more than an address:
//!
//! 1. `Host` must be the server's own name and port: no other site gets in by pointing its name at 127.0.0.1 (DNS rebinding).
//! 2. The URL that is printed at the start holds a key that works once. It sets a cookie, which the rest asks for: `SameSite=Strict`, so that
//!    no other site's page sends it; `HttpOnly`, so that no script reads it; and only for a path that nobody can guess, since browsers send
//!    cookies to every port of a host, also to a server of another user.
//! 3. A change must name the server itself as its `Origin`: browsers count all ports of a host as one site, and would send the cookie along.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use shared::crypto::identifier;
use subtle::ConstantTimeEq as _;

use super::{Operator, page, protect};

const COOKIE: &str = "otpost-console";

/// What opens a console.
#[derive(Debug)]
struct Access {
    /// The server's names with its port.
    hosts: [String; 2],
    /// The path that all of the console is below.
    base: String,
    /// The key in the printed URL, until it was used.
    ticket: Mutex<Option<String>>,
    /// The cookie's value.
    session: String,
}

/// The console as a server of its own on this port of 127.0.0.1, and the path that opens it once.
pub fn protected(operator: Operator, port: u16) -> (Router, String) {
    let (ticket, base) = (identifier::random(), format!("/console-{}", identifier::random()));
    let opening = format!("/open/{ticket}");
    let access = Arc::new(Access {
        hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}")],
        base: base.clone(),
        ticket: Mutex::new(Some(ticket)),
        session: identifier::random(),
    });
    let console = super::router(operator, &base).layer(from_fn_with_state(Arc::clone(&access), ask_for_cookie));
    let open = get(open).with_state(Arc::clone(&access)).layer(map_response(protect));
    let router = Router::new().route("/open/{ticket}", open).merge(console);
    (router.layer(from_fn_with_state(access, ask_for_host)), opening)
}

/// Takes the printed URL's key, and leads on by a page: after a redirect from another program's page, a browser would not send the cookie.
async fn open(State(access): State<Arc<Access>>, Path(ticket): Path<String>) -> Response {
    let mut left = access.ticket.lock().unwrap_or_else(PoisonError::into_inner);
    if !left.as_ref().is_some_and(|left| is_same(left, &ticket)) {
        return refused(
            "This address works once, and for this run of otpost console only. Start it again for a new one.",
        );
    }
    *left = None;
    let Access { base, session, .. } = access.as_ref();
    let cookie = format!("{COOKIE}={session}; Path={base}; HttpOnly; SameSite=Strict");
    ([(header::SET_COOKIE, cookie)], page::opened(base)).into_response()
}

async fn ask_for_host(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    if host(request.headers()).is_some_and(|host| access.hosts.iter().any(|own| own == host)) {
        next.run(request).await
    } else {
        refused("The console answers only to its own address.")
    }
}

async fn ask_for_cookie(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let cookies = request.headers().get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut values = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    if values.any(|(name, value)| name == COOKIE && is_same(value, &access.session)) {
        next.run(request).await
    } else {
        refused("Open the address that otpost console printed.")
    }
}

/// Refuses a request that may change something, unless a page of this very server sends it.
pub(super) async fn refuse_foreign_changes(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let own = host(headers).map(|host| format!("http://{host}"));
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    if is_read || own.is_some_and(|own| origin.is_some_and(|origin| origin.eq_ignore_ascii_case(&own))) {
        next.run(request).await
    } else {
        refused("Changes are taken from the console's own pages only.")
    }
}

fn host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn refused(why: &str) -> Response {
    (StatusCode::FORBIDDEN, page::refusal(why)).into_response()
}
