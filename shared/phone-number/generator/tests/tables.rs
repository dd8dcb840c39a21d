//! The tables are current, and what is read by them is what libphonenumber reads. `examples/compare.rs` asks more, and takes longer.

mod compare;

use compare::Comparison;

/// One path of this many is taken here: all of them take minutes without optimisation.
const EVERY: usize = 40;
/// How many texts are made up.
const TEXTS: usize = 20_000;

#[test]
fn the_tables_are_current() {
    let written = include_str!("../../src/tables.rs");
    let current = phone_number_generator::tables().unwrap().source;
    assert!(
        written == current,
        "shared/phone-number/src/tables.rs is out of date: run `cargo run -p phone-number-generator`"
    );
}

#[test]
fn numbers_are_those_of_the_library() {
    let paths = phone_number_generator::tables().unwrap().paths;
    let mut comparison = Comparison::new(1);
    comparison.examples();
    comparison.short();
    comparison.paths(&paths, EVERY);
    comparison.anything(TEXTS);
    assert_eq!(comparison.differences, Vec::<String>::new());
    for (answer, times) in comparison.answers {
        assert!(times > 1_000, "{answer}: only {times} times");
    }
}
