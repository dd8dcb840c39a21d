//! Carries every operation out once, against a real store behind `local::fault_proxy` and a simulated Plivo, and keeps the calls that each
//! made.

use std::time::Duration;

use lambda_http::http::header;
use lambda_http::http::{HeaderName, Method};
use local::fault_proxy::FaultProxy;
use local::{Data, Options, Stack};
use serde_json::{Value, json};
use shared::aws::secrets::Secret;

use crate::Failure;
use crate::operation::{Ask, Ending, Function, Hashing, Operation};

const USER: &str = "+14155550100";
const NOBODY: &str = "+14155550101";
const PASSWORD: &str = "correct horse battery";
const NEW_PASSWORD: &str = "another horse battery";
const WAIT: Duration = Duration::from_secs(30);
const REGISTER: &str = "/api/users/register";
const LOGIN_PHONE: &str = "/api/services/Plivo/loginWithPhoneNumber";
const LOGIN_PASSWORD: &str = "/api/services/Plivo/loginWithPhoneNumberAndPassword";
const LOGIN_CODE: &str = "/api/services/Plivo/loginWithCode";
const STATUS: &str = "/api/services/Plivo/status/";
const SEND: &str = "/api/services/Plivo/sendMessage";
const USER_TOKEN: HeaderName = HeaderName::from_static("user-token");

/// What was recorded.
pub(crate) struct Recording {
    pub(crate) operations: Vec<Operation>,
    /// The stack whose storage it happened in.
    pub(crate) store: Stack,
}

/// When it happens, as the machine's clock sees it. A message was sent and a code expires at a time that is in the recorded answers,
/// and a function's binary takes no other clock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// All messages have been sent: another may be.
    Past,
    Now,
    /// No code has expired.
    Future,
}

const APART: Duration = Duration::from_secs(60 * 60);
/// How much longer each call takes. Without it, a response could be there before the next call that was begun beside it, and calls side by side
/// would look like calls in turn. Far more than the handlers take to begin them, even in a debug build on a busy machine.
const DISTANCE: Duration = Duration::from_millis(50);
/// The name of a call to Plivo.
const PLIVO: &str = "Plivo";

/// Carries all operations out, in an order that one user could take.
pub(crate) async fn record(when: When) -> Result<Recording, Failure> {
    let mut recorder = Recorder::start(when).await?;
    let user = recorder.registration().await?;
    let token = recorder.logins().await?;
    recorder.message_and_session(&user, &token).await?;
    Ok(Recording { operations: recorder.operations, store: recorder.store })
}

struct Recorder {
    operations: Vec<Operation>,
    store: Stack,
    proxy: FaultProxy,
    plivo: FaultProxy,
    stack: Stack,
}

