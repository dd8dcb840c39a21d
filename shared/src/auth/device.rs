//! Device tokens (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"): a token proves that its holder has logged in to this phone's
//! account before. Its starts and passwords then have limits of their own, which strangers cannot use up. It does not log in, and replaces no code.
//!
//! A token is sealed and holds a device's id, for one phone and one application. The phone's item keeps its last five devices; a token whose
//! device is not among them, or is older than 180 days, counts for nothing. It becomes invalid when the device is replaced in that list.

use crate::clock::Timestamp;
use crate::crypto::{Keys, SealError, identifier};
use crate::store::{DeviceSlot, PhoneKey, PhoneRecord};
use secrecy::SecretString;

/// A device that has just logged in.
#[derive(Debug)]
pub(super) struct NewDevice {
    pub id: String,
    pub token: SecretString,
}

impl NewDevice {
    pub(super) fn of(keys: &Keys, application: &str, phone: PhoneKey) -> Result<Self, SealError> {
        let id = identifier::random();
        let token = keys.seal_device(&id, &context(application, phone))?.into();
        Ok(Self { id, token })
    }
}

/// The device of this token, if it is one of the phone's.
pub(super) fn find(
    keys: &Keys,
    application: &str,
    (phone, record): (PhoneKey, &PhoneRecord),
    token: &str,
    now: Timestamp,
) -> Option<DeviceSlot> {
    let id = keys.open_device(token, &context(application, phone)).ok()?;
    let (slot, _) = record.devices.iter().find(|(_, device)| device.id == id && device.is_known(now))?;
    Some(*slot)
}

fn context(application: &str, phone: PhoneKey) -> String {
    format!("{application}/{:016x}", u64::from_be_bytes(phone.0))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::store::{DEVICE_LIFE, Device};

    const PHONE: PhoneKey = PhoneKey([1; 8]);

    fn keys(root: &str) -> Keys {
        Keys::derive(&root.repeat(32).into()).unwrap()
    }

    #[test]
    fn a_token_is_good_for_its_phone_its_application_and_180_days_while_the_phone_keeps_its_device() {
        let now = Timestamp::from_millis(0);
        let (slot, keys_) = (DeviceSlot::new(3).unwrap(), keys("a"));
        let NewDevice { id, token } = NewDevice::of(&keys_, "app", PHONE).unwrap();
        let token = token.expose_secret();
        let mut record = PhoneRecord::default();
        record.devices.insert(slot, Device { id, since: now, limits: Default::default() });
        let find = |keys: &Keys, application, phone, record: &PhoneRecord, token: &str, now| {
            find(keys, application, (phone, record), token, now)
        };
        let last = now.plus(DEVICE_LIFE);
        let almost = Timestamp::from_millis(last.as_millis() - 1);
        assert_eq!(find(&keys_, "app", PHONE, &record, token, almost), Some(slot));
        assert_eq!(find(&keys_, "app", PHONE, &record, token, last), None, "too old");
        assert_eq!(find(&keys_, "app", PhoneKey([2; 8]), &record, token, now), None, "another phone");
        assert_eq!(find(&keys_, "other", PHONE, &record, token, now), None, "another application");
        assert_eq!(find(&keys("b"), "app", PHONE, &record, token, now), None, "another root key");
        assert_eq!(find(&keys_, "app", PHONE, &PhoneRecord::default(), token, now), None, "a device that is gone");
        for other in ["", "new", &token[1..], &format!("{token}A"), &token.to_lowercase()] {
            assert_eq!(find(&keys_, "app", PHONE, &record, other, now), None, "{other}");
        }
    }
}
