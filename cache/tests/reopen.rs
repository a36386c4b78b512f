//! What a store finds when it is opened again: everything, after a rebuild too; or a clear refusal.

mod common;

use std::fs;

use common::{
    SMALL, bytes_of, close, entries_of, entry, extent, extent_at, files, is_whole, key, location,
    open, opened, reference, with_quota,
};
use oboro_cache::{CacheConfig, CacheError, Put, SledStore, Store};
use oboro_crypto::{NodeId, Secret};

/// A closed store with 6 extents, 40 entries, a descriptor and a refusal.
fn filled(dir: &std::path::Path) {
    let mut store = opened(dir, SMALL);
    for n in 0..6 {
        store.put_extent(extent(n, 10 + n as usize)).expect("put");
    }
    for n in 0..40 {
        store.put_entry(entry(n, n % 4)).expect("put");
    }
    store
        .put_descriptors(&[(NodeId([1; 32]), b"node".to_vec())])
        .expect("put");
    store.refuse(&[reference(99, 0)]).expect("refused");
    close(store);
}

fn assert_whole(store: &mut dyn Store) {
    for n in 0..6 {
        assert!(is_whole(store, n, 10 + n as usize), "extent {n}");
        let info = store.extent(&location(n)).expect("listed").expect("held");
        assert_eq!(info.references.len(), 10 + n as usize);
    }
    for at in 0..4 {
        assert_eq!(entries_of(store, at).len(), 10);
    }
    assert!(store.is_refused(&reference(99, 0)));
    let stats = store.stats();
    assert_eq!((stats.extents, stats.chunks, stats.entries), (6, 75, 40));
}

#[test]
fn a_closed_store_opens_with_everything_and_no_rebuild() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path());
    let (mut store, report) = open(dir.path(), SMALL).expect("opens");
    assert!(!report.rebuilt && report.set_aside.is_none() && report.reserve);
    assert_eq!((report.chunks, report.entries, report.damaged), (75, 40, 0));
    assert_whole(&mut store);
    assert!(store.descriptors().expect("read") == [b"node".to_vec()]);
}

#[test]
fn a_new_directory_is_no_rebuild() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, report) = open(&dir.path().join("not/yet/there"), SMALL).expect("opens");
    assert!(!report.rebuilt && report.reserve);
    assert_eq!(store.stats().chunks, 0);
}

#[test]
fn a_lost_database_is_made_anew_from_the_slots() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path());
    fs::remove_dir_all(dir.path().join("db")).expect("removed");
    let (mut store, report) = open(dir.path(), SMALL).expect("opens");
    assert!(report.rebuilt && report.set_aside.is_none());
    assert_whole(&mut store);
    close(store);
    let (mut store, report) = open(dir.path(), SMALL).expect("opens");
    assert!(!report.rebuilt);
    assert_whole(&mut store);
}

#[test]
fn a_database_older_than_the_last_flush_is_found_out() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path());
    let old = dir.path().join("old");
    common::copy_dir(&dir.path().join("db"), &old);
    let mut store = opened(dir.path(), SMALL);
    store.put_extent(extent(50, 8)).expect("put");
    close(store);
    fs::remove_dir_all(dir.path().join("db")).expect("removed");
    fs::rename(&old, dir.path().join("db")).expect("an old copy takes its place");
    let (mut store, report) = open(dir.path(), SMALL).expect("opens");
    assert!(report.rebuilt);
    assert!(is_whole(&mut store, 50, 8));
}

#[test]
fn a_garbled_database_is_set_aside_once_and_made_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path());
    for round in 1..4 {
        for file in files(&dir.path().join("db")) {
            let len = fs::metadata(&file).expect("there").len() as usize;
            fs::write(file, vec![0xA5; len]).expect("garbled");
        }
        let (mut store, report) = open(dir.path(), SMALL).expect("opens");
        let aside = dir.path().join(format!("damaged-{round}"));
        assert!(report.rebuilt);
        assert_eq!(report.set_aside.as_deref(), Some(aside.as_path()));
        assert_whole(&mut store);
        close(store);
        let names = fs::read_dir(dir.path()).expect("listed").flatten();
        let kept = names.filter(|entry| entry.file_name().to_string_lossy().starts_with("damaged"));
        assert_eq!(kept.count(), 1);
    }
}

#[test]
fn evicted_and_expired_things_do_not_come_back_with_a_rebuild() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path());
    let mut store = opened(dir.path(), SMALL);
    store.refuse(&[reference(3, 1)]).expect("refused");
    store.allow(&[reference(3, 1)]).expect("allowed");
    assert_eq!(store.expire(131).expect("expired"), 40);
    close(store);
    fs::remove_dir_all(dir.path().join("db")).expect("removed");
    let (store, report) = open(dir.path(), SMALL).expect("opens");
    assert_eq!((report.chunks, report.entries), (75 - 13, 0));
    assert_eq!(store.stats().extents, 5);
}

