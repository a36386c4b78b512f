//! Rebuilds with everything, with too little room, of copies, and broken off in the middle.

use super::super::{CacheConfig, OpenReport, SledStore};
use crate::header::{ChunkName, Content};
use crate::limits::CHUNK_LEN;
use crate::shelf::Scanned;
use crate::store::{PutEntry, PutExtent, Store};
use oboro_crypto::{Location, NodeId, Reference, Secret};
use std::path::Path;

const QUOTA: u64 = 32 << 20;

fn open(dir: &Path) -> SledStore {
    open_and_report(dir).0
}

fn open_and_report(dir: &Path) -> (SledStore, OpenReport) {
    let config = CacheConfig::for_quota(QUOTA);
    SledStore::open(dir, &Secret::from_bytes([1; 32]), config).expect("opens")
}

fn extent(n: u8) -> PutExtent {
    PutExtent {
        location: Location([n; 32]),
        index: 0,
        references: vec![Reference([n; 32])],
        chunks: vec![vec![n; CHUNK_LEN]],
        distance: [1; 32],
        today: 1,
    }
}

fn entry(n: u8) -> PutEntry {
    PutEntry {
        location: Location([n; 32]),
        bytes: vec![n; 1_000],
        expires_day: 9,
        work: 1,
        today: 1,
    }
}

fn fill(store: &mut SledStore) {
    for n in 0..100 {
        store.put_extent(extent(n)).expect("put");
        store.put_entry(entry(n)).expect("put");
        store
            .put_descriptors(&[(NodeId([n; 32]), vec![n; 300])])
            .expect("put");
    }
    store.flush().expect("flushed");
}

#[test]
fn a_database_that_outgrows_its_share_is_made_anew_with_everything() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path());
    fill(&mut store);
    let stamp = store
        .parts
        .home
        .database()
        .metadata()
        .expect("there")
        .created()
        .ok();
    store.parts.shares.database = 0;
    store.put_extent(extent(200)).expect("put");
    store.parts.shares.database = QUOTA;
    store.flush().expect("flushed");
    let anew = store
        .parts
        .home
        .database()
        .metadata()
        .expect("there")
        .created()
        .ok();
    assert!(stamp.is_none() || stamp != anew);
    drop(store);
    let mut store = open(dir.path());
    assert_eq!(store.descriptors().expect("read").len(), 100);
    let stats = store.stats();
    assert_eq!((stats.damaged, stats.evictions), (0, 0));
}

#[test]
fn what_does_not_fit_into_a_new_database_is_left_out_and_its_slots_are_free() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path());
    fill(&mut store);
    store.parts.shares.database = 0;
    let index = store.parts.rebuild().expect("made anew");
    store.index = Some(index);
    let stats = store.stats();
    assert_eq!((stats.extents, stats.chunks, stats.entries), (0, 0, 0));
    assert_eq!(stats.evictions, 200);
    store.parts.shares.database = QUOTA;
    fill(&mut store);
    assert_eq!(store.stats().chunks, 100);
}

#[test]
fn a_rebuild_broken_off_is_followed_by_another() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path());
    fill(&mut store);
    store.index = None;
    let parts = &mut store.parts;
    let mut index = parts.start_anew().expect("started");
    // as far as the process came: a database that is whole in itself, and of more batches than were ever flushed
    for n in 0..9 {
        index.put(&parts.sealing, &[b'd', n], b"node").expect("put");
        index.flush(&parts.sealing).expect("flushed");
    }
    drop(index);
    drop(store);
    let (store, report) = open_and_report(dir.path());
    assert!(report.rebuilt);
    assert_eq!((report.chunks, report.entries), (100, 100));
    assert_eq!(store.stats().extents, 100);
}

/// Puts a copy of the one chunk of extent 1 into a slot.
fn put_copy(store: &mut SledStore, slot: u32, stamp: u64) {
    let name = ChunkName {
        location: Location([1; 32]),
        placement: 0,
        index: 0,
        count: 1,
        day: 1,
        distance: 1,
        reference: Reference([1; 32]),
        next: Reference([1; 32]),
    };
    let parts = &mut store.parts;
    assert!(parts.chunks.occupy(slot));
    let body = vec![stamp as u8; CHUNK_LEN];
    let item = (slot, Content::Chunk(name), body.as_slice());
    parts
        .chunks
        .fill(&parts.sealing, stamp, &[item])
        .expect("filled");
}

#[test]
fn of_two_copies_the_newer_stays_wherever_it_lies() {
    for slots in [[5, 9], [9, 5], [5, 40], [40, 5]] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut store = open(dir.path());
        for _ in 0..2 {
            assert!(store.parts.chunks.grow().expect("grown"));
        }
        put_copy(&mut store, slots[0], 7);
        put_copy(&mut store, slots[1], 8);
        let index = store.parts.rebuild().expect("made anew");
        store.index = Some(index);
        let read = store.read(&Location([1; 32]), &[0]).expect("read");
        assert!(read == [Some(vec![8; CHUNK_LEN])], "of {slots:?}");
        assert_eq!(store.stats().chunks, 1);
        assert_eq!(stamps(&mut store), [8]);
    }
}

/// The stamps of all slots that have one, sorted.
fn stamps(store: &mut SledStore) -> Vec<u64> {
    let parts = &mut store.parts;
    let mut stamps = Vec::new();
    for group in parts.chunks.groups() {
        for (_, scanned) in parts.chunks.scan(&parts.sealing, group).expect("scanned") {
            if let Scanned::Header(_, stamp) = scanned {
                stamps.push(stamp);
            }
        }
    }
    stamps.sort_unstable();
    stamps
}

#[test]
fn what_is_put_after_a_crash_is_newer_than_what_was_put_and_not_flushed() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path());
    store.put_extent(extent(1)).expect("put");
    store.flush().expect("flushed");
    for n in 2..5 {
        store.put_extent(extent(n)).expect("put");
    }
    let lost = stamps(&mut store).last().copied();
    drop(store);
    let mut store = open(dir.path());
    assert_eq!(store.stats().chunks, 1);
    store.put_extent(extent(9)).expect("put");
    assert!(stamps(&mut store).last().copied() > lost);
}
