//! Idempotency keys: what makes two requests the same message. Uses nothing of this crate.

/// The longest key that a caller may choose, in characters.
const LONGEST: usize = 255;

/// Not a key: empty, too long, or not of visible ASCII.
#[derive(Debug, thiserror::Error)]
#[error("not an idempotency key")]
pub struct KeyError;

/// A key. Prints nothing: it may hold what its owner likes.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl std::fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdempotencyKey")
    }
}

impl IdempotencyKey {
    /// A caller's own, 1 to 255 characters of visible ASCII. One in quotes (the header's form in the IETF's draft
    /// "The Idempotency-Key HTTP Header Field") and the same without are one key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if visible && !text.trim().is_empty() && text.len() <= LONGEST {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyError)
        }
    }

    /// The one that follows from where a message came from and its id there.
    pub fn of(source: &str, id: &str) -> Self {
        Self(format!("{source}/{id}"))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", " ", "\"\"", "a\n", "é", &"a".repeat(256)] {
            assert!(IdempotencyKey::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quotes_do_not_matter() {
        assert_eq!(IdempotencyKey::parse("\"8e03978e\"").unwrap(), IdempotencyKey::parse("8e03978e").unwrap());
        assert_eq!(IdempotencyKey::parse(&"a".repeat(255)).unwrap().as_str().len(), 255);
    }

    #[test]
    fn keys_do_not_print() {
        assert_eq!(format!("{:?}", IdempotencyKey::of("a", "b")), "IdempotencyKey");
    }
}
