//! Checks an entered code. Before it is compared, the attempt is counted in its challenge, and as a wrong code for the client network unless it comes
//! from a known device or has passed a captcha. A right code removes the network's wrong codes and starts for that phone.

use std::convert::Infallible;

use secrecy::ExposeSecret as _;

use super::challenge_id::ChallengeId;
use super::otp::OneTimeCode;
use super::{AuthError, Requester, captcha_check, client_limits, guessing};
use crate::app::App;
use crate::clock::Timestamp;
use crate::crypto::Keys;
use crate::flow::Flow;
use crate::hints::{CodeRejection, Hint};
use crate::logging;
use crate::metrics::Metric;
use crate::store::{
    Attempt, Challenge, ChallengeKey, ClientKey, ClientRecord, CodeState, NotCounted, PhoneAction, PhoneEvent,
    PhoneKey, PhoneTag, is_new_refusal,
};

/// A code that a client has sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct EnteredCode<'a> {
    pub challenge: ChallengeId,
    /// The challenges that it may be for, by [`open`].
    pub opened: &'a [(PhoneKey, ChallengeKey)],
    pub code: &'a OneTimeCode,
    pub requester: &'a Requester,
}

/// A code that was right. It is not redeemed yet.
#[derive(Debug)]
pub(super) struct RightCode {
    pub phone: PhoneKey,
    pub key: ChallengeKey,
    pub attempt: Attempt,
}

/// The challenges that an id may be of, as far as `check` accepts them: one, but for the minutes in which a key is rotated.
pub(super) fn open(
    challenge: ChallengeId,
    keys: &Keys,
    check: impl Fn(PhoneKey, ChallengeKey) -> Result<(), CodeRejection>,
) -> Result<Vec<(PhoneKey, ChallengeKey)>, AuthError> {
    let mut cause = CodeRejection::Unknown;
    let mut opened = challenge.open(keys);
    opened.retain(|(phone, key)| check(*phone, *key).map_err(|rejection| cause = rejection).is_ok());
    if opened.is_empty() { Err(AuthError::CodeRejected(cause)) } else { Ok(opened) }
}

/// Accepts challenges of one flow and one phone, and of no device.
pub(super) fn only(phone: PhoneKey, flow: Flow) -> impl Fn(PhoneKey, ChallengeKey) -> Result<(), CodeRejection> {
    move |found, key| match key {
        key if key != flow.into() => Err(CodeRejection::OtherFlow(key.flow)),
        _ if found != phone => Err(CodeRejection::OtherPhone),
        _ => Ok(()),
    }
}

/// Tells what became of a code.
pub(super) fn tell<T>(app: &App, challenge: ChallengeId, outcome: &Result<T, AuthError>) {
    let (at, id) = (|| app.clock.now(), || challenge.text());
    match outcome {
        Ok(_) => app.hints.tell(|| Hint::CodeRedeemed { at: at(), challenge: id() }),
        Err(AuthError::CodeRejected(cause)) => {
            app.hints.tell(|| Hint::CodeRejected { at: at(), challenge: id(), cause: *cause });
        }
        Err(_) => {}
    }
}

/// Counts an attempt, then compares the code.
pub(super) async fn check_code(
    app: &App,
    keys: &Keys,
    entered: EnteredCode<'_>,
    now: Timestamp,
) -> Result<RightCode, AuthError> {
    let Some((_, key)) = entered.opened.first() else { return Err(AuthError::CodeRejected(CodeRejection::Unknown)) };
    // Strangers in its network must not hinder a phone's own device, whose challenge only itself can have.
    if key.device.is_some() {
        return compare(app, keys, entered, 0, now).await;
    }
    let client = ClientKey(keys.client(entered.requester.network.as_str()).short());
    let tags: Vec<_> = entered.opened.iter().map(|(phone, _)| PhoneTag::from(*phone)).collect();
    let (clients, expires) = (app.store.clients.clone(), client_limits::expires(now));
    let is_counted = guessing::is_counted(&app.settings, *key);
    let CodeState { client: record, wrong_codes } = app.store.load_code_state(client, is_counted, now).await?;
    let count = |record: &mut ClientRecord| client_limits::count_code(record, tags[0], now);
    // First, so that a network that has to wait uses up no attempt of the phone's.
    let is_over_limit = client_limits::count_code(&mut record.clone(), tags[0], now).is_err();
    let token = entered.requester.captcha_token.as_ref();
    let record = if is_over_limit && captcha_check::passes(app, token, captcha_check::CODE, now).await? {
        record
    } else {
        clients.update(client, record, expires, count).await??.1
    };
    let right = compare(app, keys, entered, wrong_codes, now).await?;
    let forgive = move |record: &mut ClientRecord| {
        client_limits::forgive(record, &tags);
        Ok::<_, Infallible>(())
    };
    app.background.spawn(async move {
        if let Err(error) = clients.update(client, record, expires, forgive).await {
            tracing::warn!(cause = logging::chain(&error), "a right code stays counted for its network");
        }
    });
    Ok(right)
}

