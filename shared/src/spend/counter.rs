//! What was spent, sent and verified so far, by the hour. A counter is one item in storage: a shard of the budgets, in which each country has
//! its counts, or a number's prefix (all but its last four digits).
//!
//! Counts belong to the counter's hour; a counter of an earlier hour is first [rolled](Counter::at). Besides this hour and the one before
//! it holds what is usual: the mean of the verified in all earlier hours, in which the last day weighs most (each hour moves it by a 24th
//! of the difference). It counts verified codes, since an attacker could make any number of messages usual by sending them for long enough.

use std::collections::BTreeMap;
use std::time::Duration;

use derive_more::{Add, Div, Mul, Sum};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::budget::{Amounts, Window};
use super::price::Money;
use crate::clock::Timestamp;
use crate::flow::Flow;
use strum::IntoStaticStr;

const HOUR_MILLIS: i64 = 60 * 60 * 1000;
/// Each hour moves the mean by this fraction (a 24th) of the difference.
const MEAN_PARTS: i64 = 24;
/// Means are kept in thousandths of a message.
const THOUSAND: i64 = 1000;
/// After this many hours without any, a mean counts as zero.
const FORGOTTEN: i64 = 30 * 24;

/// How long a counter is kept after its last hour: a month's budget must outlive a quiet month.
pub const RETENTION: Duration = Duration::from_secs(40 * 24 * 60 * 60);

/// The scope of all countries together. Others are a country's two letters, for money, and those of [`volume_scope`].
pub const ALL: &str = "all";

/// The scope under which a flow's messages and codes are counted for a prefix. Registrations and logins are counted apart: a stranger can
/// start any number of the first, and their suspension must not keep owners out.
pub const fn volume_scope(flow: Flow) -> &'static str {
    if flow.is_for_confirmed_phones() { "login" } else { "register" }
}

/// The same for a country.
pub fn country_volume_scope(flow: Flow, country: &str) -> String {
    format!("{country}-{}", volume_scope(flow))
}

/// What is counted for a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Field {
    /// Millionths of a dollar spent in this hour.
    SpentHour,
    /// In this day.
    SpentDay,
    /// In this month.
    SpentMonth,
    /// Messages sent in this hour.
    Sends,
    /// Codes that came back right in it.
    Verified,
    /// Messages sent in the hour before.
    SendsBefore,
    /// Codes that came back right in that.
    VerifiedBefore,
    /// Thousandths of a message: the mean of the verified in an hour before this one.
    Mean,
}

impl Field {
    /// Its name in a counter.
    pub fn of(self, scope: &str) -> String {
        let name: &str = self.into();
        format!("{scope}_{name}")
    }
}

/// The names under which a scope's spending is kept: in this hour, day and month.
pub fn spent_fields(scope: &str) -> [String; 3] {
    [Field::SpentHour, Field::SpentDay, Field::SpentMonth].map(|field| field.of(scope))
}

/// One counter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counter {
    /// Hours since 1970.
    pub hour: i64,
    /// What was counted, by [`Field::of`]; what is not there is 0.
    pub counts: BTreeMap<String, i64>,
}

