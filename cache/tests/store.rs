//! What every store promises, asked of both.

mod common;

use common::{
    SMALL, chunk, chunks_of, entries_of, entry, extent, extent_at, is_whole, location, opened,
    reference,
};
use oboro_cache::limits::{ENTRIES_PER_LOCATION_MAX, ENTRY_LEN_MAX, EXTENT_CHUNKS_MAX};
use oboro_cache::{
    CacheError, Held, HeldWhat, MemoryStore, Put, PutEntry, PutExtent, Store, entry_list,
};
use oboro_crypto::NodeId;

/// Runs a test on both stores.
fn on_both(test: impl Fn(&mut dyn Store)) {
    test(&mut MemoryStore::new(SMALL.quota));
    let dir = tempfile::tempdir().expect("a directory");
    test(&mut opened(dir.path(), SMALL));
}

fn put(store: &mut dyn Store, put: PutExtent) -> Put {
    store.put_extent(put).expect("no failure")
}

fn put_entry(store: &mut dyn Store, put: PutEntry) -> Put {
    store.put_entry(put).expect("no failure")
}

#[test]
fn an_extent_is_read_back_in_whole_in_part_and_in_any_order() {
    on_both(|store| {
        assert_eq!(put(store, extent(1, 32)), Put::Stored);
        assert_eq!(put(store, extent(2, 3)), Put::Stored);
        store.flush().expect("flushed");
        assert!(is_whole(store, 1, 32) && is_whole(store, 2, 3));
        let read = store.read(&location(2), &[2, 0, 2, 9]).expect("read");
        let expected = [
            Some(chunk(2, 2)),
            Some(chunk(2, 0)),
            Some(chunk(2, 2)),
            None,
        ];
        assert!(read == expected);
    });
}

#[test]
fn an_extent_is_listed_with_its_references_and_what_is_held() {
    on_both(|store| {
        put(store, extent(1, 5));
        let info = store.extent(&location(1)).expect("listed").expect("held");
        assert_eq!(info.references, extent(1, 5).references);
        assert_eq!(info.present, 0b1_1111);
        assert_eq!(store.extent(&location(2)).expect("listed"), None);
        put(store, extent(3, 32));
        let info = store.extent(&location(3)).expect("listed").expect("held");
        assert_eq!(info.present, u32::MAX);
    });
}

#[test]
fn the_same_again_is_already_there_and_other_references_are_a_mistake() {
    on_both(|store| {
        assert_eq!(put(store, extent(1, 4)), Put::Stored);
        assert_eq!(put(store, extent(1, 4)), Put::Already);
        let other = PutExtent {
            location: location(1),
            ..extent(2, 4)
        };
        assert!(matches!(
            store.put_extent(other),
            Err(CacheError::Misuse(_))
        ));
        let shorter = extent(1, 3);
        assert!(matches!(
            store.put_extent(shorter),
            Err(CacheError::Misuse(_))
        ));
        assert!(is_whole(store, 1, 4));
    });
}

#[test]
fn shapes_beyond_the_limits_are_mistakes_and_change_nothing() {
    on_both(|store| {
        let empty = extent(1, 0);
        let long = extent(1, EXTENT_CHUNKS_MAX + 1);
        let mut short = extent(1, 2);
        short.chunks.pop();
        let mut odd = extent(1, 2);
        odd.chunks[1].pop();
        for bad in [empty, long, short, odd] {
            assert!(matches!(store.put_extent(bad), Err(CacheError::Misuse(_))));
        }
        for len in [0, ENTRY_LEN_MAX + 1] {
            let mut bad = entry(1, 1);
            bad.bytes = vec![1; len];
            assert!(matches!(store.put_entry(bad), Err(CacheError::Misuse(_))));
        }
        let read = store.read(&location(1), &[0; EXTENT_CHUNKS_MAX + 1]);
        assert!(matches!(read, Err(CacheError::Misuse(_))));
        let long = store.put_descriptors(&[(NodeId([1; 32]), vec![1; 1_025])]);
        assert!(matches!(long, Err(CacheError::Misuse(_))));
        let stats = store.stats();
        assert_eq!((stats.chunks, stats.entries, stats.descriptors), (0, 0, 0));
    });
}

