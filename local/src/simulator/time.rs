//! Times as Plivo writes them in message records and reads them in filters: `2024-05-26 14:32:13.000000+00:00`.

use ::time::format_description::BorrowedFormatItem;
use ::time::macros::format_description;
use ::time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

const NANOS_PER_MILLI: i128 = 1_000_000;
const WRITTEN: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:6]+00:00");
const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const CLOCKS: [&[BorrowedFormatItem<'_>]; 3] = [
    format_description!("[hour]:[minute]"),
    format_description!("[hour]:[minute]:[second]"),
    format_description!("[hour]:[minute]:[second].[subsecond]"),
];

/// Formats epoch milliseconds. The result is empty after the year 9999.
pub(super) fn format(time: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time) * NANOS_PER_MILLI).ok();
    time.and_then(|time| time.format(WRITTEN).ok()).unwrap_or_default()
}

/// Like [`format()`], without the offset, as callbacks have it.
pub(super) fn format_local(time: i64) -> String {
    format(time).trim_end_matches("+00:00").to_owned()
}

/// Parses `YYYY-MM-DD[ HH:MM[:SS[.ffffff]]]`, in UTC, to epoch milliseconds.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text.strip_suffix("+00:00").or_else(|| text.strip_suffix('Z')).unwrap_or(text);
    let (date, clock) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
    let date = Date::parse(date, DATE).ok()?;
    let clock = CLOCKS.iter().find_map(|form| Time::parse(clock, form).ok())?;
    let nanos = PrimitiveDateTime::new(date, clock).assume_utc().unix_timestamp_nanos();
    i64::try_from(nanos / NANOS_PER_MILLI).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2024",
            "2024-02-30",
            "2024-13-01",
            "2024-01-01 24:00",
            "2024-01-01 10",
            "2024-01-01 10:61",
            "2024-01-01 10:00:00.",
            "24-1-1",
            "2024-00-10",
            "2024-01-00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_documented_form_is_read() {
        for (text, time) in [
            ("1970-01-01", 0),
            ("1970-01-01 00:01", 60_000),
            ("2020-05-26 14:32:13", 1_590_503_533_000),
            ("2020-05-26T14:32:13.5Z", 1_590_503_533_500),
            ("2020-05-26 14:32:13.419999+00:00", 1_590_503_533_419),
            ("2024-02-29", 1_709_164_800_000),
        ] {
            assert_eq!(parse(text), Some(time), "{text}");
        }
    }

    #[test]
    fn times_are_written_with_microseconds_and_read_back() {
        assert_eq!(format(1_590_503_533_419), "2020-05-26 14:32:13.419000+00:00");
        assert_eq!(format(0), "1970-01-01 00:00:00.000000+00:00");
        for time in [0, 1_709_164_800_001, 4_102_444_799_999] {
            assert_eq!(parse(&format(time)), Some(time));
        }
    }
}
