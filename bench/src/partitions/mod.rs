//! How hot the partitions of each table get at 10, 1,000 and 100,000 logins a second, with a skewed population, an attack on one phone
//! and the items that everybody reads. `docs/scale.md` says what follows. Counts only, the same in each run.
//!
//! | module | for |
//! |---|---|
//! | `touches` | what a recorded call touches |
//! | `population` | who logs in, with the service's own keys |
//! | `heat` | partitions, their limits and the hottest of them |
//! | `gateway` | what gets through against one phone |
//! | `world` | the simulation |

mod gateway;
mod heat;
mod population;
mod touches;
mod world;

use gateway::Gateway;
use shared::spend::budget::MAX_SHARDS;
use shared::store::CONTROLS_KEPT;
use world::{Attack, Outcome, Scenario, World};

use crate::record::Recording;
use crate::report::Report;
use crate::{Effort, Failure, table};

/// Phones with a user. As many in a quick run, since fewer would make each hotter.
const PHONES: usize = 1_000_000;
/// Seconds of a full run's simulations. A second message within them is refused.
const SECONDS: usize = 5;
/// What a limit per address before the gateway would let through, a second: 500 addresses with 100 requests in five minutes each.
const ADDRESSES: f64 = 500.0 * 100.0 / 300.0;

/// `BUDGET_SHARDS` is to be one for each so many logins a second, and four at least.
const LOGINS_OF_A_SLICE: usize = 25;

/// A simulation and what is expected of it.
struct Case {
    name: String,
    scenario: Scenario,
    /// Whether it is as `docs/scale.md` recommends: then no partition may be over its limit.
    recommended: bool,
}

/// Simulates and prints. Answers which recommended settings do not hold.
pub(crate) async fn print(recording: &Recording, effort: Effort, report: &mut Report) -> Result<Vec<String>, Failure> {
    let app = &recording.store.app;
    let keys = app.secrets.keys(app.clock.now()).await?;
    let world = World::new(recording, &keys, PHONES)?;
    report.say(&format!("{PHONES} phones, the hottest of {} seconds.\n", effort.of(SECONDS)));
    let mut over = Vec::new();
    for case in cases(&Gateway::read()?) {
        let outcomes = world.simulate(&case.scenario, effort.of(SECONDS));
        let rows: Vec<_> = outcomes.iter().map(row).collect();
        report.say(&table::markdown(&case.name, &COLUMNS, &rows));
        if case.recommended && outcomes.iter().any(is_over) {
            over.push(format!("a partition over its limit: {}", case.name));
        }
    }
    Ok(over)
}

fn cases(gateway: &Gateway) -> Vec<Case> {
    let none = Attack::default();
    let (sending, other) = (gateway.sending, gateway.other);
    let both = |rate| gateway.attack(rate, rate);
    let flood = Attack { starts: 5_000.0, attempts: 5_000.0 };
    let addresses = Attack { starts: 0.0, attempts: ADDRESSES };
    let mut unkept = case("were controls read at each start", 100_000, none, false);
    unkept.scenario.kept = None;
    vec![
        case("the template's defaults", 10, gateway.attack(sending.default, other.default), true),
        case("no throttle but the account's", 10, flood, false),
        case("both throttles at 70", 70, both(70.0), true),
        case("as it is", 1_000, none, true),
        case("both throttles at the first's most", 1_000, both(sending.most), false),
        case("a limit per address", 1_000, addresses, true),
        case("as it is", 100_000, none, true),
        unkept,
        case("no throttle but the account's", 100_000, flood, false),
        case("a limit per address", 100_000, addresses, true),
    ]
}

fn case(name: &str, rate: usize, attack: Attack, recommended: bool) -> Case {
    let mut name = format!("{rate} logins a second, {name}");
    if attack != Attack::default() {
        name += &format!("; on one phone {:.0} starts and {:.0} codes a second", attack.starts, attack.attempts);
    }
    if recommended {
        name += " (recommended)";
    }
    let slices = (rate / LOGINS_OF_A_SLICE).clamp(4, MAX_SHARDS);
    let scenario = Scenario { rate, attack, kept: Some(CONTROLS_KEPT.as_secs_f64()), slices };
    Case { name, scenario, recommended }
}

const COLUMNS: [&str; 9] = [
    "table",
    "read units",
    "write units",
    "partitions",
    "hottest: read",
    "hottest: write",
    "of its limit",
    "hottest item, of its limit",
    "the hottest without it",
];

fn row(outcome: &Outcome) -> Vec<String> {
    let Outcome { table, partitions, hottest } = outcome;
    let percent = |share: f64| format!("{:.1} %{}", share * 100.0, if share > 1.0 { " OVER" } else { "" });
    vec![
        table.clone(),
        format!("{:.0}", hottest.total.read),
        format!("{:.0}", hottest.total.write),
        partitions.to_string(),
        format!("{:.0}", hottest.partition.read),
        format!("{:.0}", hottest.partition.write),
        percent(hottest.partition.share()),
        percent(hottest.key.share()),
        percent(hottest.others.share()),
    ]
}

fn is_over(outcome: &Outcome) -> bool {
    outcome.hottest.partition.share() > 1.0
}

#[cfg(test)]
mod tests {
    use super::heat::{Hottest, Load};
    use super::*;

    fn outcome(write: f64) -> Outcome {
        let hottest = Hottest { partition: Load::write(write), ..Hottest::default() };
        Outcome { table: "phones".to_owned(), partitions: 4, hottest }
    }

    #[test]
    fn a_partition_at_its_limit_is_not_over_it_and_one_past_it_is() {
        assert!(!is_over(&outcome(1_000.0)));
        assert!(is_over(&outcome(1_001.0)));
        assert!(row(&outcome(1_001.0)).concat().contains("100.1 % OVER"));
    }

    #[test]
    fn every_rate_has_recommended_settings() {
        let cases = cases(&Gateway::read().unwrap());
        for rate in [10, 1_000, 100_000] {
            assert!(cases.iter().any(|case| case.recommended && case.scenario.rate == rate), "{rate}");
        }
    }
}
