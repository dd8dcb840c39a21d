//! A proxy in front of the API, such as CloudFront: `docs/proxy.md`.

use super::{Lookup, SettingError, ensure, present};

pub(super) fn client_address_header(lookup: Lookup<'_>, name: &'static str) -> Result<Option<String>, SettingError> {
    let Some(header) = present(lookup, name) else { return Ok(None) };
    let is_name = header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    ensure(is_name, name, format!("must be the name of a header like cloudfront-viewer-address, not '{header}'"))?;
    let has_secret = present(lookup, "PROXY_SECRET_SHA256").is_some();
    ensure(has_secret, name, "needs PROXY_SECRET_SHA256: without a secret, anybody could say any address")?;
    Ok(Some(header.to_ascii_lowercase()))
}

pub(super) fn secret_sha256(lookup: Lookup<'_>, name: &'static str) -> Result<Option<String>, SettingError> {
    let Some(hash) = present(lookup, name) else { return Ok(None) };
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure(is_hash, name, "must be 64 hex digits: the SHA-256 of the secret, as `sha256sum` prints it")?;
    ensure(present(lookup, "CLIENT_ADDRESS_HEADER").is_some(), name, "needs CLIENT_ADDRESS_HEADER")?;
    Ok(Some(hash.to_ascii_lowercase()))
}
