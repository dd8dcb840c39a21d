//! Send ids: 128 bits in the form of a UUID, made like challenge ids, which name one send in an address that Plivo calls. Eight random bytes, then
//! the key of the phone's item, masked with bytes that are derived from the first eight. So a report reaches the phone's item by key, and whoever
//! sees the address learns nothing about the phone.

use super::PhoneKey;
use crate::crypto::{Keys, identifier, random};

/// An id of the right form. Whether there is such a send, only the store can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendId([u8; 16]);

impl SendId {
    /// A new id for a send that stands in this item.
    pub fn new(keys: &Keys, phone: PhoneKey) -> Self {
        let nonce = random::bytes::<8>();
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&nonce);
        bytes[8..].copy_from_slice(&mask(keys, nonce, phone.0));
        Self(bytes)
    }

    /// Reads a UUID in either letter case; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        identifier::parse(text).map(Self)
    }

    /// The item that it leads to, if it is one of ours.
    pub fn open(&self, keys: &Keys) -> PhoneKey {
        let (mut nonce, mut hidden) = ([0; 8], [0; 8]);
        nonce.copy_from_slice(&self.0[..8]);
        hidden.copy_from_slice(&self.0[8..]);
        PhoneKey(mask(keys, nonce, hidden))
    }

    /// The text in the address, and in the phone's item.
    pub fn text(&self) -> String {
        identifier::format(&self.0)
    }
}

/// Masks and unmasks: the operation is its own inverse.
fn mask(keys: &Keys, nonce: [u8; 8], value: [u8; 8]) -> [u8; 8] {
    let mask = keys.send_mask(&nonce);
    std::array::from_fn(|position| value[position] ^ mask[position])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: PhoneKey = PhoneKey([1, 2, 3, 4, 5, 6, 7, 8]);

    fn keys(root: &str) -> Keys {
        Keys::derive(&root.repeat(32).into()).unwrap()
    }

    #[test]
    fn an_id_leads_to_its_item_and_with_another_key_elsewhere() {
        let id = SendId::new(&keys("a"), PHONE);
        let read = SendId::parse(&id.text().to_lowercase()).unwrap();
        assert_eq!(read.open(&keys("a")), PHONE);
        assert_ne!(read.open(&keys("b")), PHONE);
    }

    #[test]
    fn what_is_no_id_is_refused_and_two_ids_of_one_phone_differ() {
        assert_eq!(SendId::parse("not-an-id"), None);
        assert_ne!(SendId::new(&keys("a"), PHONE), SendId::new(&keys("a"), PHONE));
    }
}
