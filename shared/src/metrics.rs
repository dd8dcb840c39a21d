//! Metrics for the dashboard and the alarms of the template: CloudWatch reads them from standard output, one raw JSON line each (AWS:
//! "Embedded metric format specification"), so counting takes no call. The values of a dimension are few: countries are those that are served,
//! and never is one a phone number or an id. CloudWatch charges each metric and value, so only what an alarm needs is also counted without
//! dimension. A carrier stands beside them in the line, for queries of the log.

use std::io::Write as _;
use std::sync::Arc;

use phone_number::Country;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::flow::Flow;
use crate::plivo::{Message, PlivoError};
use crate::spend::kill_switch;
use crate::spend::price::Money;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Plivo took a message of this flow, or one of the app's own (`message`).
    Sent(&'static str),
    /// What a message or a call that Plivo took costs by the owner's prices, in millionths of a US dollar; by its type, `sms`, `mms` or `voice`.
    Cost(&'static str, usize),
    /// Plivo refused a message, or the outcome is unknown; by `PlivoError::as_str`.
    NotSent(&'static str),
    /// A code of this flow came back right, from a phone of this country.
    Verified(Flow, Country),
    /// Plivo reported that a phone of this country has its message, or will not get it: 1 or 0, so the average is the delivered share.
    Delivered(Country, bool),
    /// Plivo reported that a phone of this country will not get its message.
    Undelivered(Country),
    /// What Plivo reported to have charged for a code's message to this country, in millionths of a US dollar.
    ReportedCost(Country, usize),
    /// A request was refused for this reason.
    Refused(&'static str),
    /// A message went to a dead-letter queue, by its reason.
    DeadLettered(&'static str),
    /// A start that sends nothing and gets the same answer as if it did.
    Decoy,
    /// How much of the fullest budget of `codes` or of `messages` is spent, in percent; the alarms look at the maximum.
    Budget(&'static str, usize),
    /// How much of `WRONG_CODES_PER_DAY` the day's wrong codes are, in percent; the alarm looks at the maximum.
    WrongCodes(usize),
    /// A rule suspected a message, in any mode.
    Suspected(&'static str),
}

impl Metric {
    /// The metric's name, the count, and the dimensions with their values; it is counted by each of them alone.
    pub fn fields(self) -> (&'static str, usize, Vec<(&'static str, &'static str)>) {
        match self {
            Self::Sent(flow) => ("Sent", 1, vec![("Flow", flow)]),
            Self::Cost(kind, millionths) => ("CostMillionths", millionths, vec![("Type", kind)]),
            Self::NotSent(reason) => ("NotSent", 1, vec![("Reason", reason)]),
            Self::Verified(flow, country) => {
                ("Verified", 1, vec![("Flow", flow.as_str()), ("Country", country.letters())])
            }
            Self::Delivered(country, is_there) => {
                ("Delivered", usize::from(is_there), vec![("Country", country.letters())])
            }
            Self::Undelivered(country) => ("Undelivered", 1, vec![("Country", country.letters())]),
            Self::ReportedCost(country, millionths) => {
                ("ReportedCostMillionths", millionths, vec![("Country", country.letters())])
            }
            Self::Refused(reason) => ("Refused", 1, vec![("Reason", reason)]),
            Self::DeadLettered(reason) => ("DeadLettered", 1, vec![("Reason", reason)]),
            Self::Decoy => ("Decoys", 1, vec![]),
            Self::Budget(of, percent) => ("BudgetPercent", percent, vec![("Of", of)]),
            Self::WrongCodes(percent) => ("WrongCodesPercent", percent, vec![]),
            Self::Suspected(rule) => ("Suspected", 1, vec![("Rule", rule)]),
        }
    }

    fn line(self, namespace: &str, carrier: Option<&str>, at: Timestamp) -> Value {
        let (name, count, dimensions) = self.fields();
        let mut sets: Vec<_> = dimensions.iter().map(|(dimension, _)| json!([dimension])).collect();
        // An alarm cannot search, so it needs the whole.
        if sets.is_empty() || matches!(self, Self::NotSent(_) | Self::Budget(..)) {
            sets.insert(0, json!([]));
        }
        let unit = if matches!(self, Self::Budget(..) | Self::WrongCodes(_)) { "Percent" } else { "Count" };
        let metrics =
            json!([{ "Namespace": namespace, "Dimensions": sets, "Metrics": [{ "Name": name, "Unit": unit }] }]);
        let mut line = json!({ "_aws": { "Timestamp": at.as_millis(), "CloudWatchMetrics": metrics }, name: count });
        for (dimension, value) in dimensions {
            line[dimension] = json!(value);
        }
        if let Some(carrier) = carrier {
            line["Carrier"] = json!(carrier);
        }
        line
    }
}

/// Where metrics go, a line at a time.
pub type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// Standard output, for the function binaries.
pub fn to_stdout() -> Sink {
    // A closed standard output is nothing that a request should fail for.
    Arc::new(|line| drop(writeln!(std::io::stdout().lock(), "{line}")))
}

/// Counts. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    namespace: String,
    sink: Sink,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Metrics {
    pub(crate) const fn new(namespace: String, sink: Sink) -> Self {
        Self { namespace, sink }
    }

    /// Counts one.
    pub fn count(&self, metric: Metric, now: Timestamp) {
        self.count_by(metric, None, now);
    }

    /// Counts one, with the carrier (mobile country and network code, like `310-260`) where it is known.
    pub fn count_by(&self, metric: Metric, carrier: Option<&str>, now: Timestamp) {
        (self.sink)(&metric.line(&self.namespace, carrier, now).to_string());
    }

    /// Counts a message of this price that Plivo took, or did not.
    pub(crate) fn count_send(
        &self,
        flow: &'static str,
        message: Message<'_>,
        price: Money,
        error: Option<&PlivoError>,
        now: Timestamp,
    ) {
        let kind = if message.media.is_empty() { kill_switch::SMS } else { kill_switch::MMS };
        self.count_outcome(flow, kind, price, error, now);
    }

    /// Counts a call of this price that Plivo took, or did not.
    pub(crate) fn count_call(&self, flow: &'static str, price: Money, error: Option<&PlivoError>, now: Timestamp) {
        self.count_outcome(flow, kill_switch::VOICE, price, error, now);
    }

    fn count_outcome(
        &self,
        flow: &'static str,
        kind: &'static str,
        price: Money,
        error: Option<&PlivoError>,
        now: Timestamp,
    ) {
        if let Some(error) = error {
            return self.count(Metric::NotSent(error.as_str()), now);
        }
        self.count(Metric::Sent(flow), now);
        self.count(Metric::Cost(kind, usize::try_from(price.as_millionths()).unwrap_or_default()), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_of_the_embedded_metric_format() {
        let at = Timestamp::from_millis(1_590_527_533_000);
        assert_eq!(
            Metric::Cost("sms", 15_400).line("Otpost/test", None, at),
            json!({
                "_aws": {"Timestamp": 1_590_527_533_000_i64, "CloudWatchMetrics": [
                    {"Namespace": "Otpost/test", "Dimensions": [["Type"]], "Metrics": [{"Name": "CostMillionths", "Unit": "Count"}]}
                ]},
                "CostMillionths": 15_400, "Type": "sms",
            })
        );
        let dimensions =
            |metric: Metric| metric.line("Otpost/test", None, at)["_aws"]["CloudWatchMetrics"][0]["Dimensions"].clone();
        assert_eq!(dimensions(Metric::Decoy), json!([[]]));
        let country = Country::parse("US").unwrap();
        let verified = Metric::Verified(Flow::Login, country);
        assert_eq!(dimensions(verified), json!([["Flow"], ["Country"]]), "by each alone");
        let line = verified.line("Otpost/test", Some("310-260"), at);
        assert_eq!((&line["Country"], &line["Carrier"]), (&json!("US"), &json!("310-260")));
        assert!(!dimensions(verified).to_string().contains("Carrier"), "there are hundreds");
        assert_eq!(dimensions(Metric::NotSent("throttled")), json!([[], ["Reason"]]), "alone, for the alarm");
    }
}
