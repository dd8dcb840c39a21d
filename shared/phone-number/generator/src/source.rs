//! The text of `shared/phone-number/src/tables.rs`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rlibphonenumber::Region;

use crate::Failure;
use crate::automaton::Automata;
use crate::machines::{self, Edit};
use crate::metadata::{self, Plan};

const HEADER: &str = "\
//! Written by `phone-number-generator` from the metadata of libphonenumber (Copyright The Libphonenumber Authors, Apache License 2.0), in the version
//! that `Cargo.lock` holds of `rlibphonenumber`. Do not edit: `cargo run -p phone-number-generator` writes it again.

use super::plan::{CallingCode, Edit, Plan};
";

/// What this crate makes of the metadata.
pub struct Tables {
    /// The text of the Rust file.
    pub source: String,
    /// Digits for a comparison with the library: between them they take every step of every automaton.
    pub paths: Vec<Path>,
}

/// Digits that an automaton has been asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// The first digits that someone in this country dials.
    Dialled(Region, String),
    /// The first digits of a national number, behind its calling code.
    Number(u16, String),
}

/// Makes the tables.
///
/// # Errors
/// When the metadata has something that the tables cannot say.
pub fn tables() -> Result<Tables, Failure> {
    let plans = metadata::plans()?;
    let geographic = plans.iter().filter(|plan| plan.region != Region::World).count();
    let known: Vec<_> = plans[..geographic].iter().map(|plan| plan.region.to_string()).collect();
    let mut writer = Writer { edits: vec![Edit::default()], ..Writer::default() };
    let entries = plans.iter().map(|plan| writer.plan(plan)).collect::<Result<Vec<_>, _>>()?;
    let calling_codes = writer.calling_codes(&plans, geographic)?;
    let edits = writer.edits.iter().map(edit).collect::<Result<Vec<_>, _>>()?;
    let words: Vec<_> = writer.automata.words.iter().map(u16::to_string).collect();

    let mut source = format!("{HEADER}\npub(super) const KNOWN: &str = \"{}\";\n", known.join(" "));
    writeln!(source, "\npub(super) const GEOGRAPHIC: usize = {geographic};")?;
    array(&mut source, "PLANS", "Plan", entries.len(), &entries)?;
    array(&mut source, "CALLING_CODES", "CallingCode", calling_codes.len(), &calling_codes)?;
    array(&mut source, "EDITS", "Edit", edits.len(), &edits)?;
    let lines: Vec<_> = words.chunks(20).map(|words| words.join(", ")).collect();
    array(&mut source, "AUTOMATA", "u16", words.len(), &lines)?;
    Ok(Tables { source, paths: writer.paths })
}

fn array(source: &mut String, name: &str, of: &str, length: usize, lines: &[String]) -> Result<(), Failure> {
    writeln!(source, "\npub(super) static {name}: [{of}; {length}] = [")?;
    for line in lines {
        writeln!(source, "    {line},")?;
    }
    Ok(writeln!(source, "];")?)
}

fn edit(Edit { insert, kept, rest }: &Edit) -> Result<String, Failure> {
    if insert.len() > 4 {
        return Err(format!("more to insert than there is room for: {insert}").into());
    }
    Ok(format!("Edit {{ insert: *b\"{insert:<4}\", kept: {kept:?}, rest: {rest} }}"))
}

/// The tables on their way into the text.
#[derive(Default)]
struct Writer {
    automata: Automata,
    edits: Vec<Edit>,
    paths: Vec<Path>,
}

impl Writer {
    fn plan(&mut self, plan: &Plan) -> Result<String, Failure> {
        let general = machines::whole(&mut self.automata, plan.general.pattern.as_deref())?;
        self.keep_paths(|digits| Path::Dialled(plan.region, digits));
        let international_prefix =
            machines::international_prefix(&mut self.automata, plan.international_prefix.as_deref())?;
        self.keep_paths(|digits| Path::Dialled(plan.region, digits));
        let national_prefix = machines::national_prefix(&mut self.automata, &mut self.edits, plan)?;
        self.keep_paths(|digits| Path::Dialled(plan.region, digits));
        let lengths = lengths(plan)?;
        Ok(format!(
            "Plan {{ calling_code: {}, lengths: {lengths:#x}, general: {general}, \
             international_prefix: {international_prefix}, national_prefix: {national_prefix} }}",
            plan.calling_code
        ))
    }

    fn calling_codes(&mut self, plans: &[Plan], geographic: usize) -> Result<Vec<String>, Failure> {
        let codes: BTreeSet<_> = plans.iter().map(|plan| plan.calling_code).collect();
        codes.into_iter().map(|code| self.calling_code(code, plans, geographic)).collect()
    }

    /// The plans of a calling code, the main one first, with the places of their countries: one place for all that have no country.
    fn calling_code(&mut self, code: u16, plans: &[Plan], geographic: usize) -> Result<String, Failure> {
        let place = |region| plans.iter().position(|plan| plan.calling_code == code && plan.region == region);
        let places: Vec<_> = metadata::regions(code).into_iter().filter_map(place).collect();
        let member = |place: &usize| Ok((u16::try_from(geographic.min(*place))?, &plans[*place]));
        let members = places.iter().map(member).collect::<Result<Vec<_>, Failure>>()?;
        let main = places.first().ok_or("a calling code without plan")?;
        let numbers = machines::numbers(&mut self.automata, &members)?;
        self.keep_paths(|digits| Path::Number(code, digits));
        Ok(format!("CallingCode {{ code: {code}, main: {main}, numbers: {numbers} }}"))
    }

    fn keep_paths(&mut self, path: impl Fn(String) -> Path) {
        self.paths.extend(self.automata.paths.drain(..).map(path));
    }
}

/// A bit for each length of a plan's numbers. What `phone_number` leaves out rests on what is checked here: it asks for no least length,
/// and local lengths are to it like any that no number has.
fn lengths(plan: &Plan) -> Result<u32, Failure> {
    let lengths = &plan.general.lengths;
    let longest = lengths.iter().copied().max().ok_or("a plan without lengths")?;
    if let Some(length) = lengths.iter().find(|length| !(3..=17).contains(*length)) {
        return Err(format!("a number of {length} digits").into());
    }
    if plan.local_lengths.iter().any(|length| lengths.contains(length) || *length > longest) {
        return Err("a length that is local and not, or the longest".into());
    }
    Ok(lengths.iter().fold(0, |mask, length| mask | 1 << length))
}
