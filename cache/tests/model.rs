//! Both stores against a model so simple that it must be right: ordered maps that forget nothing, and a budget that says
//! from when on a store may.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use common::{
    SMALL, bytes_of, chunks_of, close, entries_of, entry, extent_at, is_whole, location, opened,
    reference,
};
use oboro_cache::limits::EXTENT_CHUNKS_MAX;
use oboro_cache::{MemoryStore, Put, PutEntry, SledStore, Store};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// Put an extent at a distance.
    Put {
        n: u64,
        far: u8,
    },
    Read {
        n: u64,
    },
    PutEntry {
        n: u64,
        at: u64,
        days: u32,
    },
    Refuse {
        n: u64,
    },
    Allow {
        n: u64,
    },
    Expire {
        day: u32,
    },
    Flush,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u64..40, any::<u8>()).prop_map(|(n, far)| Step::Put { n, far }),
        4 => (0u64..40).prop_map(|n| Step::Read { n }),
        4 => (0u64..60, 0u64..3, 0u32..5).prop_map(|(n, at, days)| Step::PutEntry { n, at, days }),
        1 => (0u64..40).prop_map(|n| Step::Refuse { n }),
        1 => (0u64..40).prop_map(|n| Step::Allow { n }),
        1 => (100u32..105).prop_map(|day| Step::Expire { day }),
        2 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ]
}

/// Chunks in extent `n`: some fill a group of slots, some do not.
fn count(n: u64) -> usize {
    [32, 1, 31, 17, 32, 32, 5][(n % 7) as usize]
}

/// What should be there.
#[derive(Default)]
struct Model {
    /// Extents stored and not removed; a store over its budget may have evicted them.
    extents: BTreeSet<u64>,
    /// Entries stored and not expired: place and number, last day.
    entries: BTreeMap<(u64, u64), u32>,
    refused: BTreeSet<u64>,
    /// Extents stored less extents removed on request: what is held and what was evicted add up to it.
    balance: u64,
    evicted_before: u64,
}

impl Model {
    fn refuses(&self, n: u64) -> bool {
        self.refused.contains(&n)
    }

    fn put(&mut self, store: &mut dyn Store, n: u64, far: u8) {
        let held = is_whole(store, n, count(n));
        let distance = [far / 64; 32];
        let put = store.put_extent(extent_at(n, count(n), distance, 100));
        match put.expect("no failure") {
            Put::Refused => assert!(self.refuses(n)),
            Put::Already => assert!(held),
            Put::NoRoom => {
                assert!(store.stats().evictions + self.evicted_before > 0 || self.is_full())
            }
            Put::Stored => {
                assert!(!held && !self.refuses(n));
                assert!(is_whole(store, n, count(n)));
                self.extents.insert(n);
                self.balance += 1;
            }
        }
    }

    /// Whether the chunks put could be more than the store's budget: 11 MiB on disk, with some groups half empty.
    fn is_full(&self) -> bool {
        let chunks: usize = self.extents.iter().map(|n| count(*n)).sum();
        chunks + EXTENT_CHUNKS_MAX > 8 * EXTENT_CHUNKS_MAX
    }

    fn check(&self, store: &mut dyn Store) {
        let mut held = 0;
        for n in 0..40 {
            let served = chunks_of(store, n, count(n));
            let whole = served.iter().all(|served| *served);
            assert!(whole || !served.contains(&true), "extent {n} is in pieces");
            assert!(
                !whole || self.extents.contains(&n),
                "extent {n} was never put"
            );
            held += u64::from(whole);
        }
        let stats = store.stats();
        assert_eq!(stats.extents, held);
        assert_eq!(stats.evictions + self.evicted_before + held, self.balance);
        assert!(self.is_full() || held == self.extents.len() as u64);
        assert_eq!(stats.damaged, 0);
        for at in 0..3 {
            let expected = self.entries.keys().filter(|(place, _)| *place == at);
            let expected: Vec<u64> = expected.map(|(_, n)| *n).collect();
            assert_eq!(entries_of(store, at), expected);
        }
        assert!(stats.used <= stats.quota);
    }

    fn apply(&mut self, store: &mut dyn Store, step: &Step) {
        match *step {
            Step::Put { n, far } => self.put(store, n, far),
            Step::Read { n } => {
                let served = chunks_of(store, n, count(n));
                assert!(self.extents.contains(&n) || !served.contains(&true));
            }
            Step::PutEntry { n, at, days } => {
                let expires_day = 100 + days;
                let put = PutEntry {
                    expires_day,
                    ..entry(n, at)
                };
                let known = self.entries.contains_key(&(at, n));
                let expected = if known { Put::Already } else { Put::Stored };
                assert_eq!(store.put_entry(put).expect("no failure"), expected);
                self.entries.entry((at, n)).or_insert(expires_day);
            }
            Step::Refuse { n } => {
                let held = is_whole(store, n, count(n));
                store.refuse(&[reference(n, 0)]).expect("refused");
                self.refused.insert(n);
                if held {
                    self.balance -= 1;
                }
                self.extents.remove(&n);
                assert_eq!(store.extent(&location(n)).expect("listed"), None);
            }
            Step::Allow { n } => {
                store.allow(&[reference(n, 0)]).expect("allowed");
                self.refused.remove(&n);
            }
            Step::Expire { day } => {
                let before = self.entries.len();
                self.entries.retain(|_, expires_day| *expires_day >= day);
                let gone = before - self.entries.len();
                assert_eq!(store.expire(day).expect("expired"), gone as u64);
            }
            Step::Flush | Step::Reopen => store.flush().expect("flushed"),
        }
    }
}

fn on_disk(dir: &Path, steps: &[Step]) {
    let mut model = Model::default();
    let mut store = opened(dir, SMALL);
    for step in steps {
        model.apply(&mut store, step);
        if let Step::Reopen = step {
            model.evicted_before += store.stats().evictions;
            close(store);
            store = opened(dir, SMALL);
            model.check(&mut store);
        }
        assert!(bytes_of(dir) <= SMALL.quota);
    }
    model.check(&mut store);
    drop::<SledStore>(store);
}

fn in_memory(steps: &[Step]) {
    let mut model = Model::default();
    let mut store = MemoryStore::new(SMALL.quota / 2);
    for step in steps {
        model.apply(&mut store, step);
    }
    model.check(&mut store);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_on_disk_does_what_the_model_does(steps in prop::collection::vec(step(), 1..100)) {
        let dir = tempfile::tempdir().expect("a directory");
        on_disk(dir.path(), &steps);
    }

    #[test]
    fn the_store_in_memory_does_what_the_model_does(steps in prop::collection::vec(step(), 1..100)) {
        in_memory(&steps);
    }
}
