//! Challenge ids (`transactionId` on the wire): 128 bits in Backendless' UUID shape, which tell us, and nobody else, which item they belong
//! to.
//!
//! | bytes | what |
//! |---|---|
//! | 0–7 | random, but for the last five bits: five times the slot of a device, or 0, and the flow |
//! | 8–15 | the phone's key, masked with bytes that are derived from bytes 0–7 with our key |
//!
//! So `loginWithCode`, which gets no phone, reaches the phone's item by its key in one call, with no index to keep. Two ids of one phone
//! have nothing in common; a made-up id resolves to an item that does not exist, or that does not hold it.

use crate::crypto::{EphemeralKeys, Keys, identifier, random};
use crate::flow::Flow;
use crate::store::{ChallengeKey, DeviceSlot, PhoneKey};

/// How many flows there are: with six times as many, for five devices and none, five bits are nearly full.
const FLOWS: u8 = 5;

/// An id of the right form. Whether there is such a challenge, only the store can tell. It is not printed, since it can be used to log in.
#[derive(Clone, Copy, PartialEq, Eq, derive_more::Debug)]
#[debug("ChallengeId")]
pub struct ChallengeId([u8; 16]);

impl ChallengeId {
    /// A new id for one of a phone's challenges.
    pub fn new(keys: &Keys, phone: PhoneKey, key: ChallengeKey) -> Self {
        let mut nonce = random::bytes::<8>();
        let slot = key.device.map_or(0, DeviceSlot::number);
        nonce[7] = nonce[7] & !0b1_1111 | (slot * FLOWS + key.flow as u8);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&nonce);
        bytes[8..].copy_from_slice(&mask(keys.current(), nonce, phone.0));
        Self(bytes)
    }

    /// Reads a UUID in either letter case; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        identifier::parse(text).map(Self)
    }

    /// The challenges that it may be, one per live key; none when it cannot be one of ours.
    pub fn open(&self, keys: &Keys) -> Vec<(PhoneKey, ChallengeKey)> {
        let (mut nonce, mut hidden) = ([0; 8], [0; 8]);
        nonce.copy_from_slice(&self.0[..8]);
        hidden.copy_from_slice(&self.0[8..]);
        let bits = nonce[7] & 0b1_1111;
        let Some(flow) = Flow::ALL.get(usize::from(bits % FLOWS)).copied() else { return Vec::new() };
        let key = match bits / FLOWS {
            0 => ChallengeKey::from(flow),
            slot => match DeviceSlot::new(slot) {
                None => return Vec::new(),
                device => ChallengeKey { flow, device },
            },
        };
        keys.ephemeral().map(|keys| (PhoneKey(mask(keys, nonce, hidden)), key)).collect()
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
    fn an_id_resolves_to_its_phone_flow_and_device() {
        for (flow, slot) in Flow::ALL.into_iter().flat_map(|flow| (0..=5).map(move |slot| (flow, slot))) {
            let key = ChallengeKey { flow, device: DeviceSlot::new(slot) };
            let id = ChallengeId::new(&keys("a"), PHONE, key);
            let read = ChallengeId::parse(&id.text().to_lowercase()).unwrap();
            assert_eq!(read.open(&keys("a")), [(PHONE, key)]);
        }
    }

    #[test]
    fn with_another_key_it_leads_elsewhere() {
        let id = ChallengeId::new(&keys("a"), PHONE, Flow::Login.into());
        assert_ne!(id.open(&keys("b"))[0].0, PHONE);
    }

    #[test]
    fn two_ids_of_one_phone_share_nothing() {
        let id = |_| ChallengeId::new(&keys("a"), PHONE, Flow::Login.into()).0;
        let ids: Vec<_> = (0..100).map(id).collect();
        for position in 8..16 {
            assert!(ids.iter().any(|id| id[position] != ids[0][position]), "byte {position} is always the same");
        }
    }

    #[test]
    fn an_id_of_no_flow_or_no_slot_is_not_ours() {
        assert_eq!(Flow::ALL.len(), usize::from(FLOWS));
        for id in ["00000000-0000-001E-0000-000000000000", "00000000-0000-001F-0000-000000000000"] {
            assert_eq!(ChallengeId::parse(id).unwrap().open(&keys("a")), [], "{id}");
        }
    }
}
