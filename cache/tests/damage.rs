//! Flipped bits, shortened files, zeroed blocks, in every file of the store: it opens, nothing panics, nothing wrong is
//! served, and what lies in undamaged slots is still there.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{
    Dice, SMALL, chunks_of, close, copy_dir, entries_of, entry, extent, files, open, opened,
    reference,
};
use oboro_cache::{Put, Store};
use oboro_crypto::NodeId;

const EXTENTS: u64 = 4;
const ENTRIES: u64 = 60;

/// The layout of slot files, as `slots.rs` has it: 32 headers of 256 bytes, then 32 bodies, again and again.
const HEADERS: usize = 32 * 256;
const CHUNK: usize = 32_768;
const GROUP: usize = HEADERS + 32 * CHUNK;

#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip,
    Truncate,
    Zero,
}

/// Damages a file. Says from which byte on.
fn damage(path: &Path, how: Damage, dice: &mut Dice) -> usize {
    let mut bytes = fs::read(path).expect("read");
    let at = dice.below(bytes.len() as u64) as usize;
    match how {
        Damage::Flip => bytes[at] ^= 1 << dice.below(8),
        Damage::Truncate => bytes.truncate(at),
        Damage::Zero => {
            let end = (at + 16 * 1024).min(bytes.len());
            bytes[at..end].fill(0);
        }
    }
    fs::write(path, bytes).expect("written");
    at
}

/// A closed store to damage copies of.
fn original(dir: &Path) {
    let mut store = opened(dir, SMALL);
    for n in 0..EXTENTS {
        store.put_extent(extent(n, 32)).expect("put");
        store.flush().expect("flushed");
    }
    for n in 0..ENTRIES {
        store.put_entry(entry(n, n % 5)).expect("put");
    }
    store
        .put_descriptors(&[(NodeId([1; 32]), b"node".to_vec())])
        .expect("put");
    store
        .refuse(&[reference(99, 0), reference(98, 0)])
        .expect("refused");
    close(store);
}

/// Opens a damaged store and counts chunks and entries served; each is checked byte for byte. Then puts all again and
/// expects all.
fn survivors(dir: &Path) -> (usize, usize) {
    let (mut store, _) = open(dir, SMALL).expect("a damaged store opens");
    let mut chunks = 0;
    for n in 0..EXTENTS {
        let served = chunks_of(&mut store, n, 32);
        chunks += served.iter().filter(|served| **served).count();
        let put = store.put_extent(extent(n, 32)).expect("put");
        let expected = if served.contains(&false) {
            Put::Stored
        } else {
            Put::Already
        };
        assert_eq!(put, expected);
        assert!(common::is_whole(&mut store, n, 32));
    }
    let entries = (0..5).map(|at| entries_of(&mut store, at).len()).sum();
    assert!(store.is_refused(&reference(99, 0)) && store.is_refused(&reference(98, 0)));
    store.descriptors().expect("read");
    store.flush().expect("flushed");
    assert!(common::bytes_of(dir) <= SMALL.quota);
    (chunks, entries)
}

/// Damages every file chosen by `choose` in every way, `seeds` times, and hands each outcome to `check`.
fn for_each_damage(
    seeds: u64,
    choose: impl Fn(&str) -> bool,
    check: impl Fn(&str, Damage, usize, (usize, usize)),
) {
    let scratch = tempfile::tempdir().expect("a directory");
    let (whole, bad) = (scratch.path().join("whole"), scratch.path().join("bad"));
    original(&whole);
    let mut tried = 0;
    let candidates: Vec<PathBuf> = files(&whole);
    for path in candidates {
        let name = path
            .strip_prefix(&whole)
            .expect("below")
            .to_string_lossy()
            .into_owned();
        if !choose(&name) || fs::metadata(&path).map_or(0, |metadata| metadata.len()) == 0 {
            continue;
        }
        for how in [Damage::Flip, Damage::Truncate, Damage::Zero] {
            for seed in 0..seeds {
                let mut dice = Dice::new(seed * 3 + how as u64);
                copy_dir(&whole, &bad);
                let at = damage(&bad.join(&name), how, &mut dice);
                check(&name, how, at, survivors(&bad));
                tried += 1;
            }
        }
    }
    assert!(tried > 0, "nothing was damaged");
}

const ALL: (usize, usize) = (EXTENTS as usize * 32, ENTRIES as usize);

#[test]
fn damage_to_the_database_loses_no_chunk_and_no_entry() {
    for_each_damage(
        12,
        |name| name.starts_with("db"),
        |name, how, at, served| assert_eq!(served, ALL, "{how:?} of {name} at {at}"),
    );
}

#[test]
fn damage_to_a_small_file_loses_no_chunk_and_no_entry() {
    for_each_damage(
        4,
        |name| {
            !name.starts_with("db") && !name.starts_with("chunks") && !name.starts_with("entries")
        },
        |name, how, at, served| assert_eq!(served, ALL, "{how:?} of {name} at {at}"),
    );
}

