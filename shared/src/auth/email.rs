//! E-mail addresses, whose form the crate `email_address` checks.

use std::str::FromStr as _;

use email_address::{EmailAddress, Options};

/// An address in the form that mail systems take (RFC 5321, at most 254 bytes).
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
#[debug("Email")]
pub struct Email(String);

impl Email {
    /// Parses an address; `None` if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
        let good = text.len() <= 254
            && EmailAddress::parse_with_options(text, options).is_ok()
            && EmailAddress::from_str(text).is_ok();
        good.then(|| Self(text.to_owned()))
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two spellings of one address share: no mail system in use distinguishes letter case.
    pub fn identity(&self) -> String {
        self.0.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "jane",
            "jane@",
            "@example.com",
            "jane@example",
            "jane@@example.com",
            "jane doe@example.com",
            "jane@exa mple.com",
            "jane@[127.0.0.1]",
            "Jane <jane@example.com>",
            "jane@example.com\n",
            "jane\0@example.com",
            &format!("{}@example.com", "j".repeat(250)),
        ] {
            assert!(Email::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn spellings_of_one_address_share_an_identity() {
        let identity = |text| Email::parse(text).unwrap().identity();
        assert_eq!(identity("Jane+x@Example.com"), identity("jane+x@example.COM"));
        assert_eq!(Email::parse("Jane@example.com").unwrap().as_str(), "Jane@example.com");
    }
}
