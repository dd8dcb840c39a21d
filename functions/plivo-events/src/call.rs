//! Calls that read a code: what they say, and how they end.

use lambda_http::{Body, Response};
use shared::app::App;
use shared::auth::voice::{self, CallEnd, HANG_UP};
use shared::http::{self, Problem};
use shared::store::SendId;

use crate::Form;
use crate::report::value;

/// Answers with what the call says. One that is to be told nothing is hung up.
///
/// # Errors
/// [`Problem`]: storage or the keys are not available, so Plivo is to come again.
pub(crate) async fn answer(app: &App, send: Option<SendId>, form: &Form) -> Result<Response<Body>, Problem> {
    let speech = match (send, value(form, "CallUUID")) {
        (Some(send), Some(call)) => voice::answer(app, send, call).await?,
        _ => None,
    };
    Ok(http::xml(speech.unwrap_or_else(|| HANG_UP.to_owned())))
}

/// Records how the call ended.
///
/// # Errors
/// As [`answer`].
pub(crate) async fn hang_up(app: &App, send: SendId, form: &Form) -> Result<(), Problem> {
    let (Some(call), Some(status)) = (value(form, "CallUUID"), value(form, "CallStatus")) else { return Ok(()) };
    let end = match status {
        "completed" => CallEnd::Completed,
        "busy" | "no-answer" | "timeout" | "cancel" => CallEnd::NotAnswered,
        _ => CallEnd::Failed,
    };
    let cause = value(form, "HangupCauseCode").filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
    Ok(voice::hang_up(app, send, call, end, cause.map(str::to_owned)).await?)
}
