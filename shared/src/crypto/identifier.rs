//! Identifiers as Backendless writes them: 128 bits in the text form of a UUID, in upper case. No version or variant is set.

use uuid::Uuid;

/// `CBFA6722-58AD-12BE-FF80-28999D7D0200`.
pub fn format(bytes: &[u8; 16]) -> String {
    let mut buffer = Uuid::encode_buffer();
    Uuid::from_bytes_ref(bytes).hyphenated().encode_upper(&mut buffer).to_owned()
}

/// A new one, all bits random.
pub fn random() -> String {
    format(&super::random::bytes())
}

/// Reads one in either letter case; `None` for any other text, also for the further forms that the `uuid` crate reads.
pub fn parse(text: &str) -> Option<[u8; 16]> {
    let is_hyphenated = text.len() == 36;
    Uuid::try_parse(text).ok().filter(|_| is_hyphenated).map(Uuid::into_bytes)
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
            "{CBFA6722-58AD-12BE-FF80-28999D7D0200}",
            "urn:uuid:CBFA6722-58AD-12BE-FF80-28999D7D0200",
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
    }
}
