//! What the functions are held to, and whether they keep it. Times never fail the run: they are the machine's.

use super::Measured;
use super::starts::Setup;
use super::tables::{ratio, slope, times_slower};
use super::warm;
use crate::stand_in::Hosts;
use crate::table::markdown;

/// The first answer may take this many times as long as the empty function's.
const FIRST: [(Hosts, f64); 3] = [(Hosts::Plain, 3.0), (Hosts::TlsOne, 4.0), (Hosts::TlsThree, 4.0)];
/// Round trips above the fewest possible until it, at 5 ms each.
const OVER: f64 = 1.0;
/// Milliseconds of a processor for a warm request: one that starts a login or a registration, and any other.
const WARM_START: f64 = 1.0;
const WARM: f64 = 0.8;
/// MiB.
const MEMORY: f64 = 8.0;
/// These peers' first answers must take this many times as long, over TLS.
const PEERS: [(&str, f64); 2] = [("node-fetch", 30.0), ("python", 45.0)];

/// Prints the bars, with the function that is the farthest from meeting each.
pub(super) fn print(measured: &Measured) {
    let mut rows = Vec::new();
    let mut at_most = |what: &str, most: f64, value: &dyn Fn(usize) -> Option<f64>| {
        let with_bars = measured.subjects.iter().enumerate().filter(|(_, subject)| subject.has_bars());
        let values = with_bars.filter_map(|(number, subject)| Some((value(number)?, &subject.name)));
        if let Some((worst, name)) = values.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
            rows.push(
                [what.to_owned(), format!("at most {most}"), format!("{worst:.2} ({name})"), met(worst <= most)]
                    .to_vec(),
            );
        }
    };
    for (hosts, most) in FIRST {
        let first = |number| ratio(measured, number, Setup::new(hosts, 0));
        at_most(&format!("first answer in those of the empty function, {}", hosts.name()), most, &first);
    }
    for hosts in Hosts::ALL {
        let over = |number: usize| {
            let least = measured.subjects[number].waits.minimum(hosts != Hosts::Plain);
            Some(slope(measured, number, hosts, 5)? - least as f64)
        };
        at_most(&format!("round trips above the fewest, {}, 5 ms", hosts.name()), OVER, &over);
    }
    let is_start = |number: usize| ["register", "login-phone"].contains(&measured.subjects[number].name.as_str());
    let processor = |number: usize| Some(measured.warm[number][warm::TLS].processor?.as_secs_f64() * 1e3);
    at_most("processor time of a warm start, TLS, ms", WARM_START, &|number| {
        processor(number).filter(|_| is_start(number))
    });
    at_most("of another warm request", WARM, &|number| processor(number).filter(|_| !is_start(number)));
    let memory = |number: usize| Some(measured.warm[number][warm::TLS].memory[1]? as f64 / 1024.0);
    at_most("memory, TLS, MiB", MEMORY, &memory);
    for (name, least) in PEERS {
        let peer = measured.subjects.iter().position(|subject| subject.name == name);
        if let Some(slower) = peer.and_then(|peer| times_slower(measured, peer, Hosts::TlsThree)) {
            let what = format!("{name} in login-phone's first answers, TLS, three hosts");
            rows.push(vec![what, format!("at least {least}"), format!("{slower:.1}"), met(slower >= least)]);
        }
    }
    println!("{}", markdown("Bars, without those that hash a password", &["what", "bar", "the worst", "met"], &rows));
}

fn met(is_met: bool) -> String {
    if is_met { "yes" } else { "no" }.to_owned()
}
