//! DynamoDB: one struct per table, each method named after what it is for, each condition documented. Knows no rules (those are in `auth`
//! and `spend`) and no HTTP.
//!
//! Every write that decides something is conditional and says so; expiry is in the condition, TTL only tidies up. A write that is repeated
//! because its response was lost finds what it wrote and counts once. Two exceptions: the end of a session, which is then reported as
//! refused though the session is over; and a counter, which may count twice.

mod clients;
mod consents;
mod controls;
mod counters;
mod decision_log;
mod delivery;
mod message_reports;
mod messages;
mod optimistic;
mod phone_event;
mod phone_messages;
mod phones;
mod send_id;
mod sessions;
mod start_state;
mod table;
mod users;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::aws::AwsError;
use crate::config::Resources;

pub use clients::{ClientKey, ClientRecord, Clients, PhoneTag};
pub use consents::{ConsentEntry, ConsentKey, ConsentKind, Consents, OptOut, PhoneConsents};
pub use controls::{
    AuditEntry, Controls, Failures, KillSwitchChange, KillSwitchRecord, MAX_AGE as SERVICE_STATUS_MAX_AGE,
    ServiceStatus,
};
pub use counters::{CounterKey, Counters, PrefixCounter};
pub use decision_log::{DecisionLog, DecisionLogEntry};
pub use delivery::{Delivery, DeliveryState, Part, Report};
pub use message_reports::{MessageRecord, MessageReports};
#[cfg(test)]
pub(crate) use messages::LEASE;
pub use messages::{Claim, Claimed, MessageState, Messages};
pub use phone_event::{PhoneAction, PhoneEvent, is_new_refusal};
pub use phone_messages::{PhoneMessages, PhoneMessagesTable};
pub use phones::{
    Attempt, CallSend, Challenge, ChallengeKey, Channel, CodeSend, DEVICE_LIFE, Device, DeviceSlot, NotCounted,
    PhoneCounts, PhoneKey, PhoneLimits, PhoneRecord, Phones, VerifiedCode,
};
pub use send_id::SendId;
pub use sessions::{NewSession, Session, SessionEntry, Sessions};
pub use start_state::{CodeState, MessageLimits, StartKeys, StartState};
pub use users::{
    DISABLED, ENABLED, MAX_SESSIONS, NewUser, PhoneChange, PhoneMoved, PhoneOwner, Profile, Registered, UserChange,
    Users,
};

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// All tables.
#[derive(Debug, Clone)]
pub struct Store {
    /// Users.
    pub users: Users,
    /// Limits and challenges of phones.
    pub phones: Phones,
    /// Sessions.
    pub sessions: Sessions,
    /// Service-wide state.
    pub controls: Controls,
    /// Outcomes of messages.
    pub messages: Messages,
    /// What Plivo reported of messages.
    pub message_reports: MessageReports,
    /// What client networks asked for.
    pub clients: Clients,
    /// What was spent, sent and verified.
    pub counters: Counters,
    /// How many of the app's own messages phones got.
    pub phone_messages: PhoneMessagesTable,
    /// Decisions about messages.
    pub decision_log: DecisionLog,
    /// Who has consented to messages or opted out of them.
    pub consents: Consents,
}

impl Store {
    /// The tables of these names; calls nobody.
    pub fn new(client: &Client, names: &Resources) -> Self {
        let table = |name: &String| table::Table { client: client.clone(), name: name.clone() };
        Self {
            users: Users::new(table(&names.users_table)),
            phones: Phones { table: table(&names.phones_table) },
            sessions: Sessions { table: table(&names.sessions_table) },
            controls: Controls::new(table(&names.controls_table)),
            messages: Messages { table: table(&names.messages_table) },
            message_reports: MessageReports { table: table(&names.messages_table) },
            clients: Clients { table: table(&names.counters_table) },
            counters: Counters { table: table(&names.counters_table) },
            phone_messages: PhoneMessagesTable { table: table(&names.counters_table) },
            decision_log: DecisionLog { table: table(&names.decisions_table) },
            consents: Consents { table: table(&names.consents_table) },
        }
    }
}

