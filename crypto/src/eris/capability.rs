//! The read capability: 66 bytes, or one line of text, that find and open a content.
//!
//! Promises: exactly one spelling per capability in bytes and one in text; a refused spelling says what is wrong with it;
//! printing for debugging shows neither key nor reference.
//! Does not know: where blocks are, or whether anybody still has them.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

use super::{BlockKey, BlockSize};
use crate::ids::Reference;

/// What every URN begins with.
pub const URN_PREFIX: &str = "urn:eris:";

/// Characters of Base32 in a URN: 66 bytes in groups of five bits.
const URN_TEXT_LEN: usize = 106;

/// All that is needed to find and read one content. Whoever holds it can read for ever.
#[derive(PartialEq, Eq)]
pub struct Capability {
    /// Size of all blocks.
    pub block_size: BlockSize,
    /// Level of the root: 0 where the content is a single block.
    pub level: u8,
    /// Name of the root block.
    pub root: Reference,
    /// Key of the root block.
    pub key: BlockKey,
}

/// Why bytes or text are not a read capability. The fault of whoever wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    /// Not the length of a capability: 66 bytes, or 106 characters after the prefix.
    #[error("a read capability has {expected} {unit}, this has {found}")]
    Length {
        /// What it should be.
        expected: usize,
        /// What it is.
        found: usize,
        /// Of what: bytes or characters.
        unit: &'static str,
    },
    /// The text does not begin with `urn:eris:`.
    #[error("not an ERIS URN: it must begin with urn:eris:")]
    Prefix,
    /// The text is not canonical Base32: a character outside `A–Z2–7`, or bits set beyond the last byte.
    #[error(
        "the URN is damaged: after urn:eris: only A-Z and 2-7 are allowed, and the last character must fit"
    )]
    Base32,
    /// ERIS 1.0 knows blocks of 1 KiB (0x0a) and 32 KiB (0x0f) only.
    #[error("unknown block size 0x{0:02x}")]
    BlockSize(u8),
    /// A tree this deep holds no content of this world: a level bomb.
    #[error("the URN claims {level} levels; {max} are the most that we follow")]
    LevelTooHigh {
        /// What it claims.
        level: u8,
        /// What is accepted for its block size.
        max: u8,
    },
}

impl Capability {
    /// Bytes of an encoded capability.
    pub const LEN: usize = 66;

