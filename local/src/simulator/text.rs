//! The length of a text for Plivo: its character set, and the number of segments (Plivo's "units").

use shared::messaging::sms_encoding;

/// A text's length in the character set that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// Septets of GSM 03.38.
    Gsm(usize),
    /// UTF-16 code units: an emoji is two.
    Ucs2(usize),
}

impl Length {
    /// Measures a text. One character outside of GSM 03.38 makes the whole text UCS-2.
    pub(super) fn of(text: &str) -> Self {
        match sms_encoding::gsm_length(text) {
            Some(septets) => Self::Gsm(septets),
            None => Self::Ucs2(text.encode_utf16().count()),
        }
    }

    /// The number of segments. Each of several has a header, which takes some of its room.
    pub(super) fn units(self) -> usize {
        let (length, alone, joined) = match self {
            Self::Gsm(septets) => (septets, sms_encoding::SINGLE_SEGMENT, 153),
            Self::Ucs2(units) => (units, 70, 67),
        };
        if length <= alone { 1 } else { length.div_ceil(joined) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_other_character_makes_a_text_ucs2() {
        assert_eq!(Length::of("è{"), Length::Gsm(3));
        assert_eq!(Length::of("ê"), Length::Ucs2(1));
        assert_eq!(Length::of("🙂"), Length::Ucs2(2));
    }

    #[test]
    fn units_are_counted_as_the_carriers_count_them() {
        for (length, units) in [
            (Length::Gsm(0), 1),
            (Length::Gsm(160), 1),
            (Length::Gsm(161), 2),
            (Length::Gsm(306), 2),
            (Length::Gsm(307), 3),
            (Length::Ucs2(70), 1),
            (Length::Ucs2(71), 2),
            (Length::Ucs2(737), 11),
        ] {
            assert_eq!(length.units(), units, "{length:?}");
        }
    }
}
