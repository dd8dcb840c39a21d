//! `POST services/Plivo/loginWithCode`: ends a login of either kind.

use lambda_http::Request;
use shared::auth::code::OneTimeCode;
use shared::auth::login;
use shared::auth::transaction::TransactionId;
use shared::http::{self, Answer, Duplicates, Problem, Reason};
use shared::secrets::Need;
use shared::service::Service;

/// What is fetched and opened at its start.
pub const NEEDS: &[Need] = &[Need::Keys, Need::SecondConnection];

/// Answers the user with a `user-token`.
///
/// # Errors
/// [`Problem`].
pub async fn handle(service: &Service, request: Request) -> Answer {
    let mut fields = http::body(&request, Duplicates::Service)?;
    let transaction = fields.alias("transactionId", "transactioniId")?.filter(|text| !text.is_empty());
    let transaction = transaction.ok_or_else(|| Problem::field(Reason::MissingField, "transactionId"))?;
    let code = fields.string("code")?;
    fields.finish()?;
    let transaction = TransactionId::parse(&transaction)
        .ok_or_else(|| Problem::field(Reason::InvalidTransactionId, "transactionId"))?;
    let code = OneTimeCode::parse(&code, service.settings.code_length)
        .ok_or_else(|| Problem::field(Reason::InvalidCode, "code"))?;
    let login = login::finish(service, transaction, &code, &http::caller(&request)).await?;
    Ok(http::ok(&http::logged_in(&service.settings, &login)))
}
