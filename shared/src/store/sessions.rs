//! The table of sessions, by the hash of their token: who reads the table cannot use one. Items expire with the session.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | SHA-256 of the token, in base64 |
//! | `user` | objectId |
//! | `created`, `idle_until`, `ends` | milliseconds; past either of the last two the session is over |
//! | `expires_at` | for TTL, seconds |

use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{ReturnValue, TransactWriteItem};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::table::{Table, Transacted, Written, write};
use super::{StoreError, number, text, values};
use crate::clock::Timestamp;

const IS_VALID: &str = "idle_until > :now AND ends > :now";

/// A session to be made.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// The token: 128 random bits.
    pub token: &'a [u8; 16],
    /// Whose it is.
    pub user: &'a str,
    /// When it begins.
    pub now: Timestamp,
    /// It ends after this long without a call.
    pub idle: Duration,
    /// It ends after this long in any case.
    pub life: Duration,
}

/// A valid session.
#[derive(Debug, Deserialize)]
pub struct Session {
    /// Whose it is.
    pub user: String,
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
            .update(&id(token), "SET idle_until = :idle, expires_at = :expires")
            .condition_expression(IS_VALID)
            .set_expression_attribute_values(values([
                (":now", number(now.as_millis())),
                (":idle", number(now.plus(idle).as_millis())),
                (":expires", number(now.plus(idle).as_seconds())),
            ]))
            .return_values(ReturnValue::AllNew);
        match write(|| update.clone().send()).await? {
            Written::Done(output) => from_item(output.attributes.unwrap_or_default())
                .map(Some)
                .map_err(|error| StoreError::malformed("sessions", error)),
            Written::ConditionFailed(_) => Ok(None),
        }
    }

    /// Makes a session without a login, for the local stack's seeds; `false` when the token is not new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create(&self, session: &NewSession<'_>) -> Result<bool, StoreError> {
        let writes = self.creation(session).map(|write| vec![write]);
        Ok(self.table.transact(writes).await? == Transacted::Done)
    }

    /// Ends the token's session; `false` when there was no valid one. Where a response is lost and the call repeated, the session is over
    /// and `false` is returned.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end(&self, token: &[u8; 16], now: Timestamp) -> Result<bool, StoreError> {
        let delete = self.table.delete(&id(token)).condition_expression(IS_VALID);
        let delete = delete.expression_attribute_values(":now", number(now.as_millis()));
        Ok(matches!(write(|| delete.clone().send()).await?, Written::Done(_)))
    }

    /// The part of a transaction that makes a session: on condition that its token is new.
    pub(super) fn creation(&self, session: &NewSession<'_>) -> Result<TransactWriteItem, BuildError> {
        let idle = session.now.plus(session.idle);
        let item = values([
            ("user", text(session.user)),
            ("created", number(session.now.as_millis())),
            ("idle_until", number(idle.as_millis())),
            ("ends", number(session.now.plus(session.life).as_millis())),
            ("expires_at", number(idle.as_seconds())),
        ]);
        self.table.creation(&id(session.token), item.unwrap_or_default())
    }
}

/// A plain hash will do: 128 random bits cannot be guessed from it, and the function `session` needs no key.
fn id(token: &[u8; 16]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, token))
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::super::tests::{Fault, NOW, after, start};
    use super::*;

    const TOKEN: [u8; 16] = [7; 16];
    const IDLE: Duration = Duration::from_secs(60);
    const SESSION: NewSession<'_> =
        NewSession { token: &TOKEN, user: "a", now: NOW, idle: IDLE, life: Duration::from_secs(100) };

    async fn touch(store: &Store, now: Timestamp) -> Option<String> {
        store.sessions.touch(&TOKEN, now, IDLE).await.unwrap().map(|session| session.user)
    }

    #[tokio::test]
    async fn an_unknown_token_has_no_session() {
        let (store, _) = start().await;
        assert!(store.sessions.create(&SESSION).await.unwrap());
        assert!(store.sessions.touch(&[8; 16], NOW, IDLE).await.unwrap().is_none());
        assert!(store.sessions.touch(&[8; 16], NOW, IDLE).await.unwrap().is_none(), "nothing was made");
        assert!(!store.sessions.end(&[8; 16], NOW).await.unwrap());
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
            assert!(store.sessions.create(&SESSION).await.unwrap());
            for touched in touches {
                assert!(touch(&store, after(*touched)).await.is_some(), "{case}");
            }
            assert_eq!(touch(&store, after(asked)).await.is_some(), is_valid, "{case}");
            assert_eq!(store.sessions.end(&TOKEN, after(asked)).await.unwrap(), is_valid, "{case}");
        }
    }

    #[tokio::test]
    async fn a_session_that_has_ended_stays_ended() {
        let (store, _) = start().await;
        assert!(store.sessions.create(&SESSION).await.unwrap());
        assert!(store.sessions.end(&TOKEN, NOW).await.unwrap());
        assert!(!store.sessions.end(&TOKEN, NOW).await.unwrap());
        assert_eq!(touch(&store, NOW).await, None);
    }

    #[tokio::test]
    async fn a_token_that_is_taken_makes_no_session() {
        let (store, _) = start().await;
        assert!(store.sessions.create(&SESSION).await.unwrap());
        assert!(!store.sessions.create(&NewSession { user: "b", ..SESSION }).await.unwrap());
        assert_eq!(touch(&store, NOW).await.as_deref(), Some("a"));
    }

    #[tokio::test]
    async fn an_end_whose_response_is_lost_is_reported_as_none_though_the_session_is_over() {
        let (store, http) = start().await;
        http.spoil("TransactWriteItems", Fault::LoseResponse, 1);
        assert!(store.sessions.create(&SESSION).await.unwrap(), "its own write is no other's");
        http.spoil("UpdateItem", Fault::LoseResponse, 1);
        assert_eq!(touch(&store, NOW).await.as_deref(), Some("a"));
        http.spoil("DeleteItem", Fault::LoseResponse, 1);
        assert!(!store.sessions.end(&TOKEN, NOW).await.unwrap());
        assert_eq!(touch(&store, NOW).await, None);
    }
}
