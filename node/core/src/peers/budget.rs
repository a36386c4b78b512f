//! How much a peer may make us say about the view: so much a second, with a burst for who has just come.
//!
//! A message of 2 KiB can ask for the whole view. What goes beyond the budget is not said; the next comparison, which
//! both sides make, finds what is still missing.

use std::collections::BTreeMap;

use oboro_crypto::ids::LinkPublic;

use crate::limits::{GOSSIP_BURST, GOSSIP_PER_SECOND};
use crate::time::Time;

/// What is left to say to each linked peer, in bytes, and when that was so.
#[derive(Default)]
pub(super) struct Budgets {
    left: BTreeMap<LinkPublic, (u64, Time)>,
}

impl Budgets {
    /// Takes so many bytes from a peer's budget. False if it has not that much left.
    pub(super) fn spend(&mut self, peer: LinkPublic, bytes: usize, now: Time) -> bool {
        let (left, at) = self.left.entry(peer).or_insert((GOSSIP_BURST, now));
        let earned = u64::try_from(now.since(*at).as_millis()).unwrap_or(u64::MAX);
        let earned = earned.saturating_mul(GOSSIP_PER_SECOND) / 1000;
        if earned > 0 {
            *left = left.saturating_add(earned).min(GOSSIP_BURST);
            *at = now;
        }
        match left.checked_sub(bytes as u64) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        }
    }

    /// Forgets a peer that is no longer linked.
    pub(super) fn forget(&mut self, peer: &LinkPublic) {
        self.left.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: LinkPublic = LinkPublic([1; 32]);

    #[test]
    fn a_burst_is_said_at_once_and_then_so_much_a_second() {
        let mut budgets = Budgets::default();
        let now = Time::from_secs(100);
        let burst = usize::try_from(GOSSIP_BURST).unwrap();
        assert!(budgets.spend(PEER, burst, now));
        assert!(!budgets.spend(PEER, 1, now));
        let later = Time::from_secs(101);
        assert!(budgets.spend(PEER, usize::try_from(GOSSIP_PER_SECOND).unwrap(), later));
        assert!(!budgets.spend(PEER, 1, later));
    }

    #[test]
    fn asking_often_earns_no_more_than_asking_seldom() {
        let mut budgets = Budgets::default();
        let mut now = Time::from_secs(100);
        assert!(budgets.spend(PEER, usize::try_from(GOSSIP_BURST).unwrap(), now));
        let mut said = 0u64;
        for _ in 0..10_000 {
            now = now + core::time::Duration::from_micros(1_100);
            while budgets.spend(PEER, 64, now) {
                said += 64;
            }
        }
        assert!(
            said <= GOSSIP_PER_SECOND * 11 + 64,
            "{said} bytes in 11 seconds"
        );
    }
}
