//! Idempotency keys: two requests with the same key are the same message.

/// The longest key that a client may choose, in characters.
const LONGEST: usize = 255;

/// Not a key: empty, too long, or not printable ASCII.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("not an idempotency key")]
pub struct KeyError;

/// The prefix of chosen keys, so that no client can choose a key that is derived from the source of another message.
const CHOSEN: &str = "own/";

/// A key. It is never printed, since a client may put anything in it.
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
#[debug("IdempotencyKey")]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A client's own, 1 to 255 characters of printable ASCII. Surrounding quotes (the header's form in the IETF's draft
    /// "The Idempotency-Key HTTP Header Field") are ignored.
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

    /// The same for a resource of an AWS service, like `sqs`; `None` if the ARN is not one of that service. So an event cannot claim the key
    /// of another source's message.
    pub fn of_resource(service: &str, arn: &str, id: &str) -> Option<Self> {
        is_arn_of(service, arn).then(|| Self::of(arn, id))
    }

    /// The key of a refused message that is put back after its cause was fixed: one more attempt, for all copies together.
    pub fn of_another_attempt(source: &str, id: &str) -> Self {
        Self(format!("{source}/{id}/again"))
    }

    /// A queued message's attribute: the key that a dead letter of the same queue has kept, or else one that the sender has chosen.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn of_attribute(text: &str, queue: &str) -> Result<Self, KeyError> {
        let is_of_queue = text.strip_prefix(queue).is_some_and(|rest| rest.starts_with('/'));
        if is_of_queue || text.starts_with(CHOSEN) { Ok(Self(text.to_owned())) } else { Self::parse(text) }
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether this is an ARN of the service, `arn:partition:service:…`.
pub fn is_arn_of(service: &str, arn: &str) -> bool {
    arn.starts_with("arn:") && arn.split(':').nth(2) == Some(service)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:messages";

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
        let others =
            [schedule, IdempotencyKey::of("invocation", "8476a536"), IdempotencyKey::of(&format!("{QUEUE}2"), "1")];
        for other in others {
            assert_ne!(IdempotencyKey::parse(other.as_str()).unwrap(), other);
            assert_ne!(IdempotencyKey::of_attribute(other.as_str(), QUEUE).unwrap(), other);
        }
    }

    #[test]
    fn an_event_names_resources_of_its_own_service_only() {
        for arn in
            ["own", "own/order-7", "eventbridge", "arn:aws:scheduler:us-east-1:000000000000:schedule/a", "", "arn"]
        {
            assert_eq!(IdempotencyKey::of_resource("sqs", arn, "1"), None, "{arn}");
        }
        assert!(IdempotencyKey::of_resource("sqs", QUEUE, "1").is_some());
    }

    #[test]
    fn an_attribute_is_a_dead_letter_s_key_or_the_sender_s() {
        for key in [IdempotencyKey::parse("order 7").unwrap(), IdempotencyKey::of(QUEUE, "1")] {
            assert_eq!(IdempotencyKey::of_attribute(key.as_str(), QUEUE).unwrap(), key);
        }
        let chosen = IdempotencyKey::of_attribute("order 7", QUEUE).unwrap();
        assert_eq!(chosen, IdempotencyKey::parse("order 7").unwrap());
        assert!(IdempotencyKey::of_attribute("", QUEUE).is_err());
    }

    #[test]
    fn keys_do_not_print() {
        assert_eq!(format!("{:?}", IdempotencyKey::of("a", "b")), "IdempotencyKey");
    }
}
