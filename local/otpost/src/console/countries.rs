//! Countries and prefixes: which share of their messages comes back as a right code, what a block of each costs, and blocking.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};

use super::page::{Notice, View, page, table};
use super::switches::{Back, block_country, toggle};
use super::{Console, Failure, Operator, Outcome, Shared};
use crate::conversion::{Conversion, Suspension, conversion};
use crate::spend::{HourReport, spend};
use crate::switches::kill_switches;

/// The most rows of a table.
const SHOWN: usize = 50;

/// `GET /countries`.
pub(super) async fn show(State(console): Shared, outcome: Query<Outcome>) -> Result<Response, Failure> {
    let Operator { store, settings, .. } = &console.operator;
    let (now, unnamed) = (console.now(), BTreeMap::new());
    let off = kill_switches(&store.controls).await?.off;
    let (report, spent) = tokio::join!(
        conversion(store, &settings.spend, &unnamed, now),
        spend(store, &settings.spend, &settings.messages, now),
    );
    let (report, spent) = (report.map_err(|error| Failure::of(&error))?, spent.map_err(|error| Failure::of(&error))?);
    let content = html! {
        p.lead { "Many messages and few right codes are what pumping looks like. See what a block would cost, and block a country." }
        section.card aria-labelledby="countries" {
            h2 id="countries" { "Countries" }
            (conversions("Countries", &report.countries))
            p.fine {
                "Kept out: verified users whom a block would keep out in a usual hour. Messages, verified and share: this hour and the \
                 one before."
            }
        }
        (blocks(&console, &report.countries, &off))
        section.card aria-labelledby="prefixes" {
            h2 id="prefixes" { "Prefixes" }
            (conversions("Prefixes", &report.prefixes))
            p.fine { "All but the last four digits of a number, as a keyed hash. A prefix is suspended by the settings alone." }
        }
        (hours(&spent.hours))
    };
    Ok(page(&console, View::Countries, &Notice::of(&outcome), &content))
}

fn conversions(caption: &str, all: &[Conversion]) -> Markup {
    let rows = html! {
        @for row in all.iter().take(SHOWN) {
            tr {
                td {
                    (row.country.as_deref().unwrap_or(""))
                    @if let Some(prefix) = &row.prefix { " " code { (prefix) } }
                }
                td { (row.kind) }
                td { (row.messages) }
                td { (row.verified) }
                td { (row.percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent} %"))) }
                td { (suspension(row.suspension)) }
                td { (format!("{:.2}", row.kept_out_per_hour)) }
                td { (row.day_messages) }
                td { (row.day_stopped) }
            }
        }
    };
    let columns = ["Of", "Kind", "Messages", "Verified", "Share", "State", "Kept out/h", "Sent, 24 h", "Stopped, 24 h"];
    html! {
        @if all.is_empty() { p.soft { "No messages yet." } } @else { (table(caption, &columns, &rows)) }
        @if all.len() > SHOWN { p.fine { "The first " (SHOWN) " of " (all.len()) "; " code { "otpost conversion --json" } " has all." } }
    }
}

fn suspension(suspension: Suspension) -> Markup {
    html! {
        @match suspension {
            Suspension::No => { "as usual" }
            Suspension::Suspected => span.mark.warn { "suspected" },
            Suspension::Suspended => span.mark.bad { "suspended" },
        }
    }
}

/// A form for each country that has messages or is blocked.
fn blocks(console: &Console, all: &[Conversion], off: &[String]) -> Markup {
    let is_country = |name: &&str| name.len() == 2;
    let blocked: BTreeSet<_> = off.iter().map(String::as_str).filter(is_country).collect();
    let known: BTreeSet<_> =
        all.iter().filter_map(|row| row.country.as_deref()).chain(blocked.iter().copied()).collect();
    html! {
        section aria-labelledby="blocks" {
            h2 id="blocks" { "Block a country" }
            ul.cards {
                @for country in known {
                    @let is_blocked = blocked.contains(country);
                    li.card {
                        div.row {
                            h3 { (country) }
                            @if is_blocked { span.mark.bad { "Blocked" } } @else { span.mark.good { "Open" } }
                        }
                        @let label = format!("{} {country}", if is_blocked { "Unblock" } else { "Block" });
                        (toggle(console, (country, Back::Countries), is_blocked, &label))
                    }
                }
                li.card { (block_country(console, Back::Countries)) }
            }
        }
    }
}

fn hours(hours: &[HourReport]) -> Markup {
    let rows = html! {
        @for hour in hours {
            tr {
                td { (super::page::time(hour.hour)) }
                td { (hour.country) }
                td { (hour.messages) }
                td { (hour.segments) }
                td { (hour.cost) }
                td { (hour.stopped) }
            }
        }
    };
    html! {
        section.card aria-labelledby="hours" {
            h2 id="hours" { "Codes by hour and country" }
            @if hours.is_empty() {
                p.soft { "None in 24 hours." }
            } @else {
                (table("Codes by hour and country", &["Hour", "Country", "Messages", "Segments", "US$", "Stopped"], &rows))
            }
        }
    }
}
