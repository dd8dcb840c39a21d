//! Writes automata over digits into one array of numbers, in the form that `phone_number` walks: see `shared/src/phone/automaton.rs`.
//! Equal parts are written once, also across automata.

use std::collections::HashMap;
use std::hash::Hash;

use crate::Failure;

/// Marks an entry that is an outcome and not the position of a node.
const DECIDED: u16 = 1 << 15;

/// No pattern of libphonenumber looks at more digits. One that does would be a repetition without end.
const DEEPEST: usize = 24;

/// What there is to say about a state of a machine. An outcome that nobody asks for is `None`, so it can be any.
pub(crate) enum Verdict {
    /// The outcome, whatever follows.
    Settled(Option<u16>),
    /// The outcome of a text that ends here; more digits may change it.
    Open(Option<u16>),
}

/// The array of all automata.
#[derive(Default)]
pub(crate) struct Automata {
    pub(crate) words: Vec<u16>,
    /// Digits that lead to each state of the machine added last, and from there each next digit.
    pub(crate) paths: Vec<String>,
    written: HashMap<Vec<u16>, u16>,
}

impl Automata {
    /// Adds the automaton of a machine and gives its entry.
    pub(crate) fn add<S: Clone + Eq + Hash>(
        &mut self,
        start: &S,
        step: impl Fn(&S, u8) -> S,
        judge: impl FnMut(&S) -> Result<Verdict, Failure>,
    ) -> Result<u16, Failure> {
        self.paths.clear();
        let mut machine = Machine { automata: self, step, judge, known: HashMap::new(), path: String::new() };
        Ok(machine.entry(start)?.unwrap_or(DECIDED))
    }

    /// Writes a node unless it is already there: the outcome at the end, a bit for each digit whose entry is not that of the digit before,
    /// and those entries.
    fn node(&mut self, end: Option<u16>, entries: [Option<u16>; 10]) -> Result<Option<u16>, Failure> {
        let Some(mut last) = entries.into_iter().flatten().next() else {
            return Ok(end.map(|outcome| DECIDED | outcome));
        };
        let constant = entries.into_iter().flatten().all(|entry| entry == last);
        if constant && last & DECIDED != 0 && end.is_none_or(|outcome| DECIDED | outcome == last) {
            return Ok(Some(last));
        }
        let mut node = vec![end.unwrap_or(0), 1, last];
        for (digit, entry) in entries.into_iter().enumerate().skip(1) {
            if let Some(entry) = entry.filter(|entry| *entry != last) {
                node[1] |= 1 << digit;
                node.push(entry);
                last = entry;
            }
        }
        if let Some(position) = self.written.get(&node) {
            return Ok(Some(*position));
        }
        let position = u16::try_from(self.words.len()).ok().filter(|position| position & DECIDED == 0);
        let position = position.ok_or("the automata are too large for their entries")?;
        self.words.extend(&node);
        self.written.insert(node, position);
        Ok(Some(position))
    }
}

/// A machine on its way into the array, with the states that are already in it.
struct Machine<'a, S, Step, Judge> {
    automata: &'a mut Automata,
    step: Step,
    judge: Judge,
    known: HashMap<S, Option<u16>>,
    path: String,
}

impl<S: Clone + Eq + Hash, Step: Fn(&S, u8) -> S, Judge: FnMut(&S) -> Result<Verdict, Failure>>
    Machine<'_, S, Step, Judge>
{
    fn entry(&mut self, state: &S) -> Result<Option<u16>, Failure> {
        self.automata.paths.push(self.path.clone());
        if let Some(entry) = self.known.get(state) {
            return Ok(*entry);
        }
        if self.path.len() > DEEPEST {
            return Err("a pattern without end".into());
        }
        let entry = match (self.judge)(state)? {
            Verdict::Settled(outcome) => outcome.map(|outcome| DECIDED | outcome),
            Verdict::Open(end) => {
                let mut entries = [None; 10];
                for (digit, entry) in ('0'..='9').zip(&mut entries) {
                    self.path.push(digit);
                    *entry = self.entry(&(self.step)(state, digit as u8))?;
                    self.path.pop();
                }
                self.automata.node(end, entries)?
            }
        };
        self.known.insert(state.clone(), entry);
        Ok(entry)
    }
}
