//! Who of the view is near to what.

use oboro_crypto::ids::{Location, NodeId, distance};

use super::view::View;
use crate::placement::Directory;
use crate::wire::listing::Listing;

impl Directory for View {
    fn nearest(
        &self,
        location: &Location,
        count: usize,
        allow: &dyn Fn(&NodeId) -> bool,
    ) -> Vec<NodeId> {
        // Ids that share a longer prefix with the location are nearer than all others: widen until enough are found.
        let mut bits = self.len().checked_ilog2().unwrap_or(0).min(255);
        loop {
            let (low, high) = prefix_range(&location.0, bits);
            let mut found: Vec<NodeId> = self
                .between(low, high)
                .filter(|listing| listing.roles().storage)
                .map(Listing::id)
                .filter(|id| allow(id))
                .collect();
            if found.len() >= count || bits == 0 {
                found.sort_by_cached_key(|id| distance(id.as_bytes(), location.as_bytes()));
                found.truncate(count);
                return found;
            }
            bits -= 1;
        }
    }

    fn is_suspect(&self, node: &NodeId) -> bool {
        self.suspects(node)
    }

    fn storers(&self) -> usize {
        self.storing()
    }
}

fn prefix_range(at: &[u8; 32], bits: u32) -> ([u8; 32], [u8; 32]) {
    let (mut low, mut high) = (*at, *at);
    for (index, (low, high)) in low.iter_mut().zip(high.iter_mut()).enumerate() {
        let covered = bits
            .saturating_sub(u32::try_from(index).unwrap_or(u32::MAX).saturating_mul(8))
            .min(8);
        let mask = if covered == 0 {
            0
        } else {
            0xffu8 << (8 - covered)
        };
        *low &= mask;
        *high |= !mask;
    }
    (low, high)
}
