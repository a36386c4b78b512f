//! Which entry gives way: a pure choice over those of a full location, or over a sample of all.
//!
//! Promises: work counts first, then age, then chance, so that a flooder has to pay for every place he takes.
//!
//! Does not know: what entries say or where they are kept.

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
