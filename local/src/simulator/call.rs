//! Calls ("Plivo: Make a call" page): the phone rings, answers after two seconds, hears what `answer_url` says, and hangs up ten seconds after
//! the call was made, unless a fault is injected.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::callback::{Callback, CallbackFault, Due, Form, Job, Target};
use super::message::{Message, dollars};
use super::number::Sender;
use super::parameter::{refused, string};
use super::request::recipients;
use super::response::{Refused, uuid};
use super::{Simulator, time, xml};

/// The simulator's own choice, in milliseconds.
const RINGS_AFTER: i64 = 1_000;
const ANSWERED_AFTER: i64 = 2_000;
const LASTS: i64 = 8_000;
/// The pauses before `answer_url` is asked again: three times within a minute.
const ANSWER_RETRIES: [i64; 2] = [20_000, 20_000];
/// The simulator's own price of a minute in hundred-thousandths of a dollar.
const RATE: usize = 1_000;
/// Seconds ("Plivo: Make a call" page).
const DEFAULT_RING_TIMEOUT: i64 = 120;
const DEFAULT_TIME_LIMIT: i64 = 14_400;

/// What becomes of a call that nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CallFault {
    /// The phone is in another call.
    Busy,
    /// It rings until Plivo gives up.
    NoAnswer,
    /// It cannot be reached.
    Failed,
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Cause {
    /// All was said.
    Said,
    Unanswered(CallFault),
    /// `answer_url` did not answer.
    AnswerUrl,
    /// `answer_url` answered something else than a response.
    AnswerXml,
}

/// A cause in Plivo's words ("Plivo: Hangup causes" page).
struct Words {
    status: &'static str,
    cause: &'static str,
    code: u16,
    name: &'static str,
    source: &'static str,
}

impl Cause {
    fn words(self) -> Words {
        let (status, cause, code, name, source) = match self {
            Self::Said => ("completed", "NORMAL_CLEARING", 4010, "End Of XML Instructions", "Plivo"),
            Self::Unanswered(CallFault::Busy) => ("busy", "USER_BUSY", 3010, "Busy Line", "Carrier"),
            Self::Unanswered(CallFault::NoAnswer) => ("no-answer", "NO_ANSWER", 3000, "No Answer", "Carrier"),
            Self::Unanswered(CallFault::Failed) => {
                ("failed", "DESTINATION_OUT_OF_ORDER", 2010, "Destination Out Of Service", "Carrier")
            }
            Self::AnswerUrl => ("completed", "NORMAL_CLEARING", 7011, "Error Reaching Answer URL", "Error"),
            Self::AnswerXml => ("completed", "NORMAL_CLEARING", 8011, "Invalid Answer XML", "Error"),
        };
        Words { status, cause, code, name, source }
    }
}

/// The times and the end of a call, in epoch milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ended {
    started: i64,
    pub(super) answered: Option<i64>,
    /// When it ended; while the text is spoken, this lies ahead.
    pub(super) at: i64,
    cause: Cause,
}

impl Ended {
    /// The state at a time, as the inbox shows it.
    pub(super) fn state(&self, now: i64) -> &'static str {
        match self.cause {
            Cause::Said if now < self.at => "in-progress",
            Cause::AnswerUrl | Cause::AnswerXml => "failed",
            cause => cause.words().status,
        }
    }

    /// Whole seconds from the answer to the end.
    fn duration(&self) -> i64 {
        self.answered.map_or(0, |answered| (self.at - answered) / 1_000)
    }

    /// Begun minutes.
    fn minutes(&self) -> i64 {
        (self.duration() + 59) / 60
    }

    fn cost(&self) -> String {
        dollars(RATE * usize::try_from(self.minutes()).unwrap_or(0))
    }

    /// Plivo's record of a call that has ended ("Plivo: Retrieve a call" page).
    pub(super) fn record(&self, auth_id: &str, message: &Message) -> Value {
        let words = self.cause.words();
        json!({
            "call_uuid": message.uuid,
            "resource_uri": format!("/v1/Account/{auth_id}/Call/{}/", message.uuid),
            "call_direction": "outbound",
            "call_state": if self.answered.is_some() { "ANSWERED" } else { words.cause },
            "from_number": message.sender_number(),
            "to_number": message.to,
            "parent_call_uuid": null,
            "conference_uuid": null,
            "initiation_time": time::format(self.started),
            "answer_time": self.answered.map(time::format),
            "end_time": time::format(self.at),
            "call_duration": self.duration(),
            "bill_duration": self.duration(),
            "billed_duration": self.minutes() * 60,
            "total_rate": dollars(RATE),
            "total_amount": self.cost(),
            "hangup_cause_code": words.code,
            "hangup_cause_name": words.name,
            "hangup_source": words.source,
        })
    }
}

