//! The replay window: a node answers the first flight of a link, or the create of a circuit, once.
//!
//! Without it, whoever recorded a flight could send it again and learn from the answer that a node listens here; whoever
//! recorded a create, where the node sends it on to.
//!
//! Promises: what is said to be fresh is so once and only within an hour of its time; memory is bounded by the capacity.
//!
//! What it drops: when full, the oldest entry by its own minute, counted by [`ReplayWindow::dropped`]. Only what
//! authenticates may enter, so it takes someone who knows the node's key to fill it. With flights he has nothing to
//! learn from an answer, and refusing newcomers instead would let him close the node.
//!
//! Does not know: addresses, or what is in a flight or a create.

use std::collections::BTreeSet;

/// Minutes a first flight may be older or newer than our clock.
pub const SKEW_MINUTES: u32 = 60;

/// What was seen in the last hours, as digests.
pub struct ReplayWindow {
    /// Minute and digest of each; ordered, so that the oldest comes first.
    seen: BTreeSet<(u32, u64)>,
    capacity: usize,
    /// Minutes off our clock that are accepted.
    skew: u32,
    dropped: u64,
}

/// What the window says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Admission {
    /// New, and of our time.
    Fresh,
    /// Too far off our clock.
    Stale,
    /// Seen before.
    Replayed,
}

impl ReplayWindow {
    /// A window that remembers at most `capacity` of them (at least one), some 16 bytes each.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::with_skew(capacity, SKEW_MINUTES)
    }

    /// The same, for what may be so many minutes off our clock.
    #[must_use]
    pub fn with_skew(capacity: usize, skew: u32) -> Self {
        Self {
            seen: BTreeSet::new(),
            capacity: capacity.max(1),
            skew,
            dropped: 0,
        }
    }

    /// How many were forgotten before their time because the window was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes note of what was made at `minute` and has `digest`; says whether it is fresh. It must be authentic.
    pub fn admit(&mut self, minute: u32, digest: u64, now: u32) -> Admission {
        if minute.abs_diff(now) > self.skew {
            return Admission::Stale;
        }
        self.forget_before(now.saturating_sub(self.skew));
        if self.seen.contains(&(minute, digest)) {
            return Admission::Replayed;
        }
        if self.seen.len() >= self.capacity {
            self.seen.pop_first();
            self.dropped += 1;
        }
        self.seen.insert((minute, digest));
        Admission::Fresh
    }

    /// What is from before `minute` is stale by now: no need to know them.
    fn forget_before(&mut self, minute: u32) {
        while self.seen.first().is_some_and(|(of, _)| *of < minute) {
            self.seen.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u32 = 30_000_000;

    #[test]
    fn a_flight_is_admitted_once() {
        let mut window = ReplayWindow::new(10);
        assert_eq!(window.admit(NOW, 1, NOW), Admission::Fresh);
        assert_eq!(window.admit(NOW, 1, NOW), Admission::Replayed);
        assert_eq!(window.admit(NOW, 2, NOW), Admission::Fresh);
        assert_eq!(
            window.admit(NOW, 1, NOW + SKEW_MINUTES),
            Admission::Replayed
        );
    }

    #[test]
    fn a_flight_more_than_an_hour_off_is_stale_and_leaves_no_trace() {
        let mut window = ReplayWindow::new(1);
        assert_eq!(window.admit(NOW - 61, 1, NOW), Admission::Stale);
        assert_eq!(window.admit(NOW + 61, 1, NOW), Admission::Stale);
        assert_eq!(window.admit(NOW - 60, 1, NOW), Admission::Fresh);
        assert_eq!(window.admit(NOW + 60, 2, NOW), Admission::Fresh);
        assert_eq!(window.dropped(), 1);
    }

    #[test]
    fn a_full_window_drops_the_oldest_and_counts_it() {
        let mut window = ReplayWindow::new(2);
        for (minute, digest) in [(NOW - 5, 1), (NOW - 9, 2), (NOW, 3)] {
            assert_eq!(window.admit(minute, digest, NOW), Admission::Fresh);
        }
        assert_eq!(window.dropped(), 1);
        assert_eq!(window.admit(NOW - 5, 1, NOW), Admission::Replayed);
        assert_eq!(window.admit(NOW, 3, NOW), Admission::Replayed);
    }

    #[test]
    fn what_is_stale_makes_room_without_counting_as_dropped() {
        let mut window = ReplayWindow::new(2);
        let _ = (window.admit(NOW, 1, NOW), window.admit(NOW, 2, NOW));
        assert_eq!(window.admit(NOW + 61, 3, NOW + 61), Admission::Fresh);
        assert_eq!((window.seen.len(), window.dropped()), (1, 0));
    }

    proptest! {
        #[test]
        fn within_capacity_nothing_is_admitted_twice_and_memory_is_bounded(
            flights in prop::collection::vec((0u32..200, 0u64..30), 0..400),
            capacity in 1usize..50,
        ) {
            let mut window = ReplayWindow::new(capacity);
            let mut admitted = BTreeSet::new();
            for (now, (back, digest)) in (NOW..).zip(flights) {
                let minute = now - back;
                let dropped_before = window.dropped();
                if window.admit(minute, digest, now) == Admission::Fresh {
                    prop_assert!(admitted.insert((minute, digest)) || dropped_before > 0);
                }
                prop_assert!(window.seen.len() <= capacity);
            }
        }
    }
}
