//! Creates of others waiting for their turn: link after link, so many a second. To open one costs a key agreement; a
//! link that sends thousands only makes its own wait.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::LinkId;
use crate::limits::{CREATES_BURST, CREATES_PER_LINK_MAX, CREATES_PER_SECOND, CREATES_WAITING_MAX};
use crate::link::HopId;
use crate::time::Time;

/// Millionths of a create.
const ONE: u64 = 1_000_000;

/// A create as it came.
pub(super) struct Waiting {
    pub(super) link: LinkId,
    pub(super) hop: HopId,
    pub(super) body: Vec<u8>,
}

/// All creates that wait.
pub(super) struct Creates {
    by_link: BTreeMap<LinkId, VecDeque<Waiting>>,
    waiting: usize,
    /// The link that was served last.
    last: LinkId,
    /// What may be opened now, in millionths.
    budget: u64,
    at: Time,
}

impl Creates {
    pub(super) const fn new(now: Time) -> Self {
        Self {
            by_link: BTreeMap::new(),
            waiting: 0,
            last: LinkId(0),
            budget: CREATES_BURST as u64 * ONE,
            at: now,
        }
    }

    /// Takes one in. Returns the one there is no room for: this one, or the last of the link that has most waiting, for
    /// links that fill all places must not keep out one that has none.
    pub(super) fn push(&mut self, waiting: Waiting) -> Option<Waiting> {
        let link = waiting.link;
        let held = self.by_link.get(&link).map_or(0, VecDeque::len);
        if held >= CREATES_PER_LINK_MAX {
            return Some(waiting);
        }
        let mut out = None;
        if self.waiting >= CREATES_WAITING_MAX {
            let longest = self.by_link.values_mut().max_by_key(|queue| queue.len());
            let Some(longest) = longest.filter(|queue| queue.len() > held + 1) else {
                return Some(waiting);
            };
            out = longest.pop_back();
            self.waiting -= 1;
        }
        self.by_link.entry(link).or_default().push_back(waiting);
        self.waiting += 1;
        out
    }

    /// The next one, if it may be opened now.
    pub(super) fn next(&mut self, now: Time) -> Option<Waiting> {
        let earned = now.since(self.at).as_micros() * u128::from(CREATES_PER_SECOND);
        self.at = self.at.max(now);
        self.budget = u64::try_from(u128::from(self.budget) + earned)
            .unwrap_or(u64::MAX)
            .min(u64::from(CREATES_BURST) * ONE);
        if self.budget < ONE {
            return None;
        }
        let after = LinkId(self.last.0.wrapping_add(1));
        let (&link, _) = self
            .by_link
            .range(after..)
            .next()
            .or_else(|| self.by_link.first_key_value())?;
        self.last = link;
        let queue = self.by_link.get_mut(&link)?;
        let next = queue.pop_front()?;
        if queue.is_empty() {
            self.by_link.remove(&link);
        }
        self.waiting -= 1;
        self.budget -= ONE;
        Some(next)
    }

    /// Drops one whose circuit is over.
    pub(super) fn forget(&mut self, hop: HopId) {
        for queue in self.by_link.values_mut() {
            let before = queue.len();
            queue.retain(|waiting| waiting.hop != hop);
            self.waiting -= before - queue.len();
        }
        self.by_link.retain(|_, queue| !queue.is_empty());
    }

    pub(super) const fn len(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::link::hop_for_tests as hop;

    fn create(link: u64, number: u64) -> Waiting {
        Waiting {
            link: LinkId(link),
            hop: hop(number),
            body: Vec::new(),
        }
    }

    #[test]
    fn links_take_turns_whatever_one_of_them_sends() {
        let now = Time::from_secs(1);
        let mut creates = Creates::new(now);
        let taken = (0..100)
            .filter(|&n| creates.push(create(1, n)).is_none())
            .count();
        assert_eq!(taken, CREATES_PER_LINK_MAX);
        assert!(creates.push(create(2, 1000)).is_none());
        let first: Vec<HopId> = (0..2)
            .filter_map(|_| creates.next(now))
            .map(|next| next.hop)
            .collect();
        assert!(
            first.contains(&hop(1000)),
            "the honest link waits for one other at most"
        );
    }

    #[test]
    fn no_more_are_opened_than_the_rate_allows() {
        let mut now = Time::from_secs(1);
        let mut creates = Creates::new(now);
        let (mut opened, mut link) = (0u32, 0);
        for _ in 0..1000 {
            for _ in 0..10 {
                link += 1;
                creates.push(create(link % 50, link));
            }
            while creates.next(now).is_some() {
                opened += 1;
            }
            now = now + Duration::from_millis(1);
        }
        assert!(
            opened <= CREATES_PER_SECOND + CREATES_BURST,
            "{opened} in a second"
        );
        assert!(opened >= CREATES_PER_SECOND / 2, "{opened} in a second");
        assert!(creates.len() <= CREATES_WAITING_MAX);
    }

    #[test]
    fn what_is_forgotten_is_not_opened() {
        let now = Time::from_secs(1);
        let mut creates = Creates::new(now);
        creates.push(create(1, 1));
        creates.forget(hop(1));
        assert_eq!(creates.len(), 0);
        assert!(creates.next(now).is_none());
    }

    #[test]
    fn links_that_fill_all_places_keep_no_other_out() {
        let now = Time::from_secs(1);
        let mut creates = Creates::new(now);
        let mut refused = 0;
        for number in 0..50 * CREATES_PER_LINK_MAX as u64 {
            refused += usize::from(creates.push(create(number % 50, number)).is_some());
        }
        assert_eq!(creates.len(), CREATES_WAITING_MAX);
        assert_eq!(refused, 50 * CREATES_PER_LINK_MAX - CREATES_WAITING_MAX);
        let out = creates.push(create(99, 9_999));
        assert!(
            out.is_some_and(|out| out.link != LinkId(99)),
            "another makes room"
        );
        assert_eq!(creates.len(), CREATES_WAITING_MAX);
        let soon = (0..51).filter_map(|_| creates.next(now));
        assert!(soon.into_iter().any(|next| next.link == LinkId(99)));
    }
}
