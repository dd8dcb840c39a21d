//! The languages of the texts that users get, and how a request chooses one.

use std::str::FromStr as _;

use strum::{EnumString, IntoStaticStr, VariantArray};

/// A language that there are texts in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray)]
pub enum Language {
    /// English, for everybody whose language is unknown or missing here.
    #[default]
    #[strum(serialize = "en")]
    English,
    /// Spanish.
    #[strum(serialize = "es")]
    Spanish,
    /// French.
    #[strum(serialize = "fr")]
    French,
    /// German.
    #[strum(serialize = "de")]
    German,
    /// Portuguese.
    #[strum(serialize = "pt")]
    Portuguese,
    /// Italian.
    #[strum(serialize = "it")]
    Italian,
    /// Polish.
    #[strum(serialize = "pl")]
    Polish,
    /// Ukrainian.
    #[strum(serialize = "uk")]
    Ukrainian,
    /// Arabic.
    #[strum(serialize = "ar")]
    Arabic,
    /// Hindi.
    #[strum(serialize = "hi")]
    Hindi,
    /// Chinese, in simplified characters.
    #[strum(serialize = "zh")]
    Chinese,
    /// Japanese.
    #[strum(serialize = "ja")]
    Japanese,
}

impl Language {
    /// The two letters of ISO 639-1.
    pub fn code(self) -> &'static str {
        self.into()
    }

    /// The language of a tag like `de`, `de-AT` or `de_AT`; `None` if there are no texts in it.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::from_str(&primary.to_ascii_lowercase()).ok()
    }

    /// The one that a header `Accept-Language` likes best (RFC 9110, 12.5.4), of several the first; English if it names none of ours.
    pub fn accepted(header: &str) -> Self {
        let wanted = header.split(',').filter_map(|range| {
            let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
            let weight = thousandths(weight.trim())?;
            Some((Self::of_tag(tag)?, weight)).filter(|_| weight > 0)
        });
        // Strictly better, so that the first of equals stays.
        let best = wanted.reduce(|best, other| if other.1 > best.1 { other } else { best });
        best.map_or(Self::English, |(language, _)| language)
    }
}

/// A weight like `q=0.8`, in thousandths, and 1 where there is none.
fn thousandths(weight: &str) -> Option<u16> {
    if weight.is_empty() {
        return Some(1000);
    }
    let value = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?;
    let (whole, rest) = value.split_once('.').unwrap_or((value, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || rest.len() > 3 || !is_number(rest) {
        return None;
    }
    let thousandths = format!("{whole}{rest:0<3}").parse().ok()?;
    (thousandths <= 1000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_chooses_by_weight_then_by_order() {
        for (header, code) in [
            ("de", "de"),
            ("de-AT,en;q=0.9", "de"),
            ("en;q=0.2, pl;q=0.8, uk;q=0.8", "pl"),
            ("nl, fr;q=0.5, *;q=0.1", "fr"),
            ("fr;q=0, it;q=0.001", "it"),
            ("ZH-hans-CN , ja", "zh"),
            ("es;Q=1.000,hi", "es"),
        ] {
            assert_eq!(Language::accepted(header).code(), code, "{header}");
        }
    }

    #[test]
    fn a_header_without_one_of_ours_is_english() {
        let endless = "nl,".repeat(2000);
        for header in [
            "",
            ",,;",
            "*",
            "nl",
            "fr;q=0",
            "de;q=2",
            "de;q=NaN",
            "de;q=0.12345",
            "de;q=-1",
            "de;level=1",
            "ü",
            &endless,
        ] {
            assert_eq!(Language::accepted(header), Language::English, "{header}");
        }
    }

    #[test]
    fn a_locale_is_two_letters_or_more() {
        assert_eq!(Language::of_tag("pt_BR"), Some(Language::Portuguese));
        assert_eq!(Language::of_tag("DE"), Some(Language::German));
        for tag in ["", "nl", "deu", "english", "d"] {
            assert_eq!(Language::of_tag(tag), None, "{tag}");
        }
    }
}