#[test]
fn damage_to_chunks_loses_those_it_hits_and_no_other() {
    for_each_damage(
        10,
        |name| name.starts_with("chunks"),
        |name, how, at, (chunks, entries)| {
            let least = match how {
                Damage::Flip => ALL.0 - 1,
                // a block of 16 KiB hits one or two bodies, or the headers of one group and a body
                Damage::Zero => ALL.0 - 33,
                Damage::Truncate => {
                    let in_group = (at % GROUP).saturating_sub(HEADERS) / CHUNK;
                    at / GROUP * 32 + in_group
                }
            };
            assert!(
                chunks >= least,
                "{how:?} of {name} at {at}: {chunks} of {least}"
            );
            assert_eq!(entries, ALL.1);
        },
    );
}

#[test]
fn damage_to_entries_loses_those_it_hits_and_no_other() {
    for_each_damage(
        10,
        |name| name.starts_with("entries"),
        |name, how, at, (chunks, entries)| {
            let least = match how {
                Damage::Flip => ALL.1 - 1,
                // a block of 16 KiB hits 14 bodies, or the headers of one group and 7 bodies of it or its neighbour
                Damage::Zero => ALL.1 - 40,
                Damage::Truncate => 0,
            };
            assert!(
                entries >= least,
                "{how:?} of {name} at {at}: {entries} of {least}"
            );
            assert_eq!(chunks, ALL.0);
        },
    );
}

#[test]
fn damage_to_chunks_and_a_lost_database_together_lose_no_other_chunk() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (whole, bad) = (scratch.path().join("whole"), scratch.path().join("bad"));
    original(&whole);
    for seed in 0..12 {
        let mut dice = Dice::new(seed);
        copy_dir(&whole, &bad);
        fs::remove_dir_all(bad.join("db")).expect("removed");
        damage(&bad.join("chunks-000000"), Damage::Flip, &mut dice);
        damage(&bad.join("chunks-000000"), Damage::Zero, &mut dice);
        let (chunks, entries) = survivors(&bad);
        assert!(chunks >= ALL.0 - 34, "{chunks} chunks are left");
        assert_eq!(entries, ALL.1);
    }
}

#[test]
fn the_list_of_references_survives_the_loss_of_a_header() {
    let dir = tempfile::tempdir().expect("a directory");
    original(dir.path());
    fs::remove_dir_all(dir.path().join("db")).expect("removed");
    let path = dir.path().join("chunks-000000");
    let mut bytes = fs::read(&path).expect("read");
    bytes[5 * 256 + 100] ^= 1;
    fs::write(&path, bytes).expect("written");
    let mut store = opened(dir.path(), SMALL);
    let info = store
        .extent(&common::location(0))
        .expect("listed")
        .expect("held");
    assert_eq!(info.references, extent(0, 32).references);
    assert_eq!(info.present, !(1 << 5));
}

#[test]
fn every_file_damaged_at_once_leaves_a_store_that_works() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (whole, bad) = (scratch.path().join("whole"), scratch.path().join("bad"));
    original(&whole);
    for seed in 0..12 {
        let mut dice = Dice::new(seed);
        copy_dir(&whole, &bad);
        for path in files(&bad) {
            if fs::metadata(&path).map_or(0, |metadata| metadata.len()) > 0
                && !path.to_string_lossy().contains("refusals-b")
            {
                damage(&path, Damage::Zero, &mut dice);
            }
        }
        survivors(&bad);
    }
}

#[test]
fn what_is_put_again_is_mended_though_nobody_has_read_it() {
    let dir = tempfile::tempdir().expect("a directory");
    original(dir.path());
    for (name, at) in [
        ("chunks-000000", GROUP + HEADERS + 3 * CHUNK),
        ("entries-000000", HEADERS),
    ] {
        let path = dir.path().join(name);
        let mut bytes = fs::read(&path).expect("read");
        bytes[at + 100] ^= 1;
        fs::write(&path, bytes).expect("written");
    }
    let mut store = opened(dir.path(), SMALL);
    let puts = |store: &mut dyn Store| {
        let extents = (0..EXTENTS).map(|n| store.put_extent(extent(n, 32)));
        let mut puts: Vec<_> = extents.map(|put| put.expect("put")).collect();
        let entries = (0..ENTRIES).map(|n| store.put_entry(entry(n, n % 5)));
        puts.extend(entries.map(|put| put.expect("put")));
        puts.iter().filter(|put| **put == Put::Stored).count()
    };
    assert_eq!(puts(&mut store), 2);
    assert_eq!(puts(&mut store), 0);
    assert_eq!(store.stats().damaged, 2);
    assert!((0..EXTENTS).all(|n| common::is_whole(&mut store, n, 32)));
}
