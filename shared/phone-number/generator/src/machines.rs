//! The questions that `phone_number` asks of digits, each as a machine for `automaton`. What an outcome means is said in
//! `shared/phone-number/src/plan.rs`, at the field that holds the automaton.

use rlibphonenumber::PhoneNumberType;

use crate::automaton::{Automata, Verdict};
use crate::metadata::{Numbers, Plan};
use crate::pattern::{Captures, Pattern, Run};
use crate::{Failure, is_a_persons};

/// Added to the place of a number's country when the number is not sent to.
const NOT_SERVED: u16 = 1 << 8;

/// Whether a whole text matches: 1 or 0.
pub(crate) fn whole(automata: &mut Automata, pattern: Option<&str>) -> Result<u16, Failure> {
    one_pattern(automata, pattern.map(Pattern::whole), |_| Ok(1))
}

/// How long the international prefix is: 0 without one.
pub(crate) fn international_prefix(automata: &mut Automata, pattern: Option<&str>) -> Result<u16, Failure> {
    one_pattern(automata, pattern.map(Pattern::start), |captures| Ok(span(captures, 0)?.1.into()))
}

/// Which edit takes the national prefix away: 0 without one.
pub(crate) fn national_prefix(automata: &mut Automata, edits: &mut Vec<Edit>, plan: &Plan) -> Result<u16, Failure> {
    one_pattern(automata, plan.national_prefix.as_deref().map(Pattern::start), |captures| {
        let edit = Edit::new(captures, &plan.transform)?;
        let known = edits.iter().position(|known| *known == edit);
        let number = known.unwrap_or(edits.len());
        if known.is_none() {
            edits.push(edit);
        }
        Ok(u16::try_from(number)?)
    })
}

/// The automaton of one pattern, with an outcome for each of its matches; 0 without a match.
fn one_pattern(
    automata: &mut Automata,
    pattern: Option<Result<Pattern, Failure>>,
    mut outcome: impl FnMut(&Captures) -> Result<u16, Failure>,
) -> Result<u16, Failure> {
    let Some(pattern) = pattern.transpose()? else {
        return automata.add(&(), |(), _| (), |()| Ok(Verdict::Settled(Some(0))));
    };
    automata.add(
        &pattern.begin(),
        |run, digit| pattern.step(run, digit),
        |run| {
            let outcome = Some(pattern.end(run).map_or(Ok(0), |captures| outcome(&captures))?);
            Ok(if run.is_settled() { Verdict::Settled(outcome) } else { Verdict::Open(outcome) })
        },
    )
}

/// What becomes of a national number's first digits: `insert`, what was at `kept`, and all from `rest` on.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) insert: String,
    pub(crate) kept: (u8, u8),
    pub(crate) rest: u8,
}

impl Edit {
    /// What the library does with a match: the transform rule stands in its place when there is one and its group took part (the second,
    /// where the pattern has matched two); else the match is cut off.
    fn new(captures: &Captures, transform: &str) -> Result<Self, Failure> {
        let (_, end) = span(captures, 0)?;
        let (first, second) = (span(captures, 1).ok(), span(captures, 2).ok());
        let transforms = second.or(first).is_some_and(|(begin, end)| begin < end) && first.is_some();
        if transform.is_empty() || !transforms {
            return Ok(Self { rest: end, ..Self::default() });
        }
        let (insert, group) = transform.split_once('$').ok_or("a transform rule without group")?;
        if !insert.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(format!("a transform rule of more than digits and one group: {transform}").into());
        }
        let kept = span(captures, group.parse()?)?;
        let insert = insert.to_owned();
        Ok(if kept.1 == end {
            Self { insert, rest: kept.0, ..Self::default() }
        } else {
            Self { insert, kept, rest: end }
        })
    }
}

/// Where a group begins and ends; the group 0 is the whole match.
fn span(captures: &Captures, group: usize) -> Result<(u8, u8), Failure> {
    match captures.get(2 * group..2 * group + 2) {
        Some(&[Some(begin), Some(end)]) => Ok((begin, end)),
        _ => Err(format!("the group {group} has not matched").into()),
    }
}

