//! What other storers are known to have, so that a quiet network is not asked the same in every round; and who failed.
//!
//! The view knows suspects too, but also such as this node's own user met with. Whoever saw the one in the other could tell
//! whose anonymous request it was that he left unanswered (I1). So upkeep counts its own failures, and of the view's it
//! heeds dials only: no user's request is the reason of one, where requests go over relays.

use std::collections::BTreeMap;

use oboro_crypto::ids::{Location, NodeId};

use crate::limits::{
    RETRY_LONGEST, UPKEEP_ASIDE_MAX, UPKEEP_FAILURES, UPKEEP_KNOWN_MAX, UPKEEP_ROUND, UPKEEP_TICK,
    UPKEEP_TRUST,
};
use crate::peers::View;
use crate::placement::Directory;
use crate::time::Time;

#[derive(Default)]
pub(super) struct Memory {
    /// By node, by key of what it has: until when that is taken for true.
    known: BTreeMap<NodeId, Known>,
    count: usize,
    /// How often a node failed one time after another, and until when that counts.
    failed: BTreeMap<NodeId, (u32, Time)>,
}

/// What one node has.
struct Known {
    /// When it last said so.
    heard: Time,
    has: BTreeMap<u64, Time>,
}

/// The view as upkeep sees it.
pub(super) struct Sight<'a> {
    pub(super) view: &'a View,
    pub(super) memory: &'a Memory,
    pub(super) now: Time,
}

impl Directory for Sight<'_> {
    fn nearest(
        &self,
        location: &Location,
        count: usize,
        allow: &dyn Fn(&NodeId) -> bool,
    ) -> Vec<NodeId> {
        self.view.nearest(location, count, allow)
    }

    fn is_suspect(&self, node: &NodeId) -> bool {
        // One dial that failed is no more than a node that starts anew.
        let away = self.view.unreached(node).is_some_and(|(first, last)| {
            last.since(first) >= UPKEEP_TICK && self.now.since(last) < RETRY_LONGEST
        });
        away || self.memory.is_aside(node, self.now)
    }

    fn storers(&self) -> usize {
        self.view.storers()
    }
}

/// 0 to 1, as chance would have it, but always the same for a thing at a node.
fn spread(node: &NodeId, key: u64) -> f64 {
    let [a, b, c, d, e, f, g, h, ..] = node.0;
    let mixed =
        (key ^ u64::from_be_bytes([a, b, c, d, e, f, g, h])).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as f64 / f64::from(u32::MAX)
}

impl Memory {
    pub(super) fn remember(&mut self, node: &NodeId, key: u64, now: Time) {
        let of_node = self.known.entry(*node).or_insert_with(|| Known {
            heard: now,
            has: BTreeMap::new(),
        });
        of_node.heard = now;
        if self.count >= UPKEEP_KNOWN_MAX && !of_node.has.contains_key(&key) {
            return;
        }
        // Not all at once: what was learned in one round is asked again in several. Which is when follows from what it is
        // and not from chance, so that the order of answers, and with it what else goes over a link, does not show.
        let trust = UPKEEP_TRUST.mul_f64(0.75 + spread(node, key) / 2.0);
        self.count += usize::from(of_node.has.insert(key, now + trust).is_none());
    }

    pub(super) fn has(&self, node: &NodeId, key: u64, now: Time) -> bool {
        let until = self
            .known
            .get(node)
            .and_then(|of_node| of_node.has.get(&key));
        until.is_some_and(|until| *until > now)
    }

    /// A node did not answer, or not as it should, so many times worth: it may come back without what it had.
    pub(super) fn failed(&mut self, node: &NodeId, times: u32, now: Time) {
        self.forget(node);
        if self.failed.len() < UPKEEP_ASIDE_MAX || self.failed.contains_key(node) {
            let (count, until) = self.failed.entry(*node).or_default();
            *count = count.saturating_add(times);
            *until = now + UPKEEP_ROUND;
        }
    }

    pub(super) fn succeeded(&mut self, node: &NodeId) {
        self.failed.remove(node);
    }

