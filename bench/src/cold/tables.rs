//! The tables of what was measured. Uses `starts`, `warm`, `sizes`, `minimum`.

use std::time::Duration;

use super::Measured;
use super::minimum::round_trips;
use super::services::Hosts;
use super::sizes::{self, ARCHITECTURES};
use super::starts::{ADDED, Setup, What};
use super::subject::{Kind, Subject};
use super::warm;
use crate::Failure;
use crate::report::Report;
use crate::table::{markdown, percentile, time};

/// The empty one's number.
const EMPTY: usize = 0;

/// All tables.
pub(super) fn say(measured: &Measured, report: &mut Report) -> Result<(), Failure> {
    let plain = Setup::new(Hosts::Plain, 0);
    let (times, peer) = (measured.starts.times(EMPTY, plain), measured.of(|kind| kind == Kind::Peer).next());
    report.say(&format!(
        "Medians of {times} cold starts in each setup, in mixed order; in brackets, how many times the empty function's in the same setup."
    ));
    report.say(&at_once(measured, "Process start to the first `next`", |first| first.init));
    report.say(&at_once(measured, "Process start to the first answer", |first| first.answer));
    report.say(&fastest(measured));
    report.say(&added(measured));
    report.say(&slopes(measured));
    report.say(&held(measured));
    report.say(&calls(measured));
    report.say(&warm_requests(measured));
    report.say(&memory(measured));
    report.say(&sizes_table(measured)?);
    match peer {
        Some((number, _)) => report.say(&peers(measured, measured.starts.times(number, plain))),
        None => report.say("No peers: `bench/peers/install` installs them, and `bench/run` starts them where it can."),
    }
    Ok(())
}

/// `12.3 ms (1.20×)`.
fn cell(measured: &Measured, number: usize, setup: Setup, what: What) -> String {
    let Some(own) = measured.starts.median(number, setup, what) else { return "none".to_owned() };
    match ratio(measured, number, setup, what) {
        Some(ratio) if number != EMPTY => format!("{} ({ratio:.2}×)", millis(own)),
        _ => millis(own),
    }
}

