//! The twin in memory: the same behaviour in ordered maps, for tests and simulators.
//!
//! Promises: passes the tests of the store on disk. Its quota counts payload; nothing survives it.
//!
//! Does not know: files, keys, sampling (its choices look at everything held).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use oboro_crypto::{Location, NodeId, Reference, hash::hash, labels};

use crate::entry_list::{Strength, Verdict, contest, name, tally};
use crate::error::CacheError;
use crate::evict::{Candidate, first_to_go, may_replace};
use crate::limits::{
    CHUNK_LEN, DESCRIPTORS_MAX, ENTRIES_PER_LOCATION_MAX, ENTRIES_SHARE, ENTRY_LEN_MAX,
    REFUSALS_MAX,
};
use crate::store::{
    CacheStats, EntryPage, ExtentInfo, Held, HeldPage, HeldWhat, Put, PutEntry, PutExtent, Store,
};
use crate::validate;

/// First byte of a mark that ends in the location of entries, and of one that ends in that of an extent.
const ENTRIES: u8 = 0;
const EXTENTS: u8 = 1;

/// A store that keeps everything in memory.
pub struct MemoryStore {
    extents: BTreeMap<Location, Extent>,
    entries: BTreeMap<(Location, [u8; 16]), Entry>,
    descriptors: BTreeMap<NodeId, Vec<u8>>,
    refused: BTreeSet<Reference>,
    stats: CacheStats,
}

struct Extent {
    index: u8,
    references: Vec<Reference>,
    chunks: Vec<Vec<u8>>,
    candidate: Candidate,
}

struct Entry {
    bytes: Vec<u8>,
    expires_day: u32,
    work: u8,
}

impl MemoryStore {
    /// An empty store for `quota` bytes of chunks and entries.
    #[must_use]
    pub fn new(quota: u64) -> Self {
        Self {
            extents: BTreeMap::new(),
            entries: BTreeMap::new(),
            descriptors: BTreeMap::new(),
            refused: BTreeSet::new(),
            stats: CacheStats {
                quota,
                ..CacheStats::default()
            },
        }
    }

    fn chunks_max(&self) -> usize {
        let share = self.stats.quota - self.stats.quota / ENTRIES_SHARE;
        usize::try_from(share / CHUNK_LEN as u64).unwrap_or(usize::MAX)
    }

    fn entries_max(&self) -> usize {
        let share = self.stats.quota / ENTRIES_SHARE;
        usize::try_from(share / ENTRY_LEN_MAX as u64).unwrap_or(usize::MAX)
    }

    fn chunks(&self) -> usize {
        self.extents.values().map(|e| e.chunks.len()).sum()
    }

    /// The first location after a mark; entries come first.
    fn first_after(&mut self, mark: Option<&[u8]>) -> Option<Held> {
        let location = mark.and_then(|mark| Some(Location(*mark.last_chunk()?)));
        let kind = mark.and_then(|mark| mark.first().copied());
        if kind != Some(EXTENTS) {
            let mut entries = match location {
                Some(location) => {
                    let end = Bound::Excluded((location, [0xFF; 16]));
                    self.entries.range((end, Bound::Unbounded))
                }
                None => self.entries.range(..),
            };
            if let Some(((location, _), _)) = entries.next() {
                let location = *location;
                let names = self.names(&location).unwrap_or_default();
                let what = HeldWhat::Entries {
                    tally: tally(&names),
                };
                return Some(Held { location, what });
            }
        }
        let start = match (kind, location) {
            (Some(EXTENTS), Some(location)) => Bound::Excluded(location),
            _ => Bound::Unbounded,
        };
        let (location, extent) = self.extents.range((start, Bound::Unbounded)).next()?;
        let what = HeldWhat::Extent {
            index: extent.index,
            info: extent.info(),
        };
        Some(Held {
            location: *location,
            what,
        })
    }

    /// Evicts until `count` chunks fit, or says that all that is held is worth more.
    fn make_room(&mut self, count: usize, incoming: &Candidate, today: u32) -> bool {
        while self.chunks() + count > self.chunks_max() {
            let (locations, sample): (Vec<_>, Vec<_>) =
                self.extents.iter().map(|(l, e)| (*l, e.candidate)).unzip();
            let victim = first_to_go(&sample, today)
                .and_then(|i| Some((*locations.get(i)?, *sample.get(i)?)));
            match victim {
                Some((location, candidate)) if may_replace(incoming, &candidate, today) => {
                    self.extents.remove(&location);
                    self.stats.evictions += 1;
                }
                _ => return false,
            }
        }
        true
    }

