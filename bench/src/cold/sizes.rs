//! Sizes: of the binaries beside the benchmark, and of what `bench/zips` leaves for Lambda.

use std::path::{Path, PathBuf};

use crate::Failure;

/// No zip may be larger: what Lambda fetches and unpacks at a cold start.
pub(crate) const MOST: u64 = 2_500_000;
/// The folders that `bench/zips` makes, by Lambda's name of the processor.
pub(crate) const ARCHITECTURES: [(&str, &str); 2] = [("x86_64", "x86-64"), ("arm64", "arm64")];

/// Bytes of what is deployed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deployed {
    pub(crate) binary: u64,
    pub(crate) zip: u64,
}

/// The size of a binary.
pub(crate) fn binary(path: &str) -> Result<u64, Failure> {
    Ok(std::fs::metadata(path)?.len())
}

/// What is deployed of a function, where `bench/zips` has built it.
pub(crate) fn deployed(function: &str, folder: &str) -> Result<Option<Deployed>, Failure> {
    let path = zips()?.join(folder).join(function).join("bootstrap.zip");
    if !path.exists() {
        return Ok(None);
    }
    let zip = std::fs::read(path)?;
    let binary = unpacked(&zip).ok_or("a zip has no directory")?;
    Ok(Some(Deployed { binary, zip: zip.len() as u64 }))
}

/// Beside the folder of the binaries.
fn zips() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()?;
    Ok(own.parent().and_then(Path::parent).ok_or("the benchmark is in no target folder")?.join("zips"))
}

/// The unpacked size of a zip's last file, which is the only one: the field stands in its directory (APPNOTE.TXT, 4.3.12).
fn unpacked(zip: &[u8]) -> Option<u64> {
    let entry = zip.windows(4).rposition(|bytes| bytes == b"PK\x01\x02")?;
    let size = zip.get(entry + 24..entry + 28)?;
    Some(u32::from_le_bytes(size.try_into().ok()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_in_the_directory() {
        let mut zip = b"some bytes, then PK\x01\x02".to_vec();
        zip.extend([0; 20]);
        zip.extend(5_000_000_u32.to_le_bytes());
        assert_eq!(unpacked(&zip), Some(5_000_000));
        assert_eq!(unpacked(b"no zip"), None);
    }
}
