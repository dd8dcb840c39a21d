//! The table of sessions, by the hash of their token: who reads the table cannot use one. Items expire with the session. A user's row lists the
//! user's sessions (`store::users`), so that they are found without an index.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | SHA-256 of the token, in base64; also the id under which its user sees the session |
//! | `user` | objectId |
//! | `entry` | its entry in the user's list |
//! | `flow` | the flow whose code began it |
//! | `created`, `last_seen`, `idle_until`, `ends` | milliseconds; past either of the last two the session is over |
//! | `expires_at` | for TTL, seconds |

use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{ReturnValue, TransactWriteItem};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::table::{Consistency, Key, Table, Written, get_all, write};
use super::{Item, StoreError, number, text, values};
use crate::clock::Timestamp;
use crate::flow::Flow;

const IS_VALID: &str = "idle_until > :now AND ends > :now";

/// A session to be made.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// The token: 128 random bits.
    pub token: &'a [u8; 16],
    /// Whose it is.
    pub user: &'a str,
    /// What its user knows it by: the program that logged in.
    pub device: &'a str,
    /// The flow whose code begins it.
    pub flow: Flow,
    /// When it begins.
    pub now: Timestamp,
    /// It ends after this long without a call.
    pub idle: Duration,
    /// It ends after this long in any case.
    pub life: Duration,
}

impl NewSession<'_> {
    /// Its entry in the user's list.
    pub(super) fn entry(&self) -> SessionEntry {
        SessionEntry { id: id(self.token), created: self.now, device: self.device.to_owned() }
    }
}

/// What a user's row says about a session, as JSON in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// The session's id.
    pub id: String,
    /// When it began.
    pub created: Timestamp,
    /// The program that logged in.
    pub device: String,
}

impl SessionEntry {
    pub(super) fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Reads one; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// A session.
#[derive(Debug, Clone, Deserialize)]
pub struct Session {
    /// The session's id.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// Its entry in the user's list; none of sessions that are older than lists.
    #[serde(default)]
    pub entry: Option<String>,
    /// The flow whose code began it; none of sessions that are older than this attribute.
    pub flow: Option<Flow>,
    /// When it began.
    pub created: Timestamp,
    /// When its token was last used.
    #[serde(default = "Session::never")]
    pub last_seen: Timestamp,
    idle_until: Timestamp,
    ends: Timestamp,
}

impl Session {
    const fn never() -> Timestamp {
        Timestamp::from_millis(0)
    }

    /// When it ends if its token is not used before.
    pub fn ends(&self) -> Timestamp {
        self.idle_until.min(self.ends)
    }

    /// Whether it has not ended.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        now < self.idle_until && now < self.ends
    }
}

/// The sessions table.
#[derive(Debug, Clone)]
pub struct Sessions {
    pub(super) table: Table,
}

impl Sessions {
    /// Finds the token's session and restarts its idle time: on condition that it is valid.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn touch(&self, token: &[u8; 16], now: Timestamp, idle: Duration) -> Result<Option<Session>, StoreError> {
        let update = self
            .table
            .update(&id(token), "SET idle_until = :idle, last_seen = :now, expires_at = :expires")
            .condition_expression(IS_VALID)
            .set_expression_attribute_values(values([
                (":now", number(now.as_millis())),
                (":idle", number(now.plus(idle).as_millis())),
                (":expires", number(now.plus(idle).as_seconds())),
            ]))
            .return_values(ReturnValue::AllNew);
        match write(|| update.clone().send()).await? {
            Written::Done(output) => read(output.attributes.unwrap_or_default()).map(Some),
            Written::ConditionFailed(_) => Ok(None),
        }
    }

    /// Ends the token's session and returns it; `None` when there was no valid one. Where a response is lost and the call repeated, the session
    /// is over and `None` is returned.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end(&self, token: &[u8; 16], now: Timestamp) -> Result<Option<Session>, StoreError> {
        let delete = self.table.delete(&id(token)).condition_expression(IS_VALID).return_values(ReturnValue::AllOld);
        let delete = delete.expression_attribute_values(":now", number(now.as_millis()));
        match write(|| delete.clone().send()).await? {
            Written::Done(output) => read(output.attributes.unwrap_or_default()).map(Some),
            Written::ConditionFailed(_) => Ok(None),
        }
    }

    /// The sessions of these entries that have not ended, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, entries: &[SessionEntry], now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let key =
            |entry: &SessionEntry| Key { table: &self.table, id: entry.id.clone(), consistency: Consistency::Strong };
        let mut found = get_all(&entries.iter().map(key).collect::<Vec<_>>()).await?;
        let items = entries.iter().filter_map(|entry| found.take(&self.table, &entry.id));
        let mut sessions: Vec<Session> = items.map(read).collect::<Result<_, _>>()?;
        sessions.retain(|session| session.is_valid(now));
        sessions.sort_by_key(|session| session.created);
        Ok(sessions)
    }

    /// The part of a transaction that ends a session.
    pub(super) fn removal(&self, session: &SessionEntry) -> Result<TransactWriteItem, BuildError> {
        self.table.removal(&session.id)
    }

    /// The part of a transaction that makes a session: on condition that its token is new.
    pub(super) fn creation(&self, session: &NewSession<'_>) -> Result<TransactWriteItem, BuildError> {
        let idle = session.now.plus(session.idle);
        let item = values([
            ("user", text(session.user)),
            ("entry", text(session.entry().text())),
            ("flow", text(session.flow.as_str())),
            ("created", number(session.now.as_millis())),
            ("last_seen", number(session.now.as_millis())),
            ("idle_until", number(idle.as_millis())),
            ("ends", number(session.now.plus(session.life).as_millis())),
            ("expires_at", number(idle.as_seconds())),
        ]);
        self.table.creation(&id(session.token), item.unwrap_or_default())
    }
}