    /// Block size, level, reference of the root, key of the root.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = self.block_size.code();
        bytes[1] = self.level;
        bytes[2..34].copy_from_slice(&self.root.0);
        bytes[34..].copy_from_slice(self.key.expose());
        bytes
    }

    /// Reads what [`Capability::to_bytes`] writes.
    ///
    /// # Errors
    /// [`CapabilityError`] for another length, an unknown block size, or a level that is not followed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CapabilityError> {
        let Ok(&bytes) = <&[u8; Self::LEN]>::try_from(bytes) else {
            return Err(CapabilityError::Length {
                expected: Self::LEN,
                found: bytes.len(),
                unit: "bytes",
            });
        };
        let bytes = Zeroizing::new(bytes);
        let block_size =
            BlockSize::from_code(bytes[0]).ok_or(CapabilityError::BlockSize(bytes[0]))?;
        let (level, max) = (bytes[1], block_size.level_max());
        if level > max {
            return Err(CapabilityError::LevelTooHigh { level, max });
        }
        let mut root = [0; 32];
        let mut key = Zeroizing::new([0; 32]);
        root.copy_from_slice(&bytes[2..34]);
        key.copy_from_slice(&bytes[34..]);
        Ok(Self {
            block_size,
            level,
            root: Reference(root),
            key: BlockKey::from_bytes(*key),
        })
    }

    /// `urn:eris:` and the bytes in upper-case, unpadded Base32 (RFC 4648, section 6).
    #[must_use]
    pub fn to_urn(&self) -> String {
        format!(
            "{URN_PREFIX}{}",
            BASE32_NOPAD.encode(&*Zeroizing::new(self.to_bytes()))
        )
    }

    /// Reads a URN. `urn:eris:` is recognised in any case, as RFC 8141 demands of a URN's scheme and namespace; the Base32
    /// after it in upper case only, as the specification writes it: one capability has one spelling, so that text can be
    /// compared, hashed and refused as text. Blanks around it are the caller's to trim.
    ///
    /// # Errors
    /// [`CapabilityError`], naming the first thing that is wrong.
    pub fn from_urn(urn: &str) -> Result<Self, CapabilityError> {
        let (prefix, text) = urn
            .split_at_checked(URN_PREFIX.len())
            .ok_or(CapabilityError::Prefix)?;
        if !prefix.eq_ignore_ascii_case(URN_PREFIX) {
            return Err(CapabilityError::Prefix);
        }
        if text.len() != URN_TEXT_LEN {
            let found = text.chars().count();
            return Err(CapabilityError::Length {
                expected: URN_TEXT_LEN,
                found,
                unit: "characters",
            });
        }
        // The decoder refuses set bits beyond the last byte, lower case and padding.
        let bytes = BASE32_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| CapabilityError::Base32)?;
        Self::from_bytes(&Zeroizing::new(bytes))
    }

    /// Whether `content` bytes can lie under this capability: the root of so much content has exactly one level.
    #[must_use]
    pub fn admits(&self, content: u64) -> bool {
        self.block_size.level_for(content) == self.level
    }
}