#[test]
fn the_furthest_gives_way_and_a_newcomer_from_further_away_does_not_get_in() {
    on_both(|store| {
        let near = |n| extent_at(n, 32, [0x01; 32], 100);
        let mut full = 0;
        while store.stats().evictions == 0 && full < 100 {
            assert_eq!(put(store, near(full)), Put::Stored);
            full += 1;
        }
        assert!(full < 100, "the store evicts when it is full");
        let held = store.stats().extents;
        assert_eq!(put(store, extent_at(500, 32, [0x02; 32], 100)), Put::NoRoom);
        assert_eq!(put(store, extent_at(501, 32, [0x00; 32], 100)), Put::Stored);
        assert!(is_whole(store, 501, 32) && !is_whole(store, 500, 1));
        assert_eq!(store.stats().extents, held);
    });
}

#[test]
fn what_was_asked_for_outlives_what_was_only_put() {
    on_both(|store| {
        put(store, extent(0, 32));
        for _ in 0..8 {
            assert!(is_whole(store, 0, 1));
        }
        for n in 1..100 {
            put(store, extent(n, 32));
        }
        assert!(store.stats().evictions > 50);
        assert!(is_whole(store, 0, 32));
    });
}

#[test]
fn what_was_only_copied_goes_like_what_was_only_put() {
    on_both(|store| {
        put(store, extent_at(0, 32, [0x81; 32], 100));
        for _ in 0..8 {
            let copied = store.copy(&location(0), &[3, 0, 40]).expect("copied");
            assert!(copied == [Some(chunk(0, 3)), Some(chunk(0, 0)), None]);
        }
        assert_eq!((store.stats().hits, store.stats().misses), (0, 0));
        for n in 1..100 {
            put(store, extent(n, 32));
        }
        assert!(store.stats().evictions > 50);
        assert!(!is_whole(store, 0, 32));
    });
}

#[test]
fn extents_are_evicted_in_whole() {
    on_both(|store| {
        for n in 0..60 {
            put(store, extent(n, 7 + n as usize % 26));
        }
        assert!(store.stats().evictions > 0);
        for n in 0..60 {
            let served = chunks_of(store, n, 7 + n as usize % 26);
            assert!(
                served.iter().all(|s| *s == served[0]),
                "extent {n} is in pieces"
            );
        }
    });
}

#[test]
fn entries_are_paged_without_gap_or_repetition() {
    on_both(|store| {
        for n in 0..50 {
            assert_eq!(put_entry(store, entry(n, 1)), Put::Stored);
            assert_eq!(put_entry(store, entry(n, 1)), Put::Already);
        }
        put_entry(store, entry(99, 2));
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store.entries(&location(1), after, 7).expect("read");
            let Some((cursor, _)) = page.last() else {
                break;
            };
            after = Some(*cursor);
            assert!(page.len() <= 7);
            seen.extend(page.into_iter().map(|(_, bytes)| bytes));
        }
        seen.sort();
        let mut expected: Vec<_> = (0..50).map(common::entry_bytes).collect();
        expected.sort();
        assert!(seen == expected);
        assert_eq!(entries_of(store, 2), [99]);
        assert_eq!(entries_of(store, 3), [0; 0]);
    });
}

#[test]
fn a_full_location_keeps_the_strongest() {
    on_both(|store| {
        let most = ENTRIES_PER_LOCATION_MAX as u64;
        let worked = |n, work, expires_day| PutEntry {
            work,
            expires_day,
            ..entry(n, 1)
        };
        for n in 0..most {
            assert_eq!(put_entry(store, worked(n, 16, 130)), Put::Stored);
        }
        assert_eq!(put_entry(store, worked(most, 15, 131)), Put::NoRoom);
        assert_eq!(put_entry(store, worked(most + 1, 16, 129)), Put::NoRoom);
        assert_eq!(put_entry(store, worked(most + 2, 17, 101)), Put::Stored);
        assert_eq!(put_entry(store, worked(most + 3, 16, 131)), Put::Stored);
        let held = entries_of(store, 1);
        assert_eq!(held.len() as u64, most);
        assert!(held.ends_with(&[most + 2, most + 3]));
    });
}

