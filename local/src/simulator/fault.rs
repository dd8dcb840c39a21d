//! The faults that the simulator can inject, to test clients.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::call::CallFault;
use super::callback::CallbackFault;
use super::message::Outcome;
use super::response::{self, Refused};

/// A fault to inject when a client with the right credentials sends a message or reads the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    #[default]
    None,
    /// This status with Plivo's body for it. No message is kept.
    Status(u16),
    /// Like [`Self::Status`], but only when sending.
    SendStatus(u16),
    /// This fault, but only when sending to this number (digits).
    To(&'static str, Box<Fault>),
    /// 400 with this text. No message is kept.
    Refuse400(String),
    /// This status and this body as `text/html`, like the error of a proxy in between. No message is kept.
    Raw(u16, String),
    /// A redirect (307) to this address, which a client must not follow with its credentials. No message is kept.
    Redirect(String),
    /// The message is kept, and the response has the right status and a body that is not JSON.
    Nonsense,
    /// The message is kept, and the response is delayed.
    Slow(Duration),
    /// Like [`Self::Slow`], with a random delay between these two.
    SlowBetween(Duration, Duration),
    /// The message is kept, and the connection closes without a response.
    HangUp,
    /// The message is accepted, and this becomes of it.
    Outcome(Outcome),
    /// The message is accepted, and waits this much longer at Plivo before it is sent.
    Queued(Duration),
    /// The call is accepted, and nobody takes it.
    Call(CallFault),
    /// What Plivo tells about the message or call, or the phone's message that it brings.
    Callbacks(CallbackFault),
}

impl Fault {
    /// The fault when reading the account.
    pub(super) fn of_reading(self) -> Self {
        match self {
            Self::SendStatus(_) | Self::To(..) => Self::None,
            fault => fault,
        }
    }

    /// The fault of a request to send.
    pub(super) fn of_sending(self, body: &[u8]) -> Self {
        match self {
            Self::To(number, fault) if body.windows(number.len()).any(|part| part == number.as_bytes()) => *fault,
            Self::To(..) => Self::None,
            fault => fault,
        }
    }

    /// The fault's response, if it takes the place of processing the request.
    pub(super) fn instead(&self) -> Option<Response> {
        match self {
            Self::Status(status) | Self::SendStatus(status) => Some(response::of_status(status_code(*status))),
            Self::Refuse400(text) => Some(Refused(text.clone()).into_response()),
            Self::Raw(status, body) => {
                let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
                Some((status_code(*status), headers, body.clone()).into_response())
            }
            Self::Redirect(to) => Some(redirect(to)),
            Self::None | Self::To(..) | Self::Nonsense | Self::Slow(_) | Self::SlowBetween(..) | Self::HangUp => None,
            Self::Outcome(_) | Self::Queued(_) | Self::Call(_) | Self::Callbacks(_) => None,
        }
    }

    /// What becomes of an accepted message.
    pub(super) fn outcome(&self) -> Outcome {
        if let Self::Outcome(outcome) = self { *outcome } else { Outcome::default() }
    }

    /// How many milliseconds an accepted message waits longer.
    pub(super) fn waits(&self) -> i64 {
        if let Self::Queued(time) = self { i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4) } else { 0 }
    }

    /// Why nobody takes the call.
    pub(super) fn call(&self) -> Option<CallFault> {
        if let Self::Call(fault) = self { Some(*fault) } else { None }
    }

    /// What goes wrong with callbacks.
    pub(super) fn callbacks(&self) -> CallbackFault {
        if let Self::Callbacks(fault) = self { *fault } else { CallbackFault::None }
    }

    /// Applies the fault to the response of a request that was processed.
    pub(super) async fn spoil(&self, answer: Response) -> Response {
        match self {
            Self::Nonsense if answer.status().is_success() => {
                (answer.status(), "<html><body>This is not what you asked for.").into_response()
            }
            Self::SlowBetween(least, most) => {
                let span = u64::try_from(most.saturating_sub(*least).as_micros()).unwrap_or(u64::MAX);
                let drawn = shared::crypto::random::below(span.max(1));
                tokio::time::sleep(*least + Duration::from_micros(drawn)).await;
                answer
            }
            Self::Slow(delay) => {
                tokio::time::sleep(*delay).await;
                answer
            }
            Self::HangUp => hang_up(),
            _ => answer,
        }
    }
}