impl Recorder {
    async fn start(when: When) -> Result<Self, Failure> {
        let store = Stack::start(Options::default()).await?;
        // Only the very first registration of a users table keeps the check value of the root key.
        let keys = store.app.secrets.keys(store.app.clock.now()).await?;
        store.app.store.users.keep_root_key(&keys).await?;
        let address = store.config.dynamodb_endpoint.clone();
        let (proxy, plivo) = (FaultProxy::start(&address).await?, FaultProxy::start(&store.config.url).await?);
        proxy.measure();
        proxy.delay(DISTANCE);
        plivo.delay(DISTANCE);
        let settings = [("AWS_ENDPOINT_URL_DYNAMODB", &proxy.url), ("PLIVO_API_URL", &plivo.url)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.clone())).to_vec();
        let behind = if when == When::Past { APART } else { Duration::ZERO };
        let stack = Stack::start(Options { data: Data::At(address), settings, behind, ..Options::default() }).await?;
        if when == When::Future {
            stack.clock.advance(APART);
        }
        stack.app.warm_up(&[Secret::RootKey, Secret::Plivo, Secret::MessageKey]).await;
        Ok(Self { operations: Vec::new(), store, proxy, plivo, stack })
    }

    async fn registration(&mut self) -> Result<String, Failure> {
        use Function::Register;
        let ask = Ask::post(Register, REGISTER, &json!({ "phoneNumber": USER }));
        let started = self.carry_out("register, step 1", ask, Ending::Success, Hashing::None).await?;
        let body = json!({
            "phoneNumber": USER, "email": "jane@example.com", "password": PASSWORD, "name": "Jane",
            "transactionId": started["transactionId"], "transactionCode": self.last_code()?,
        });
        let ask = Ask::post(Register, REGISTER, &body);
        let user = self.carry_out("register, step 2", ask, Ending::Success, Hashing::Argon2id).await?;
        Ok(text(&user, "objectId")?.to_owned())
    }

    /// Both logins, and what is refused in them. Answers a session's token.
    async fn logins(&mut self) -> Result<String, Failure> {
        use Ending::{Refusal, Success};
        use Function::{LoginCode, LoginPassword, LoginPhone};
        let by_phone = |phone| Ask::post(LoginPhone, LOGIN_PHONE, &json!({ "phoneNumber": phone }));
        let by_password =
            |password| Ask::post(LoginPassword, LOGIN_PASSWORD, &json!({ "phoneNumber": USER, "password": password }));
        let enter = |started: &Value, code: &str| {
            Ask::post(LoginCode, LOGIN_CODE, &json!({ "transactionId": started["transactionId"], "code": code }))
        };

        self.wait();
        let started = self.carry_out("loginWithPhoneNumber, a user's", by_phone(USER), Success, Hashing::None).await?;
        self.carry_out("loginWithPhoneNumber, nobody's", by_phone(NOBODY), Success, Hashing::None).await?;
        let ask = Ask::get(format!("{STATUS}{}", text(&started, "transactionId")?)).of(LoginCode, Method::GET);
        self.carry_out("status", ask, Success, Hashing::None).await?;
        let ask = enter(&started, &self.last_code()?);
        self.carry_out("loginWithCode, after the phone", ask, Success, Hashing::None).await?;

        self.wait();
        let right = by_password(PASSWORD);
        let started = self.carry_out("loginWithPhoneNumberAndPassword", right, Success, Hashing::Argon2id).await?;
        let wrong = by_password("another horse battery");
        self.carry_out("loginWithPhoneNumberAndPassword, wrong", wrong, Refusal, Hashing::Argon2id).await?;
        let code = self.last_code()?;
        let ask = enter(&started, &another(&code));
        self.carry_out("loginWithCode, wrong", ask, Refusal, Hashing::None).await?;
        let ask = enter(&started, &code);
        let user = self.carry_out("loginWithCode, after the password", ask, Success, Hashing::None).await?;
        Ok(text(&user, "user-token")?.to_owned())
    }

    async fn message_and_session(&mut self, user: &str, token: &str) -> Result<(), Failure> {
        use Ending::Success;
        let message = json!({ "phoneNumber": USER, "message": "Your table is ready." });
        let ask = Ask::post(Function::SendMessage, SEND, &message)
            .with(header::AUTHORIZATION, format!("Bearer {}", local::MESSAGE_KEY));
        self.carry_out("sendMessage", ask, Success, Hashing::None).await?;
        self.carry_out("info", Ask::get("/api/info"), Success, Hashing::None).await?;
        let ask = Ask::get(format!("/api/users/isvalidusertoken/{token}"));
        self.carry_out("isvalidusertoken", ask, Success, Hashing::None).await?;
        let ask =
            Ask::get(format!("/api/data/Users/{user}")).of(Function::Account, Method::GET).with(USER_TOKEN, token);
        self.carry_out("data/Users/{objectId}", ask, Success, Hashing::None).await?;
        let ask = Ask::get("/api/users/me").with(USER_TOKEN, token);
        self.carry_out("users/me", ask, Success, Hashing::None).await?;
        let ask = Ask::get("/api/users/sessions").with(USER_TOKEN, token);
        self.carry_out("users/sessions", ask, Success, Hashing::None).await?;
        let ask = Ask::post(Function::Session, "/api/users/token", &json!({})).with(USER_TOKEN, token);
        self.carry_out("users/token", ask, Success, Hashing::None).await?;
        self.account(user, token).await?;
        let ask = Ask::get("/api/users/logout").with(USER_TOKEN, token);
        self.carry_out("logout", ask, Success, Hashing::None).await?;
        Ok(())
    }

    /// What a user reads and changes of its account.
    async fn account(&mut self, user: &str, token: &str) -> Result<(), Failure> {
        use Ending::Success;
        use Function::Account;
        let own = format!("/api/users/{user}");
        let put = |body| Ask::post(Account, &own, &body).of(Account, Method::PUT).with(USER_TOKEN, token);
        let post = |path, body| Ask::post(Account, path, &body).with(USER_TOKEN, token);
        let get = |path: &str| Ask::get(path).of(Account, Method::GET).with(USER_TOKEN, token);

        self.carry_out("data/Users/find", post("/api/data/Users/find", json!({})), Success, Hashing::None).await?;
        self.carry_out("users/userroles", get("/api/users/userroles"), Success, Hashing::None).await?;
        self.carry_out("users/export", get("/api/users/export"), Success, Hashing::None).await?;
        let ask = post("/api/users/verifypassword", json!({ "password": PASSWORD }));
        self.carry_out("users/verifypassword", ask, Success, Hashing::Argon2id).await?;
        let ask = put(json!({ "name": "Jane" }));
        self.carry_out("users/{objectId}, a change", ask, Success, Hashing::None).await?;
        let ask = put(json!({ "password": NEW_PASSWORD }));
        self.carry_out("users/{objectId}, a password", ask, Success, Hashing::Argon2id).await?;
        self.wait();
        let ask = put(json!({ "phoneNumber": NOBODY }));
        let started = self.carry_out("users/{objectId}, a phone, step 1", ask, Success, Hashing::None).await?;
        let (id, code) = (&started["transactionId"], self.last_code_of(NOBODY)?);
        let ask = put(json!({ "phoneNumber": NOBODY, "transactionId": id, "transactionCode": code }));
        self.carry_out("users/{objectId}, a phone, step 2", ask, Success, Hashing::None).await?;
        self.wait();
        let ask = Ask::get(format!("/api/users/restorepassword/{NOBODY}")).of(Account, Method::GET);
        self.carry_out("restorepassword", ask, Success, Hashing::None).await?;
        Ok(())
    }

    async fn carry_out(
        &mut self,
        name: &'static str,
        ask: Ask,
        ending: Ending,
        hashing: Hashing,
    ) -> Result<Value, Failure> {
        self.proxy.take_calls();
        self.plivo.take_calls();
        let (answer, answered) = ask.answer(&self.stack.app).await?;
        let body: Value = serde_json::from_slice(answer.body())?;
        if answer.status() != ending.status() {
            let method: &Method = &ask.method;
            return Err(format!("{name}: {method} answered {} {body}", answer.status()).into());
        }
        let (calls, mut plivo) = (self.proxy.take_calls(), self.plivo.take_calls());
        plivo.iter_mut().for_each(|call| PLIVO.clone_into(&mut call.operation));
        self.operations.push(Operation { name, ask, ending, hashing, calls, plivo, answered });
        Ok(body)
    }

    /// Past the limit on messages to one phone.
    fn wait(&self) {
        self.stack.clock.advance(WAIT);
    }

    fn last_code(&self) -> Result<String, Failure> {
        self.last_code_of(USER)
    }

    fn last_code_of(&self, phone: &str) -> Result<String, Failure> {
        let newest = self.store.simulator.messages(Some(phone)).into_iter().next();
        Ok(code_in(&newest.ok_or("no message arrived")?.text))
    }
}

/// The code at the beginning of a message.
pub(crate) fn code_in(text: &str) -> String {
    text.chars().take_while(char::is_ascii_digit).collect()
}

pub(crate) fn text<'a>(body: &'a Value, field: &str) -> Result<&'a str, Failure> {
    body[field].as_str().ok_or_else(|| format!("no {field} in {body}").into())
}

/// Another code of the same length.
fn another(code: &str) -> String {
    code.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect()
}
