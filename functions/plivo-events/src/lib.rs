//! What Plivo tells us: delivery reports, inbound messages, and what becomes of calls. Everybody can reach these paths, so each request must
//! be signed by Plivo for its very address and parameters; until that is known, nothing is looked up. What is signed but unknown, late or
//! repeated has no effect and gets the same 200, so that Plivo does not repeat it.

use std::sync::Arc;

use lambda_http::Request;
use shared::app::App;
use shared::aws::secrets::Secret;
use shared::http::routes::{self, CALL_ANSWER, CALL_HANGUP, CODE_REPORT, Found, INBOUND, MESSAGE_REPORT, Match};
use shared::http::{self, HandlerResult, Problem, Reason};
use shared::plivo::signature::Signed;

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
    let _id = parameter.unwrap_or_default();
    match route.path {
        CODE_REPORT | MESSAGE_REPORT | INBOUND | CALL_ANSWER | CALL_HANGUP => drop(form),
        _ => return Err(Problem::new(Reason::NotFound)),
    }
    Ok(http::done())
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
