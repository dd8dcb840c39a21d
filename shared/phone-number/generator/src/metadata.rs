//! What libphonenumber's metadata says of a numbering plan, as far as it decides what a number is. Nothing about formatting.

use rlibphonenumber::interfaces::AsOriginal as _;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberType, Region};

use crate::Failure;

/// The numbering plan of a country, or that of a calling code without one.
pub(crate) struct Plan {
    pub(crate) region: Region,
    pub(crate) calling_code: u16,
    /// What all its numbers have in common.
    pub(crate) general: Numbers,
    /// Lengths of numbers that are only for callers of the same area.
    pub(crate) local_lengths: Vec<i32>,
    /// The kinds of numbers in the order in which libphonenumber asks for them.
    pub(crate) kinds: Vec<(PhoneNumberType, Numbers)>,
    /// How a number of this country begins, where that tells it from the others of its calling code.
    pub(crate) leading_digits: Option<String>,
    pub(crate) international_prefix: Option<String>,
    pub(crate) national_prefix: Option<String>,
    /// What stands in place of the national prefix, with `$1` or `$2` for its groups.
    pub(crate) transform: String,
}

/// A set of national numbers.
pub(crate) struct Numbers {
    pub(crate) pattern: Option<String>,
    /// Where there are none, the pattern alone tells.
    pub(crate) lengths: Vec<i32>,
}

impl Numbers {
    pub(crate) fn takes(&self, length: i32) -> bool {
        self.lengths.is_empty() || self.lengths.contains(&length)
    }
}

/// All numbering plans: those of the countries by their codes, then those without a country by their calling codes.
pub(crate) fn plans() -> Result<Vec<Plan>, Failure> {
    let util = &*PHONE_NUMBER_UTIL;
    let mut countries: Vec<_> = util.get_supported_regions().collect();
    countries.sort_unstable_by_key(Region::to_string);
    let mut others: Vec<_> = util.get_supported_global_network_calling_codes().collect();
    others.sort_unstable();
    let countries = countries.into_iter().map(|region| (region, util.get_country_code_for_region(region)));
    let others = others.into_iter().map(|calling_code| (Region::World, Some(calling_code)));
    countries.chain(others).map(|(region, code)| plan(region, code.ok_or("a country without calling code")?)).collect()
}

fn plan(region: Region, calling_code: i32) -> Result<Plan, Failure> {
    let metadata = PHONE_NUMBER_UTIL.as_original().get_metadata_for_region_or_calling_code(calling_code, region);
    let metadata = metadata.ok_or("a region without metadata")?;
    let descriptions = [
        (PhoneNumberType::Unknown, &metadata.general_desc),
        (PhoneNumberType::PremiumRate, &metadata.premium_rate),
        (PhoneNumberType::TollFree, &metadata.toll_free),
        (PhoneNumberType::SharedCost, &metadata.shared_cost),
        (PhoneNumberType::VoIP, &metadata.voip),
        (PhoneNumberType::PersonalNumber, &metadata.personal_number),
        (PhoneNumberType::Pager, &metadata.pager),
        (PhoneNumberType::UAN, &metadata.uan),
        (PhoneNumberType::VoiceMail, &metadata.voicemail),
        (PhoneNumberType::FixedLine, &metadata.fixed_line),
        (PhoneNumberType::Mobile, &metadata.mobile),
    ];
    let mut kinds = descriptions.into_iter().map(|(kind, description)| {
        let pattern = description.national_number_pattern().pattern_base.clone();
        (kind, Numbers { pattern, lengths: description.original.possible_length.clone() })
    });
    let general = kinds.next().map(|(_, numbers)| numbers).ok_or("no general description")?;
    let mut kinds: Vec<_> = kinds.collect();
    if metadata.original.same_mobile_and_fixed_line_pattern() {
        kinds.retain(|(kind, _)| *kind != PhoneNumberType::Mobile); // as the library does: one is not asked for
    }
    Ok(Plan {
        region,
        calling_code: u16::try_from(calling_code)?,
        general,
        local_lengths: metadata.general_desc.original.possible_length_local_only.clone(),
        kinds,
        leading_digits: metadata.leading_digits().pattern_base.clone(),
        international_prefix: metadata.international_prefix().pattern_base.clone(),
        national_prefix: metadata.national_prefix_for_parsing().pattern_base.clone(),
        transform: metadata.original.national_prefix_transform_rule().to_owned(),
    })
}

/// The countries of a calling code in the order in which libphonenumber asks for them: the main one first.
pub(crate) fn regions(calling_code: u16) -> Vec<Region> {
    let regions = PHONE_NUMBER_UTIL.get_regions_for_country_calling_code(i32::from(calling_code));
    regions.map(Iterator::collect).unwrap_or_default()
}
