//! Files that only this home's own key reads: format 1, nonce 24, ciphertext.
//!
//! Promises: a file is whole or an error, never something else; its name is authenticated, so files can't be swapped.
//! Does not know what is in a file.

use std::io;
use std::path::Path;

use oboro_crypto::aead::{xopen, xseal};
use oboro_crypto::secret::Secret;
use zeroize::Zeroizing;

use super::atomic;

const FORMAT: u8 = 1;
const NONCE_LEN: usize = 24;

/// Replaces a file by the sealed bytes.
///
/// # Errors
/// Whatever the system says; the old file is then untouched.
pub(crate) fn write(path: &Path, key: &Secret<32>, plain: &[u8]) -> io::Result<()> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|error| io::Error::other(error.to_string()))?;
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&xseal(key, &nonce, name(path), plain));
    atomic::write(path, &bytes)
}

/// Opens a file of at most `max` bytes.
///
/// # Errors
/// Whatever the system says; [`io::ErrorKind::InvalidData`] if it is damaged, of another name or under another key;
/// [`io::ErrorKind::FileTooLarge`].
pub(crate) fn read(path: &Path, key: &Secret<32>, max: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let bytes = atomic::read(path, max)?;
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let (head, sealed) = bytes
        .split_first_chunk::<{ 1 + NONCE_LEN }>()
        .ok_or_else(damaged)?;
    let [FORMAT, nonce @ ..] = head else {
        return Err(damaged());
    };
    xopen(key, nonce, name(path), sealed)
        .map(Zeroizing::new)
        .map_err(|_| damaged())
}

fn name(path: &Path) -> &[u8] {
    path.file_name().unwrap_or_default().as_encoded_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Secret<32> {
        Secret::from_bytes([byte; 32])
    }

    #[test]
    fn what_was_sealed_reads_back_and_nothing_of_it_is_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write(&path, &key(1), b"nobody else's").unwrap();
        assert_eq!(*read(&path, &key(1), 100).unwrap(), b"nobody else's");
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"nobody"));
    }

    #[test]
    fn another_key_another_name_and_any_damage_are_told_from_absence() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("file"), dir.path().join("other"));
        let kind = |path: &Path, byte| read(path, &key(byte), 100).unwrap_err().kind();
        assert_eq!(kind(&path, 1), io::ErrorKind::NotFound);
        write(&path, &key(1), b"x").unwrap();
        std::fs::copy(&path, &other).unwrap();
        assert_eq!(kind(&path, 2), io::ErrorKind::InvalidData);
        assert_eq!(kind(&other, 1), io::ErrorKind::InvalidData);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(kind(&path, 1), io::ErrorKind::InvalidData, "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(kind(&path, 1), io::ErrorKind::InvalidData, "cut at {at}");
        }
        std::fs::write(&path, [0; 101]).unwrap();
        assert_eq!(kind(&path, 1), io::ErrorKind::FileTooLarge);
    }
}
