//! What the stack's tables hold, for people and programs: users, sessions, and phones with their limits. It scans the tables through a client
//! of its own, which no function may do. It shows no hash of a password, no code and no token.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use phone_number::PhoneNumber;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;
use serde_json::{Value, json};
use shared::app::App;
use shared::auth::limits::{self, Limit, LimitRule, Limited};
use shared::clock::Timestamp;
use shared::flow::Flow;
use shared::logging::chain;
use shared::messaging::consent;
use shared::store::{Challenge, ChallengeKey, Item, PhoneKey, PhoneOwner, PhoneRecord, Profile, Session, Store};

use super::starts::Starts;
use crate::simulator::Simulator;

/// What the tables are read with.
#[derive(Clone)]
pub(crate) struct Tables {
    /// A client of DynamoDB's API itself.
    pub(crate) client: Client,
    /// For settings, keys and the clock.
    pub(crate) app: Arc<App>,
    /// Whose messages name phones.
    pub(crate) simulator: Simulator,
    /// Whose entries name phones.
    pub(crate) starts: Starts,
}

/// The most phones that are listed: each takes two reads.
const MOST_PHONES: usize = 500;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The resources.
pub(crate) fn router(tables: Tables) -> Router {
    Router::new()
        .route("/_local/users", get(async |State(tables): State<Tables>| respond(tables.users().await)))
        .route("/_local/sessions", get(async |State(tables): State<Tables>| respond(tables.sessions().await)))
        .route("/_local/phones", get(async |State(tables): State<Tables>| respond(tables.phones().await)))
        .with_state(tables)
}

fn respond(found: Result<impl Serialize, Failure>) -> Response {
    match found {
        Ok(found) => Json(found).into_response(),
        Err(error) => {
            tracing::error!(cause = chain(error.as_ref()), "a table cannot be read");
            super::refusal(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", "A table cannot be read. The log says why.")
        }
    }
}

/// A limit of a phone.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct LimitState {
    name: &'static str,
    used: usize,
    max: usize,
    /// Whether the next request is refused.
    is_reached: bool,
    /// When it is no longer refused; or else when the oldest that is counted no longer counts.
    ends: Option<Timestamp>,
}

impl Tables {
    /// All items of a table.
    async fn scan(&self, table: &str) -> Result<Vec<Item>, Failure> {
        let pages = self.client.scan().table_name(table).into_paginator().items().send();
        Ok(pages.collect::<Result<Vec<_>, _>>().await?)
    }

    /// The users with their ids and login rows, newest first.
    async fn profiles(&self) -> Result<Vec<(String, Profile, Option<PhoneOwner>)>, Failure> {
        let (mut owners, mut profiles) = (HashMap::new(), Vec::new());
        for item in self.scan(&self.app.settings.resources.users_table).await? {
            let id = item.get("id").and_then(|id| id.as_s().ok()).cloned().unwrap_or_default();
            if let Some(user) = id.strip_prefix("user#") {
                profiles.push((user.to_owned(), from_item::<Profile>(item)?));
            } else if id.starts_with("phone#") {
                let owner: PhoneOwner = from_item(item)?;
                owners.insert(owner.user.clone(), owner);
            }
        }
        profiles.sort_by_key(|(_, profile)| std::cmp::Reverse(profile.created));
        let with_owner = |(id, profile): (String, Profile)| {
            let owner = owners.remove(&id);
            (id, profile, owner)
        };
        Ok(profiles.into_iter().map(with_owner).collect())
    }

    async fn users(&self) -> Result<Vec<Value>, Failure> {
        let now = self.app.clock.now();
        let mut sessions: HashMap<String, usize> = HashMap::new();
        for session in self.all_sessions().await?.into_iter().filter(|session| session.is_valid(now)) {
            *sessions.entry(session.user).or_default() += 1;
        }
        let one = |(id, profile, owner): (String, Profile, Option<PhoneOwner>)| {
            json!({
                "objectId": id, "phone": profile.phone, "email": profile.email, "status": profile.status,
                "created": profile.created, "updated": profile.updated, "lastLogin": profile.last_login,
                "locale": profile.locale, "roles": profile.roles, "sessions": sessions.get(&id).copied().unwrap_or_default(),
                "hasPassword": owner.is_some_and(|owner| owner.password.is_some()),
                "properties": serde_json::from_str::<Value>(&profile.properties).unwrap_or_default(),
            })
        };
        Ok(self.profiles().await?.into_iter().map(one).collect())
    }