    /// Whether the new entry may come in, after the one it replaces has gone.
    fn admit_entry(&mut self, location: &Location, new: &Strength) -> bool {
        let at_location = self.entries.range(span(location)).count();
        let held: Vec<_> = if at_location >= ENTRIES_PER_LOCATION_MAX {
            self.entries.range(span(location)).collect()
        } else if self.entries.len() >= self.entries_max() {
            self.entries.iter().collect()
        } else {
            return true;
        };
        let strengths: Vec<_> = held
            .iter()
            .map(|((_, cursor), entry)| entry.strength(*cursor))
            .collect();
        let Verdict::Replace(i) = contest(&strengths, new) else {
            return false;
        };
        let Some(key) = held.get(i).map(|(key, _)| **key) else {
            return false;
        };
        self.entries.remove(&key);
        self.stats.evictions += 1;
        true
    }
}

impl Extent {
    fn info(&self) -> ExtentInfo {
        ExtentInfo {
            references: self.references.clone(),
            present: (0..self.chunks.len()).fold(0, |mask, i| mask | 1 << i),
        }
    }
}

impl Entry {
    fn strength(&self, chance: [u8; 16]) -> Strength {
        Strength {
            work: self.work,
            expires_day: self.expires_day,
            chance,
        }
    }
}

impl Store for MemoryStore {
    fn put_extent(&mut self, put: PutExtent) -> Result<Put, CacheError> {
        validate::extent(&put)?;
        if put.references.iter().any(|r| self.refused.contains(r)) {
            self.stats.refused += 1;
            return Ok(Put::Refused);
        }
        if let Some(held) = self.extents.get(&put.location) {
            validate::same_references(&held.references, &put.references)?;
            return Ok(Put::Already);
        }
        let candidate = Candidate {
            distance: Candidate::leading(&put.distance),
            asked: 0,
            day: put.today,
        };
        if !self.make_room(put.chunks.len(), &candidate, put.today) {
            return Ok(Put::NoRoom);
        }
        let extent = Extent {
            index: put.index,
            references: put.references,
            chunks: put.chunks,
            candidate,
        };
        self.extents.insert(put.location, extent);
        Ok(Put::Stored)
    }

    fn extent(&mut self, location: &Location) -> Result<Option<ExtentInfo>, CacheError> {
        Ok(self.extents.get(location).map(Extent::info))
    }

    fn read(
        &mut self,
        location: &Location,
        indexes: &[u8],
    ) -> Result<Vec<Option<Vec<u8>>>, CacheError> {
        let chunks = self.copy(location, indexes)?;
        let hits = chunks.iter().flatten().count();
        if let (Some(held), true) = (self.extents.get_mut(location), hits > 0) {
            held.candidate.asked = held.candidate.asked.saturating_add(1);
        }
        self.stats.hits += hits as u64;
        self.stats.misses += (chunks.len() - hits) as u64;
        Ok(chunks)
    }

    fn copy(
        &mut self,
        location: &Location,
        indexes: &[u8],
    ) -> Result<Vec<Option<Vec<u8>>>, CacheError> {
        validate::indexes(indexes)?;
        let held = self.extents.get(location);
        Ok(indexes
            .iter()
            .map(|&i| held?.chunks.get(usize::from(i)).cloned())
            .collect())
    }

    fn put_entry(&mut self, put: PutEntry) -> Result<Put, CacheError> {
        validate::entry(&put)?;
        if put.expires_day < put.today {
            return Ok(Put::NoRoom);
        }
        let key = (put.location, cursor(&put));
        if self.entries.contains_key(&key) {
            return Ok(Put::Already);
        }
        let entry = Entry {
            bytes: put.bytes,
            expires_day: put.expires_day,
            work: put.work,
        };
        if !self.admit_entry(&put.location, &entry.strength(key.1)) {
            return Ok(Put::NoRoom);
        }
        self.entries.insert(key, entry);
        Ok(Put::Stored)
    }

