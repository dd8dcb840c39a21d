//! The test numbers that the stack is configured with. Their codes are not shown: whoever may read the settings knows them.

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::Shared;
use super::page::{Notice, View, page, table, time};

/// `GET /test-numbers`.
pub(super) async fn show(State(console): Shared) -> Response {
    let now = console.now();
    let numbers = &console.operator.settings.test_numbers;
    let rows = html! {
        @for number in numbers {
            tr {
                td { code { (number.phone.e164()) } }
                td { (time(number.end)) }
                td {
                    @if now < number.end { span.mark.good { "In use" } } @else { span.mark.warn { "Ended" } }
                }
                td.text {
                    @if number.phone.is_fictional() { "Belongs to nobody" } @else { "May be a person's: good once it was proven by an SMS" }
                }
            }
        }
    };
    let content = html! {
        p.lead { "Numbers with fixed codes, for app-store reviews and end-to-end tests. The setting " code { "TEST_NUMBERS" } " lists them." }
        @if numbers.is_empty() {
            p.card.soft { "None are configured." }
        } @else {
            div.card { (table("Test numbers", &["Number", "Ends", "State", "Range"], &rows)) }
        }
    };
    page(&console, View::TestNumbers, &Notice::None, &content)
}
