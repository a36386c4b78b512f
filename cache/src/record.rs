//! What the database says of an extent, of an entry, and of itself.
//!
//! Promises: one encoding for each value; anything else is refused, never misread.
//!
//! Does not know: sealing (`index`) or slot files.

use oboro_crypto::Reference;

use crate::codec::{Reader, Writer};
use crate::evict::Candidate;
use crate::limits::EXTENT_CHUNKS_MAX;

/// Where the chunks of an extent are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ExtentRecord {
    /// Which placement of the extent.
    pub(crate) placement: u8,
    /// Distance, requests and day, for eviction.
    pub(crate) candidate: Candidate,
    /// Its chunks in order, 1 to 32.
    pub(crate) chunks: Vec<ChunkRecord>,
}

/// Where one chunk is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ChunkRecord {
    /// Its name; `None` if header and neighbour were lost together before a rebuild.
    pub(crate) reference: Option<Reference>,
    /// Its slot; `None` if it is not held.
    pub(crate) slot: Option<u32>,
}

impl ExtentRecord {
    /// The slots in use.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.chunks.iter().filter_map(|chunk| chunk.slot)
    }

    /// Bit `i` is set if chunk `i` is held.
    pub(crate) fn present(&self) -> u32 {
        let held = |(i, chunk): (usize, &ChunkRecord)| chunk.slot.map_or(0, |_| 1 << i);
        self.chunks.iter().enumerate().map(held).sum()
    }

    /// Names of all chunks, if all are known.
    pub(crate) fn references(&self) -> Option<Vec<Reference>> {
        self.chunks.iter().map(|chunk| chunk.reference).collect()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let known = self.chunks.iter().enumerate();
        let known: u32 = known
            .map(|(i, chunk)| chunk.reference.map_or(0, |_| 1 << i))
            .sum();
        let mut out = Writer::with_capacity(26 + 36 * self.chunks.len());
        out.u8(self.placement).u8(self.chunks.len() as u8);
        out.u64(self.candidate.distance);
        out.u32(self.candidate.asked).u32(self.candidate.day);
        out.u32(known).u32(self.present());
        for reference in self.chunks.iter().filter_map(|chunk| chunk.reference) {
            out.bytes(&reference.0);
        }
        for slot in self.slots() {
            out.u32(slot);
        }
        out.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let (placement, count) = (from.u8()?, usize::from(from.u8()?));
        let distance = from.u64()?;
        let (asked, day) = (from.u32()?, from.u32()?);
        let (known, present) = (from.u32()?, from.u32()?);
        let beyond = |mask: u32| u64::from(mask) >> count != 0;
        if count == 0 || count > EXTENT_CHUNKS_MAX || beyond(known) || beyond(present) {
            return None;
        }
        let mut chunks = vec![ChunkRecord::default(); count];
        for (i, chunk) in chunks.iter_mut().enumerate() {
            if known & 1 << i != 0 {
                chunk.reference = Some(Reference(from.array()?));
            }
        }
        for (i, chunk) in chunks.iter_mut().enumerate() {
            if present & 1 << i != 0 {
                chunk.slot = Some(from.u32()?);
            }
        }
        from.end()?;
        let candidate = Candidate {
            distance,
            asked,
            day,
        };
        Some(Self {
            placement,
            candidate,
            chunks,
        })
    }
}

/// Where an entry is, and what decides whether it stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EntryRecord {
    pub(crate) slot: u32,
    pub(crate) expires_day: u32,
    pub(crate) work: u8,
    /// The entry's name, so that what a location holds can be told without reading it.
    pub(crate) name: u64,
}

impl EntryRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(17);
        out.u32(self.slot).u32(self.expires_day).u8(self.work);
        out.u64(self.name);
        out.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let record = Self {
            slot: from.u32()?,
            expires_day: from.u32()?,
            work: from.u8()?,
            name: from.u64()?,
        };
        from.end()?;
        Some(record)
    }
}

