//! What became of the app's own messages, in the table of messages: one item a message, which its send and Plivo's reports write in any order.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | `report#` and Plivo's id of the message |
//! | `created` | when it was sent, in milliseconds |
//! | `updated` | when it last changed |
//! | `part1`, … | what is known about each part: [`Part`] |
//! | `part_count` | how many parts there are |
//! | `expires_at` | for TTL, seconds |

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::ReturnValue;
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::{from_attribute_value, from_item, to_attribute_value};

use super::delivery::{Delivery, Part, Report};
use super::table::{Consistency, Table, Written, write};
use super::{Item, StoreError, names, number, values};
use crate::clock::Timestamp;

/// How long an item is kept.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The names of a part's attribute begin with this.
const PART: &str = "part";

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRecord {
    /// When it was sent.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// What Plivo reported.
    pub delivery: Delivery,
}

/// The attributes that are no parts.
#[derive(Deserialize)]
struct Fixed {
    created: Timestamp,
    updated: Timestamp,
    #[serde(default)]
    part_count: Option<u8>,
    expires_at: i64,
}

/// The items of messages.
#[derive(Debug, Clone)]
pub struct MessageReports {
    pub(super) table: Table,
}

fn id(uuid: &str) -> String {
    format!("report#{uuid}")
}

impl MessageReports {
    /// Notes that Plivo took a message. A report may have come before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note(&self, uuid: &str, now: Timestamp) -> Result<(), StoreError> {
        let update = self
            .table
            .update(
                &id(uuid),
                "SET created = if_not_exists(created, :now), updated = if_not_exists(updated, :now), \
                 expires_at = :expires",
            )
            .set_expression_attribute_values(values([
                (":now", number(now.as_millis())),
                (":expires", number(now.plus(RETENTION).as_seconds())),
            ]));
        write(|| update.clone().send()).await.map(drop)
    }

    /// Records a report about a part of a message: on condition that there is none of the part with as high a sequence. Returns what was known
    /// before and is known after it; `None` when the condition does not hold, and nothing is changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_report(
        &self,
        uuid: &str,
        report: &Report,
        now: Timestamp,
    ) -> Result<Option<(Delivery, Delivery)>, StoreError> {
        let (part, count) = report.part;
        let content = to_attribute_value(&report.content).map_err(malformed)?;
        let update = self
            .table
            .update(
                &id(uuid),
                "SET #part = :part, part_count = :count, updated = :now, created = if_not_exists(created, :now), \
                 expires_at = if_not_exists(expires_at, :expires)",
            )
            .condition_expression("attribute_not_exists(#part) OR #part.#sequence < :sequence")
            .set_expression_attribute_names(names([("#part", &format!("{PART}{part}")), ("#sequence", "sequence")]))
            .set_expression_attribute_values(values([
                (":part", content),
                (":count", number(count.into())),
                (":sequence", number(report.content.sequence.into())),
                (":now", number(now.as_millis())),
                (":expires", number(now.plus(RETENTION).as_seconds())),
            ]))
            .return_values(ReturnValue::AllOld);
        let Written::Done(output) = write(|| update.clone().send()).await? else { return Ok(None) };
        // The first write finds nothing, or nothing but the key.
        let before = output.attributes.filter(|item| item.len() > 1).map(read).transpose()?;
        let before = before.map(|(record, _)| record.delivery).unwrap_or_default();
        let after = before.after(report);
        Ok(Some((before, after)))
    }

    /// What is known about a message; `None` when nothing is, or no longer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, uuid: &str, now: Timestamp) -> Result<Option<MessageRecord>, StoreError> {
        let found = self.table.get(&id(uuid), Consistency::Eventual).await?.map(read).transpose()?;
        Ok(found.filter(|(_, expires)| now.as_seconds() < *expires).map(|(record, _)| record))
    }
}

/// A record from its item, and when it expires.
fn read(item: Item) -> Result<(MessageRecord, i64), StoreError> {
    let mut parts = BTreeMap::new();
    for (name, value) in &item {
        if let Some(part) = name.strip_prefix(PART).filter(|part| part.parse::<u8>().is_ok()) {
            parts.insert(part.to_owned(), from_attribute_value::<Part>(value.clone()).map_err(malformed)?);
        }
    }
    let Fixed { created, updated, part_count, expires_at } = from_item(item).map_err(malformed)?;
    Ok((MessageRecord { created, updated, delivery: Delivery { parts, part_count } }, expires_at))
}

fn malformed(error: serde_dynamo::Error) -> StoreError {
    StoreError::malformed("messages", error)
}

#[cfg(test)]
mod tests {
    use proptest::test_runner::{RngAlgorithm, TestRng};
    use rand::Rng as _;

    use super::super::Store;
    use super::super::delivery::DeliveryState::{self, Delivered, Failed, Queued, Sent, Undelivered};
    use super::super::tests::{Fault, NOW, after, start};
    use super::*;

    fn report(part: (u8, u8), sequence: u32, state: DeliveryState) -> Report {
        let uuid = format!("uuid {}", part.0);
        Report { part, content: Part { uuid, state, sequence, error: None, carrier: None, at: NOW } }
    }

