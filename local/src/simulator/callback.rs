//! Calls the application back: what is due by the stack's clock, in order, signed as Plivo signs, and again if it is not answered.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::plivo::signature::{NONCE, SIGNATURES, Signed};
use tokio::sync::watch;
use url::Url;

use super::call::Call;
use super::inbound::Inbound;
use super::parameter::{is_url, refused, string};
use super::response::Refused;
use super::{KEPT, Simulator, lock};

/// How long Plivo waits for an answer ("Plivo: Message status callbacks" page).
const TIMEOUT: Duration = Duration::from_secs(8);
/// The pauses before a callback is sent again, in milliseconds (same page).
const RETRIES: [i64; 3] = [60_000, 120_000, 240_000];
/// The most that Plivo reads of an answer ("Plivo: XML" page).
const MAX_ANSWER: usize = 100 * 1_024;

/// The maximum number of jobs. The earliest are dropped, so that a load test whose clock stands still does not fill a laptop's memory.
const MAX_JOBS: usize = 6 * KEPT;

/// What goes wrong with callbacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallbackFault {
    /// Nothing.
    #[default]
    None,
    /// They come this much later.
    Late(Duration),
    /// Each comes twice.
    Twice,
    /// The reports of a message come together with the last, newest first.
    Reversed,
    /// None comes.
    Lost,
    /// Their signature is wrong.
    Forged,
}

/// How a callback is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Method {
    Get,
    Post,
}

/// Where callbacks go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) url: String,
    pub(super) method: Method,
}

impl Target {
    /// A POST to a URL.
    pub(super) fn post(url: &str) -> Self {
        Self { url: url.to_owned(), method: Method::Post }
    }

    /// Checks the two parameters with these names.
    pub(super) fn parse(body: &Map<String, Value>, url: &str, method: &str) -> Result<Option<Self>, Refused> {
        let method = match string(body, method)?.map(|method| method.to_ascii_uppercase()).as_deref() {
            None | Some("POST") => Method::Post,
            Some("GET") => Method::Get,
            Some(_) => return refused(format!("{method} must be GET or POST")),
        };
        match string(body, url)? {
            None => Ok(None),
            Some(link) if is_url(&link) => Ok(Some(Self { url: link, method })),
            Some(_) => refused(format!("{url} is not a valid url")),
        }
    }
}

