//! The long comparison with libphonenumber: all paths, many more texts, again with other chances for each round.
//! `cargo run --release -p phone-number-generator --example compare -- 3` takes three rounds. Ends with 1 when there are differences.

#[path = "../tests/compare/mod.rs"]
mod compare;

use std::process::ExitCode;

use compare::Comparison;

/// How many texts a round makes up.
const TEXTS: usize = 1_000_000;
/// How many differences are printed.
const PRINTED: usize = 20;

fn main() -> Result<ExitCode, phone_number_generator::Failure> {
    let rounds: u64 = std::env::args().nth(1).map_or(Ok(1), |rounds| rounds.parse())?;
    let paths = phone_number_generator::tables()?.paths;
    let mut differences = 0;
    for round in 1..=rounds {
        let mut comparison = Comparison::new(round);
        comparison.examples();
        comparison.short();
        comparison.paths(&paths, 1);
        comparison.anything(TEXTS);
        let texts: usize = comparison.answers.values().sum();
        println!("round {round}: {texts} texts, {:?}", comparison.answers);
        println!("{} differences", comparison.differences.len());
        for difference in comparison.differences.iter().take(PRINTED) {
            println!("{difference}");
        }
        differences += comparison.differences.len();
    }
    Ok(if differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
