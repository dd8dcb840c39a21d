//! Lambda's Runtime API on loopback, for one process after the other. It says when each call came. Uses `wire`.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::wire;
use crate::Failure;

/// The longest that anything may take here.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the process did.
#[derive(Debug)]
enum Told {
    Next,
    Answer(String),
    Failure(String),
}

/// A running one. Ends with the process.
pub(crate) struct RuntimeApi {
    pub(crate) address: String,
    current: Arc<Mutex<Option<Arc<Process>>>>,
}

/// The process that asks now, as its connections see it.
struct Process {
    told: Sender<(Instant, Told)>,
    events: Mutex<Receiver<Vec<u8>>>,
}

/// The same process, as who measures it sees it.
pub(crate) struct Invoker {
    told: Receiver<(Instant, Told)>,
    events: Sender<Vec<u8>>,
}

impl RuntimeApi {
    pub(crate) fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?.to_string();
        let current = Arc::<Mutex<Option<Arc<Process>>>>::default();
        let shared = current.clone();
        wire::accept(listener, move |stream| {
            let process = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(process) = process {
                // A connection that breaks is one whose process was ended.
                drop(process.connection(stream));
            }
        });
        Ok(Self { address, current })
    }

    /// Connections from now on are those of another process.
    pub(crate) fn await_process(&self) -> Invoker {
        let (tell, told) = channel();
        let (events, queue) = channel();
        let process = Arc::new(Process { told: tell, events: Mutex::new(queue) });
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        Invoker { told, events }
    }
}

impl Process {
    fn connection(&self, mut stream: TcpStream) -> Result<(), Failure> {
        stream.set_nodelay(true)?;
        let mut buffer = Vec::new();
        while let Some(request) = wire::read(&mut stream, &mut buffer)? {
            let now = Instant::now();
            let text = || String::from_utf8_lossy(&request.body).into_owned();
            let answer = match request.path().rsplit('/').next() {
                Some("next") => {
                    self.told.send((now, Told::Next))?;
                    // Ends when nobody measures the process any more.
                    let event = self.events.lock().unwrap_or_else(PoisonError::into_inner).recv()?;
                    wire::answer(200, HEADERS, &event)
                }
                Some("response") => {
                    self.told.send((now, Told::Answer(text())))?;
                    wire::answer(202, "", b"")
                }
                _ => {
                    self.told.send((now, Told::Failure(text())))?;
                    wire::answer(202, "", b"")
                }
            };
            stream.write_all(&answer)?;
        }
        Ok(())
    }
}

const HEADERS: &str = "content-type: application/json\r\n\
    lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
    lambda-runtime-deadline-ms: 4102444800000\r\n\
    lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n\
    lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0\r\n";

impl Invoker {
    /// Waits until the process asks for an event.
    pub(crate) fn next(&self) -> Result<Instant, Failure> {
        match self.told.recv_timeout(PATIENCE) {
            Ok((at, Told::Next)) => Ok(at),
            Ok((_, other)) => Err(format!("instead of asking for an event: {other:?}").into()),
            Err(_) => Err("it does not ask for an event".into()),
        }
    }

    /// Hands it one, whether or not it has asked yet.
    pub(crate) fn hand(&self, event: &str) -> Result<(), Failure> {
        Ok(self.events.send(event.as_bytes().to_vec())?)
    }

    /// Waits for the answer, which must be a success.
    pub(crate) fn answer(&self) -> Result<Instant, Failure> {
        match self.told.recv_timeout(PATIENCE) {
            Ok((at, Told::Answer(body))) => {
                let answer: serde_json::Value = serde_json::from_str(&body)?;
                if answer["statusCode"] == 200 { Ok(at) } else { Err(format!("it answered {body}").into()) }
            }
            Ok((_, Told::Failure(body))) => Err(format!("it failed: {body}").into()),
            Ok((_, Told::Next)) => Err("it asks for an event before it has answered".into()),
            Err(_) => Err("it does not answer".into()),
        }
    }
}
