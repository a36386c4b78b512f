//! Room: growing, evicting, shrinking, within the quota.
//!
//! Promises: files grow only where the shares allow it, after eviction where they do not; whole extents go, chosen by
//! `evict` among a random sample; entries go by `entry_list`.
//!
//! Does not know: what the room is for.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{Parts, Result};
use crate::entry_list::{Strength, Verdict, contest};
use crate::evict::{Candidate, first_to_go, may_replace};
use crate::index::{ENTRY, EXTENT, Index, Record};
use crate::limits::{ENTRIES_PER_LOCATION_MAX, EVICTION_SAMPLE, EXTENT_CHUNKS_MAX};
use crate::record::{EntryRecord, ExtentRecord};
use crate::sealing::{BLIND_LEN, random};

/// Tries to make room for one put: each frees at least a chunk, or the put is refused.
const TRIES_MAX: usize = 2 * EXTENT_CHUNKS_MAX;

impl Parts {
    /// Free slots for `count` chunks of the extent at `key`; `None` if all that a sample holds is worth more.
    pub(super) fn room_for_chunks(
        &mut self,
        index: &mut Index,
        count: usize,
        incoming: &Candidate,
        today: u32,
        key: &[u8],
    ) -> Result<Option<Vec<u32>>> {
        for _ in 0..TRIES_MAX {
            if let Some(slots) = self.chunks.take_together(count) {
                return Ok(Some(slots));
            }
            if self.chunks.may_grow(self.aside)
                && self.home.may_grow(self.chunks.step())?
                && self.chunks.grow()?
            {
                continue;
            }
            if self.aside > 0 {
                self.home.discard_aside()?;
                self.aside = 0;
                continue;
            }
            if let Some(slots) = self.chunks.take_anywhere(count) {
                return Ok(Some(slots));
            }
            if !self.evict_extent(index, incoming, today, key)? {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// A free slot for an entry at the location whose keys begin with `prefix`; `None` if those held are stronger.
    pub(super) fn room_for_entry(
        &mut self,
        index: &mut Index,
        prefix: &[u8],
        new: &Strength,
    ) -> Result<Option<u32>> {
        if index.count(prefix, ENTRIES_PER_LOCATION_MAX)? >= ENTRIES_PER_LOCATION_MAX {
            let from = Bound::Included(prefix);
            let held = index.scan(&self.sealing, prefix, from, ENTRIES_PER_LOCATION_MAX)?;
            if !self.evict_entry(index, &held, new)? {
                return Ok(None);
            }
        }
        if let Some(slots) = self.entries.take_together(1) {
            return Ok(slots.first().copied());
        }
        let grown = self.entries.may_grow(0)
            && self.home.may_grow(self.entries.step())?
            && self.entries.grow()?;
        if !grown {
            let sample = self.sample(index, ENTRY)?;
            if !self.evict_entry(index, &sample, new)? {
                return Ok(None);
            }
        }
        let slots = self.entries.take_together(1);
        Ok(slots.and_then(|slots| slots.first().copied()))
    }

    /// Shrinks the files to their shares, if the quota has become smaller: what lies at their end goes.
    pub(super) fn fit(&mut self, index: &mut Index) -> Result<()> {
        if self.chunks.len() + self.aside > self.chunks.budget() && self.aside > 0 {
            self.home.discard_aside()?;
            self.aside = 0;
        }
        let chunks = self.chunks.excess(self.chunks.budget());
        let entries = self.entries.excess(self.entries.budget());
        if chunks.is_none() && entries.is_none() {
            return Ok(());
        }
        let mut gone = Vec::new();
        index.for_each(&self.sealing, EXTENT, |key, value| {
            let record = ExtentRecord::decode(&value);
            let beyond = |record: &ExtentRecord| {
                record.slots().any(|slot| chunks.is_some_and(|c| slot >= c))
            };
            gone.extend(record.filter(beyond).map(|record| (key, record)));
        })?;
        for (key, record) in gone {
            self.remove_extent(index, &key, &record)?;
            self.counters.evictions += 1;
        }
        let mut gone = Vec::new();
        index.for_each(&self.sealing, ENTRY, |key, value| {
            let record = EntryRecord::decode(&value);
            let beyond = |record: &EntryRecord| entries.is_some_and(|e| record.slot >= e);
            gone.extend(record.filter(beyond).map(|record| (key, record)));
        })?;
        for (key, record) in gone {
            self.remove_entry(index, &key, &record)?;
            self.counters.evictions += 1;
        }
        self.flush(index)?;
        if let Some(slot) = chunks {
            self.chunks.cut(slot)?;
        }
        if let Some(slot) = entries {
            self.entries.cut(slot)?;
        }
        Ok(())
    }

    /// Evicts one extent other than `spare`, unless `incoming` is worth less than all of a sample.
    fn evict_extent(
        &mut self,
        index: &mut Index,
        incoming: &Candidate,
        today: u32,
        spare: &[u8],
    ) -> Result<bool> {
        let sample = self.sample(index, EXTENT)?;
        let sample: Vec<(Vec<u8>, ExtentRecord)> = sample
            .into_iter()
            .filter(|(key, _)| key != spare)
            .filter_map(|(key, value)| Some((key, ExtentRecord::decode(&value)?)))
            .collect();
        let candidates: Vec<Candidate> =
            sample.iter().map(|(_, record)| record.candidate).collect();
        let victim = first_to_go(&candidates, today).and_then(|i| sample.get(i));
        match victim {
            Some((key, record)) if may_replace(incoming, &record.candidate, today) => {
                self.remove_extent(index, key, record)?;
                self.counters.evictions += 1;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Removes the weakest of `held`, unless `new` is weaker than all.
    fn evict_entry(&mut self, index: &mut Index, held: &[Record], new: &Strength) -> Result<bool> {
        let records: Vec<(&[u8], EntryRecord)> = held
            .iter()
            .filter_map(|(key, value)| Some((key.as_slice(), EntryRecord::decode(value)?)))
            .collect();
        let strengths: Vec<Strength> = records
            .iter()
            .map(|(key, record)| Strength {
                work: record.work,
                expires_day: record.expires_day,
                chance: key.last_chunk().copied().unwrap_or_default(),
            })
            .collect();
        let Verdict::Replace(i) = contest(&strengths, new) else {
            return Ok(false);
        };
        if let Some((key, record)) = records.get(i) {
            self.remove_entry(index, key, record)?;
            self.counters.evictions += 1;
        }
        Ok(true)
    }

    /// Records of one kind from a random point of their (blinded) keys on.
    fn sample(&mut self, index: &Index, kind: u8) -> Result<Vec<Record>> {
        let mut start = vec![kind];
        start.extend_from_slice(&random::<BLIND_LEN>()?);
        let mut sample: BTreeMap<_, _> = index
            .scan(
                &self.sealing,
                &[kind],
                Bound::Included(&start),
                EVICTION_SAMPLE,
            )?
            .into_iter()
            .collect();
        if sample.len() < EVICTION_SAMPLE {
            let more = EVICTION_SAMPLE - sample.len();
            let prefix = [kind];
            let first = Bound::Included(prefix.as_slice());
            sample.extend(index.scan(&self.sealing, &prefix, first, more)?);
        }
        Ok(sample.into_iter().collect())
    }
}
