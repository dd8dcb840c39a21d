//! The tables of what was measured.

use std::time::Duration;

use super::Measured;
use super::minimum::round_trips;
use super::starts::{ADDED, Setup};
use super::subject::Kind;
use super::warm;
use crate::stand_in::Hosts;
use crate::table::{markdown, percentile, time};

/// The number of the empty function.
const EMPTY: usize = 0;

/// Prints all tables.
pub(super) fn print(measured: &Measured) {
    let times = measured.starts.times(EMPTY, Setup::new(Hosts::Plain, 0));
    println!(
        "Medians of {times} cold starts in each setup, in mixed order; in brackets, how many times the empty function's in the same setup.\n"
    );
    first_answer(measured);
    slopes(measured);
    held(measured);
    calls(measured);
    warm_requests(measured);
    memory(measured);
    peers(measured);
}

/// A column's heading, and its cell for the subject of a number.
type Column<'a> = (String, Box<dyn Fn(usize) -> String + 'a>);

fn column<'a>(heading: impl Into<String>, cell: impl Fn(usize) -> String + 'a) -> Column<'a> {
    (heading.into(), Box::new(cell))
}

/// A row for each subject of this kind.
fn table(measured: &Measured, heading: &str, wanted: impl Fn(Kind) -> bool, columns: Vec<Column<'_>>) {
    let rows = measured.of(wanted).map(|(number, subject)| {
        [subject.name.clone()].into_iter().chain(columns.iter().map(|(_, cell)| cell(number))).collect()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let headings: Vec<_> =
        ["function"].into_iter().chain(columns.iter().map(|(heading, _)| heading.as_str())).collect();
    println!("{}", markdown(heading, &headings, &rows));
}

fn own(kind: Kind) -> bool {
    kind != Kind::Peer
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// What was measured, or that it was not.
fn or_none<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "none".to_owned(), text)
}

fn median(measured: &Measured, number: usize, setup: Setup) -> String {
    or_none(measured.starts.median(number, setup), millis)
}

/// `12.3 ms (1.20×)`.
fn beside_empty(measured: &Measured, number: usize, setup: Setup) -> String {
    let own = median(measured, number, setup);
    match ratio(measured, number, setup) {
        Some(ratio) if number != EMPTY => format!("{own} ({ratio:.2}×)"),
        _ => own,
    }
}

/// How many times the empty one's time.
pub(super) fn ratio(measured: &Measured, number: usize, setup: Setup) -> Option<f64> {
    let median = |number| measured.starts.median(number, setup).map(|time| time.as_secs_f64());
    Some(median(number)? / median(EMPTY)?)
}

fn first_answer(measured: &Measured) {
    let cell = |hosts| move |number| beside_empty(measured, number, Setup::new(hosts, 0));
    let columns = Hosts::ALL.map(|hosts| column(hosts.name(), cell(hosts)));
    table(measured, "Process start to the first answer", own, columns.into());
}

/// How many round trips the first answer took, by how much longer it took with `added` milliseconds each. Of the fastest starts: what
/// else the machine does makes some longer, none shorter.
pub(super) fn slope(measured: &Measured, number: usize, hosts: Hosts, added: u64) -> Option<f64> {
    let fastest = |added| measured.starts.fastest(number, Setup::new(hosts, added));
    Some(round_trips(fastest(0)?, fastest(added)?, Duration::from_millis(added)))
}

fn slopes(measured: &Measured) {
    let mut columns = Vec::new();
    for hosts in Hosts::ALL {
        let fewest = move |number: usize| measured.subjects[number].waits.minimum(hosts != Hosts::Plain).to_string();
        columns.push(column(format!("{}: fewest", hosts.name()), fewest));
        for added in &ADDED[1..] {
            let slope =
                move |number| or_none(slope(measured, number, hosts, *added), |slope| format!("{:.1}", slope.max(0.0)));
            columns.push(column(format!("{}: by {added} ms", hosts.name()), slope));
        }
    }
    table(measured, "Round trips in turn until the first answer", own, columns);
}

fn held(measured: &Measured) {
    const HEADING: &str = "The same, held to a seventh of a processor, as with 256 MB";
    if let Some(why) = &measured.not_held {
        return println!("### {HEADING}\n\nNot measured: {why}.\n");
    }
    let cell = |hosts| move |number| beside_empty(measured, number, Setup::held(hosts));
    let columns = vec![
        column("deployed with", |number| format!("{} MB", measured.subjects[number].memory)),
        column(Hosts::Plain.name(), cell(Hosts::Plain)),
        column(Hosts::TlsThree.name(), cell(Hosts::TlsThree)),
    ];
    table(measured, HEADING, own, columns);
}

fn calls(measured: &Measured) {
    let count = |place: usize| {
        move |number| {
            or_none(measured.starts.counts(number, Setup::new(Hosts::TlsThree, 0)), |all| all[place].to_string())
        }
    };
    let names = ["connections", "calls to Secrets Manager", "to DynamoDB", "to Plivo"];
    let columns = names.into_iter().enumerate().map(|(place, name)| column(name, count(place)));
    table(measured, "What a cold start asks of others, TLS, three hosts", own, columns.collect());
}

fn warm_requests(measured: &Measured) {
    let processor = |place: usize| move |number: usize| or_none(measured.warm[number][place].processor, time);
    let latency = |place: usize| {
        move |number: usize| {
            let mut times = measured.warm[number][place].times.clone();
            format!("{} / {}", time(percentile(&mut times, 50)), time(percentile(&mut times, 99)))
        }
    };
    let columns = vec![
        column("processor, plain", processor(warm::PLAIN)),
        column("50 % / 99 %, plain", latency(warm::PLAIN)),
        column("processor, TLS", processor(warm::TLS)),
        column("50 % / 99 %, TLS", latency(warm::TLS)),
    ];
    table(measured, "A warm request: processor time, and by the clock", own, columns);
}

fn memory(measured: &Measured) {
    let mebibytes = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
    let cell = |when: usize| move |number: usize| or_none(measured.warm[number][warm::TLS].memory[when], mebibytes);
    let columns = vec![column("after the first request", cell(0)), column("after the warm ones", cell(1))];
    table(measured, "Most memory that a process held, TLS, three hosts", own, columns);
}

/// How many times a peer's first answer takes as long as that of the function that does the same.
pub(super) fn times_slower(measured: &Measured, peer: usize, hosts: Hosts) -> Option<f64> {
    let (own, _) = measured.of(own).find(|(_, subject)| subject.name == "login-phone")?;
    let median = |number| measured.starts.median(number, Setup::new(hosts, 0));
    Some(median(peer)?.as_secs_f64() / median(own)?.as_secs_f64())
}

fn peers(measured: &Measured) {
    let Some((first, _)) = measured.of(|kind| kind == Kind::Peer).next() else {
        return println!("No peers: `bench/peers/install` installs them, and `bench/run` starts them where it can.\n");
    };
    let mut columns = Vec::new();
    for hosts in [Hosts::Plain, Hosts::TlsThree] {
        let answer = move |number| median(measured, number, Setup::new(hosts, 0));
        let slower = move |number| or_none(times_slower(measured, number, hosts), |slower| format!("{slower:.0}×"));
        columns.push(column(hosts.name(), answer));
        columns.push(column("login-phone's", slower));
    }
    let times = measured.starts.times(first, Setup::new(Hosts::Plain, 0));
    let heading = format!("The same login's start in other languages, medians of {times}");
    table(measured, &heading, |kind| kind == Kind::Peer, columns);
}
