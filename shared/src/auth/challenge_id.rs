//! Challenge ids (`transactionId` on the wire): 128 bits in Backendless' UUID shape, which tell us, and nobody else, which item they belong
//! to.
//!
//! | bytes | what |
//! |---|---|
//! | 0–7 | random, but for the last two bits, which are the flow |
//! | 8–15 | the phone's key, masked with bytes that are derived from bytes 0–7 with our key |
//!
//! So `loginWithCode`, which gets no phone, reaches the phone's item by its key in one call, with no index to keep. Two ids of one phone
//! have nothing in common; a made-up id resolves to an item that does not exist, or that does not hold it.

use crate::crypto::{EphemeralKeys, Keys, identifier, random};
use crate::flow::Flow;
use crate::store::PhoneKey;

/// An id of the right form. Whether there is such a challenge, only the store can tell. It is not printed, since it can be used to log in.
#[derive(Clone, Copy, PartialEq, Eq, derive_more::Debug)]
#[debug("ChallengeId")]
pub struct ChallengeId([u8; 16]);

impl ChallengeId {
    /// A new id for a phone and a flow.
    pub fn new(keys: &Keys, phone: PhoneKey, flow: Flow) -> Self {
        let mut nonce = random::bytes::<8>();
        nonce[7] = nonce[7] & !0b11 | flow as u8;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&nonce);
        bytes[8..].copy_from_slice(&mask(keys.current(), nonce, phone.0));
        Self(bytes)
    }

    /// Reads a UUID in either letter case; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        identifier::parse(text).map(Self)
    }

    /// The items that it may belong to, one per live key, and its flow; none when it cannot be one of ours.
    pub fn open(&self, keys: &Keys) -> Vec<(PhoneKey, Flow)> {
        let (mut nonce, mut hidden) = ([0; 8], [0; 8]);
        nonce.copy_from_slice(&self.0[..8]);
        hidden.copy_from_slice(&self.0[8..]);
        let Some(flow) = Flow::ALL.get(usize::from(nonce[7] & 0b11)).copied() else { return Vec::new() };
        keys.ephemeral().map(|keys| (PhoneKey(mask(keys, nonce, hidden)), flow)).collect()
    }

    /// The text that clients get.
    pub fn text(&self) -> String {
        identifier::format(&self.0)
    }
}

/// Masks and unmasks: the operation is its own inverse.
fn mask(keys: &EphemeralKeys, nonce: [u8; 8], value: [u8; 8]) -> [u8; 8] {
    let mask = keys.challenge_mask(&nonce);
    std::array::from_fn(|position| value[position] ^ mask[position])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(root: &str) -> Keys {
        Keys::derive(&root.repeat(32).into()).unwrap()
    }

    const PHONE: PhoneKey = PhoneKey([1, 2, 3, 4, 5, 6, 7, 8]);

    #[test]
    fn an_id_resolves_to_its_phone_and_flow() {
        for flow in Flow::ALL {
            let id = ChallengeId::new(&keys("a"), PHONE, flow);
            let read = ChallengeId::parse(&id.text().to_lowercase()).unwrap();
            assert_eq!(read.open(&keys("a")), [(PHONE, flow)]);
        }
    }

    #[test]
    fn with_another_key_it_leads_elsewhere() {
        let id = ChallengeId::new(&keys("a"), PHONE, Flow::Login);
        assert_ne!(id.open(&keys("b"))[0].0, PHONE);
    }

    #[test]
    fn two_ids_of_one_phone_share_nothing() {
        let id = |_| ChallengeId::new(&keys("a"), PHONE, Flow::Login).0;
        let ids: Vec<_> = (0..100).map(id).collect();
        for position in 8..16 {
            assert!(ids.iter().any(|id| id[position] != ids[0][position]), "byte {position} is always the same");
        }
    }

    #[test]
    fn an_id_of_no_flow_is_not_ours() {
        let id = ChallengeId::parse("00000000-0000-0003-0000-000000000000").unwrap();
        assert_eq!(id.open(&keys("a")), []);
    }
}
