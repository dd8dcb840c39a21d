//! `POST services/Plivo/consent` and `GET services/Plivo/consent/{phone}`: what a phone has consented to, and whether it has opted out.

use lambda_http::Request;
use shared::app::App;
use shared::http::{self, Duplicates, HandlerResult};
use shared::messaging::consent::{self, Consent};

/// Adds a consent; responds with what is kept then.
pub(crate) async fn add(app: &App, request: &Request) -> HandlerResult {
    let mut fields = http::body(request, Duplicates::Service)?;
    let phone = fields.string("phoneNumber")?;
    let (text, source) = (fields.string("text")?, fields.string("source")?);
    fields.finish()?;
    let phone = http::phone_number(&app.settings, "phoneNumber", &phone)?;
    let consent = Consent::new(&text, &source)?;
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    app.store.users.check_root_key(&keys).await?;
    let kept = consent::add(&app.store, consent::key(&keys, phone.e164()), &consent, now).await?;
    Ok(http::ok(&consent::to_json(&kept, now)))
}

/// Responds with what is kept about a phone.
pub(crate) async fn show(app: &App, phone: &str) -> HandlerResult {
    let phone = http::phone_number(&app.settings, "phoneNumber", phone)?;
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    app.store.users.check_root_key(&keys).await?;
    let consents = app.store.consents.get(consent::key(&keys, phone.e164())).await?;
    Ok(http::ok(&consent::to_json(&consents, now)))
}
