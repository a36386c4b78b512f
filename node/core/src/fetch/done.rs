//! Which parts of a file are done: a watermark and the few beyond it. Small whatever the file's size.

use std::collections::BTreeSet;

use oboro_crypto::eris::LEVEL_MAX;

use crate::wire::WireError;
use crate::wire::codec::Reader;
use crate::wire::message::EXTENT_CHUNKS_MAX;

/// Parts done beyond the first that is not: bounded by how many a fetch has under way.
const BEYOND_MAX: usize = 4_096;
/// Parts of the largest file there can be: 512^4 leaves, 32 to a part. More is no checkpoint of ours.
const PARTS_MAX: u64 = 512u64.pow(LEVEL_MAX as u32) / EXTENT_CHUNKS_MAX as u64;
const VERSION: u8 = 1;

/// Parts by number: a part is one extent of leaves, 1 MiB of content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    below: u64,
    beyond: BTreeSet<u64>,
}

impl Done {
    #[cfg(test)]
    fn contains(&self, part: u64) -> bool {
        part < self.below || self.beyond.contains(&part)
    }

    /// Whether all of these parts are done.
    pub(super) fn contains_all(&self, parts: core::ops::Range<u64>) -> bool {
        parts.start.max(self.below) >= parts.end
            || (parts.start.max(self.below)..parts.end).all(|part| self.beyond.contains(&part))
    }

    pub(super) fn insert(&mut self, part: u64) {
        if part >= self.below {
            self.beyond.insert(part);
        }
        while self.beyond.remove(&self.below) {
            self.below += 1;
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.below + self.beyond.len() as u64
    }

    /// What a checkpoint keeps: version `u8`, watermark `u64`, count `u32`, that many `u64` in order.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.below.to_be_bytes());
        let kept = self.beyond.len().min(BEYOND_MAX);
        out.extend_from_slice(&u32::try_from(kept).unwrap_or(0).to_be_bytes());
        self.beyond
            .iter()
            .take(kept)
            .for_each(|part| out.extend_from_slice(&part.to_be_bytes()));
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Err(WireError::Unknown);
        }
        let mut done = Self {
            below: reader.u64()?,
            beyond: BTreeSet::new(),
        };
        let count = reader.u32()? as usize;
        if count > BEYOND_MAX {
            return Err(WireError::TooLong);
        }
        for _ in 0..count {
            done.beyond.insert(reader.u64()?);
        }
        if done.below > PARTS_MAX || done.beyond.last().is_some_and(|part| *part >= PARTS_MAX) {
            return Err(WireError::Invalid);
        }
        reader.end()?;
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_checkpoint_of_more_than_a_file_has_is_refused() {
        for below in [PARTS_MAX + 1, u64::MAX] {
            let done = Done {
                below,
                beyond: BTreeSet::new(),
            };
            assert_eq!(Done::decode(&done.encode()), Err(WireError::Invalid));
        }
        let mut done = Done::default();
        done.insert(PARTS_MAX);
        assert_eq!(Done::decode(&done.encode()), Err(WireError::Invalid));
    }

    proptest! {
        #[test]
        fn it_holds_what_was_put_in_and_reads_back(parts in proptest::collection::btree_set(0u64..300, 0..200)) {
            let mut done = Done::default();
            parts.iter().rev().for_each(|&part| done.insert(part));
            for part in 0..300 {
                prop_assert_eq!(done.contains(part), parts.contains(&part));
            }
            prop_assert_eq!(done.count(), parts.len() as u64);
            prop_assert_eq!(done.contains_all(3..9), (3..9).all(|part| parts.contains(&part)));
            prop_assert_eq!(Done::decode(&done.encode()), Ok(done));
        }

        #[test]
        fn damaged_checkpoints_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Done::decode(&bytes);
        }
    }
}
