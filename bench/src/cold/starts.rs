//! Cold starts, one after the other and in mixed order, so that whatever else the machine does meets all alike.

use std::time::Duration;

use shared::crypto::random;

use super::cgroup::Held;
use super::invocation::{Invoker, stop};
use super::subject::{Kind, Subject};
use crate::stand_in::{Hosts, Servers, StandIn};
use crate::table::percentile;
use crate::tls::Authority;
use crate::{Effort, Failure};

/// How often a full run starts each function in each setup, and each peer.
const TIMES: usize = 30;
const TIMES_PEER: usize = 5;

/// What the services have to close the connections of a process that is gone.
const UNWIND: Duration = Duration::from_millis(10);

/// Added round-trip times, in milliseconds.
pub(crate) const ADDED: [u64; 3] = [0, 5, 20];

/// How a process is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) hosts: Hosts,
    /// Milliseconds.
    pub(crate) added: u64,
    /// To a share of a processor.
    pub(crate) is_held: bool,
}

impl Setup {
    pub(crate) const fn new(hosts: Hosts, added: u64) -> Self {
        Self { hosts, added, is_held: false }
    }

    pub(crate) const fn held(hosts: Hosts) -> Self {
        Self { hosts, added: 0, is_held: true }
    }

    fn all() -> Vec<Self> {
        let free = Hosts::ALL.into_iter().flat_map(|hosts| ADDED.map(|added| Self::new(hosts, added)));
        free.chain([Self::held(Hosts::Plain), Self::held(Hosts::TlsThree)]).collect()
    }

    /// Peers take a second each, so they are started only where they are compared.
    fn is_for(self, kind: Kind) -> bool {
        kind != Kind::Peer || (self.added == 0 && !self.is_held && self.hosts != Hosts::TlsOne)
    }
}

/// The services in all distances.
pub(crate) struct Networks(Vec<(Hosts, u64, StandIn)>);

impl Networks {
    pub(crate) fn start(authority: &Authority) -> Result<Self, Failure> {
        let (servers, mut networks) = (Servers::start()?, Vec::new());
        for hosts in Hosts::ALL {
            for added in ADDED {
                let stand_in =
                    StandIn::start(&servers, hosts, Duration::from_millis(added), Some(&authority.acceptor))?;
                networks.push((hosts, added, stand_in));
            }
        }
        Ok(Self(networks))
    }

    pub(crate) fn get(&self, hosts: Hosts, added: u64) -> Result<&StandIn, Failure> {
        let found = self.0.iter().find(|(of, at, _)| (*of, *at) == (hosts, added));
        Ok(&found.ok_or("no such network")?.2)
    }
}

/// All that is started once a round, in another order each time, so that what else the machine does meets all alike.
fn round(subjects: &[Subject], with_held: bool, with_peers: bool) -> Result<Vec<(Setup, usize)>, Failure> {
    let mut round = Vec::new();
    for setup in Setup::all().into_iter().filter(|setup| with_held || !setup.is_held) {
        for (number, subject) in subjects.iter().enumerate() {
            if setup.is_for(subject.kind) && (with_peers || subject.kind != Kind::Peer) {
                round.push((random::bytes::<8>(), (setup, number)));
            }
        }
    }
    round.sort_unstable_by_key(|(place, _)| *place);
    Ok(round.into_iter().map(|(_, start)| start).collect())
}

/// A start.
struct Start {
    subject: usize,
    setup: Setup,
    /// When it had answered its first event.
    answer: Duration,
    /// Connections, and calls to Secrets Manager, DynamoDB and Plivo.
    counts: [usize; 4],
}

/// All starts.
pub(crate) struct Starts(Vec<Start>);

impl Starts {
    pub(crate) async fn measure(
        invoker: &Invoker,
        subjects: &[Subject],
        networks: &Networks,
        held: Option<&Held>,
        effort: Effort,
    ) -> Result<Self, Failure> {
        let (times, every) = (effort.of(TIMES), effort.of(TIMES).div_ceil(effort.of(TIMES_PEER)));
        let mut starts = Vec::new();
        for time in 0..times {
            for (setup, number) in round(subjects, held.is_some(), time % every == 0)? {
                let services = networks.get(setup.hosts, setup.added)?;
                // Not counted: so each comes after one of its own, and all find the processor's caches alike.
                stop(invoker.start(&subjects[number], services, None).await?.0).await;
                tokio::time::sleep(UNWIND).await;
                let held = held.filter(|_| setup.is_held);
                let (function, answer) = invoker.start(&subjects[number], services, held).await?;
                starts.push(Start { subject: number, setup, answer, counts: services.take_counts() });
                stop(function).await;
            }
        }
        Ok(Self(starts))
    }

    /// The median of a subject's first answers; nothing where there was none.
    pub(crate) fn median(&self, subject: usize, setup: Setup) -> Option<Duration> {
        let mut times: Vec<_> = self.of(subject, setup).map(|start| start.answer).collect();
        (!times.is_empty()).then(|| percentile(&mut times, 50))
    }

    /// The fastest of them, which the machine's other work disturbed least.
    pub(crate) fn fastest(&self, subject: usize, setup: Setup) -> Option<Duration> {
        self.of(subject, setup).map(|start| start.answer).min()
    }

    /// Connections and calls of the last start.
    pub(crate) fn counts(&self, subject: usize, setup: Setup) -> Option<[usize; 4]> {
        self.of(subject, setup).last().map(|start| start.counts)
    }

    /// How many starts a median is of.
    pub(crate) fn times(&self, subject: usize, setup: Setup) -> usize {
        self.of(subject, setup).count()
    }

    fn of(&self, subject: usize, setup: Setup) -> impl Iterator<Item = &Start> {
        self.0.iter().filter(move |start| start.subject == subject && start.setup == setup)
    }
}
