//! The functions' binaries as Lambda starts them: how long until they ask for an event and until they have answered the first, what a
//! warm request takes, how large they are; beside an empty function and peers in other languages, in one run and interleaved.
//!
//! | module | for |
//! |---|---|
//! | `subject` | what is started, and the request it gets |
//! | `process`, `cgroup` | a process in Lambda's environment; one with a share of a processor |
//! | `runtime`, `services` | Lambda's Runtime API; DynamoDB, Secrets Manager and Plivo |
//! | `wire`, `tls`, `link` | HTTP/1.1, TLS 1.3 and a round-trip time for them |
//! | `starts`, `warm`, `sizes` | what is measured |
//! | `minimum` | the least number of round trips |
//! | `tables`, `bars` | how it is shown |
//!
//! Everything waits on threads and not on tasks: they sleep and wake more exactly.

mod bars;
mod cgroup;
mod link;
mod minimum;
mod process;
mod runtime;
mod services;
mod sizes;
mod starts;
mod subject;
mod tables;
mod tls;
mod warm;
mod wire;

use std::path::Path;

use self::cgroup::Held;
use self::process::Bench;
use self::starts::{Networks, Starts};
use self::subject::{Kind, Subject};
use self::warm::Warm;
use crate::report::Report;
use crate::{Effort, Failure};

/// What is asked for.
pub(crate) struct Asked<'a> {
    pub(crate) effort: Effort,
    /// A file of peers' commands.
    pub(crate) peers: Option<&'a Path>,
}

/// All that was measured.
struct Measured {
    subjects: Vec<Subject>,
    starts: Starts,
    /// Of the subjects that are no peers, in their order.
    warm: Vec<Vec<Warm>>,
    /// Why no process was held to a share of a processor.
    not_held: Option<String>,
}

/// Measures and says it. Answers what is over its limit.
pub(crate) async fn print(asked: &Asked<'_>, report: &mut Report) -> Result<Vec<String>, Failure> {
    let subjects = subject::all(asked.peers).await?;
    let measured = measure(subjects, asked.effort)?;
    tables::say(&measured, report)?;
    bars::say(&measured, report);
    tables::too_large(&measured)
}

fn measure(subjects: Vec<Subject>, effort: Effort) -> Result<Measured, Failure> {
    let folder = tempfile::tempdir()?;
    let bench = Bench::new(folder.path())?;
    let networks = Networks::start(&bench.authority)?;
    let (held, not_held) = match Held::make() {
        Ok(held) => (Some(held), None),
        Err(why) => (None, Some(why)),
    };
    let starts = Starts::measure(&bench, &subjects, &networks, held.as_ref(), effort)?;
    let own = subjects.iter().filter(|subject| subject.kind != Kind::Peer);
    let warm = own.map(|subject| warm::measure(&bench, subject, &networks, effort)).collect::<Result<_, _>>()?;
    Ok(Measured { subjects, starts, warm, not_held })
}

impl Measured {
    /// The subjects of some kinds, with their numbers.
    fn of(&self, wanted: impl Fn(Kind) -> bool) -> impl Iterator<Item = (usize, &Subject)> {
        self.subjects.iter().enumerate().filter(move |(_, subject)| wanted(subject.kind))
    }
}