/// Tries the challenges that the code may be for. `wrong_codes`: how many this day has had for all phones. A wrong code is added to them before the
/// response.
async fn compare(
    app: &App,
    keys: &Keys,
    entered: EnteredCode<'_>,
    wrong_codes: usize,
    now: Timestamp,
) -> Result<RightCode, AuthError> {
    let id = entered.challenge.text();
    let network = keys.client(entered.requester.network.as_str()).short_text();
    let mut cause = CodeRejection::Unknown;
    for (phone, key) in entered.opened {
        let by = PhoneEvent::by(key.device, &network);
        let attempt = match app.store.phones.begin_attempt(*phone, *key, &id, &by, now).await? {
            Ok(attempt) => attempt,
            Err(NotCounted { found, events }) => {
                cause = why_not_live(found.as_ref(), &id, now);
                if let Some(reason) = cause.too_late() {
                    let what = PhoneAction::Refused { flow: key.flow, reason: reason.to_owned() };
                    note(app, *phone, &events, PhoneEvent { at: now, by, what });
                }
                continue;
            }
        };
        let unreadable = || AuthError::CodeRejected(CodeRejection::Unreadable);
        let sealed = attempt.challenge.code.as_deref().ok_or_else(unreadable)?;
        let sent = keys.open_code(sealed, &id).map_err(|_| unreadable())?;
        let length = guessing::code_length(&app.settings, wrong_codes, *key);
        if sent.expose_secret().len() < length {
            return Err(AuthError::CodeRejected(CodeRejection::TooShort));
        }
        if entered.code.matches(&sent) {
            return Ok(RightCode { phone: *phone, key: *key, attempt });
        }
        if guessing::is_counted(&app.settings, *key) {
            let percent = (wrong_codes + 1) * 100 / app.settings.wrong_codes_per_day;
            app.metrics.count(Metric::WrongCodes(percent), now);
            // Once spraying is throttled, counting more changes nothing.
            if length == app.settings.code_length {
                app.store.controls.count_wrong_code(now).await?;
            }
        }
        let Challenge { attempts, max_attempts, .. } = &attempt.challenge;
        return Err(AuthError::CodeRejected(CodeRejection::Wrong { attempt: attempts.len(), max: *max_attempts }));
    }
    Err(AuthError::CodeRejected(cause))
}

/// Notes a refused code for the operator: after the answer, and the same refusal once an hour.
fn note(app: &App, phone: PhoneKey, events: &[PhoneEvent], refused: PhoneEvent) {
    if is_new_refusal(events, &refused.what, refused.at) {
        let phones = app.store.phones.clone();
        app.background.spawn(async move {
            if let Err(error) = phones.note(phone, refused).await {
                tracing::warn!(cause = logging::chain(&error), "a refused code is not noted");
            }
        });
    }
}

/// Why no attempt could begin, by what stands in the challenge's place.
fn why_not_live(found: Option<&Challenge>, id: &str, now: Timestamp) -> CodeRejection {
    match found {
        None => CodeRejection::Unknown,
        Some(challenge) if challenge.id != id => CodeRejection::Replaced,
        Some(Challenge { redeemed_by: Some(_), .. }) => CodeRejection::Used,
        Some(challenge) if challenge.expires <= now => CodeRejection::Expired,
        Some(_) => CodeRejection::NoAttemptsLeft,
    }
}
