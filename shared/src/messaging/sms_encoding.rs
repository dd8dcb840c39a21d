//! How many SMS segments a text takes: GSM 03.38 (7-bit, with an extension table) or UCS-2, and Plivo's limits on both (Plivo: "Send a
//! message", `text`).

/// GSM 03.38 characters that Plivo takes in one message.
pub const MAX_GSM: usize = 1600;
/// UTF-16 code units that Plivo takes in one message that is not all GSM 03.38.
pub const MAX_UCS2: usize = 737;
/// GSM 03.38 characters of a message that goes out as one segment.
pub const SINGLE_SEGMENT: usize = 160;

/// The basic table of 3GPP TS 23.038, without its escape character.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// The extension table: each counts as two characters.
const EXTENSION: &str = "^{}\\[~]|€\u{c}";

/// The text's length in GSM 03.38 characters; `None` when it contains a character that GSM 03.38 lacks.
pub fn gsm_length(text: &str) -> Option<usize> {
    text.chars().try_fold(0, |length, character| {
        if BASIC.contains(character) {
            Some(length + 1)
        } else if EXTENSION.contains(character) {
            Some(length + 2)
        } else {
            None
        }
    })
}

/// How many segments the text is sent in, each of which costs: 160 GSM 03.38 characters, or 70 UTF-16 code units of others; 153 and 67
/// where there are several, which carry their order (3GPP TS 23.040, 9.2.3.24.1).
pub fn segments(text: &str) -> usize {
    let is_gsm = gsm_length(text).is_some();
    let (one, several) = if is_gsm { (SINGLE_SEGMENT, 153) } else { (70, 67) };
    let size = |character: char| {
        if is_gsm { 1 + usize::from(EXTENSION.contains(character)) } else { character.len_utf16() }
    };
    if text.chars().map(size).sum::<usize>() <= one {
        return 1;
    }
    // A character of two units is not divided between two segments.
    let (segments, _) = text.chars().map(size).fold((1, 0), |(segments, used), size| {
        if used + size <= several { (segments, used + size) } else { (segments + 1, size) }
    });
    segments
}

/// Whether Plivo takes the text.
pub fn fits(text: &str) -> bool {
    match gsm_length(text) {
        Some(characters) => characters <= MAX_GSM,
        None => text.encode_utf16().count() <= MAX_UCS2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_long_by_one_does_not_fit() {
        assert!(fits(&"a".repeat(1600)) && !fits(&"a".repeat(1601)));
        assert!(fits(&"€".repeat(800)) && !fits(&format!("{}a", "€".repeat(800))));
        assert!(fits(&"ж".repeat(737)) && !fits(&"ж".repeat(738)));
        assert!(fits(&"😀".repeat(368)) && !fits(&"😀".repeat(369)), "an emoji is two code units");
        assert!(!fits(&format!("{}ж", "a".repeat(737))), "one other character makes all of it UCS-2");
    }

    #[test]
    fn parts_are_counted_as_they_cost() {
        for (text, count) in
            [("", 1), (&*"a".repeat(160), 1), (&"a".repeat(161), 2), (&"a".repeat(306), 2), (&"a".repeat(307), 3)]
        {
            assert_eq!(segments(text), count);
        }
        assert_eq!((segments(&"😀".repeat(335)), segments(&"€".repeat(765))), (11, 11), "none is divided");
        assert_eq!((segments(&"ж".repeat(70)), segments(&"ж".repeat(71)), segments(&"ж".repeat(135))), (1, 2, 3));
    }

    #[test]
    fn gsm_characters_are_counted() {
        assert_eq!(BASIC.chars().count(), 127, "128 of the table without the escape");
        assert_eq!(gsm_length("Hello @ £"), Some(9));
        assert_eq!(gsm_length("[€]"), Some(6));
        assert_eq!(gsm_length("`"), None);
        assert_eq!(gsm_length("ç"), None, "only the capital is in the table");
    }
}
