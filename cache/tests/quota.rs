//! The quota holds for the whole directory, at every moment.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::{Dice, SMALL, bytes_of, entry, extent_at, opened, reference};
use oboro_cache::{Put, Store};
use oboro_crypto::NodeId;

/// Says when a scope is left.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn five_times_the_quota_flows_through_and_the_directory_never_exceeds_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = opened(dir.path(), SMALL);
    let (done, most) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        // also when an assertion fails, or the test would wait for ever
        let _stop = OnDrop(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(bytes_of(dir.path()), Ordering::Relaxed);
            }
        });
        let mut dice = Dice::new(1);
        let mut inflow = 0;
        let mut n = 0;
        while inflow < 5 * SMALL.quota {
            n += 1;
            let count = [32, 32, 1, 20, 3][(n % 5) as usize];
            let distance = [dice.below(256) as u8; 32];
            let put = store
                .put_extent(extent_at(n, count, distance, 100))
                .expect("put");
            assert_ne!(put, Put::Refused);
            inflow += count as u64 * 32_768;
            for i in 0..dice.below(20) {
                store
                    .put_entry(entry(n * 20 + i, dice.below(50)))
                    .expect("put");
            }
            if dice.below(4) == 0 {
                let mut node = [0; 32];
                node[..8].copy_from_slice(&dice.next().to_be_bytes());
                store
                    .put_descriptors(&[(NodeId(node), vec![1; 300])])
                    .expect("put");
                store
                    .read(&common::location(dice.below(n)), &[0])
                    .expect("read");
            }
            if dice.below(40) == 0 {
                store
                    .refuse(&[reference(1_000_000 + n, 0)])
                    .expect("refused");
            }
            if dice.below(3) == 0 {
                store.flush().expect("flushed");
            }
            let used = bytes_of(dir.path());
            assert!(used <= SMALL.quota, "{used} bytes after put {n}");
            assert!(store.stats().used >= used);
        }
    });
    let stats = store.stats();
    assert!(stats.evictions > 20 && stats.chunks > 200, "{stats:?}");
    let most = most.into_inner();
    assert!(
        most > SMALL.quota / 2 && most <= SMALL.quota,
        "{most} bytes at the worst moment"
    );
}
