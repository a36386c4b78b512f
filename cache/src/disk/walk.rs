//! Walking through what is held, a page at a time, in the order of the database.
//!
//! Keys are blinded, so their order says nothing of locations, which are read off the sealed header of a slot.
//!
//! Promises: memory for one page; nothing is counted as asked for.
//!
//! Does not know: what the walk is for.

use std::ops::Bound;

use super::{Parts, Result};
use crate::entry_list;
use crate::header::Content;
use crate::index::{ENTRY, EXTENT, Index};
use crate::record::{EntryRecord, ExtentRecord};
use crate::sealing::BLIND_LEN;
use crate::store::{ExtentInfo, Held, HeldPage, HeldWhat};

/// Bytes of a mark: the letter of a kind and a blinded location.
const MARK_LEN: usize = 1 + BLIND_LEN;

impl Parts {
    /// See [`Store::held`](crate::Store::held).
    pub(super) fn held(
        &mut self,
        index: &mut Index,
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<HeldPage> {
        let mut page = HeldPage {
            held: Vec::with_capacity(max),
            next: after.map(<[u8]>::to_vec),
        };
        // what is not whole enough to be shown counts too: a page costs what it costs
        for _ in 0..max {
            let Some((key, value)) = self.next_record(index, page.next.as_deref())? else {
                page.next = None;
                return Ok(page);
            };
            let found = if key.first() == Some(&EXTENT) {
                self.held_extent(&value)?
            } else {
                let prefix = key.get(..MARK_LEN).unwrap_or(&key);
                self.held_entries(index, prefix)?
            };
            page.held.extend(found);
            page.next = key.get(..MARK_LEN).map(<[u8]>::to_vec);
        }
        Ok(page)
    }

    /// The first record of the first location after a mark.
    fn next_record(
        &self,
        index: &Index,
        mark: Option<&[u8]>,
    ) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        for kind in [ENTRY, EXTENT] {
            let at = mark.and_then(|mark| mark.first().copied());
            if at.is_some_and(|at| at > kind) {
                continue;
            }
            // no key of a location is longer than this, so all of its entries are behind it
            let beyond = mark.map(|mark| [mark, &[0xFF; BLIND_LEN]].concat());
            let start = match &beyond {
                Some(beyond) if at == Some(kind) => Bound::Excluded(beyond.as_slice()),
                _ => Bound::Included(&[kind][..]),
            };
            let mut found = index.scan(&self.sealing, &[kind], start, 1)?;
            if let Some((key, value)) = found.pop() {
                return Ok(Some((key, value.to_vec())));
            }
        }
        Ok(None)
    }

    fn held_extent(&mut self, value: &[u8]) -> Result<Option<Held>> {
        let Some(record) = ExtentRecord::decode(value) else {
            return Ok(None);
        };
        let (Some(references), Some(slot)) = (record.references(), record.slots().next()) else {
            return Ok(None);
        };
        if self.refuses(&references) {
            return Ok(None);
        }
        let Some(Content::Chunk(name)) = self.chunks.content(&self.sealing, slot)? else {
            return Ok(None);
        };
        let info = ExtentInfo {
            references,
            present: record.present(),
        };
        Ok(Some(Held {
            location: name.location,
            what: HeldWhat::Extent {
                index: record.placement,
                info,
            },
        }))
    }

    fn held_entries(&mut self, index: &Index, prefix: &[u8]) -> Result<Option<Held>> {
        let records: Vec<EntryRecord> = self.entry_records(index, prefix)?;
        let Some(first) = records.first() else {
            return Ok(None);
        };
        let Some(Content::Entry(name)) = self.entries.content(&self.sealing, first.slot)? else {
            return Ok(None);
        };
        let names: Vec<u64> = records.iter().map(|record| record.name).collect();
        Ok(Some(Held {
            location: name.location,
            what: HeldWhat::Entries {
                tally: entry_list::tally(&names),
            },
        }))
    }
}
