//! The test harness: a stack, a client of it, and requests that many tests make.

use std::io;
use std::sync::{Mutex, Once, OnceLock, PoisonError};
use std::time::Duration;

use local::clock::Pace;
use local::fault_proxy::FaultProxy;
use local::iam::Iam;
use local::{Data, Options, Stack};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use shared::app::App;
use shared::clock::Clock as _;
use shared::crypto::identifier;
use shared::flow::Flow;
use shared::store::{MAX_SESSIONS, NewSession};

/// A good password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// Asserts an error in full: status, Backendless code, reason, and nothing else in the body.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: u32, reason: &str) {
        assert_eq!(
            (self.status.as_u16(), &self.body["code"], &self.body["errorData"]["reason"]),
            (status, &json!(code), &json!(reason)),
            "{}",
            self.body
        );
        assert!(self.body["message"].as_str().is_some_and(|message| !message.is_empty() && !message.contains("%s")));
        assert_eq!(self.body.as_object().map(|body| body.len()), Some(3));
    }

    /// Asserts an error with `retryAfter`.
    #[track_caller]
    pub(crate) fn refused_in(&self, status: u16, reason: &str) {
        self.refused(status, 14000, reason);
        assert!(self.body["errorData"]["retryAfter"].as_u64().is_some_and(|wait| wait > 0), "{}", self.body);
    }

    /// Asserts a 429 and returns its wait, on which header and body agree.
    #[track_caller]
    pub(crate) fn limited(&self, reason: &str) -> u64 {
        self.refused(429, 14000, reason);
        let wait = self.body["errorData"]["retryAfter"].as_u64().expect("retryAfter");
        assert_eq!(self.headers["retry-after"], wait.to_string().as_str());
        wait
    }
}

