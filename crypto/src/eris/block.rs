//! One block: its key, sealing it, opening it, and what its plaintext may look like.
//!
//! Promises: a node is opened only if it is well formed; keys are erased from memory and cannot be printed.
//! Does not know: the tree around a block, or whether the ciphertext was checked against its reference (`verify` does
//! that; a block opened without it is noise of the sender's choice).

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use rand_core::CryptoRngCore;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::hashing::{LANES, leaf_keys, node_key, reference, references};
use super::{BlockSize, ErisError, PAIR_LEN};
use crate::ids::Reference;
use crate::secret::Secret;

/// What turns a block back into plaintext: 32 bytes, erased on drop, never printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct BlockKey([u8; 32]);

impl BlockKey {
    /// Takes over the bytes of a key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for those who write a capability down.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A second copy, on purpose.
    #[must_use]
    pub const fn duplicate(&self) -> Self {
        Self(self.0)
    }
}

impl PartialEq for BlockKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for BlockKey {}

/// What distinguishes the blocks of one publisher from everyone else's of the same content.
///
/// Random: nobody can tell which public file the blocks are. Shared or null: equal content gives equal blocks, which
/// saves room and lets anyone who has the file recognise it.
pub struct ConvergenceSecret(Secret<32>);

impl ConvergenceSecret {
    /// 32 zero bytes: every publisher of the same content makes the same blocks.
    #[must_use]
    pub fn null() -> Self {
        Self::from_bytes([0; 32])
    }

    /// A fresh secret: blocks that resemble nobody's.
    #[must_use]
    pub fn random(rng: &mut dyn CryptoRngCore) -> Self {
        Self(Secret::random(rng))
    }

    /// A secret agreed on elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::from_bytes(bytes))
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

/// What a node says about one child: where to find it, and how to read it.
pub struct Pair {
    /// Name of the child's ciphertext.
    pub reference: Reference,
    /// Key of the child.
    pub key: BlockKey,
}

/// Decrypts an inner node in place and lists its children. `level` is the node's own, 1 or more.
///
/// The plaintext contains keys: the buffer is erased before this returns, whatever it returns.
///
/// # Errors
/// [`ErisError::BlockLength`], [`ErisError::Node`] if the pairs are malformed (a pair after the end, none at all, or a
/// root with a single child, which no encoder makes), and for a root [`ErisError::RootKey`] if `key` isn't the hash of
/// the plaintext.
pub fn open_node(
    block: &mut [u8],
    key: &BlockKey,
    level: u8,
    size: BlockSize,
    is_root: bool,
) -> Result<Vec<Pair>, ErisError> {
    if block.len() != size.bytes() {
        return Err(ErisError::BlockLength);
    }
    if level > size.level_max() {
        return Err(ErisError::LevelTooHigh(level));
    }
    apply_cipher(block, key, level);
    let pairs = if is_root && !bool::from(node_key(block).ct_eq(&key.0)) {
        Err(ErisError::RootKey)
    } else {
        read_pairs(block)
    };
    block.zeroize();
    let pairs = pairs?;
    let least = if is_root { 2 } else { 1 };
    if pairs.len() < least {
        Err(ErisError::Node)
    } else {
        Ok(pairs)
    }
}

/// Decrypts a leaf in place: content, and in the last leaf the padding. A wrong key gives noise, not an error; ERIS
/// has no authentication beyond the reference of the ciphertext and the key of the root.
pub fn open_leaf(block: &mut [u8], key: &BlockKey) {
    apply_cipher(block, key, 0);
}

/// Length of the content in the last leaf: what stands before 0x80 and the zeros up to the end.
///
/// # Errors
/// [`ErisError::Padding`] if the block does not end like that.
pub fn unpad(block: &[u8]) -> Result<usize, ErisError> {
    match block.iter().rposition(|&byte| byte != 0) {
        Some(end) if block.get(end) == Some(&0x80) => Ok(end),
        _ => Err(ErisError::Padding),
    }
}

/// Encrypts leaves in place, four at a time, and appends their pairs in order.
pub(super) fn seal_leaves(
    secret: &ConvergenceSecret,
    blocks: &mut [Vec<u8>],
    pairs: &mut Vec<Pair>,
) {
    for batch in blocks.chunks_mut(LANES) {
        let plain: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        let keys: Vec<BlockKey> = leaf_keys(secret, &plain)
            .into_iter()
            .map(BlockKey)
            .collect();
        for (block, key) in batch.iter_mut().zip(&keys) {
            apply_cipher(block, key, 0);
        }
        let sealed: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        let named = references(&sealed).into_iter().zip(keys);
        pairs.extend(named.map(|(reference, key)| Pair { reference, key }));
    }
}

/// Makes the node above `pairs`: its block, encrypted, and the pair that names it.
pub(super) fn seal_node(pairs: &[Pair], level: u8, size: BlockSize) -> (Vec<u8>, Pair) {
    debug_assert!(pairs.len() <= size.arity());
    let mut block = vec![0; size.bytes()];
    for (place, pair) in block.chunks_exact_mut(PAIR_LEN).zip(pairs) {
        place[..32].copy_from_slice(&pair.reference.0);
        place[32..].copy_from_slice(&pair.key.0);
    }
    let key = BlockKey(node_key(&block));
    apply_cipher(&mut block, &key, level);
    let reference = reference(&block);
    (block, Pair { reference, key })
}

/// The pairs of a decrypted node, up to the zeros that end it.
fn read_pairs(plain: &[u8]) -> Result<Vec<Pair>, ErisError> {
    let mut pairs = Vec::new();
    let mut ended = false;
    for place in plain.chunks_exact(PAIR_LEN) {
        let null = place.iter().all(|&byte| byte == 0);
        if null {
            ended = true;
        } else if ended {
            return Err(ErisError::Node);
        } else {
            let mut reference = [0; 32];
            let mut key = Zeroizing::new([0; 32]);
            reference.copy_from_slice(&place[..32]);
            key.copy_from_slice(&place[32..]);
            pairs.push(Pair {
                reference: Reference(reference),
                key: BlockKey(*key),
            });
        }
    }
    Ok(pairs)
}

/// ChaCha20 (RFC 8439), counter 0, nonce = level followed by zeros. Its own inverse.
fn apply_cipher(block: &mut [u8], key: &BlockKey, level: u8) {
    let mut nonce = [0; 12];
    nonce[0] = level;
    ChaCha20::new(&key.0.into(), &nonce.into()).apply_keystream(block);
}