#[test]
fn all_entries_together_stay_within_their_share() {
    on_both(|store| {
        let share = SMALL.quota / oboro_cache::limits::ENTRIES_SHARE;
        let most = share / ENTRY_LEN_MAX as u64;
        for n in 0..most + 200 {
            put_entry(store, entry(n, n));
        }
        let stats = store.stats();
        assert!(stats.entries <= most && stats.entries > most / 2);
        assert_eq!(
            put_entry(
                store,
                PutEntry {
                    work: 30,
                    ..entry(9_999, 1)
                }
            ),
            Put::Stored
        );
        assert!(entries_of(store, 1).contains(&9_999));
    });
}

#[test]
fn entries_expire_after_their_last_day() {
    on_both(|store| {
        let until = |n, expires_day| PutEntry {
            expires_day,
            ..entry(n, 1)
        };
        put_entry(store, until(1, 110));
        put_entry(store, until(2, 111));
        assert_eq!(put_entry(store, until(3, 99)), Put::NoRoom);
        assert_eq!(store.expire(110).expect("expired"), 0);
        assert_eq!(store.expire(111).expect("expired"), 1);
        assert_eq!(entries_of(store, 1), [2]);
        assert_eq!(store.expire(u32::MAX).expect("expired"), 1);
        assert_eq!(store.stats().entries, 0);
    });
}

/// Walks through the whole store in pages.
fn walk(store: &mut dyn Store, max: usize) -> Vec<Held> {
    let mut all = Vec::new();
    let mut mark = None;
    loop {
        let page = store.held(mark.as_deref(), max).expect("walked");
        assert!(page.held.len() <= max);
        all.extend(page.held);
        mark = page.next;
        if mark.is_none() {
            return all;
        }
    }
}

#[test]
fn a_walk_shows_everything_held_once_whatever_the_size_of_a_page() {
    on_both(|store| {
        assert_eq!(walk(store, 3), []);
        for n in 0..20 {
            put(store, extent(n, 1 + n as usize % 5));
            put_entry(store, entry(100 + n, 50 + n % 7));
        }
        for flushed in [false, true] {
            if flushed {
                store.flush().expect("flushed");
            }
            for max in [1, 2, 7, 1_000] {
                let all = walk(store, max);
                assert_eq!(all.len(), 27, "pages of {max}");
                for n in 0..20 {
                    let held = all.iter().find(|held| held.location == location(n));
                    let HeldWhat::Extent { index, info } = &held.expect("shown").what else {
                        panic!("an extent");
                    };
                    assert_eq!(
                        (*index, &info.references),
                        (1, &extent(n, 1 + n as usize % 5).references)
                    );
                    assert_eq!(info.present, (1 << info.references.len()) - 1);
                }
                for at in 50..57 {
                    let held = all.iter().find(|held| held.location == location(at));
                    let names = store.names(&location(at)).expect("named");
                    let tally = entry_list::tally(&names);
                    assert!(tally >> 48 >= 2);
                    assert_eq!(held.expect("shown").what, HeldWhat::Entries { tally });
                }
            }
        }
    });
}

#[test]
fn a_walk_goes_on_where_it_was_though_things_come_and_go() {
    on_both(|store| {
        for n in 0..30 {
            put(store, extent(n, 1));
        }
        let first = store.held(None, 10).expect("walked");
        let seen: Vec<_> = first.held.iter().map(|held| held.location).collect();
        // The one the mark names goes, and so does one that is still to come.
        let number = |at| (0..30).find(|n| location(*n) == at).expect("known");
        let gone = [
            number(seen[9]),
            (0..30)
                .find(|n| !seen.contains(&location(*n)))
                .expect("one"),
        ];
        store
            .refuse(&gone.map(|n| reference(n, 0)))
            .expect("refused");
        put_entry(store, entry(1, 99));
        let mut rest = Vec::new();
        let mut mark = first.next;
        while let Some(at) = mark {
            let page = store.held(Some(&at), 10).expect("walked");
            rest.extend(page.held.into_iter().map(|held| held.location));
            mark = page.next;
        }
        for n in (0..30).filter(|n| !gone.contains(n)) {
            let shown = seen
                .iter()
                .chain(&rest)
                .filter(|at| **at == location(n))
                .count();
            assert_eq!(shown, 1, "extent {n}");
        }
        assert!(!rest.contains(&location(gone[1])));
    });
}