/// A checked request to call.
#[derive(Debug)]
pub(super) struct CallRequest {
    from: String,
    answer: Target,
    ring: Option<Target>,
    hangup: Option<Target>,
    fallback: Option<Target>,
    ring_timeout: i64,
    time_limit: i64,
}

impl CallRequest {
    /// Checks a request's parameters. Returns the numbers to call, too. Like Plivo, it ignores unknown parameters.
    pub(super) fn parse(body: &Map<String, Value>) -> Result<(Self, Vec<String>), Refused> {
        let Some(from) = string(body, "from")? else { return refused("from parameter not present") };
        let Some(Sender::Number(number)) = Sender::parse(&from) else {
            return refused(format!("'{from}' is not a valid phone number."));
        };
        let (numbers, invalid) = recipients(body, "to")?;
        if let Some(first) = invalid.first() {
            return refused(format!("'{first}' is not a valid phone number."));
        }
        let Some(answer) = Target::parse(body, "answer_url", "answer_method")? else {
            return refused("answer_url parameter not present");
        };
        let request = Self {
            from: number,
            answer,
            ring: Target::parse(body, "ring_url", "ring_method")?,
            hangup: Target::parse(body, "hangup_url", "hangup_method")?,
            fallback: Target::parse(body, "fallback_url", "fallback_method")?,
            ring_timeout: seconds(body, "ring_timeout")?.unwrap_or(DEFAULT_RING_TIMEOUT),
            time_limit: seconds(body, "time_limit")?.unwrap_or(DEFAULT_TIME_LIMIT),
        };
        Ok((request, numbers))
    }
}

fn seconds(body: &Map<String, Value>, name: &str) -> Result<Option<i64>, Refused> {
    match string(body, name)?.map(|seconds| seconds.parse::<i64>()) {
        None => Ok(None),
        Some(Ok(seconds)) if seconds > 0 => Ok(Some(seconds)),
        Some(_) => refused(format!("{name} must be a number of seconds")),
    }
}

/// A call that goes on.
#[derive(Clone)]
pub(super) struct Call {
    uuid: String,
    to: String,
    started: i64,
    request: Arc<CallRequest>,
    fault: Option<CallFault>,
    callbacks: CallbackFault,
    /// Whether `answer_url` has failed and `fallback_url` is asked.
    falls_back: bool,
}

impl Call {
    fn callback(&self, target: &Target, more: Form) -> Callback {
        let mut form = vec![
            ("CallUUID", self.uuid.clone()),
            ("RequestUUID", self.uuid.clone()),
            ("ALegUUID", self.uuid.clone()),
            ("ALegRequestUUID", self.uuid.clone()),
            ("From", self.request.from.clone()),
            ("To", self.to.clone()),
            ("Direction", "outbound".to_owned()),
            ("BillRate", dollars(RATE)),
            ("SessionStart", time::format_local(self.started)),
        ];
        form.extend(more);
        Callback::new(target, form)
    }

    fn ring(&self) -> Option<(i64, Callback)> {
        let event = vec![("CallStatus", "ringing".to_owned()), ("Event", "Ring".to_owned())];
        self.request.ring.as_ref().map(|target| (self.started + RINGS_AFTER, self.callback(target, event)))
    }

    fn ask(&self) -> Callback {
        let target = self.request.fallback.as_ref().filter(|_| self.falls_back).unwrap_or(&self.request.answer);
        let event = vec![("CallStatus", "in-progress".to_owned()), ("Event", "StartApp".to_owned())];
        Callback { is_forged: self.callbacks == CallbackFault::Forged, ..self.callback(target, event) }
    }

