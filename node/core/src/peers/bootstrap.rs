//! Nodes to start from, and when to try them again: for ever, with growing and jittered waits.

use std::net::SocketAddr;

use core::time::Duration;
use oboro_crypto::ids::LinkPublic;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use crate::limits::{BOOTSTRAP_MAX, RETRY_FIRST, RETRY_LONGEST};
use crate::link::Way;
use crate::time::Time;

struct Start {
    way: Way,
    fails: u32,
    next: Time,
}

/// Where to start from. Beyond its bound the oldest is forgotten.
#[derive(Default)]
pub(super) struct Bootstrap {
    starts: Vec<Start>,
}

impl Bootstrap {
    /// Remembers a node and makes it due at once.
    pub(super) fn add(&mut self, link: LinkPublic, addresses: Vec<SocketAddr>, now: Time) {
        self.starts.retain(|start| start.way.link != link);
        if self.starts.len() >= BOOTSTRAP_MAX {
            self.starts.remove(0);
        }
        self.starts.push(Start {
            way: Way { link, addresses },
            fails: 0,
            next: now,
        });
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// All that are due now; each is then due again later.
    pub(super) fn due(&mut self, now: Time, rng: &mut ChaCha20Rng) -> Vec<Way> {
        let mut due = Vec::new();
        for start in self.starts.iter_mut().filter(|start| start.next <= now) {
            start.next = now + jittered(backoff(start.fails), rng);
            due.push(start.way.clone());
        }
        due
    }

    /// One of them, by chance.
    pub(super) fn one(&self, rng: &mut ChaCha20Rng) -> Option<Way> {
        let index = (rng.next_u32() as usize).checked_rem(self.starts.len())?;
        self.starts.get(index).map(|start| start.way.clone())
    }

    pub(super) fn failed(&mut self, link: &LinkPublic, now: Time, rng: &mut ChaCha20Rng) {
        for start in self
            .starts
            .iter_mut()
            .filter(|start| start.way.link == *link)
        {
            start.fails = start.fails.saturating_add(1);
            start.next = now + jittered(backoff(start.fails), rng);
        }
    }

    pub(super) fn succeeded(&mut self, link: &LinkPublic) {
        self.starts
            .iter_mut()
            .filter(|start| start.way.link == *link)
            .for_each(|start| start.fails = 0);
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.starts.iter().map(|start| start.next).min()
    }
}

/// The wait after this many failures in a row.
pub(super) fn backoff(fails: u32) -> Duration {
    (RETRY_FIRST * 2u32.saturating_pow(fails.min(16))).min(RETRY_LONGEST)
}

/// Between half of a wait and one and a half of it, so that nodes that fell together do not rise together.
pub(super) fn jittered(wait: Duration, rng: &mut ChaCha20Rng) -> Duration {
    wait / 2 + wait.mul_f64(f64::from(rng.next_u32()) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn retries_never_end_and_never_wait_longer_than_the_longest_and_a_half() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut bootstrap = Bootstrap::default();
        let mut now = Time::from_secs(1);
        bootstrap.add(LinkPublic([1; 32]), vec![], now);
        for _ in 0..200 {
            assert_eq!(bootstrap.due(now, &mut rng).len(), 1);
            bootstrap.failed(&LinkPublic([1; 32]), now, &mut rng);
            let next = bootstrap.next().unwrap();
            assert!(next > now && next.since(now) <= RETRY_LONGEST * 3 / 2);
            now = next;
        }
    }

    #[test]
    fn the_oldest_is_forgotten_beyond_the_bound() {
        let mut bootstrap = Bootstrap::default();
        for index in 0..=BOOTSTRAP_MAX {
            bootstrap.add(
                LinkPublic([u8::try_from(index).unwrap(); 32]),
                vec![],
                Time::default(),
            );
        }
        assert_eq!(bootstrap.len(), BOOTSTRAP_MAX);
        assert_eq!(bootstrap.starts[0].way.link, LinkPublic([1; 32]));
    }
}
