//! A node's keys as a file: sealed under a passphrase, or readable by whoever can read the file.
//!
//! ```text
//! "oboro keys" ‖ version u16 ‖ protected? u8 ‖ Argon2id memory KiB, passes, lanes u32 ‖ salt 32 ‖ nonce 24
//!   ‖ XChaCha20-Poly1305( identity ‖ link ‖ onion ‖ day u32 ‖ previous? u8 ‖ previous ‖ store ‖ state ) ‖ checksum 16
//! ```
//! Integers are little-endian, keys 32 bytes. The beginning up to the version and the checksum at the end (of all bytes
//! before it) are the same in every version, so damage, a newer version and a wrong passphrase can be told apart.
//!
//! Promises: without the passphrase a protected file opens for nobody; nothing in a file, however damaged, makes
//! opening panic or take more memory than `cost` allows.
//!
//! Does not know: where the file lies, or who may read it. Without a passphrase the seal is under a key that everyone
//! can compute: it shows that the file is whole, and hides nothing.

use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::aead::{TAG_LEN, xopen, xseal};
use crate::cost::Cost;
use crate::hash::{derive, hash};
use crate::keys::{IdentityKey, LinkKey, NodeKeys, OnionKey};
use crate::labels;
use crate::secret::{Secret, SecretBytes};

/// Bytes in a key file of this version.
pub const KEY_FILE_LEN: usize = HEADER_LEN + BODY_LEN + TAG_LEN + CHECKSUM_LEN;

/// Why a key file does not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is protected, and no passphrase was given.
    #[error("the keys are protected by a passphrase: give it")]
    PassphraseNeeded,
    /// The passphrase is not the one the file was sealed with.
    #[error("the passphrase is wrong: try again")]
    WrongPassphrase,
    /// It is no key file, or not whole.
    #[error(
        "the key file is damaged: restore it from a backup, or move it away to start as a new node"
    )]
    Damaged,
    /// Written by a newer Oboro.
    #[error("the key file is of version {0}, which this Oboro does not know: update it")]
    NewerVersion(u16),
}

/// The keys as bytes; protected if there is a passphrase, which takes about a quarter of a second.
#[must_use]
pub fn seal(
    keys: &NodeKeys,
    passphrase: Option<&SecretBytes>,
    rng: &mut dyn CryptoRngCore,
) -> Vec<u8> {
    seal_at(PASSPHRASE_COST, keys, passphrase, rng)
}

/// The keys in a file. A passphrase given for a file that has none is not looked at.
pub fn open(file: &[u8], passphrase: Option<&SecretBytes>) -> Result<NodeKeys, KeyFileError> {
    let header = Header::read(file)?;
    let passphrase = match (header.protected, passphrase) {
        (true, None) => return Err(KeyFileError::PassphraseNeeded),
        (true, Some(passphrase)) => Some((header.cost, passphrase)),
        (false, _) => None,
    };
    let key = file_key(&header.salt, passphrase);
    let (aad, sealed) = file
        .split_at_checked(HEADER_LEN)
        .ok_or(KeyFileError::Damaged)?;
    let (sealed, _) = sealed
        .split_last_chunk::<CHECKSUM_LEN>()
        .ok_or(KeyFileError::Damaged)?;
    // The checksum was right: what doesn't open is whole, and the key is not its key.
    let refused = if header.protected {
        KeyFileError::WrongPassphrase
    } else {
        KeyFileError::Damaged
    };
    let body = Zeroizing::new(xopen(&key, &header.nonce, aad, sealed).map_err(|_| refused)?);
    read_body(&body).ok_or(KeyFileError::Damaged)
}

/// Whether a file needs a passphrase to open.
pub fn is_protected(file: &[u8]) -> Result<bool, KeyFileError> {
    Header::read(file).map(|header| header.protected)
}

const MAGIC: &[u8; 10] = b"oboro keys";
const VERSION: u16 = 1;
const HEADER_LEN: usize = 10 + 2 + 1 + 12 + 32 + 24;
const BODY_LEN: usize = 3 * 32 + 4 + 1 + 32 + 2 * 32;
const CHECKSUM_LEN: usize = 16;

/// RFC 9106's second recommendation in memory, which a small machine can spare, at three passes.
const PASSPHRASE_COST: Cost = Cost {
    memory_kib: 64 * 1024,
    passes: 3,
    lanes: 1,
};