#[test]
fn a_tally_tells_what_is_held_at_a_location_from_anything_else() {
    on_both(|store| {
        put(store, extent(1, 5));
        put_entry(store, entry(1, 2));
        put_entry(store, entry(2, 2));
        let of = |store: &mut dyn Store, at| store.tally(&location(at)).expect("told");
        assert_eq!(of(store, 1), 0b1_1111);
        assert_eq!(of(store, 3), 0);
        let mut names = [1, 2].map(|n| entry_list::name(&common::entry_bytes(n)));
        assert_eq!(of(store, 2), entry_list::tally(&names));
        names.sort_unstable();
        assert_eq!(store.names(&location(2)).expect("named"), names);
        store.expire(u32::MAX).expect("expired");
        assert_eq!(of(store, 2), 0);
        assert_eq!(store.stats().hits, 0, "looking is not asking");
    });
}

#[test]
fn descriptors_are_replaced_by_node_and_forgotten() {
    on_both(|store| {
        let (a, b) = (NodeId([1; 32]), NodeId([2; 32]));
        let put = [
            (a, b"one".to_vec()),
            (b, b"two".to_vec()),
            (a, b"three".to_vec()),
        ];
        assert_eq!(store.put_descriptors(&put).expect("put"), 3);
        let mut held = store.descriptors().expect("read");
        held.sort();
        assert!(held == [b"three".to_vec(), b"two".to_vec()]);
        store
            .forget_descriptors(&[a, NodeId([3; 32])])
            .expect("forgotten");
        assert!(store.descriptors().expect("read") == [b"two".to_vec()]);
        assert_eq!(store.stats().descriptors, 1);
    });
}

#[test]
fn what_is_refused_is_removed_not_taken_and_never_served() {
    on_both(|store| {
        put(store, extent(1, 4));
        put(store, extent(2, 4));
        let bad = [reference(1, 2), reference(3, 0)];
        store.refuse(&bad).expect("refused");
        assert_eq!(chunks_of(store, 1, 4), [false; 4]);
        assert_eq!(store.extent(&location(1)).expect("listed"), None);
        assert!(is_whole(store, 2, 4));
        assert_eq!(put(store, extent(1, 4)), Put::Refused);
        assert_eq!(put(store, extent(3, 1)), Put::Refused);
        assert!(store.is_refused(&bad[0]) && !store.is_refused(&reference(2, 0)));
        assert_eq!(store.refused().len(), 2);
        assert_eq!(store.stats().refused, 2);
        store.allow(&bad[..1]).expect("allowed");
        assert_eq!(put(store, extent(1, 4)), Put::Stored);
        assert_eq!(put(store, extent(3, 1)), Put::Refused);
    });
}

#[test]
fn stats_count_what_happened() {
    on_both(|store| {
        put(store, extent(1, 4));
        put_entry(store, entry(1, 1));
        store.read(&location(1), &[0, 1, 9]).expect("read");
        store.read(&location(2), &[0]).expect("read");
        let stats = store.stats();
        assert_eq!((stats.chunks, stats.extents, stats.entries), (4, 1, 1));
        assert_eq!((stats.hits, stats.misses), (2, 2));
        assert_eq!((stats.evictions, stats.damaged, stats.refused), (0, 0, 0));
        assert_eq!(stats.quota, SMALL.quota);
        assert!(stats.used >= 4 * 32_768 && stats.used <= stats.quota);
    });
}
