//! The fault that people inject with `POST /_local/plivo`, into requests to send a message or to call, and into messages of phones.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::call::CallFault;
use super::callback::CallbackFault;
use super::message::Outcome;
use super::number::digits;
use super::{Fault, Subject};

/// The longest delay, in seconds.
const LONGEST_DELAY: u64 = 3600;
/// The longest wait of a message at Plivo and of a callback, in seconds: a day.
const LONGEST_WAIT: u64 = 86_400;

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
    /// Accepts the message, which the carrier then does not deliver, with this error.
    Undelivered(u16),
    /// Accepts the message and then does not send it, with this error.
    Failed(u16),
    /// Accepts the message and sends it this many seconds later.
    Queued(u64),
    /// Accepts the call, which nobody takes.
    Call(CallFault),
    /// What goes wrong with callbacks.
    Callbacks(Callbacks),
    /// Callbacks come this many seconds later.
    CallbacksLate(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Callbacks {
    Twice,
    Reversed,
    Lost,
    Forged,
}

impl FaultPlan {
    /// Parses the body of a request. The error says what it may hold.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, &'static str> {
        const FORM: &str = "The body must be {\"status\": 400 to 599}, {\"delay\": SECONDS} (up to 3600), {\"hangUp\": true}, \
                            {\"undelivered\": PLIVO'S ERROR}, {\"failed\": PLIVO'S ERROR}, {\"queued\": SECONDS} (up to 86400), \
                            {\"call\": \"busy\", \"noAnswer\" or \"failed\"}, \
                            {\"callbacks\": \"twice\", \"reversed\", \"lost\" or \"forged\"} or {\"callbacksLate\": SECONDS} (up to 86400), \
                            and may hold \"to\": the beginning of a number, and \"times\": the number of requests.";
        let plan: Self = serde_json::from_slice(body).map_err(|_| FORM)?;
        let is_possible = match plan.kind {
            Kind::Status(status) => (400..600).contains(&status),
            Kind::Delay(seconds) => seconds <= LONGEST_DELAY,
            Kind::HangUp(on) => on,
            Kind::Undelivered(error) | Kind::Failed(error) => (1..=1_000).contains(&error),
            Kind::Queued(seconds) | Kind::CallbacksLate(seconds) => seconds <= LONGEST_WAIT,
            Kind::Call(_) | Kind::Callbacks(_) => true,
        };
        let has_number = plan.to.as_deref().is_none_or(|to| !digits(to).is_empty());
        if is_possible && has_number && plan.times != Some(0) { Ok(plan) } else { Err(FORM) }
    }

    /// The fault of a request about these numbers (joined by `<`), if the plan is about it, and what is left of the plan.
    pub(super) fn apply(self, subject: Subject, numbers: &str) -> (Option<Fault>, Option<Self>) {
        if !self.kind.is_about(subject) || !self.is_for(numbers) {
            return (None, Some(self));
        }
        let left = match self.times {
            Some(1) => None,
            times => Some(Self { times: times.map(|times| times - 1), to: self.to.clone(), ..self }),
        };
        (Some(self.kind.fault()), left)
    }

    fn is_for(&self, numbers: &str) -> bool {
        let Some(to) = self.to.as_deref().map(digits) else { return true };
        numbers.split('<').any(|number| digits(number).starts_with(&to))
    }
}

impl Kind {
    fn is_about(self, subject: Subject) -> bool {
        match self {
            Self::Status(_) | Self::Delay(_) | Self::HangUp(_) => subject != Subject::Inbound,
            Self::Undelivered(_) | Self::Failed(_) | Self::Queued(_) => subject == Subject::Message,
            Self::Call(_) => subject == Subject::Call,
            Self::Callbacks(_) | Self::CallbacksLate(_) => true,
        }
    }

    fn fault(self) -> Fault {
        match self {
            Self::Status(status) => Fault::SendStatus(status),
            Self::Delay(seconds) => Fault::Slow(Duration::from_secs(seconds)),
            Self::HangUp(_) => Fault::HangUp,
            Self::Undelivered(error) => Fault::Outcome(Outcome::Undelivered(error)),
            Self::Failed(error) => Fault::Outcome(Outcome::Failed(error)),
            Self::Queued(seconds) => Fault::Queued(Duration::from_secs(seconds)),
            Self::Call(fault) => Fault::Call(fault),
            Self::Callbacks(Callbacks::Twice) => Fault::Callbacks(CallbackFault::Twice),
            Self::Callbacks(Callbacks::Reversed) => Fault::Callbacks(CallbackFault::Reversed),
            Self::Callbacks(Callbacks::Lost) => Fault::Callbacks(CallbackFault::Lost),
            Self::Callbacks(Callbacks::Forged) => Fault::Callbacks(CallbackFault::Forged),
            Self::CallbacksLate(seconds) => Fault::Callbacks(CallbackFault::Late(Duration::from_secs(seconds))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{at, request, sms};
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
            json!({"undelivered": 0}),
            json!({"failed": "spam"}),
            json!({"failed": 1001}),
            json!({"queued": 86_401}),
            json!({"callbacksLate": 86_401}),
            json!({"callbacks": "gone"}),
            json!({"call": "late"}),
            json!({"call": "busy", "callbacks": "lost"}),
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

    #[tokio::test]
    async fn a_plan_for_calls_waits_for_a_call() {
        let (simulator, clock) = at(0);
        let busy = plan(&json!({"call": "busy", "to": "+1555", "times": 1}));
        simulator.set_plan(Some(busy.clone()));
        sms(&simulator, "15550001111", "hello").await;
        assert_eq!(simulator.plan(), Some(busy));
        let body = json!({"from": "14155550100", "to": "+1 555 000 1111", "answer_url": "http://127.0.0.1:1/"});
        assert_eq!(request(&simulator, "POST", "Call/", &body.to_string()).await.status, 201);
        assert_eq!(simulator.plan(), None);
        clock.set(2_000);
        simulator.deliver_due().await;
        assert_eq!(simulator.messages(None)[0].state, "busy");
    }

    #[tokio::test]
    async fn a_message_ends_as_planned() {
        for (body, steps) in [
            (json!({"undelivered": 30}), vec![(1_000, "sent", None), (2_000, "undelivered", Some(30))]),
            (json!({"failed": 70}), vec![(999, "queued", None), (1_000, "failed", Some(70))]),
            (
                json!({"queued": 60}),
                vec![(60_999, "queued", None), (61_000, "sent", None), (62_000, "delivered", None)],
            ),
        ] {
            let (simulator, clock) = at(0);
            simulator.set_plan(Some(plan(&body)));
            sms(&simulator, "15550001111", "hello").await;
            for (time, state, error) in steps {
                clock.set(time);
                let shown = simulator.messages(None).remove(0);
                assert_eq!((shown.state, shown.error_code), (state, error), "{body} {time}");
            }
        }
    }
}
