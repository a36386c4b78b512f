//! Descriptors, refusals, flushing.
//!
//! Does not know: extents' and entries' rules.

use oboro_crypto::NodeId;

use super::{Parts, Result};
use crate::index::{DESCRIPTOR, EXTENT, Index};
use crate::limits::DESCRIPTORS_MAX;
use crate::record::ExtentRecord;

impl Parts {
    /// See [`Store::put_descriptors`](crate::Store::put_descriptors).
    pub(super) fn put_descriptors(
        &mut self,
        index: &mut Index,
        descriptors: &[(NodeId, Vec<u8>)],
    ) -> Result<usize> {
        let mut kept = 0;
        for (node, bytes) in descriptors {
            let key = self.descriptor_key(node);
            let full = index.tally().descriptors >= self.descriptors_max();
            if !full || index.count(&key, 1)? > 0 {
                index.put(&self.sealing, &key, bytes)?;
                kept += 1;
            }
        }
        Ok(kept)
    }

    /// See [`Store::descriptors`](crate::Store::descriptors).
    pub(super) fn descriptors(&mut self, index: &mut Index) -> Result<Vec<Vec<u8>>> {
        let mut descriptors = Vec::new();
        index.for_each(&self.sealing, DESCRIPTOR, |_, value| {
            descriptors.push(value.to_vec());
        })?;
        Ok(descriptors)
    }

    /// See [`Store::forget_descriptors`](crate::Store::forget_descriptors).
    pub(super) fn forget_descriptors(&mut self, index: &mut Index, nodes: &[NodeId]) -> Result<()> {
        for node in nodes {
            let key = self.descriptor_key(node);
            index.remove(&self.sealing, &key)?;
        }
        Ok(())
    }

    /// Removes every extent that has a refused reference.
    pub(super) fn remove_refused(&mut self, index: &mut Index) -> Result<()> {
        if self.refusals.is_empty() {
            return Ok(());
        }
        let refusals = &self.refusals;
        let mut gone = Vec::new();
        index.for_each(&self.sealing, EXTENT, |key, value| {
            let record = ExtentRecord::decode(&value);
            let refused = record.filter(|record| {
                let mut references = record.chunks.iter().filter_map(|chunk| chunk.reference);
                references.any(|reference| refusals.contains(&reference))
            });
            gone.extend(refused.map(|record| (key, record)));
        })?;
        for (key, record) in gone {
            self.remove_extent(index, &key, &record)?;
        }
        Ok(())
    }

    /// See [`Store::flush`](crate::Store::flush).
    ///
    /// Slots first, so that the database never names what is not there; the mark last, so that it is never ahead.
    pub(super) fn flush(&mut self, index: &mut Index) -> Result<()> {
        self.chunks.sync()?;
        self.entries.sync()?;
        let generation = index.flush(&self.sealing)?;
        self.home.note_flush(&self.sealing, generation)?;
        self.home.take_reserve()?;
        Ok(())
    }

    fn descriptor_key(&self, node: &NodeId) -> Vec<u8> {
        let mut key = vec![DESCRIPTOR];
        key.extend_from_slice(&self.sealing.blind(&[&[DESCRIPTOR], &node.0]));
        key
    }

    /// Descriptors that fit into an eighth of the database's share, at 2 KiB each with all that sled adds.
    fn descriptors_max(&self) -> u64 {
        (self.shares.database / 8 / 2_048).min(DESCRIPTORS_MAX as u64)
    }
}
