//! Find a person, see why there was no code, and change what the operator may change.

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use shared::crypto::identifier;
use shared::flow::Flow;
use shared::store::{ConsentKind, ENABLED, Profile, Session, StoreError};

use super::page::{Notice, View, change_form, maybe_time, page, table, time};
use super::{Console, Failure, Operator, Outcome, Reason, Shared};
use crate::consent::{self, ConsentReport};
use crate::user::{self, Action, Found};
use crate::why::{Holdup, Rules, SERVICE, Story, WhyReport, in_words, subject, unblock, why};

/// Who is looked for: a phone like `+14155550100`, an e-mail address or an objectId.
#[derive(Debug, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    who: String,
}

/// A change of a user.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    /// The last four digits of the user's phone, which confirm a deletion.
    #[serde(default)]
    digits: String,
    #[serde(flatten)]
    reason: Reason,
}

/// Whose limits are cleared.
#[derive(Debug, Deserialize)]
pub(super) struct Unblock {
    who: String,
    #[serde(flatten)]
    reason: Reason,
}

/// `GET /people`.
pub(super) async fn show(State(console): Shared, outcome: Query<Outcome>) -> Response {
    view(&console, "", &Notice::of(&outcome), &html! {})
}

/// `POST /people` finds somebody. A form that is posted leaves no phone number in the browser's history.
pub(super) async fn search(State(console): Shared, Form(Search { who }): Form<Search>) -> Result<Response, Failure> {
    person(&console, who.trim(), Notice::None).await
}

/// `GET /people/{user}`.
pub(super) async fn show_user(
    State(console): Shared,
    Path(user): Path<String>,
    outcome: Query<Outcome>,
) -> Result<Response, Failure> {
    person(&console, &user, Notice::of(&outcome)).await
}

/// `POST /people/{user}/{action}`.
pub(super) async fn change(
    State(console): Shared,
    Path((id, action)): Path<(String, String)>,
    Form(Change { digits, reason }): Form<Change>,
) -> Result<Response, Failure> {
    let author = match reason.author(&console.operator) {
        Ok(author) => author,
        Err(notice) => return person(&console, &id, notice).await,
    };
    let Some(action) = action_of(&action) else {
        return person(&console, &id, Notice::refused("There is no such change.")).await;
    };
    let found = match find(&console, &id).await? {
        Ok(found) => found,
        Err(notice) => return Ok(view(&console, "", &notice, &html! {})),
    };
    if action == Action::Delete && !is_confirmed(found.profile(), digits.trim()) {
        let problem = "Nothing is deleted: those are not the last four digits of the user's phone.";
        return person(&console, &id, Notice::refused(problem)).await;
    }
    let changed = user::change(&console.operator.store, &found, &action, &author, console.now()).await;
    if let Err(problem) = changed.map_err(split) {
        let notice = Notice::Refused(StatusCode::CONFLICT, problem?);
        return person(&console, &id, notice).await;
    }
    let view = View::People.named().0;
    Ok(console.done(&if action == Action::Delete { view.to_owned() } else { format!("{view}/{id}") }))
}

/// `POST /unblock` clears somebody's limits.
pub(super) async fn clear(
    State(console): Shared,
    Form(Unblock { who, reason }): Form<Unblock>,
) -> Result<Response, Failure> {
    let author = match reason.author(&console.operator) {
        Ok(author) => author,
        Err(notice) => return person(&console, &who, notice).await,
    };
    let keys = console.keys().await?;
    let Operator { store, settings, .. } = &console.operator;
    let cleared = unblock(store, &keys, settings.default_country, &who, &author, console.now()).await;
    match cleared.map_err(split) {
        Ok(()) if identifier::parse(&who).is_some() => Ok(console.done(&format!("{}/{who}", View::People.named().0))),
        // Not by an address, in which the number would stand.
        Ok(()) => person(&console, &who, Notice::Done).await,
        Err(problem) => Ok(view(&console, &who, &Notice::Refused(StatusCode::NOT_FOUND, problem?), &html! {})),
    }
}

fn action_of(name: &str) -> Option<Action> {
    match name {
        "disable" => Some(Action::Disable),
        "enable" => Some(Action::Enable),
        "sign-out" => Some(Action::SignOut),
        "delete" => Some(Action::Delete),
        "release-email" => Some(Action::ReleaseEmail),
        _ => None,
    }
}

fn is_confirmed(profile: &Profile, digits: &str) -> bool {
    digits.len() == 4 && profile.phone.ends_with(digits)
}

/// What is wrong with what was asked for, or else what failed.
fn split(error: Box<dyn std::error::Error>) -> Result<String, Failure> {
    if error.downcast_ref::<StoreError>().is_some() { Err(Failure::from(error)) } else { Ok(format!("{error}.")) }
}

