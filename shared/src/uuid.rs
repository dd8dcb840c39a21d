//! Backendless' shape of an identifier: 128 bits as an upper-case UUID. All bits are ours to choose (no version or variant
//! is set), which is why the `uuid` crate would add nothing but checks that must not apply. Uses nothing of this crate.

use std::fmt::Write as _;

/// Where the dashes stand: before these byte positions.
const DASHES: [usize; 4] = [4, 6, 8, 10];

/// `CBFA6722-58AD-12BE-FF80-28999D7D0200`.
pub fn format(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (position, byte) in bytes.iter().enumerate() {
        if DASHES.contains(&position) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// The bytes of a UUID in either letter case; `None` for any other text.
pub fn parse(text: &str) -> Option<[u8; 16]> {
    let text = text.as_bytes();
    if text.len() != 36 {
        return None;
    }
    let mut bytes = [0; 16];
    let mut at = 0;
    for (position, byte) in bytes.iter_mut().enumerate() {
        if DASHES.contains(&position) {
            if text[at] != b'-' {
                return None;
            }
            at += 1;
        }
        *byte = digit(text[at])? << 4 | digit(text[at + 1])?;
        at += 2;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "",
            "T",
            "CBFA672258AD12BEFF8028999D7D0200",
            "CBFA6722-58AD-12BE-FF80-28999D7D020",
            "CBFA6722-58AD-12BE-FF80-28999D7D02000",
            "CBFA6722+58AD-12BE-FF80-28999D7D0200",
            "GBFA6722-58AD-12BE-FF80-28999D7D0200",
            " BFA6722-58AD-12BE-FF80-28999D7D0200",
            "ÉFA6722-58AD-12BE-FF80-28999D7D0200",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(bytes: [u8; 16]) {
            let text = format(&bytes);
            prop_assert_eq!(parse(&text), Some(bytes));
            prop_assert_eq!(parse(&text.to_lowercase()), Some(bytes));
            prop_assert_eq!(text.to_uppercase(), text);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = parse(&text);
        }
    }
}
