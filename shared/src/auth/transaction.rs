//! Transaction ids: 128 bits in Backendless' UUID shape, which tell us, and nobody else, which item they belong to.
//!
//! | bytes | what |
//! |---|---|
//! | 0–7 | random, but for the last two bits, which are the purpose |
//! | 8–15 | the phone's key, hidden by a mask that is derived from bytes 0–7 with our key |
//!
//! So `loginWithCode`, which gets no phone, reaches the phone's item by its key in one call, with no index to keep. Two ids of
//! one phone have nothing in common; an invented id leads to an item that does not exist, or that does not hold it.
//! Uses `keys`, `random`, `uuid`.

use std::fmt;

use super::Purpose;
use crate::keys::{Keys, PassingKeys};
use crate::random::{self, RandomError};
use crate::store::PhoneKey;
use crate::uuid;

/// An id of our shape; whether there is such a transaction is for the store to say. Prints nothing: it stands for a pending
/// login.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TransactionId([u8; 16]);

impl TransactionId {
    /// A new id for a phone and a purpose.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new(keys: &Keys, phone: PhoneKey, purpose: Purpose) -> Result<Self, RandomError> {
        let mut nonce = random::bytes::<8>()?;
        nonce[7] = nonce[7] & !0b11 | tag(purpose);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&nonce);
        bytes[8..].copy_from_slice(&mask(keys.current(), nonce, phone.0));
        Ok(Self(bytes))
    }

    /// Reads a UUID in either letter case; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        uuid::parse(text).map(Self)
    }

    /// The items it may belong to, one per live key, and its purpose; none when it cannot be one of ours.
    pub fn open(&self, keys: &Keys) -> Vec<(PhoneKey, Purpose)> {
        let (mut nonce, mut hidden) = ([0; 8], [0; 8]);
        nonce.copy_from_slice(&self.0[..8]);
        hidden.copy_from_slice(&self.0[8..]);
        let purpose = match nonce[7] & 0b11 {
            0 => Purpose::Register,
            1 => Purpose::Login,
            2 => Purpose::SecondFactor,
            _ => return Vec::new(),
        };
        keys.passing().map(|keys| (PhoneKey(mask(keys, nonce, hidden)), purpose)).collect()
    }

    /// The text that clients get.
    pub fn text(&self) -> String {
        uuid::format(&self.0)
    }
}

/// Hides and shows: the mask is its own inverse.
fn mask(keys: &PassingKeys, nonce: [u8; 8], value: [u8; 8]) -> [u8; 8] {
    let mask = keys.transaction_mask(&nonce);
    std::array::from_fn(|position| value[position] ^ mask[position])
}

const fn tag(purpose: Purpose) -> u8 {
    match purpose {
        Purpose::Register => 0,
        Purpose::Login => 1,
        Purpose::SecondFactor => 2,
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransactionId")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(root: &str) -> Keys {
        Keys::derive(&root.repeat(32).into()).unwrap()
    }

    const PHONE: PhoneKey = PhoneKey([1, 2, 3, 4, 5, 6, 7, 8]);

    #[test]
    fn an_id_leads_back_to_its_phone_and_purpose() {
        for purpose in [Purpose::Register, Purpose::Login, Purpose::SecondFactor] {
            let id = TransactionId::new(&keys("a"), PHONE, purpose).unwrap();
            let read = TransactionId::parse(&id.text().to_lowercase()).unwrap();
            assert_eq!(read.open(&keys("a")), [(PHONE, purpose)]);
        }
    }

    #[test]
    fn with_another_key_it_leads_elsewhere() {
        let id = TransactionId::new(&keys("a"), PHONE, Purpose::Login).unwrap();
        assert_ne!(id.open(&keys("b"))[0].0, PHONE);
    }

    #[test]
    fn two_ids_of_one_phone_share_nothing() {
        let id = |_| TransactionId::new(&keys("a"), PHONE, Purpose::Login).unwrap().0;
        let ids: Vec<_> = (0..100).map(id).collect();
        for position in 8..16 {
            assert!(ids.iter().any(|id| id[position] != ids[0][position]), "byte {position} is always the same");
        }
    }

    #[test]
    fn an_id_of_no_purpose_is_not_ours() {
        let id = TransactionId::parse("00000000-0000-0003-0000-000000000000").unwrap();
        assert_eq!(id.open(&keys("a")), []);
    }
}