/// The parameters of a callback.
pub(super) type Form = Vec<(&'static str, String)>;

/// A request to the application.
#[derive(Clone, Debug)]
pub(super) struct Callback {
    pub(super) target: Target,
    pub(super) form: Form,
    /// Whether it is only signed by the main account's token, as messages of phones are. The account here is a main account, so its token
    /// signs both.
    pub(super) by_main_account_only: bool,
    pub(super) is_forged: bool,
}

impl Callback {
    pub(super) fn new(target: &Target, form: Form) -> Self {
        Self { target: target.clone(), form, by_main_account_only: false, is_forged: false }
    }
}

/// An answer with a status of success.
pub(super) struct Answer {
    pub(super) is_xml: bool,
    pub(super) body: String,
}

/// What the simulator does at a time.
pub(super) enum Job {
    /// Tells something; the answer's body does not matter.
    Report(Callback),
    /// Brings a phone's message.
    Inbound(Inbound),
    /// Asks what to say in a call.
    Answer(Call),
    /// Ends a call that nobody answered.
    GiveUp(Call),
}

/// A job and how often it has failed.
pub(super) struct Due {
    pub(super) at: i64,
    pub(super) failures: usize,
    pub(super) job: Job,
}

/// The jobs by time, and those of one time in the order in which they were added.
#[derive(Default)]
pub(super) struct Queue {
    added: u64,
    jobs: BTreeMap<(i64, u64), Due>,
}

impl Queue {
    fn add(&mut self, due: Due) {
        self.added += 1;
        self.jobs.insert((due.at, self.added), due);
        if self.jobs.len() > MAX_JOBS {
            self.jobs.pop_first();
        }
    }

    fn next(&self) -> Option<i64> {
        self.jobs.first_key_value().map(|((at, _), _)| *at)
    }
}

impl Simulator {
    /// Calls back with everything that is due by the clock, in order, and returns when all of it is answered or has failed.
    pub async fn deliver_due(&self) {
        let _turn = self.inner.delivering.lock().await;
        while let Some(due) = self.take_due() {
            self.run(due).await;
        }
    }

    /// Calls back by itself until the stack stops: when something is added, when the clock was moved, and as time goes by.
    pub(crate) fn deliver_until(&self, moves: watch::Receiver<()>, stop: watch::Receiver<()>) {
        let delivering = self.clone().deliver_forever(moves);
        tokio::spawn(async move {
            tokio::select! {
                () = delivering => {}
                () = crate::stopped(stop) => {}
            }
        });
    }

    async fn deliver_forever(self, mut moves: watch::Receiver<()>) {
        loop {
            self.deliver_due().await;
            let next = lock(&self.inner.queue).next();
            let pause = next.map(|at| Duration::from_millis(u64::try_from(at - self.now()).unwrap_or(0)));
            let comes_due = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = comes_due => {}
                () = self.inner.added.notified() => {}
                moved = moves.changed() => if moved.is_err() { return },
            }
        }
    }

    /// Adds a job.
    pub(super) fn schedule(&self, at: i64, job: Job) {
        self.schedule_again(Due { at, failures: 0, job });
    }

    fn schedule_again(&self, due: Due) {
        lock(&self.inner.queue).add(due);
        self.inner.added.notify_one();
    }

    /// Adds the reports of one message or call, oldest first, with a fault.
    pub(super) fn schedule_reports(&self, mut reports: Vec<(i64, Callback)>, fault: CallbackFault) {
        let last = reports.last().map(|(at, _)| *at);
        match fault {
            CallbackFault::None => {}
            CallbackFault::Lost => reports.clear(),
            CallbackFault::Late(by) => {
                let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
                reports.iter_mut().for_each(|(at, _)| *at += by);
            }
            CallbackFault::Twice => reports = reports.into_iter().flat_map(|report| [report.clone(), report]).collect(),
            CallbackFault::Reversed => {
                reports.reverse();
                reports.iter_mut().for_each(|(at, _)| *at = last.unwrap_or(*at));
            }
            CallbackFault::Forged => reports.iter_mut().for_each(|(_, callback)| callback.is_forged = true),
        }
        for (at, callback) in reports {
            self.schedule(at, Job::Report(callback));
        }
    }

    fn take_due(&self) -> Option<Due> {
        let now = self.now();
        let mut queue = lock(&self.inner.queue);
        queue.next().filter(|at| *at <= now)?;
        queue.jobs.pop_first().map(|(_, due)| due)
    }

    async fn run(&self, due: Due) {
        match &due.job {
            Job::Report(callback) => {
                if self.call_back(callback).await.is_none() {
                    self.retry(due, &RETRIES);
                }
            }
            Job::Inbound(inbound) => match self.call_back(&inbound.callback).await {
                Some(answer) => self.read_reply(inbound, &answer),
                None => {
                    self.retry(due, &RETRIES);
                }
            },
            Job::Answer(_) => self.answer(due).await,
            Job::GiveUp(call) => self.end(call, due.at),
        }
    }

    /// Adds a job again after the pause that follows its number of failures. Returns it when there is none.
    pub(super) fn retry(&self, mut due: Due, pauses: &[i64]) -> Option<Due> {
        let Some(pause) = pauses.get(due.failures) else { return Some(due) };
        due.failures += 1;
        due.at = self.now() + pause;
        self.schedule_again(due);
        None
    }

    /// Sends a callback. `None`: no answer, or none of success.
    pub(super) async fn call_back(&self, callback: &Callback) -> Option<Answer> {
        match self.request(callback)?.send().await {
            Ok(answer) if answer.status().is_success() => {
                let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
                let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
                let is_xml = ["text/xml", "application/xml"].contains(&kind.as_str());
                let body = answer.text().await.ok().filter(|body| body.len() <= MAX_ANSWER)?;
                Some(Answer { is_xml, body })
            }
            Ok(answer) => {
                tracing::debug!(status = answer.status().as_u16(), "simulator.callback_refused");
                None
            }
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "simulator.callback_failed");
                None
            }
        }
    }

    fn request(
        &self,
        Callback { target, form, by_main_account_only, is_forged }: &Callback,
    ) -> Option<reqwest::RequestBuilder> {
        let mut url = Url::parse(&target.url).ok()?;
        let nonce = format!("{:020}", shared::crypto::random::below(u64::MAX));
        let token = if *is_forged { "another token" } else { self.inner.auth_token.as_str() };
        let parameters: Vec<_> = form.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let http = self.http()?;
        let (method, request) = match target.method {
            Method::Post => (reqwest::Method::POST, http.post(url).form(form)),
            Method::Get => {
                url.query_pairs_mut().extend_pairs(form);
                (reqwest::Method::GET, http.get(url))
            }
        };
        let signed = Signed { method: &method, url: &target.url, parameters: &parameters };
        let signature = signed.sign(&nonce, &token.into());
        let [by_account, by_main_account] = SIGNATURES;
        let request = request.timeout(TIMEOUT).header(NONCE, nonce).header(by_main_account, &signature);
        Some(if *by_main_account_only { request } else { request.header(by_account, signature) })
    }

    fn http(&self) -> Option<reqwest::Client> {
        let made = self.inner.http.get_or_init(|| match crate::http_client() {
            Ok(client) => Some(client),
            Err(error) => {
                tracing::error!(%error, "callbacks cannot be sent");
                None
            }
        });
        made.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::at;
    use super::*;

    fn queued(simulator: &Simulator) -> Vec<(i64, String, bool)> {
        let queue = lock(&simulator.inner.queue);
        let jobs = queue.jobs.values().filter_map(|due| match &due.job {
            Job::Report(callback) => Some((due.at, callback.target.url.clone(), callback.is_forged)),
            Job::Inbound(_) | Job::Answer(_) | Job::GiveUp(_) => None,
        });
        jobs.collect()
    }

    #[test]
    fn a_fault_changes_when_and_how_reports_come() {
        let (first, second) = ("http://h/1", "http://h/2");
        for (fault, expected) in [
            (CallbackFault::None, vec![(1, first, false), (2, second, false)]),
            (CallbackFault::Lost, vec![]),
            (CallbackFault::Late(Duration::from_secs(3)), vec![(3_001, first, false), (3_002, second, false)]),
            (CallbackFault::Twice, vec![(1, first, false), (1, first, false), (2, second, false), (2, second, false)]),
            (CallbackFault::Reversed, vec![(2, second, false), (2, first, false)]),
            (CallbackFault::Forged, vec![(1, first, true), (2, second, true)]),
        ] {
            let (simulator, _) = at(0);
            let report = |at, url| (at, Callback::new(&Target::post(url), Form::new()));
            simulator.schedule_reports(vec![report(1, first), report(2, second)], fault);
            let expected: Vec<_> = expected.into_iter().map(|(at, url, forged)| (at, url.to_owned(), forged)).collect();
            assert_eq!(queued(&simulator), expected, "{fault:?}");
        }
    }

    #[test]
    fn the_earliest_jobs_are_dropped_when_there_are_too_many() {
        let (simulator, _) = at(0);
        for index in 0..=MAX_JOBS {
            let callback = Callback::new(&Target::post("http://h/"), Form::new());
            simulator.schedule(i64::try_from(index).unwrap(), Job::Report(callback));
        }
        let queue = lock(&simulator.inner.queue);
        assert_eq!((queue.jobs.len(), queue.next()), (MAX_JOBS, Some(1)));
    }

    #[tokio::test]
    async fn what_nobody_answers_is_given_up_after_three_more_tries() {
        let (simulator, clock) = at(0);
        // Nothing listens on this port, so each try fails at once.
        let callback = Callback::new(&Target::post("http://127.0.0.1:1/"), Form::new());
        simulator.schedule_reports(vec![(0, callback)], CallbackFault::None);
        for next in [Some(60_000), Some(180_000), Some(420_000), None] {
            simulator.deliver_due().await;
            assert_eq!(lock(&simulator.inner.queue).next(), next);
            clock.set(next.unwrap_or(0));
        }
    }
}
