//! One of libphonenumber's regular expressions, run a digit at a time. Each state that a run reaches is a value that can be compared, so
//! that `automaton` can find all of them.
//!
//! A run is Pike's algorithm: the places in the expression where the digits so far may have led, the preferred one first, each with what
//! its groups have captured. That gives the same match as the library's backtracking order.

use std::collections::HashSet;

use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::primitives::StateID;
use regex_automata::util::{look::Look, syntax};

use crate::Failure;

/// The groups that an expression may have, besides the whole match.
const GROUPS: usize = 2;

/// Where the whole match and the groups begin and end: `[begin, end, first group's begin, its end, ...]`.
pub(crate) type Captures = [Option<u8>; 2 * (1 + GROUPS)];

/// A compiled expression.
pub(crate) struct Pattern(NFA);

/// How far one run of a pattern has come.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    position: u8,
    threads: Vec<Thread>,
    /// The match, unless one of the threads comes to a preferred one.
    found: Option<Captures>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Thread {
    state: StateID,
    captures: Captures,
}

impl Thread {
    fn at(&self, state: StateID) -> Self {
        Self { state, captures: self.captures }
    }
}

impl Pattern {
    /// A pattern as the metadata holds it, `^(?:...)$`, that the whole text matches.
    pub(crate) fn whole(pattern: &str) -> Result<Self, Failure> {
        Self::compile(pattern)
    }

    /// The same pattern, where the start of the text is enough.
    pub(crate) fn start(pattern: &str) -> Result<Self, Failure> {
        Self::compile(pattern.strip_suffix('$').ok_or("a pattern without its end")?)
    }

    fn compile(pattern: &str) -> Result<Self, Failure> {
        if !pattern.starts_with("^(?:") {
            return Err(format!("not a pattern of libphonenumber: {pattern}").into());
        }
        let syntax = syntax::Config::new().unicode(false).utf8(false);
        let nfa = NFA::compiler().syntax(syntax).build(pattern)?;
        if nfa.group_info().slot_len() > Captures::default().len() {
            return Err(format!("too many groups: {pattern}").into());
        }
        Ok(Self(nfa))
    }

    /// A run before the first digit.
    pub(crate) fn begin(&self) -> Run {
        let thread = Thread { state: self.0.start_anchored(), captures: Captures::default() };
        Run { position: 0, threads: vec![thread], found: None }
    }

    /// The run after one more digit.
    pub(crate) fn step(&self, run: &Run, digit: u8) -> Run {
        let (waiting, found) = self.expand(run, false);
        let threads = waiting.into_iter().filter_map(|thread| Some(thread.at(self.after(thread.state, digit)?)));
        Run { position: run.position + 1, threads: threads.collect(), found: found.or(run.found) }
    }

    /// The match of a text that ends here.
    pub(crate) fn end(&self, run: &Run) -> Option<Captures> {
        self.expand(run, true).1.or(run.found)
    }

    /// Follows the threads up to where they wait for a digit, or up to a match: what is preferred less than a match is dropped.
    fn expand(&self, run: &Run, at_end: bool) -> (Vec<Thread>, Option<Captures>) {
        let mut open: Vec<Thread> = run.threads.iter().rev().cloned().collect();
        let (mut waiting, mut seen) = (Vec::new(), HashSet::new());
        while let Some(mut thread) = open.pop() {
            if !seen.insert(thread.state) {
                continue;
            }
            match self.0.state(thread.state) {
                State::Union { alternates } => open.extend(alternates.iter().rev().map(|state| thread.at(*state))),
                State::BinaryUnion { alt1, alt2 } => open.extend([thread.at(*alt2), thread.at(*alt1)]),
                State::Capture { next, slot, .. } => {
                    thread.captures[slot.as_usize()] = Some(run.position);
                    open.push(thread.at(*next));
                }
                State::Look { look: Look::Start, next } if run.position == 0 => open.push(thread.at(*next)),
                State::Look { look: Look::End, next } if at_end => open.push(thread.at(*next)),
                State::Match { .. } => return (waiting, Some(thread.captures)),
                State::Look { .. } | State::Fail => {}
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => waiting.push(thread),
            }
        }
        (waiting, None)
    }

    fn after(&self, state: StateID, digit: u8) -> Option<StateID> {
        match self.0.state(state) {
            State::ByteRange { trans } => trans.matches_byte(digit).then_some(trans.next),
            State::Sparse(transitions) => transitions.matches_byte(digit),
            State::Dense(transitions) => transitions.matches_byte(digit),
            _ => None,
        }
    }
}

impl Run {
    /// Whether no digit changes the match any more.
    pub(crate) fn is_settled(&self) -> bool {
        self.threads.is_empty()
    }

    /// Whether nothing matches, whatever follows.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_settled() && self.found.is_none()
    }
}
