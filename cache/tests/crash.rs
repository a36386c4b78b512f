//! A writer is killed at random moments; whoever opens the directory next finds everything that was acknowledged.
//!
//! The writer is this very test binary, started again with a directory in its environment. It says on its standard output
//! what was flushed; what it did not get to say is not acknowledged.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{
    Dice, chunks_of, entries_of, entry, extent, extent_at, is_whole, open, opened, with_quota,
};
use oboro_cache::{CacheConfig, Store};

const DIR: &str = "OBORO_CACHE_CRASH_DIR";
const SEED: &str = "OBORO_CACHE_CRASH_SEED";
const FROM: &str = "OBORO_CACHE_CRASH_FROM";
const EVICT: &str = "OBORO_CACHE_CRASH_EVICT";

/// Nothing is evicted.
const ROOMY: u64 = 512 << 20;
/// Room for about ten extents.
const TIGHT: u64 = 24 << 20;

/// Not a test of its own: what the killed process does.
#[test]
fn writer() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    let (seed, from): (u64, u64) = (number(SEED), number(FROM));
    if std::env::var(EVICT).is_ok() {
        evicting_writer(Path::new(&dir), from);
    } else {
        adding_writer(Path::new(&dir), seed, from);
    }
}

/// Adds extents and entries with ever higher numbers, and says which after each flush.
fn adding_writer(dir: &Path, seed: u64, from: u64) {
    let mut store = opened(dir, with_quota(ROOMY));
    let mut dice = Dice::new(seed);
    let mut next = from;
    loop {
        let first = next;
        for _ in 0..1 + dice.below(6) {
            if dice.below(3) == 0 {
                store.put_entry(entry(next, next)).expect("put");
            } else {
                store.put_extent(extent(next, count(next))).expect("put");
            }
            // reading counts requests, which changes records
            let earlier = dice.below(next + 1);
            chunks_of(&mut store, earlier, count(earlier));
            next += 1;
        }
        store.flush().expect("flushed");
        say(first, next);
    }
}

/// Puts extents that are ever nearer, so that always the eldest are evicted.
fn evicting_writer(dir: &Path, from: u64) {
    let mut store = opened(dir, with_quota(TIGHT));
    for next in from.. {
        store.put_extent(nearer(next)).expect("put");
        store.flush().expect("flushed");
        say(next, next + 1);
    }
}

fn say(first: u64, end: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "flushed {first} {end}").expect("said");
    out.flush().expect("said");
}

fn count(n: u64) -> usize {
    1 + (n % 9) as usize
}

fn nearer(n: u64) -> oboro_cache::PutExtent {
    let mut distance = [0; 32];
    distance[..8].copy_from_slice(&(u64::MAX - (n << 44)).to_be_bytes());
    extent_at(n, 32, distance, 100)
}

/// Runs the writer and kills it after `patience`. Says what it acknowledged.
fn kill_a_writer(dir: &Path, seed: u64, from: u64, evict: bool, patience: Duration) -> Vec<u64> {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", "writer", "--nocapture"]);
    command
        .env(DIR, dir)
        .env(SEED, seed.to_string())
        .env(FROM, from.to_string());
    if evict {
        command.env(EVICT, "1");
    }
    let spawned = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.expect("the writer starts");
    std::thread::sleep(patience);
    child.kill().expect("killed");
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut said).expect("read");
    }
    let mut complaints = String::new();
    if let Some(mut err) = child.stderr.take() {
        err.read_to_string(&mut complaints).expect("read");
    }
    assert!(
        !complaints.contains("panicked"),
        "the writer failed: {complaints}"
    );
    child.wait().expect("gone");
    acknowledged(&said)
}

/// The numbers on whole lines.
fn acknowledged(said: &str) -> Vec<u64> {
    let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let ranges = whole.lines().filter_map(|line| {
        let (first, end) = line.strip_prefix("flushed ")?.split_once(' ')?;
        Some(first.parse::<u64>().ok()?..end.parse().ok()?)
    });
    ranges.flatten().collect()
}

fn is_there(store: &mut dyn Store, n: u64) -> bool {
    is_whole(store, n, count(n)) || entries_of(store, n) == [n]
}

#[test]
fn everything_acknowledged_survives_a_killed_writer() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut dice = Dice::new(1);
    let mut kept: BTreeSet<u64> = BTreeSet::new();
    let mut next = 0;
    let mut productive = 0;
    for round in 0..40 {
        // now and then the kill hits the middle of a rebuild
        if round % 5 == 4 {
            let _ = fs::remove_dir_all(dir.path().join("db"));
        }
        let patience = Duration::from_millis(dice.below(160));
        let new = kill_a_writer(dir.path(), round, next, false, patience);
        productive += u32::from(!new.is_empty());
        kept.extend(new);
        // numbers a killed writer may have used half-way are not used again
        next = kept.last().map_or(next, |last| last + 1).max(next) + 10;
        let config = CacheConfig {
            sled_cache: 1 << 20,
            ..with_quota(ROOMY)
        };
        let (mut store, _) = open(dir.path(), config).expect("opens");
        for &n in &kept {
            assert!(is_there(&mut store, n), "{n} is lost in round {round}");
        }
        for n in 0..next {
            // whatever else is there is right: these look at every byte
            chunks_of(&mut store, n, count(n));
            entries_of(&mut store, n);
        }
    }
    assert!(
        productive >= 10,
        "the writer was killed too early too often"
    );
}

#[test]
fn the_newest_survive_a_writer_killed_while_evicting() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut dice = Dice::new(2);
    let mut next = 0;
    let mut kept = Vec::new();
    for round in 0..15 {
        let patience = Duration::from_millis(40 + dice.below(200));
        kept.extend(kill_a_writer(dir.path(), round, next, true, patience));
        next = kept.last().map_or(next, |last| last + 1).max(next) + 2;
        let mut store = opened(dir.path(), with_quota(TIGHT));
        for n in kept.iter().rev().take(4) {
            assert!(is_whole(&mut store, *n, 32), "{n} is lost in round {round}");
        }
        for n in 0..next {
            chunks_of(&mut store, n, 32);
        }
    }
    assert!(
        kept.len() > 30,
        "{} extents are enough to evict",
        kept.len()
    );
}