    async fn record(store: &Store, uuid: &str, report: &Report) -> Option<(Delivery, Delivery)> {
        store.message_reports.record_report(uuid, report, after(1)).await.unwrap()
    }

    async fn state(store: &Store, uuid: &str) -> Option<DeliveryState> {
        store.message_reports.get(uuid, after(2)).await.unwrap().unwrap().delivery.state()
    }

    #[tokio::test]
    async fn send_and_report_may_come_in_either_order() {
        let (store, _) = start().await;
        let reports = &store.message_reports;
        assert_eq!(reports.get("a", NOW).await.unwrap(), None);
        reports.note("a", NOW).await.unwrap();
        record(&store, "a", &report((1, 1), 1, Sent)).await.unwrap();
        record(&store, "b", &report((1, 1), 1, Sent)).await.unwrap();
        reports.note("b", after(1)).await.unwrap();
        for (uuid, created) in [("a", NOW), ("b", after(1))] {
            let found = reports.get(uuid, after(2)).await.unwrap().unwrap();
            assert_eq!((found.created, found.updated, found.delivery.state()), (created, after(1), Some(Sent)));
        }
    }

    #[tokio::test]
    async fn a_late_or_repeated_report_changes_nothing_and_each_costs_one_write() {
        let (store, http) = start().await;
        let delivered = report((1, 1), 3, Delivered);
        let (before, now) = record(&store, "a", &delivered).await.unwrap();
        assert_eq!((before.state(), now.ended(&before)), (None, Some(Delivered)));
        for late in [report((1, 1), 1, Queued), report((1, 1), 2, Failed), delivered] {
            http.take_calls();
            assert_eq!(record(&store, "a", &late).await, None);
            assert_eq!(http.take_calls(), ["UpdateItem"]);
        }
        assert_eq!(state(&store, "a").await, Some(Delivered));
        http.spoil("UpdateItem", Fault::LoseResponse, 1);
        record(&store, "b", &report((1, 1), 1, Sent)).await;
        assert_eq!(state(&store, "b").await, Some(Sent));
    }

    #[tokio::test]
    async fn an_item_is_kept_for_thirty_days() {
        let (store, _) = start().await;
        store.message_reports.note("a", NOW).await.unwrap();
        let last = Timestamp::from_millis(NOW.plus(RETENTION).as_millis() - 1000);
        assert!(store.message_reports.get("a", last).await.unwrap().is_some());
        assert_eq!(store.message_reports.get("a", NOW.plus(RETENTION)).await.unwrap(), None);
    }

    /// The rule of the store's condition.
    fn takes(known: &Delivery, report: &Report) -> bool {
        let part = known.parts.get(&report.part.0.to_string());
        part.is_none_or(|part| part.sequence < report.content.sequence)
    }

    /// A message of one or two parts: how each part ends, and the reports in some order, one of them twice.
    fn message(number: usize, mut below: impl FnMut(usize) -> usize) -> (Vec<DeliveryState>, Vec<Report>) {
        let count = if number.is_multiple_of(5) { 2 } else { 1 };
        let last: Vec<_> = (0..count).map(|_| [Delivered, Delivered, Undelivered, Failed][below(4)]).collect();
        let mut sorted = Vec::new();
        for (part, last) in (1..).zip(&last) {
            let states = [Queued, Sent, *last].into_iter().zip(1..);
            sorted.extend(states.map(|(state, sequence)| report((part, count), sequence, state)));
        }
        sorted.push(sorted[below(sorted.len())].clone());
        let mut reports = Vec::new();
        while !sorted.is_empty() {
            reports.push(sorted.swap_remove(below(sorted.len())));
        }
        (last, reports)
    }

    /// Ten thousand messages; for every hundredth, the store is asked, too. Each ends once, in the state in which its parts end.
    #[tokio::test]
    async fn whatever_the_order_of_the_reports_each_message_ends_in_the_right_state() {
        let (store, _) = start().await;
        let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut ends = [0; 3];
        for number in 0..10_000 {
            let (last, reports) =
                message(number, |bound| usize::try_from(rng.next_u64() % u64::try_from(bound).unwrap()).unwrap());
            let (mut known, mut ended) = (Delivery::default(), 0);
            for report in reports {
                let after = takes(&known, &report).then(|| known.after(&report));
                if number.is_multiple_of(100) {
                    let expected = after.clone().map(|after| (known.clone(), after));
                    assert_eq!(record(&store, &number.to_string(), &report).await, expected);
                }
                if let Some(after) = after {
                    ended += usize::from(after.ended(&known).is_some());
                    known = after;
                }
            }
            let found = known.state().unwrap();
            let is_delivered = last.iter().all(|state| *state == Delivered);
            let is_right = if is_delivered { found == Delivered } else { found.is_failure() && last.contains(&found) };
            assert!(is_right && ended == 1, "{last:?}: {found:?}, ended {ended} times");
            ends[[Delivered, Undelivered, Failed].iter().position(|state| *state == found).unwrap()] += 1;
        }
        assert!(ends.iter().all(|count| *count > 1000), "each end occurs: {ends:?}");
    }
}
