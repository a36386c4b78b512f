//! Measures the store on disk: `cargo run --release -p oboro-cache --example bench_cache -- [MIB] [DIR]`.
//!
//! Fills a store with MIB (default 1,024) of 1 MiB extents, eight to a flush, churns as much again through it at its
//! quota, then reads: random single chunks, whole extents, a reopened store. The directory (default: a temporary one)
//! is removed at the end.

#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oboro_cache::limits::CHUNK_LEN;
use oboro_cache::{CacheConfig, Put, PutEntry, PutExtent, SledStore, Store};
use oboro_crypto::hash::blake2b_256;
use oboro_crypto::{Location, Reference, Secret};

/// Extents of a flush: what a storage thread finds waiting when it is busy.
const BATCH: u64 = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mib: u64 = args.next().map_or(Ok(1_024), |arg| arg.parse())?;
    let scratch = tempfile::tempdir()?;
    let dir = args
        .next()
        .map_or(scratch.path().join("cache"), PathBuf::from);
    // room for the fill, and a little less than for the churn, so that this evicts
    let config = CacheConfig::for_quota((mib << 20) * 10 / 8);
    let (mut store, _) = SledStore::open(&dir, &Secret::from_bytes([1; 32]), config)?;

    let bodies: Vec<Vec<u8>> = (0..32u8).map(|i| vec![i; CHUNK_LEN]).collect();
    let fill = timed(|| put_all(&mut store, &bodies, 0..mib))?;
    println!(
        "fill    {:>8.0} MiB/s  ({mib} MiB, flushed every {BATCH})",
        rate(mib, fill)
    );
    println!(
        "disk    {:>8.3} of payload  database {} KiB",
        ratio(&store),
        len(&dir.join("db")) >> 10
    );
    let churn = timed(|| put_all(&mut store, &bodies, mib..2 * mib))?;
    println!(
        "churn   {:>8.0} MiB/s  ({} evictions)",
        rate(mib, churn),
        store.stats().evictions
    );
    println!(
        "disk    {:>8.3} of payload  database {} KiB",
        ratio(&store),
        len(&dir.join("db")) >> 10
    );

    let entries = timed(|| put_entries(&mut store, 10_000))?;
    println!("entries {:>8.0} /s", 10_000.0 / entries.as_secs_f64());
    let each = timed(|| put_each(&mut store, &bodies, 2 * mib..2 * mib + 50))?;
    println!(
        "durable {:>8.0} µs an extent, flushed each time",
        micros(each) / 50.0
    );

    let held: Vec<u64> = (0..2 * mib)
        .filter(|&n| matches!(store.extent(&location(n)), Ok(Some(_))))
        .collect();
    let whole: Vec<u8> = (0..32).collect();
    let read = timed(|| {
        for n in held.iter().take(256) {
            store.read(&location(*n), &whole)?;
        }
        Ok(())
    })?;
    let count = held.len().min(256) as u64;
    println!("read    {:>8.0} MiB/s  (whole extents)", rate(count, read));
    println!(
        "get     {:>8.1} µs p50 (one chunk)",
        single_reads(&mut store, &held)?
    );
    println!("memory  {:>8} MiB resident", resident() >> 10);
    Box::new(store).close()?;
    let reopened = timed(|| {
        SledStore::open(&dir, &Secret::from_bytes([1; 32]), config)?;
        Ok(())
    })?;
    println!("reopen  {:>8.0} ms", micros(reopened) / 1_000.0);
    std::fs::remove_dir_all(dir.join("db"))?;
    let rebuilt = timed(|| {
        let (_, report) = SledStore::open(&dir, &Secret::from_bytes([1; 32]), config)?;
        println!("        {:>8} chunks found again", report.chunks);
        Ok(())
    })?;
    println!("rebuild {:>8.0} ms", micros(rebuilt) / 1_000.0);
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn timed(action: impl FnOnce() -> Outcome) -> Result<Duration, Box<dyn std::error::Error>> {
    let start = Instant::now();
    action()?;
    Ok(start.elapsed())
}

fn put_all(store: &mut SledStore, bodies: &[Vec<u8>], extents: std::ops::Range<u64>) -> Outcome {
    for n in extents {
        store.put_extent(extent(n, bodies))?;
        if n % BATCH == BATCH - 1 {
            store.flush()?;
        }
    }
    Ok(store.flush()?)
}

fn put_each(store: &mut SledStore, bodies: &[Vec<u8>], extents: std::ops::Range<u64>) -> Outcome {
    for n in extents {
        store.put_extent(extent(n, bodies))?;
        store.flush()?;
    }
    Ok(())
}

fn put_entries(store: &mut SledStore, count: u64) -> Outcome {
    for n in 0..count {
        let mut bytes = vec![0; 1_150];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        let put = store.put_entry(PutEntry {
            location: location(n % 1_000),
            bytes,
            expires_day: 30,
            work: 16,
            today: 1,
        })?;
        debug_assert!(put != Put::Refused);
        if n % 64 == 63 {
            store.flush()?;
        }
    }
    Ok(store.flush()?)
}

/// The middle one of 2,000 reads, in microseconds.
fn single_reads(store: &mut SledStore, held: &[u64]) -> Result<f64, Box<dyn std::error::Error>> {
    let mut times = Vec::new();
    for i in 0..2_000usize {
        let n = held[(i * 7_919) % held.len()];
        let start = Instant::now();
        store.read(&location(n), &[(i % 32) as u8])?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(micros(times[times.len() / 2]))
}

fn extent(n: u64, bodies: &[Vec<u8>]) -> PutExtent {
    let name = |i: usize| blake2b_256(&[n.to_be_bytes(), (i as u64).to_be_bytes()].concat());
    PutExtent {
        location: location(n),
        index: 0,
        references: (0..bodies.len()).map(|i| Reference(name(i))).collect(),
        chunks: bodies.to_vec(),
        distance: [0x10; 32],
        today: 1,
    }
}

fn location(n: u64) -> Location {
    Location(blake2b_256(&n.to_be_bytes()))
}

fn ratio(store: &SledStore) -> f64 {
    let stats = store.stats();
    stats.used as f64 / (stats.chunks * CHUNK_LEN as u64) as f64
}

fn rate(mib: u64, time: Duration) -> f64 {
    mib as f64 / time.as_secs_f64()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn len(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

/// Resident memory in KiB, where the system says.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
