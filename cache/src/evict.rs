//! Which extent gives way: a pure choice over a sample.
//!
//! Promises: all else equal, the further from its location, the less asked for and the older goes first; what has been
//! asked for outlives what has only been put.
//!
//! Does not know: where extents are kept, or how the sample was drawn.

/// What the choice looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Leading 64 bits of the distance from the extent's location to this node.
    pub distance: u64,
    /// How often it was asked for.
    pub asked: u32,
    /// The day it was put, in days since the Unix epoch.
    pub day: u32,
}

impl Candidate {
    /// The part of a distance that counts here: beyond 64 bits no two nodes of a real network differ.
    #[must_use]
    pub fn leading(distance: &[u8; 32]) -> u64 {
        let mut head = [0; 8];
        head.copy_from_slice(&distance[..8]);
        u64::from_be_bytes(head)
    }
}

/// How much an extent costs us to keep: the highest goes first. In sixteenths of a doubling of distance.
#[must_use]
pub fn cost(candidate: &Candidate, today: u32) -> i64 {
    let age = today.saturating_sub(candidate.day).min(AGE_MAX);
    sixteenths_of_log2(candidate.distance) + AGE_WEIGHT * i64::from(age)
        - sixteenths_of_log2(u64::from(candidate.asked) + 1) * ASKED_NUMERATOR / ASKED_DENOMINATOR
}

/// Index of the first of `sample` to go, `None` of an empty one.
#[must_use]
pub fn first_to_go(sample: &[Candidate], today: u32) -> Option<usize> {
    let key = |c: &Candidate| (cost(c, today), c.distance, u32::MAX - c.asked);
    (0..sample.len()).max_by_key(|&i| sample.get(i).map(key))
}

/// Whether `incoming` may take the place of `victim`.
#[must_use]
pub fn may_replace(incoming: &Candidate, victim: &Candidate, today: u32) -> bool {
    cost(incoming, today) <= cost(victim, today)
}

/// A day weighs an eighth of a doubling of distance: a month makes room for what is nearer by a factor of 13.
const AGE_WEIGHT: i64 = 2;

/// Days after which an extent gets no older, so that age alone never outweighs a few bits of distance for ever.
const AGE_MAX: u32 = 60;

/// A doubling of requests weighs one and a half doublings of distance.
const ASKED_NUMERATOR: i64 = 3;
const ASKED_DENOMINATOR: i64 = 2;

/// Monotone approximation of `16 * log2(n)`; 0 of 0.
fn sixteenths_of_log2(n: u64) -> i64 {
    let Some(whole) = n.checked_ilog2() else {
        return 0;
    };
    let fraction = if whole >= 4 {
        n >> (whole - 4)
    } else {
        n << (4 - whole)
    } & 0xF;
    i64::from(whole) * 16 + fraction as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidate() -> impl Strategy<Value = Candidate> {
        (
            any::<u64>(),
            0u32..100,
            prop_oneof![0u32..400, any::<u32>()],
            0u32..64,
        )
            .prop_map(|(d, asked, day, shift)| Candidate {
                distance: d >> shift,
                asked,
                day,
            })
    }

    #[test]
    fn logarithm_has_fixed_values() {
        let cases = [(0, 0), (1, 0), (2, 16), (3, 24), (1 << 63, 1008)];
        for (n, expected) in cases {
            assert_eq!(sixteenths_of_log2(n), expected, "of {n}");
        }
        assert_eq!(sixteenths_of_log2(u64::MAX), 1023);
    }

    #[test]
    fn one_request_outlives_a_near_newcomer() {
        let held = Candidate {
            distance: 1 << 40,
            asked: 1,
            day: 100,
        };
        let flood = Candidate {
            distance: 1 << 39,
            asked: 0,
            day: 100,
        };
        assert!(!may_replace(&flood, &held, 100));
    }

    #[test]
    fn an_empty_sample_has_nothing_to_give() {
        assert_eq!(first_to_go(&[], 1), None);
    }

    proptest! {
        #[test]
        fn further_costs_no_less(c in candidate(), more: u64, today in 0u32..500) {
            let further = Candidate { distance: c.distance.saturating_add(more), ..c };
            prop_assert!(cost(&further, today) >= cost(&c, today));
        }

        #[test]
        fn asked_more_costs_no_more(c in candidate(), more in 0u32..1000, today in 0u32..500) {
            let asked = Candidate { asked: c.asked + more, ..c };
            prop_assert!(cost(&asked, today) <= cost(&c, today));
        }

        #[test]
        fn older_costs_no_less(c in candidate(), more: u32, today in 0u32..500) {
            let older = Candidate { day: c.day.saturating_sub(more), ..c };
            prop_assert!(cost(&older, today) >= cost(&c, today));
        }

        #[test]
        fn nothing_in_the_sample_costs_more_than_what_goes(sample in prop::collection::vec(candidate(), 1..40), today in 0u32..500) {
            let gone = first_to_go(&sample, today).expect("the sample is not empty");
            let most = sample.iter().map(|c| cost(c, today)).max();
            prop_assert_eq!(Some(cost(&sample[gone], today)), most);
        }

        #[test]
        fn of_two_that_differ_in_distance_alone_the_further_goes(c in candidate(), other: u64, today in 0u32..500) {
            prop_assume!(other != c.distance);
            let pair = [c, Candidate { distance: other, ..c }];
            let gone = first_to_go(&pair, today).expect("there are two");
            prop_assert_eq!(pair[gone].distance, other.max(c.distance));
        }
    }
}
