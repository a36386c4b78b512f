//! Entries: putting, paging, expiring.
//!
//! Promises: an entry's cursor is a keyed hash of its bytes, so the same entry is held once, and the order of a page says
//! nothing about when anything came.
//!
//! Does not know: what entries say.

use std::ops::Bound;

use oboro_crypto::Location;

use super::{Parts, Result};
use crate::entry_list::{self, Strength};
use crate::header::{Content, EntryName};
use crate::index::{ENTRY, Index};
use crate::limits::ENTRIES_PER_LOCATION_MAX;
use crate::record::EntryRecord;
use crate::sealing::{BLIND_LEN, Sealing};
use crate::shelf::Found;
use crate::store::{EntryPage, Put, PutEntry};

/// What the keys of a location's entries begin with.
fn entry_prefix(sealing: &Sealing, location: &Location) -> Vec<u8> {
    let mut prefix = vec![ENTRY];
    prefix.extend_from_slice(&sealing.blind(&[&[ENTRY], &location.0]));
    prefix
}

/// The database key of an entry; its last 16 bytes are the cursor.
pub(super) fn entry_key(sealing: &Sealing, location: &Location, bytes: &[u8]) -> Vec<u8> {
    let mut key = entry_prefix(sealing, location);
    key.extend_from_slice(&sealing.blind(&[b"cursor", &location.0, bytes]));
    key
}

fn cursor(key: &[u8]) -> [u8; BLIND_LEN] {
    key.last_chunk().copied().unwrap_or_default()
}

impl Parts {
    /// See [`Store::put_entry`](crate::Store::put_entry).
    pub(super) fn put_entry(&mut self, index: &mut Index, put: &PutEntry) -> Result<Put> {
        let key = entry_key(&self.sealing, &put.location, &put.bytes);
        if let Some(held) = index.get(&self.sealing, &key)? {
            let record = EntryRecord::decode(&held);
            if self
                .read_entry(index, &put.location, &key, record)?
                .is_some()
            {
                return Ok(Put::Already);
            }
        }
        let strength = Strength {
            work: put.work,
            expires_day: put.expires_day,
            chance: cursor(&key),
        };
        let prefix = entry_prefix(&self.sealing, &put.location);
        let Some(slot) = self.room_for_entry(index, &prefix, &strength)? else {
            return Ok(Put::NoRoom);
        };
        let name = EntryName {
            location: put.location,
            expires_day: put.expires_day,
            work: put.work,
            len: put.bytes.len() as u16,
        };
        let stamp = index.stamp();
        let item = (slot, Content::Entry(name), put.bytes.as_slice());
        self.entries.fill(&self.sealing, stamp, &[item])?;
        let record = EntryRecord {
            slot,
            expires_day: put.expires_day,
            work: put.work,
            name: entry_list::name(&put.bytes),
        };
        index.put(&self.sealing, &key, &record.encode())?;
        Ok(Put::Stored)
    }

    /// See [`Store::entries`](crate::Store::entries).
    pub(super) fn entries_at(
        &mut self,
        index: &mut Index,
        location: &Location,
        after: Option<[u8; 16]>,
        max: usize,
    ) -> Result<EntryPage> {
        let prefix = entry_prefix(&self.sealing, location);
        let max = max.min(ENTRIES_PER_LOCATION_MAX);
        let mut from = prefix.clone();
        from.extend_from_slice(&after.unwrap_or_default());
        let start = match after {
            Some(_) => Bound::Excluded(from.as_slice()),
            None => Bound::Included(from.as_slice()),
        };
        let records = index.scan(&self.sealing, &prefix, start, max)?;
        let mut page = Vec::with_capacity(records.len());
        for (key, value) in records {
            let record = EntryRecord::decode(&value);
            if let Some(bytes) = self.read_entry(index, location, &key, record)? {
                page.push((cursor(&key), bytes));
            }
        }
        Ok(page)
    }

    /// See [`Store::names`](crate::Store::names).
    pub(super) fn names(&self, index: &Index, location: &Location) -> Result<Vec<u64>> {
        let prefix = entry_prefix(&self.sealing, location);
        let records = self.entry_records(index, &prefix)?;
        let mut names: Vec<u64> = records.iter().map(|record| record.name).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// All records whose keys begin with a location's prefix.
    pub(super) fn entry_records(&self, index: &Index, prefix: &[u8]) -> Result<Vec<EntryRecord>> {
        let start = Bound::Included(prefix);
        let all = index.scan(&self.sealing, prefix, start, ENTRIES_PER_LOCATION_MAX)?;
        Ok(all
            .iter()
            .filter_map(|(_, value)| EntryRecord::decode(value))
            .collect())
    }

    /// See [`Store::expire`](crate::Store::expire).
    pub(super) fn expire(&mut self, index: &mut Index, today: u32) -> Result<u64> {
        let mut gone = Vec::new();
        index.for_each(&self.sealing, ENTRY, |key, value| {
            let record = EntryRecord::decode(&value);
            let expired = record.filter(|record| record.expires_day < today);
            gone.extend(expired.map(|record| (key, record)));
        })?;
        for (key, record) in &gone {
            self.remove_entry(index, key, record)?;
        }
        Ok(gone.len() as u64)
    }

    /// Removes an entry.
    pub(super) fn remove_entry(
        &mut self,
        index: &mut Index,
        key: &[u8],
        record: &EntryRecord,
    ) -> Result<()> {
        // first the slot: after a crash in between the record points at nothing, and nothing comes back
        self.entries.erase(&[record.slot])?;
        index.remove(&self.sealing, key)
    }

    /// The bytes of an entry, or `None` after dropping it, if the slot does not hold what the key names.
    fn read_entry(
        &mut self,
        index: &mut Index,
        location: &Location,
        key: &[u8],
        record: Option<EntryRecord>,
    ) -> Result<Option<Vec<u8>>> {
        let Some(record) = record else {
            return Ok(None);
        };
        let mut found = self.entries.read(&self.sealing, &[record.slot])?;
        if let Some(Found::Held(_, bytes)) = found.pop()
            && entry_key(&self.sealing, location, &bytes) == key
        {
            return Ok(Some(bytes));
        }
        self.counters.damaged += 1;
        self.remove_entry(index, key, &record)?;
        Ok(None)
    }
}
