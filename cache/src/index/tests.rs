//! The index against its database tampered with, and against a map.

use super::*;
use oboro_crypto::Secret;
use proptest::prelude::*;

const CACHE: u64 = 1 << 20;

fn sealing() -> Sealing {
    Sealing::new(&Secret::from_bytes([1; 32]))
}

fn load(path: &Path, at_least: u64) -> Result<Index> {
    Index::load(path, CACHE, &sealing(), at_least, |_, _| true)
}

fn is_broken(loaded: Result<Index>) -> bool {
    matches!(loaded, Err(IndexError::Db(DbError::Broken(_))))
}

/// A flushed index with three records, generation 1.
fn filled(path: &Path) -> Index {
    let mut index = Index::create(path, CACHE).expect("created");
    for key in [b"x1", b"x2", b"e1"] {
        index.put(&sealing(), key, b"value").expect("put");
    }
    assert_eq!(index.flush(&sealing()).expect("flushed"), 1);
    index
}

/// Changes the database behind the index's back.
fn tamper(path: &Path, change: Change) {
    let mut db = Db::open(path, CACHE).expect("opens");
    db.apply(&[change]).expect("applied");
    db.flush().expect("flushed");
}

#[test]
fn what_was_flushed_loads_and_is_shown_in_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(filled(dir.path()));
    let mut seen = Vec::new();
    let index = Index::load(dir.path(), CACHE, &sealing(), 1, |key, value| {
        seen.push((key.to_vec(), value.to_vec()));
        true
    });
    let tally = *index.expect("loads").tally();
    assert_eq!((tally.extents, tally.entries, tally.descriptors), (2, 1, 0));
    let keys: Vec<_> = seen.iter().map(|(key, _)| key.as_slice()).collect();
    assert_eq!(keys, [b"e1".as_slice(), b"x1", b"x2"]);
    assert!(seen.iter().all(|(_, value)| value == b"value"));
}

#[test]
fn changes_that_were_not_flushed_are_seen_and_lost_with_the_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut index = filled(dir.path());
    index.put(&sealing(), b"x3", b"value").expect("put");
    index.remove(&sealing(), b"x1").expect("removed");
    assert!(index.get(&sealing(), b"x1").expect("read").is_none());
    assert_eq!(index.count(b"x", 9).expect("counted"), 2);
    drop(index);
    let index = load(dir.path(), 1).expect("loads");
    assert!(index.get(&sealing(), b"x1").expect("read").is_some());
    assert!(index.get(&sealing(), b"x3").expect("read").is_none());
}

#[test]
fn a_lost_a_foreign_and_an_outdated_record_are_found_out() {
    let sealed = |value| {
        let sealed = sealing().seal(Place::Value(b"x1"), value);
        Some(sealed.expect("sealed"))
    };
    let changes: [Change; 4] = [
        (b"x1".to_vec(), None),
        (b"x1".to_vec(), sealed(b"value")),
        (b"x9".to_vec(), Some(vec![0; 50])),
        (TALLY.to_vec(), None),
    ];
    for change in changes {
        let dir = tempfile::tempdir().expect("a directory");
        drop(filled(dir.path()));
        tamper(dir.path(), change);
        assert!(is_broken(load(dir.path(), 1)));
    }
}

#[test]
fn a_database_behind_the_last_flush_and_one_that_makes_no_sense_do_not_load() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(filled(dir.path()));
    assert!(is_broken(load(dir.path(), 2)));
    let senseless = Index::load(dir.path(), CACHE, &sealing(), 1, |key, _| key != b"x2");
    assert!(is_broken(senseless));
    drop(load(dir.path(), 1).expect("loads"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn scans_see_database_and_pending_changes_as_one(
        stored in prop::collection::btree_map(0u8..40, 0u8..4, 0..30),
        pending in prop::collection::btree_map(0u8..40, prop::option::of(4u8..8), 0..30),
        from in 0u8..40,
        max in 1usize..12,
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut index = Index::create(dir.path(), CACHE).expect("created");
        for (key, value) in &stored {
            index.put(&sealing(), &[b'x', *key], &[*value]).expect("put");
        }
        index.flush(&sealing()).expect("flushed");
        let mut model = stored;
        for (key, value) in pending {
            match value {
                Some(value) => {
                    index.put(&sealing(), &[b'x', key], &[value]).expect("put");
                    model.insert(key, value);
                }
                None => {
                    index.remove(&sealing(), &[b'x', key]).expect("removed");
                    model.remove(&key);
                }
            }
        }
        index.put(&sealing(), b"y", b"another kind").expect("put");
        let got = index.scan(&sealing(), b"x", Bound::Included(&[b'x', from]), max);
        let got: Vec<_> = got.expect("scanned").iter().map(|(k, v)| (k[1], v[0])).collect();
        let expected: Vec<_> = model.range(from..).take(max).map(|(k, v)| (*k, *v)).collect();
        prop_assert_eq!(got, expected);
        prop_assert_eq!(index.tally().extents, model.len() as u64);
    }
}
