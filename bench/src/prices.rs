//! What an operation costs, by the published prices in `prices.json`, which has their date and sources. `docs/cost.md` reckons with
//! the same.

use local::template::Template;
use serde::Deserialize;

use crate::Failure;
use crate::operation::{Hashing, Operation};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Prices {
    pub(crate) date: String,
    region: String,
    currency: String,
    dynamodb: DynamoDb,
    lambda: Lambda,
    gateway: Gateway,
    secrets_manager: SecretsManager,
    excluded: String,
    assumed_seconds: Seconds,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DynamoDb {
    read_units_million: f64,
    write_units_million: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lambda {
    requests_million: f64,
    gigabyte_second_arm64: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gateway {
    http_api_requests_million: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecretsManager {
    calls_ten_thousand: f64,
}

/// How long an operation takes on Lambda, as `docs/cost.md` assumes.
#[derive(Debug, Deserialize)]
struct Seconds {
    each: f64,
    plivo: f64,
    password: f64,
}

impl Prices {
    pub(crate) fn read() -> Result<Self, Failure> {
        Ok(serde_json::from_str(include_str!("../prices.json"))?)
    }

    /// The price of a million of these operations in warm functions.
    pub(crate) fn million(&self, operation: &Operation, read_units: f64, write_units: f64) -> Result<f64, Failure> {
        let assumed = &self.assumed_seconds;
        let plivo = if operation.plivo.is_empty() { 0.0 } else { assumed.plivo };
        let password = if operation.hashing == Hashing::Argon2id { assumed.password } else { 0.0 };
        let gigabytes = megabytes(operation.ask.function.name())? as f64 / 1024.0;
        let time = (assumed.each + plivo + password) * gigabytes * 1e6 * self.lambda.gigabyte_second_arm64;
        let storage = read_units * self.dynamodb.read_units_million + write_units * self.dynamodb.write_units_million;
        Ok(storage + time + self.lambda.requests_million + self.gateway.http_api_requests_million)
    }

    /// The additional price of a million cold starts with this many secrets.
    pub(crate) fn million_secrets(&self, secrets: usize) -> f64 {
        secrets as f64 * self.secrets_manager.calls_ten_thousand * 100.0
    }

    /// A note below figures.
    pub(crate) fn note(&self) -> String {
        let Self { date, region, currency, excluded, .. } = self;
        format!("Prices of {date}, {region}, in {currency}, from `bench/prices.json`; not in it: {excluded}.")
    }
}

fn megabytes(function: &str) -> Result<u64, Failure> {
    let template = Template::read()?;
    Ok(template.functions.get(function).ok_or("the template has no such function")?.memory)
}

/// How many secrets a function fetches at its start.
pub(crate) fn secrets(function: &str) -> Result<usize, Failure> {
    Ok(match function {
        "register" => register::SECRETS,
        "login-phone" => login_phone::SECRETS,
        "login-password" => login_password::SECRETS,
        "login-code" => login_code::SECRETS,
        "send-message" => send_message::SECRETS,
        "session" => session::SECRETS,
        "account" => account::SECRETS,
        _ => return Err("the benchmark has no such function".into()),
    }
    .len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_table_is_read() {
        let prices = Prices::read().unwrap();
        assert_eq!(prices.million_secrets(2), 10.0);
        assert!(prices.note().contains("2026"));
    }
}