/// A stack and a client.
pub(crate) struct TestApp {
    pub(crate) stack: Stack,
    http: reqwest::Client,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::options(Options { settings, ..Options::default() }).await
    }

    pub(crate) async fn options(options: Options) -> Self {
        log_to_memory();
        let iam = Some(options.iam.unwrap_or_else(|| iam().clone()));
        let options = Options { pace: Pace::Stands, iam, ..options };
        let stack = Stack::start(options).await.expect("the stack starts");
        Self { stack, http: local::http_client().expect("a client") }
    }

    /// A stack whose functions reach DynamoDB through a fault proxy, then the IAM check, then the database of another stack, which is also
    /// returned.
    pub(crate) async fn behind_fault_proxy() -> (Self, FaultProxy, Self) {
        Self::behind_fault_proxy_with(iam(), &[]).await
    }

    /// Like [`Self::behind_fault_proxy`], with these settings.
    pub(crate) async fn behind_fault_proxy_of(settings: &[(&str, &str)]) -> (Self, FaultProxy, Self) {
        Self::behind_fault_proxy_with(iam(), settings).await
    }

    /// Like [`Self::behind_fault_proxy`], with another IAM check and settings.
    pub(crate) async fn behind_fault_proxy_with(iam: &Iam, settings: &[(&str, &str)]) -> (Self, FaultProxy, Self) {
        let store = Self::options(Options { iam: Some(iam.clone()), ..Options::default() }).await;
        let proxy = FaultProxy::start(&store.stack.settings["AWS_ENDPOINT_URL_DYNAMODB"]).await.expect("a proxy");
        let mut settings: Vec<_> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        settings.push(("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), proxy.url.clone()));
        let data = Data::At(store.stack.config.dynamodb_endpoint.clone());
        let iam = Some(iam.clone());
        let app = Self::options(Options { data, settings, iam, ..Options::default() }).await;
        proxy.take_calls();
        (app, proxy, store)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.stack.config.url))
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Reply {
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.expect("a text");
        self.stack.settle().await;
        Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).header("content-type", "application/json").body(body.to_string()))
            .await
    }

    pub(crate) async fn post_text(&self, path: &str, body: impl Into<reqwest::Body>) -> Reply {
        self.send(self.request(Method::POST, path).body(body)).await
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Reply {
        let mut request = self.request(Method::GET, path);
        if let Some(token) = token {
            request = request.header("user-token", token);
        }
        self.send(request).await
    }

    pub(crate) async fn register_start(&self, phone: &str) -> Reply {
        self.post("/api/users/register", &json!({ "phoneNumber": phone })).await
    }

    pub(crate) async fn login_start(&self, phone: &str) -> Reply {
        self.post_text("/api/services/Plivo/loginWithPhoneNumber", phone.to_owned()).await
    }

    pub(crate) async fn password_start(&self, phone: &str, password: &str) -> Reply {
        self.post(
            "/api/services/Plivo/loginWithPhoneNumberAndPassword",
            &json!({ "phoneNumber": phone, "password": password }),
        )
        .await
    }

    pub(crate) async fn enter(&self, challenge: &str, code: &str) -> Reply {
        self.post("/api/services/Plivo/loginWithCode", &json!({ "transactionId": challenge, "code": code })).await
    }

    pub(crate) async fn message(&self, body: &Value) -> Reply {
        let request = self.request(Method::POST, "/api/services/Plivo/sendMessage").bearer_auth(local::MESSAGE_KEY);
        self.send(request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// Invokes the route's function as the gateway would for a client at this address, with the client's headers.
    pub(crate) async fn post_from(&self, address: &str, headers: &Value, path: &str, body: &Value) -> Reply {
        let function = match shared::http::routes::find("POST", path) {
            shared::http::routes::Found::Route(found) => found.route.function,
            _ => panic!("no route for {path}"),
        };
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers,
            "requestContext": {
                "http": { "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": address, "userAgent": "test" },
                "stage": "$default", "requestId": "test", "routeKey": "$default",
            },
            "isBase64Encoded": false, "body": body.to_string(),
        });
        let answer = self.stack.invoke(function, event).await.expect("an answer");
        let mut headers = HeaderMap::new();
        for (name, value) in answer["headers"].as_object().into_iter().flatten() {
            let name = reqwest::header::HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            headers.insert(name, value.as_str().and_then(|value| value.parse().ok()).expect("a header's value"));
        }
        let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
        let status = status.and_then(|status| StatusCode::from_u16(status).ok()).expect("a status");
        let text = answer["body"].as_str().unwrap_or_default();
        Reply { status, headers, body: serde_json::from_str(text).unwrap_or(Value::String(text.to_owned())) }
    }

    /// Starts a registration from an address.
    pub(crate) async fn register_from(&self, address: &str, phone: &str) -> Reply {
        self.post_from(address, &json!({}), "/api/users/register", &json!({ "phoneNumber": phone })).await
    }

    /// Starts a login by password from an address.
    pub(crate) async fn password_from(&self, address: &str, phone: &str, password: &str) -> Reply {
        let body = json!({ "phoneNumber": phone, "password": password });
        self.post_from(address, &json!({}), "/api/services/Plivo/loginWithPhoneNumberAndPassword", &body).await
    }

    /// Enters a code from an address.
    pub(crate) async fn enter_from(&self, address: &str, challenge: &str, code: &str) -> Reply {
        let body = json!({ "transactionId": challenge, "code": code });
        self.post_from(address, &json!({}), "/api/services/Plivo/loginWithCode", &body).await
    }

    /// Enters a code with the header `device-token`.
    pub(crate) async fn enter_with(&self, challenge: &str, code: &str, token: &str) -> Reply {
        let request = self.request(Method::POST, "/api/services/Plivo/loginWithCode").header("device-token", token);
        self.send(request.body(json!({ "transactionId": challenge, "code": code }).to_string())).await
    }

    /// The body of step 2.
    pub(crate) fn registration(phone: &str, email: &str, challenge: &str, code: &str) -> Value {
        json!({ "phoneNumber": phone, "email": email, "password": PASSWORD, "transactionId": challenge, "transactionCode": code })
    }

    /// Registers a user and moves the clock past the wait for the next message. Returns the user.
    pub(crate) async fn register(&self, phone: &str, email: &str) -> Value {
        let challenge = challenge_id(&self.register_start(phone).await.ok());
        let code = self.last_code(phone);
        let body = Self::registration(phone, email, &challenge, &code);
        let user = self.post("/api/users/register", &body).await.ok();
        remember(PASSWORD);
        self.advance(30);
        user
    }

    /// Logs in without a password and moves the clock past the wait for the next message. Returns the token.
    pub(crate) async fn log_in(&self, phone: &str) -> String {
        let challenge = challenge_id(&self.login_start(phone).await.ok());
        let user = self.enter(&challenge, &self.last_code(phone)).await.ok();
        self.advance(30);
        let token = user["user-token"].as_str().expect("a token").to_owned();
        remember(&token);
        token
    }

    /// Gives a user as many sessions as there may be, a second apart. Returns their tokens, oldest first.
    pub(crate) async fn fill_sessions(&self, user: &str) -> Vec<String> {
        let App { store, settings, .. } = &*self.stack.app;
        let mut tokens = Vec::new();
        for number in 0..MAX_SESSIONS {
            let token = [u8::try_from(number).expect("few sessions"); 16];
            let (now, idle, life) = (self.stack.clock.now(), settings.session_idle, settings.session_life);
            let session = NewSession { token: &token, user, device: "test", flow: Flow::Login, now, idle, life };
            assert!(store.users.add_session(&store.sessions, &session).await.expect("a session"));
            tokens.push(identifier::format(&token));
            self.advance(1);
        }
        tokens
    }

    pub(crate) fn texts(&self, phone: &str) -> Vec<String> {
        remember(phone.trim_start_matches('+'));
        self.stack.simulator.messages(Some(phone)).into_iter().map(|message| message.text).collect()
    }

    /// The code of the newest message to the phone.
    pub(crate) fn last_code(&self, phone: &str) -> String {
        let text = self.texts(phone).into_iter().next().expect("a message");
        let code: String = text.chars().take_while(char::is_ascii_digit).collect();
        assert!(code.len() >= 6, "no code in: {text}");
        remember(&code);
        code
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.stack.clock.advance(Duration::from_secs(seconds));
    }

    /// The number of requests to Plivo to send a message.
    pub(crate) fn sent(&self) -> usize {
        self.stack.simulator.message_calls()
    }

    /// Every item of every table, as JSON, but the one that tells which root key the users are of.
    pub(crate) async fn dump(&self) -> Vec<(&'static str, Value)> {
        let mut items = Vec::new();
        for (table, _) in local::dynamodb::TABLES {
            let request =
                self.http.post(&self.stack.config.dynamodb_endpoint).header("x-amz-target", "DynamoDB_20120810.Scan");
            let request = request.header("content-type", "application/x-amz-json-1.0").header("authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=x");
            let answer = request
                .header("x-amz-date", "20260101T000000Z")
                .body(json!({ "TableName": table }).to_string())
                .send()
                .await
                .expect("a scan");
            let answer: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
            let found = answer["Items"].as_array().expect("items").iter().filter(|item| item["id"]["S"] != "root_key");
            items.extend(found.map(|item| (table, item.clone())));
        }
        items
    }
}

