//! Argon2id (RFC 9106): the only file that names it.
//!
//! Promises: guessing costs what the network says, for everyone; no cost, however it came about, makes this node
//! allocate more than [`MEMORY_KIB_MAX`] or fail.
//!
//! Does not know: what is guessed (node ids, keywords, passphrases).

use argon2::{Algorithm, Argon2, Params, Version};

use crate::secret::Secret;

/// Least memory in KiB: what one lane of Argon2 needs.
pub const MEMORY_KIB_MIN: u32 = 8;
/// Most memory in KiB a network may ask of its nodes: 1 GiB, what a small machine can still spare.
pub const MEMORY_KIB_MAX: u32 = 1 << 20;
/// Most passes over the memory: beyond, more memory is the better price.
pub const PASSES_MAX: u32 = 16;
/// Most lanes: they are computed one after the other here.
pub const LANES_MAX: u32 = 4;

/// What one computation costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// Whether every field lies within its bounds.
    #[must_use]
    pub fn is_within_bounds(&self) -> bool {
        *self == self.clamped()
    }

    /// Argon2id of `input`, 32 bytes. A field out of bounds counts as its nearest bound; decoders refuse such costs.
    #[must_use]
    pub fn stretch(&self, input: &[u8], salt: &[u8; 32]) -> Secret<32> {
        let cost = self.clamped();
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32));
        let argon = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            params.expect("a clamped cost is a valid one"),
        );
        let mut out = Secret::from_bytes([0; 32]);
        argon
            .hash_password_into(input, salt, out.expose_mut())
            .expect("input under 4 GiB, salt and output of 32 bytes");
        out
    }

    fn clamped(&self) -> Self {
        let lanes = self.lanes.clamp(1, LANES_MAX);
        Self {
            memory_kib: self
                .memory_kib
                .clamp(MEMORY_KIB_MIN * lanes, MEMORY_KIB_MAX),
            passes: self.passes.clamp(1, PASSES_MAX),
            lanes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    #[test]
    fn stretch_has_fixed_bytes() {
        // Computed with the reference implementation (argon2-cffi): two passes over 256 KiB in two lanes.
        let cost = Cost {
            memory_kib: 256,
            passes: 2,
            lanes: 2,
        };
        let out = cost.stretch(b"password", &[b's'; 32]);
        assert_eq!(
            HEXLOWER.encode(out.expose()),
            "96c1d2de8e8d9f30761acd1688594e90893c111489bbe60707a90be7e342fffe"
        );
    }

    #[test]
    fn every_field_of_the_cost_counts() {
        let base = Cost {
            memory_kib: 32,
            passes: 1,
            lanes: 1,
        };
        let out = |cost: Cost| *cost.stretch(b"x", &[0; 32]).expose();
        assert_ne!(
            out(base),
            out(Cost {
                memory_kib: 64,
                ..base
            })
        );
        assert_ne!(out(base), out(Cost { passes: 2, ..base }));
        assert_ne!(out(base), out(Cost { lanes: 2, ..base }));
    }

    #[test]
    fn a_cost_out_of_bounds_counts_as_the_nearest_bound() {
        let none = Cost {
            memory_kib: 0,
            passes: 0,
            lanes: 0,
        };
        let least = Cost {
            memory_kib: MEMORY_KIB_MIN,
            passes: 1,
            lanes: 1,
        };
        assert!(!none.is_within_bounds() && least.is_within_bounds());
        assert!(
            none.stretch(b"x", &[0; 32])
                .matches(&least.stretch(b"x", &[0; 32]))
        );
        let most = Cost {
            memory_kib: u32::MAX,
            passes: u32::MAX,
            lanes: u32::MAX,
        }
        .clamped();
        assert_eq!(
            most,
            Cost {
                memory_kib: MEMORY_KIB_MAX,
                passes: PASSES_MAX,
                lanes: LANES_MAX
            }
        );
    }
}
