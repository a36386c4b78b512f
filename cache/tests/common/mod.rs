//! What the tests of both stores share: extents and entries made from numbers, so that every byte served can be checked
//! against the number it was made from.

#![allow(dead_code)] // every test binary uses another part

use std::fs;
use std::path::{Path, PathBuf};

use oboro_cache::limits::CHUNK_LEN;
use oboro_cache::{CacheConfig, CacheError, OpenReport, PutEntry, PutExtent, SledStore, Store};
use oboro_crypto::hash::blake2b_256;
use oboro_crypto::{Location, Reference, Secret};

/// The least quota a store with 1 MiB of reserve works with is about 17 MiB.
pub const SMALL: CacheConfig = CacheConfig {
    quota: 24 << 20,
    sled_cache: 1 << 20,
    reserve: 1 << 20,
};

/// A configuration with another quota.
pub fn with_quota(quota: u64) -> CacheConfig {
    CacheConfig { quota, ..SMALL }
}

/// The key all tests seal under.
pub fn key() -> Secret<32> {
    Secret::from_bytes([0x5A; 32])
}

/// Opens a store.
pub fn open(dir: &Path, config: CacheConfig) -> Result<(SledStore, OpenReport), CacheError> {
    SledStore::open(dir, &key(), config)
}

/// Opens a store that must open.
pub fn opened(dir: &Path, config: CacheConfig) -> SledStore {
    open(dir, config).expect("the store opens").0
}

/// Flushes and closes.
pub fn close(store: SledStore) {
    Box::new(store).close().expect("the store closes");
}

/// A pseudo-random sequence from a number.
pub struct Dice(u64);

impl Dice {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1)
    }

    /// The next number (SplitMix64).
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

/// Chunk `i` of extent `n`: cheap to make, and different everywhere.
pub fn chunk(n: u64, i: usize) -> Vec<u8> {
    let mut dice = Dice::new(n.wrapping_mul(64).wrapping_add(i as u64));
    let mut bytes = Vec::with_capacity(CHUNK_LEN);
    while bytes.len() < CHUNK_LEN {
        bytes.extend_from_slice(&dice.next().to_le_bytes());
    }
    bytes
}

/// The name of chunk `i` of extent `n`. Not the hash of its bytes, which no store looks at.
pub fn reference(n: u64, i: usize) -> Reference {
    Reference(blake2b_256(
        &[b"chunk".as_slice(), &n.to_be_bytes(), &[i as u8]].concat(),
    ))
}

/// Where extent `n` belongs.
pub fn location(n: u64) -> Location {
    Location(blake2b_256(&n.to_be_bytes()))
}

/// Extent `n` of `count` chunks, equally far from everywhere.
pub fn extent(n: u64, count: usize) -> PutExtent {
    extent_at(n, count, [0x80; 32], 100)
}

/// Extent `n` at a distance on a day.
pub fn extent_at(n: u64, count: usize, distance: [u8; 32], today: u32) -> PutExtent {
    PutExtent {
        location: location(n),
        index: 1,
        references: (0..count).map(|i| reference(n, i)).collect(),
        chunks: (0..count).map(|i| chunk(n, i)).collect(),
        distance,
        today,
    }
}

/// The bytes of entry `n`.
pub fn entry_bytes(n: u64) -> Vec<u8> {
    let mut dice = Dice::new(n);
    let len = 1_000 + (n % 281) as usize;
    let mut bytes = n.to_be_bytes().to_vec();
    bytes.resize_with(len, || dice.next() as u8);
    bytes
}

/// Entry `n` at the place of extent number `at`.
pub fn entry(n: u64, at: u64) -> PutEntry {
    PutEntry {
        location: location(at),
        bytes: entry_bytes(n),
        expires_day: 130,
        work: 16,
        today: 100,
    }
}

/// All of a location's entries, by number; panics if one is not what was made of its number.
pub fn entries_of(store: &mut dyn Store, at: u64) -> Vec<u64> {
    let page = store.entries(&location(at), None, usize::MAX);
    let page = page.expect("entries can be read");
    let numbers = page.into_iter().map(|(_, bytes)| {
        let number = u64::from_be_bytes(*bytes.first_chunk().expect("long enough"));
        assert!(bytes == entry_bytes(number), "an entry's bytes are wrong");
        number
    });
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

/// Which of the first `count` chunks of extent `n` are served; panics if one is not what was made of its number.
pub fn chunks_of(store: &mut dyn Store, n: u64, count: usize) -> Vec<bool> {
    let indexes: Vec<u8> = (0..count as u8).collect();
    let chunks = store.read(&location(n), &indexes);
    let chunks = chunks.expect("chunks can be read");
    let served = chunks.into_iter().enumerate().map(|(i, served)| {
        if let Some(bytes) = &served {
            assert!(*bytes == chunk(n, i), "a chunk's bytes are wrong");
        }
        served.is_some()
    });
    served.collect()
}

/// Whether all of the first `count` chunks of extent `n` are served.
pub fn is_whole(store: &mut dyn Store, n: u64, count: usize) -> bool {
    chunks_of(store, n, count).into_iter().all(|served| served)
}

/// Every file below a directory.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => todo.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

/// Bytes of every file below a directory, as their lengths say.
pub fn bytes_of(dir: &Path) -> u64 {
    let sizes = files(dir).into_iter();
    sizes
        .map(|path| fs::metadata(path).map_or(0, |metadata| metadata.len()))
        .sum()
}

/// Copies a closed store.
pub fn copy_dir(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed").flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
