//! What the functions have in common. `docs/architecture.md` walks through a login and explains the items in DynamoDB.
//!
//! Calls go one way; `local/tests/it/imports.rs` holds the table:
//!
//! | module | for | calls |
//! |---|---|---|
//! | [`lambda`], [`app`] | start a function's binary; what a function is made of | all below |
//! | [`http`] | routes, bodies, answers; the only one that knows status codes | `auth`, `messaging` |
//! | [`auth`] | registration, logins, challenges, codes, passwords, sessions, limits | `spend`, `messaging`, `store`, `plivo`, `captcha` |
//! | [`messaging`] | sends each message at most once | `auth::limits`, `spend`, `store`, `plivo` |
//! | [`spend`] | budgets, pumping, kill switches: pure decisions | – |
//! | [`store`] | the tables; the only one that knows DynamoDB | `aws` |
//! | [`plivo`], [`captcha`] | the SMS provider and the captcha service; the only ones that know them | `http_client` |
//! | [`aws`] | the clients of AWS's SDK; secrets and dead letters | `http_client` |
//! | [`config`], [`crypto`] | settings; keys and random values | – |
//! | [`flow`], [`channel`], [`language`] | what codes are for, how they get to a phone, languages of texts | – |
//! | [`http_client`], [`client_network`] | connections to others; where a request came from | – |
//! | [`clock`], [`background`], [`logging`], [`metrics`] | time; work after the answer; logs; metrics | – |
//! | [`hints`] | what only a developer's own machine tells | – |

pub mod app;
pub mod auth;
pub mod aws;
pub mod background;
pub mod captcha;
pub mod channel;
pub mod client_network;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod flow;
pub mod hints;
pub mod http;
pub mod http_client;
pub mod lambda;
pub mod language;
pub mod logging;
pub mod messaging;
pub mod metrics;
pub mod plivo;
pub mod spend;
pub mod store;

/// What tests of several modules share.
#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    /// A load balancer that has dropped each connection by the time of its second request, without a word: what a function meets whose
    /// process was frozen in between. Returns its URL, and how many connections it has had.
    pub(crate) async fn drops_idle_connections(status: u16, body: &'static str) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve_once(stream, status, body));
            }
        });
        (url, connections)
    }

    async fn serve_once(stream: TcpStream, status: u16, body: &str) {
        let mut stream = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line).await.unwrap() > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        let response = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(response.as_bytes()).await.unwrap();
        // The next request gets no response.
        let _ = stream.read_u8().await;
    }
}
