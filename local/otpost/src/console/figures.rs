//! What the service has counted in the last day: the metrics of `shared::metrics`, by the hour. Deployed, CloudWatch has them; in the local stack,
//! the process itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use shared::clock::Timestamp;
use shared::spend::counter::hour_of;

/// The hours that are kept and shown, with the present one.
pub const HOURS: i64 = 24;

/// Counts by the hour, each by the metric's name and the value of its dimension (empty where it has none).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted(BTreeMap<i64, BTreeMap<(String, String), u64>>);

impl Counted {
    /// Adds to a count, and forgets the hours that are no longer shown.
    pub fn add(&mut self, at: Timestamp, name: &str, value: &str, count: u64) {
        let hour = hour_of(at);
        self.0 = self.0.split_off(&(hour - HOURS + 1));
        *self.0.entry(hour).or_default().entry((name.to_owned(), value.to_owned())).or_default() += count;
    }

    /// Adds what a line of CloudWatch's embedded metric format says. Ignores any other line.
    pub fn add_line(&mut self, line: &Value) {
        let metrics = &line["_aws"]["CloudWatchMetrics"][0];
        let (Some(at), Some(name)) = (line["_aws"]["Timestamp"].as_i64(), metrics["Metrics"][0]["Name"].as_str())
        else {
            return;
        };
        // By the first dimension: the others count the same once more.
        let mut dimensions = metrics["Dimensions"].as_array().into_iter().flatten().filter_map(|set| set[0].as_str());
        let value = dimensions.next().and_then(|name| line[name].as_str());
        self.add(Timestamp::from_millis(at), name, value.unwrap_or_default(), line[name].as_u64().unwrap_or_default());
    }

    /// A metric in each of the hours up to this moment, oldest first, for all values of its dimension.
    pub fn by_hour(&self, name: &str, now: Timestamp) -> Vec<u64> {
        let of_hour = |hour: i64| {
            let counts = self.0.get(&hour).into_iter().flatten();
            counts.filter(|((counted, _), _)| counted == name).map(|(_, count)| count).sum()
        };
        (hour_of(now) - HOURS + 1..=hour_of(now)).map(of_hour).collect()
    }

    /// A metric in all of these hours, by the value of its dimension, the largest first.
    pub fn by_value(&self, name: &str, now: Timestamp) -> Vec<(String, u64)> {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        let shown = self.0.range(hour_of(now) - HOURS + 1..).flat_map(|(_, counts)| counts);
        for ((_, value), count) in shown.filter(|((counted, _), _)| counted == name) {
            *sums.entry(value).or_default() += count;
        }
        let mut sums: Vec<_> = sums.into_iter().map(|(value, sum)| (value.to_owned(), sum)).collect();
        sums.sort_by_key(|(_, sum)| std::cmp::Reverse(*sum));
        sums
    }
}

type Read = dyn Fn(Timestamp) -> BoxFuture<'static, Result<Counted, String>> + Send + Sync;

/// Where the counts come from.
#[derive(Clone)]
pub struct Counts(Arc<Read>);

impl Counts {
    /// What this reads, at the time that it is given.
    pub fn from_fn(
        read: impl Fn(Timestamp) -> BoxFuture<'static, Result<Counted, String>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(read))
    }

    /// None, for this reason.
    pub fn none(why: &'static str) -> Self {
        Self::from_fn(move |_| Box::pin(async move { Err(why.to_owned()) }))
    }

    pub(super) async fn read(&self, now: Timestamp) -> Result<Counted, String> {
        self.0(now).await
    }
}
