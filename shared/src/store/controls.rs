//! The table of what concerns everybody. Its one item so far, `plivo`, counts Plivo's failures in a row, so that callers are
//! told early while it is down. It stands in no transaction.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | `plivo` |
//! | `failures` | since the last success |
//! | `last_failure` | milliseconds |

use serde::Deserialize;

use super::{StoreError, number, text};
use crate::clock::Timestamp;

const TABLE: &str = "controls";
const PROVIDER: &str = "plivo";

/// How Plivo has been doing.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Provider {
    /// Failures since the last success.
    pub failures: u64,
    /// When the last one was.
    pub last_failure: Timestamp,
}

/// The table.
#[derive(Debug, Clone)]
pub struct Controls {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Controls {
    pub(crate) const fn new(client: aws_sdk_dynamodb::Client, table: String) -> Self {
        Self { client, table }
    }

    /// How Plivo has been doing; `None` when its last answer was good. Eventually consistent: a moment late is in time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn provider(&self) -> Result<Option<Provider>, StoreError> {
        let request = self.client.get_item().table_name(&self.table).key("id", text(PROVIDER));
        let answer = request.send().await.map_err(|error| StoreError::unavailable("GetItem", error))?;
        answer.item.map(serde_dynamo::from_item).transpose().map_err(|error| StoreError::malformed(TABLE, error))
    }

    /// Notes that so many failures in a row are known now. Two that are noted at once may count as one, which only delays what
    /// follows from them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn provider_failed(&self, failures: u64, now: Timestamp) -> Result<(), StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", text(PROVIDER))
            .update_expression("SET failures = :failures, last_failure = :now")
            .expression_attribute_values(":failures", number(i64::try_from(failures).unwrap_or(i64::MAX)))
            .expression_attribute_values(":now", number(now.as_millis()));
        request.send().await.map(drop).map_err(|error| StoreError::unavailable("UpdateItem", error))
    }

    /// Forgets the failures.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn provider_recovered(&self) -> Result<(), StoreError> {
        let request = self.client.delete_item().table_name(&self.table).key("id", text(PROVIDER));
        request.send().await.map(drop).map_err(|error| StoreError::unavailable("DeleteItem", error))
    }
}
