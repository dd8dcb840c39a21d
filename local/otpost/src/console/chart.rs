//! Bars, as SVG for eyes, each beside its figures for everybody else. A chart is stretched to its place, so no text stands in it.

use maud::{Markup, html};

use super::page::table;

/// The height of a chart, in its own units.
const HEIGHT: u64 = 100;
/// The width of a bar and the gap after a group, likewise.
const BAR: usize = 4;
const GAP: usize = 3;
/// From this percentage of a budget on, its bar warns; from the other one on, it alarms.
const WARNS: i64 = 70;
const ALARMS: i64 = 90;

/// One of the rows of bars of a chart, each with a colour of its own.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) values: Vec<u64>,
}

const COLOURS: [&str; 4] = ["base", "pale", "one", "three"];

/// Bars by the hour, with a table of the same. `id` tells this chart from others; `hours` names the columns.
pub(super) fn by_hour(id: &str, caption: &str, hours: &[String], series: &[Series]) -> Markup {
    let most = series.iter().flat_map(|one| &one.values).copied().max().unwrap_or_default().max(1);
    let group = series.len() * BAR + GAP;
    let names: Vec<_> = std::iter::once("Hour").chain(series.iter().map(|one| one.name)).collect();
    let rows = html! {
        @for (place, hour) in hours.iter().enumerate().rev() {
            tr {
                th scope="row" { (hour) }
                @for one in series { td { (one.values.get(place).copied().unwrap_or_default()) } }
            }
        }
    };
    html! {
        svg.chart.tall viewBox=(format!("0 0 {} {HEIGHT}", group * hours.len())) preserveAspectRatio="none" aria-hidden="true"
            focusable="false" {
            @for (row, one) in series.iter().enumerate() {
                @for (place, value) in one.values.iter().enumerate() {
                    @let height = (value * HEIGHT).div_ceil(most);
                    rect class=(COLOURS[row % COLOURS.len()]) x=(place * group + row * BAR) y=(HEIGHT - height) width=(BAR) height=(height) {}
                }
            }
        }
        div.axis aria-hidden="true" {
            span { (hours.first().map_or("", String::as_str)) }
            span { "most in an hour: " (most) }
            span { (hours.last().map_or("", String::as_str)) }
        }
        ul.legend {
            @for (row, one) in series.iter().enumerate() {
                li class=(COLOURS[row % COLOURS.len()]) { (one.name) ": " (one.values.iter().sum::<u64>()) }
            }
        }
        details id=(id) {
            summary { "As a table" }
            (table(caption, &names, &rows))
        }
    }
}

/// A bar that shows how much of something is used, in percent.
pub(super) fn meter(percent: i64) -> Markup {
    let class = match percent {
        ALARMS.. => "three",
        WARNS.. => "two",
        _ => "one",
    };
    html! {
        svg.chart.meter viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.track width="100" height="1" {}
            rect class=(class) width=(percent.clamp(0, 100)) height="1" {}
        }
    }
}

/// A bar that shows a count beside the largest one.
pub(super) fn share(count: u64, most: u64) -> Markup {
    html! {
        svg.chart.meter viewBox=(format!("0 0 {most} 1")) preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.one width=(count) height="1" {}
        }
    }
}
