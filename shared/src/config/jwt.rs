//! JWTs for the app's back end: `docs/back-end.md`.

use url::Url;

use super::{Lookup, SettingError, ensure, present};

/// None where no JWTs are issued.
pub(super) fn issuer(lookup: Lookup<'_>, name: &'static str) -> Result<Option<String>, SettingError> {
    let Some(issuer) = present(lookup, name) else { return Ok(None) };
    let is_url = Url::parse(&issuer).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    ensure(is_url, name, format!("must be a URL like https://api.example.com, not '{issuer}'"))?;
    ensure(!issuer.contains(['?', '#']) && !issuer.ends_with('/'), name, "must be without query and final slash")?;
    Ok(Some(issuer))
}
