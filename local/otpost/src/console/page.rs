//! The frame of each page, and its parts.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use shared::clock::Timestamp;

use super::{Console, Outcome};
use crate::Iso;

const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' \
    rx='9' fill='%231f6f63'/%3E%3Cpath d='M8 11.5h16v10a1.5 1.5 0 0 1-1.5 1.500h-13a1.5 1.5 0 0 1-1.5-1.500zM8 11.500l8 6 8-6' \
    fill='none' stroke='white' stroke-width='2' stroke-linejoin='round'/%3E%3C/svg%3E";

/// A view of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Overview,
    People,
    Countries,
    Switches,
    TestNumbers,
    Texts,
    Audit,
}

impl View {
    const ALL: [Self; 7] =
        [Self::Overview, Self::People, Self::Countries, Self::Switches, Self::TestNumbers, Self::Texts, Self::Audit];

    /// Its path below the console's, and its title.
    pub(super) const fn named(self) -> (&'static str, &'static str) {
        match self {
            Self::Overview => ("", "Overview"),
            Self::People => ("/people", "Find a person"),
            Self::Countries => ("/countries", "Countries"),
            Self::Switches => ("/switches", "Kill switches"),
            Self::TestNumbers => ("/test-numbers", "Test numbers"),
            Self::Texts => ("/texts", "Texts"),
            Self::Audit => ("/audit", "Audit log"),
        }
    }
}

/// What happened to a change that was asked for.
#[derive(Debug, Default)]
pub(super) enum Notice {
    /// None was asked for.
    #[default]
    None,
    /// It is made.
    Done,
    /// It is not made, and why.
    Refused(StatusCode, String),
}

impl Notice {
    /// By the address of the view.
    pub(super) fn of(Query(outcome): &Query<Outcome>) -> Self {
        if outcome.done.is_some() { Self::Done } else { Self::None }
    }

    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(StatusCode::BAD_REQUEST, why.into())
    }

    fn markup(&self, console: &Console) -> Markup {
        html! {
            @match self {
                Self::None => {}
                Self::Done => p.note.good role="status" { "Done. " a href=(console.path("/audit")) { "The audit log" } " has it." }
                Self::Refused(_, why) => p.note.bad role="alert" { (why) }
            }
        }
    }
}

/// A view.
pub(super) fn page(console: &Console, view: View, notice: &Notice, content: &Markup) -> Response {
    let (_, title) = view.named();
    let operator = &console.operator;
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head(title))
                link rel="stylesheet" href=(console.path("/console.css"));
                script src=(console.path("/console.js")) defer {}
            }
            body {
                a.skip href="#main" { "Skip to content" }
                header {
                    div.wrap {
                        div.brand {
                            (mark())
                            div { b { "Otpost console" } p { (operator.place) } }
                            @if !operator.links.is_empty() {
                                ul.links aria-label="Further pages" {
                                    @for (name, path) in &operator.links { li { a href=(path) { (name) } } }
                                }
                            }
                        }
                        nav aria-label="Views" {
                            ul {
                                @for one in View::ALL {
                                    @let (path, name) = one.named();
                                    li { a href=(console.path(path)) aria-current=[(one == view).then_some("page")] { (name) } }
                                }
                            }
                        }
                    }
                }
                main.wrap id="main" tabindex="-1" {
                    h1 { (title) }
                    (notice.markup(console))
                    (content)
                }
                footer.wrap {
                    p { "Times are UTC. Each change is recorded with your reason and " (who(console)) "." }
                }
            }
        }
    };
    let status = if let Notice::Refused(status, _) = notice { *status } else { StatusCode::OK };
    (status, Html(markup.into_string())).into_response()
}

fn who(console: &Console) -> Markup {
    html! {
        @match &console.operator.arn {
            Some(arn) => code { (arn) },
            None => { "the name that you give" }
        }
    }
}

fn head(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (title) " – Otpost console" }
        link rel="icon" href=(ICON);
    }
}

fn mark() -> Markup {
    html! {
        svg viewBox="0 0 32 32" aria-hidden="true" focusable="false" {
            rect width="32" height="32" rx="9" {}
            path d="M8 11.5h16v10a1.5 1.5 0 0 1-1.5 1.5h-13a1.5 1.5 0 0 1-1.5-1.5zM8 11.5l8 6 8-6" fill="none" stroke-width="2"
                stroke-linejoin="round" {}
        }
    }
}

/// A page of one sentence, without the frame, which would ask for what is not there.
fn plain(title: &str, more: &Markup, content: &Markup) -> Html<String> {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head { (head(title)) (more) }
            body { main { h1 { (title) } p { (content) } } }
        }
    };
    Html(markup.into_string())
}

/// A request that is refused.
pub(super) fn refusal(why: &str) -> Html<String> {
    plain("Refused", &html! {}, &html! { (why) })
}

/// A view that cannot be shown.
pub(super) fn failure(why: &str) -> Html<String> {
    plain("That did not work", &html! {}, &html! { (why) })
}

/// Leads to the console without a redirect.
pub(super) fn opened(base: &str) -> Html<String> {
    let next = html! { meta http-equiv="refresh" content=(format!("0;url={base}")); };
    plain("Opening", &next, &html! { a href=(base) { "To the console" } })
}

/// A moment, which the script shows in the reader's own time, too.
pub(super) fn time(at: impl Into<Iso>) -> Markup {
    let iso = at.into().to_string();
    let shown = iso.split('.').next().unwrap_or_default().trim_end_matches('Z').replace('T', " ");
    html! { time datetime=(iso) { (shown) } }
}

/// A moment, or a dash.
pub(super) fn maybe_time(at: Option<Timestamp>) -> Markup {
    at.map_or_else(|| html! { "–" }, time)
}

/// A form that changes something, behind its own summary: who makes the change and why, and what else `fields` asks for.
pub(super) fn change_form(
    console: &Console,
    id: &str,
    (action, label, is_grave): (&str, &str, bool),
    fields: &Markup,
) -> Markup {
    html! {
        details.change {
            summary { (label) }
            form method="post" action=(console.path(action)) {
                (fields)
                @if console.operator.arn.is_none() {
                    label for=(format!("{id}-by")) { "Your name" }
                    input id=(format!("{id}-by")) name="by" required maxlength="500" autocomplete="name";
                }
                label for=(format!("{id}-why")) { "Reason" }
                input id=(format!("{id}-why")) name="why" required maxlength="500" autocomplete="off";
                button.bad[is_grave] type="submit" { (label) }
            }
        }
    }
}

/// A table below a caption, which a narrow screen can scroll.
pub(super) fn table(caption: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll role="group" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}
