//! The operator's commands. Each is a function that returns a report: what it found or did, as data that serde writes as JSON, and that
//! [`Display`](std::fmt::Display) writes for people. The binary and the console only show them.
//! They are a separate crate so that they do not link the local stack.
//!
//! | module | for |
//! |---|---|
//! | [`audit`] | who changes what, and the log of it |
//! | [`consent`] | what phones have agreed to |
//! | [`console`] | a page in the browser for most of it |
//! | [`conversion`] | messages and codes that came back, by country and prefix |
//! | [`exposure`] | what an attacker can cost at most |
//! | [`replay`] | past decisions by other rules |
//! | [`spend`] | what was spent of each budget |
//! | [`stack`] | a deployed stack's names and settings |
//! | [`switches`] | kill switches |
//! | [`texts`] | checks of one's own texts |
//! | [`user`] | finding and changing users |
//! | [`why`] | what happened to a phone, and what holds it up |

pub mod audit;
pub mod consent;
pub mod console;
pub mod conversion;
pub mod exposure;
pub mod replay;
pub mod spend;
pub mod stack;
pub mod switches;
pub mod texts;
pub mod user;
pub mod why;

use std::fmt;

use serde::{Serialize, Serializer};
use shared::clock::Timestamp;
use shared::spend::price::Money;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The maximum number of entries that are listed one by one.
const LISTED: usize = 20;
/// Millionths of a dollar in one.
const MILLION: f64 = 1_000_000.0;

/// A moment that is written as ISO 8601 (RFC 3339), in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Iso(pub Timestamp);

impl fmt::Display for Iso {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0.as_millis()) * 1_000_000;
        let moment =
            OffsetDateTime::from_unix_timestamp_nanos(nanos).ok().and_then(|moment| moment.format(&Rfc3339).ok());
        // No year of four digits: nothing that a clock has said.
        f.pad(&moment.unwrap_or_else(|| format!("{} ms", self.0.as_millis())))
    }
}

impl From<Timestamp> for Iso {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl Serialize for Iso {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An amount that is written in US dollars; in JSON, as a number like `0.0077`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(pub Money);

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Exact in print: the largest amount, a billion dollars, has 15 digits.
        serializer.serialize_f64(self.0.as_millionths() as f64 / MILLION)
    }
}

/// The fraction in hundredths, rounded down; `None` of nothing.
fn percent(part: i64, whole: i64) -> Option<i64> {
    (whole > 0).then(|| part.saturating_mul(100) / whole)
}

/// Texts with commas between them, or `none`.
fn listed(texts: impl IntoIterator<Item = impl AsRef<str>>, none: &str) -> String {
    let texts: Vec<_> = texts.into_iter().map(|text| text.as_ref().to_owned()).collect();
    if texts.is_empty() { none.to_owned() } else { texts.join(", ") }
}
