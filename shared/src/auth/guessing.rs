//! The brake on guessing over many phones. Five guesses at each of many phones are no phone's limit, and many addresses no address's; but all
//! wrong codes of a day together are counted (UTC). From `WRONG_CODES_PER_DAY` of them on, codes have eight digits until the day ends, and
//! shorter ones that are still open are not accepted any more: their users start again. So sprayers guess that many of 1,000,000 a day, and
//! those that are in flight meanwhile; and then only of 100,000,000.
//!
//! Not concerned are devices with a token, whose challenges strangers cannot start, and services whose codes always have eight digits: they
//! neither count nor read the count, which is one item and takes 1,000 wrong and 6,000 entered codes a second.

use crate::config::Settings;
use crate::store::ChallengeKey;

/// Digits of a code while guessing is braked, unless `CODE_LENGTH` is more.
pub(super) const LONG_CODE: usize = 8;

/// Whether wrong codes of this challenge count.
pub(super) fn is_counted(settings: &Settings, key: ChallengeKey) -> bool {
    key.device.is_none() && settings.code_length < LONG_CODE
}

/// The fewest digits of a code that is sent or accepted after so many wrong ones in this day.
pub(super) fn code_length(settings: &Settings, wrong_codes: usize, key: ChallengeKey) -> usize {
    let is_braked = is_counted(settings, key) && wrong_codes >= settings.wrong_codes_per_day;
    if is_braked { LONG_CODE } else { settings.code_length }
}
