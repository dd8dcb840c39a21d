//! The simulation: logins of a population and an attack on one phone, second by second, as heat on the partitions of each table. What
//! a login touches comes from the recording, so it cannot differ from the code. Uses `touches`, `heat`, `population`.

use std::collections::BTreeSet;

use serde_json::Value;
use shared::crypto::Keys;

use super::heat::{Heat, Hottest, Load, partitions};
use super::population::{Chance, Ids, Owner, Population};
use super::touches::{self, Touch};
use crate::Failure;
use crate::record::Recording;

/// Any number: the same each time.
const SEED: u64 = 20_261_123;
/// Zipf's. At 0.7 the first of a million phones makes one of 200 starts: far more than a person who types codes in could.
const EXPONENT: f64 = 0.7;
/// A million users are 2 GB (docs/cost.md); nothing else grows to one partition.
const USERS_GIGABYTES: f64 = 2.0;
/// How long a start keeps its instance, in seconds, which is when it waits for Plivo (docs/cost.md).
pub(super) const START: f64 = 0.4;
/// Units of a write to an attacked phone's item: with all that it can hold (ten sends and 25 wrong codes of each kind, three pending
/// transactions with five attempts each) it is between 1 and 2 KB. Conditions that fail are charged like writes.
const FULL_ITEM: f64 = 2.0;

/// The two logins: how each starts, and how it ends.
const LOGINS: [(&str, &str); 2] = [
    ("loginWithPhoneNumber, a user's", "loginWithCode, after the phone"),
    ("loginWithPhoneNumberAndPassword", "loginWithCode, after the password"),
];
const WRONG: &str = "loginWithCode, wrong";

/// What somebody does to one phone, a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Attack {
    /// Starts, all refused: they read and write nothing.
    pub(super) starts: f64,
    /// Codes that are wrong, or for a transaction that is over.
    pub(super) attempts: f64,
}

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    /// Logins that are begun, a second.
    pub(super) rate: usize,
    pub(super) attack: Attack,
    /// For how many seconds each instance keeps what it read of everybody's items; `None` were they read each time.
    pub(super) kept: Option<f64>,
    /// Into so many slices the budgets are divided.
    pub(super) slices: usize,
}

/// A table in its hottest second.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) table: String,
    pub(super) partitions: usize,
    pub(super) hottest: Hottest,
}

struct Step {
    table: usize,
    owner: Owner,
    load: Load,
}

/// What is the same in all simulations.
pub(super) struct World {
    tables: Vec<String>,
    logins: Vec<(Vec<Step>, Vec<Step>)>,
    wrong: Vec<Step>,
    population: Population,
}

impl World {
    pub(super) fn new(recording: &Recording, keys: &Keys, phones: usize) -> Result<Self, Failure> {
        let touches = |name| touched(recording, name);
        let starts_ends: Vec<_> = LOGINS.iter().flat_map(|(start, end)| [*start, *end]).chain([WRONG]).collect();
        let all = starts_ends.into_iter().map(touches).collect::<Result<Vec<_>, _>>()?;
        let tables: BTreeSet<_> = all.iter().flatten().map(|touch| touch.table.clone()).collect();
        let tables: Vec<_> = tables.into_iter().collect();
        let ids = Ids::of(keys, &recorded_phone(recording)?);
        let mut steps =
            all.iter().map(|touches| steps(touches, &tables, &ids)).collect::<Result<Vec<_>, _>>()?.into_iter();
        let mut logins = Vec::new();
        for _ in LOGINS {
            logins.extend(steps.next().zip(steps.next()));
        }
        let wrong = steps.next().unwrap_or_default();
        Ok(Self { logins, wrong, population: Population::new(keys, phones, EXPONENT), tables })
    }

    /// Each table in its hottest second of so many.
    pub(super) fn simulate(&self, scenario: &Scenario, seconds: usize) -> Vec<Outcome> {
        let mut run = Run::new(self, scenario);
        let mut outcomes: Vec<Outcome> = Vec::new();
        for _ in 0..seconds {
            let mut heats = run.logins();
            // Grown to the honest load of the first second, which has the fewest refusals. An attack comes before a table can grow.
            let sizes: Vec<_> = match outcomes.is_empty() {
                true => self.tables.iter().zip(&heats).map(|(table, heat)| size(table, heat)).collect(),
                false => outcomes.iter().map(|outcome| outcome.partitions).collect(),
            };
            run.attack(&mut heats);
            for (number, (heat, partitions)) in heats.into_iter().zip(sizes).enumerate() {
                let hottest = heat.hottest(partitions);
                match outcomes.get_mut(number) {
                    Some(so_far) if so_far.hottest.partition.share() < hottest.partition.share() => {
                        so_far.hottest = hottest
                    }
                    Some(_) => {}
                    None => outcomes.push(Outcome { table: self.tables[number].clone(), partitions, hottest }),
                }
            }
        }
        outcomes
    }
}

struct Run<'a> {
    world: &'a World,
    scenario: &'a Scenario,
    chance: Chance,
    /// Who was sent a message: nobody gets a second one within 30 s, longer than a simulation.
    sent: Vec<bool>,
    login: u64,
}

impl<'a> Run<'a> {
    fn new(world: &'a World, scenario: &'a Scenario) -> Self {
        Self { world, scenario, chance: Chance::new(SEED), sent: vec![false; world.population.len()], login: 0 }
    }

