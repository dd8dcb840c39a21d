//! Conflicts: DynamoDB refuses a write that meets a transaction on the same item. That says nothing about the condition, so it is
//! tried again, a bounded number of times, and never taken for a condition that failed. Uses `random`.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};

use super::StoreError;
use crate::random::{self, RandomError};

/// How often a write is tried that meets conflicts only.
const TRIES: u32 = 5;
/// The longest pause before the second try; it doubles with each.
const PAUSE_MILLIS: u64 = 20;

/// Reasons of a cancellation that say nothing about the conditions (DynamoDB: TransactWriteItems).
const PASSING: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// How a transaction ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of it is written.
    Done,
    /// None of it is: the condition of the action at this position did not hold (the first such).
    Refused(usize),
}

/// Counts tries and waits between them.
#[derive(Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// Waits a random while before the next try; `false` when there is none.
    pub(super) async fn next(&mut self) -> Result<bool, RandomError> {
        self.0 += 1;
        if self.0 >= TRIES {
            return Ok(false);
        }
        let pause = random::below(PAUSE_MILLIS << self.0)?;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Ok(true)
    }
}

/// Writes all actions or none. The SDK gives each call one idempotency token and repeats it with its own tries, so a lost
/// answer does not write twice.
pub(super) async fn transact(
    client: &aws_sdk_dynamodb::Client,
    actions: Vec<TransactWriteItem>,
) -> Result<Outcome, StoreError> {
    let mut tries = Tries::default();
    loop {
        let error = match client.transact_write_items().set_transact_items(Some(actions.clone())).send().await {
            Ok(_) => return Ok(Outcome::Done),
            Err(error) => error,
        };
        if let Some(position) = position(&error, "ConditionalCheckFailed") {
            return Ok(Outcome::Refused(position));
        }
        let passing = PASSING.iter().any(|reason| position(&error, reason).is_some());
        if !passing || !tries.next().await? {
            return Err(StoreError::unavailable("TransactWriteItems", error));
        }
    }
}

/// The first action that was cancelled for this reason.
fn position<R>(error: &SdkError<TransactWriteItemsError, R>, reason: &str) -> Option<usize> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return None;
    };
    cancelled.cancellation_reasons().iter().map(CancellationReason::code).position(|code| code == Some(reason))
}
