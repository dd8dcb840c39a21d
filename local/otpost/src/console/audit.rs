//! The audit log: what operators changed, who and why.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shared::crypto::identifier;

use super::page::{Notice, View, page, table, time};
use super::{Failure, Shared};
use crate::audit::{AuditReport, Change, audit};

/// `GET /audit`.
pub(super) async fn show(State(console): Shared) -> Result<Response, Failure> {
    let operator = &console.operator;
    let AuditReport { changes, .. } =
        audit(&operator.store.controls, &operator.settings.test_numbers, console.now()).await?;
    let content = html! {
        p.lead { "The last changes by hand, here or by " code { "otpost" } ". Each is recorded before it is made." }
        @if changes.is_empty() {
            p.card.soft { "Nothing was changed yet." }
        } @else {
            @let rows = html! { @for change in &changes { (row(&console.path("/people"), change)) } };
            div.card { (table("Changes, newest first", &["When", "What", "Who", "Why"], &rows)) }
        }
        p.fine {
            a href=(console.path("/test-numbers")) { "Test numbers configured: " (operator.settings.test_numbers.len()) }
            ". A start with one is in the decision log, with the outcome " code { "test" } "."
        }
    };
    Ok(page(&console, View::Audit, &Notice::None, &content))
}

fn row(people: &str, change: &Change) -> Markup {
    html! {
        tr {
            td { (time(change.at)) }
            td.text {
                (change.action)
                @match change.target.as_deref() {
                    Some(user) if identifier::parse(user).is_some() => { " " a href=(format!("{people}/{user}")) { code { (user) } } }
                    Some(phone) => { " phone " code { (phone) } }
                    None => {}
                }
            }
            td.text {
                (change.by)
                @if let Some(arn) = &change.arn { br; code { (arn) } }
            }
            td.text { (change.why) }
        }
    }
}