    async fn all_sessions(&self) -> Result<Vec<Session>, Failure> {
        let mut sessions: Vec<Session> = read(self.scan(&self.app.settings.resources.sessions_table).await?)?;
        sessions.sort_by_key(|session| std::cmp::Reverse(session.created));
        Ok(sessions)
    }

    /// Those that have not ended, newest first.
    async fn sessions(&self) -> Result<Vec<Value>, Failure> {
        let now = self.app.clock.now();
        let profiles = self.profiles().await?;
        let profile = |user: &str| profiles.iter().find(|(id, ..)| id == user).map(|(_, profile, _)| profile);
        let one = |session: Session| {
            let profile = profile(&session.user);
            let entries = profile.map(Profile::session_entries).unwrap_or_default();
            let device = entries.into_iter().find(|entry| entry.id == session.id).map(|entry| entry.device);
            json!({
                "id": masked(&session.id), "user": session.user, "phone": profile.map(|profile| &profile.phone),
                "device": device, "flow": session.flow.map(Flow::as_str), "created": session.created,
                "lastSeen": session.last_seen, "ends": session.ends(),
            })
        };
        let sessions = self.all_sessions().await?.into_iter().filter(|session| session.is_valid(now));
        Ok(sessions.map(one).collect())
    }

    /// The phones of users, of messages and of starts, the first [`MOST_PHONES`]. (The table has only keyed hashes of numbers.)
    async fn phones(&self) -> Result<Vec<Value>, Failure> {
        let now = self.app.clock.now();
        let users: BTreeMap<_, _> = self.profiles().await?.into_iter().map(|(id, user, _)| (user.phone, id)).collect();
        let messages = self.simulator.messages(None).into_iter().map(|message| message.phone().to_owned());
        let numbers: BTreeSet<_> = users.keys().cloned().chain(messages).chain(self.starts.phones()).collect();
        let store = Store::new(&self.client, &self.app.settings.resources);
        let keys = self.app.secrets.keys(now).await?;
        let mut phones = Vec::new();
        for number in numbers.into_iter().take(MOST_PHONES) {
            let Ok(phone) = PhoneNumber::parse(&number, self.app.settings.default_country) else { continue };
            let key = PhoneKey(keys.phone(phone.e164()).short());
            let consents = consent::key(&keys, phone.e164());
            let messages = store.load_message_limits((key, consents), now).await?;
            let record = store.phones.get(key).await?;
            let max = self.app.settings.messages.per_phone;
            let user = users.get(phone.e164());
            let mut limits = limits_of(&record, user.is_none(), now);
            let rule = LimitRule { max, ..Limit::MessagesPerPhone.rule() };
            limits.push(window(rule.limit.name(), rule, &messages.phone.times, now));
            phones.push(json!({
                "phone": phone.e164(), "user": user, "country": phone.country().code(), "limits": limits,
                "transactions": self.transactions(&record, user.is_some(), now), "devices": record.devices.len(),
                "lastVerified": record.last_verified,
            }));
        }
        Ok(phones)
    }

    /// The challenges that are kept: at most one a flow and device.
    fn transactions(&self, record: &PhoneRecord, has_user: bool, now: Timestamp) -> Vec<Value> {
        let one = |(key, challenge): (&ChallengeKey, &Challenge)| {
            let has_sent = self.starts.has_sent(&challenge.id);
            let state =
                challenge_state(challenge, has_sent.unwrap_or(has_user || !key.flow.is_for_confirmed_phones()), now);
            json!({
                "flow": key.flow.as_str(), "isOfDevice": key.device.is_some(), "state": state, "expires": challenge.expires,
                "attempts": challenge.attempts.len(), "maxAttempts": challenge.max_attempts,
            })
        };
        record.challenges.iter().map(one).collect()
    }
}

