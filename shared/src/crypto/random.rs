//! Randomness, from the operating system's generator each time: no state in the process that a copied sandbox could repeat.

use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use rand::{Rng as _, RngExt as _};

/// `N` random bytes.
///
/// # Panics
/// When the operating system has no randomness, which Linux has for good once it has booted.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    UnwrapErr(SysRng).fill_bytes(&mut bytes);
    bytes
}

/// A number below `bound` (at least 1), each equally likely.
///
/// # Panics
/// As [`bytes`].
pub fn below(bound: u64) -> u64 {
    UnwrapErr(SysRng).random_range(0..bound)
}
