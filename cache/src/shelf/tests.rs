//! Slots filled, read, erased, damaged and cut.

use super::*;
use crate::header::EntryName;
use crate::slots::ENTRIES;
use oboro_crypto::Location;
use std::fs;
use std::os::unix::fs::FileExt;

fn sealing() -> Sealing {
    Sealing::new(&Secret::from_bytes([1; 32]))
}

fn content(len: u16) -> Content {
    Content::Entry(EntryName {
        location: Location([3; 32]),
        expires_day: 1,
        work: 2,
        len,
    })
}

fn shelf(dir: &Path) -> Shelf {
    let mut shelf = Shelf::open(dir, ENTRIES, 2 * ENTRIES.group_len()).expect("opens");
    while shelf.may_grow(0) {
        assert!(shelf.grow().expect("grows"));
    }
    shelf
}

fn body(found: &Found) -> Option<&[u8]> {
    match found {
        Found::Held(_, body) => Some(body),
        _ => None,
    }
}

#[test]
fn runs_end_at_gaps_and_at_group_borders() {
    let run = |slots: &[u32]| run_len(slots.iter().copied());
    assert_eq!(run(&[]), 0);
    assert_eq!(run(&[5, 6, 7, 9]), 3);
    assert_eq!(run(&[30, 31, 32]), 2);
    assert_eq!(run(&[32, 33]), 2);
    assert_eq!(run(&[4, 3]), 1);
}

#[test]
fn bodies_come_back_in_the_order_asked_whatever_their_slots() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut shelf = shelf(dir.path());
    let bodies: Vec<Vec<u8>> = (1..=4u8).map(|i| vec![i; usize::from(i)]).collect();
    let slots = [31, 32, 33, 7];
    let items: Vec<_> = slots
        .iter()
        .zip(&bodies)
        .map(|(&slot, body)| (slot, content(body.len() as u16), body.as_slice()))
        .collect();
    shelf.fill(&sealing(), 9, &items).expect("filled");
    let found = shelf.read(&sealing(), &[7, 33, 32, 31, 0]).expect("read");
    let got: Vec<_> = found.iter().map(body).collect();
    let of = |i: usize| Some(bodies[i].as_slice());
    assert_eq!(got, [of(3), of(2), of(1), of(0), None]);
    assert_eq!(shelf.stamp(&sealing(), 7).expect("read"), Some(9));
}

#[test]
fn an_erased_slot_is_empty_and_its_body_opens_under_no_header() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut shelf = shelf(dir.path());
    assert!(shelf.occupy(3));
    shelf
        .fill(&sealing(), 1, &[(3, content(4), b"body")])
        .expect("filled");
    shelf.erase(&[3]).expect("erased");
    assert!(matches!(
        shelf.read(&sealing(), &[3]).expect("read")[0],
        Found::Empty
    ));
    assert!(shelf.scan(&sealing(), 0).expect("scanned").is_empty());
    assert!(shelf.occupy(3));
}

#[test]
fn every_changed_byte_of_a_slot_is_noticed() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut shelf = shelf(dir.path());
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(dir.path().join("entries-000000"))
        .expect("opens");
    let header = (0..HEADER_LEN as u64).step_by(5);
    let body_at = 32 * HEADER_LEN as u64;
    let body_bytes = (body_at..body_at + 1280).step_by(37);
    for at in header.chain(body_bytes) {
        shelf
            .fill(&sealing(), 1, &[(0, content(4), b"body")])
            .expect("filled");
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).expect("read");
        file.write_all_at(&[byte[0] ^ 1], at).expect("written");
        let found = shelf.read(&sealing(), &[0]).expect("read");
        assert!(matches!(found[0], Found::Damaged), "byte {at}");
    }
}

#[test]
fn a_shelf_is_cut_to_a_smaller_budget() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut shelf = shelf(dir.path());
    let group = ENTRIES.group_len();
    assert_eq!(shelf.excess(2 * group), None);
    assert_eq!(shelf.excess(2 * group - 1), Some(32));
    assert_eq!(shelf.excess(0), Some(0));
    shelf.cut(32).expect("cut");
    assert_eq!(shelf.len(), group);
    assert!(!shelf.occupy(32) && shelf.occupy(31));
    shelf.cut(0).expect("cut");
    assert_eq!(shelf.len(), 0);
}
