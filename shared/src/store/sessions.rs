//! The table of sessions, by the hash of their token: who reads the table cannot use one. Items expire with the session.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | SHA-256 of the token, in base64 |
//! | `user` | objectId |
//! | `created`, `idle_until`, `ends` | milliseconds; past either of the last two the session is over |
//! | `expires_at` | for TTL, seconds |

use std::time::Duration;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{Put, ReturnValue, TransactWriteItem};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::Deserialize;

use super::conflict::{Outcome, Tries, transact};
use super::{StoreError, number, text};
use crate::clock::Timestamp;

const TABLE: &str = "sessions";
const STANDS: &str = "idle_until > :now AND ends > :now";

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

/// A session that stands.
#[derive(Debug, Deserialize)]
pub struct Session {
    /// Whose it is.
    pub user: String,
}

/// The table.
#[derive(Debug, Clone)]
pub struct Sessions {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Sessions {
    pub(crate) const fn new(client: aws_sdk_dynamodb::Client, table: String) -> Self {
        Self { client, table }
    }

    /// Finds the token's session and begins its idle time anew: on condition that neither end has passed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn touch(&self, token: &[u8; 16], now: Timestamp, idle: Duration) -> Result<Option<Session>, StoreError> {
        let mut tries = Tries::default();
        loop {
            let request = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("id", text(id(token)))
                .update_expression("SET idle_until = :idle, expires_at = :expires")
                .condition_expression(STANDS)
                .expression_attribute_values(":now", number(now.as_millis()))
                .expression_attribute_values(":idle", number(now.plus(idle).as_millis()))
                .expression_attribute_values(":expires", number(now.plus(idle).as_seconds()))
                .return_values(ReturnValue::AllNew);
            let error = match request.send().await {
                Ok(answer) => {
                    let session = serde_dynamo::from_item(answer.attributes.unwrap_or_default());
                    return session.map(Some).map_err(|error| StoreError::malformed(TABLE, error));
                }
                Err(error) => error,
            };
            match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => return Ok(None),
                Some(UpdateItemError::TransactionConflictException(_)) if tries.next().await? => {}
                _ => return Err(StoreError::unavailable("UpdateItem", error)),
            }
        }
    }

    /// Makes a session without a login, for the local stack's seeds; `false` when the token is not new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin(&self, session: &NewSession<'_>) -> Result<bool, StoreError> {
        let put = TransactWriteItem::builder().put(self.create(session)?).build();
        Ok(transact(&self.client, vec![put]).await? == Outcome::Done)
    }

    /// Ends the token's session; `false` when there was none that stood.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end(&self, token: &[u8; 16], now: Timestamp) -> Result<bool, StoreError> {
        let mut tries = Tries::default();
        loop {
            let request = self
                .client
                .delete_item()
                .table_name(&self.table)
                .key("id", text(id(token)))
                .condition_expression(STANDS)
                .expression_attribute_values(":now", number(now.as_millis()));
            let error = match request.send().await {
                Ok(_) => return Ok(true),
                Err(error) => error,
            };
            match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => return Ok(false),
                Some(DeleteItemError::TransactionConflictException(_)) if tries.next().await? => {}
                _ => return Err(StoreError::unavailable("DeleteItem", error)),
            }
        }
    }

    /// The part of a transaction that makes a session: on condition that its token is new.
    pub(super) fn create(&self, session: &NewSession<'_>) -> Result<Put, StoreError> {
        let idle = session.now.plus(session.idle);
        Put::builder()
            .table_name(&self.table)
            .item("id", text(id(session.token)))
            .item("user", text(session.user))
            .item("created", number(session.now.as_millis()))
            .item("idle_until", number(idle.as_millis()))
            .item("ends", number(session.now.plus(session.life).as_millis()))
            .item("expires_at", number(idle.as_seconds()))
            .condition_expression("attribute_not_exists(id)")
            .build()
            .map_err(|error| StoreError::malformed(TABLE, error))
    }
}

/// A plain hash will do: 128 random bits cannot be guessed from it, and `session` needs no key at its start.
fn id(token: &[u8; 16]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, token))
}