    fn entries(
        &mut self,
        location: &Location,
        after: Option<[u8; 16]>,
        max: usize,
    ) -> Result<EntryPage, CacheError> {
        let of_location = self.entries.range(span(location));
        Ok(of_location
            .filter(|((_, cursor), _)| after.is_none_or(|after| *cursor > after))
            .take(max)
            .map(|((_, cursor), entry)| (*cursor, entry.bytes.clone()))
            .collect())
    }

    fn held(&mut self, after: Option<&[u8]>, max: usize) -> Result<HeldPage, CacheError> {
        let mut page = HeldPage::default();
        while page.held.len() < max {
            let mark = page.next.as_deref().or(after);
            let Some(held) = self.first_after(mark) else {
                page.next = None;
                return Ok(page);
            };
            let kind = match held.what {
                HeldWhat::Entries { .. } => ENTRIES,
                HeldWhat::Extent { .. } => EXTENTS,
            };
            page.next = Some([&[kind][..], &held.location.0].concat());
            page.held.push(held);
        }
        Ok(page)
    }

    fn names(&mut self, location: &Location) -> Result<Vec<u64>, CacheError> {
        let of_location = self.entries.range(span(location));
        let mut names: Vec<u64> = of_location.map(|(_, entry)| name(&entry.bytes)).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn put_descriptors(&mut self, descriptors: &[(NodeId, Vec<u8>)]) -> Result<usize, CacheError> {
        let mut kept = 0;
        for (node, bytes) in descriptors {
            validate::descriptor(bytes)?;
            if self.descriptors.len() < DESCRIPTORS_MAX || self.descriptors.contains_key(node) {
                self.descriptors.insert(*node, bytes.clone());
                kept += 1;
            }
        }
        Ok(kept)
    }

    fn descriptors(&mut self) -> Result<Vec<Vec<u8>>, CacheError> {
        Ok(self.descriptors.values().cloned().collect())
    }

    fn forget_descriptors(&mut self, nodes: &[NodeId]) -> Result<(), CacheError> {
        for node in nodes {
            self.descriptors.remove(node);
        }
        Ok(())
    }

    fn refuse(&mut self, references: &[Reference]) -> Result<(), CacheError> {
        let mut refused = self.refused.clone();
        refused.extend(references);
        if refused.len() > REFUSALS_MAX {
            return Err(CacheError::RefusalsFull { most: REFUSALS_MAX });
        }
        self.refused = refused;
        let refused = &self.refused;
        self.extents
            .retain(|_, held| !held.references.iter().any(|r| refused.contains(r)));
        Ok(())
    }

    fn allow(&mut self, references: &[Reference]) -> Result<(), CacheError> {
        for reference in references {
            self.refused.remove(reference);
        }
        Ok(())
    }

    fn refused(&self) -> Vec<Reference> {
        self.refused.iter().copied().collect()
    }

    fn is_refused(&self, reference: &Reference) -> bool {
        self.refused.contains(reference)
    }

    fn expire(&mut self, today: u32) -> Result<u64, CacheError> {
        let before = self.entries.len();
        self.entries.retain(|_, entry| entry.expires_day >= today);
        Ok((before - self.entries.len()) as u64)
    }

    fn flush(&mut self) -> Result<(), CacheError> {
        Ok(())
    }

    fn stats(&self) -> CacheStats {
        let payload: usize = self.entries.values().map(|entry| entry.bytes.len()).sum();
        CacheStats {
            used: (self.chunks() * CHUNK_LEN + payload) as u64,
            chunks: self.chunks() as u64,
            extents: self.extents.len() as u64,
            entries: self.entries.len() as u64,
            descriptors: self.descriptors.len() as u64,
            ..self.stats
        }
    }

    fn close(self: Box<Self>) -> Result<(), CacheError> {
        Ok(())
    }
}

/// The keys of a location's entries.
fn span(location: &Location) -> std::ops::RangeInclusive<(Location, [u8; 16])> {
    (*location, [0; 16])..=(*location, [0xFF; 16])
}

/// Any order that has nothing to do with time will do; nobody takes this store's disk.
fn cursor(put: &PutEntry) -> [u8; 16] {
    let digest = hash(
        labels::STORE_BLIND,
        &[b"cursor", &put.location.0, &put.bytes],
    );
    core::array::from_fn(|i| digest[i])
}