impl Clone for Capability {
    fn clone(&self) -> Self {
        Self {
            block_size: self.block_size,
            level: self.level,
            root: self.root,
            key: self.key.duplicate(),
        }
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capability(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// "Hello world!" in 1 KiB blocks under the null secret: the example of the specification.
    const HELLO: &str = concat!(
        "urn:eris:BIAD77QDJMFAKZYH2DXBUZYAP3MXZ3DJZVFYQ5DFWC6T65WSFCU5S2IT4YZ",
        "GJ7AC4SYQMP2DM2ANS2ZTCP3DJJIRV733CRAAHOSWIYZM3M",
    );

    fn any_capability() -> impl Strategy<Value = Capability> {
        let size = prop_oneof![Just(BlockSize::Small), Just(BlockSize::Large)];
        (size, 0u8..=10, any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(
            |(block_size, level, root, key)| Capability {
                block_size,
                level: level.min(block_size.level_max()),
                root: Reference(root),
                key: BlockKey::from_bytes(key),
            },
        )
    }

    #[test]
    fn the_example_of_the_specification_reads_and_writes() {
        let capability = Capability::from_urn(HELLO).unwrap();
        assert_eq!(
            (capability.block_size, capability.level),
            (BlockSize::Small, 0)
        );
        assert_eq!(capability.to_urn(), HELLO);
        assert_eq!(capability.to_bytes()[..2], [0x0a, 0]);
    }

    #[test]
    fn the_prefix_may_be_in_any_case_and_the_rest_may_not() {
        let upper = HELLO.replacen("urn:eris:", "URN:Eris:", 1);
        assert_eq!(Capability::from_urn(&upper).unwrap().to_urn(), HELLO);
        assert_eq!(
            Capability::from_urn(&HELLO.to_lowercase()),
            Err(CapabilityError::Base32)
        );
    }

    #[test]
    fn what_is_no_urn_is_refused_with_its_reason() {
        let length = |found| CapabilityError::Length {
            expected: 106,
            found,
            unit: "characters",
        };
        let rows = [
            ("", CapabilityError::Prefix),
            ("urn:eris", CapabilityError::Prefix),
            ("urn:erisx2:AAAA", CapabilityError::Prefix),
            ("東京都庁", CapabilityError::Prefix),
            ("urn:eris:", length(0)),
            ("urn:eris:東京", length(2)),
            (&HELLO[..HELLO.len() - 1], length(105)),
            (&format!("{HELLO}A"), length(107)),
            (&format!("{HELLO} "), length(107)),
            (
                &format!("{}=", &HELLO[..HELLO.len() - 1]),
                CapabilityError::Base32,
            ),
            (
                &format!("{}1", &HELLO[..HELLO.len() - 1]),
                CapabilityError::Base32,
            ),
            // M ends in 00, N does not: bits beyond the last byte.
            (
                &format!("{}N", &HELLO[..HELLO.len() - 1]),
                CapabilityError::Base32,
            ),
        ];
        for (text, error) in rows {
            assert_eq!(Capability::from_urn(text), Err(error), "{text}");
        }
    }

    #[test]
    fn level_bombs_and_unknown_sizes_are_refused_before_anything_else_happens() {
        let mut bytes = [0; Capability::LEN];
        bytes[0] = 0x0f;
        for (level, max) in [(5, 4), (255, 4)] {
            bytes[1] = level;
            assert_eq!(
                Capability::from_bytes(&bytes),
                Err(CapabilityError::LevelTooHigh { level, max })
            );
            let urn = format!("{URN_PREFIX}{}", BASE32_NOPAD.encode(&bytes));
            assert_eq!(
                Capability::from_urn(&urn),
                Err(CapabilityError::LevelTooHigh { level, max })
            );
        }
        (bytes[0], bytes[1]) = (0x0a, 11);
        let refused = Err(CapabilityError::LevelTooHigh { level: 11, max: 10 });
        assert_eq!(Capability::from_bytes(&bytes), refused);
        for size in (0..=255).filter(|size| ![0x0a, 0x0f].contains(size)) {
            (bytes[0], bytes[1]) = (size, 0);
            assert_eq!(
                Capability::from_bytes(&bytes),
                Err(CapabilityError::BlockSize(size))
            );
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(
            format!("{:?}", Capability::from_urn(HELLO)),
            "Ok(Capability(..))"
        );
    }

    #[test]
    fn a_capability_admits_the_sizes_of_its_level() {
        let capability = Capability::from_urn(HELLO).unwrap();
        assert!(capability.admits(0) && capability.admits(1023));
        assert!(!capability.admits(1024) && !capability.admits(u64::MAX));
    }

    proptest! {
        #[test]
        fn bytes_and_text_read_back_as_the_same(capability in any_capability()) {
            let (bytes, urn) = (capability.to_bytes(), capability.to_urn());
            prop_assert_eq!(urn.len(), URN_PREFIX.len() + URN_TEXT_LEN);
            prop_assert_eq!(&Capability::from_bytes(&bytes).unwrap(), &capability);
            prop_assert_eq!(&Capability::from_urn(&urn).unwrap(), &capability);
        }

        #[test]
        fn damaged_text_never_panics_and_never_reads_as_the_same(
            capability in any_capability(), at in 0usize..115, put in any::<char>(), cut in 0usize..115,
        ) {
            let urn = capability.to_urn();
            let mut chars: Vec<char> = urn.chars().collect();
            chars[at] = put;
            let changed: String = chars.into_iter().collect();
            if let Ok(other) = Capability::from_urn(&changed) {
                // Only the prefix has more than one spelling.
                prop_assert!(other != capability || changed.eq_ignore_ascii_case(&urn));
            }
            prop_assert!(Capability::from_urn(&urn[..cut]).is_err());
            prop_assert!(Capability::from_bytes(&capability.to_bytes()[..cut.min(65)]).is_err());
        }

        #[test]
        fn invented_text_never_panics(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..70)) {
            prop_assert!(Capability::from_urn(&text).is_err());
            if let Ok(capability) = Capability::from_bytes(&bytes) {
                prop_assert_eq!(capability.to_bytes().to_vec(), bytes);
            }
        }
    }
}