/// How many times the empty one's time.
pub(super) fn ratio(measured: &Measured, number: usize, setup: Setup, what: What) -> Option<f64> {
    let median = |number| measured.starts.median(number, setup, what).map(|time| time.as_secs_f64());
    Some(median(number)? / median(EMPTY)?)
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// A row for each of the empty one and the functions.
fn rows(measured: &Measured, cells: impl Fn(usize, &Subject) -> Vec<String>) -> Vec<Vec<String>> {
    let own = measured.of(|kind| kind != Kind::Peer);
    own.map(|(number, subject)| [vec![subject.name.clone()], cells(number, subject)].concat()).collect()
}

fn at_once(measured: &Measured, heading: &str, what: What) -> String {
    let rows =
        rows(measured, |number, _| Hosts::ALL.map(|hosts| cell(measured, number, Setup::new(hosts, 0), what)).to_vec());
    let columns = [&["function"][..], &Hosts::ALL.map(Hosts::name)].concat();
    markdown(heading, &columns, &rows)
}

fn fastest(measured: &Measured) -> String {
    let rows = rows(measured, |number, _| {
        let fastest = |hosts| measured.starts.fastest(number, Setup::new(hosts, 0), |first| first.answer);
        Hosts::ALL.map(|hosts| fastest(hosts).map_or_else(|| "none".to_owned(), millis)).to_vec()
    });
    let columns = [&["function"][..], &Hosts::ALL.map(Hosts::name)].concat();
    markdown("The fastest first answer", &columns, &rows)
}

fn added(measured: &Measured) -> String {
    let setups: Vec<_> = Hosts::ALL
        .into_iter()
        .flat_map(|hosts| ADDED[1..].iter().map(move |added| Setup::new(hosts, *added)))
        .collect();
    let columns: Vec<_> = setups.iter().map(|setup| format!("{}, {} ms", setup.hosts.name(), setup.added)).collect();
    let columns: Vec<_> = ["function"].into_iter().chain(columns.iter().map(String::as_str)).collect();
    let rows = rows(measured, |number, _| {
        let median = |setup: &Setup| measured.starts.median(number, *setup, |first| first.answer);
        setups.iter().map(|setup| median(setup).map_or_else(|| "none".to_owned(), millis)).collect()
    });
    markdown("Process start to the first answer, with round trips that take longer", &columns, &rows)
}

/// How many round trips the first answer took, by how much longer it took with `added` milliseconds each. Of the fastest starts: what
/// else the machine does makes some longer, none shorter.
pub(super) fn slope(measured: &Measured, number: usize, hosts: Hosts, added: u64) -> Option<f64> {
    let fastest = |added| measured.starts.fastest(number, Setup::new(hosts, added), |first| first.answer);
    Some(round_trips(fastest(0)?, fastest(added)?, Duration::from_millis(added)))
}

fn slopes(measured: &Measured) -> String {
    let rows = rows(measured, |number, subject| {
        let of = |hosts: Hosts| {
            let least = subject.waits.minimum(hosts != Hosts::Plain).to_string();
            let measured = ADDED[1..].iter().map(|added| slope(measured, number, hosts, *added));
            let measured =
                measured.map(|slope| slope.map_or_else(|| "none".to_owned(), |slope| format!("{:.1}", slope.max(0.0))));
            [least].into_iter().chain(measured).collect::<Vec<_>>()
        };
        Hosts::ALL.into_iter().flat_map(of).collect()
    });
    let columns = Hosts::ALL.into_iter().flat_map(|hosts| {
        let of = |what: &str| format!("{}: {what}", hosts.name());
        [of("least"), of("by 5 ms"), of("by 20 ms")]
    });
    let columns: Vec<_> = columns.collect();
    let columns: Vec<_> = ["function"].into_iter().chain(columns.iter().map(String::as_str)).collect();
    markdown("Round trips in turn until the first answer", &columns, &rows)
}

fn held(measured: &Measured) -> String {
    const HEADING: &str = "Held to a seventh of a processor, as with 256 MB";
    if let Some(why) = &measured.not_held {
        return format!("### {HEADING}\n\nNot measured: {why}.");
    }
    let rows = rows(measured, |number, subject| {
        let cell = |hosts, what: What| cell(measured, number, Setup::held(hosts), what);
        vec![
            format!("{} MB", subject.memory),
            cell(Hosts::Plain, |first| first.init),
            cell(Hosts::Plain, |first| first.answer),
            cell(Hosts::TlsThree, |first| first.init),
            cell(Hosts::TlsThree, |first| first.answer),
        ]
    });
    let columns = ["function", "deployed with", "plain: `next`", "answer", "TLS, three hosts: `next`", "answer"];
    markdown(HEADING, &columns, &rows)
}

fn calls(measured: &Measured) -> String {
    let rows = rows(measured, |number, _| {
        let counts = measured.starts.counts(number, Setup::new(Hosts::TlsThree, 0)).unwrap_or_default();
        counts.map(|count| count.to_string()).to_vec()
    });
    let columns = ["function", "connections", "calls to Secrets Manager", "to storage", "to Plivo"];
    markdown("What a cold start asks of others, TLS, three hosts", &columns, &rows)
}

fn warm_requests(measured: &Measured) -> String {
    let rows = rows(measured, |number, _| {
        let cells = measured.warm[number].iter().zip(warm::WHERE).flat_map(|(warm, (_, added, _))| {
            let mut times = warm.times.clone();
            let latency = format!("{} / {}", time(percentile(&mut times, 50)), time(percentile(&mut times, 99)));
            let processor = warm.processor.map_or_else(|| "unknown".to_owned(), time);
            // With longer round trips it is the same work.
            if added == 0 { vec![processor, latency] } else { vec![latency] }
        });
        cells.collect()
    });
    let columns = [
        "function",
        "processor, plain",
        "50 % / 99 %, plain",
        "processor, TLS",
        "50 % / 99 %, TLS",
        "TLS, 5 ms",
        "TLS, 20 ms",
    ];
    markdown("A warm request: processor time, and by the clock", &columns, &rows)
}

fn memory(measured: &Measured) -> String {
    let rows = rows(measured, |number, _| {
        let tls = measured.warm[number].iter().zip(warm::WHERE).find(|(_, (hosts, _, _))| *hosts == Hosts::TlsThree);
        let memory = tls.map(|(warm, _)| warm.memory).unwrap_or_default();
        let mebibytes = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
        memory.map(|kib| kib.map_or_else(|| "unknown".to_owned(), mebibytes)).to_vec()
    });
    let columns = ["function", "after the first request", "after the warm ones"];
    markdown("Most memory that a process held, TLS, three hosts", &columns, &rows)
}

fn sizes_table(measured: &Measured) -> Result<String, Failure> {
    let bytes = |size: Option<u64>| size.map_or_else(|| "not built".to_owned(), |bytes| bytes.to_string());
    let mut rows = Vec::new();
    for (_, subject) in measured.of(|kind| matches!(kind, Kind::Function(_))) {
        let mut row = vec![subject.name.clone(), sizes::binary(&subject.command[0])?.to_string()];
        for (_, folder) in ARCHITECTURES {
            let deployed = sizes::deployed(&subject.name, folder)?;
            row.extend([bytes(deployed.map(|deployed| deployed.binary)), bytes(deployed.map(|deployed| deployed.zip))]);
        }
        rows.push(row);
    }
    let columns = ["function", "binary measured here", "x86_64: binary", "zip", "arm64: binary", "zip"];
    let table = markdown("Sizes in bytes", &columns, &rows);
    let note = if table.contains("not built") { "\n`bench/zips` builds what is deployed.\n" } else { "" };
    Ok(table + note)
}

/// The zips that are larger than they may be.
pub(super) fn too_large(measured: &Measured) -> Result<Vec<String>, Failure> {
    let mut large = Vec::new();
    for (_, subject) in measured.of(|kind| matches!(kind, Kind::Function(_))) {
        for (name, folder) in ARCHITECTURES {
            let zip = sizes::deployed(&subject.name, folder)?.map_or(0, |deployed| deployed.zip);
            if zip > sizes::MOST {
                large.push(format!("the zip of {} for {name}, {zip} bytes", subject.name));
            }
        }
    }
    Ok(large)
}

/// How many times a peer's first answer takes as long as that of the function that does the same.
pub(super) fn times_slower(measured: &Measured, peer: usize, hosts: Hosts) -> Option<f64> {
    let (own, _) = measured.of(|kind| kind != Kind::Peer).find(|(_, subject)| subject.name == "login-phone")?;
    let median = |number| measured.starts.median(number, Setup::new(hosts, 0), |first| first.answer);
    Some(median(peer)?.as_secs_f64() / median(own)?.as_secs_f64())
}

fn peers(measured: &Measured, times: usize) -> String {
    let peers = measured.of(|kind| kind == Kind::Peer).map(|(number, subject)| {
        let cells = [Hosts::Plain, Hosts::TlsThree].into_iter().flat_map(|hosts| {
            let setup = Setup::new(hosts, 0);
            let median =
                |what: What| measured.starts.median(number, setup, what).map_or_else(|| "none".to_owned(), millis);
            let slower = times_slower(measured, number, hosts)
                .map_or_else(|| "unknown".to_owned(), |slower| format!("{slower:.0}×"));
            [median(|first| first.init), median(|first| first.answer), slower]
        });
        [subject.name.clone()].into_iter().chain(cells).collect()
    });
    let rows: Vec<Vec<String>> = peers.collect();
    let columns =
        ["peer", "plain: `next`", "answer", "login-phone's", "TLS, three hosts: `next`", "answer", "login-phone's"];
    markdown(&format!("The same login's start in other languages, medians of {times}"), &columns, &rows)
}
