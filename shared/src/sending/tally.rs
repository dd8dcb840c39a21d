//! What was spent, sent and verified so far, by the hour. One tally is one item in storage: a slice of the budgets, in which
//! each country has its counts, or a number's prefix (all but its last four digits). Uses `clock`.
//!
//! Counts belong to the tally's hour; who finds it in an earlier one first [rolls](Tally::at) it. Besides this hour and the one before
//! stands what is usual: the mean of the verified in all earlier hours, in which the last day weighs most (each hour moves it by a 24th of
//! the difference). Of the verified, since who sends for money could else make any volume usual by keeping it up.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::budget::{Amounts, Window};
use super::money::Money;
use crate::clock::Timestamp;

const HOUR_MILLIS: i64 = 60 * 60 * 1000;
/// The mean moves by one of so many parts each hour.
const MEAN_PARTS: i64 = 24;
/// Means are kept in thousandths of a message.
const THOUSAND: i64 = 1000;
/// After so many hours without any, a mean is as good as nothing.
const FORGOTTEN: i64 = 30 * 24;

/// How long a tally is kept after its last hour: a month's budget must outlive a quiet month.
pub const KEPT: Duration = Duration::from_secs(40 * 24 * 60 * 60);

/// The scope of all countries together. Others are a country's two letters, for money, and those of `Flow::scope`, for volume.
pub const ALL: &str = "all";

/// What is counted for a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
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

impl Count {
    const fn word(self) -> &'static str {
        match self {
            Self::SpentHour => "spent_hour",
            Self::SpentDay => "spent_day",
            Self::SpentMonth => "spent_month",
            Self::Sends => "sends",
            Self::Verified => "verified",
            Self::SendsBefore => "sends_before",
            Self::VerifiedBefore => "verified_before",
            Self::Mean => "mean",
        }
    }

    /// Its name in a tally.
    pub fn of(self, scope: &str) -> String {
        format!("{scope}_{}", self.word())
    }
}

/// One tally.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Hours since 1970.
    pub hour: i64,
    /// What was counted, by [`Count::of`]; what is not there is 0.
    pub counts: BTreeMap<String, i64>,
}

impl Tally {
    /// The tally as it stands in the hour of this moment.
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
            let old = |count: Count| self.get(scope, count);
            let mut new = |count: Count, value: i64| {
                if value != 0 {
                    rolled.counts.insert(count.of(scope), value);
                }
            };
            new(Count::SpentDay, if same_day { old(Count::SpentDay) } else { 0 });
            new(Count::SpentMonth, if same_month { old(Count::SpentMonth) } else { 0 });
            new(Count::SendsBefore, if passed == 1 { old(Count::Sends) } else { 0 });
            new(Count::VerifiedBefore, if passed == 1 { old(Count::Verified) } else { 0 });
            new(Count::Mean, mean(old(Count::Mean), old(Count::Verified), passed));
        }
        rolled
    }

    /// One count.
    pub fn get(&self, scope: &str, count: Count) -> i64 {
        self.counts.get(&count.of(scope)).copied().unwrap_or_default()
    }

    /// What was spent for a scope.
    pub fn spent(&self, scope: &str) -> Amounts {
        let money = |count| Money::from_millionths(self.get(scope, count));
        Amounts { hour: money(Count::SpentHour), day: money(Count::SpentDay), month: money(Count::SpentMonth) }
    }

    /// How a scope has been doing.
    pub fn volume(&self, scope: &str) -> Volume {
        let get = |count| self.get(scope, count);
        Volume {
            sends: get(Count::Sends) + get(Count::SendsBefore),
            verified: get(Count::Verified) + get(Count::VerifiedBefore),
            usual: get(Count::Mean) * 2,
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

/// The volume of this hour and the one before, beside the usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Messages.
    pub sends: i64,
    /// Codes that came back right.
    pub verified: i64,
    /// Thousandths of a message: what two hours usually have.
    pub usual: i64,
}

impl Volume {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            sends: self.sends + other.sends,
            verified: self.verified + other.verified,
            usual: self.usual + other.usual,
        }
    }

    /// So many times all of it.
    #[must_use]
    pub const fn times(self, count: i64) -> Self {
        Self { sends: self.sends * count, verified: self.verified * count, usual: self.usual * count }
    }

    /// One of so many equal parts, rounded down.
    #[must_use]
    pub const fn part_of(self, parts: i64) -> Self {
        Self { sends: self.sends / parts, verified: self.verified / parts, usual: self.usual / parts }
    }

    /// Whether there are more than so many times the usual.
    pub const fn is_above(&self, times: i64) -> bool {
        self.sends.saturating_mul(THOUSAND) > self.usual.saturating_mul(times)
    }

    /// Whether fewer than so many of a hundred came back right.
    pub const fn is_below(&self, percent: i64) -> bool {
        self.verified.saturating_mul(100) < self.sends.saturating_mul(percent)
    }
}

