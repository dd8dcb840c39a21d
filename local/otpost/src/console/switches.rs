//! Kill switches: what is switched off, and the last changes.

use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use shared::flow::Flow;
use shared::spend::kill_switch::{KillSwitch, MESSAGE, MMS, SMS};
use shared::store::{KillSwitchChange, KillSwitchRecord};

use super::page::{Notice, View, change_form, page, table, time};
use super::{Console, Failure, Outcome, Reason, Shared};

/// A change of a kill switch.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    name: String,
    /// `off` or `on`.
    to: Position,
    #[serde(flatten)]
    reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Position {
    On,
    Off,
}

/// What can be switched off besides countries, and what that stops.
fn all() -> Vec<(&'static str, &'static str)> {
    let flow = |flow: Flow| {
        let what = match flow {
            Flow::Register => "Codes of registrations",
            Flow::Login => "Codes of logins without a password",
            Flow::SecondFactor => "Codes after a right password",
            Flow::ChangePhone => "Codes to a user's new phone",
            Flow::ResetPassword => "Codes for a new password",
        };
        (flow.as_str(), what)
    };
    let channels = [(MESSAGE, "The app's own messages"), (SMS, "Everything by SMS"), (MMS, "Messages with media")];
    Flow::ALL.into_iter().map(flow).chain(channels).collect()
}

/// `GET /switches`.
pub(super) async fn show(State(console): Shared, outcome: Query<Outcome>) -> Result<Response, Failure> {
    view(&console, &Notice::of(&outcome)).await
}

/// `POST /switches`.
pub(super) async fn change(State(console): Shared, Form(change): Form<Change>) -> Result<Response, Failure> {
    let Change { name, to, reason } = change;
    let name = name.trim().to_owned();
    let is_country = all().iter().all(|(known, _)| *known != name);
    let name = if is_country { name.to_uppercase() } else { name };
    let (by, why) = match reason.given(&console.operator) {
        Ok((by, why)) => (by.to_owned(), why.to_owned()),
        Err(problem) => return view(&console, &Notice::refused(problem)).await,
    };
    let Some(switch) = KillSwitch::parse(&name) else {
        let problem = Notice::Refused(StatusCode::BAD_REQUEST, format!("There is no kill switch or country {name}."));
        return view(&console, &problem).await;
    };
    let change = KillSwitchChange { at: console.now(), by, name, off: to == Position::Off, why };
    console.operator.store.controls.switch(&switch, change).await.map_err(|error| Failure::of(&error))?;
    Ok(console.done(View::Switches.named().0))
}

async fn view(console: &Console, notice: &Notice) -> Result<Response, Failure> {
    let record = console.operator.store.controls.kill_switches().await.map_err(|error| Failure::of(&error))?;
    let named = all();
    let countries: Vec<_> = record.off.iter().filter(|name| named.iter().all(|(known, _)| known != name)).collect();
    let content = html! {
        p.lead { "What is switched off sends nothing, within 15 seconds. Everything else goes on." }
        section aria-labelledby="switches" {
            h2 id="switches" { "Flows and channels" }
            ul.cards {
                @for (name, what) in &named { (switch(console, name, what, record.off.contains(*name))) }
            }
        }
        section aria-labelledby="countries" {
            h2 id="countries" { "Countries" }
            ul.cards {
                @for name in countries { (switch(console, name, "A country", true)) }
                li.card { (block_country(console)) }
            }
        }
        (changes(&record))
    };
    Ok(page(console, View::Switches, notice, &content))
}

/// A form that switches off a country that is yet to be named.
fn block_country(console: &Console) -> Markup {
    let fields = html! {
        input type="hidden" name="to" value="off";
        label for="country" { "Country, two letters" }
        input id="country" name="name" required minlength="2" maxlength="2" autocomplete="off" size="4";
    };
    change_form(console, "block", ("/switches", "Block a country", true), &fields)
}

/// The form that switches this off or on.
pub(super) fn toggle(console: &Console, name: &str, is_off: bool, label: &str) -> Markup {
    let fields = html! {
        input type="hidden" name="name" value=(name);
        input type="hidden" name="to" value=(if is_off { "on" } else { "off" });
    };
    change_form(console, name, ("/switches", label, !is_off), &fields)
}

fn switch(console: &Console, name: &str, what: &str, is_off: bool) -> Markup {
    let label = if is_off { format!("Switch {name} on") } else { format!("Switch {name} off") };
    html! {
        li.card {
            div.row {
                h3 { code { (name) } }
                @if is_off { span.mark.bad { "Off" } } @else { span.mark.good { "On" } }
            }
            p.soft { (what) }
            (toggle(console, name, is_off, &label))
        }
    }
}

fn changes(record: &KillSwitchRecord) -> Markup {
    let rows = html! {
        @for change in record.changes.iter().rev().take(crate::LISTED) {
            tr {
                td { (time(change.at)) }
                td { code { (change.name) } (if change.off { " off" } else { " on" }) }
                td { (change.by) }
                td { (change.why) }
            }
        }
    };
    html! {
        section aria-labelledby="changes" {
            h2 id="changes" { "Last changes" }
            @if record.changes.is_empty() {
                p.card.soft { "None yet." }
            } @else {
                div.card { (table("Changes of kill switches, newest first", &["When", "What", "Who", "Why"], &rows)) }
            }
        }
    }
}