    /// One second of logins. Each that gets its code enters it at once.
    fn logins(&mut self) -> Vec<Heat> {
        let world = self.world;
        let mut heats: Vec<_> = world.tables.iter().map(|_| Heat::default()).collect();
        for _ in 0..self.scenario.rate {
            let phone = world.population.draw(&mut self.chance);
            let (start, end) = &world.logins[self.chance.next() as usize % world.logins.len()];
            let refused = std::mem::replace(&mut self.sent[phone], true);
            self.add(&mut heats, start, phone, |load| if refused { Load::read(load.read) } else { load });
            if !refused {
                self.add(&mut heats, end, phone, |load| load);
                self.login += 1;
            }
        }
        heats
    }

    /// One second of the attack, on the phone that comes most seldom.
    fn attack(&self, heats: &mut [Heat]) {
        let Attack { starts, attempts } = self.scenario.attack;
        let phone = self.world.population.len() - 1;
        if let Some((start, _)) = self.world.logins.first() {
            self.add(heats, start, phone, |load| Load::read(load.read * starts));
        }
        self.add(heats, &self.world.wrong, phone, |load| load.times(attempts * FULL_ITEM));
    }

    fn add(&self, heats: &mut [Heat], steps: &[Step], phone: usize, load: impl Fn(Load) -> Load) {
        for step in steps {
            let share = match (step.owner, self.scenario.kept) {
                // An instance takes a request every `START` seconds, and asks once in `kept`.
                (Owner::Everybody(_), Some(kept)) => (START / kept).min(1.0),
                _ => 1.0,
            };
            let load = load(step.load).times(share);
            if load != Load::default() {
                let slices = self.scenario.slices;
                heats[step.table].add(self.world.population.place(phone, step.owner, self.login, slices), load);
            }
        }
    }
}

fn size(table: &str, heat: &Heat) -> usize {
    partitions(heat.total(), if table == "users" { USERS_GIGABYTES } else { 0.0 })
}

/// What the recorded operation of this name touched.
fn touched(recording: &Recording, name: &str) -> Result<Vec<Touch>, Failure> {
    let operation = recording.operations.iter().find(|operation| operation.name == name);
    let calls = &operation.ok_or_else(|| format!("{name} was not recorded"))?.calls;
    Ok(calls.iter().map(touches::of).collect::<Result<Vec<_>, _>>()?.concat())
}

/// The number whose logins were recorded.
fn recorded_phone(recording: &Recording) -> Result<String, Failure> {
    let (start, _) = LOGINS[0];
    let operation = recording.operations.iter().find(|operation| operation.name == start).ok_or("no login recorded")?;
    let body: Value = serde_json::from_str(&operation.ask.body)?;
    Ok(crate::record::text(&body, "phoneNumber")?.to_owned())
}

fn steps(touches: &[Touch], tables: &[String], ids: &Ids) -> Result<Vec<Step>, Failure> {
    let step = |touch: &Touch| {
        let table = tables.iter().position(|table| *table == touch.table).ok_or("a table without a number")?;
        Ok(Step { table, owner: ids.owner(&touch.table, &touch.key)?, load: touch.load })
    };
    touches.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use shared::crypto::Keys;

    use super::*;

    /// A world of one table of phones and one item of everybody's, without a recording.
    fn world() -> World {
        let step = |owner, load| Step { table: 0, owner, load };
        let start =
            vec![step(Owner::Phone, Load { read: 1.0, write: 1.0 }), step(Owner::Everybody(0), Load::read(0.5))];
        let keys = Keys::derive(&local::ROOT_KEY.into()).unwrap();
        World {
            tables: vec!["phones".to_owned()],
            logins: vec![(start, vec![step(Owner::Phone, Load::write(3.0))])],
            wrong: vec![step(Owner::Phone, Load::write(1.0))],
            population: Population::new(&keys, 1_000, EXPONENT),
        }
    }

    fn hottest(rate: usize, attack: Attack, kept: Option<f64>) -> Hottest {
        world().simulate(&Scenario { rate, attack, kept, slices: 4 }, 2)[0].hottest
    }

    #[test]
    fn two_runs_are_the_same() {
        let run = || hottest(500, Attack { starts: 3.0, attempts: 5.0 }, None);
        assert_eq!(run(), run());
    }

    #[test]
    fn a_phone_is_sent_one_message_and_read_each_time() {
        let total = hottest(5_000, Attack::default(), None).total;
        assert_eq!(total.read, 5_000.0 * 1.5);
        assert!(total.write <= 1_000.0 * 4.0, "a thousand phones");
    }

    #[test]
    fn an_attacked_key_is_found() {
        let hottest = hottest(10, Attack { starts: 300.0, attempts: 600.0 }, None);
        assert_eq!(hottest.key, Load { read: 300.0, write: 1_200.0 });
        assert!(hottest.partition.share() > 1.0 && hottest.others.share() < 1.0);
    }

    #[test]
    fn what_is_kept_is_read_less_often() {
        let none = Attack::default();
        assert_eq!(hottest(9_000, none, None).key.read, 4_500.0);
        let kept = hottest(9_000, none, Some(4.0));
        assert!(kept.total.read < hottest(9_000, none, None).total.read - 4_000.0);
    }
}
