//! Times as Plivo writes them in message records and reads them in filters: `2024-05-26 14:32:13.000000+00:00`. Uses nothing of the
//! simulator.

const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;

/// Writes epoch milliseconds.
pub(super) fn format(time: i64) -> String {
    let (year, month, day) = date_of(time.div_euclid(DAY));
    let rest = time.rem_euclid(DAY);
    let (seconds, milliseconds) = (rest / SECOND, rest % SECOND);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{milliseconds:03}000+00:00",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Reads `YYYY-MM-DD[ HH:MM[:SS[.ffffff]]]`, in UTC, into epoch milliseconds.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text.strip_suffix("+00:00").or_else(|| text.strip_suffix('Z')).unwrap_or(text);
    let (date, clock) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));

    let mut date = date.splitn(3, '-');
    let (year, month, day) = (field(date.next()?, 4)?, field(date.next()?, 2)?, field(date.next()?, 2)?);
    let days = days_of(year, month, day);
    if date_of(days) != (year, month, day) {
        return None; // such as the 30th of February
    }

    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut clock = clock.splitn(3, ':');
    let (hour, minute) = (field(clock.next()?, 2)?, field(clock.next()?, 2)?);
    let second = clock.next().map_or(Some(0), |second| field(second, 2))?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days * DAY + ((hour * 60 + minute) * 60 + second) * SECOND + milliseconds(fraction)?)
}

/// A number of exactly so many digits.
fn field(text: &str, digits: usize) -> Option<i64> {
    let right = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| text.parse().ok()).flatten()
}

/// The first three digits of a fraction of a second.
fn milliseconds(fraction: &str) -> Option<i64> {
    let right = (1..=6).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| format!("{fraction:0<3}")[..3].parse().ok()).flatten()
}

/// Days since 1970-01-01 of a date of the Gregorian calendar. Years are counted from March, so that the leap day is the last of its
/// year; 400 years have 146,097 days, and 719,468 lie between 0000-03-01 and 1970-01-01.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// The inverse of [`days_of`].
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
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
        for day in -800_000..800_000 {
            let (year, month, day_of_month) = date_of(day);
            assert_eq!(days_of(year, month, day_of_month), day);
        }
        for time in [0, 1_709_164_800_001, 4_102_444_799_999] {
            assert_eq!(parse(&format(time)), Some(time));
        }
    }
}
