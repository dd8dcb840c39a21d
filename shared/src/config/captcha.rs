//! The captcha that lets people pass where a limit would refuse: `docs/captcha.md`.

use url::Url;

use super::{Lookup, SettingError, ensure, present, with_default};

/// How tokens are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptchaSettings {
    /// The service's `siteverify`.
    pub verify_url: Url,
    /// The hosts of the pages that tokens are made on, in lower case.
    pub hostnames: Vec<String>,
}

/// None where no hosts are set.
pub(super) fn captcha(lookup: Lookup<'_>) -> Result<Option<CaptchaSettings>, SettingError> {
    let (urls, hosts) = ("CAPTCHA_VERIFY_URL", "CAPTCHA_HOSTNAMES");
    let text = with_default(lookup, urls, "https://challenges.cloudflare.com/turnstile/v0/siteverify");
    let verify_url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
    let problem = || format!("must be a URL like https://api.hcaptcha.com/siteverify, not '{text}'");
    let verify_url = verify_url.ok_or_else(|| SettingError::new(urls, problem()))?;
    let Some(listed) = present(lookup, hosts) else { return Ok(None) };
    let hostnames: Vec<_> = listed.split(',').map(|host| host.trim().to_ascii_lowercase()).collect();
    let is_host = |host: &String| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
    };
    let problem = format!("must be host names like app.example.com, separated by commas, not '{listed}'");
    ensure(hostnames.iter().all(is_host), hosts, problem)?;
    Ok(Some(CaptchaSettings { verify_url, hostnames }))
}
