//! Kill switches: what is switched off, and the last changes.

use axum::Form;
use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use shared::flow::Flow;
use shared::spend::kill_switch::{KillSwitch, MESSAGE, MMS, SMS, VOICE};

use super::page::{Notice, View, change_form, page, table, time};
use super::{Console, Failure, Outcome, Reason, Shared};
use crate::switches::{self, KillSwitchReport};

/// A change of a kill switch.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    name: String,
    /// `off` or `on`.
    to: Position,
    /// The view that asks.
    #[serde(default)]
    back: Back,
    #[serde(flatten)]
    reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Position {
    On,
    Off,
}

/// The view that a form is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Back {
    #[default]
    Switches,
    Countries,
}

impl Back {
    const fn view(self) -> View {
        match self {
            Self::Switches => View::Switches,
            Self::Countries => View::Countries,
        }
    }
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
    let channels = [
        (MESSAGE, "The app's own messages"),
        (SMS, "Everything by SMS"),
        (MMS, "Messages with media"),
        (VOICE, "Calls that read codes"),
    ];
    Flow::ALL.into_iter().map(flow).chain(channels).collect()
}

/// `GET /switches`.
pub(super) async fn show(State(console): Shared, outcome: Query<Outcome>) -> Result<Response, Failure> {
    view(&console, &Notice::of(&outcome)).await
}

/// `POST /switches`.
pub(super) async fn change(State(console): Shared, Form(change): Form<Change>) -> Result<Response, Failure> {
    let Change { name, to, back, reason } = change;
    let name = name.trim().to_owned();
    let is_country = all().iter().all(|(known, _)| *known != name);
    let name = if is_country { name.to_uppercase() } else { name };
    let author = match reason.author(&console.operator) {
        Ok(author) => author,
        Err(notice) => return view(&console, &notice).await,
    };
    if KillSwitch::parse(&name).is_none() {
        return view(&console, &Notice::refused(format!("There is no kill switch or country {name}."))).await;
    }
    let is_off = to == Position::Off;
    switches::switch(&console.operator.store.controls, (&name, is_off), &author, console.now()).await?;
    Ok(console.done(back.view().named().0))
}

async fn view(console: &Console, notice: &Notice) -> Result<Response, Failure> {
    let record = switches::kill_switches(&console.operator.store.controls).await?;
    let named = all();
    let countries: Vec<_> = record.off.iter().filter(|name| named.iter().all(|(known, _)| known != name)).collect();
    let content = html! {
        p.lead { "What is switched off sends nothing, within 15 seconds. Everything else goes on." }
        section aria-labelledby="switches" {
            h2 id="switches" { "Flows and channels" }
            ul.cards {
                @for (name, what) in &named { (switch(console, name, what, record.off.iter().any(|off| off == name))) }
            }
        }
        section aria-labelledby="countries" {
            h2 id="countries" { "Countries" }
            ul.cards {
                @for name in countries { (switch(console, name, "A country", true)) }
                li.card { (block_country(console, Back::Switches)) }
            }
        }
        (changes(&record))
    };
    Ok(page(console, View::Switches, notice, &content))
}

/// A form that switches off a country that is yet to be named.
pub(super) fn block_country(console: &Console, back: Back) -> Markup {
    let fields = html! {
        (hidden(back))
        input type="hidden" name="to" value="off";
        label for="country" { "Country, two letters" }
        input id="country" name="name" required minlength="2" maxlength="2" autocomplete="off" size="4";
    };
    change_form(console, "block", ("/switches", "Block another country", true), &fields)
}

fn hidden(back: Back) -> Markup {
    html! { @if back == Back::Countries { input type="hidden" name="back" value="countries"; } }
}

/// The form that switches this off or on.
pub(super) fn toggle(console: &Console, (name, back): (&str, Back), is_off: bool, label: &str) -> Markup {
    let fields = html! {
        (hidden(back))
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
            (toggle(console, (name, Back::Switches), is_off, &label))
        }
    }
}

fn changes(record: &KillSwitchReport) -> Markup {
    let rows = html! {
        @for change in record.changes.iter().take(crate::LISTED) {
            tr {
                td { (time(change.at)) }
                td { code { (change.name) } (if change.off { " off" } else { " on" }) }
                td.text { (change.by) }
                td.text { (change.why) }
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
