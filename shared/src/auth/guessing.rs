//! The brake on guessing over many phones. Five guesses at each of many phones are no phone's limit, and many addresses no address's; but all
//! wrong codes of a day together are counted (UTC). From `WRONG_CODES_PER_DAY` of them on, codes have eight digits until the day ends, and
//! shorter ones that are still open are not accepted any more: their users start again. So sprayers guess that many of 1,000,000 a day, and then
//! only of 100,000,000. Devices with a token are not concerned: strangers cannot start their challenges.

use crate::config::Settings;
use crate::store::{ChallengeKey, ServiceStatus};

/// Digits of a code while guessing is braked, unless `CODE_LENGTH` is more.
pub(super) const LONG_CODE: usize = 8;

/// The fewest digits of a code that is sent or accepted now.
pub(super) fn code_length(settings: &Settings, status: &ServiceStatus, key: ChallengeKey) -> usize {
    let is_braked = key.device.is_none() && status.wrong_codes >= settings.wrong_codes_per_day;
    if is_braked { LONG_CODE.max(settings.code_length) } else { settings.code_length }
}
