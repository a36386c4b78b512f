//! Extents: putting, listing, reading.
//!
//! Promises: what is served was read off the slot its record names, says that it is that chunk, and authenticates;
//! anything else is dropped and counted, and written again when the extent is put again.
//!
//! Does not know: how room is made (`room`).

use oboro_crypto::{Location, Reference};

use super::{Parts, Result};
use crate::evict::Candidate;
use crate::header::{ChunkName, Content};
use crate::index::{EXTENT, Index};
use crate::record::{ChunkRecord, ExtentRecord};
use crate::sealing::{Blind, Sealing};
use crate::shelf::Found;
use crate::store::{ExtentInfo, Put, PutExtent};
use crate::validate;

/// The database key of an extent.
pub(super) fn extent_key(sealing: &Sealing, location: &Location) -> Vec<u8> {
    let mut key = vec![EXTENT];
    key.extend_from_slice(&blind(sealing, location));
    key
}

fn blind(sealing: &Sealing, location: &Location) -> Blind {
    sealing.blind(&[&[EXTENT], &location.0])
}

impl Parts {
    /// Whether one of the references is refused.
    pub(super) fn refuses(&self, references: &[Reference]) -> bool {
        references
            .iter()
            .any(|reference| self.refusals.contains(reference))
    }

    /// See [`Store::put_extent`](crate::Store::put_extent).
    pub(super) fn put_extent(&mut self, index: &mut Index, put: &PutExtent) -> Result<Put> {
        let key = extent_key(&self.sealing, &put.location);
        let mut record = match self.extent_record(index, &key)? {
            Some(held) => with_references(held, &put.references)?,
            None => new_record(put),
        };
        self.drop_unreadable(index, &put.location, &mut record)?;
        let missing: Vec<usize> = (0..record.chunks.len())
            .filter(|&i| {
                record
                    .chunks
                    .get(i)
                    .is_some_and(|chunk| chunk.slot.is_none())
            })
            .collect();
        if missing.is_empty() {
            return Ok(Put::Already);
        }
        let incoming = Candidate {
            asked: record.candidate.asked,
            ..new_candidate(put)
        };
        let room = self.room_for_chunks(index, missing.len(), &incoming, put.today, &key)?;
        let Some(slots) = room else {
            return Ok(Put::NoRoom);
        };
        self.fill_chunks(index, put, &missing, &slots)?;
        for (&i, slot) in missing.iter().zip(slots) {
            if let Some(chunk) = record.chunks.get_mut(i) {
                chunk.slot = Some(slot);
            }
        }
        index.put(&self.sealing, &key, &record.encode())?;
        Ok(Put::Stored)
    }

    /// See [`Store::extent`](crate::Store::extent).
    pub(super) fn extent(
        &mut self,
        index: &mut Index,
        location: &Location,
    ) -> Result<Option<ExtentInfo>> {
        let key = extent_key(&self.sealing, location);
        let record = self.extent_record(index, &key)?;
        Ok(record.and_then(|record| {
            let references = record.references()?;
            let present = record.present();
            (!self.refuses(&references)).then_some(ExtentInfo {
                references,
                present,
            })
        }))
    }

    /// See [`Store::read`](crate::Store::read), which counts as a request, and [`Store::copy`](crate::Store::copy).
    pub(super) fn read(
        &mut self,
        index: &mut Index,
        location: &Location,
        indexes: &[u8],
        counts: bool,
    ) -> Result<Vec<Option<Vec<u8>>>> {
        let key = extent_key(&self.sealing, location);
        let Some(mut record) = self.extent_record(index, &key)? else {
            return Ok(vec![None; indexes.len()]);
        };
        let mut wanted = indexes.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let mut bodies = self.read_chunks(index, location, &mut record, &wanted)?;
        if counts && bodies.iter().any(Option::is_some) {
            self.count_request(index, location, &mut record)?;
        }
        Ok(hand_out(indexes, &wanted, &mut bodies))
    }

    /// The record of an extent.
    pub(super) fn extent_record(&self, index: &Index, key: &[u8]) -> Result<Option<ExtentRecord>> {
        let value = index.get(&self.sealing, key)?;
        Ok(value.and_then(|value| ExtentRecord::decode(&value)))
    }

    /// Removes an extent in whole.
    pub(super) fn remove_extent(
        &mut self,
        index: &mut Index,
        key: &[u8],
        record: &ExtentRecord,
    ) -> Result<()> {
        let slots: Vec<u32> = record.slots().collect();
        // first the slots: after a crash in between the record points at nothing, and nothing comes back
        self.chunks.erase(&slots)?;
        if let Some(blind) = key.last_chunk() {
            self.heat.forget(blind);
        }
        index.remove(&self.sealing, key)
    }

    /// Reads the chunks with these indexes (sorted, each once), and drops what is not what it should be.
    fn read_chunks(
        &mut self,
        index: &mut Index,
        location: &Location,
        record: &mut ExtentRecord,
        wanted: &[u8],
    ) -> Result<Vec<Option<Vec<u8>>>> {
        let held: Vec<(usize, u32)> = wanted
            .iter()
            .filter_map(|&i| Some((usize::from(i), record.chunks.get(usize::from(i))?)))
            .filter(|(_, chunk)| {
                chunk
                    .reference
                    .is_some_and(|name| !self.refusals.contains(&name))
            })
            .filter_map(|(i, chunk)| Some((i, chunk.slot?)))
            .collect();
        let slots: Vec<u32> = held.iter().map(|(_, slot)| *slot).collect();
        let found = self.chunks.read(&self.sealing, &slots)?;
        let mut bodies = vec![None; wanted.len()];
        let mut bad = Vec::new();
        for ((i, slot), found) in held.into_iter().zip(found) {
            match found {
                Found::Held(Content::Chunk(name), body) if is_chunk(&name, location, record, i) => {
                    let place = wanted.iter().position(|&want| usize::from(want) == i);
                    if let Some(place) = place.and_then(|place| bodies.get_mut(place)) {
                        *place = Some(body);
                    }
                }
                _ => bad.push((i, slot)),
            }
        }
        self.drop_chunks(index, location, record, &bad)?;
        Ok(bodies)
    }

