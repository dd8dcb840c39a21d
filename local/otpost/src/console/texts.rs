//! The texts as a phone shows them, in every language and for every purpose, with what they cost in segments; and a place to try one.

use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use shared::auth::text_lint::{Checked, lint, longest};
use shared::config::{OwnTexts, Purpose, Settings};
use shared::language::Language;
use shared::messaging::sms_encoding::{gsm_length, segments};
use strum::VariantArray as _;

use super::page::{Notice, View, page};
use super::{Console, Shared};

/// Whose texts are shown.
#[derive(Debug, Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    language: String,
}

/// A text to try.
#[derive(Debug, Deserialize)]
pub(super) struct Tried {
    language: String,
    purpose: String,
    text: String,
}

/// `GET /texts`.
pub(super) async fn show(State(console): Shared, Query(shown): Query<Shown>) -> Response {
    view(&console, Language::of_tag(&shown.language).unwrap_or_default(), &Notice::None, None)
}

/// `POST /texts` checks a text; it changes nothing.
pub(super) async fn check(State(console): Shared, Form(tried): Form<Tried>) -> Response {
    let language = Language::of_tag(&tried.language).unwrap_or_default();
    // As in the file, where those of calls stand apart.
    let of_language = match tried.purpose.strip_prefix("voice ") {
        Some(flow) => json!({ "voice": { flow: &tried.text } }),
        None => json!({ &tried.purpose: &tried.text }),
    };
    match OwnTexts::parse(&json!({ language.code(): of_language }).to_string()) {
        Ok(texts) => {
            let checked = lint(&Settings { texts, ..console.operator.settings.clone() }).pop();
            view(&console, language, &Notice::None, Some((&tried, checked)))
        }
        Err(problem) => {
            let notice = Notice::Refused(StatusCode::BAD_REQUEST, problem);
            view(&console, language, &notice, Some((&tried, None)))
        }
    }
}

fn view(console: &Console, language: Language, notice: &Notice, tried: Option<(&Tried, Option<Checked>)>) -> Response {
    let settings = &console.operator.settings;
    let content = html! {
        p.lead { "Each text at its longest, with a code of zeros. Your own are in " code { "shared/texts.json" } " and are built in." }
        form.pick method="get" action=(console.path("/texts")) {
            label for="language" { "Language" }
            (languages("language", language))
            button type="submit" { "Show" }
        }
        section aria-labelledby="all" {
            h2 id="all" { (format!("{language:?}")) }
            ul.cards {
                @for purpose in Purpose::ALL { (shown(settings, language, purpose)) }
            }
        }
        section aria-labelledby="try" {
            h2 id="try" { "Try a text" }
            (try_form(console, language, tried.as_ref().map(|(tried, _)| *tried)))
            @if let Some((tried, Some(checked))) = &tried { (result(language, checked, tried.purpose.starts_with("voice "))) }
        }
    };
    page(console, View::Texts, notice, &content)
}

fn languages(id: &str, chosen: Language) -> Markup {
    html! {
        select id=(id) name="language" {
            @for language in Language::VARIANTS {
                option value=(language.code()) selected[*language == chosen] { (format!("{language:?}")) }
            }
        }
    }
}

fn shown(settings: &Settings, language: Language, purpose: Purpose) -> Markup {
    let text = longest(settings, language, purpose);
    html! {
        li.card {
            div.row {
                h3 { code { (purpose) } }
                @if settings.texts.get(language, purpose).is_some() { span.mark.good { "Your own" } }
            }
            (bubble(language, &text, matches!(purpose, Purpose::Call(_))))
        }
    }
}

/// A text and its size. What a call reads has no segments.
fn bubble(language: Language, text: &str, is_call: bool) -> Markup {
    if is_call {
        return html! {
            p.bubble lang=(language.code()) dir="auto" { (text) }
            p.fine { (text.chars().count()) " characters, read twice" }
        };
    }
    let size = match gsm_length(text) {
        Some(characters) => format!("{characters} characters of GSM 03.38"),
        None => format!("{} characters of UCS-2", text.encode_utf16().count()),
    };
    let count = segments(text);
    html! {
        p.bubble lang=(language.code()) dir="auto" { (text) }
        p.fine {
            (size) ", "
            @if count == 1 { "1 segment" } @else { strong.warn { (count) " segments" } }
        }
    }
}

fn try_form(console: &Console, language: Language, tried: Option<&Tried>) -> Markup {
    let purpose = tried.map_or("login", |tried| tried.purpose.as_str());
    html! {
        form.card.fields method="post" action=(console.path("/texts")) {
            label for="try-language" { "Language" }
            (languages("try-language", language))
            label for="try-purpose" { "Purpose" }
            select id="try-purpose" name="purpose" {
                @for one in Purpose::ALL.map(|one| one.to_string()) { option value=(one) selected[one == purpose] { (one) } }
            }
            label for="try-text" { "Text, with {code}, {app} and {life}" }
            textarea id="try-text" name="text" required rows="3" maxlength="1600" { (tried.map_or("", |tried| tried.text.as_str())) }
            button type="submit" { "Check" }
        }
    }
}

fn result(language: Language, checked: &Checked, is_call: bool) -> Markup {
    html! {
        div.card role="status" {
            h3 { (if checked.problems.is_empty() { "Good to send" } else { "Should not be sent" }) }
            (bubble(language, &checked.longest, is_call))
            @if !checked.problems.is_empty() {
                ul { @for problem in &checked.problems { li { "It " (problem) "." } } }
            }
        }
    }
}
