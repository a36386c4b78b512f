//! A full disk: nothing panics, nothing acknowledged is lost, the store opens, evicts, and recovers when there is room.
//!
//! Needs a small file system of its own, which takes root: skipped, with the reason printed, where that is not allowed.

#![allow(clippy::print_stderr)]

mod common;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{
    SMALL, close, copy_dir, entries_of, entry, extent, extent_at, is_whole, open, opened,
    with_quota,
};
use oboro_cache::{CacheConfig, CacheError, Put, Store};

/// A mounted file system, gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, mib: u64) -> Option<Self> {
        fs::create_dir_all(at).expect("made");
        let size = format!("size={mib}m");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(at.to_path_buf())),
            Ok(output) => skip(&String::from_utf8_lossy(&output.stderr)),
            Err(error) => skip(&error.to_string()),
        }
    }

    /// Fills the disk but for about `free` bytes.
    fn fill_up(&self, free: u64) {
        let path = self.0.join("ballast");
        let mut ballast = fs::File::create(&path).expect("created");
        let mut len = 0;
        for step in [1 << 20, 4_096, 1] {
            let piece = vec![1; step];
            while let Ok(n @ 1..) = ballast.write(&piece) {
                len += n as u64;
            }
        }
        ballast
            .set_len(len.saturating_sub(free))
            .expect("shortened");
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("ballast")).expect("removed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn skip<T>(why: &str) -> Option<T> {
    eprintln!(
        "skipped: a small file system cannot be mounted here: {}",
        why.trim()
    );
    None
}

fn nearer(n: u64) -> oboro_cache::PutExtent {
    let mut distance = [0; 32];
    distance[..8].copy_from_slice(&(u64::MAX - (n << 40)).to_be_bytes());
    extent_at(n, 32, distance, 100)
}

#[test]
fn a_store_on_a_disk_smaller_than_its_quota_lives_by_evicting() {
    let scratch = tempfile::tempdir().expect("a directory");
    let Some(disk) = SmallDisk::mount(&scratch.path().join("disk"), 30) else {
        return;
    };
    let dir = disk.0.join("cache");
    let mut store = opened(&dir, with_quota(256 << 20));
    for n in 0..60 {
        assert_eq!(
            store.put_extent(nearer(n)).expect("no failure"),
            Put::Stored
        );
        store.put_entry(entry(n, 1)).expect("no failure");
        store.flush().expect("flushed");
    }
    assert!(store.stats().evictions > 20);
    assert!((50..60).all(|n| is_whole(&mut store, n, 32)));
    close(store);
    let mut store = opened(&dir, with_quota(256 << 20));
    assert!((50..60).all(|n| is_whole(&mut store, n, 32)));
    assert_eq!(entries_of(&mut store, 1).len(), 60);
}

#[test]
fn a_disk_that_fills_up_stops_growth_but_not_the_store_and_it_opens_full() {
    let scratch = tempfile::tempdir().expect("a directory");
    let Some(disk) = SmallDisk::mount(&scratch.path().join("disk"), 40) else {
        return;
    };
    let dir = disk.0.join("cache");
    let config = CacheConfig {
        reserve: 4 << 20,
        ..with_quota(48 << 20)
    };
    let mut store = opened(&dir, config);
    for n in 0..8 {
        store.put_extent(nearer(n)).expect("put");
    }
    store.flush().expect("flushed");
    disk.fill_up(0);
    for n in 8..40 {
        assert_eq!(
            store.put_extent(nearer(n)).expect("no failure"),
            Put::Stored
        );
        store.flush().expect("flushed");
    }
    assert_eq!(store.stats().extents, 8);
    drop(store);
    disk.fill_up(0);
    let (mut store, report) = open(&dir, config).expect("opens on a full disk");
    assert_eq!(report.chunks, 8 * 32);
    assert!((32..40).all(|n| is_whole(&mut store, n, 32)));
    let nearest = extent_at(50, 32, [0; 32], 100);
    assert_eq!(store.put_extent(nearest).expect("no failure"), Put::Stored);
    store.flush().expect("flushed");
    drop(store);
    disk.make_room();
    let (mut store, report) = open(&dir, config).expect("opens");
    assert!(report.reserve && is_whole(&mut store, 50, 32));
    for n in 51..58 {
        store.put_extent(nearer(n)).expect("put");
    }
    assert!(store.stats().extents > 8, "it grows again");
}

#[test]
fn at_any_number_of_free_blocks_nothing_acknowledged_is_lost() {
    let scratch = tempfile::tempdir().expect("a directory");
    let Some(disk) = SmallDisk::mount(&scratch.path().join("disk"), 24) else {
        return;
    };
    let (dir, whole) = (disk.0.join("cache"), scratch.path().join("whole"));
    let config = CacheConfig {
        reserve: 0,
        ..SMALL
    };
    let mut store = opened(&whole, config);
    for n in 0..4 {
        store
            .put_extent(extent_at(n, 8, [0x10; 32], 100))
            .expect("put");
        store.put_entry(entry(n, 1)).expect("put");
    }
    close(store);
    let mut refused = 0;
    for blocks in 0..48u64 {
        copy_dir(&whole, &dir);
        if blocks % 3 == 2 {
            fs::remove_dir_all(dir.join("db")).expect("removed");
        }
        disk.fill_up(blocks * blocks * 1_024);
        let mut flushed = Vec::new();
        match open(&dir, config) {
            Ok((mut store, _)) => {
                for n in 10..14 {
                    // from so far that nothing is evicted for it
                    let far = extent_at(n, 8, [0xFF; 32], 100);
                    let put = store.put_extent(far).and_then(|put| {
                        store.put_entry(entry(n, 1))?;
                        store.flush()?;
                        Ok(put)
                    });
                    match put {
                        Ok(Put::Stored) => flushed.push(n),
                        Ok(_) => {}
                        Err(CacheError::DiskFull) => refused += 1,
                        Err(error) => panic!("{blocks}: {error}"),
                    }
                }
            }
            Err(CacheError::DiskFull) => refused += 1,
            Err(error) => panic!("{blocks}: {error}"),
        }
        disk.make_room();
        let (mut store, _) = open(&dir, config).expect("opens again");
        for n in (0..4).chain(flushed) {
            assert!(is_whole(&mut store, n, 8), "extent {n} is lost at {blocks}");
            assert!(
                entries_of(&mut store, 1).contains(&n),
                "entry {n} is lost at {blocks}"
            );
        }
        store.put_extent(extent(20, 32)).expect("put");
        store.flush().expect("flushed");
    }
    assert!(refused > 0, "the disk was full at least once");
}