impl Counter {
    /// The counter as it stands in the hour of this moment.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        let hour = hour_of(now);
        let passed = hour - self.hour;
        // A clock that is a little behind counts in the hour that others have begun.
        if passed <= 0 {
            return self.clone();
        }
        let mut rolled = Self { hour, counts: BTreeMap::new() };
        let same_day = hour.div_euclid(24) == self.hour.div_euclid(24);
        let same_month = month_of(hour) == month_of(self.hour);
        for scope in self.scopes() {
            let old = |field: Field| self.get(scope, field);
            let mut new = |field: Field, value: i64| {
                if value != 0 {
                    rolled.counts.insert(field.of(scope), value);
                }
            };
            new(Field::SpentDay, if same_day { old(Field::SpentDay) } else { 0 });
            new(Field::SpentMonth, if same_month { old(Field::SpentMonth) } else { 0 });
            new(Field::SendsBefore, if passed == 1 { old(Field::Sends) } else { 0 });
            new(Field::VerifiedBefore, if passed == 1 { old(Field::Verified) } else { 0 });
            new(Field::Mean, mean(old(Field::Mean), old(Field::Verified), passed));
        }
        rolled
    }

    /// One count.
    pub fn get(&self, scope: &str, field: Field) -> i64 {
        self.counts.get(&field.of(scope)).copied().unwrap_or_default()
    }

    /// What was spent for a scope.
    pub fn spent(&self, scope: &str) -> Amounts {
        let money = |count| Money::from_millionths(self.get(scope, count));
        Amounts { hour: money(Field::SpentHour), day: money(Field::SpentDay), month: money(Field::SpentMonth) }
    }

    /// How a scope has been doing.
    pub fn volume(&self, scope: &str) -> Volume {
        let get = |count| self.get(scope, count);
        Volume {
            sends: get(Field::Sends) + get(Field::SendsBefore),
            verified: get(Field::Verified) + get(Field::VerifiedBefore),
            usual: get(Field::Mean) * 2,
        }
    }

    fn scopes(&self) -> impl Iterator<Item = &str> {
        let mut last = "";
        self.counts.keys().filter_map(move |name| {
            let (scope, _) = name.split_once('_')?;
            (scope != std::mem::replace(&mut last, scope)).then_some(scope)
        })
    }
}

/// A counter as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionedCounter {
    /// Its version, where it is in storage.
    pub version: Option<i64>,
    /// What it holds.
    pub counter: Counter,
}

/// An amount to be added to a count, and the maximum of the sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// [`Field::of`].
    pub name: String,
    /// How much.
    pub amount: i64,
    /// The maximum, where there is one.
    pub max: Option<i64>,
}

impl Addition {
    /// Whether the sum stays within its maximum.
    pub(crate) fn fits(&self, counter: &Counter) -> bool {
        let before = counter.counts.get(&self.name).copied().unwrap_or_default();
        self.max.is_none_or(|max| before.saturating_add(self.amount) <= max)
    }
}

/// The volume of this hour and the one before, beside the usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Add, Mul, Div, Sum)]
pub struct Volume {
    /// Messages.
    pub sends: i64,
    /// Codes that came back right.
    pub verified: i64,
    /// Thousandths of a message: what two hours usually have.
    pub usual: i64,
}

impl Volume {
    /// Whether there are more than this multiple of the usual number.
    pub const fn is_above(&self, times: i64) -> bool {
        self.sends.saturating_mul(THOUSAND) > self.usual.saturating_mul(times)
    }

    /// Whether the percentage that came back right is below this.
    pub const fn is_below(&self, percent: i64) -> bool {
        self.verified.saturating_mul(100) < self.sends.saturating_mul(percent)
    }
}

/// The mean after an hour with this many verified codes, and any hours without codes after it.
fn mean(mean: i64, verified: i64, passed: i64) -> i64 {
    if passed > FORGOTTEN {
        return 0;
    }
    let moved = |mean: i64, verified: i64| mean + (verified * THOUSAND - mean).div_euclid(MEAN_PARTS);
    (1..passed).fold(moved(mean, verified), |mean, _| moved(mean, 0))
}

/// Hours since 1970.
pub fn hour_of(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(HOUR_MILLIS)
}

/// When the window that this moment is in ends.
pub fn end_of(window: Window, now: Timestamp) -> Timestamp {
    let hour = hour_of(now);
    let same = |next: i64| match window {
        Window::Hour => false,
        Window::Day => next.div_euclid(24) == hour.div_euclid(24),
        Window::Month => month_of(next) == month_of(hour),
    };
    let mut end = hour + 1;
    while same(end) {
        end += 1;
    }
    Timestamp::from_millis(end * HOUR_MILLIS)
}