/// A number that is not a status is a bug in the test that set it, and must not look like success.
fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn redirect(to: &str) -> Response {
    let mut response = response::of_status(StatusCode::TEMPORARY_REDIRECT);
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

/// Announces a body of one byte, but ends before that byte. The server notices before it has flushed even the head and can only close the
/// connection, so the client receives nothing. (The body is a stream because the length of other bodies is checked.)
fn hang_up() -> Response {
    let body = Body::from_stream(Body::empty().into_data_stream());
    ([(header::CONTENT_LENGTH, "1")], body).into_response()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::time::Duration;

    use serde_json::json;
    use tokio::net::TcpListener;

    use super::super::testing::{ACCOUNT, BASIC, at, get, read, send, sms};
    use super::*;

    #[tokio::test]
    async fn a_status_comes_with_its_own_body_and_keeps_nothing() {
        let (simulator, _) = at(1_000);
        for status in [400, 401, 402, 403, 404, 405, 409, 422, 429, 500, 502, 503, 504] {
            simulator.set_fault(Fault::Status(status));
            for answer in [sms(&simulator, "15550001111", "hello").await, get(&simulator, "").await] {
                assert_eq!(answer.status, status);
                if status == 401 {
                    assert!(answer.text.starts_with("Could not verify your access level"), "{}", answer.text);
                } else {
                    assert!(answer.json["api_id"].is_string() && answer.json["error"].is_string(), "{}", answer.text);
                }
            }
        }
        assert!(simulator.messages(None).is_empty());
        assert_eq!(simulator.message_calls(), 13);
    }

    #[tokio::test]
    async fn a_fault_stays_until_it_is_ended() {
        let (simulator, _) = at(1_000);
        simulator.set_fault(Fault::Refuse400("no route".to_owned()));
        for _ in 0..2 {
            let answer = sms(&simulator, "15550001111", "hello").await;
            assert_eq!((answer.status, &answer.json["error"]), (400, &json!("no route")));
        }
        simulator.set_fault(Fault::None);
        assert_eq!(sms(&simulator, "15550001111", "hello").await.status, 202);
    }

    #[tokio::test]
    async fn wrong_credentials_are_told_before_any_fault() {
        let (simulator, _) = at(1_000);
        simulator.set_fault(Fault::Status(500));
        let answer = read(&simulator, "GET", &format!("/v1/Account/{ACCOUNT}/"), None, "").await;
        assert_eq!(answer.status, 401);
    }

    #[tokio::test]
    async fn a_status_that_does_not_exist_is_an_error_of_the_server() {
        let (simulator, _) = at(1_000);
        simulator.set_fault(Fault::Status(7));
        assert_eq!(sms(&simulator, "15550001111", "hello").await.status, 500);
    }

    #[tokio::test]
    async fn raw_bodies_and_redirects_are_passed_on_as_they_are() {
        let (simulator, _) = at(1_000);
        simulator.set_fault(Fault::Raw(502, "<h1>Bad gateway</h1>".to_owned()));
        let answer = sms(&simulator, "15550001111", "hello").await;
        assert_eq!((answer.status, answer.text.as_str()), (502, "<h1>Bad gateway</h1>"));

        simulator.set_fault(Fault::Redirect("http://127.0.0.1:1/".to_owned()));
        let answer = sms(&simulator, "15550001111", "hello").await;
        assert_eq!((answer.status, answer.header("location")), (307, Some("http://127.0.0.1:1/")));
        assert!(simulator.messages(None).is_empty());
    }

    #[tokio::test]
    async fn nonsense_keeps_the_message_and_spoils_only_what_was_accepted() {
        let (simulator, _) = at(1_000);
        simulator.set_fault(Fault::Nonsense);
        let answer = sms(&simulator, "15550001111", "hello").await;
        assert_eq!(answer.status, 202);
        assert!(answer.json.is_null() && !answer.text.is_empty());
        assert_eq!(simulator.messages(None).len(), 1);
        assert_eq!(get(&simulator, "").await.status, 200);
        assert_eq!(sms(&simulator, "1111111", "hello").await.json["error"], "'1111111' is not a valid phone number.");
    }

    #[tokio::test]
    async fn a_slow_answer_comes_after_the_message_was_kept() {
        let (simulator, _) = at(1_000);
        simulator.set_fault(Fault::Slow(Duration::from_secs(3_600)));
        let mut arrivals = simulator.subscribe();
        let client = simulator.clone();
        let request = tokio::spawn(async move { sms(&client, "15550001111", "hello").await });

        arrivals.changed().await.unwrap();
        assert_eq!(simulator.messages(None).len(), 1);
        assert!(!request.is_finished());
        request.abort();

        simulator.set_fault(Fault::Slow(Duration::ZERO));
        assert_eq!(sms(&simulator, "15550001111", "hello").await.status, 202);
    }

    #[tokio::test]
    async fn hanging_up_keeps_the_message_and_sends_not_a_byte() {
        let (simulator, _) = at(1_000);
        simulator.set_fault(Fault::HangUp);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(axum::serve(listener, simulator.router()).into_future());

        let body = json!({"src": "14155550100", "dst": "15550001111", "text": "hello"}).to_string();
        let request = format!(
            "POST /v1/Account/{ACCOUNT}/Message/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: {BASIC}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let call = move || {
            let mut connection = TcpStream::connect(address).unwrap();
            connection.write_all(request.as_bytes()).unwrap();
            let mut received = Vec::new();
            connection.read_to_end(&mut received).map(|_| received)
        };
        let received = tokio::task::spawn_blocking(call).await.unwrap().unwrap();

        assert_eq!(received, b"");
        assert_eq!(simulator.messages(None).len(), 1);
        server.abort();
    }

    #[tokio::test]
    async fn reading_messages_is_never_spoilt() {
        let (simulator, _) = at(1_000);
        let uuid = send(&simulator, json!({"src": "14155550100", "dst": "15550001111", "text": "hello"})).await;
        simulator.set_fault(Fault::Status(503));
        let uuid = uuid.json["message_uuid"][0].as_str().unwrap().to_owned();
        assert_eq!(get(&simulator, &format!("Message/{uuid}/")).await.status, 200);
    }
}
