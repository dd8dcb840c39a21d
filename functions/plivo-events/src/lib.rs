//! What Plivo tells us: delivery reports, inbound messages, and what becomes of calls. Everybody can reach these paths, so each request must
//! be signed by Plivo for its very address and parameters; until that is known, nothing is looked up. What is signed but unknown, late or
//! repeated has no effect and gets the same 200, so that Plivo does not repeat it.

mod call;
mod report;

use std::sync::Arc;

use lambda_http::Request;
use shared::app::App;
use shared::aws::secrets::Secret;
use shared::http::routes::{self, CALL_ANSWER, CALL_HANGUP, CODE_REPORT, Found, INBOUND, MESSAGE_REPORT, Match};
use shared::http::{self, HandlerResult, Problem, Reason};
use shared::messaging::consent;
use shared::plivo::inbound::{Inbound, NO_ANSWER};
use shared::plivo::signature::Signed;
use shared::store::SendId;

/// The secrets to fetch at the cold start.
pub const SECRETS: &[Secret] = &[Secret::Plivo, Secret::RootKey];

/// The parameters of a request, decoded.
pub type Form = Vec<(String, String)>;

/// Answers Plivo.
///
/// # Errors
/// [`Problem`].
pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    let form = signed_form(&app, &request).await?;
    let Found::Route(Match { route, parameter, .. }) = routes::find(request.method().as_str(), request.uri().path())
    else {
        return Err(Problem::new(Reason::NotFound));
    };
    // An id that is not one of ours leads nowhere.
    let send = parameter.and_then(SendId::parse);
    match (route.path, send) {
        (CODE_REPORT, Some(send)) => report::of_code(&app, send, &form).await?,
        (MESSAGE_REPORT, Some(send)) => report::of_message(&app, send, &form).await?,
        (INBOUND, _) => return inbound(&app, &form).await,
        (CALL_ANSWER, send) => return call::answer(&app, send, &form).await,
        (CALL_HANGUP, Some(send)) => call::hang_up(&app, send, &form).await?,
        (_, None) => {}
        _ => return Err(Problem::new(Reason::NotFound)),
    }
    Ok(http::done())
}

/// A message to our number: STOP, START and HELP have an effect. What cannot be recorded now fails, so that Plivo repeats it.
async fn inbound(app: &App, form: &Form) -> HandlerResult {
    let Some(inbound) = Inbound::read(|name| parameter(form, name)) else { return Ok(http::xml(NO_ANSWER)) };
    let answer = consent::receive(app, &inbound).await?;
    Ok(http::xml(answer.map_or_else(|| NO_ANSWER.to_owned(), |text| inbound.answer(&text))))
}

/// The first value of a parameter.
fn parameter<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The form of a request that Plivo has signed. The address under the signature is the one that we gave Plivo, whatever the client calls.
async fn signed_form(app: &App, request: &Request) -> Result<Form, Problem> {
    let form = http::form(request)?;
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    let url = format!("{}{path}", app.settings.resources.plivo_callback_url);
    let signed = Signed { method: request.method(), url: &url, parameters: &form };
    let credentials = app.secrets.plivo(app.clock.now()).await?;
    let is_signed = signed.verify(request.headers(), credentials.signing_tokens());
    is_signed.then_some(form).ok_or_else(|| Problem::new(Reason::SignatureInvalid))
}
