//! Compares `phone_number` with libphonenumber: the library's answer to a text, and texts on which the two might differ.
#![expect(clippy::unwrap_used, reason = "a comparison that cannot go on should stop")]

use std::cell::Cell;
use std::collections::BTreeMap;

use phone_number::exceptions::{is_service, mobile_form};
use phone_number::{Country, PhoneError, PhoneNumber};
use phone_number_generator::Path;
use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber as Number, PhoneNumberFormat, PhoneNumberType, Region,
};

/// The kinds of numbers of which the library has examples.
const KINDS: [PhoneNumberType; 10] = [
    PhoneNumberType::FixedLine,
    PhoneNumberType::Mobile,
    PhoneNumberType::TollFree,
    PhoneNumberType::PremiumRate,
    PhoneNumberType::SharedCost,
    PhoneNumberType::VoIP,
    PhoneNumberType::PersonalNumber,
    PhoneNumberType::Pager,
    PhoneNumberType::UAN,
    PhoneNumberType::VoiceMail,
];

/// What people dial before a number, somewhere.
const PREFIXES: [&str; 16] =
    ["", "0", "1", "8", "06", "00", "011", "810", "0011", "119", "010", "001", "15", "+", "++", "+00"];

/// E.164 and the country's code.
type Answer = Result<(String, String), PhoneError>;

/// A country as both know it.
#[derive(Clone, Copy)]
pub(crate) struct Home {
    country: Country,
    region: Region,
}

/// What was compared.
#[derive(Default)]
pub(crate) struct Comparison {
    homes: Vec<Home>,
    chance: Cell<u64>,
    /// How many answers of each kind there were: number, kind that is not served, no number.
    pub(crate) answers: BTreeMap<&'static str, usize>,
    pub(crate) differences: Vec<String>,
}

impl Comparison {
    /// All countries, and the one of numbers without a country.
    pub(crate) fn new(seed: u64) -> Self {
        let mut regions: Vec<_> = PHONE_NUMBER_UTIL.get_supported_regions().collect();
        regions.sort_unstable_by_key(Region::to_string);
        let home = |region: &Region| Home { country: Country::parse(&region.to_string()).unwrap(), region: *region };
        let mut homes: Vec<_> = regions.iter().map(home).collect();
        let satellite = PhoneNumber::parse("+870773111632", homes[0].country).unwrap();
        homes.push(Home { country: satellite.country(), region: Region::World });
        Self { homes, chance: Cell::new(seed), ..Self::default() }
    }

    /// Compares one text, read in one country.
    pub(crate) fn text(&mut self, text: &str, home: Home) {
        let expected = by_the_library(text, home.region);
        let answer =
            PhoneNumber::parse(text, home.country).map(|phone| (phone.e164().to_owned(), phone.country().code()));
        let kind = match &expected {
            Ok(_) => "a number",
            Err(PhoneError::NotServed) => "not served",
            Err(PhoneError::Invalid) => "no number",
        };
        *self.answers.entry(kind).or_default() += 1;
        if answer != expected {
            self.differences.push(format!("{text:?} in {}: {answer:?}, the library: {expected:?}", home.region));
        }
    }

    /// The library's examples of every kind in every country, as they are dialled from everywhere.
    pub(crate) fn examples(&mut self) {
        let util = &*PHONE_NUMBER_UTIL;
        for home in self.homes.clone() {
            for kind in KINDS {
                let Ok(example) = util.get_example_number_for_type_and_region(home.region, kind) else { continue };
                self.spellings(&util.format(&example, PhoneNumberFormat::E164), example.country_code, home);
            }
        }
        let mut codes: Vec<_> = util.get_supported_global_network_calling_codes().collect();
        codes.sort_unstable();
        for code in codes {
            let example = util.get_example_number_for_non_geo_entity(code).unwrap();
            let home = self.any_home();
            self.spellings(&util.format(&example, PhoneNumberFormat::E164), code, home);
        }
    }

    /// One number with every prefix, whole and national, a digit too few and too many, at home and elsewhere.
    fn spellings(&mut self, e164: &str, calling_code: i32, home: Home) {
        let whole = e164.trim_start_matches('+');
        let national = &whole[calling_code.to_string().len()..];
        for digits in [whole, national, &national[1..], &national[..national.len() - 1], &format!("{national}5")] {
            for prefix in PREFIXES {
                self.text(&format!("{prefix}{digits}"), home);
                let elsewhere = self.any_home();
                self.text(&format!("{prefix}{digits}"), elsewhere);
            }
        }
        let spelt: String =
            whole.chars().flat_map(|digit| [digit, self.one_of(&[' ', '-', '.', '/', '(', ')', '\u{a0}'])]).collect();
        self.text(&format!("(+{spelt}"), home);
    }

