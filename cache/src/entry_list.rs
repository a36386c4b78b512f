//! Which entry gives way: a pure choice over those of a full location, or over a sample of all.
//!
//! Promises: work counts first, then age, then chance, so that a flooder has to pay for every place he takes.
//!
//! Does not know: what entries say or where they are kept.

use oboro_crypto::hash::hash;
use oboro_crypto::labels;

/// A short name of an entry, the same in every store: the beginning of what a receipt for it names.
#[must_use]
pub fn name(bytes: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = hash(labels::RECEIPT, &[bytes]);
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// One number for a set of entries: how many in the upper 16 bits, below them the sum of their names. Two stores that hold
/// the same have the same, whatever came first.
#[must_use]
pub fn tally(names: &[u64]) -> u64 {
    let sum = names.iter().fold(0u64, |sum, name| sum.wrapping_add(*name));
    let count = u16::try_from(names.len()).unwrap_or(u16::MAX);
    u64::from(count) << SUM_BITS | (sum & ((1 << SUM_BITS) - 1))
}

/// Bits of a tally that are the sum.
const SUM_BITS: u32 = 48;

/// What the choice looks at, in order of weight; the smallest gives way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Strength {
    /// Bits of work.
    pub work: u8,
    /// The last day it is kept: the sooner it ends anyway, the weaker.
    pub expires_day: u32,
    /// Chance, the same for the same entry: its cursor.
    pub chance: [u8; 16],
}

/// What to do with a new entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Drop the held one with this index and keep the new one.
    Replace(usize),
    /// The new one is the weakest.
    Reject,
}

/// Decides between a new entry and those that hold all the room.
#[must_use]
pub fn contest(held: &[Strength], new: &Strength) -> Verdict {
    let weakest = held
        .iter()
        .enumerate()
        .min_by_key(|(_, strength)| **strength);
    match weakest {
        Some((i, strength)) if strength < new => Verdict::Replace(i),
        _ => Verdict::Reject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strength() -> impl Strategy<Value = Strength> {
        (0u8..4, 0u32..4, 0u8..4).prop_map(|(work, expires_day, chance)| Strength {
            work,
            expires_day,
            chance: [chance; 16],
        })
    }

    #[test]
    fn work_outweighs_age_and_age_outweighs_chance() {
        let of = |work, expires_day, chance| Strength {
            work,
            expires_day,
            chance: [chance; 16],
        };
        assert!(of(2, 0, 0) > of(1, 9, 9));
        assert!(of(1, 2, 0) > of(1, 1, 9));
        assert!(of(1, 1, 2) > of(1, 1, 1));
    }

    #[test]
    fn a_tally_is_of_the_set_and_of_nothing_else() {
        let names = [name(b"one"), name(b"two"), name(b"three")];
        let other_order = [names[2], names[0], names[1]];
        assert_eq!(tally(&names), tally(&other_order));
        assert_ne!(tally(&names), tally(&names[..2]));
        assert_ne!(tally(&names[..2]), tally(&names[1..]));
        assert_eq!(tally(&[]), 0);
        assert_eq!(tally(&[u64::MAX, 3]), 2 << 48 | 2);
    }

    proptest! {
        #[test]
        fn what_stays_is_never_weaker_than_what_goes(held in prop::collection::vec(strength(), 0..30), new in strength()) {
            match contest(&held, &new) {
                Verdict::Reject => prop_assert!(held.iter().all(|s| *s >= new)),
                Verdict::Replace(i) => {
                    prop_assert!(held[i] < new);
                    prop_assert!(held.iter().all(|s| *s >= held[i]));
                }
            }
        }
    }
}
