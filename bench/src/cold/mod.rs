//! The functions' binaries as Lambda starts them: how long until they ask for an event and until they have answered the first, and what a
//! warm request takes; beside an empty function and peers in other languages, in one run and in mixed order.
//!
//! | module | for |
//! |---|---|
//! | `subject` | what is started, and the request it gets |
//! | `invocation`, `cgroup` | a process in Lambda's environment; one with a share of a processor |
//! | `starts`, `warm` | what is measured |
//! | `minimum` | the least number of round trips |
//! | `tables`, `bars` | how it is shown |

mod bars;
mod cgroup;
mod invocation;
mod minimum;
mod starts;
mod subject;
mod tables;
mod warm;

use std::path::Path;

use self::cgroup::Held;
use self::invocation::Invoker;
use self::starts::{Networks, Starts};
use self::subject::{Kind, Subject};
use self::warm::Warm;
use crate::tls::Authority;
use crate::{Effort, Failure};

/// All that was measured.
struct Measured {
    subjects: Vec<Subject>,
    starts: Starts,
    /// Of the subjects that are no peers, in their order.
    warm: Vec<Vec<Warm>>,
    /// Why no process was held to a share of a processor.
    not_held: Option<String>,
}

/// Measures and prints. `peers` is a file of their commands.
pub(crate) async fn print(effort: Effort, peers: Option<&Path>) -> Result<(), Failure> {
    let measured = measure(subject::all(peers).await?, effort).await?;
    tables::print(&measured);
    bars::print(&measured);
    Ok(())
}

async fn measure(subjects: Vec<Subject>, effort: Effort) -> Result<Measured, Failure> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::make(folder.path())?;
    let networks = Networks::start(&authority)?;
    let invoker = Invoker { bundle: authority.bundle, output: folder.path().join("output") };
    let (held, not_held) = match Held::make() {
        Ok(held) => (Some(held), None),
        Err(why) => (None, Some(why)),
    };
    let starts = Starts::measure(&invoker, &subjects, &networks, held.as_ref(), effort).await?;
    let mut warm = Vec::new();
    for subject in subjects.iter().filter(|subject| subject.kind != Kind::Peer) {
        warm.push(warm::measure(&invoker, subject, &networks, effort).await?);
    }
    Ok(Measured { subjects, starts, warm, not_held })
}

impl Measured {
    /// The subjects of some kinds, with their numbers.
    fn of(&self, wanted: impl Fn(Kind) -> bool) -> impl Iterator<Item = (usize, &Subject)> {
        self.subjects.iter().enumerate().filter(move |(_, subject)| wanted(subject.kind))
    }
}
