//! Idempotency keys: two requests with the same key are the same message.

/// The longest key that a client may choose, in characters.
const LONGEST: usize = 255;

/// Not a key: empty, too long, or not visible ASCII.
#[derive(Debug, thiserror::Error)]
#[error("not an idempotency key")]
pub struct KeyError;

/// The prefix of chosen keys, so that no client can choose a key that is derived from the source of another message.
const CHOSEN: &str = "own/";

/// A key. It is never printed, since a client may put anything in it.
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
#[debug("IdempotencyKey")]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A client's own, 1 to 255 characters of visible ASCII. One in quotes (the header's form in the IETF's draft
    /// "The Idempotency-Key HTTP Header Field") and the same without are one key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if visible && !text.trim().is_empty() && text.len() <= LONGEST {
            Ok(Self(format!("{CHOSEN}{text}")))
        } else {
            Err(KeyError)
        }
    }

    /// The key that is derived from a message's source and its id there.
    pub fn of(source: &str, id: &str) -> Self {
        Self(format!("{source}/{id}"))
    }

    /// The key of a refused message that is put back after its cause was fixed: one more attempt, for all copies together.
    pub fn of_another_attempt(source: &str, id: &str) -> Self {
        Self(format!("{source}/{id}/again"))
    }

    /// The key that a dead letter has kept: a client's own or a queue's. `None` for any other, which only another source may make.
    pub fn kept(text: &str) -> Option<Self> {
        let queue_s = text.starts_with("arn:") && text.split(':').nth(2) == Some("sqs");
        (queue_s || text.starts_with(CHOSEN)).then(|| Self(text.to_owned()))
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
        assert!(IdempotencyKey::parse(&"a".repeat(255)).is_ok());
    }

    #[test]
    fn nobody_can_choose_what_follows_from_a_source() {
        let schedule =
            IdempotencyKey::of("arn:aws:scheduler:us-east-1:000000000000:schedule/default/a", "2026-01-01T09:00:00Z");
        assert_ne!(IdempotencyKey::parse(schedule.as_str()).unwrap(), schedule);
        assert_eq!(IdempotencyKey::kept(schedule.as_str()), None);
        assert_eq!(IdempotencyKey::kept("invocation/8476a536"), None);
    }

    #[test]
    fn a_dead_letter_keeps_a_key_as_it_is() {
        for key in [
            IdempotencyKey::parse("order 7").unwrap(),
            IdempotencyKey::of("arn:aws:sqs:us-east-1:000000000000:messages", "1"),
        ] {
            assert_eq!(IdempotencyKey::kept(key.as_str()), Some(key));
        }
    }

    #[test]
    fn keys_do_not_print() {
        assert_eq!(format!("{:?}", IdempotencyKey::of("a", "b")), "IdempotencyKey");
    }
}
