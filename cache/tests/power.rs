//! The power fails: of what was written since the last flush, any part may have reached the disk, block by block.
//!
//! A copy of the directory at a flush and one taken some unflushed changes later are mixed at random, by blocks of 4 KiB.
//! That is worse than any disk, which at least keeps what the database has synced on its own.

mod common;

use std::fs;
use std::path::Path;

use common::{
    Dice, SMALL, chunks_of, copy_dir, entries_of, entry, extent, extent_at, files, is_whole, open,
    opened,
};
use oboro_cache::{Put, Store};

const BLOCK: usize = 4_096;

fn count(n: u64) -> usize {
    1 + (n % 12) as usize
}

/// Mixes the files of `old` and `new` into `mixed`.
fn mix(old: &Path, new: &Path, mixed: &Path, dice: &mut Dice) {
    copy_dir(old, mixed);
    for path in files(new) {
        let name = path.strip_prefix(new).expect("below");
        let newer = fs::read(&path).expect("read");
        let older = fs::read(old.join(name)).ok();
        let is_new = older.is_none();
        if is_new && dice.below(2) == 0 {
            continue;
        }
        let older = older.unwrap_or_default();
        let len = if dice.below(2) == 0 {
            older.len()
        } else {
            newer.len()
        };
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let at = bytes.len();
            let from = if dice.below(2) == 0 { &older } else { &newer };
            let end = (at + BLOCK).min(len);
            let block = from.get(at..end.min(from.len())).unwrap_or_default();
            bytes.extend_from_slice(block);
            bytes.resize(end, 0);
        }
        let target = mixed.join(name);
        fs::create_dir_all(target.parent().expect("in a directory")).expect("made");
        fs::write(target, bytes).expect("written");
    }
    for path in files(old) {
        let name = path.strip_prefix(old).expect("below");
        if !new.join(name).exists() && dice.below(2) == 0 {
            fs::remove_file(mixed.join(name)).expect("removed");
        }
    }
}

#[test]
fn everything_acknowledged_survives_any_mixture_of_blocks() {
    for seed in 0..40 {
        let scratch = tempfile::tempdir().expect("a directory");
        let dir = scratch.path().join("cache");
        let mut dice = Dice::new(seed);
        let mut store = opened(&dir, SMALL);
        let mut numbers = 0..;
        let mut put_some = |store: &mut dyn Store, dice: &mut Dice| {
            for n in numbers.by_ref().take(4 + dice.below(12) as usize) {
                store.put_extent(extent(n, count(n))).expect("put");
                store.put_entry(entry(n, n % 3)).expect("put");
                chunks_of(store, dice.below(n + 1), 1);
            }
            numbers.start
        };
        put_some(&mut store, &mut dice);
        let acknowledged = put_some(&mut store, &mut dice);
        store.flush().expect("flushed");
        let (old, new) = (scratch.path().join("old"), scratch.path().join("new"));
        copy_dir(&dir, &old);
        let all = put_some(&mut store, &mut dice);
        if seed % 2 == 0 {
            store.flush().expect("flushed");
        }
        copy_dir(&dir, &new);
        drop(store);

        let mixed = scratch.path().join("mixed");
        mix(&old, &new, &mixed, &mut dice);
        let (mut store, _) = open(&mixed, SMALL).expect("opens");
        for n in 0..acknowledged {
            assert!(
                is_whole(&mut store, n, count(n)),
                "extent {n} is lost, seed {seed}"
            );
            assert!(
                entries_of(&mut store, n % 3).contains(&n),
                "entry {n} is lost, seed {seed}"
            );
        }
        for n in acknowledged..all {
            chunks_of(&mut store, n, count(n));
        }
    }
}

/// Puts extents that are ever nearer, so that the eldest are evicted and their slots written anew.
fn put_nearer(store: &mut dyn Store, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let mut distance = [0; 32];
        distance[..8].copy_from_slice(&(u64::MAX - (n << 44)).to_be_bytes());
        store
            .put_extent(extent_at(n, 32, distance, 100))
            .expect("put");
        store.put_entry(entry(n, 1)).expect("put");
    }
}

#[test]
fn slots_written_anew_are_never_served_under_their_old_names() {
    let scratch = tempfile::tempdir().expect("a directory");
    let [dir, old, new, mixed] =
        ["cache", "old", "new", "mixed"].map(|name| scratch.path().join(name));
    let mut store = opened(&dir, SMALL);
    put_nearer(&mut store, 0..20);
    store.flush().expect("flushed");
    copy_dir(&dir, &old);
    put_nearer(&mut store, 20..26);
    copy_dir(&dir, &new);
    assert!(store.stats().evictions > 6);
    drop(store);
    for seed in 0..12 {
        // first the two extremes: the database of before, the slots of after, and the reverse
        match seed {
            0 | 1 => {
                let (database, slots) = if seed == 0 {
                    (&old, &new)
                } else {
                    (&new, &old)
                };
                copy_dir(slots, &mixed);
                copy_dir(&database.join("db"), &mixed.join("db"));
                fs::copy(database.join("mark"), mixed.join("mark")).expect("copied");
            }
            _ => mix(&old, &new, &mixed, &mut Dice::new(seed)),
        }
        let (mut store, report) = open(&mixed, SMALL).expect("opens");
        assert!(seed > 1 || !report.rebuilt, "the database itself is whole");
        let served = (0..26)
            .filter(|&n| chunks_of(&mut store, n, 32).contains(&true))
            .count();
        assert!(served > 0);
        entries_of(&mut store, 1);
        for n in 40..46 {
            let nearest = extent_at(n, 32, [0; 32], 100);
            assert_eq!(store.put_extent(nearest).expect("put"), Put::Stored);
        }
        store.flush().expect("flushed");
        assert!((40..46).all(|n| is_whole(&mut store, n, 32)), "seed {seed}");
    }
}