    /// Every step of every automaton, completed to the lengths that there may be. One path in `every` is taken.
    pub(crate) fn paths(&mut self, paths: &[Path], every: usize) {
        for path in paths.iter().skip(self.below(every)).step_by(every) {
            match path {
                Path::Dialled(region, digits) => {
                    let home = self.homes.iter().find(|home| home.region == *region).copied();
                    let home = home.unwrap_or_else(|| self.any_home());
                    self.completed(digits, "", home);
                }
                Path::Number(code, digits) => {
                    let regions = PHONE_NUMBER_UTIL.get_regions_for_country_calling_code(i32::from(*code)).unwrap();
                    let regions: Vec<_> = regions.collect();
                    let region = self.one_of(&regions);
                    let home = self.homes.iter().find(|home| home.region == region).copied().unwrap();
                    self.completed(digits, &format!("+{code}"), home);
                    self.text(&format!("{code}{digits}{}", self.digits(4)), home);
                    self.text(&format!("0{digits}{}", self.digits(4)), home);
                }
            }
        }
    }

    /// The digits with more behind them, up to 18.
    fn completed(&mut self, digits: &str, prefix: &str, home: Home) {
        self.text(&format!("{prefix}{digits}"), home);
        for length in digits.len() + 1..=18 {
            self.text(&format!("{prefix}{digits}{}", self.digits(length - digits.len())), home);
        }
    }

    /// All texts of up to two digits, everywhere.
    pub(crate) fn short(&mut self) {
        let two = (0..100).map(|number| format!("{number:02}"));
        let texts: Vec<_> = (0..10).map(|number| number.to_string()).chain(two).collect();
        for home in self.homes.clone() {
            for text in &texts {
                self.text(text, home);
                self.text(&format!("+{text}"), home);
            }
        }
    }

    /// Texts of all allowed characters in any order, and of digits with many zeros.
    pub(crate) fn anything(&mut self, texts: usize) {
        let characters: Vec<_> = "01234567890123456789012345678900++-.()/ \u{a0}".chars().collect();
        for _ in 0..texts {
            let home = self.any_home();
            let text: String = match self.below(4) {
                0 => (0..self.below(40)).map(|_| self.one_of(&characters)).collect(),
                1 => format!("{}{}", self.digits(self.below(20)), self.digits(self.below(20))),
                2 => format!("{}{}{}", self.one_of(&PREFIXES), "0".repeat(self.below(18)), self.digits(self.below(18))),
                _ => format!("+{}", self.digits(self.below(20))),
            };
            self.text(&text, home);
        }
    }

    fn any_home(&self) -> Home {
        self.one_of(&self.homes)
    }

    fn digits(&self, length: usize) -> String {
        (0..length).map(|_| self.one_of(&['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])).collect()
    }

    fn one_of<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A number below the limit, by SplitMix64: the same in each run.
    fn below(&self, limit: usize) -> usize {
        let next = self.chance.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.chance.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

/// What `PhoneNumber::parse` has to say, by libphonenumber and our exceptions.
fn by_the_library(text: &str, home: Region) -> Answer {
    let text = text.trim();
    let allowed = |character: char| character.is_ascii_digit() || "+-.()/ \u{a0}".contains(character);
    if text.len() > 64 || !text.chars().all(allowed) {
        return Err(PhoneError::Invalid);
    }
    let util = &*PHONE_NUMBER_UTIL;
    let number = with_exceptions(text, Some(home)).ok_or(PhoneError::Invalid)?;
    let possible = util.is_possible_number_with_reason(&number) == Ok(NumberLengthType::IsPossible);
    if !possible || number.extension.is_some() {
        return Err(PhoneError::Invalid);
    }
    let is_service = is_service(calling_code(&number), &number.get_national_significant_number());
    if is_service || !phone_number_generator::is_a_persons(util.get_number_type(&number)) {
        return Err(PhoneError::NotServed);
    }
    let region = util.get_region_for_number(&number);
    let region = region.or_else(|| util.get_region_for_country_code(number.country_code));
    let e164 = util.format(&number, PhoneNumberFormat::E164).into_owned();
    let again = with_exceptions(&e164, None).map(|again| util.format(&again, PhoneNumberFormat::E164).into_owned());
    // ITU-T E.164: at most 15 digits.
    if again.as_ref().is_some_and(|again| *again == e164) && e164.len() <= 16 {
        Ok((e164, region.unwrap().to_string()))
    } else {
        Err(PhoneError::Invalid)
    }
}

/// A number as the library reads it, in the form that we give mobile numbers.
fn with_exceptions(text: &str, home: Option<Region>) -> Option<Number> {
    let util = &*PHONE_NUMBER_UTIL;
    let number = util.parse(text, home).ok()?;
    let national = number.get_national_significant_number();
    let code = calling_code(&number);
    let ours = mobile_form(code, national.clone());
    if ours == national { Some(number) } else { util.parse(format!("+{code}{ours}"), None).ok() }
}

fn calling_code(number: &Number) -> u16 {
    u16::try_from(number.country_code).unwrap()
}