fn read<T: DeserializeOwned>(items: Vec<Item>) -> Result<Vec<T>, Failure> {
    Ok(items.into_iter().map(from_item).collect::<Result<_, _>>()?)
}

/// Enough to tell one from another.
fn masked(id: &str) -> String {
    id.chars().take(6).chain(['…']).collect()
}

/// What the limits count for everybody without a device token.
fn limits_of(record: &PhoneRecord, is_unconfirmed: bool, now: Timestamp) -> Vec<LimitState> {
    let shared = &record.shared;
    let (starts, after_password) = (&shared.without_password.starts, &shared.after_password.starts);
    let mut limits = vec![
        spacing("start_spacing", starts, record.last_verified, now),
        window("starts_per_day", Limit::StartsPerDay.rule(), starts, now),
    ];
    if is_unconfirmed {
        let rule = Limit::UnconfirmedMessagesPerDay.rule();
        limits.push(window(rule.limit.name(), rule, &record.unconfirmed_sends, now));
    }
    limits.push(wrong_codes(record, Limit::WrongCodes, now));
    limits.push(spacing("start_spacing_after_password", after_password, record.last_verified, now));
    limits.push(window("starts_per_day_after_password", Limit::StartsPerDay.rule(), after_password, now));
    limits.push(wrong_codes(record, Limit::WrongCodesAfterPassword, now));
    let wrong: Vec<_> = shared.wrong_passwords.iter().map(|(time, _)| *time).collect();
    let day = Limit::WrongPasswords.rule();
    let today: Vec<_> = wrong.iter().copied().filter(|time| *time > now.minus(day.window)).collect();
    let free = window(day.limit.name(), day, &today, now);
    // After the free ones, each has a wait of its own.
    limits.push(match limits::check_passwords(&today, now) {
        Ok(()) => LimitState { is_reached: false, ..free },
        Err(limited) => LimitState { is_reached: true, ends: Some(end(limited, now)), ..free },
    });
    let verified = record.last_verified.unwrap_or(Timestamp::from_millis(i64::MIN));
    let in_a_row: Vec<_> = wrong.into_iter().filter(|time| *time > verified).collect();
    let month = Limit::WrongPasswordsPerMonth.rule();
    limits.push(window(month.limit.name(), month, &in_a_row, now));
    limits
}

fn end(limited: Limited, now: Timestamp) -> Timestamp {
    now.plus(Duration::from_secs(limited.retry_after))
}

/// The wait between two starts, as a limit of one.
fn spacing(name: &'static str, starts: &[Timestamp], verified: Option<Timestamp>, now: Timestamp) -> LimitState {
    let ends = limits::check_spacing(starts, verified, now).err().map(|limited| end(limited, now));
    LimitState { name, used: usize::from(ends.is_some()), max: 1, is_reached: ends.is_some(), ends }
}

fn window(name: &'static str, rule: LimitRule, times: &[Timestamp], now: Timestamp) -> LimitState {
    let counted: Vec<_> = times.iter().copied().filter(|time| *time > now.minus(rule.window)).collect();
    let ends = match rule.check(&counted, now) {
        Ok(()) => counted.first().map(|oldest| oldest.plus(rule.window)),
        Err(limited) => Some(end(limited, now)),
    };
    LimitState { name, used: counted.len(), max: rule.max, is_reached: counted.len() >= rule.max, ends }
}

/// The wrong codes, and those of challenges that have not ended, which the challenges hold.
fn wrong_codes(record: &PhoneRecord, limit: Limit, now: Timestamp) -> LimitState {
    let is_after_password = limit == Limit::WrongCodesAfterPassword;
    let counts = if is_after_password { &record.shared.after_password } else { &record.shared.without_password };
    let held = record
        .challenges
        .iter()
        .filter(|(key, _)| key.device.is_none() && (key.flow == Flow::SecondFactor) == is_after_password);
    let held = held.flat_map(|(_, challenge)| {
        challenge.attempts.iter().filter(|(id, _)| challenge.redeemed_by.as_ref() != Some(id)).map(|(_, time)| *time)
    });
    let mut times: Vec<_> = counts.wrong_codes.iter().copied().chain(held).collect();
    times.sort_unstable();
    window(limit.name(), limit.rule(), &times, now)
}

