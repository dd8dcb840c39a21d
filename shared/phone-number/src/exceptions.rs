//! What we know of numbers beyond libphonenumber's metadata. Each rule is for one calling code, and works on the national number.

/// Non-geographic area codes of the North American Numbering Plan at which SMS reaches no person: 900 is premium rate, 5XX and 700 are personal or
/// carriers' services, 6XX are Canadian services, 710 is the United States' government (NANPA: "Non-geographic area codes"). Where the metadata has
/// no pattern, it classifies such numbers as unknown.
const SERVICE_AREAS: [&str; 25] = [
    "500", "521", "522", "523", "524", "525", "526", "527", "528", "529", "533", "544", "566", "577", "588", "600",
    "622", "633", "644", "655", "677", "688", "700", "710", "900",
];

/// Whether a number is a service's although the metadata does not say so. In every North American area, 976 is premium rate and 555-1212 is
/// directory assistance.
pub fn is_service(calling_code: u16, national: &str) -> bool {
    if calling_code != 1 || national.len() != 10 {
        return false;
    }
    let (area, exchange, line) = (&national[..3], &national[3..6], &national[6..]);
    SERVICE_AREAS.contains(&area) || exchange == "976" || (exchange, line) == ("555", "1212")
}

/// Whether a number is reserved for films and books, so that it is nobody's: in every North American area, 555-0100 to 555-0199 (NANPA: "555 line
/// numbers"); of the United Kingdom's mobile numbers, 07700 900000 to 900999 (Ofcom: "Telephone numbers for use in TV and radio drama programmes").
pub fn is_fictional(e164: &str) -> bool {
    let reserved = |start: &str, length| e164.len() == length && e164.starts_with(start);
    let line = e164.strip_prefix("+1").and_then(|national| national.get(3..));
    reserved("+447700900", 13) || e164.len() == 12 && line.is_some_and(|line| line.starts_with("55501"))
}

/// The one form of a mobile number that people write in two. Argentina's have a 9 before the area code, which callers from the same country leave
/// out; no other number there gets SMS, so all have it here. Mexico's had a 1 until 2019, which many address books still hold.
pub fn mobile_form(calling_code: u16, national: String) -> String {
    // Argentina's area codes begin with 1 to 3.
    match (calling_code, national.len(), national.as_bytes().first()) {
        (54, 10, Some(b'1'..=b'3')) => format!("9{national}"),
        (52, 11, Some(b'1')) => national[1..].to_owned(),
        _ => national,
    }
}
