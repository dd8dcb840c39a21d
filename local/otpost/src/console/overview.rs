//! The overview: what was sent, delivered, verified and refused in the last day, and what was spent of each budget.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use maud::{Markup, html};
use shared::clock::Timestamp;
use shared::spend::counter::hour_of;

use super::chart::{Series, by_hour, meter, share as bar};
use super::figures::{Counted, HOURS};
use super::page::{Notice, View, page, table, time};
use super::{Console, Failure, Operator, Shared};
use crate::spend::{BudgetReport, budgets};

/// `GET /`.
pub(super) async fn show(State(console): Shared) -> Result<Response, Failure> {
    let figures = figures(&console).await?;
    let content = html! {
        p.fine id="state" { "Load this page again for new figures." }
        p.unseen id="summary" role="status" aria-live="polite" {}
        div data-events=(console.path("/events")) { (figures) }
    };
    Ok(page(&console, View::Overview, &Notice::None, &content))
}

/// `GET /events`: the figures, now and again after each pause, until the server stops.
pub(super) async fn events(State(console): Shared) -> Response {
    let first = (console, Duration::ZERO);
    let stream = unfold(first, async |(console, pause): (Arc<Console>, Duration)| {
        let mut stopped = console.operator.stopped.clone();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // Nothing is ever sent: the channel closes.
            _ = stopped.changed() => return None,
        }
        let event = match figures(&console).await {
            Ok(figures) => Event::default().event("figures").data(figures.into_string().replace('\r', " ")),
            Err(Failure(why)) => Event::default().event("problem").data(why.replace('\r', " ")),
        };
        let pause = console.operator.refresh;
        Some((Ok::<_, Infallible>(event), (console, pause)))
    });
    Sse::new(stream).into_response()
}

async fn figures(console: &Console) -> Result<Markup, Failure> {
    let now = console.now();
    let Operator { store, settings, counts, .. } = &console.operator;
    let budgets = budgets(store, &settings.spend, &settings.messages, now);
    let (counted, budgets) = tokio::join!(counts.read(now), budgets);
    let (codes, messages) = budgets.map_err(|error| Failure::of(&error))?;
    Ok(html! {
        @match counted {
            Ok(counted) => (of_the_day(&counted, now)),
            Err(why) => p.note.bad data-summary=(why) { (why) }
        }
        (spent(&codes, &messages))
    })
}

/// What was spent of each budget.
fn spent(codes: &[BudgetReport], messages: &BudgetReport) -> Markup {
    let rows = html! {
        @for budget in codes.iter().chain([messages]) {
            @for (place, window) in budget.windows.iter().enumerate() {
                tr {
                    @if place == 0 {
                        th scope="rowgroup" rowspan=(budget.windows.len()) {
                            (name(&budget.scope))
                            @if !budget.is_own { small.fine { "shares the budget of all" } }
                        }
                    }
                    td { (window.window.as_str()) }
                    td.spent { (window.spent) " of " (window.budget) (meter(window.percent.unwrap_or(100))) }
                    td { (window.percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent} %"))) }
                    td { (time(window.ends)) }
                }
            }
        }
    };
    html! {
        section.card aria-labelledby="spent" {
            h2 id="spent" { "Spent of each budget, in US$" }
            (table("Budgets", &["Of", "Window", "Spent", "Share", "Ends"], &rows))
            p.fine { "Registrations may spend 80 % of a budget of codes. Amounts are reserved before each message, at its price then." }
        }
    }
}

fn name(scope: &str) -> &str {
    match scope {
        "all" => "Codes, all countries",
        "messages" => "The app's own messages",
        country => country,
    }
}

fn of_the_day(counted: &Counted, now: Timestamp) -> Markup {
    let sums = |metric| counted.by_hour(metric, now).iter().sum::<u64>();
    let (sent, delivered, verified, refused) = (sums("Sent"), sums("Delivered"), sums("Verified"), sums("Refused"));
    let said = format!("In 24 hours: {sent} sent, {delivered} delivered, {verified} verified, {refused} refused.");
    let bars =
        ["Sent", "Delivered", "Verified", "Refused"].map(|name| Series { name, values: counted.by_hour(name, now) });
    let hours: Vec<_> = (hour_of(now) - HOURS + 1..=hour_of(now)).map(hour).collect();
    html! {
        dl.figures data-summary=(said) {
            div { dt { "Sent" } dd { (sent) small { "in 24 hours" } } }
            div { dt { "Delivered" } dd { (delivered) small { (share(delivered, sent)) } } }
            div { dt { "Verified" } dd { (verified) small { (share(verified, sent)) } } }
            div { dt { "Lost" } dd { (sums("NotSent") + sums("Undelivered")) small { "not taken by Plivo, or not delivered" } } }
            div { dt { "Refused" } dd { (refused) small { "requests" } } }
        }
        section.card aria-labelledby="day" {
            h2 id="day" { "The last 24 hours" }
            (by_hour("hours", "Messages by the hour", &hours, &bars))
        }
        div.two-columns {
            (by_value("refused", "Refused, by reason", "Reason", &counted.by_value("Refused", now)))
            (by_value("sent", "Sent, by flow", "Flow", &counted.by_value("Sent", now)))
            (by_value("delivered", "Delivered, by country", "Country", &counted.by_value("Delivered", now)))
            (by_value("lost", "Not taken by Plivo, by reason", "Reason", &counted.by_value("NotSent", now)))
        }
    }
}

fn by_value(id: &str, title: &str, column: &str, counts: &[(String, u64)]) -> Markup {
    let most = counts.first().map_or(1, |(_, count)| *count).max(1);
    let rows = html! {
        @for (value, count) in counts {
            tr {
                td { (value) (bar(*count, most)) }
                td { (count) }
            }
        }
    };
    html! {
        section.card aria-labelledby=(id) {
            h2 id=(id) { (title) }
            @if counts.is_empty() { p.soft { "None in 24 hours." } } @else { (table(title, &[column, "Count"], &rows)) }
        }
    }
}

fn share(part: u64, of: u64) -> String {
    (part * 100).checked_div(of).map_or_else(|| "of none sent".to_owned(), |share| format!("{share} % of those sent"))
}

/// `07:00`, for hours since 1970.
fn hour(hour: i64) -> String {
    format!("{:02}:00", hour.rem_euclid(24))
}
