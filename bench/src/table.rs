//! Tables in Markdown, and numbers as they stand in them.

use std::time::Duration;

/// A table under a heading. The first column is text, the others are numbers and stand at the right.
pub(crate) fn markdown(heading: &str, columns: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("|{}|\n", cells.join("|"));
    let rule: Vec<_> = (0..columns.len()).map(|column| if column == 0 { "---" } else { "---:" }.to_owned()).collect();
    let columns: Vec<_> = columns.iter().map(|column| (*column).to_owned()).collect();
    let body: String = rows.iter().map(|row| line(row)).collect();
    format!("### {heading}\n\n{}{}{body}", line(&columns), line(&rule))
}

/// A percentile by nearest rank; zero without values. Sorts the values.
pub(crate) fn percentile(values: &mut [Duration], percent: usize) -> Duration {
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or_default()
}

/// Microseconds, or milliseconds from 10 on, with three digits or so.
pub(crate) fn time(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        ..100.0 => format!("{micros:.1} µs"),
        ..10_000.0 => format!("{micros:.0} µs"),
        _ => format!("{:.1} ms", micros / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut values: Vec<_> = (1..=200).rev().map(Duration::from_micros).collect();
        assert_eq!(percentile(&mut values, 50), Duration::from_micros(100));
        assert_eq!(percentile(&mut values, 99), Duration::from_micros(198));
        assert_eq!(percentile(&mut values[..1], 99), Duration::from_micros(1));
        assert_eq!(percentile(&mut [], 50), Duration::ZERO);
    }

    #[test]
    fn tables_are_markdown() {
        let table = markdown("A", &["x", "y"], &[vec!["1".into(), "2".into()]]);
        assert_eq!(table, "### A\n\n|x|y|\n|---|---:|\n|1|2|\n");
    }

    #[test]
    fn times_have_about_three_digits() {
        assert_eq!(time(Duration::from_nanos(12_340)), "12.3 µs");
        assert_eq!(time(Duration::from_micros(1_234)), "1234 µs");
        assert_eq!(time(Duration::from_micros(23_456)), "23.5 ms");
    }
}
