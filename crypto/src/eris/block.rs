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

/// The reference of a leaf with this plaintext under a key that is known: whether a plaintext got by another way than from
/// its block is what the block would have opened to.
#[must_use]
pub fn leaf_reference(plain: &[u8], key: &BlockKey) -> Reference {
    let mut block = plain.to_vec();
    apply_cipher(&mut block, key, 0);
    reference(&block)
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
    // Room for all at once: growing would leave copies of keys behind.
    let mut pairs = Vec::with_capacity(plain.len() / PAIR_LEN);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::BlockSize::{Large, Small};
    use super::*;

    fn pairs(n: usize) -> Vec<Pair> {
        let pair = |i: usize| Pair {
            reference: Reference([i as u8 | 1; 32]),
            key: BlockKey([i as u8; 32]),
        };
        (0..n).map(pair).collect()
    }

    /// A node with this plaintext, encrypted under the hash of it, as a hostile publisher could make it.
    fn forged(plain: &[u8], level: u8) -> (Vec<u8>, BlockKey) {
        let key = BlockKey(node_key(plain));
        let mut block = plain.to_vec();
        apply_cipher(&mut block, &key, level);
        (block, key)
    }

    #[test]
    fn a_node_opens_to_the_pairs_it_was_made_of() {
        for (size, n) in [(Small, 2), (Small, 16), (Large, 3), (Large, 512)] {
            let made = pairs(n);
            let (mut block, pair) = seal_node(&made, 2, size);
            assert_eq!(pair.reference, reference(&block));
            let opened = open_node(&mut block, &pair.key, 2, size, true)
                .ok()
                .unwrap();
            assert_eq!(opened.len(), n);
            assert!(
                opened
                    .iter()
                    .zip(&made)
                    .all(|(a, b)| a.reference == b.reference && a.key == b.key)
            );
            assert!(
                block.iter().all(|&byte| byte == 0),
                "the plaintext was left in the buffer"
            );
        }
    }

    #[test]
    fn a_root_opens_only_with_its_key_and_at_its_level() {
        let (block, pair) = seal_node(&pairs(4), 1, Small);
        let open =
            |key: &BlockKey, level| open_node(&mut block.clone(), key, level, Small, true).err();
        assert_eq!(open(&pair.key, 1), None);
        assert_eq!(open(&pair.key, 2), Some(ErisError::RootKey));
        assert_eq!(open(&BlockKey([7; 32]), 1), Some(ErisError::RootKey));
        assert_eq!(open(&pair.key, 11), Some(ErisError::LevelTooHigh(11)));
        let short = open_node(&mut block.clone()[1..], &pair.key, 1, Small, true).err();
        assert_eq!(short, Some(ErisError::BlockLength));
    }

    #[test]
    fn malformed_nodes_are_refused() {
        let mut gap = [0; 1024];
        gap[0] = 1;
        gap[130] = 1;
        let (mut block, key) = forged(&gap, 1);
        assert_eq!(
            open_node(&mut block, &key, 1, Small, true).err(),
            Some(ErisError::Node)
        );
        for is_root in [true, false] {
            let (mut block, key) = forged(&[0; 1024], 1);
            assert_eq!(
                open_node(&mut block, &key, 1, Small, is_root).err(),
                Some(ErisError::Node)
            );
        }
        let (mut block, pair) = seal_node(&pairs(1), 1, Small);
        assert_eq!(
            open_node(&mut block.clone(), &pair.key, 1, Small, true).err(),
            Some(ErisError::Node)
        );
        assert!(open_node(&mut block, &pair.key, 1, Small, false).is_ok());
    }

    #[test]
    fn padding_is_one_mark_and_zeros() {
        assert_eq!(unpad(&[0x80, 0, 0, 0]), Ok(0));
        assert_eq!(unpad(&[1, 0x80, 0x80, 0]), Ok(2));
        assert_eq!(unpad(&[0, 0, 0, 0x80]), Ok(3));
        for bad in [
            &[0u8, 0, 0, 0][..],
            &[0x80, 1, 0, 0],
            &[0x80, 0, 0, 1],
            &[0, 0, 0, 0xff],
            &[],
        ] {
            assert_eq!(unpad(bad), Err(ErisError::Padding), "{bad:?}");
        }
    }

    #[test]
    fn the_convergence_secret_decides_every_leaf() {
        let seal = |secret: ConvergenceSecret| {
            let mut blocks = vec![vec![5; 1024]; 5];
            let mut pairs = Vec::new();
            seal_leaves(&secret, &mut blocks, &mut pairs);
            pairs.iter().map(|pair| pair.reference).collect::<Vec<_>>()
        };
        let null = seal(ConvergenceSecret::null());
        assert!(null.iter().all(|reference| *reference == null[0]));
        let own = seal(ConvergenceSecret::from_bytes([1; 32]));
        assert!(own.iter().all(|reference| *reference != null[0]));
    }

    proptest! {
        #[test]
        fn damaged_nodes_never_panic(block in prop::collection::vec(any::<u8>(), 1000..1049), key: [u8; 32], level: u8) {
            for is_root in [true, false] {
                let opened = open_node(&mut block.clone(), &BlockKey(key), level, Small, is_root);
                prop_assert!(opened.is_err() || !is_root);
            }
        }

        #[test]
        fn a_leaf_opens_to_what_was_sealed(content in prop::collection::vec(any::<u8>(), 1024), secret: [u8; 32]) {
            let mut blocks = vec![content.clone()];
            let mut pairs = Vec::new();
            seal_leaves(&ConvergenceSecret::from_bytes(secret), &mut blocks, &mut pairs);
            prop_assert_ne!(&blocks[0], &content);
            open_leaf(&mut blocks[0], &pairs[0].key);
            prop_assert_eq!(&blocks[0], &content);
        }
    }
}