    /// Whether a node is passed over: it has failed a few times, and that not long ago.
    pub(super) fn is_aside(&self, node: &NodeId, now: Time) -> bool {
        let failed = self.failed.get(node);
        failed.is_some_and(|(count, until)| *count >= UPKEEP_FAILURES && *until > now)
    }

    /// Forgets nodes that have left the view, or could not be reached since they were heard.
    pub(super) fn forget_lost(&mut self, view: &View) {
        let lost: Vec<NodeId> = self
            .known
            .iter()
            .filter(|(node, of_node)| {
                let unreached = view.unreached(node);
                view.get(node).is_none() || unreached.is_some_and(|(_, last)| last > of_node.heard)
            })
            .map(|(node, _)| *node)
            .collect();
        lost.iter().for_each(|node| self.forget(node));
    }

    /// Forgets what has been trusted, or held against somebody, for long enough. Who failed before is given less patience
    /// for another round.
    pub(super) fn forget_old(&mut self, now: Time) {
        self.failed
            .retain(|_, (_, until)| *until + UPKEEP_ROUND > now);
        self.known.retain(|_, of_node| {
            of_node.has.retain(|_, until| *until > now);
            !of_node.has.is_empty()
        });
        self.count = self.known.values().map(|of_node| of_node.has.len()).sum();
    }

    fn forget(&mut self, node: &NodeId) {
        if let Some(of_node) = self.known.remove(node) {
            self.count -= of_node.has.len();
        }
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: NodeId = NodeId([1; 32]);
    const THERE: NodeId = NodeId([2; 32]);

    #[test]
    fn what_a_node_has_is_trusted_for_a_while_and_not_all_for_as_long() {
        let mut memory = Memory::default();
        let now = Time::from_secs(1_000_000);
        (0..100).for_each(|key| memory.remember(&HERE, key, now));
        let trusted = |after| {
            (0..100)
                .filter(|key| memory.has(&HERE, *key, now + after))
                .count()
        };
        assert_eq!(trusted(UPKEEP_TRUST.mul_f64(0.74)), 100);
        assert!((20..80).contains(&trusted(UPKEEP_TRUST)));
        assert_eq!(trusted(UPKEEP_TRUST.mul_f64(1.26)), 0);
        assert!(!memory.has(&THERE, 1, now));
        assert_eq!(memory.count(), 100);
        memory.forget_old(now + UPKEEP_TRUST * 2);
        assert_eq!(memory.count(), 0);
    }

    #[test]
    fn a_node_that_failed_is_known_to_have_nothing_and_passed_over_for_a_while_if_it_goes_on() {
        let mut memory = Memory::default();
        let now = Time::from_secs(1_000);
        for node in [HERE, THERE] {
            memory.remember(&node, 7, now);
            memory.remember(&node, 7, now);
        }
        memory.failed(&HERE, 1, now);
        assert!(!memory.has(&HERE, 7, now) && memory.has(&THERE, 7, now));
        assert!(!memory.is_aside(&HERE, now));
        memory.failed(&HERE, UPKEEP_FAILURES - 1, now);
        assert!(memory.is_aside(&HERE, now));
        let later = now + UPKEEP_ROUND;
        assert!(!memory.is_aside(&HERE, later));
        memory.forget_old(later);
        memory.failed(&HERE, 1, later);
        assert!(memory.is_aside(&HERE, later), "it has done so before");
        memory.succeeded(&HERE);
        assert!(!memory.is_aside(&HERE, later));
        memory.forget_lost(&View::new(true));
        assert_eq!(memory.count(), 0);
    }

    #[test]
    fn no_more_is_remembered_than_the_bounds_say() {
        let mut memory = Memory::default();
        let now = Time::from_secs(1);
        for key in 0..UPKEEP_KNOWN_MAX as u64 + 10 {
            memory.remember(&HERE, key, now);
        }
        assert_eq!(memory.count(), UPKEEP_KNOWN_MAX);
        for number in 0..UPKEEP_ASIDE_MAX + 10 {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            memory.failed(&NodeId(id), 1, now);
        }
        assert_eq!(memory.failed.len(), UPKEEP_ASIDE_MAX);
        memory.forget_old(now + UPKEEP_ROUND * 2);
        assert!(memory.failed.is_empty());
    }
}
