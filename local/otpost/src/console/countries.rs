//! Countries and prefixes: which share of their messages comes back as a right code, and whether they are blocked.

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::page::{Notice, View, page};
use super::{Failure, Shared};

/// `GET /countries`.
pub(super) async fn show(State(console): Shared) -> Result<Response, Failure> {
    let content = html! {};
    Ok(page(&console, View::Countries, &Notice::None, &content))
}