/// What the database should contain: written with every batch, compared at every start, so that a database that has
/// quietly lost something is found out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    /// Batches applied so far.
    pub(crate) generation: u64,
    /// The last stamp given to a slot.
    pub(crate) stamp: u64,
    /// Extent records.
    pub(crate) extents: u64,
    /// Entry records.
    pub(crate) entries: u64,
    /// Descriptor records.
    pub(crate) descriptors: u64,
    /// XOR over the tags of all sealed values.
    pub(crate) digest: [u8; 16],
}

impl Tally {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(56);
        out.u64(self.generation).u64(self.stamp).u64(self.extents);
        out.u64(self.entries).u64(self.descriptors);
        out.bytes(&self.digest);
        out.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let tally = Self {
            generation: from.u64()?,
            stamp: from.u64()?,
            extents: from.u64()?,
            entries: from.u64()?,
            descriptors: from.u64()?,
            digest: from.array()?,
        };
        from.end()?;
        Some(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunk() -> impl Strategy<Value = ChunkRecord> {
        (any::<Option<[u8; 32]>>(), any::<Option<u32>>()).prop_map(|(reference, slot)| {
            ChunkRecord {
                reference: reference.map(Reference),
                slot,
            }
        })
    }

    fn extent() -> impl Strategy<Value = ExtentRecord> {
        (
            any::<(u8, u64, u32, u32)>(),
            prop::collection::vec(chunk(), 1..=EXTENT_CHUNKS_MAX),
        )
            .prop_map(|((placement, distance, asked, day), chunks)| ExtentRecord {
                placement,
                candidate: Candidate {
                    distance,
                    asked,
                    day,
                },
                chunks,
            })
    }

    #[test]
    fn records_have_fixed_bytes() {
        let extent = ExtentRecord {
            placement: 1,
            candidate: Candidate {
                distance: 2,
                asked: 3,
                day: 4,
            },
            chunks: vec![
                ChunkRecord {
                    reference: Some(Reference([9; 32])),
                    slot: None,
                },
                ChunkRecord {
                    reference: None,
                    slot: Some(5),
                },
            ],
        };
        let expected = [
            &[1, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4][..],
            &[0, 0, 0, 1, 0, 0, 0, 2],
            &[9; 32],
            &[0, 0, 0, 5],
        ]
        .concat();
        assert_eq!(extent.encode(), expected);
        assert_eq!(extent.present(), 0b10);
        assert_eq!(extent.references(), None);
        let entry = EntryRecord {
            slot: 1,
            expires_day: 2,
            work: 3,
            name: 4,
        };
        assert_eq!(
            entry.encode(),
            [0, 0, 0, 1, 0, 0, 0, 2, 3, 0, 0, 0, 0, 0, 0, 0, 4]
        );
    }

    proptest! {
        #[test]
        fn extents_come_back(extent in extent()) {
            prop_assert_eq!(ExtentRecord::decode(&extent.encode()), Some(extent));
        }

        #[test]
        fn entries_and_tallies_come_back(slot: u32, expires_day: u32, work: u8, name: u64, numbers: [u64; 5], digest: [u8; 16]) {
            let entry = EntryRecord { slot, expires_day, work, name };
            prop_assert_eq!(EntryRecord::decode(&entry.encode()), Some(entry));
            let [generation, stamp, extents, entries, descriptors] = numbers;
            let tally = Tally { generation, stamp, extents, entries, descriptors, digest };
            prop_assert_eq!(Tally::decode(&tally.encode()), Some(tally));
        }

        #[test]
        fn shortened_and_lengthened_records_are_refused(extent in extent(), cut in 1usize..30) {
            let mut bytes = extent.encode();
            let shorter = bytes.len().saturating_sub(cut);
            prop_assert_eq!(ExtentRecord::decode(&bytes[..shorter]), None);
            bytes.push(0);
            prop_assert_eq!(ExtentRecord::decode(&bytes), None);
        }

        #[test]
        fn whatever_decodes_is_the_one_encoding(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0u8..4) {
            let mut bytes = bytes;
            if let Some(second) = bytes.get_mut(1) { *second = count; }
            for mask in [18..21, 22..25] {
                if let Some(mask) = bytes.get_mut(mask) { mask.fill(0); }
            }
            if let Some(extent) = ExtentRecord::decode(&bytes) {
                prop_assert_eq!(extent.encode(), bytes);
            }
        }
    }
}