#[test]
fn opening_twice_is_an_error_and_harms_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path());
    let mut first = opened(dir.path(), SMALL);
    assert!(matches!(open(dir.path(), SMALL), Err(CacheError::Locked)));
    first.put_extent(extent(7, 3)).expect("put");
    assert_whole_but_for(&mut first);
    close(first);
    assert_whole_but_for(&mut opened(dir.path(), SMALL));
}

fn assert_whole_but_for(store: &mut dyn Store) {
    assert!(is_whole(store, 7, 3));
    assert!((0..6).all(|n| is_whole(store, n, 10 + n as usize)));
}

#[test]
fn another_key_is_refused_and_nothing_is_touched() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path());
    let other = SledStore::open(dir.path(), &Secret::from_bytes([1; 32]), SMALL);
    assert!(matches!(other, Err(CacheError::WrongKey)));
    assert_whole(&mut opened(dir.path(), SMALL));
}

#[test]
fn a_newer_format_is_refused_and_nothing_is_touched() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path());
    let line = "oboro-cache 7 unknown";
    let sum = oboro_crypto::hash::hash(oboro_crypto::labels::STORE_CHECK, &[line.as_bytes()]);
    let sum: String = sum[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let schema = dir.path().join("schema");
    let ours = fs::read(&schema).expect("read");
    fs::write(&schema, format!("{line} {sum}\n")).expect("written");
    let before: Vec<_> = files(dir.path())
        .iter()
        .map(fs::read)
        .map(Result::ok)
        .collect();
    let newer = open(dir.path(), SMALL).map(drop);
    assert!(matches!(
        newer,
        Err(CacheError::NewerVersion { found: 7, known: 1 })
    ));
    let after: Vec<_> = files(dir.path())
        .iter()
        .map(fs::read)
        .map(Result::ok)
        .collect();
    assert!(before == after);
    fs::write(&schema, ours).expect("written");
    assert_whole(&mut opened(dir.path(), SMALL));
}

#[test]
fn a_quota_too_small_names_the_least() {
    let dir = tempfile::tempdir().expect("a directory");
    let Err(CacheError::QuotaTooSmall { least, .. }) = open(dir.path(), with_quota(1 << 20)) else {
        panic!("a MiB is too small")
    };
    let mut store = opened(dir.path(), with_quota(least));
    assert_eq!(store.put_extent(extent(1, 32)).expect("put"), Put::Stored);
}

#[test]
fn a_smaller_quota_is_kept_from_the_moment_of_opening() {
    let dir = tempfile::tempdir().expect("a directory");
    let big = with_quota(64 << 20);
    let mut store = opened(dir.path(), big);
    for n in 0..60 {
        store.put_extent(extent(n, 32)).expect("put");
    }
    for n in 0..3_000 {
        store.put_entry(entry(n, n)).expect("put");
    }
    close(store);
    assert!(bytes_of(dir.path()) > SMALL.quota);
    let mut store = opened(dir.path(), SMALL);
    assert!(bytes_of(dir.path()) <= SMALL.quota);
    let held = (0..60).filter(|&n| is_whole(&mut store, n, 32)).count();
    assert!(held >= 8, "{held} extents are left");
    assert_eq!(store.stats().extents, held as u64);
    assert_eq!(store.stats().damaged, 0);
    let entries = (0..3_000)
        .filter(|&n| entries_of(&mut store, n) == [n])
        .count();
    assert!(entries > 500, "{entries} entries are left");
    let near = extent_at(100, 32, [0; 32], 100);
    assert_eq!(store.put_extent(near).expect("put"), Put::Stored);
    assert!(is_whole(&mut store, 100, 32));
}

#[test]
fn names_and_contents_cannot_be_read_from_the_files() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path());
    let needles: Vec<Vec<u8>> = vec![
        location(1).0.to_vec(),
        reference(1, 2).0.to_vec(),
        reference(99, 0).0.to_vec(),
        common::chunk(1, 2)[..32].to_vec(),
        common::entry_bytes(5)[8..40].to_vec(),
        key().expose().to_vec(),
        b"node".to_vec(),
    ];
    for file in files(dir.path()) {
        let bytes = fs::read(&file).expect("read");
        for needle in &needles {
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "{} tells", file.display());
        }
    }
}

#[test]
fn the_reserve_may_be_left_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = CacheConfig {
        reserve: 0,
        ..SMALL
    };
    let (_, report) = open(dir.path(), config).expect("opens");
    assert!(report.reserve && !dir.path().join("reserve").exists());
}