/// Storage failed. A condition that did not hold is never one of these: it is an ordinary result.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Throttled or unreachable for longer than we try: worth another request.
    #[error("storage does not answer")]
    Unavailable(#[from] AwsError),
    /// No capacity for a part of what was asked, or every race was lost, for longer than we try: worth another request.
    #[error("storage does not answer: {0} was throttled or lost every race")]
    Throttled(&'static str),
    /// The rows were made with another root key than the secret now holds.
    #[error(
        "the root key is not the one that the users were made with (item `root_key` of the users table); put the old one back"
    )]
    OtherRootKey,
    /// An item that cannot be read or written as what it should be.
    #[error("an item of {table} cannot be read")]
    Malformed {
        /// The name of the table.
        table: &'static str,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    fn malformed(table: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Malformed { table, source: Box::new(source) }
    }
}

/// The `#names` of an expression.
fn names<const N: usize>(names: [(&str, &str); N]) -> Option<HashMap<String, String>> {
    Some(names.map(|(name, attribute)| (name.to_owned(), attribute.to_owned())).into())
}

/// The `:values` of an expression.
fn values<const N: usize>(values: [(&str, AttributeValue); N]) -> Option<Item> {
    Some(values.map(|(name, value)| (name.to_owned(), value)).into())
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The embedded DynamoDB with all tables, behind an HTTP client that can spoil calls, for the tests beside each table.
#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_sdk_dynamodb::config::{AsyncSleep, BehaviorVersion, IdentityCache, Region, SharedAsyncSleep, Sleep};
    use aws_smithy_runtime_api::client::http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
    use aws_smithy_types::body::SdkBody;
    use aws_types::SdkConfig;
    use dynoxide::Database;
    use secrecy::SecretString;
    use serde_json::{Value, json};
    use tokio::net::TcpListener;
    use tokio::sync::Notify;

    use super::*;
    use crate::aws::AwsClients;
    use crate::clock::Timestamp;
    use crate::config::{RESOURCE_NAMES, Resources, Settings};
    use crate::crypto::{KeyedHash, Keys};
    use crate::flow::Flow;
    use crate::http_client::AwsHttpClient;

    /// The first moment of an hour.
    pub(super) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    pub(super) const PHONE: PhoneKey = PhoneKey([7; 8]);
    /// What [`issue`] issues, and how long it lives in seconds.
    pub(super) const CHALLENGE: &str = "challenge";
    pub(super) const CHALLENGE_LIFE: u64 = 300;

    /// So many seconds after [`NOW`].
    pub(super) fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    pub(super) fn hash(text: &str) -> KeyedHash {
        Keys::derive(&SecretString::from("0123456789abcdef0123456789abcdef")).unwrap().message(text)
    }

    /// Issues a challenge that nobody has tried yet.
    pub(super) async fn issue(store: &Store, flow: Flow, max_attempts: usize) {
        let challenge = Challenge {
            id: CHALLENGE.to_owned(),
            code: Some("sealed".to_owned()),
            expires: after(CHALLENGE_LIFE),
            max_attempts,
            attempts: [].into(),
            redeemed_by: None,
            user: None,
            send: None,
            test: false,
        };
        let record = store.phones.get(PHONE).await.unwrap();
        let issue = |record: &mut PhoneRecord| {
            record.challenges.insert(flow.into(), challenge.clone());
            Ok::<_, Infallible>(())
        };
        store.phones.update(PHONE, record, after(86_400), issue).await.unwrap().unwrap();
    }

    pub(super) async fn attempt(store: &Store, flow: Flow) -> Attempt {
        store.phones.begin_attempt(PHONE, flow.into(), CHALLENGE, "network a", NOW).await.unwrap().unwrap()
    }

    /// What happens to a call.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Fault {
        /// Refused: the item stands in a transaction.
        Conflict,
        /// Refused: too much is asked of the table.
        Throttle,
        /// Carried out, and the connection ends before the response.
        LoseResponse,
        /// The same, once `held` has told a test that it was carried out and the test has notified `released`.
        HoldResponse,
        /// A read of several items returns none of them for lack of capacity.
        Unprocessed,
    }

    /// An HTTP client that records calls and spoils some.
    #[derive(Debug, Clone)]
    pub(super) struct Http {
        client: AwsHttpClient,
        plan: Arc<Mutex<Plan>>,
        pub(super) held: Arc<Notify>,
        pub(super) released: Arc<Notify>,
    }

    #[derive(Debug, Default)]
    struct Plan {
        faults: Vec<(&'static str, Fault)>,
        calls: Vec<String>,
    }

    impl Http {
        /// Spoils the next calls of this operation, which must have no faults waiting.
        pub(super) fn spoil(&self, operation: &'static str, fault: Fault, times: usize) {
            self.plan.lock().unwrap().faults.extend(vec![(operation, fault); times]);
        }

        /// The operations of the calls since this was last asked, each attempt of the SDK's.
        pub(super) fn take_calls(&self) -> Vec<String> {
            std::mem::take(&mut self.plan.lock().unwrap().calls)
        }

        fn record(&self, operation: &str) -> Option<Fault> {
            let mut plan = self.plan.lock().unwrap();
            plan.calls.push(operation.to_owned());
            let position = plan.faults.iter().position(|(spoilt, _)| *spoilt == operation)?;
            Some(plan.faults.remove(position).1)
        }
    }

    impl HttpConnector for Http {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            let body: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
            let (status, response) = match self.record(&operation) {
                None => return self.client.call(request),
                Some(Fault::LoseResponse) => {
                    let carried_out = self.client.call(request);
                    return HttpConnectorFuture::new(async {
                        carried_out.await?;
                        Err(ConnectorError::io("the connection was closed".into()))
                    });
                }
                Some(Fault::HoldResponse) => {
                    let (carried_out, held, released) =
                        (self.client.call(request), Arc::clone(&self.held), Arc::clone(&self.released));
                    return HttpConnectorFuture::new(async move {
                        carried_out.await?;
                        held.notify_one();
                        released.notified().await;
                        Err(ConnectorError::io("the connection was closed".into()))
                    });
                }
                Some(Fault::Conflict) => match body["TransactItems"].as_array() {
                    Some(writes) => {
                        let mut reasons = vec![json!({"Code": "None"}); writes.len()];
                        reasons[0] = json!({"Code": "TransactionConflict"});
                        (400, json!({"__type": "TransactionCanceledException", "CancellationReasons": reasons}))
                    }
                    None => (400, json!({"__type": "TransactionConflictException"})),
                },
                Some(Fault::Throttle) => (400, json!({"__type": "ThrottlingException"})),
                Some(Fault::Unprocessed) => (200, json!({"Responses": {}, "UnprocessedKeys": body["RequestItems"]})),
            };
            let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(response.to_string()));
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    impl HttpClient for Http {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    /// The SDK's time: its pauses take none, and its attempts time out only when a test says so.
    #[derive(Debug, Clone, Default)]
    pub(super) struct Time {
        pub(super) attempt_times_out: Arc<Notify>,
    }

    impl AsyncSleep for Time {
        fn sleep(&self, duration: Duration) -> Sleep {
            if duration == crate::aws::ATTEMPT_TIMEOUT {
                let attempt_times_out = Arc::clone(&self.attempt_times_out).notified_owned();
                return Sleep::new(attempt_times_out);
            }
            if duration == crate::aws::TIMEOUT { Sleep::new(std::future::pending()) } else { Sleep::new(async {}) }
        }
    }

    /// Starts the embedded DynamoDB with its tables; returns its address.
    pub(super) async fn dynamodb() -> String {
        let database = Database::memory().unwrap();
        for name in RESOURCE_NAMES.iter().filter(|name| name.ends_with("_TABLE")) {
            let table = json!({
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            });
            database.create_table(serde_json::from_value(table).unwrap()).unwrap();
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(dynoxide::server::serve_on(listener, database));
        address
    }

    /// All tables, in an embedded DynamoDB of their own.
    pub(super) async fn start() -> (Store, Http) {
        let address = dynamodb().await;
        let (store, http, _) = connect(&address);
        (store, http)
    }

    /// All tables of the DynamoDB at this address.
    pub(super) fn connect(address: &str) -> (Store, Http, Time) {
        let client = AwsHttpClient::new(&|_| None).unwrap();
        let http = Http { client, plan: Arc::default(), held: Arc::default(), released: Arc::default() };
        let time = Time::default();
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http.clone())
            .sleep_impl(SharedAsyncSleep::new(time.clone()))
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "key", None, None, "tests")))
            .identity_cache(IdentityCache::no_cache())
            .endpoint_url(format!("http://{address}"));
        let client = AwsClients::from_config(config.build()).dynamodb();
        (Store::new(&client, &resources()), http, time)
    }

    /// Everything is called as its setting is.
    fn resources() -> Resources {
        let lookup = |name: &str| match name {
            "APP_ID" | "API_KEY" => Some("A0A0A0A0-0000-0000-0000-000000000001".to_owned()),
            "PLIVO_SENDER" => Some("+14155550199".to_owned()),
            name => RESOURCE_NAMES.contains(&name).then(|| name.to_owned()),
        };
        Settings::from_lookup(&lookup).unwrap().resources
    }
}
