//! What phones have agreed to: record a consent, show a phone's, export all.

use std::error::Error;
use std::fmt;

use phone_number::{Country, PhoneNumber};
use serde::Serialize;
use shared::clock::Timestamp;
use shared::crypto::Keys;
use shared::messaging::consent::{self, Consent};
use shared::store::{ConsentEntry, ConsentKind, PhoneConsents, Store};

use crate::audit::Author;
use crate::{Iso, user};

/// What a phone has agreed to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsentReport {
    /// The phone (E.164), or in an export its keyed hash, since the table does not hold the number.
    pub phone: String,
    /// Its opt-out, while it lasts.
    pub opted_out: Option<OptOutReport>,
    /// The last 50 records, oldest first.
    pub records: Vec<RecordReport>,
}

/// An opt-out.
#[derive(Debug, Clone, Serialize)]
pub struct OptOutReport {
    /// When it was received.
    pub at: Iso,
    /// The word, or `plivo_200`.
    pub by: String,
}

/// A record.
#[derive(Debug, Clone, Serialize)]
pub struct RecordReport {
    /// When it was recorded.
    pub at: Iso,
    /// Of what.
    pub kind: ConsentKind,
    /// What the owner was shown or wrote; none once the user is deleted.
    pub text: Option<String>,
    /// Where it comes from.
    pub source: String,
}

impl ConsentReport {
    fn new(phone: String, consents: PhoneConsents) -> Self {
        let record = |ConsentEntry { at, kind, text, source, .. }| RecordReport { at: Iso(at), kind, text, source };
        Self {
            phone,
            opted_out: consents.opted_out.map(|opt_out| OptOutReport { at: Iso(opt_out.at), by: opt_out.by }),
            records: consents.records.into_iter().map(record).collect(),
        }
    }
}

impl fmt::Display for ConsentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.opted_out {
            Some(OptOutReport { at, by }) => writeln!(f, "{} has opted out of messages: {at}, by {by}", self.phone)?,
            None => writeln!(f, "{} has not opted out of messages", self.phone)?,
        }
        for RecordReport { at, kind, text, source } in &self.records {
            let kind = match kind {
                ConsentKind::Consent => "consent",
                ConsentKind::OptOut => "opt-out",
                ConsentKind::OptIn => "opt-in",
            };
            let text = text.as_deref().unwrap_or("(text removed)").replace(['\n', '\r', '\t'], " ");
            writeln!(f, "  {at}: {kind}, {source}: {text}")?;
        }
        Ok(())
    }
}

/// The phone of a number (`+…`), or of the user with this e-mail address or objectId.
///
/// # Errors
/// When it is no number, or there is no such user.
pub async fn number(store: &Store, keys: &Keys, country: Country, who: &str) -> Result<String, Box<dyn Error>> {
    if who.starts_with('+') {
        return Ok(PhoneNumber::parse(who, country)?.e164().to_owned());
    }
    Ok(user::find(store, keys, country, who).await?.phone().to_owned())
}

/// What a phone (E.164) has agreed to.
///
/// # Errors
/// When storage fails.
pub async fn show(store: &Store, keys: &Keys, number: String) -> Result<ConsentReport, Box<dyn Error>> {
    let consents = store.consents.get(consent::key(keys, &number)).await?;
    Ok(ConsentReport::new(number, consents))
}

/// Records that a consent is added, then adds it to what a phone (E.164) has agreed to.
///
/// # Errors
/// When storage fails.
pub async fn add(
    store: &Store,
    keys: &Keys,
    number: String,
    consent: &Consent,
    author: &Author,
    now: Timestamp,
) -> Result<ConsentReport, Box<dyn Error>> {
    let target = keys.phone(&number).short_text();
    store.controls.record_audit(&author.entry("consent add", Some(&target), now)).await?;
    let consents = consent::add(store, consent::key(keys, &number), consent, now).await?;
    Ok(ConsentReport::new(number, consents))
}

/// What all phones have agreed to, one line of JSON for each.
///
/// # Errors
/// When storage fails.
pub async fn export(store: &Store) -> Result<String, Box<dyn Error>> {
    let mut lines = String::new();
    for (id, consents) in store.consents.all().await? {
        lines += &serde_json::to_string(&ConsentReport::new(id, consents))?;
        lines.push('\n');
    }
    Ok(lines)
}
