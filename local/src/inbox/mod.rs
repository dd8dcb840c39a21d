//! The inbox: the messages that the simulated Plivo delivered, for people (`/_local/`) and programs (`/_local/messages`), with what happened
//! behind the responses (`starts`) and what the tables hold (`tables`).
//!
//! It shows one-time codes without a login. So it responds only to this machine, even if the API listens on the network, and only if `Host`
//! names this machine (another site could point a name of its own at 127.0.0.1), and sends no CORS header. `local_only` sees to that, for
//! everything on the gateway's port but the API.

pub(crate) mod starts;
pub(crate) mod tables;

use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;
use std::time::Duration;

use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use serde_json::json;

pub use self::starts::Print;
use self::starts::Starts;
use crate::simulator::{InboxMessage, Simulator};

/// The colours of the pages, in place of `/*colours*/`.
pub(crate) const COLOURS: &str = otpost::console::COLOURS;

/// The whole page. It loads no other file.
static PAGE: LazyLock<String> = LazyLock::new(|| include_str!("page.html").replace("/*colours*/", COLOURS));

/// The timeout of a long poll.
const LONG_POLL_TIMEOUT: Duration = Duration::from_secs(20);

/// The fewest digits of a code.
const SHORTEST_CODE: usize = 6;

/// What the messages and the rest come from.
#[derive(Clone)]
pub(crate) struct Inbox {
    pub(crate) simulator: Simulator,
    pub(crate) starts: Starts,
}

/// The page and what it reads. It has no fallback, so it can be merged into any other router.
pub(crate) fn router(inbox: Inbox) -> Router {
    let policy = content_security_policy(&PAGE);
    let page = move || async move { ([(header::CONTENT_SECURITY_POLICY, policy)], Html(PAGE.as_str())) };
    Router::new()
        .route("/_local", get(|| async { Redirect::permanent("/_local/") }))
        .route("/_local/", get(page))
        .route("/_local/messages", get(messages).delete(clear))
        .route("/_local/code", get(code))
        .route("/_local/starts", get(list_starts))
        .route("/_local/events", get(events))
        .with_state(inbox)
}

/// A router that responds only to this machine and whose responses nobody keeps.
pub(crate) fn local_only(router: Router) -> Router {
    router.layer(from_fn(refuse_others)).layer(map_response(add_security_headers))
}

/// An extension of the requests to a stack that any machine may use in full, as in a container: there, even the requests of its own host come
/// from another address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenInbox;

/// Refuses requests from other machines. Refuses requests whose `Host` is not a name of this machine: otherwise any site could reach the stack
/// by DNS rebinding. Also refuses requests from pages of other origins, which could move the clock even though they cannot read the response.
async fn refuse_others(request: Request, next: Next) -> Response {
    if is_local_request(&request) {
        next.run(request).await
    } else {
        refusal(
            StatusCode::FORBIDDEN,
            "loopback_only",
            "This is for the machine that runs Otpost, by the name localhost or 127.0.0.1, and for its own pages. Others can use the API.",
        )
    }
}

/// Whether a request comes from this machine, and not from a page of another origin.
pub(crate) fn is_local_request(request: &Request) -> bool {
    let host = local_host(request.headers());
    has_local_client(request) && host.is_some_and(|host| has_local_origin(request.headers(), host))
}

fn has_local_client(request: &Request) -> bool {
    let extensions = request.extensions();
    let client = extensions.get::<ConnectInfo<SocketAddr>>();
    extensions.get::<OpenInbox>().is_some() || client.is_some_and(|client| client.ip().to_canonical().is_loopback())
}

/// The one `Host`, if it is a name of this machine.
fn local_host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return None;
    };
    host.to_str().ok().filter(|host| is_loopback_name(host))
}

/// Whether no page asks, or one of this host and port. Only browsers send an `Origin`.
fn has_local_origin(headers: &HeaderMap, host: &str) -> bool {
    headers.get(header::ORIGIN).is_none_or(|origin| {
        let authority =
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    })
}

/// Whether a host, with or without a port, is a name or an address of this machine.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// An error in the service's form.
pub(crate) fn refusal(status: StatusCode, reason: &str, message: &str) -> Response {
    (status, Json(json!({"code": 14_000, "message": message, "errorData": {"reason": reason}}))).into_response()
}

