//! The HTTP client for every service that a function calls: AWS's and Plivo. TLS by `ring` with Mozilla's root certificates compiled
//! in, HTTP/1.1, timeouts, no redirects, no proxies. Uses `settings`.
//!
//! `hyper` speaks HTTP and `hyper-rustls` opens connections; what is ours is which connection a request takes. A function answers one
//! request at a time, so that is a short list. And a connection can be opened before there is a request ([`Client::connect`]), while the
//! secrets are fetched, which general pools (`reqwest`'s, `hyper-util`'s) do not offer: it is two round trips of a cold start.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::rt::{Read, Write};
use hyper::{Request, Response, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::CipherSuite;
use rustls::client::Resumption;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::time::{Instant, timeout, timeout_at};
use tower_service::Service as _;

use crate::settings::{Lookup, SettingError};

/// To open a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that nobody used for this long is not used again: load balancers close theirs after 60 s or more, and a message that
/// meets the closing is neither sent nor surely not sent.
const IDLE: Duration = Duration::from_secs(50);

/// Anything that explains a failure.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A call that got no answer. Never holds the URL: paths hold account ids.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection: nothing was sent.
    #[error("no connection")]
    Unreachable(#[source] Cause),
    /// Connected, and no whole answer in time or at all: it may have been carried out.
    #[error("no answer")]
    NoAnswer(#[source] Cause),
}

/// The client. One a process; clones share its connections.
#[derive(Clone)]
pub struct Client {
    connector: HttpsConnector<HttpConnector>,
    idle: Arc<Mutex<Vec<Connection>>>,
    /// Whom a connection was opened to, or begun to: each origin once, and once more with the second.
    opened: Arc<Mutex<Vec<Origin>>>,
}

/// A connection that takes the next request.
struct Connection {
    origin: Origin,
    since: Instant,
    sender: SendRequest<Full<Bytes>>,
}

/// Whom a connection leads to.
#[derive(Clone, PartialEq, Eq)]
struct Origin(Scheme, Authority);

impl Origin {
    fn of(url: &Uri) -> Result<Self, HttpError> {
        let parts = url.scheme().zip(url.authority());
        let (scheme, authority) = parts.ok_or_else(|| HttpError::Unreachable("not an absolute URL".into()))?;
        Ok(Self(scheme.clone(), authority.clone()))
    }

    fn url(&self) -> Result<Uri, HttpError> {
        let builder = Uri::builder().scheme(self.0.clone()).authority(self.1.clone()).path_and_query("/");
        builder.build().map_err(|error| HttpError::Unreachable(error.into()))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// Builds it; calls nobody.
    ///
    /// # Errors
    /// When `AWS_CA_BUNDLE` names a file that cannot be read or holds no certificates.
    pub fn new(lookup: Lookup<'_>) -> Result<Self, SettingError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls(lookup)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self { connector, idle: Arc::default(), opened: Arc::default() })
    }

    /// Opens connections for later requests until so many have been opened, side by side. A failure is left to those requests.
    pub async fn connect(&self, url: &Uri, connections: usize) {
        let Ok(origin) = Origin::of(url) else { return };
        let missing = connections.saturating_sub(self.opened(&origin));
        let open = async |_| {
            if let Ok(sender) = self.open(&origin, CONNECT_TIMEOUT).await {
                self.keep(origin.clone(), sender);
            }
        };
        join_all((0..missing).map(open)).await;
    }

    /// Sends a request to an absolute URL, once, and reads the whole answer, all within `longest`.
    /// It is sent a second time only where the first connection was found closed before a byte was written.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn send(&self, request: Request<Full<Bytes>>, longest: Duration) -> Result<Response<Bytes>, HttpError> {
        let origin = Origin::of(request.uri())?;
        let mut request = to_origin(request, &origin)?;
        let until = Instant::now() + longest;
        loop {
            // One that does not become ready, since its last request was answered before it was read, is none.
            let idle = timeout_at(until, self.idle(&origin, Instant::now())).await;
            let (mut sender, used) = match idle.ok().flatten() {
                Some(sender) => (sender, true),
                None => {
                    let left = until.saturating_duration_since(Instant::now());
                    (self.open(&origin, left.min(CONNECT_TIMEOUT)).await?, false)
                }
            };
            let answer = timeout_at(until, sender.try_send_request(request));
            match answer.await.map_err(|error| HttpError::NoAnswer(error.into()))? {
                Ok(answer) => {
                    let answer = timeout_at(until, whole(answer)).await;
                    let answer = answer.map_err(|error| HttpError::NoAnswer(error.into()))??;
                    self.keep(origin, sender);
                    return Ok(answer);
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if used => request = unsent,
                    Some(_) => return Err(HttpError::Unreachable(error.into_error().into())),
                    None => return Err(HttpError::NoAnswer(error.into_error().into())),
                },
            }
        }
    }

    async fn open(&self, origin: &Origin, longest: Duration) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let url = origin.url()?;
        if self.opened(origin) < 2 {
            self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(origin.clone());
        }
        // On the heap: within the futures of several calls side by side it filled 16 more pages of stack.
        let opened = Box::pin(async {
            let stream = self.connector.clone().call(url).await?;
            speak(stream).await
        });
        timeout(longest, opened)
            .await
            .map_err(|error| HttpError::Unreachable(error.into()))?
            .map_err(HttpError::Unreachable)
    }

    /// An idle connection to this origin that is still open.
    async fn idle(&self, origin: &Origin, now: Instant) -> Option<SendRequest<Full<Bytes>>> {
        loop {
            let mut connection = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.retain(|connection| now < connection.since + IDLE && !connection.sender.is_closed());
                let position = idle.iter().rposition(|connection| connection.origin == *origin)?;
                idle.swap_remove(position)
            };
            if connection.sender.ready().await.is_ok() {
                return Some(connection.sender);
            }
        }
    }

    /// How many connections were opened to this origin; two are as many as anybody asks for.
    fn opened(&self, origin: &Origin) -> usize {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.iter().filter(|known| *known == origin).count()
    }

    fn keep(&self, origin: Origin, sender: SendRequest<Full<Bytes>>) {
        let connection = Connection { origin, since: Instant::now(), sender };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

/// Speaks HTTP/1.1 over a stream, in a task that ends with the connection.
async fn speak(stream: impl Read + Write + Unpin + Send + 'static) -> Result<SendRequest<Full<Bytes>>, Cause> {
    let (sender, connection) = http1::handshake(stream).await?;
    // Its errors reach whoever waits for an answer; without one, nobody misses it.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

async fn whole(answer: Response<Incoming>) -> Result<Response<Bytes>, HttpError> {
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|error| HttpError::NoAnswer(error.into()))?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}

/// The request as it is written to its origin: the path alone, and the host in a header (RFC 9112, 3.2.1).
fn to_origin(mut request: Request<Full<Bytes>>, origin: &Origin) -> Result<Request<Full<Bytes>>, HttpError> {
    let bad = |error: hyper::http::Error| HttpError::Unreachable(error.into());
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::builder().path_and_query(path).build().map_err(bad)?;
    let host = HeaderValue::from_str(origin.1.as_str()).map_err(|error| bad(error.into()))?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

/// TLS for clients: `ring`, Mozilla's roots, and what `AWS_CA_BUNDLE` adds.
///
/// # Errors
/// When `AWS_CA_BUNDLE` names a file that cannot be read or holds no certificates.
pub fn tls(lookup: Lookup<'_>) -> Result<rustls::ClientConfig, SettingError> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = lookup("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) {
        let bad =
            |problem: &dyn std::fmt::Display| SettingError::new("AWS_CA_BUNDLE", format!("cannot be used: {problem}"));
        let known = roots.len();
        for certificate in CertificateDer::pem_file_iter(&path).map_err(|error| bad(&error))? {
            roots.add(certificate.map_err(|error| bad(&error))?).map_err(|error| bad(&error))?;
        }
        if roots.len() == known {
            return Err(bad(&"it holds no certificates"));
        }
    }
    let mut provider = rustls::crypto::ring::default_provider();
    // The one with SHA-256 first, for which processors have instructions, and none for SHA-384.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingError::new("AWS_CA_BUNDLE", error.to_string()))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(8); // by default 256, whose memory a start would touch
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn client() -> Client {
        Client::new(&|_| None).unwrap()
    }

    fn get(listener: &TcpListener) -> Request<Full<Bytes>> {
        let url = format!("http://{}/path?query", listener.local_addr().unwrap());
        Request::get(url).body(Full::default()).unwrap()
    }

    fn listen() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    /// Reads one request and answers it. Answers what was read.
    fn answer(stream: &mut TcpStream) -> String {
        let (mut read, mut buffer) = (Vec::new(), [0; 1024]);
        while !read.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "closed in the middle of a request");
            read.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").unwrap();
        String::from_utf8(read).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn requests_in_turn_share_a_connection() {
        let (listener, client) = (listen(), client());
        let request = [get(&listener), get(&listener)];
        let server = tokio::task::spawn_blocking(move || {
            let (mut stream, _) = listener.accept().unwrap();
            [answer(&mut stream), answer(&mut stream)]
        });
        for request in request {
            assert_eq!(client.send(request, LONG).await.unwrap().into_body(), "hi");
        }
        let host = "GET /path?query HTTP/1.1\r\nhost: 127.0.0.1:";
        assert!(server.await.unwrap().iter().all(|request| request.starts_with(host)));
    }

    #[tokio::test]
    async fn a_connection_opened_ahead_is_used() {
        let (listener, client) = (listen(), client());
        let request = get(&listener);
        client.connect(request.uri(), 1).await;
        let server = tokio::task::spawn_blocking(move || answer(&mut listener.accept().unwrap().0));
        client.send(request, LONG).await.unwrap();
        server.await.unwrap();
        assert_eq!(client.idle.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_connection_that_the_server_closed_is_replaced() {
        let (listener, client) = (listen(), client());
        let request = get(&listener);
        client.connect(request.uri(), 1).await;
        drop(listener.accept().unwrap());
        let server = tokio::task::spawn_blocking(move || answer(&mut listener.accept().unwrap().0));
        client.send(request, LONG).await.unwrap();
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_was_idle_for_long_is_not_used() {
        let (listener, client) = (listen(), client());
        let request = get(&listener);
        let origin = Origin::of(request.uri()).unwrap();
        client.connect(request.uri(), 1).await;
        let since = client.idle.lock().unwrap()[0].since;
        let sender = client.idle(&origin, since + IDLE - Duration::from_millis(1)).await;
        client.idle.lock().unwrap().push(Connection { origin: origin.clone(), since, sender: sender.unwrap() });
        assert!(client.idle(&origin, since + IDLE).await.is_none());
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_none_and_its_connection_is_gone() {
        let (listener, client) = (listen(), client());
        let request = get(&listener);
        let server = tokio::task::spawn_blocking(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 1024];
            assert!(stream.read(&mut buffer).unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").unwrap();
        });
        let error = client.send(request, LONG).await.unwrap_err();
        server.await.unwrap();
        assert!(matches!(error, HttpError::NoAnswer(_)), "{error:?}");
        assert!(client.idle.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn nobody_there_is_told_from_nobody_answers() {
        let (listener, client) = (listen(), client());
        let silent = client.send(get(&listener), Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(silent, HttpError::NoAnswer(_)), "{silent:?}");
        let request = get(&listener);
        drop(listener);
        let gone = client.send(request, LONG).await.unwrap_err();
        assert!(matches!(gone, HttpError::Unreachable(_)), "{gone:?}");
    }

    #[test]
    fn a_bundle_that_is_not_there_is_named() {
        let error = tls(&|name| (name == "AWS_CA_BUNDLE").then(|| "/nowhere.pem".to_owned())).unwrap_err();
        assert_eq!(error.name, "AWS_CA_BUNDLE");
    }

    #[test]
    fn a_bundle_without_a_certificate_is_named() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let error = tls(&|name| (name == "AWS_CA_BUNDLE").then(|| file.to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "setting AWS_CA_BUNDLE cannot be used: it holds no certificates");
    }
}