/// Months since year 0.
pub(crate) fn month_of(hour: i64) -> i64 {
    let date = OffsetDateTime::from_unix_timestamp(hour * 60 * 60).unwrap_or(OffsetDateTime::UNIX_EPOCH).date();
    i64::from(date.year()) * 12 + i64::from(u8::from(date.month()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-30T22:00:00Z.
    const LATE_NOVEMBER: i64 = 1_796_076_000_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(LATE_NOVEMBER + hours * HOUR_MILLIS)
    }

    fn counter(counts: &[(Field, i64)]) -> Counter {
        Counter { hour: hour_of(at(0)), counts: counts.iter().map(|(count, value)| (count.of("US"), *value)).collect() }
    }

    #[test]
    fn each_window_ends_at_its_second_and_no_other_does() {
        let spent = counter(&[(Field::SpentHour, 1), (Field::SpentDay, 2), (Field::SpentMonth, 3)]);
        let amounts = |hour, day, month| {
            let [hour, day, month] = [hour, day, month].map(Money::from_millionths);
            Amounts { hour, day, month }
        };
        let before = Timestamp::from_millis(at(1).as_millis() - 1);
        assert_eq!(spent.at(before).spent("US"), amounts(1, 2, 3));
        assert_eq!(spent.at(at(1)).spent("US"), amounts(0, 2, 3));
        assert_eq!(spent.at(at(2)).spent("US"), amounts(0, 0, 0), "the month ends with the day");
        assert_eq!(spent.at(at(-1)), spent, "no clock turns it back");
        let earlier = Counter { hour: hour_of(at(-48)), ..spent };
        assert_eq!(earlier.at(at(-47)).spent("US"), amounts(0, 2, 3));
        assert_eq!(earlier.at(at(-24)).spent("US"), amounts(0, 0, 3));
    }

    #[test]
    fn who_waits_for_a_window_s_end_finds_it_ended() {
        for (window, hours) in [(Window::Hour, 1), (Window::Day, 2), (Window::Month, 2)] {
            assert_eq!(end_of(window, at(0)), at(hours), "{window:?}");
            assert_eq!(end_of(window, Timestamp::from_millis(at(1).as_millis() - 1)), at(hours), "{window:?}");
        }
        assert_eq!(end_of(Window::Month, at(2)), at(2 + 31 * 24));
    }

    #[test]
    fn the_hour_before_counts_for_one_hour() {
        let counted = counter(&[(Field::Sends, 10), (Field::Verified, 7)]);
        let volume = |hours| counted.at(at(hours)).volume("US");
        assert_eq!((volume(0).sends, volume(0).verified), (10, 7));
        assert_eq!((volume(1).sends, volume(1).verified), (10, 7));
        assert_eq!((volume(2).sends, volume(2).verified), (0, 0));
    }

    #[test]
    fn the_mean_follows_the_volume_and_forgets_it() {
        let mut counter = counter(&[]);
        for hour in 0..240 {
            counter = counter.at(at(hour));
            counter.counts.insert(Field::Verified.of("US"), 100);
        }
        let usual = counter.volume("US").usual;
        assert!((195_000..=200_000).contains(&usual), "{usual}");
        let day = counter.at(at(240 + 24)).volume("US").usual;
        assert!((60_000..90_000).contains(&day), "{day}");
        assert_eq!(counter.at(at(240 + 800)).counts, BTreeMap::new());
        assert!(counter.at(at(240 + 700)).volume("US").usual < 100);
    }

    /// Found by a review: a volume that is kept up became the usual one, and the guard let it pass.
    #[test]
    fn what_nobody_verifies_never_becomes_usual() {
        let mut counter = counter(&[]);
        for hour in 0..72 {
            counter = counter.at(at(hour));
            assert!(counter.volume("US").is_above(2) || hour == 0, "{hour}");
            counter.counts.insert(Field::Sends.of("US"), 1000);
        }
    }

    #[test]
    fn rolling_at_once_or_hour_by_hour_is_the_same() {
        let counted = counter(&[(Field::Sends, 50), (Field::SpentMonth, 9), (Field::Mean, 12_345)]);
        let by_the_hour = (1..=200).fold(counted.clone(), |counter, hour| counter.at(at(hour)));
        assert_eq!(by_the_hour.volume("US"), counted.at(at(200)).volume("US"));
    }
}
