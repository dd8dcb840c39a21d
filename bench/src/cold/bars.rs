//! The bars that the functions are held to, and whether they are met. Times never fail the run: they are the machine's. Round trips and
//! sizes do, elsewhere. Uses `tables`.

use std::time::Duration;

use super::Measured;
use super::services::Hosts;
use super::starts::Setup;
use super::tables::{ratio, slope, times_slower};
use super::warm;
use crate::report::Report;
use crate::table::markdown;

/// The first answer may take so many times the empty function's.
const FIRST: [(Hosts, f64); 3] = [(Hosts::Plain, 1.6), (Hosts::TlsOne, 2.2), (Hosts::TlsThree, 3.0)];
/// So many round trips more than the least may pass until it, at 5 ms each.
const OVER: f64 = 1.0;
/// A warm request may take so much of a processor.
const WARM: Duration = Duration::from_micros(500);
/// These peers' first answers must take so many times as long, over TLS.
const PEERS: [(&str, f64); 2] = [("node-fetch", 35.0), ("python", 55.0)];

/// A bar: what, the limit, which function is the farthest from meeting it, and whether that one does.
type Row = Vec<String>;

pub(super) fn say(measured: &Measured, report: &mut Report) {
    let mut rows: Vec<Row> = Vec::new();
    for (hosts, most) in FIRST {
        let of = |number| ratio(measured, number, Setup::new(hosts, 0), |first| first.answer);
        let what = format!("first answer, {}", hosts.name());
        rows.extend(row(measured, &what, &format!("at most {most}× the empty one's"), most, of));
    }
    for hosts in Hosts::ALL {
        let over = |number: usize| {
            let least = measured.subjects[number].waits.minimum(hosts != Hosts::Plain);
            Some(slope(measured, number, hosts, 5)? - least as f64)
        };
        let what = format!("round trips over the least, {}, 5 ms", hosts.name());
        rows.extend(row(measured, &what, &format!("at most {OVER}"), OVER, over));
    }
    let tls = warm::WHERE.iter().position(|(hosts, added, _)| (*hosts, *added) == (Hosts::TlsThree, 0));
    let processor = |number: usize| {
        tls.and_then(|place| measured.warm[number][place].processor).map(|time| time.as_secs_f64() * 1e3)
    };
    let most = WARM.as_secs_f64() * 1e3;
    rows.extend(row(measured, "processor time of a warm request, TLS, ms", &format!("below {most}"), most, processor));
    for (name, least) in PEERS {
        let peer = measured.subjects.iter().position(|subject| subject.name == name);
        let slower = peer.and_then(|peer| times_slower(measured, peer, Hosts::TlsThree));
        rows.extend(slower.map(|slower| {
            let cells = [format!("{name} beside login-phone, TLS, three hosts"), format!("at least {least}×")];
            cells.into_iter().chain([format!("{slower:.1}"), met(slower >= least)]).collect()
        }));
    }
    report.say(&markdown("Bars, without those that hash a password", &["what", "bar", "the worst", "met"], &rows));
}

/// The row of the function with the highest value.
fn row(measured: &Measured, what: &str, bar: &str, most: f64, value: impl Fn(usize) -> Option<f64>) -> Option<Row> {
    let with_bars = measured.subjects.iter().enumerate().filter(|(_, subject)| subject.has_bars());
    let values = with_bars.filter_map(|(number, subject)| Some((value(number)?, &subject.name)));
    let (worst, name) = values.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    Some(vec![what.to_owned(), bar.to_owned(), format!("{worst:.2} ({name})"), met(worst <= most)])
}

fn met(is_met: bool) -> String {
    if is_met { "yes" } else { "no" }.to_owned()
}