/// Keeps what a page shows on it: no cache, no content sniffing, no frames, no referrer. What a response says itself stays.
pub(crate) async fn add_security_headers(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 5] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Allows the page only its own style and script, by their hashes, and requests to this server. So nothing in a message's text is run or
/// loaded.
pub(crate) fn content_security_policy(page: &str) -> String {
    let hash = |tag: &str| {
        let inner = page.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
        STANDARD.encode(digest(&SHA256, inner.map_or("", |(inner, _)| inner).as_bytes()))
    };
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("style"),
        hash("script")
    )
}

type Pairs = Query<Vec<(String, String)>>;

fn parameter<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

/// `?to=` selects the messages to a number, `?limit=` that many of the newest.
async fn messages(State(Inbox { simulator, .. }): State<Inbox>, pairs: Pairs) -> Response {
    match parameter(&pairs, "limit").map_or(Ok(usize::MAX), str::parse) {
        Ok(limit) => Json(simulator.newest_messages(parameter(&pairs, "to"), limit)).into_response(),
        Err(_) => refusal(StatusCode::BAD_REQUEST, "invalid_limit", "limit must be a whole number."),
    }
}

/// Forgets all messages, and all entries of `/_local/starts`.
async fn clear(State(Inbox { simulator, starts }): State<Inbox>) -> Response {
    starts.clear();
    Json(json!({ "cleared": simulator.clear() })).into_response()
}

/// Starts and rejections, newest first. `?to=` selects those of a number, `?limit=` that many of the newest.
async fn list_starts(State(Inbox { starts, .. }): State<Inbox>, pairs: Pairs) -> Response {
    match parameter(&pairs, "limit").map_or(Ok(usize::MAX), str::parse) {
        Ok(limit) => Json(starts.list(parameter(&pairs, "to"), limit)).into_response(),
        Err(_) => refusal(StatusCode::BAD_REQUEST, "invalid_limit", "limit must be a whole number."),
    }
}

/// The code of the newest message to a number, as text, for scripts.
async fn code(State(Inbox { simulator, starts }): State<Inbox>, pairs: Pairs) -> Response {
    let to = parameter(&pairs, "to");
    let newest = simulator.newest_messages(to, 1);
    let why = match newest.first().and_then(code_of) {
        Some(code) => return code.into_response(),
        None if !newest.is_empty() => "The newest message is no code; /_local/starts says why.",
        None if !starts.list(to, 1).is_empty() => "No message to this number; /_local/starts says why.",
        None => "No message to this number yet.",
    };
    refusal(StatusCode::NOT_FOUND, "no_code", why)
}

/// The number that begins a message, or the first digits that are read out one by one in a call.
fn code_of(InboxMessage { kind, text, .. }: &InboxMessage) -> Option<String> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    if *kind == "call" {
        let runs = text.split(|c: char| !c.is_ascii_digit() && !" ,.".contains(c));
        return runs.map(digits).find(|code| code.len() >= SHORTEST_CODE);
    }
    let first = text.split_whitespace().next()?;
    Some(digits(first)).filter(|digits| digits == first)
}

