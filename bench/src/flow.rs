//! What a client does: whole flows over HTTP, with our stack or with better-auth, each with a phone of its own, so that limits meet
//! nobody.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Failure;
use crate::record::{code_in, text};

/// The flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Registration,
    Login,
    Token,
    Info,
}

impl Flow {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration, both steps",
            Self::Login => "login by code, both steps",
            Self::Token => "isvalidusertoken",
            Self::Info => "info",
        }
    }
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Otpost,
    /// Its phone-number plugin: registration and login are the same two requests, and a phone without a user gets one.
    BetterAuth,
}

/// The phone of the person of this number: one of eight million.
pub(crate) fn phone_of(person: usize) -> String {
    format!("+1212{:07}", 2_000_000 + person)
}

/// So many addresses of this machine the clients come from: what is counted for one is one item, for which all of them would race.
const ADDRESSES: u8 = 200;

/// Clients of one server.
pub(crate) struct Clients {
    /// One for each address; requests take them in turn.
    http: Vec<reqwest::Client>,
    turn: AtomicUsize,
    api: Api,
    url: String,
    /// The times of all requests to the service since they were last taken.
    times: Mutex<Vec<Duration>>,
    /// Of those who have logged in.
    tokens: Mutex<Vec<String>>,
}

impl Clients {
    pub(crate) fn of(api: Api, url: &str) -> Result<Self, Failure> {
        let http = (1..=ADDRESSES).map(|last| local::http_client_from(Ipv4Addr::new(127, 0, 1, last)));
        let http = http.collect::<Result<_, _>>()?;
        Ok(Self {
            http,
            turn: AtomicUsize::default(),
            api,
            url: url.to_owned(),
            times: Mutex::default(),
            tokens: Mutex::default(),
        })
    }

    /// Goes through a flow as the person of this number.
    pub(crate) async fn go(&self, flow: Flow, person: usize) -> Result<(), Failure> {
        let phone = phone_of(person);
        match (self.api, flow) {
            (Api::Otpost, Flow::Registration) => self.register(&phone, person).await,
            (Api::Otpost, Flow::Login) => self.log_in(&phone).await,
            (Api::Otpost, Flow::Token) => self.ask_token(person).await,
            (Api::Otpost, Flow::Info) => self.service(self.request(Method::GET, "/api/info")).await.map(drop),
            (Api::BetterAuth, _) => self.verify(&phone).await,
        }
    }

    /// Past the limit on messages to one phone.
    pub(crate) async fn wait(&self) -> Result<(), Failure> {
        if self.api == Api::BetterAuth {
            return Ok(());
        }
        let request = self.request(Method::POST, "/_local/clock").header("content-type", "application/json");
        self.send(request.body(json!({ "advance": 31 }).to_string())).await.map(drop)
    }

    pub(crate) fn take_times(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.times.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives the clients tokens of sessions that stand.
    pub(crate) fn add_tokens(&self, tokens: impl IntoIterator<Item = String>) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).extend(tokens);
    }

    async fn register(&self, phone: &str, person: usize) -> Result<(), Failure> {
        let started = self.post("/api/users/register", &json!({ "phoneNumber": phone })).await?;
        let body = json!({
            "phoneNumber": phone, "email": format!("person{person}@example.com"), "password": "correct horse battery",
            "transactionId": started["transactionId"], "transactionCode": self.code(phone).await?,
        });
        self.post("/api/users/register", &body).await.map(drop)
    }

    async fn log_in(&self, phone: &str) -> Result<(), Failure> {
        let body = json!({ "phoneNumber": phone });
        let started = self.post("/api/services/Plivo/loginWithPhoneNumber", &body).await?;
        let body = json!({ "transactionId": started["transactionId"], "code": self.code(phone).await? });
        let user = self.post("/api/services/Plivo/loginWithCode", &body).await?;
        self.add_tokens([text(&user, "user-token")?.to_owned()]);
        Ok(())
    }

    async fn verify(&self, phone: &str) -> Result<(), Failure> {
        self.post("/api/auth/phone-number/send-otp", &json!({ "phoneNumber": phone })).await?;
        let body = json!({ "phoneNumber": phone, "code": self.code(phone).await? });
        let session = self.post("/api/auth/phone-number/verify", &body).await?;
        text(&session, "token").map(drop)
    }

    async fn ask_token(&self, person: usize) -> Result<(), Failure> {
        let path = {
            let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            let token = tokens.get(person % tokens.len().max(1)).ok_or("nobody has logged in")?;
            format!("/api/users/isvalidusertoken/{token}")
        };
        match self.service(self.request(Method::GET, &path)).await? {
            Value::Bool(true) => Ok(()),
            other => Err(format!("a token is {other}").into()),
        }
    }

    /// The code that the phone got: from our inbox, or from the app around better-auth.
    async fn code(&self, phone: &str) -> Result<String, Failure> {
        let digits = phone.trim_start_matches('+');
        if self.api == Api::BetterAuth {
            let answer = self.send(self.request(Method::GET, &format!("/code?to=%2B{digits}"))).await?;
            return Ok(text(&answer, "code")?.to_owned());
        }
        let messages = self.send(self.request(Method::GET, &format!("/_local/messages?limit=1&to={digits}"))).await?;
        Ok(code_in(text(&messages[0], "text")?))
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        self.service(request.body(body.to_string())).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.http[turn % self.http.len()].request(method, format!("{}{path}", self.url))
    }

    /// Asks the service, and notes the time.
    async fn service(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let started = Instant::now();
        let answer = self.send(request).await;
        self.times.lock().unwrap_or_else(PoisonError::into_inner).push(started.elapsed());
        answer
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        if status.is_success() {
            Ok(serde_json::from_slice(&body)?)
        } else {
            Err(format!("{:?} answered {status}: {}", self.api, String::from_utf8_lossy(&body)).into())
        }
    }
}
