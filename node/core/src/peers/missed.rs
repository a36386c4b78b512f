//! Nodes that went out of the view: one of them is dialled now and then. When a network falls apart for longer than
//! descriptors live, each part forgets the other, and nobody in it has a reason to look for more; this heals it.

use oboro_crypto::ids::LinkPublic;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use crate::limits::{MISSED_DAYS, MISSED_MAX};
use crate::link::Way;
use crate::time::Time;

struct Lost {
    way: Way,
    since: u32,
}

/// Who is missed. Beyond its bound a newcomer takes the place of one by chance, so that whoever makes many nodes and lets
/// them go cannot have all places.
#[derive(Default)]
pub(super) struct Missed {
    all: Vec<Lost>,
}

impl Missed {
    /// A node went out of the view.
    pub(super) fn add(&mut self, way: Way, now: Time, rng: &mut ChaCha20Rng) {
        self.found(&way.link);
        let lost = Lost {
            way,
            since: now.day(),
        };
        if self.all.len() < MISSED_MAX {
            self.all.push(lost);
        } else if let Some(place) = self.all.get_mut(rng.next_u32() as usize % MISSED_MAX) {
            *place = lost;
        }
    }

    /// A node is there again.
    pub(super) fn found(&mut self, link: &LinkPublic) {
        self.all.retain(|lost| lost.way.link != *link);
    }

    /// One of them, by chance; who has been missed for long is forgotten.
    pub(super) fn one(&mut self, now: Time, rng: &mut ChaCha20Rng) -> Option<Way> {
        let today = now.day();
        self.all
            .retain(|lost| today.saturating_sub(lost.since) < MISSED_DAYS);
        let index = (rng.next_u32() as usize).checked_rem(self.all.len())?;
        self.all.get(index).map(|lost| lost.way.clone())
    }
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;

    fn way(number: u16) -> Way {
        let mut link = [0; 32];
        link[..2].copy_from_slice(&number.to_be_bytes());
        Way {
            link: LinkPublic(link),
            addresses: vec![],
        }
    }

    #[test]
    fn who_is_found_or_long_gone_is_not_looked_for() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let (mut missed, now) = (Missed::default(), Time::from_secs(86_400 * 100));
        missed.add(way(1), now, &mut rng);
        missed.add(way(2), now, &mut rng);
        missed.found(&way(1).link);
        for _ in 0..10 {
            assert_eq!(missed.one(now, &mut rng).unwrap().link, way(2).link);
        }
        let late = now + core::time::Duration::from_secs(86_400 * u64::from(MISSED_DAYS));
        assert!(missed.one(late, &mut rng).is_none());
    }

    #[test]
    fn there_are_never_more_than_the_bound_nor_the_same_twice() {
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let (mut missed, now) = (Missed::default(), Time::from_secs(86_400));
        for round in 0..2 * MISSED_MAX {
            missed.add(way(u16::try_from(round).unwrap()), now, &mut rng);
            missed.add(way(7), now, &mut rng);
            assert!(missed.all.len() <= MISSED_MAX);
            let same = missed
                .all
                .iter()
                .filter(|lost| lost.way.link == way(7).link);
            assert!(same.count() <= 1);
        }
    }
}
