//! What became of a message of `sendMessage`, as Plivo has reported it.

use std::time::Duration;

use super::MessageError;
use crate::app::App;
use crate::clock::Timestamp;
use crate::plivo::{is_id, message_error};
use crate::store::{DeliveryState, MessageRecord};

/// After this long without a final report, none will come: Plivo keeps a message for three hours, and repeats a report that was not taken
/// for seven minutes.
pub const LAST_REPORT: Duration = Duration::from_secs(4 * 60 * 60);

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageStatus {
    /// `queued`, `sent`, `delivered`, `undelivered`, `failed`; or `unknown`, where no final report came in time.
    pub state: &'static str,
    /// Plivo's error code, and what it means.
    pub error: Option<(String, &'static str)>,
    /// How many segments it has, where a report has said it.
    pub segments: Option<u8>,
    /// When it was sent.
    pub created: Timestamp,
    /// When the state last changed.
    pub updated: Timestamp,
}

impl MessageStatus {
    fn of(record: MessageRecord, now: Timestamp) -> Self {
        let MessageRecord { created, updated, delivery } = record;
        let state = delivery.state().unwrap_or(DeliveryState::Queued);
        let is_late = !state.is_final() && created.plus(LAST_REPORT) <= now;
        let failure = delivery.failure();
        let error = failure.map(|part| part.error.clone().unwrap_or_else(|| NO_CODE.to_owned()));
        Self {
            state: if is_late { "unknown" } else { state.into() },
            error: error.map(|code| (code.clone(), message_error::in_words(&code))),
            segments: delivery.part_count,
            created,
            updated,
        }
    }
}

/// Plivo's own code for a failure without a reason.
const NO_CODE: &str = "1000";

/// Looks up a message by Plivo's id.
///
/// # Errors
/// [`MessageError::NotFound`], [`MessageError::Store`].
pub async fn status(app: &App, uuid: &str) -> Result<MessageStatus, MessageError> {
    let now = app.clock.now();
    let found = if is_id(uuid) { app.store.message_reports.get(uuid, now).await? } else { None };
    found.map(|record| MessageStatus::of(record, now)).ok_or(MessageError::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Delivery, Part, Report};

    const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn status(reports: &[(u8, DeliveryState, Option<&str>)], now: Timestamp) -> MessageStatus {
        let mut delivery = Delivery::default();
        for (part, state, error) in reports {
            let content = Part {
                uuid: "u".to_owned(),
                state: *state,
                sequence: 1,
                error: error.map(str::to_owned),
                carrier: None,
                at: START,
            };
            delivery = delivery.after(&Report { part: (*part, 2), content });
        }
        MessageStatus::of(MessageRecord { created: START, updated: START, delivery }, now)
    }

    #[test]
    fn without_a_final_report_in_four_hours_it_is_unknown() {
        let almost = Timestamp::from_millis(START.plus(LAST_REPORT).as_millis() - 1);
        for reports in [&[][..], &[(1, DeliveryState::Delivered, None)]] {
            assert_ne!(status(reports, almost).state, "unknown");
            assert_eq!(status(reports, START.plus(LAST_REPORT)).state, "unknown");
        }
        let failed = [(2, DeliveryState::Undelivered, None)];
        assert_eq!(status(&failed, START.plus(LAST_REPORT)).state, "undelivered");
    }

    #[test]
    fn a_failure_is_told_in_words() {
        let blocked = status(&[(1, DeliveryState::Failed, Some("200"))], START);
        assert_eq!((blocked.state, blocked.segments), ("failed", Some(2)));
        assert_eq!(blocked.error, Some(("200".to_owned(), "The phone has opted out of messages from this sender.")));
        let silent = status(&[(1, DeliveryState::Failed, None)], START);
        assert_eq!(silent.error, Some(("1000".to_owned(), "The carrier did not say why.")));
        assert_eq!(status(&[], START).error, None);
    }
}