/// A set of numbers that can be asked for, by its place among the patterns.
struct Set<'a> {
    pattern: Option<usize>,
    numbers: &'a Numbers,
}

/// A plan's sets.
struct Sets<'a> {
    country: u16,
    general: Set<'a>,
    kinds: Vec<(PhoneNumberType, Set<'a>)>,
    leading_digits: Option<usize>,
}

/// The digits so far: how many, and the runs that may still match.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Progress {
    length: i32,
    runs: Vec<(usize, Run)>,
}

/// Which country a calling code's number belongs to and whether it is sent to. The plans are those of the calling code, each with its
/// country's place, the main one first. Only lengths that are possible are asked for: those of the main plan.
pub(crate) fn numbers(automata: &mut Automata, plans: &[(u16, &Plan)]) -> Result<u16, Failure> {
    let mut patterns = Vec::new();
    let sets = plans.iter().map(|(country, plan)| Sets::new(*country, plan, &mut patterns));
    let sets = sets.collect::<Result<Vec<_>, _>>()?;
    let (_, main) = plans.first().ok_or("a calling code without plan")?;
    let longest = main.general.lengths.iter().copied().max().unwrap_or(0);
    let runs = patterns.iter().map(Pattern::begin).enumerate().collect();
    automata.add(
        &Progress { length: 0, runs },
        |progress, digit| {
            let runs = progress.runs.iter().map(|(number, run)| (*number, patterns[*number].step(run, digit)));
            Progress { length: progress.length + 1, runs: runs.filter(|(_, run)| !run.is_lost()).collect() }
        },
        |progress| {
            if progress.length > longest {
                return Ok(Verdict::Settled(None));
            }
            let asked = main.general.lengths.contains(&progress.length);
            let matches = |number| {
                let run = progress.runs.iter().find(|(known, _)| *known == number);
                run.is_some_and(|(_, run)| patterns[number].end(run).is_some())
            };
            Ok(Verdict::Open(asked.then(|| country(&sets, progress.length, matches))))
        },
    )
}

/// As the library finds it: the first plan that takes the number, without one the main plan's country.
fn country(sets: &[Sets<'_>], length: i32, matches: impl Fn(usize) -> bool) -> u16 {
    for plan in sets {
        let takes = |set: &Set<'_>| set.numbers.takes(length) && set.pattern.is_some_and(&matches);
        let kind =
            plan.kinds.iter().find(|(_, set)| takes(set)).filter(|_| takes(&plan.general)).map(|(kind, _)| *kind);
        // Where there is one plan the library does not ask whether it takes the number; here it makes no difference.
        if kind.is_some() || plan.leading_digits.is_some_and(&matches) {
            let served = kind.is_none_or(is_a_persons);
            return plan.country | if served { 0 } else { NOT_SERVED };
        }
    }
    sets.first().map_or(0, |main| main.country)
}

impl<'a> Sets<'a> {
    fn new(country: u16, plan: &'a Plan, patterns: &mut Vec<Pattern>) -> Result<Self, Failure> {
        let mut number = |pattern: Option<Result<Pattern, Failure>>| -> Result<Option<usize>, Failure> {
            let Some(pattern) = pattern else { return Ok(None) };
            patterns.push(pattern?);
            Ok(Some(patterns.len() - 1))
        };
        let mut set = |numbers: &'a Numbers| -> Result<Set<'a>, Failure> {
            Ok(Set { pattern: number(numbers.pattern.as_deref().map(Pattern::whole))?, numbers })
        };
        let general = set(&plan.general)?;
        let kinds = plan.kinds.iter().map(|(kind, numbers)| Ok((*kind, set(numbers)?)));
        let kinds = kinds.collect::<Result<Vec<_>, Failure>>()?;
        let leading_digits = number(plan.leading_digits.as_deref().map(Pattern::start))?;
        Ok(Self { country, general, kinds, leading_digits })
    }
}
