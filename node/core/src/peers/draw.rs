//! One node of the view by chance, without looking at all of them.
//!
//! Ids are claimed, so where they lie must not matter: a bucket is drawn by how many nodes it has, or how much its relays
//! weigh, and then a node in it. That is the same as to draw from a list of all.

use rand_core::RngCore;

use super::view::{View, weight};
use crate::wire::control::BUCKETS;
use crate::wire::listing::Listing;

/// Nodes drawn in search of one that fits, before all are looked at.
const DRAWS: usize = 48;

impl View {
    /// A node that fits, each of those that do as likely as any other.
    pub(crate) fn draw_node(
        &self,
        rng: &mut dyn RngCore,
        fits: &dyn Fn(&Listing) -> bool,
    ) -> Option<&Listing> {
        let fits = |listing: &Listing| self.is_sound(listing, false) && fits(listing);
        self.draw(rng, &fits, |_| 1, |bucket| self.buckets[bucket].nodes)
    }

    /// A relay that fits, each as likely as it weighs.
    pub(crate) fn draw_relay(
        &self,
        rng: &mut dyn RngCore,
        fits: &dyn Fn(&Listing) -> bool,
    ) -> Option<&Listing> {
        let fits = |listing: &Listing| self.is_sound(listing, true) && fits(listing);
        self.draw(rng, &fits, weight, |bucket| self.buckets[bucket].weight)
    }

    /// Draws from all until one fits; if none does in good time, draws once from those that fit. Either way each of these
    /// is chosen as often as its weight says.
    fn draw(
        &self,
        rng: &mut dyn RngCore,
        fits: &dyn Fn(&Listing) -> bool,
        weight: fn(&Listing) -> u32,
        of_bucket: impl Fn(usize) -> u32,
    ) -> Option<&Listing> {
        let total: u64 = (0..BUCKETS)
            .map(|bucket| u64::from(of_bucket(bucket)))
            .sum();
        for _ in 0..DRAWS.min(self.len()) {
            let mut left = rng.next_u64().checked_rem(total)?;
            let bucket =
                (0..=u8::MAX).find(|&bucket| passes(&mut left, of_bucket(usize::from(bucket))))?;
            let drawn = self
                .bucket(bucket)
                .find(|listing| passes(&mut left, weight(listing)));
            if let Some(listing) = drawn.filter(|listing| fits(listing)) {
                return Some(listing);
            }
        }
        let all = || self.iter().filter(|listing| fits(listing));
        let total: u64 = all().map(|listing| u64::from(weight(listing))).sum();
        let mut left = rng.next_u64().checked_rem(total)?;
        all().find(|listing| passes(&mut left, weight(listing)))
    }
}

/// Whether what is left ends here; if not, so much less is left.
fn passes(left: &mut u64, weight: u32) -> bool {
    let weight = u64::from(weight);
    let here = *left < weight;
    if !here {
        *left -= weight;
    }
    here
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use oboro_crypto::ids::{IdentityPublic, LinkPublic, NodeId, OnionPublic};
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::wire::descriptor::{Descriptor, Roles};
    use crate::wire::listing::tests::listing;

    /// A view of nodes by first byte of the id, capacity and whether they relay.
    fn view(nodes: &[(u8, u8, bool)]) -> View {
        let mut view = View::new(true);
        for (number, &(bucket, capacity, relay)) in nodes.iter().enumerate() {
            let mut id = [0; 32];
            id[0] = bucket;
            id[1..9].copy_from_slice(&(number as u64).to_be_bytes());
            let descriptor = Descriptor {
                identity: IdentityPublic(id),
                link: LinkPublic(id),
                onion: OnionPublic(id),
                id: NodeId(id),
                issued: 1,
                valid_hours: 1,
                roles: Roles {
                    relay,
                    storage: true,
                },
                capacity,
                addresses: vec!["127.0.0.1:1".parse().unwrap()],
            };
            view.insert(listing(&descriptor)).unwrap();
        }
        view
    }

    /// How often each node that fits should be drawn and is, of so many times.
    fn compare(
        view: &View,
        fits: &dyn Fn(&Listing) -> bool,
        weigh: fn(&Listing) -> u32,
        mut draw: impl FnMut() -> Option<NodeId>,
    ) {
        const TIMES: u32 = 4_000;
        let all = || view.iter().filter(|listing| fits(listing));
        let total: u32 = all().map(weigh).sum();
        let mut drawn: BTreeMap<NodeId, u32> = BTreeMap::new();
        for _ in 0..TIMES {
            match draw() {
                Some(node) => *drawn.entry(node).or_default() += 1,
                None => return assert_eq!(total, 0, "one fits"),
            }
        }
        for listing in all() {
            let share = f64::from(weigh(listing)) / f64::from(total);
            let expected = share * f64::from(TIMES);
            let times = f64::from(drawn.remove(&listing.id()).unwrap_or(0));
            // Seven standard deviations: a fair draw is that far off once in a lifetime.
            let off = 7.0 * (expected * (1.0 - share)).sqrt() + 1.0;
            assert!((times - expected).abs() <= off, "{times} for {expected}");
        }
        assert!(drawn.is_empty(), "nobody else is drawn");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_draw_is_as_fair_as_one_from_a_list_of_all(
            nodes in proptest::collection::vec((prop_oneof![Just(0u8), any::<u8>()], 0u8..12, any::<bool>()), 1..80),
            every in 1u64..40,
            seed in any::<[u8; 32]>(),
        ) {
            let view = view(&nodes);
            let mut rng = ChaCha20Rng::from_seed(seed);
            let fits = |listing: &Listing| {
                super::super::view::short(listing.id_bytes()).is_multiple_of(every)
            };
            compare(&view, &fits, |_| 1, || view.draw_node(&mut rng, &fits).map(Listing::id));
            compare(&view, &fits, weight, || view.draw_relay(&mut rng, &fits).map(Listing::id));
        }
    }

    #[test]
    fn where_an_id_lies_does_not_make_it_likelier() {
        // One node alone in its bucket beside many in another: each of them is one of all.
        let mut nodes = vec![(9, 0, true); 60];
        nodes.push((200, 0, true));
        let view = view(&nodes);
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        compare(
            &view,
            &|_| true,
            |_| 1,
            || view.draw_node(&mut rng, &|_| true).map(Listing::id),
        );
    }

    #[test]
    fn of_an_empty_view_nobody_is_drawn() {
        let view = View::new(true);
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        assert!(view.draw_node(&mut rng, &|_| true).is_none());
        assert!(view.draw_relay(&mut rng, &|_| true).is_none());
    }
}