fn read(item: Item) -> Result<Session, StoreError> {
    from_item(item).map_err(|error| StoreError::malformed("sessions", error))
}

/// A plain hash will do: 128 random bits cannot be guessed from it, and the function `session` needs no key.
fn id(token: &[u8; 16]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, token))
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::super::table::Transacted;
    use super::super::tests::{Fault, NOW, after, start};
    use super::*;

    const TOKEN: [u8; 16] = [7; 16];
    const IDLE: Duration = Duration::from_secs(60);
    const SESSION: NewSession<'_> = NewSession {
        token: &TOKEN,
        user: "a",
        device: "d",
        flow: Flow::Login,
        now: NOW,
        idle: IDLE,
        life: Duration::from_secs(100),
    };

    async fn create(store: &Store, session: &NewSession<'_>) -> bool {
        let writes = store.sessions.creation(session).map(|write| vec![write]);
        store.sessions.table.transact(writes).await.unwrap() == Transacted::Done
    }

    async fn touch(store: &Store, now: Timestamp) -> Option<String> {
        store.sessions.touch(&TOKEN, now, IDLE).await.unwrap().map(|session| session.user)
    }

    #[tokio::test]
    async fn an_unknown_token_has_no_session() {
        let (store, _) = start().await;
        assert!(create(&store, &SESSION).await);
        assert!(store.sessions.touch(&[8; 16], NOW, IDLE).await.unwrap().is_none());
        assert!(store.sessions.touch(&[8; 16], NOW, IDLE).await.unwrap().is_none(), "nothing was made");
        assert!(store.sessions.end(&[8; 16], NOW).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_session_is_over_when_it_was_idle_or_has_lived_too_long() {
        // When it is touched, and when it is asked for then.
        for (case, touches, asked, is_valid) in [
            ("not idle yet", [].as_slice(), 59, true),
            ("idle", &[], 60, false),
            ("kept alive", &[50], 99, true),
            ("kept alive to its end", &[50, 99], 100, false),
        ] {
            let (store, _) = start().await;
            assert!(create(&store, &SESSION).await);
            for touched in touches {
                assert!(touch(&store, after(*touched)).await.is_some(), "{case}");
            }
            assert_eq!(touch(&store, after(asked)).await.is_some(), is_valid, "{case}");
            assert_eq!(store.sessions.end(&TOKEN, after(asked)).await.unwrap().is_some(), is_valid, "{case}");
        }
    }

    #[tokio::test]
    async fn a_session_that_has_ended_stays_ended() {
        let (store, _) = start().await;
        assert!(create(&store, &SESSION).await);
        assert!(store.sessions.end(&TOKEN, NOW).await.unwrap().is_some());
        assert!(store.sessions.end(&TOKEN, NOW).await.unwrap().is_none());
        assert_eq!(touch(&store, NOW).await, None);
    }

    #[tokio::test]
    async fn a_token_that_is_taken_makes_no_session() {
        let (store, _) = start().await;
        assert!(create(&store, &SESSION).await);
        assert!(!create(&store, &NewSession { user: "b", ..SESSION }).await);
        assert_eq!(touch(&store, NOW).await.as_deref(), Some("a"));
    }

    #[tokio::test]
    async fn an_end_whose_response_is_lost_is_reported_as_none_though_the_session_is_over() {
        let (store, http) = start().await;
        http.spoil("TransactWriteItems", Fault::LoseResponse, 1);
        assert!(create(&store, &SESSION).await, "its own write is no other's");
        http.spoil("UpdateItem", Fault::LoseResponse, 1);
        assert_eq!(touch(&store, NOW).await.as_deref(), Some("a"));
        http.spoil("DeleteItem", Fault::LoseResponse, 1);
        assert!(store.sessions.end(&TOKEN, NOW).await.unwrap().is_none());
        assert_eq!(touch(&store, NOW).await, None);
    }
}