/// The user, or what to say where there is none.
async fn find(console: &Console, who: &str) -> Result<Result<Found, Notice>, Failure> {
    let keys = console.keys().await?;
    let operator = &console.operator;
    let found = user::find(&operator.store, &keys, operator.settings.default_country, who).await;
    match found.map_err(split) {
        Ok(found) => Ok(Ok(found)),
        Err(problem) => Ok(Err(Notice::Refused(StatusCode::NOT_FOUND, problem?))),
    }
}

/// The view of a person, who need not be a user; where there is none, the search with what is wrong.
async fn person(console: &Console, who: &str, notice: Notice) -> Result<Response, Failure> {
    let (keys, now) = (console.keys().await?, console.now());
    let Operator { store, settings, .. } = &console.operator;
    let report = match why(store, &keys, &Rules::from(settings), who, now).await.map_err(split) {
        Ok(report) => report,
        Err(problem) => {
            return Ok(view(console, who, &Notice::Refused(StatusCode::NOT_FOUND, problem?), &html! {}));
        }
    };
    let found = user::find_if_any(store, &keys, settings.default_country, who).await?;
    let sessions = match &found {
        Some(found) => store.sessions.list(&found.profile().session_entries(), now).await,
        None => Ok(Vec::new()),
    };
    let sessions = sessions.map_err(|error| Failure::of(&error))?;
    let consent = match report.phone.clone() {
        Some(number) => Some(consent::show(store, &keys, number).await?),
        None => None,
    };
    let content = html! {
        @match &found {
            Some(found) => (described(found)),
            None => (stranger(&report, who))
        }
        (held_up(&report))
        @for story in report.stories.iter().filter(|story| story.of == "phone" || !story.lines.is_empty()) { (timeline(story)) }
        (actions(console, found.as_ref(), who))
        @if let Some(consent) = &consent { (consents(consent)) }
        @if let Some(found) = &found { (session_table(found, &sessions)) }
    };
    // The number of a user stands in the page, and need not stand in its form as well.
    Ok(view(console, if found.is_some() { "" } else { who }, &notice, &content))
}

fn view(console: &Console, who: &str, notice: &Notice, content: &Markup) -> Response {
    let content = html! {
        form.search role="search" method="post" action=(console.path("/people")) {
            label for="who" { "Phone like +14155550100, e-mail address or objectId" }
            div {
                input id="who" name="who" value=(who) required maxlength="320" autocomplete="off" spellcheck="false" autocapitalize="none";
                button type="submit" { "Find" }
            }
        }
        (content)
    };
    page(console, View::People, notice, &content)
}

fn described(found: &Found) -> Markup {
    let profile = found.profile();
    let roles: Vec<_> = profile.roles.iter().map(String::as_str).collect();
    html! {
        section.card aria-labelledby="user" {
            div.row {
                h2 id="user" { (profile.phone) }
                @if profile.status == ENABLED { span.mark.good { "Enabled" } } @else { span.mark.bad { (profile.status) } }
            }
            dl {
                dt { "objectId" } dd { code { (found.id()) } }
                dt { "E-mail" } dd { (profile.email.as_deref().unwrap_or("–")) }
                dt { "Registered" } dd { (time(profile.created)) }
                dt { "Last login" } dd { (maybe_time(profile.last_login)) }
                dt { "Language" } dd { (profile.locale) }
                @if !roles.is_empty() { dt { "Roles" } dd { (roles.join(", ")) } }
                @for (name, value) in properties(profile) { dt { (name) } dd { (value) } }
            }
        }
    }
}

/// The app's own properties, each as text.
fn properties(profile: &Profile) -> Vec<(String, String)> {
    let properties: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&profile.properties).unwrap_or_default();
    let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    properties.into_iter().map(|(name, value)| (name, text(value))).collect()
}

fn stranger(report: &WhyReport, who: &str) -> Markup {
    html! {
        section.card aria-labelledby="user" {
            div.row {
                h2 id="user" { (report.phone.as_deref().unwrap_or(who)) }
                span.mark { "No user" }
            }
        }
    }
}

/// What is in force, and when each ends.
fn held_up(report: &WhyReport) -> Markup {
    let list = |holdups: &[Holdup], of: &str| {
        html! {
            @for holdup in holdups {
                tr {
                    td.text { (in_words(&holdup.name)) " " code { (holdup.name) } }
                    td { @match holdup.until { Some(until) => (time(until)), None => { "it is changed" } } }
                    td.text { (of) ", " (holdup.who) }
                }
            }
        }
    };
    let is_free = report.service.is_empty() && report.stories.iter().all(|story| story.holdups.is_empty());
    let rows = html! {
        (list(&report.service, SERVICE))
        @for story in &report.stories { (list(&story.holdups, subject(story.of))) }
    };
    html! {
        section.card aria-labelledby="limits" {
            h2 id="limits" { "Limits in force" }
            @if let Some(until) = report.test_number_until { p { "A test number until " (time(until)) "." } }
            @if is_free { p.soft { "None: a start would be allowed." } } @else { (table("Limits in force", &["Limit", "Until", "Limit of"], &rows)) }
        }
    }
}

