//! The table of sessions, by the hash of their token: who reads the table cannot use one. Items expire with the session.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | SHA-256 of the token, in base64 |
//! | `user` | objectId |
//! | `created`, `idle_until`, `ends` | milliseconds; past either of the last two the session is over |
//! | `expires_at` | for TTL, seconds |

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::table::{Outcome, Table, Write, Written};
use super::{Item, StoreError, number, text};
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
    table: Table,
}

impl Sessions {
    pub(crate) const fn new(table: Table) -> Self {
        Self { table }
    }

    /// Finds the token's session and begins its idle time anew: on condition that neither end has passed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn touch(&self, token: &[u8; 16], now: Timestamp, idle: Duration) -> Result<Option<Session>, StoreError> {
        let write = self
            .table
            .update(&id(token), "SET idle_until = :idle, expires_at = :expires")
            .when(STANDS)
            .value(":now", number(now.as_millis()))
            .value(":idle", number(now.plus(idle).as_millis()))
            .value(":expires", number(now.plus(idle).as_seconds()))
            .returning_new();
        match self.table.write(&write).await? {
            Written::Done(item) => from_item(item).map(Some).map_err(|error| StoreError::malformed(TABLE, error)),
            Written::Refused(_) => Ok(None),
        }
    }

    /// Makes a session without a login, for the local stack's seeds; `false` when the token is not new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin(&self, session: &NewSession<'_>) -> Result<bool, StoreError> {
        Ok(self.table.transact(&[self.create(session)]).await? == Outcome::Done)
    }

    /// Ends the token's session; `false` when there was none that stood.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end(&self, token: &[u8; 16], now: Timestamp) -> Result<bool, StoreError> {
        let write = self.table.delete(&id(token)).when(STANDS).value(":now", number(now.as_millis()));
        Ok(matches!(self.table.write(&write).await?, Written::Done(_)))
    }

    /// The part of a transaction that makes a session: on condition that its token is new.
    pub(super) fn create(&self, session: &NewSession<'_>) -> Write<'_> {
        let idle = session.now.plus(session.idle);
        let item = Item::from([
            ("user".to_owned(), text(session.user)),
            ("created".to_owned(), number(session.now.as_millis())),
            ("idle_until".to_owned(), number(idle.as_millis())),
            ("ends".to_owned(), number(session.now.plus(session.life).as_millis())),
            ("expires_at".to_owned(), number(idle.as_seconds())),
        ]);
        self.table.put(item, &id(session.token)).when("attribute_not_exists(id)")
    }
}

/// A plain hash will do: 128 random bits cannot be guessed from it, and `session` needs no key at its start.
fn id(token: &[u8; 16]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, token))
}