    /// Reads every chunk of a held extent and drops what is not what it should be: "already" is a promise too.
    fn drop_unreadable(
        &mut self,
        index: &mut Index,
        location: &Location,
        record: &mut ExtentRecord,
    ) -> Result<()> {
        let all: Vec<u8> = (0..record.chunks.len() as u8).collect();
        self.read_chunks(index, location, record, &all)?;
        Ok(())
    }

    fn drop_chunks(
        &mut self,
        index: &mut Index,
        location: &Location,
        record: &mut ExtentRecord,
        bad: &[(usize, u32)],
    ) -> Result<()> {
        if bad.is_empty() {
            return Ok(());
        }
        self.counters.damaged += bad.len() as u64;
        let slots: Vec<u32> = bad.iter().map(|(_, slot)| *slot).collect();
        self.chunks.erase(&slots)?;
        for &(i, _) in bad {
            if let Some(chunk) = record.chunks.get_mut(i) {
                chunk.slot = None;
            }
        }
        let key = extent_key(&self.sealing, location);
        if record.present() == 0 {
            self.remove_extent(index, &key, record)
        } else {
            index.put(&self.sealing, &key, &record.encode())
        }
    }

    fn fill_chunks(
        &mut self,
        index: &mut Index,
        put: &PutExtent,
        missing: &[usize],
        slots: &[u32],
    ) -> Result<()> {
        let stamp = index.stamp();
        let named = missing.iter().filter_map(|&i| {
            let content = Content::Chunk(chunk_name(put, i)?);
            Some((content, put.chunks.get(i)?.as_slice()))
        });
        let items: Vec<_> = slots
            .iter()
            .zip(named)
            .map(|(&slot, (content, body))| (slot, content, body))
            .collect();
        Ok(self.chunks.fill(&self.sealing, stamp, &items)?)
    }

    fn count_request(
        &mut self,
        index: &mut Index,
        location: &Location,
        record: &mut ExtentRecord,
    ) -> Result<()> {
        let name = blind(&self.sealing, location);
        if let Some(asked) = self.heat.ask(name, record.candidate.asked) {
            record.candidate.asked = asked;
            let key = extent_key(&self.sealing, location);
            index.put(&self.sealing, &key, &record.encode())?;
        }
        Ok(())
    }
}

/// Puts the bodies read for `wanted` (each once) in the order asked; only what is asked twice is copied.
fn hand_out(indexes: &[u8], wanted: &[u8], bodies: &mut [Option<Vec<u8>>]) -> Vec<Option<Vec<u8>>> {
    let mut out: Vec<Option<Vec<u8>>> = Vec::with_capacity(indexes.len());
    for (at, index) in indexes.iter().enumerate() {
        let before = indexes.iter().position(|earlier| earlier == index);
        let body = match before.filter(|&before| before < at) {
            Some(before) => out.get(before).cloned().flatten(),
            None => wanted
                .iter()
                .position(|want| want == index)
                .and_then(|place| bodies.get_mut(place)?.take()),
        };
        out.push(body);
    }
    out
}

fn is_chunk(name: &ChunkName, location: &Location, record: &ExtentRecord, i: usize) -> bool {
    let expected = record.chunks.get(i).and_then(|chunk| chunk.reference);
    name.location == *location && usize::from(name.index) == i && Some(name.reference) == expected
}

fn new_candidate(put: &PutExtent) -> Candidate {
    Candidate {
        distance: Candidate::leading(&put.distance),
        asked: 0,
        day: put.today,
    }
}

fn new_record(put: &PutExtent) -> ExtentRecord {
    let chunk = |reference: &Reference| ChunkRecord {
        reference: Some(*reference),
        slot: None,
    };
    ExtentRecord {
        placement: put.index,
        candidate: new_candidate(put),
        chunks: put.references.iter().map(chunk).collect(),
    }
}

/// The record with the references that were lost to damage, if those that were not are the same.
fn with_references(mut held: ExtentRecord, references: &[Reference]) -> Result<ExtentRecord> {
    let known = held.chunks.iter().zip(references);
    let known: Vec<Reference> = known
        .map(|(chunk, put)| chunk.reference.unwrap_or(*put))
        .collect();
    if held.chunks.len() == references.len() {
        validate::same_references(&known, references)?;
    } else {
        validate::same_references(&[], references)?;
    }
    for (chunk, reference) in held.chunks.iter_mut().zip(references) {
        chunk.reference = Some(*reference);
    }
    Ok(held)
}

fn chunk_name(put: &PutExtent, i: usize) -> Option<ChunkName> {
    let count = put.references.len();
    Some(ChunkName {
        location: put.location,
        placement: put.index,
        index: u8::try_from(i).ok()?,
        count: u8::try_from(count).ok()?,
        day: put.today,
        distance: Candidate::leading(&put.distance),
        reference: *put.references.get(i)?,
        next: *put.references.get((i + 1) % count)?,
    })
}
