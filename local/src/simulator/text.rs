//! How long a text is for Plivo: the character set it needs, and the parts ("units") it is charged as. Uses nothing of the simulator.

/// GSM 03.38, the characters that count once.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// GSM 03.38, the extension table: each is written with an escape and so counts twice.
const EXTENSION: &str = "^{}\\[~]|€\u{c}";

/// The limits of the "Plivo: Send a message" page.
const MAX_GSM: usize = 1_600;
const MAX_UCS2: usize = 737;

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
        let septets =
            text.chars().map(|c| if BASIC.contains(c) { Some(1) } else { EXTENSION.contains(c).then_some(2) });
        match septets.sum::<Option<usize>>() {
            Some(septets) => Self::Gsm(septets),
            None => Self::Ucs2(text.encode_utf16().count()),
        }
    }

    /// Whether Plivo refuses a text of this length.
    pub(super) fn is_too_long(self) -> bool {
        match self {
            Self::Gsm(septets) => septets > MAX_GSM,
            Self::Ucs2(units) => units > MAX_UCS2,
        }
    }

    /// Parts that the text is sent as; a text of several loses some room in each to the header that joins them.
    pub(super) fn units(self) -> usize {
        let (length, alone, joined) = match self {
            Self::Gsm(septets) => (septets, 160, 153),
            Self::Ucs2(units) => (units, 70, 67),
        };
        if length <= alone { 1 } else { length.div_ceil(joined) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_over_the_limit_of_their_character_set_are_too_long() {
        assert!(Length::of(&"a".repeat(1_601)).is_too_long());
        assert!(Length::of(&"€".repeat(801)).is_too_long());
        assert!(Length::of(&"я".repeat(738)).is_too_long());
        assert!(Length::of(&"🙂".repeat(369)).is_too_long());
    }

    #[test]
    fn texts_up_to_the_limit_are_not() {
        assert!(!Length::of(&"a".repeat(1_600)).is_too_long());
        assert!(!Length::of(&"€".repeat(800)).is_too_long());
        assert!(!Length::of(&"я".repeat(737)).is_too_long());
        assert!(!Length::of(&"🙂".repeat(368)).is_too_long());
    }

    #[test]
    fn every_character_of_the_alphabet_is_known() {
        assert_eq!(BASIC.chars().count(), 127, "128 of the table without the escape");
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