    fn hangup(&self, ended: &Ended) -> Option<(i64, Callback)> {
        let words = ended.cause.words();
        let form = vec![
            ("CallStatus", words.status.to_owned()),
            ("Event", "Hangup".to_owned()),
            ("HangupCause", words.cause.to_owned()),
            ("HangupCauseCode", words.code.to_string()),
            ("HangupCauseName", words.name.to_owned()),
            ("HangupSource", words.source.to_owned()),
            ("Duration", ended.duration().to_string()),
            ("BillDuration", (ended.minutes() * 60).to_string()),
            ("TotalCost", ended.cost()),
            ("StartTime", time::format_local(self.started)),
            ("AnswerTime", ended.answered.map(time::format_local).unwrap_or_default()),
            ("EndTime", time::format_local(ended.at)),
        ];
        self.request.hangup.as_ref().map(|target| (ended.at, self.callback(target, form)))
    }
}

impl Simulator {
    /// Makes the calls of a request and returns their IDs.
    pub(super) fn call(
        &self,
        request: CallRequest,
        numbers: Vec<String>,
        fault: Option<CallFault>,
        callbacks: CallbackFault,
    ) -> Vec<String> {
        let (request, started) = (Arc::new(request), self.now());
        let call = |to| {
            let (uuid, request) = (uuid(), Arc::clone(&request));
            Call { uuid, to, started, request, fault, callbacks, falls_back: false }
        };
        let calls: Vec<Call> = numbers.into_iter().map(call).collect();
        calls.iter().for_each(|call| self.dial(call));
        calls.into_iter().map(|call| call.uuid).collect()
    }

    fn dial(&self, call: &Call) {
        if matches!(call.fault, None | Some(CallFault::NoAnswer)) {
            self.schedule_reports(call.ring().into_iter().collect(), call.callbacks);
        }
        let (after, job) = match call.fault {
            None => (ANSWERED_AFTER, Job::Answer(call.clone())),
            Some(CallFault::NoAnswer) => (call.request.ring_timeout * 1_000, Job::GiveUp(call.clone())),
            Some(CallFault::Busy | CallFault::Failed) => (ANSWERED_AFTER, Job::GiveUp(call.clone())),
        };
        self.schedule(call.started + after, job);
    }

    /// Asks what to say, and says it. A call whose URLs have all failed ends.
    pub(super) async fn answer(&self, due: Due) {
        let Job::Answer(call) = &due.job else { return };
        let (call, answered) = (call.clone(), due.at);
        let answer = self.call_back(&call.ask()).await;
        if call.callbacks == CallbackFault::Twice {
            drop(self.call_back(&call.ask()).await);
        }
        let said = match answer {
            None => Err(Cause::AnswerUrl),
            Some(answer) => xml::spoken(&answer.body).filter(|_| answer.is_xml).ok_or(Cause::AnswerXml),
        };
        let cause = match said {
            Ok(text) => {
                let at = answered + LASTS.min(call.request.time_limit * 1_000);
                return self.hang_up(
                    &call,
                    text,
                    Ended { started: call.started, answered: Some(answered), at, cause: Cause::Said },
                );
            }
            Err(cause) => cause,
        };
        let pauses = if call.falls_back { &[][..] } else { &ANSWER_RETRIES };
        if self.retry(due, pauses).is_none() {
            return;
        }
        if call.request.fallback.is_some() && !call.falls_back {
            return self.schedule(self.now(), Job::Answer(Call { falls_back: true, ..call }));
        }
        let ended = Ended { started: call.started, answered: Some(answered), at: answered, cause };
        self.hang_up(&call, String::new(), ended);
    }

    /// Ends a call that nobody answered.
    pub(super) fn end(&self, call: &Call, at: i64) {
        let cause = Cause::Unanswered(call.fault.unwrap_or(CallFault::NoAnswer));
        self.hang_up(call, String::new(), Ended { started: call.started, answered: None, at, cause });
    }

