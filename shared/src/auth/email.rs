//! E-mail addresses, whose form the crate `email_address` checks.

use std::str::FromStr as _;

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization as _;

/// An address in the form that mail systems take (RFC 5321, at most 254 bytes).
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
#[debug("Email")]
pub struct Email {
    given: String,
    identity: String,
}

impl Email {
    /// Parses an address; `None` if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let text: &str = &text.nfc().collect::<String>();
        let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
        let good = text.len() <= 254
            && EmailAddress::parse_with_options(text, options).is_ok()
            && EmailAddress::from_str(text).is_ok();
        let (name, domain) = text.rsplit_once('@').filter(|_| good)?;
        let domain = idna::domain_to_ascii(domain).ok()?;
        let identity = format!("{}@{domain}", name.to_lowercase().nfc());
        Some(Self { given: text.to_owned(), identity })
    }

    /// As it was given, in Unicode normalization form C.
    pub fn as_str(&self) -> &str {
        &self.given
    }

    /// What two spellings of one address share: lower case, which no mail system in use distinguishes, and the domain as DNS has it (IDNA).
    pub fn identity(&self) -> &str {
        &self.identity
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
        for (one, other) in [
            ("Jane+x@Example.com", "jane+x@example.COM"),
            ("jos\u{e9}@example.com", "jose\u{301}@example.com"),
            ("JOSE\u{301}@example.com", "jos\u{e9}@example.com"),
            ("jane@b\u{fc}cher.example", "jane@xn--bcher-kva.example"),
            ("jane@bu\u{308}cher.example", "jane@B\u{dc}CHER.EXAMPLE"),
        ] {
            let [one, other] = [one, other].map(|text| Email::parse(text).unwrap_or_else(|| panic!("{text}")));
            assert_eq!(one.identity(), other.identity());
        }
        assert_eq!(Email::parse("Jane@example.com").unwrap().identity(), "jane@example.com");
        assert_eq!(Email::parse("Jane@example.com").unwrap().as_str(), "Jane@example.com");
    }
}
