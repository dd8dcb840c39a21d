//! Argon2id that reuses its memory. Each hash takes 19 MiB, which glibc's allocator keeps after it is freed and often does not hand out again:
//! a warm function grew by 19 MiB with each of its first twenty passwords (`docs/performance.md`). So only as many hashes run at once as
//! there are processors (more would only wait for each other), and each takes memory that an earlier one has left.

use std::sync::{LazyLock, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use super::password::HashError;
use crate::crypto::random;

/// Lanes, for every cost.
const LANES: u32 = 1;

/// What a hash costs. Functions use only the default: no setting changes it, and it cannot be parsed from text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
}

impl Default for Cost {
    /// OWASP's parameters (Password Storage Cheat Sheet): 19 MiB, two passes.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

impl Cost {
    /// The lowest cost that Argon2 allows, which protects nothing. For tests that hash many passwords.
    pub const LEAST: Self = Self { memory_kib: 8, passes: 1 };
}

/// A hash of no password, with the default cost. It is checked where there is no user, so that this takes as long.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)));
static SPARE: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// Hashes with a new salt, off the async threads. A PHC string.
pub(super) async fn hash(password: SecretString, pepper: [u8; 32], cost: Cost) -> Result<String, HashError> {
    in_turn(move || {
        let params = Params::new(cost.memory_kib, cost.passes, LANES, None).map_err(failed)?;
        let salt = random::bytes::<16>();
        let output = compute(&password, &salt, &pepper, &params)?;
        let hash = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(failed)?,
            salt: Some(Salt::new(&salt).map_err(failed)?),
            hash: Some(Output::new(&output).map_err(failed)?),
        };
        Ok(hash.to_string())
    })
    .await
}

/// Whether the password has this hash, by the hash's own parameters; with no hash, `false` after the same work.
pub(super) async fn verify(password: SecretString, pepper: [u8; 32], hash: Option<String>) -> Result<bool, HashError> {
    in_turn(move || {
        let known = hash.is_some();
        let hash = PasswordHash::new(hash.as_deref().unwrap_or(DUMMY)).map_err(failed)?;
        let params = Params::try_from(&hash).map_err(failed)?;
        let (Some(salt), Some(expected), true) = (&hash.salt, &hash.hash, hash.algorithm == ARGON2ID_IDENT) else {
            return Err(failed("a stored hash is not Argon2id with a salt"));
        };
        let output = compute(&password, salt, &pepper, &params)?;
        Ok(bool::from(output.ct_eq(expected.as_bytes())) && known)
    })
    .await
}

fn compute(password: &SecretString, salt: &[u8], pepper: &[u8], params: &Params) -> Result<[u8; 32], HashError> {
    let argon2 =
        Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params.clone()).map_err(failed)?;
    let mut memory = spare().pop().unwrap_or_default();
    memory.resize(params.block_count(), Block::default());
    let mut output = [0; 32];
    let done =
        argon2.hash_password_into_with_memory(password.expose_secret().as_bytes(), salt, &mut output, &mut memory[..]);
    spare().push(memory);
    done.map(|()| output).map_err(failed)
}

fn spare() -> std::sync::MutexGuard<'static, Vec<Vec<Block>>> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
) -> Result<T, HashError> {
    // The turn goes with the work, which runs on when nobody waits for it any more.
    let turn = TURNS.acquire().await.map_err(failed)?;
    let work = move || {
        let _turn = turn;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

fn failed(error: impl std::fmt::Display) -> HashError {
    HashError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_pepper_s_users_get_the_hash_that_takes_as_long() {
        assert!(include_str!("../../../docs/rotation.md").contains(DUMMY));
    }

    #[tokio::test]
    async fn it_is_what_the_library_itself_computes() {
        use argon2::password_hash::PasswordVerifier as _;
        let hash = hash("a password".into(), [7; 32], Cost::default()).await.unwrap();
        let params = Params::new(19 * 1024, 2, 1, None).unwrap();
        let argon2 = Argon2::new_with_secret(&[7; 32], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let parsed = PasswordHash::new(&hash).unwrap();
        assert!(argon2.verify_password(b"a password", &parsed).is_ok());
        assert!(argon2.verify_password(b"another", &parsed).is_err());
    }

    #[tokio::test]
    async fn the_least_is_a_hash_like_any_other() {
        let hash = hash("a password".into(), [7; 32], Cost::LEAST).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert!(verify("a password".into(), [7; 32], Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn memory_is_used_again() {
        for _ in 0..50 {
            verify("x".into(), [0; 32], None).await.unwrap();
        }
        let processors = std::thread::available_parallelism().unwrap().get();
        assert!((1..=processors).contains(&spare().len()), "{} blocks for {processors} processors", spare().len());
    }

    #[tokio::test]
    async fn other_hashes_are_errors() {
        for hash in [
            "",
            "x",
            "$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=19456,t=2,p=1",
        ] {
            assert!(verify("x".into(), [0; 32], Some(hash.to_owned())).await.is_err(), "{hash}");
        }
    }
}