/// What has become of a challenge, in a stable word.
fn challenge_state(challenge: &Challenge, has_sent: bool, now: Timestamp) -> &'static str {
    match challenge {
        _ if challenge.redeemed_by.is_some() => "used",
        _ if !has_sent => "no_code_sent",
        _ if challenge.expires <= now => "expired",
        _ if challenge.attempts.len() >= challenge.max_attempts => "no_attempts_left",
        _ => "open",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn state(limits: &[LimitState], name: &str) -> (usize, bool, Option<i64>) {
        let limit = limits.iter().find(|limit| limit.name == name).unwrap();
        (limit.used, limit.is_reached, limit.ends.map(|ends| ends.as_millis() / 1000))
    }

    #[test]
    fn a_limit_says_what_is_used_and_when_it_ends() {
        let mut record = PhoneRecord::default();
        record.shared.without_password.starts = vec![at(0), at(100)];
        record.unconfirmed_sends = (0..5).map(at).collect();
        let limits = limits_of(&record, true, at(110));
        assert_eq!(state(&limits, "start_spacing"), (1, true, Some(160)));
        assert_eq!(state(&limits, "starts_per_day"), (2, false, Some(DAY)));
        assert_eq!(state(&limits, "unconfirmed_messages_per_day"), (5, true, Some(DAY)));
        let later = limits_of(&record, true, at(DAY + 200));
        assert!(later.iter().all(|limit| (limit.used, limit.ends) == (0, None)), "{later:?}");
        let confirmed = limits_of(&record, false, at(110));
        assert!(confirmed.iter().all(|limit| limit.name != "unconfirmed_messages_per_day"));
    }

    #[test]
    fn wrong_passwords_end_with_their_wait() {
        let mut record = PhoneRecord::default();
        record.shared.wrong_passwords = (0..6).map(|second| (at(second), "network".to_owned())).collect();
        let limits = limits_of(&record, false, at(10));
        assert_eq!(state(&limits, "wrong_passwords"), (6, true, Some(65)), "a minute after the sixth");
        assert_eq!(state(&limits, "wrong_passwords_per_month"), (6, false, Some(30 * DAY)));
        record.last_verified = Some(at(4));
        assert_eq!(state(&limits_of(&record, false, at(10)), "wrong_passwords_per_month").0, 1, "since a right code");
    }

    #[test]
    fn wrong_codes_of_open_transactions_count_and_the_right_one_does_not() {
        let mut record = PhoneRecord::default();
        record.shared.without_password.wrong_codes = vec![at(0)];
        let challenge = Challenge {
            id: "a".to_owned(),
            code: None,
            expires: at(300),
            max_attempts: 5,
            attempts: [("wrong".to_owned(), at(10)), ("right".to_owned(), at(20))].into(),
            redeemed_by: Some("right".to_owned()),
            user: None,
            send: None,
            test: false,
        };
        record.challenges.insert(Flow::Login.into(), challenge.clone());
        record.challenges.insert(Flow::SecondFactor.into(), Challenge { redeemed_by: None, ..challenge });
        let limits = limits_of(&record, false, at(30));
        assert_eq!(state(&limits, "wrong_codes").0, 2);
        assert_eq!(state(&limits, "wrong_codes_after_password").0, 2);
        let states: Vec<_> =
            record.challenges.values().map(|challenge| challenge_state(challenge, true, at(301))).collect();
        assert_eq!(states, ["used", "expired"]);
        assert_eq!(
            record.challenges.values().map(|challenge| challenge_state(challenge, false, at(31))).next_back(),
            Some("no_code_sent")
        );
    }
}
