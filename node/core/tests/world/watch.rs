//! What passes between nodes, with both ends' names for it, and what their stores are asked: for tests of what a node's
//! operator could see.

use oboro_core::action::StoreRequest;
use oboro_core::ids::LinkId;
use oboro_crypto::ids::Location;

use super::{World, chain};

/// A node and its name for a link.
pub type End = (usize, LinkId);

/// Records that one node sent to another, before their encryption: the same that the other has after it.
pub struct Passed {
    pub from: End,
    pub to: End,
    pub plain: Vec<u8>,
}

/// What a node asked of its store.
pub struct AskedOfStore {
    pub machine: usize,
    /// The first, of several. None: about membership, or the calendar.
    pub location: Option<Location>,
    pub bytes: Vec<u8>,
}

#[derive(Default)]
pub struct Watch {
    pub passed: Vec<Passed>,
    pub stored: Vec<AskedOfStore>,
}

impl World {
    pub(super) fn watch_records(&mut self, from: End, plain: &[u8]) {
        let to = self.machines[from.0].links.get(&from.1).copied();
        if let (Some(watch), Some(to)) = (&mut self.watch, to) {
            watch.passed.push(Passed {
                from,
                to,
                plain: plain.to_vec(),
            });
        }
    }

    pub(super) fn watch_store(&mut self, machine: usize, request: &StoreRequest) {
        let Some(watch) = &mut self.watch else { return };
        let location = match request {
            StoreRequest::PutExtent { location, .. }
            | StoreRequest::Extent(location)
            | StoreRequest::Read { location, .. }
            | StoreRequest::Copy { location, .. }
            | StoreRequest::PutEntry { location, .. }
            | StoreRequest::Entries { location, .. }
            | StoreRequest::Names(location) => Some(*location),
            StoreRequest::Tally(locations) => locations.first().copied(),
            StoreRequest::Walk { .. }
            | StoreRequest::PutDescriptors(_)
            | StoreRequest::ForgetDescriptors(_)
            | StoreRequest::Descriptors
            | StoreRequest::Expire { .. } => None,
        };
        let mut bytes = Vec::new();
        chain::store(request, &mut bytes);
        watch.stored.push(AskedOfStore {
            machine,
            location,
            bytes,
        });
    }
}
