//! The fault that people inject with `POST /_local/plivo`, into requests to send.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Fault;
use super::number::digits;

/// The longest delay, in seconds.
const LONGEST_DELAY: u64 = 3600;

/// Which fault, for which numbers and for how many requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultPlan {
    #[serde(flatten)]
    kind: Kind,
    /// Only for numbers that begin like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// For this many requests; without it, until it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    /// Responds with this status, and keeps no message.
    Status(u16),
    /// Keeps the message, and responds this many seconds later.
    Delay(u64),
    /// Keeps the message, and closes the connection without a response.
    HangUp(bool),
}

impl FaultPlan {
    /// Parses the body of a request. The error says what it may hold.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, &'static str> {
        const FORM: &str = "The body must be {\"status\": 400 to 599}, {\"delay\": SECONDS} (up to 3600) or {\"hangUp\": true}, and may \
                            hold \"to\": the beginning of a number, and \"times\": the number of requests.";
        let plan: Self = serde_json::from_slice(body).map_err(|_| FORM)?;
        let is_possible = match plan.kind {
            Kind::Status(status) => (400..600).contains(&status),
            Kind::Delay(seconds) => seconds <= LONGEST_DELAY,
            Kind::HangUp(on) => on,
        };
        let has_number = plan.to.as_deref().is_none_or(|to| !digits(to).is_empty());
        if is_possible && has_number && plan.times != Some(0) { Ok(plan) } else { Err(FORM) }
    }

    /// The fault of a request to send, if the plan is about it, and what is left of the plan.
    pub(super) fn apply(self, body: &[u8]) -> (Option<Fault>, Option<Self>) {
        if !self.is_about(body) {
            return (None, Some(self));
        }
        let fault = match self.kind {
            Kind::Status(status) => Fault::SendStatus(status),
            Kind::Delay(seconds) => Fault::Slow(Duration::from_secs(seconds)),
            Kind::HangUp(_) => Fault::HangUp,
        };
        let left = match self.times {
            Some(1) => None,
            times => Some(Self { times: times.map(|times| times - 1), ..self }),
        };
        (Some(fault), left)
    }

    fn is_about(&self, body: &[u8]) -> bool {
        let Some(to) = self.to.as_deref().map(digits) else { return true };
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        request["dst"].as_str().is_some_and(|numbers| numbers.split('<').any(|number| digits(number).starts_with(&to)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{at, sms};
    use super::*;

    fn plan(body: &Value) -> FaultPlan {
        FaultPlan::parse(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for body in [
            json!({}),
            json!([]),
            json!({"status": 200}),
            json!({"status": 600}),
            json!({"status": "503"}),
            json!({"status": 503, "delay": 1}),
            json!({"delay": 3601}),
            json!({"delay": -1}),
            json!({"hangUp": false}),
            json!({"times": 1}),
            json!({"status": 503, "times": 0}),
            json!({"status": 503, "to": "+"}),
            json!({"status": 503, "from": "+1"}),
        ] {
            assert!(FaultPlan::parse(body.to_string().as_bytes()).is_err(), "{body}");
        }
        assert!(FaultPlan::parse(b"{").is_err());
    }

    #[tokio::test]
    async fn a_plan_ends_after_its_number_of_requests() {
        let (simulator, _) = at(1_000);
        simulator.set_plan(Some(plan(&json!({"status": 503, "times": 2}))));
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(sms(&simulator, "15550001111", "hello").await.status);
        }
        assert_eq!((statuses, simulator.plan()), (vec![503, 503, 202], None));
    }

    #[tokio::test]
    async fn a_plan_without_a_number_of_requests_stays_until_it_is_ended() {
        let (simulator, _) = at(1_000);
        simulator.set_plan(Some(plan(&json!({"status": 429}))));
        for _ in 0..3 {
            assert_eq!(sms(&simulator, "15550001111", "hello").await.status, 429);
        }
        simulator.set_plan(None);
        assert_eq!(sms(&simulator, "15550001111", "hello").await.status, 202);
    }

    #[tokio::test]
    async fn a_plan_for_some_numbers_leaves_the_others_alone() {
        let (simulator, _) = at(1_000);
        simulator.set_plan(Some(plan(&json!({"status": 503, "to": "+1555", "times": 1}))));
        assert_eq!(sms(&simulator, "14155550111", "hello").await.status, 202);
        assert_eq!(sms(&simulator, "15550001111", "hello").await.status, 503);
        assert_eq!(sms(&simulator, "15550001111", "hello").await.status, 202);
    }

    #[tokio::test]
    async fn a_delayed_message_is_kept() {
        let (simulator, _) = at(1_000);
        simulator.set_plan(Some(plan(&json!({"delay": 0}))));
        assert_eq!(sms(&simulator, "15550001111", "hello").await.status, 202);
        assert_eq!(simulator.messages(None).len(), 1);
    }
}
