//! Throttles code spraying. Limits of phones and client networks do not stop an attacker who tries a few codes on each of many phones from many
//! addresses. So all wrong codes of a day (UTC) are counted together. From `WRONG_CODES_PER_DAY` of them on, new codes have eight digits until the
//! day ends, and shorter ones that are still open are rejected: their users start again. A sprayer thus gets that many guesses, and those in flight,
//! at 1,000,000 codes; then only at 100,000,000.
//!
//! Exempt are devices with a token, whose challenges strangers cannot start, and services whose codes always have eight digits: they neither count
//! nor read the count, which is one item and takes 1,000 wrong and 6,000 entered codes a second.

use crate::config::Settings;
use crate::store::ChallengeKey;

/// Digits of a code while spraying is throttled, unless `CODE_LENGTH` is more.
pub(super) const LONG_CODE: usize = 8;

/// Whether wrong codes of this challenge count.
pub(super) fn is_counted(settings: &Settings, key: ChallengeKey) -> bool {
    key.device.is_none() && settings.code_length < LONG_CODE
}

/// The fewest digits of a code that is sent or accepted after so many wrong ones in this day.
pub(super) fn code_length(settings: &Settings, wrong_codes: usize, key: ChallengeKey) -> usize {
    let is_throttled = is_counted(settings, key) && wrong_codes >= settings.wrong_codes_per_day;
    if is_throttled { LONG_CODE } else { settings.code_length }
}