/// The IAM check of all tests.
fn iam() -> &'static Iam {
    static IAM: OnceLock<Iam> = OnceLock::new();
    IAM.get_or_init(|| Iam::new().expect("a template"))
}

/// The challenge's ID in a response that has no other field.
#[track_caller]
pub(crate) fn challenge_id(body: &Value) -> String {
    let id = body["transactionId"].as_str().unwrap_or_else(|| panic!("no transactionId in {body}"));
    assert!(shared::crypto::identifier::parse(id).is_some() && id == id.to_uppercase(), "{id}");
    assert_eq!(body.as_object().map(|body| body.len()), Some(1));
    id.to_owned()
}

/// A wrong code of the same length.
pub(crate) fn wrong(code: &str) -> String {
    let last = code.bytes().last().map_or(b'0', |digit| if digit == b'9' { b'0' } else { digit + 1 });
    format!("{}{}", &code[..code.len() - 1], char::from(last))
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Memory;

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps everything that this process logs, in the functions' format.
fn log_to_memory() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| shared::logging::init(|| Memory));
}

/// The log so far.
pub(crate) fn log() -> String {
    String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

/// Remembers a secret that no log line may contain.
pub(crate) fn remember(secret: &str) {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner).push(secret.to_owned());
}

/// All remembered secrets.
pub(crate) fn secrets() -> Vec<String> {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
