//! Delivery reports: their words, and what each changes.

use phone_number::PhoneNumber;
use shared::app::App;
use shared::clock::Timestamp;
use shared::crypto::Keys;
use shared::http::Problem;
use shared::logging;
use shared::messaging::consent;
use shared::metrics::Metric;
use shared::plivo::MAX_ID_LENGTH;
use shared::spend::counter::{Field, volume_scope};
use shared::spend::price::Money;
use shared::store::{CounterKey, DeliveryState, Part, PhoneKey, Report, SendId};

use crate::{Form, parameter};

/// A report as Plivo words it.
pub(crate) struct Reported {
    /// Plivo's id of the whole message.
    message: String,
    /// The receiver.
    phone: PhoneNumber,
    /// The report.
    report: Report,
    /// What the whole message cost.
    cost: Option<Money>,
}

impl Reported {
    /// Reads a form; `None` where it is of no message, or in words that we do not know.
    pub(crate) fn read(app: &App, form: &Form, now: Timestamp) -> Option<Self> {
        let value = |name: &str| value(form, name);
        let digits = |name| value(name).filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
        let state: DeliveryState = value("Status")?.parse().ok()?;
        let uuid = value("MessageUUID")?;
        // Plivo writes numbers without a plus.
        let to = value("To")?.trim_start_matches('+');
        let carrier = digits("MCC").zip(digits("MNC")).map(|(country, network)| format!("{country}-{network}"));
        let content = Part {
            uuid: uuid.to_owned(),
            state,
            sequence: value("Sequence").and_then(|text| text.parse().ok()).unwrap_or(usual_sequence(state)),
            error: digits("ErrorCode").filter(|code| *code != NO_ERROR).map(str::to_owned),
            carrier,
            at: now,
        };
        Some(Self {
            message: value("ParentMessageUUID").unwrap_or(uuid).to_owned(),
            phone: PhoneNumber::parse(&format!("+{to}"), app.settings.default_country).ok()?,
            report: Report { part: value("PartInfo").map_or(Some((1, 1)), part)?, content },
            cost: value("TotalAmount").and_then(|amount| amount.parse().ok()),
        })
    }

    /// Whether the address that Plivo was given is of a message to this phone.
    fn fits(&self, keys: &Keys, send: SendId) -> bool {
        send.open(keys) == PhoneKey(keys.phone(self.phone.e164()).short())
    }

    /// Opts the phone out where Plivo says that it has. Before the report is recorded: where this fails, Plivo repeats it.
    async fn opt_out(&self, app: &App) -> Result<(), Problem> {
        let content = &self.report.content;
        if content.error.as_deref() == Some(BLOCKED_BY_STOP) {
            consent::blocked_by_plivo(app, &self.phone, &content.uuid).await?;
        }
        Ok(())
    }

    /// Counts the end of a message.
    fn count_end(&self, app: &App, state: DeliveryState, now: Timestamp) {
        let (country, carrier) = (self.phone.country(), self.report.content.carrier.as_deref());
        app.metrics.count_by(Metric::Delivered(country, !state.is_failure()), carrier, now);
        if state.is_failure() {
            app.metrics.count_by(Metric::Undelivered(country), carrier, now);
        }
    }

    /// Counts what a code's message cost.
    fn count_cost(&self, app: &App, now: Timestamp) {
        let Some(millionths) = self.cost.and_then(|cost| usize::try_from(cost.as_millionths()).ok()) else { return };
        let metric = Metric::ReportedCost(self.phone.country(), millionths);
        app.metrics.count_by(metric, self.report.content.carrier.as_deref(), now);
    }
}

/// Plivo's code for no error.
const NO_ERROR: &str = "000";
/// Plivo's code for a message to a phone that has opted out.
const BLOCKED_BY_STOP: &str = "200";

/// The first value of a parameter, if it is one that we could use.
pub(crate) fn value<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    // No value that is used is longer than an id.
    parameter(form, name).filter(|value| !value.is_empty() && value.len() <= MAX_ID_LENGTH)
}

/// `1 of 2`.
fn part(text: &str) -> Option<(u8, u8)> {
    let (number, count) = text.split_once(" of ")?;
    let (number, count): (u8, u8) = (number.trim().parse().ok()?, count.trim().parse().ok()?);
    (number >= 1 && number <= count).then_some((number, count))
}

/// The place of a state in the usual order, for a report that does not say its own.
const fn usual_sequence(state: DeliveryState) -> u32 {
    match state {
        DeliveryState::Queued => 1,
        DeliveryState::Sent => 2,
        DeliveryState::Delivered | DeliveryState::Undelivered | DeliveryState::Failed => 3,
    }
}

/// A report about a code's SMS.
///
/// # Errors
/// [`Problem`]: storage or the keys are not available, so Plivo is to come again.
pub(crate) async fn of_code(app: &App, send: SendId, form: &Form) -> Result<(), Problem> {
    let now = app.clock.now();
    let Some(reported) = Reported::read(app, form, now) else { return Ok(()) };
    let keys = app.secrets.keys(now).await?;
    reported.opt_out(app).await?;
    // Not the number's key: a reset by e-mail address has its sends in the address's item. Where there is no such send, nothing is recorded.
    let recorded = app.store.phones.record_report(send.open(&keys), &send.text(), &reported.report).await?;
    let Some((before, after)) = recorded else { return Ok(()) };
    let Some(end) = after.delivery.ended(&before.delivery) else { return Ok(()) };
    reported.count_end(app, end, now);
    reported.count_cost(app, now);
    // What counts for everybody must not depend on who is a user.
    if end.is_failure() && after.tells_state {
        let prefix = CounterKey::Prefix(keys.prefix(reported.phone.prefix()).short());
        let counters = app.store.counters.clone();
        app.background.spawn(async move {
            // See `spend::pumping`.
            if let Err(error) = counters.count_one(prefix, Field::Sends, volume_scope(after.flow)).await {
                tracing::warn!(cause = logging::chain(&error), "a message that was not delivered is not counted");
            }
        });
    }
    Ok(())
}

/// A report about a message of `sendMessage`.
///
/// # Errors
/// As [`of_code`].
pub(crate) async fn of_message(app: &App, send: SendId, form: &Form) -> Result<(), Problem> {
    let now = app.clock.now();
    let Some(reported) = Reported::read(app, form, now) else { return Ok(()) };
    let keys = app.secrets.keys(now).await?;
    if !reported.fits(&keys, send) {
        return Ok(());
    }
    reported.opt_out(app).await?;
    let recorded = app.store.message_reports.record_report(&reported.message, &reported.report, now).await?;
    if let Some(end) = recorded.and_then(|(before, after)| after.ended(&before)) {
        reported.count_end(app, end, now);
    }
    Ok(())
}
