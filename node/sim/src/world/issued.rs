//! All descriptors there have been of late. What a node had on its disk when it left is what was issued by then, so
//! that disks need not be held apart.

use std::collections::HashMap;
use std::sync::Arc;

use oboro_core::Time;
use oboro_core::wire::descriptor::Descriptor;
use oboro_crypto::ids::NodeId;

/// When it was issued, in seconds, and its bytes.
type Version = (u32, Arc<[u8]>);

/// Seconds for which a descriptor may be valid, and so must be remembered.
const KEPT_SECS: u32 = 6 * 3600;

/// Descriptors by node.
#[derive(Default)]
pub(super) struct Issued {
    /// Only looked up in, never walked through.
    places: HashMap<NodeId, usize>,
    all: Vec<(NodeId, Vec<Version>)>,
    /// Places in the order of ids, if no node has come since.
    order: Vec<usize>,
}

impl Issued {
    /// Nodes of which there is one.
    pub(super) const fn nodes(&self) -> usize {
        self.all.len()
    }

    /// A node keeps a descriptor.
    pub(super) fn kept(&mut self, id: NodeId, encoded: &[u8], now: Time) {
        let known = self.places.get(&id).and_then(|&place| self.all.get(place));
        if known.is_some_and(|(_, all)| all.iter().rev().any(|(_, bytes)| **bytes == *encoded)) {
            return;
        }
        if let Ok((descriptor, _)) = Descriptor::decode(encoded) {
            self.add(id, descriptor.issued, encoded, now);
        }
    }

    /// One was issued.
    pub(super) fn add(&mut self, id: NodeId, issued: u32, encoded: &[u8], now: Time) {
        let place = *self.places.entry(id).or_insert_with(|| {
            self.all.push((id, Vec::new()));
            self.all.len() - 1
        });
        let versions = &mut self.all[place].1;
        if versions.iter().all(|(known, _)| *known != issued) {
            let oldest = (now.secs() as u32).saturating_sub(KEPT_SECS);
            versions.retain(|(known, _)| *known >= oldest);
            versions.push((issued, Arc::from(encoded)));
            versions.sort_by_key(|(known, _)| *known);
        }
    }

    /// Of each node the newest that had been issued by then, in the order of ids.
    pub(super) fn by(&mut self, until: u32) -> Vec<Vec<u8>> {
        if self.order.len() != self.all.len() {
            self.order = (0..self.all.len()).collect();
            self.order.sort_by_key(|&place| self.all[place].0);
        }
        let known = self.order.iter().filter_map(|&place| {
            let mut before = self.all[place].1.iter().rev();
            before.find(|(issued, _)| *issued <= until)
        });
        known.map(|(_, encoded)| encoded.to_vec()).collect()
    }
}
