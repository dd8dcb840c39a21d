//! Who logs in: phones with the service's own keys, drawn from a skewed distribution by a seeded generator. Uses `heat::position`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use shared::crypto::Keys;
use shared::crypto::identifier;

use super::heat::position;
use crate::Failure;

/// Whose item a call touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The phone's: its item in `phones`.
    Phone,
    /// The phone's: its login row in `users`.
    Login,
    /// The user's: the profile in `users`.
    Profile,
    /// A new one at each login, in `sessions` and `decisions`.
    Session,
    /// The network's that calls, in `counters`: each phone has one of its own.
    ClientNetwork,
    /// The prefix's, in `counters`.
    Prefix,
    /// A slice of the budgets, in `counters`: the phone's own, or one so many after it.
    Slice(usize),
    /// Everybody's, at this place: the same item whoever calls, but an instance keeps it for a while.
    Everybody(u64),
}

/// The ids of one phone's items, as `shared::store` makes them. (They are private there; [`Ids::owner`] fails when they differ from
/// what was recorded.)
pub(super) struct Ids {
    phone: String,
    login: String,
}

impl Ids {
    pub(super) fn of(keys: &Keys, e164: &str) -> Self {
        let hash = keys.phone(e164);
        let phone = format!("{:016x}", u64::from_be_bytes(hash.short()));
        Self { phone, login: format!("phone#{}", hash.long()) }
    }

    /// Whose a recorded item is, where the caller is this phone. Of slices, which phone's is told by its number.
    pub(super) fn owner(&self, table: &str, key: &str) -> Result<Owner, Failure> {
        match table {
            "phones" if key == self.phone => Ok(Owner::Phone),
            "users" if key == self.login => Ok(Owner::Login),
            "users" if key.starts_with("user#") => Ok(Owner::Profile),
            "sessions" | "decisions" => Ok(Owner::Session),
            "counters" if key.starts_with("address#") => Ok(Owner::ClientNetwork),
            "counters" if key.starts_with("prefix#") => Ok(Owner::Prefix),
            "counters" => {
                let slice = key.strip_prefix("slice#").and_then(|number| number.parse().ok());
                slice.map(Owner::Slice).ok_or_else(|| format!("nobody knows whose {key} is").into())
            }
            "controls" => Ok(Owner::Everybody(position(key))),
            _ => Err(format!("nobody knows whose {key} of {table} is").into()),
        }
    }
}

/// Phones with a user each, by rank.
pub(super) struct Population {
    /// Where phone, login row, profile and prefix of each stand.
    items: Vec<[u64; 4]>,
    /// The sum of all weights up to each rank.
    weights: Vec<f64>,
}

impl Population {
    /// So many phones, of which the one of rank `r` comes `r` to the power of `-exponent` times as often as the first (Zipf).
    pub(super) fn new(keys: &Keys, size: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weight = |rank: usize| {
            sum += (rank as f64).powf(-exponent);
            sum
        };
        Self { weights: (1..=size).map(weight).collect(), items: (0..size).map(|number| items(keys, number)).collect() }
    }

    /// Somebody, by rank from 0.
    pub(super) fn draw(&self, chance: &mut Chance) -> usize {
        let point = chance.fraction() * self.weights.last().copied().unwrap_or_default();
        self.weights.partition_point(|sum| *sum <= point).min(self.weights.len() - 1)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Where an item of this phone stands; `login` numbers the logins, and there are so many slices.
    pub(super) fn place(&self, phone: usize, owner: Owner, login: u64, slices: usize) -> u64 {
        match owner {
            Owner::Prefix => self.items[phone][3],
            Owner::ClientNetwork => position(&format!("address#{phone}")),
            // Phones have slices in turn, as evenly as by their hashes.
            Owner::Slice(next) => position(&format!("slice#{}", (phone + next) % slices)),
            Owner::Phone => self.items[phone][0],
            Owner::Login => self.items[phone][1],
            Owner::Profile => self.items[phone][2],
            Owner::Session => position(&session(login)),
            Owner::Everybody(place) => place,
        }
    }
}

/// So many prefixes of 10,000 numbers have users: of a country like the United States, where six digits make a prefix.
const PREFIXES: usize = 100_000;

fn items(keys: &Keys, number: usize) -> [u64; 4] {
    let ids = Ids::of(keys, &format!("+1{:010}", 2_000_000_000 + number));
    let prefix = format!("prefix#{:016x}", Chance::new((number % PREFIXES) as u64 ^ 5).next());
    // An objectId is 128 random bits; here they are drawn by number, so that each run has the same.
    let user = identifier::format(&Chance::new(number as u64).bytes());
    [position(&ids.phone), position(&ids.login), position(&format!("user#{user}")), position(&prefix)]
}

/// The id of a session: SHA-256 of a token of 128 random bits, in base64 (`shared::store::sessions`).
fn session(login: u64) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, &Chance::new(!login).bytes()))
}

/// A seeded generator: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). Not for secrets.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// From 0, below 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn bytes(&mut self) -> [u8; 16] {
        (u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn population(exponent: f64) -> Population {
        Population::new(&Keys::derive(&local::ROOT_KEY.into()).unwrap(), 1_000, exponent)
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let population = population(0.8);
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..100).map(|_| population.draw(&mut chance)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn weights_sum_and_the_first_comes_as_often_as_its_weight() {
        let population = population(1.0);
        // The thousandth harmonic number.
        assert!((population.weights[999] - 7.485_470_86).abs() < 1e-6);
        let mut chance = Chance::new(7);
        let first = (0..100_000).filter(|_| population.draw(&mut chance) == 0).count();
        assert!((12_900..13_900).contains(&first), "{first} of 100,000, expected 13,359");
    }

    #[test]
    fn all_come_as_often_without_skew() {
        let mut counts = [0; 1_000];
        let (population, mut chance) = (population(0.0), Chance::new(7));
        (0..100_000).for_each(|_| counts[population.draw(&mut chance)] += 1);
        assert!(counts.iter().all(|count| (50..160).contains(count)));
    }

    #[test]
    fn items_of_other_phones_are_not_taken_for_ones_own() {
        let keys = Keys::derive(&local::ROOT_KEY.into()).unwrap();
        let (own, other) = (Ids::of(&keys, "+14155550100"), Ids::of(&keys, "+14155550101"));
        assert_eq!(own.owner("phones", &own.phone).unwrap(), Owner::Phone);
        assert_eq!(own.owner("users", &own.login).unwrap(), Owner::Login);
        assert!(own.owner("phones", &other.phone).is_err());
        assert!(own.owner("elsewhere", "x").is_err());
        assert_eq!(own.owner("counters", "slice#3").unwrap(), Owner::Slice(3));
        assert!(own.owner("counters", "x").is_err());
    }
}
