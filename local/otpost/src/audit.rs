//! The audit log: every change that an operator makes, with who made it and why.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use serde::Serialize;
use shared::aws::AwsError;
use shared::clock::Timestamp;
use shared::config::{TestNumber, environment};
use shared::store::{AuditEntry, Controls};

use crate::Iso;

/// The most changes that are shown.
const SHOWN: usize = 100;
/// How long AWS may take to say who the caller is: a kill switch must not wait.
const CALLER_TIMEOUT: Duration = Duration::from_secs(3);

/// Who makes a change, and why.
#[derive(Debug, Clone)]
pub struct Author {
    by: String,
    why: String,
    arn: Option<String>,
}

impl Author {
    /// Somebody with these credentials, who says who they are and why they make the change.
    ///
    /// # Errors
    /// When one of the two is empty.
    pub fn new(by: &str, why: &str, arn: Option<String>) -> Result<Self, Box<dyn Error>> {
        let (by, why) = (by.trim().to_owned(), why.trim().to_owned());
        if by.is_empty() || why.is_empty() {
            return Err("say who you are and why: both are recorded".into());
        }
        Ok(Self { by, why, arn })
    }

    /// Who they say they are.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Why they say they do it.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The caller's ARN, where it is known.
    pub fn arn(&self) -> Option<&str> {
        self.arn.as_deref()
    }

    /// The entry of a change of theirs. `target` is a user's objectId or a phone's keyed hash.
    pub fn entry(&self, action: impl Into<String>, target: Option<&str>, now: Timestamp) -> AuditEntry {
        let Self { by, why, arn } = self.clone();
        AuditEntry { at: now, by, arn, why, action: action.into(), target: target.map(str::to_owned) }
    }
}

/// The ARN of the caller with these credentials (STS GetCallerIdentity, which everybody may call). `None` beside a local stack, whose DynamoDB
/// is at a plain `http` address and which has no STS.
///
/// # Errors
/// When AWS does not say it. That should stop no change.
pub async fn caller_arn(config: &SdkConfig) -> Result<Option<String>, AwsError> {
    let is_local = environment("AWS_ENDPOINT_URL_DYNAMODB").is_some_and(|url| url.starts_with("http://"));
    let has_sts = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"].into_iter().any(|name| environment(name).is_some());
    if is_local && !has_sts {
        return Ok(None);
    }
    let config = aws_sdk_sts::config::Builder::from(config)
        .timeout_config(TimeoutConfig::builder().operation_timeout(CALLER_TIMEOUT).build())
        .retry_config(RetryConfig::disabled());
    let client = aws_sdk_sts::Client::from_conf(config.build());
    Ok(client.get_caller_identity().send().await?.arn)
}

/// The audit log.
#[derive(Debug, Clone, Serialize)]
pub struct AuditReport {
    /// The numbers with fixed codes, as the settings list them.
    pub test_numbers: Vec<ListedNumber>,
    /// The newest 100 changes, newest first.
    pub changes: Vec<Change>,
}

/// A number with a fixed code, which is not shown.
#[derive(Debug, Clone, Serialize)]
pub struct ListedNumber {
    /// The number.
    pub phone: String,
    /// From then on it is a number like any other.
    pub ends: Iso,
    /// Whether it is one already.
    pub has_ended: bool,
}

/// An operator's change.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// The time of the change.
    pub at: Iso,
    /// What was done, like `off DE` or `disable`.
    pub action: String,
    /// To whom: a user's objectId or a phone's keyed hash.
    pub target: Option<String>,
    /// Who did it, as they stated.
    pub by: String,
    /// Whose credentials they used, where AWS said it.
    pub arn: Option<String>,
    /// Why, as they stated.
    pub why: String,
}

/// The newest changes. Test numbers are with them since they are doors that somebody opened, in the settings.
///
/// # Errors
/// When storage fails.
pub async fn audit(
    controls: &Controls,
    test_numbers: &[TestNumber],
    now: Timestamp,
) -> Result<AuditReport, Box<dyn Error>> {
    let mut entries = controls.audit_log().await?;
    // Changes of kill switches from before they were in the log.
    for change in controls.kill_switches().await?.changes {
        let old = change.audit_entry(None);
        if !entries.iter().any(|entry| entry.at == old.at && entry.action == old.action) {
            entries.push(old);
        }
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    let changes = entries.into_iter().take(SHOWN).map(|AuditEntry { at, by, arn, why, action, target }| Change {
        at: Iso(at),
        action,
        target,
        by,
        arn,
        why,
    });
    let test_numbers = test_numbers.iter().map(|TestNumber { phone, end, .. }| ListedNumber {
        phone: phone.e164().to_owned(),
        ends: Iso(*end),
        has_ended: *end <= now,
    });
    Ok(AuditReport { test_numbers: test_numbers.collect(), changes: changes.collect() })
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.test_numbers.is_empty() {
            writeln!(f, "No test numbers.")?;
        } else {
            writeln!(f, "Test numbers, whose codes are fixed:")?;
        }
        for ListedNumber { phone, ends, has_ended } in &self.test_numbers {
            writeln!(f, "  {phone} {} {ends}", if *has_ended { "ended" } else { "until" })?;
        }
        writeln!(f, "\n{}", if self.changes.is_empty() { "No changes." } else { "Changes, newest first:" })?;
        for Change { at, action, target, by, arn, why } in &self.changes {
            let target = target.as_ref().map(|target| format!(" {target}")).unwrap_or_default();
            let arn = arn.as_ref().map(|arn| format!(" ({arn})")).unwrap_or_default();
            writeln!(f, "  {at}: {action}{target}, by {by}{arn}: {why}")?;
        }
        Ok(())
    }
}
