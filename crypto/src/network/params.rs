//! What all nodes of a network have agreed on, and the bounds of each parameter.
//!
//! Promises: no network, however hostile its author, can ask for unbounded work or memory, or for fewer hops than
//! anonymity takes.
//!
//! Does not know: how parameters are written down.

use super::NetworkError;
use crate::cost::Cost;
use crate::work::BITS_MAX;

/// Bytes in a chunk: the one size of this version of the protocol.
pub const CHUNK_BYTES: u32 = 32 * 1024;

/// The parameters of a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Params {
    /// Relays in a circuit: 3; a local network may do with fewer.
    pub hops: u8,
    /// Locations of a word's entry, and what those of everything else follow from ([`Params::copies`]): 1 to 16.
    pub replicas: u8,
    /// Bytes in a chunk: [`CHUNK_BYTES`].
    pub chunk: u32,
    /// What a node id costs.
    pub id_cost: Cost,
    /// What a keyword token costs.
    pub keyword_cost: Cost,
    /// Bits of work for storing an extent.
    pub put_work: u8,
    /// Bits of work for storing an entry.
    pub entry_work: u8,
    /// Days an entry lives: 1 to 365.
    pub entry_days: u16,
    /// Nodes may be on one machine or in one room: cheap ids, private addresses allowed.
    pub local: bool,
}

/// Most placements of anything: what the low half of a byte can count.
const COPIES_MAX: u8 = 16;

/// What something that is placed is worth to those who look for it: on that depends at how many locations it lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// An entry under a word: other words lead to the same.
    Word,
    /// What nothing else can stand in for: inner nodes, roots, extents of files too small for parity, the entry that
    /// leads to parity.
    Alone,
    /// A leaf extent of a file with parity, or of its parity: any extents of its group stand in for it.
    Grouped,
}

impl Params {
    /// At how many locations something lies: the one place that says so.
    #[must_use]
    pub fn copies(&self, class: Class) -> u8 {
        match class {
            Class::Word => self.replicas,
            Class::Alone => self.replicas.saturating_add(4).min(COPIES_MAX),
            Class::Grouped => self.replicas.saturating_sub(2).max(2),
        }
    }

    /// Those of the public network.
    #[must_use]
    pub const fn public() -> Self {
        Self {
            hops: 3,
            replicas: 4,
            chunk: CHUNK_BYTES,
            id_cost: Cost {
                memory_kib: 64 * 1024,
                passes: 3,
                lanes: 1,
            },
            keyword_cost: Cost {
                memory_kib: 64 * 1024,
                passes: 1,
                lanes: 1,
            },
            put_work: 10,
            entry_work: 16,
            entry_days: 30,
            local: false,
        }
    }

    /// Those of a network on one machine or in one room.
    #[must_use]
    pub const fn local() -> Self {
        Self {
            id_cost: Cost {
                memory_kib: 64,
                passes: 1,
                lanes: 1,
            },
            keyword_cost: Cost {
                memory_kib: 4 * 1024,
                passes: 1,
                lanes: 1,
            },
            put_work: 4,
            entry_work: 8,
            local: true,
            ..Self::public()
        }
    }

    pub(super) fn check(&self) -> Result<(), NetworkError> {
        let most_hops = crate::circuit::HOPS_MAX as u8;
        let fewest_hops = if self.local { 0 } else { most_hops };
        let cost = "8 KiB for each lane to 1 GiB, 1 to 16 passes and 1 to 4 lanes";
        let rules = [
            (
                (fewest_hops..=most_hops).contains(&self.hops),
                "hops",
                "3, or 0 to 3 on a local network",
            ),
            ((1..=16).contains(&self.replicas), "replicas", "1 to 16"),
            (self.chunk == CHUNK_BYTES, "chunk_bytes", "32768"),
            (self.id_cost.is_within_bounds(), "the cost of an id", cost),
            (
                self.keyword_cost.is_within_bounds(),
                "the cost of a keyword",
                cost,
            ),
            (self.put_work <= BITS_MAX, "put_work_bits", "0 to 32"),
            (self.entry_work <= BITS_MAX, "entry_work_bits", "0 to 32"),
            (
                (1..=365).contains(&self.entry_days),
                "entry_days",
                "1 to 365",
            ),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, field, allowed)) => Err(NetworkError::OutOfBounds { field, allowed }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_follow_from_the_replicas_and_what_is_placed() {
        let copies = |replicas| {
            let params = Params {
                replicas,
                ..Params::public()
            };
            [Class::Word, Class::Alone, Class::Grouped].map(|class| params.copies(class))
        };
        assert_eq!(copies(4), [4, 8, 2]);
        assert_eq!(copies(5), [5, 9, 3]);
        assert_eq!(copies(1), [1, 5, 2]);
        assert_eq!(copies(16), [16, 16, 14]);
    }

    #[test]
    fn presets_are_within_bounds() {
        assert_eq!(Params::public().check(), Ok(()));
        assert_eq!(Params::local().check(), Ok(()));
    }

    #[test]
    fn every_parameter_has_bounds() {
        type Change = fn(&mut Params);
        let cases: [(&str, Change); 11] = [
            ("hops", |p| p.hops = 2),
            ("hops", |p| p.hops = 4),
            ("replicas", |p| p.replicas = 0),
            ("replicas", |p| p.replicas = 17),
            ("chunk_bytes", |p| p.chunk = 1024),
            ("the cost of an id", |p| p.id_cost.memory_kib = u32::MAX),
            ("the cost of a keyword", |p| p.keyword_cost.passes = 0),
            ("put_work_bits", |p| p.put_work = 33),
            ("entry_work_bits", |p| p.entry_work = 33),
            ("entry_days", |p| p.entry_days = 0),
            ("entry_days", |p| p.entry_days = 366),
        ];
        for (expected, change) in cases {
            let mut params = Params::public();
            change(&mut params);
            let Err(NetworkError::OutOfBounds { field, .. }) = params.check() else {
                panic!("{expected} has no bound");
            };
            assert_eq!(field, expected);
        }
    }

    #[test]
    fn only_a_local_network_may_do_without_hops() {
        assert!(
            Params {
                hops: 0,
                ..Params::local()
            }
            .check()
            .is_ok()
        );
        assert!(
            Params {
                hops: 0,
                ..Params::public()
            }
            .check()
            .is_err()
        );
    }
}