/// A long poll: responds as soon as a message has arrived after version `?after=` (at once without it), and after [`LONG_POLL_TIMEOUT`] at the latest.
/// `now` is the stack's time, because its clock may have been moved.
async fn events(State(Inbox { simulator, .. }): State<Inbox>, pairs: Pairs) -> Response {
    let mut arrivals = simulator.subscribe();
    if let Some(seen) = parameter(&pairs, "after").and_then(|after| after.parse::<u64>().ok()) {
        let news = arrivals.wait_for(|version| *version != seen);
        if tokio::time::timeout(LONG_POLL_TIMEOUT, news).await.is_err() {
            tracing::trace!("inbox.no_news");
        }
    }
    let version = *arrivals.borrow();
    Json(json!({"version": version, "now": simulator.now()})).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::{Body, to_bytes};
    use axum::http::HeaderMap;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;

    const ACCOUNT: &str = "MAXXXXXXXXXXXXXXXXXX";

    fn inbox(simulator: &Simulator) -> Inbox {
        Inbox { simulator: simulator.clone(), starts: Starts::new(simulator.clone(), None) }
    }

    fn simulator() -> Simulator {
        Simulator::new(ACCOUNT, "token", Arc::new(|| 1_000))
    }

    async fn send(simulator: &Simulator, dst: &str, text: &str) {
        let body = json!({"src": "14155550100", "dst": dst, "text": text}).to_string();
        let request = Request::post(format!("/v1/Account/{ACCOUNT}/Message/"))
            .header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:token"))))
            .body(Body::from(body))
            .unwrap();
        assert_eq!(simulator.router().oneshot(request).await.unwrap().status(), 202);
    }

    async fn get_as(host: Option<&str>, simulator: &Simulator, path: &str) -> (u16, HeaderMap, String) {
        get_from([127, 0, 0, 1].into(), host, simulator, path).await
    }

    async fn get_from(
        client: IpAddr,
        host: Option<&str>,
        simulator: &Simulator,
        path: &str,
    ) -> (u16, HeaderMap, String) {
        let mut request = Request::get(path).extension(ConnectInfo(SocketAddr::from((client, 1))));
        if let Some(host) = host {
            request = request.header(header::HOST, host);
        }
        let request = request.body(Body::empty()).unwrap();
        let inbox = inbox(simulator);
        let response = local_only(router(inbox)).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        (head.status.as_u16(), head.headers, text)
    }

    async fn json_of(simulator: &Simulator, path: &str) -> (u16, Value) {
        let (status, _, text) = get_as(Some("127.0.0.1:3000"), simulator, path).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    #[tokio::test]
    async fn names_of_other_machines_are_refused() {
        let simulator = simulator();
        let foreign = [
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com:3000",
            "192.168.1.2",
            "[::2]:80",
            "[::1",
            "",
            "0.0.0.0",
        ];
        for host in foreign.map(Some).into_iter().chain([None]) {
            for path in ["/_local/", "/_local/messages", "/_local/starts", "/_local/events"] {
                let (status, _, text) = get_as(host, &simulator, path).await;
                assert_eq!(status, 403, "{host:?} {path}");
                assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["errorData"]["reason"], "loopback_only");
            }
        }
    }

    #[tokio::test]
    async fn other_machines_are_refused_whatever_host_they_name() {
        for client in ["192.0.2.1", "10.0.0.1", "::2", "::ffff:192.0.2.1"] {
            for path in ["/_local/", "/_local/messages", "/_local/events"] {
                let client = client.parse().unwrap();
                assert_eq!(get_from(client, Some("localhost"), &simulator(), path).await.0, 403, "{client} {path}");
            }
        }
        for client in ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"] {
            let client = client.parse().unwrap();
            assert_eq!(get_from(client, Some("localhost"), &simulator(), "/_local/messages").await.0, 200, "{client}");
        }
        let request = Request::get("/_local/messages").header(header::HOST, "localhost").body(Body::empty()).unwrap();
        assert_eq!(
            local_only(router(inbox(&simulator()))).oneshot(request).await.unwrap().status(),
            403,
            "a client without an address"
        );
    }

    #[tokio::test]
    async fn an_open_inbox_is_for_any_machine_by_its_own_name() {
        for (host, status) in [("localhost:3000", 200), ("192.0.2.7:3000", 403)] {
            let request = Request::get("/_local/messages").header(header::HOST, host).extension(OpenInbox);
            let request =
                request.extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1)))).body(Body::empty()).unwrap();
            assert_eq!(
                local_only(router(inbox(&simulator()))).oneshot(request).await.unwrap().status(),
                status,
                "{host}"
            );
        }
    }

    #[tokio::test]
    async fn names_of_this_machine_are_served() {
        for host in ["localhost", "LocalHost:3000", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:3000"] {
            assert_eq!(get_as(Some(host), &simulator(), "/_local/messages").await.0, 200, "{host}");
        }
    }

    #[test]
    fn two_hosts_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        headers.append(header::HOST, HeaderValue::from_static("example.com"));
        assert_eq!(local_host(&headers), None);
    }

    #[tokio::test]
    async fn clearing_forgets_the_messages_and_wakes_whoever_waits() {
        let simulator = simulator();
        send(&simulator, "15550001111", "one").await;
        let before = json_of(&simulator, "/_local/events").await.1["version"].clone();
        let here = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1)));
        let request = Request::delete("/_local/messages").header(header::HOST, "localhost").extension(here);
        let request = request.body(Body::empty()).unwrap();
        assert_eq!(router(inbox(&simulator)).oneshot(request).await.unwrap().status(), 200);
        assert_eq!(json_of(&simulator, "/_local/messages").await.1, json!([]));
        assert_ne!(json_of(&simulator, "/_local/events").await.1["version"], before);
    }

    #[tokio::test]
    async fn a_limit_that_is_no_number_is_refused() {
        let (status, body) = json_of(&simulator(), "/_local/messages?limit=many").await;
        assert_eq!((status, &body["errorData"]["reason"]), (400, &json!("invalid_limit")));
    }

    #[tokio::test]
    async fn messages_are_listed_by_number_and_limit_newest_first() {
        let simulator = simulator();
        for (dst, text) in [("15550001111", "one"), ("15550002222", "two"), ("15550001111", "three")] {
            send(&simulator, dst, text).await;
        }
        for (query, texts) in [
            ("", vec!["three", "two", "one"]),
            ("?to=", vec!["three", "two", "one"]),
            ("?to=+15550001111", vec!["three", "one"]),
            ("?to=%2B15550001111&limit=1", vec!["three"]),
            ("?to=15550003333", vec![]),
            ("?limit=2", vec!["three", "two"]),
        ] {
            let (status, body) = json_of(&simulator, &format!("/_local/messages{query}")).await;
            let found: Vec<_> = body.as_array().unwrap().iter().map(|message| message["text"].clone()).collect();
            assert_eq!((status, found), (200, texts.into_iter().map(Value::from).collect()), "{query}");
        }
    }

    #[tokio::test]
    async fn the_newest_code_is_plain_text() {
        let simulator = simulator();
        let (status, none) = json_of(&simulator, "/_local/code?to=+15550001111").await;
        assert_eq!((status, &none["message"]), (404, &json!("No message to this number yet.")));
        send(&simulator, "15550001111", "012345 is your code").await;
        send(&simulator, "15550001111", "678901 is your code").await;
        let (status, _, code) = get_as(Some("localhost"), &simulator, "/_local/code?to=%2B15550001111").await;
        assert_eq!((status, code.as_str()), (200, "678901"));
        send(&simulator, "15550001111", "Hello").await;
        assert_eq!(json_of(&simulator, "/_local/code?to=+15550001111").await.1["errorData"]["reason"], "no_code");
    }

    #[test]
    fn a_code_that_was_read_out_is_found() {
        let simulator = simulator();
        simulator.write("15550001111", Some("14155550100"), "x").unwrap();
        let call =
            |text: &str| InboxMessage { kind: "call", text: text.to_owned(), ..simulator.messages(None).remove(0) };
        assert_eq!(
            code_of(&call("Your code is 1, 2, 3, 4, 5, 6. Once more: 1, 2, 3, 4, 5, 6.")).as_deref(),
            Some("123456")
        );
        for text in ["", "Call 911", "1, 2, 3"] {
            assert_eq!(code_of(&call(text)), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_poll_waits_for_news_and_only_for_news() {
        let simulator = simulator();
        assert_eq!(json_of(&simulator, "/_local/events").await.1, json!({"version": 0, "now": 1_000}));
        assert_eq!(json_of(&simulator, "/_local/events?after=7").await.1["version"], 0);

        let page = simulator.clone();
        let poll = tokio::spawn(async move { json_of(&page, "/_local/events?after=0").await });
        tokio::task::yield_now().await;
        assert!(!poll.is_finished());
        send(&simulator, "15550001111", "hello").await;
        assert_eq!(poll.await.unwrap(), (200, json!({"version": 1, "now": 1_000})));
    }

    #[tokio::test]
    async fn the_page_may_load_nothing_from_elsewhere() {
        let (status, headers, text) = get_as(Some("localhost"), &simulator(), "/_local/").await;
        let header = |name: &str| headers[name].to_str().unwrap();
        assert_eq!((status, text.as_str()), (200, PAGE.as_str()));
        assert_eq!(header("cache-control"), "no-store");
        assert!(header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(!header("content-security-policy").contains("unsafe"));
        assert!(headers.get("access-control-allow-origin").is_none());

        assert_eq!(
            (PAGE.matches("<style>").count(), PAGE.matches("<script>").count()),
            (1, 1),
            "one of each is hashed"
        );
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            " style=\"",
            " onclick=",
            "src=\"",
            "@import",
        ] {
            assert!(!PAGE.contains(forbidden), "{forbidden}");
        }
    }

    #[tokio::test]
    async fn the_address_without_its_slash_leads_to_the_page() {
        let (status, headers, _) = get_as(Some("localhost"), &simulator(), "/_local").await;
        assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (308, "/_local/"));
    }
}
