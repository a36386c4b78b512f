//! Who of the view is told to others and relied on first: whom this node has checked, who was on its disk, and itself.
//! What others only claim stays here until then, so nobody honest hands on a node that does not exist.

use oboro_crypto::ids::{LinkPublic, NodeId};

use super::view::{NotTaken, Verified, View};
use crate::limits::CHECKED_ENOUGH;
use crate::wire::control::BUCKETS;
use crate::wire::listing::Listing;

impl View {
    /// Takes the descriptor of an id that is not known, brought by a link peer.
    pub(super) fn admit(&mut self, listing: Listing, by: LinkPublic) -> Result<(), NotTaken> {
        let id = listing.id();
        self.newcomers.add(id, by);
        let taken = self.insert(listing);
        if taken.is_err() {
            self.newcomers.forget(&id);
        }
        taken
    }

    /// An id is really its identity's.
    pub(super) fn prove(&mut self, id: &NodeId) {
        self.set_verified(id, Verified::Yes);
        if self.newcomers.proved(id).is_none() {
            return;
        }
        let Some((relay, share)) = self.get(id).map(|one| (one.roles().relay, one.term())) else {
            return;
        };
        self.new_relays -= usize::from(relay);
        let bucket = &mut self.buckets[usize::from(id.0[0])];
        bucket.sum = bucket.sum.wrapping_add(share);
        self.grew = self.now;
    }

    /// A link peer is gone. Whom it brought goes too, or ever new link keys would fill the view; but not those that are
    /// being checked.
    pub(super) fn without(&mut self, by: &LinkPublic) {
        for id in self.newcomers.gone(by) {
            if self.verified(&id) != Verified::UnderWay {
                self.remove(&id);
            }
        }
    }

    /// Whether others may be told of a node.
    pub(super) fn may_offer(&self, listing: &Listing) -> bool {
        !self.newcomers.has(&listing.id())
    }

    /// How many of them relay, this one among them if it is listed: newcomers only while few others do.
    pub(crate) const fn relays(&self) -> usize {
        let checked = self.relays - self.new_relays;
        if checked >= CHECKED_ENOUGH {
            checked
        } else {
            self.relays
        }
    }

    /// Whether a node may be relied on: a newcomer only while few others are known.
    pub(super) fn is_sound(&self, listing: &Listing, relay: bool) -> bool {
        let checked = if relay {
            self.relays - self.new_relays
        } else {
            self.len() - self.newcomers.len()
        };
        checked < CHECKED_ENOUGH || self.may_offer(listing)
    }

    // Comparing views

    /// Of those that may be offered.
    pub(crate) fn sums(&self) -> Box<[u64; BUCKETS]> {
        let mut sums = Box::new([0; BUCKETS]);
        let all = self.buckets.iter().map(|bucket| bucket.sum);
        sums.iter_mut().zip(all).for_each(|(to, sum)| *to = sum);
        sums
    }

    /// All nodes in a bucket.
    pub(crate) fn bucket(&self, bucket: u8) -> impl DoubleEndedIterator<Item = &Listing> {
        self.nodes.run(bucket)
    }

    /// Those of them that may be offered.
    pub(super) fn offered(&self, bucket: u8) -> impl Iterator<Item = &Listing> {
        let none_new = self.newcomers.len() == 0;
        self.bucket(bucket)
            .filter(move |listing| none_new || self.may_offer(listing))
    }
}
