//! I3 over three hops: whatever is on a link, and wherever on its way, it has one shape.

use super::SEEDS;
use super::finder::SHARED;
use super::life::Life;
use oboro_crypto::circuit::{CELL_LEN, CREATE_LEN, CREATED_LEN};

/// Nothing of a layout shows: no run of equal bytes as padding, lengths and small numbers make.
fn looks_random(bytes: &[u8]) -> bool {
    let runs = bytes.windows(SHARED / 2);
    let mut runs = runs.filter(|run| run.iter().all(|byte| *byte == run[0]));
    runs.next().is_none()
}

#[test]
fn every_cell_fills_its_record_at_every_position_in_both_directions() {
    for seed in SEEDS {
        let life = Life::new(seed);
        let wires = &life.overheard.wires;
        assert_eq!(
            wires.shared_cells, 0,
            "a cell and something else in one record"
        );
        let mut whole = 0;
        for route in &life.overheard.routes {
            let hops: Vec<_> = route.wires.iter().map(|wire| &wires.hops[wire]).collect();
            for hop in &hops {
                for cell in hop.forward.iter().chain(&hop.backward) {
                    assert_eq!(cell.len(), CELL_LEN);
                    assert!(looks_random(cell));
                }
                assert_eq!(hop.create.len(), CREATE_LEN);
                assert!(looks_random(&hop.create));
                if !hop.created.is_empty() {
                    assert_eq!(hop.created.len(), CREATED_LEN);
                    assert!(looks_random(&hop.created));
                }
            }
            if route.storers.is_empty() {
                continue;
            }
            let [first, second, third] = hops[..] else {
                panic!("three links");
            };
            // What is still under way when the life ends, or was when its circuit ended, is a few cells.
            let counts = |hop: &super::wires::Hop| (hop.forward.len(), hop.backward.len());
            let (forward, backward) = counts(first);
            assert!(forward > 0 && backward > 0);
            for (there, back) in [counts(second), counts(third)] {
                assert!(
                    there <= forward && forward - there <= 2,
                    "{there} of {forward} cells"
                );
                assert!(
                    back >= backward && back - backward <= 2,
                    "{backward} of {back} cells"
                );
            }
            whole += 1;
        }
        assert!(whole > 5, "{whole} circuits with requests");
        assert!(wires.records > 1000);
    }
}

#[test]
fn no_two_cells_are_the_same_anywhere() {
    let life = Life::new(SEEDS[0]);
    let hops = life.overheard.wires.hops.values();
    let cells = hops.flat_map(|hop| hop.forward.iter().chain(&hop.backward));
    // Compared by their beginnings, which are tags or ciphertext.
    let mut begins: Vec<&[u8]> = cells.map(|cell| &cell[..SHARED]).collect();
    let count = begins.len();
    begins.sort_unstable();
    begins.dedup();
    assert_eq!(begins.len(), count);
    assert!(count > 300, "{count}");
}
