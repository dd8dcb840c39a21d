//! DynamoDB, Secrets Manager and Plivo on loopback, behind TLS and at a distance where that is asked for: each connection has a thread
//! that answers at once, storage from a recording. Uses `wire`, `link`, `tls`, `replay`.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::link::Link;
use super::tls::Authority;
use super::wire::{self, Request};
use crate::Failure;
use crate::replay::{self, Answers};

/// Where the services are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// All at one address, by plain HTTP.
    Plain,
    /// All at one address.
    TlsOne,
    /// Each at its own.
    TlsThree,
}

impl Hosts {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::TlsOne, Self::TlsThree];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::TlsOne => "TLS, one host",
            Self::TlsThree => "TLS, three hosts",
        }
    }
}

/// What came since it was last taken.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    connections: AtomicUsize,
    pub(crate) secrets: AtomicUsize,
    pub(crate) storage: AtomicUsize,
    pub(crate) plivo: AtomicUsize,
}

impl Counts {
    /// Connections, and calls to Secrets Manager, storage and Plivo.
    pub(crate) fn take(&self) -> [usize; 4] {
        [&self.connections, &self.secrets, &self.storage, &self.plivo].map(|count| count.swap(0, Ordering::Relaxed))
    }
}

/// Running ones. End with the process.
pub(crate) struct Services {
    pub(crate) storage: String,
    pub(crate) secrets: String,
    pub(crate) plivo: String,
    pub(crate) counts: Arc<Counts>,
    answers: Arc<Mutex<Arc<Answers>>>,
}

impl Services {
    pub(crate) fn start(hosts: Hosts, round_trip: Duration, authority: &Authority) -> Result<Self, Failure> {
        let (counts, answers) = (Arc::<Counts>::default(), Arc::<Mutex<Arc<Answers>>>::default());
        let tls = (hosts != Hosts::Plain).then(|| authority.config.clone());
        let host = || Host { round_trip, tls: tls.clone(), counts: counts.clone(), answers: answers.clone() }.start();
        let storage = host()?;
        let (secrets, plivo) =
            if hosts == Hosts::TlsThree { (host()?, host()?) } else { (storage.clone(), storage.clone()) };
        Ok(Self { storage, secrets, plivo, counts, answers })
    }

    /// Storage answers so from now on.
    pub(crate) fn load(&self, answers: &Arc<Answers>) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers.clone();
    }
}

/// An address at which any of the services answers.
#[derive(Clone)]
struct Host {
    round_trip: Duration,
    tls: Option<Arc<ServerConfig>>,
    counts: Arc<Counts>,
    answers: Arc<Mutex<Arc<Answers>>>,
}

impl Host {
    fn start(self) -> Result<String, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr()?);
        // A connection that breaks is one whose process was ended.
        wire::accept(listener, move |stream| drop(self.connection(stream)));
        Ok(url)
    }

    fn connection(&self, stream: TcpStream) -> Result<(), Failure> {
        self.counts.connections.fetch_add(1, Ordering::Relaxed);
        stream.set_nodelay(true)?;
        match (&self.tls, self.round_trip.is_zero()) {
            (None, true) => self.serve(stream)?,
            (None, false) => self.serve(Link::new(stream, self.round_trip)?)?,
            (Some(tls), true) => self.serve(StreamOwned::new(ServerConnection::new(tls.clone())?, stream))?,
            (Some(tls), false) => {
                let link = Link::new(stream, self.round_trip)?;
                self.serve(StreamOwned::new(ServerConnection::new(tls.clone())?, link))?;
            }
        }
        Ok(())
    }

    fn serve(&self, mut stream: impl Read + Write) -> io::Result<()> {
        let mut buffer = Vec::new();
        while let Some(request) = wire::read(&mut stream, &mut buffer)? {
            stream.write_all(&self.answer(&request))?;
            stream.flush()?;
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Vec<u8> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match request.header("x-amz-target").and_then(|target| target.split_once('.')) {
            Some(("secretsmanager", _)) => {
                self.counts.secrets.fetch_add(1, Ordering::Relaxed);
                let answer = match body["SecretIdList"].as_array() {
                    Some(ids) => json!({ "SecretValues": ids.iter().map(secret).collect::<Vec<_>>(), "Errors": [] }),
                    None => secret(&body["SecretId"]),
                };
                json(200, "x-amz-json-1.1", answer.to_string().as_bytes())
            }
            Some((_, operation)) => {
                self.counts.storage.fetch_add(1, Ordering::Relaxed);
                let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
                match replay::find(&answers, operation, &body) {
                    Some(answer) => json(200, "x-amz-json-1.0", &answer),
                    None => json(501, "json", br#"{"__type": "NotRecorded"}"#),
                }
            }
            None => {
                self.counts.plivo.fetch_add(1, Ordering::Relaxed);
                let (status, body) = replay::plivo(request.method());
                json(status, "json", body.as_bytes())
            }
        }
    }
}

fn json(status: u16, kind: &str, body: &[u8]) -> Vec<u8> {
    wire::answer(status, &format!("content-type: application/{kind}\r\n"), body)
}

/// One of the local stack's secrets.
fn secret(id: &Value) -> Value {
    let id = id.as_str().unwrap_or_default();
    let text = match id {
        "root" => local::ROOT_KEY.to_owned(),
        "message" => local::MESSAGE_KEY.to_owned(),
        _ => json!({ "authId": local::PLIVO_AUTH_ID, "authToken": local::PLIVO_AUTH_TOKEN }).to_string(),
    };
    let arn = format!("arn:aws:secretsmanager:us-east-1:000000000000:secret:{id}-local");
    json!({ "ARN": arn, "Name": id, "SecretString": text, "VersionId": "local-version" })
}
