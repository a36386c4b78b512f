//! ERIS 1.0.0, the Encoding for Robust Immutable Storage: content to encrypted blocks of one size, and back.
//!
//! Promises: the blocks, references and capabilities of the specification (<https://eris.codeberg.page/spec/>), byte for
//! byte; streaming both ways with memory that does not depend on the length of the content; no block is decrypted into
//! the output before its reference is checked; a capability deeper than [`BlockSize::level_max`] is refused before
//! anything is fetched.
//! Does not know: networks, placement, files, who asks. A [`Run`] is merely a group of siblings; what is placed where is
//! decided elsewhere.
//!
//! In short: content is padded (0x80, then zeros) to whole blocks. The key of a leaf is the BLAKE2b-256 of its plaintext,
//! keyed with the convergence secret; the key of an inner node is the unkeyed BLAKE2b-256 of its plaintext. A block is
//! encrypted with ChaCha20 under its key, nonce = its level followed by 11 zeros, counter 0, and named by the unkeyed
//! BLAKE2b-256 of the ciphertext. A node is a block of `reference ‖ key` pairs, filled up with zeros. The one pair at
//! the top, the block size and the number of levels make the read capability.

mod block;
mod capability;
mod decode;
mod encoder;
mod hashing;

pub use block::{BlockKey, ConvergenceSecret, Pair, leaf_reference, open_leaf, open_node, unpad};
pub use capability::{Capability, CapabilityError, URN_PREFIX};
pub use decode::{DecodeError, decode};
pub use encoder::{Encoder, RUN_MAX, Run};
pub use hashing::verify;

/// Deepest tree of 32 KiB blocks that is accepted: 512^4 leaves, 2 PiB. The level byte of a capability could say 255,
/// and a handful of blocks that name each other would then unfold for ever (a "level bomb").
pub const LEVEL_MAX: u8 = 4;

/// Deepest tree of 1 KiB blocks: 16^10 leaves, 1 PiB, the same order of content as [`LEVEL_MAX`] allows with large
/// blocks. Four levels of small blocks end at 64 MiB, which other ERIS programs exceed as a matter of course.
const LEVEL_MAX_SMALL: u8 = 10;

/// Bytes of a `reference ‖ key` pair inside a node.
const PAIR_LEN: usize = 64;

/// The two block sizes of ERIS 1.0. The network stores [`BlockSize::Large`] only; the small one is for exchange with
/// other programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlockSize {
    /// 1,024 bytes, 16 pairs a node.
    Small,
    /// 32,768 bytes, 512 pairs a node.
    Large,
}

impl BlockSize {
    /// Bytes in a block.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Small => 1024,
            Self::Large => 32_768,
        }
    }

    /// Pairs in a full node.
    #[must_use]
    pub const fn arity(self) -> usize {
        self.bytes() / PAIR_LEN
    }

    /// Deepest level accepted for this size.
    #[must_use]
    pub const fn level_max(self) -> u8 {
        match self {
            Self::Small => LEVEL_MAX_SMALL,
            Self::Large => LEVEL_MAX,
        }
    }

    /// Leaves that `content` bytes become: padding takes at least one byte, so a whole number of blocks needs one more.
    #[must_use]
    pub const fn leaf_count(self, content: u64) -> u64 {
        content / self.bytes() as u64 + 1
    }

    /// Level of the root that `content` bytes lead to.
    #[must_use]
    pub const fn level_for(self, content: u64) -> u8 {
        let mut nodes = self.leaf_count(content);
        let mut level = 0;
        while nodes > 1 {
            nodes = nodes.div_ceil(self.arity() as u64);
            level += 1;
        }
        level
    }

    /// Longest content, in bytes, under a root of this level: one byte less than all its leaves hold, for the padding.
    /// `None` where `level` is above [`BlockSize::level_max`].
    #[must_use]
    pub const fn content_max(self, level: u8) -> Option<u64> {
        if level > self.level_max() {
            return None;
        }
        let leaves = (self.arity() as u64).pow(level as u32);
        Some(leaves * self.bytes() as u64 - 1)
    }

    /// The byte that names this size in a capability: the logarithm to base 2 of the size.
    const fn code(self) -> u8 {
        match self {
            Self::Small => 0x0a,
            Self::Large => 0x0f,
        }
    }

    /// The size named by a capability's byte.
    const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x0a => Some(Self::Small),
            0x0f => Some(Self::Large),
            _ => None,
        }
    }
}

/// Why blocks are not the encoding of anything. Always the fault of whoever supplied the blocks or the capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ErisError {
    /// The tree is deeper than any content we accept.
    #[error("the capability claims {0} levels, more than we follow")]
    LevelTooHigh(u8),
    /// A block is not as long as the capability says blocks are.
    #[error("a block has the wrong length")]
    BlockLength,
    /// A block is not the one its reference names.
    #[error("a block does not match its reference")]
    WrongBlock,
    /// The decrypted root is not what the key of the capability was computed from: wrong key or wrong level.
    #[error("the capability does not fit its root block: wrong key or wrong level")]
    RootKey,
    /// A node holds a pair after the zeros that end it, no pair at all, or fewer than its place in the tree demands.
    #[error("an inner block is malformed")]
    Node,
    /// The last block does not end in 0x80 and zeros.
    #[error("the padding of the last block is damaged")]
    Padding,
}

#[cfg(test)]
mod tests {
    use super::BlockSize::{Large, Small};
    use super::*;

    #[test]
    fn content_lengths_lead_to_the_levels_of_the_specification() {
        const MIB: u64 = 1 << 20;
        assert_eq!((Large.leaf_count(0), Large.level_for(0)), (1, 0));
        assert_eq!((Large.leaf_count(32_767), Large.level_for(32_767)), (1, 0));
        assert_eq!((Large.leaf_count(32_768), Large.level_for(32_768)), (2, 1));
        assert_eq!(
            (
                Large.leaf_count(16 * MIB - 1),
                Large.level_for(16 * MIB - 1)
            ),
            (512, 1)
        );
        assert_eq!(
            (Large.leaf_count(16 * MIB), Large.level_for(16 * MIB)),
            (513, 2)
        );
        assert_eq!(Large.level_for(1024 * MIB), 2);
        assert_eq!(Large.level_for(8192 * MIB), 3);
        assert_eq!(Small.level_for(100 * MIB), 5);
    }

    #[test]
    fn content_max_is_the_last_length_of_its_level() {
        for size in [Small, Large] {
            for level in 0..=size.level_max() {
                let max = size.content_max(level).unwrap();
                assert_eq!(size.level_for(max), level);
                assert_eq!(size.level_for(max + 1), level + 1);
            }
            assert_eq!(size.content_max(size.level_max() + 1), None);
            assert_eq!(size.content_max(255), None);
        }
    }

    #[test]
    fn sizes_and_their_codes_correspond() {
        for size in [Small, Large] {
            assert_eq!(BlockSize::from_code(size.code()), Some(size));
            assert_eq!(1usize << size.code(), size.bytes());
        }
        assert_eq!(BlockSize::from_code(0), None);
    }
}