fn seal_at(
    cost: Cost,
    keys: &NodeKeys,
    passphrase: Option<&SecretBytes>,
    rng: &mut dyn CryptoRngCore,
) -> Vec<u8> {
    let (mut salt, mut nonce) = ([0; 32], [0; 24]);
    rng.fill_bytes(&mut salt);
    rng.fill_bytes(&mut nonce);
    let mut file = Vec::with_capacity(KEY_FILE_LEN);
    file.extend(MAGIC);
    file.extend(VERSION.to_le_bytes());
    file.push(passphrase.is_some().into());
    for part in [cost.memory_kib, cost.passes, cost.lanes] {
        file.extend(part.to_le_bytes());
    }
    file.extend(salt);
    file.extend(nonce);
    let key = file_key(&salt, passphrase.map(|passphrase| (cost, passphrase)));
    let sealed = xseal(&key, &nonce, &file, &body(keys));
    file.extend(sealed);
    let sum = checksum(&file);
    file.extend(sum);
    file
}

fn file_key(salt: &[u8; 32], passphrase: Option<(Cost, &SecretBytes)>) -> Secret<32> {
    let stretched = match passphrase {
        Some((cost, passphrase)) => cost.stretch(passphrase.expose(), salt),
        None => Secret::from_bytes(*salt),
    };
    derive(labels::KEYFILE, &stretched, &[])
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut out = [0; CHECKSUM_LEN];
    out.copy_from_slice(&hash(labels::KEYFILE_CHECKSUM, &[bytes])[..CHECKSUM_LEN]);
    out
}

fn body(keys: &NodeKeys) -> Zeroizing<Vec<u8>> {
    // Room for all of it at once: growing would leave copies behind.
    let mut out = Zeroizing::new(Vec::with_capacity(BODY_LEN));
    for secret in [
        &keys.identity.secret(),
        keys.link.secret(),
        keys.onion.secret(),
    ] {
        out.extend(secret.expose());
    }
    out.extend(keys.onion_day.to_le_bytes());
    out.push(keys.onion_previous.is_some().into());
    match &keys.onion_previous {
        Some(key) => out.extend(key.secret().expose()),
        None => out.extend([0; 32]),
    }
    out.extend(keys.store.expose());
    out.extend(keys.state.expose());
    out
}

fn read_body(mut bytes: &[u8]) -> Option<NodeKeys> {
    let mut secret = || take(&mut bytes).map(Secret::from_bytes);
    let (identity, link, onion) = (secret()?, secret()?, secret()?);
    let onion_day = u32::from_le_bytes(take(&mut bytes)?);
    let has_previous = flag(&mut bytes)?;
    let mut secret = || take(&mut bytes).map(Secret::from_bytes);
    let (previous, store, state) = (secret()?, secret()?, secret()?);
    bytes.is_empty().then(|| NodeKeys {
        identity: IdentityKey::from_secret(&identity),
        link: LinkKey::from_secret(link),
        onion: OnionKey::from_secret(onion),
        onion_previous: has_previous.then(|| OnionKey::from_secret(previous)),
        onion_day,
        store,
        state,
    })
}

struct Header {
    protected: bool,
    cost: Cost,
    salt: [u8; 32],
    nonce: [u8; 24],
}

impl Header {
    fn read(file: &[u8]) -> Result<Self, KeyFileError> {
        let (content, sum) = file.split_last_chunk().ok_or(KeyFileError::Damaged)?;
        if *sum != checksum(content) {
            return Err(KeyFileError::Damaged);
        }
        let mut bytes = content.strip_prefix(MAGIC).ok_or(KeyFileError::Damaged)?;
        match take(&mut bytes).map(u16::from_le_bytes) {
            Some(VERSION) => Self::fields(bytes).ok_or(KeyFileError::Damaged),
            Some(newer) if newer > VERSION => Err(KeyFileError::NewerVersion(newer)),
            _ => Err(KeyFileError::Damaged),
        }
    }

    fn fields(mut bytes: &[u8]) -> Option<Self> {
        let protected = flag(&mut bytes)?;
        let mut number = || take(&mut bytes).map(u32::from_le_bytes);
        let cost = Cost {
            memory_kib: number()?,
            passes: number()?,
            lanes: number()?,
        };
        cost.is_within_bounds().then_some(())?;
        Some(Self {
            protected,
            cost,
            salt: take(&mut bytes)?,
            nonce: take(&mut bytes)?,
        })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk()?;
    *bytes = tail;
    Some(*head)
}

fn flag(bytes: &mut &[u8]) -> Option<bool> {
    match take(bytes)? {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