/// What has happened under a key, newest first.
fn timeline(story: &Story) -> Markup {
    let id = format!("story-{}", story.of);
    html! {
        section.card aria-labelledby=(id) {
            h2 id=(id) { "What happened, by " (story.of) }
            @if story.lines.is_empty() { p.soft { "Nothing lately." } }
            ol.story {
                @for line in story.lines.iter().rev() {
                    li {
                        (time(line.at))
                        p {
                            @if let Some(flow) = line.flow { code { (flow) } ": " }
                            (line.text)
                            @if let Some(by) = &line.by { " " span.by { (by) } }
                        }
                    }
                }
            }
            p.fine { "Key " code { (story.key) } ", as logs and decisions have it. Networks are keyed hashes." }
        }
    }
}

/// Whether the phone takes the app's own messages, and what it has agreed to.
fn consents(consent: &ConsentReport) -> Markup {
    let rows = html! {
        @for record in consent.records.iter().rev() {
            tr {
                td { (time(record.at)) }
                td {
                    (match record.kind {
                        ConsentKind::Consent => "Consent",
                        ConsentKind::OptOut => "Opt-out",
                        ConsentKind::OptIn => "Opt-in",
                    })
                }
                td.text { (record.text.as_deref().unwrap_or("–")) }
                td.text { (record.source) }
            }
        }
    };
    html! {
        section.card aria-labelledby="consent" {
            div.row {
                h2 id="consent" { "The app's own messages" }
                @if consent.opted_out.is_some() { span.mark.warn { "Opted out" } } @else { span.mark.good { "Not opted out" } }
            }
            @if let Some(opt_out) = &consent.opted_out {
                p { "Opted out " (time(opt_out.at)) " by " code { (opt_out.by) } ". The phone lifts it with START." }
            }
            @if consent.records.is_empty() {
                p.soft { "Nothing is recorded." }
            } @else {
                (table("Consent records, newest first", &["When", "What", "Text", "Source"], &rows))
            }
        }
    }
}

/// The forms of all changes that this person allows.
fn actions(console: &Console, found: Option<&Found>, who: &str) -> Markup {
    let who = found.map_or(who, Found::id);
    let fields = html! { input type="hidden" name="who" value=(who); };
    html! {
        section aria-labelledby="changes" {
            h2 id="changes" { "Change" }
            div.changes {
                (change_form(console, "unblock", ("/unblock", "Unblock", false), &fields))
                @if let Some(found) = found { (user_actions(console, found)) }
            }
        }
    }
}

fn user_actions(console: &Console, found: &Found) -> Markup {
    let profile = found.profile();
    let form = |action: &str, label: &str, is_grave: bool, fields: &Markup| {
        change_form(console, action, (&format!("/people/{}/{action}", found.id()), label, is_grave), fields)
    };
    let none = html! {};
    let digits = html! {
        label for="digits" { "The last four digits of the phone, to confirm" }
        input id="digits" name="digits" required inputmode="numeric" pattern="[0-9]{4}" maxlength="4" size="4" autocomplete="off";
    };
    html! {
        @if profile.status == ENABLED { (form("disable", "Disable", true, &none)) } @else { (form("enable", "Enable", false, &none)) }
        (form("sign-out", "Sign out everywhere", false, &none))
        @if profile.email.is_some() { (form("release-email", "Release the e-mail address", false, &none)) }
        (form("delete", "Delete", true, &digits))
    }
}

fn session_table(found: &Found, sessions: &[Session]) -> Markup {
    let entries = found.profile().session_entries();
    let device = |session: &Session| {
        entries.iter().find(|entry| entry.id == session.id).map_or("–", |entry| entry.device.as_str())
    };
    let rows = html! {
        @for session in sessions.iter().rev() {
            tr {
                td.text { (device(session)) }
                td { (session.flow.map_or("–", Flow::as_str)) }
                td { (time(session.created)) }
                td { (time(session.last_seen)) }
                td { (time(session.ends())) }
            }
        }
    };
    html! {
        section aria-labelledby="sessions" {
            h2 id="sessions" { "Sessions" }
            @if sessions.is_empty() {
                p.card.soft { "None." }
            } @else {
                div.card { (table("Open sessions, newest first", &["Program", "By", "Began", "Last used", "Ends unless used"], &rows)) }
            }
        }
    }
}
