//! The operating system's random generator. Uses nothing of this crate.

use ring::rand::{SecureRandom, SystemRandom};

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system's random generator failed")]
pub struct RandomError;

/// `N` random bytes.
///
/// # Errors
/// When the operating system has none to give.
pub fn bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| RandomError)?;
    Ok(bytes)
}

/// A number below `bound` (at least 1), each equally likely: numbers from the incomplete last run of `bound` are drawn again.
///
/// # Errors
/// As [`bytes`].
pub fn below(bound: u64) -> Result<u64, RandomError> {
    let fair = u64::MAX - u64::MAX % bound;
    loop {
        let number = u64::from_be_bytes(bytes()?);
        if number < fair {
            return Ok(number % bound);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chi-square of 100,000 draws over 10 cells: 27.9 is the 99.9 % point for 9 degrees of freedom; 60 leaves no room for chance.
    #[test]
    fn numbers_are_spread_evenly() {
        let mut cells = [0_f64; 10];
        for _ in 0..100_000 {
            cells[usize::try_from(below(10).unwrap()).unwrap()] += 1.0;
        }
        let chi: f64 = cells.iter().map(|n| (n - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 60.0, "chi-square {chi}");
    }
}