/// The mean after an hour with so many verified, and the hours without any after it.
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

    fn tally(counts: &[(Count, i64)]) -> Tally {
        Tally { hour: hour_of(at(0)), counts: counts.iter().map(|(count, value)| (count.of("US"), *value)).collect() }
    }

    #[test]
    fn each_window_ends_at_its_second_and_no_other_does() {
        let spent = tally(&[(Count::SpentHour, 1), (Count::SpentDay, 2), (Count::SpentMonth, 3)]);
        let amounts = |hour, day, month| {
            let [hour, day, month] = [hour, day, month].map(Money::from_millionths);
            Amounts { hour, day, month }
        };
        let before = Timestamp::from_millis(at(1).as_millis() - 1);
        assert_eq!(spent.at(before).spent("US"), amounts(1, 2, 3));
        assert_eq!(spent.at(at(1)).spent("US"), amounts(0, 2, 3));
        assert_eq!(spent.at(at(2)).spent("US"), amounts(0, 0, 0), "the month ends with the day");
        assert_eq!(spent.at(at(-1)), spent, "no clock turns it back");
        let earlier = Tally { hour: hour_of(at(-48)), ..spent };
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
        let counted = tally(&[(Count::Sends, 10), (Count::Verified, 7)]);
        let volume = |hours| counted.at(at(hours)).volume("US");
        assert_eq!((volume(0).sends, volume(0).verified), (10, 7));
        assert_eq!((volume(1).sends, volume(1).verified), (10, 7));
        assert_eq!((volume(2).sends, volume(2).verified), (0, 0));
    }

    #[test]
    fn the_mean_follows_the_volume_and_forgets_it() {
        let mut tally = tally(&[]);
        for hour in 0..240 {
            tally = tally.at(at(hour));
            tally.counts.insert(Count::Verified.of("US"), 100);
        }
        let usual = tally.volume("US").usual;
        assert!((195_000..=200_000).contains(&usual), "{usual}");
        let day = tally.at(at(240 + 24)).volume("US").usual;
        assert!((60_000..90_000).contains(&day), "{day}");
        assert_eq!(tally.at(at(240 + 800)).counts, BTreeMap::new());
        assert!(tally.at(at(240 + 700)).volume("US").usual < 100);
    }

    /// Found by a review: a volume that is kept up became the usual one, and the guard let it pass.
    #[test]
    fn what_nobody_verifies_never_becomes_usual() {
        let mut tally = tally(&[]);
        for hour in 0..72 {
            tally = tally.at(at(hour));
            assert!(tally.volume("US").is_above(2) || hour == 0, "{hour}");
            tally.counts.insert(Count::Sends.of("US"), 1000);
        }
    }

    #[test]
    fn rolling_at_once_or_hour_by_hour_is_the_same() {
        let counted = tally(&[(Count::Sends, 50), (Count::SpentMonth, 9), (Count::Mean, 12_345)]);
        let by_the_hour = (1..=200).fold(counted.clone(), |tally, hour| tally.at(at(hour)));
        assert_eq!(by_the_hour.volume("US"), counted.at(at(200)).volume("US"));
    }
}