    fn hang_up(&self, call: &Call, text: String, ended: Ended) {
        self.schedule_reports(call.hangup(&ended).into_iter().collect(), call.callbacks);
        self.keep_messages(vec![Message::of_call(&call.uuid, &call.request.from, &call.to, text, ended)]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, get, request};
    use super::super::{Fault, lock};
    use super::*;

    async fn call(simulator: &Simulator, changes: Value) -> super::super::testing::Reply {
        let mut body = json!({"from": "14155550100", "to": "15550001111", "answer_url": "http://127.0.0.1:1/answer"});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        request(simulator, "POST", "Call/", &body.to_string()).await
    }

    #[tokio::test]
    async fn a_call_that_cannot_be_made_is_refused() {
        let (simulator, _) = at(1_000);
        for (changes, text) in [
            (json!({"from": null}), "from parameter not present"),
            (json!({"from": "MyShop"}), "'MyShop' is not a valid phone number."),
            (json!({"to": null}), "to parameter not present"),
            (json!({"to": "1111111"}), "'1111111' is not a valid phone number."),
            (json!({"to": "15550001111<1111111"}), "'1111111' is not a valid phone number."),
            (json!({"answer_url": null}), "answer_url parameter not present"),
            (json!({"answer_url": "example.com"}), "answer_url is not a valid url"),
            (json!({"answer_method": "PUT"}), "answer_method must be GET or POST"),
            (json!({"hangup_url": "x"}), "hangup_url is not a valid url"),
            (json!({"ring_url": "x"}), "ring_url is not a valid url"),
            (json!({"fallback_url": "x"}), "fallback_url is not a valid url"),
            (json!({"ring_timeout": 0}), "ring_timeout must be a number of seconds"),
            (json!({"time_limit": "long"}), "time_limit must be a number of seconds"),
        ] {
            let answer = call(&simulator, changes).await;
            assert_eq!((answer.status, &answer.json["error"]), (400, &json!(text)));
        }
        simulator.set_fault(Fault::Status(503));
        assert_eq!(call(&simulator, json!({})).await.status, 503);
        assert_eq!((simulator.call_requests(), simulator.messages(None).len()), (14, 0));
    }

    #[tokio::test]
    async fn several_calls_get_a_list_of_ids() {
        let (simulator, _) = at(1_000);
        let one = call(&simulator, json!({})).await;
        assert_eq!((one.status, &one.json["message"]), (201, &json!("call fired")));
        assert!(one.json["request_uuid"].is_string() && one.json["api_id"].is_string());
        let two = call(&simulator, json!({"to": "15550001111<15550002222"})).await;
        assert_eq!(two.json["request_uuid"].as_array().map(Vec::len), Some(2));
    }

    #[tokio::test]
    async fn a_call_that_nobody_takes_ends_with_its_cause() {
        for (fault, after, state, code) in [
            (CallFault::Busy, 2_000, "busy", 3010),
            (CallFault::Failed, 2_000, "failed", 2010),
            (CallFault::NoAnswer, 30_000, "no-answer", 3000),
        ] {
            let (simulator, clock) = at(0);
            simulator.set_fault(Fault::Call(fault));
            let answer = call(&simulator, json!({"ring_timeout": 30})).await;
            let resource = format!("Call/{}/", answer.json["request_uuid"].as_str().unwrap());
            clock.set(after - 1);
            simulator.deliver_due().await;
            assert_eq!((simulator.messages(None).len(), get(&simulator, &resource).await.status), (0, 404));
            clock.set(after);
            simulator.deliver_due().await;
            let shown = simulator.messages(Some("15550001111")).remove(0);
            assert_eq!((shown.kind, shown.state, shown.text.as_str(), shown.created), ("call", state, "", after));
            let record = get(&simulator, &resource).await.json;
            assert_eq!((&record["hangup_cause_code"], &record["answer_time"]), (&json!(code), &Value::Null));
            assert!(lock(&simulator.inner.kept)[0].call().is_some());
            assert_eq!(get(&simulator, "Message/").await.json["objects"], json!([]), "a call is no message");
        }
    }

    #[tokio::test]
    async fn an_answer_url_that_fails_is_asked_three_times_and_then_the_call_ends() {
        let (simulator, clock) = at(0);
        call(&simulator, json!({"fallback_url": "http://127.0.0.1:1/fallback"})).await;
        for time in [2_000, 22_000] {
            clock.set(time);
            simulator.deliver_due().await;
            assert!(simulator.messages(None).is_empty(), "{time}");
        }
        clock.set(42_000);
        simulator.deliver_due().await;
        assert_eq!(simulator.messages(None)[0].state, "failed");
    }
}
