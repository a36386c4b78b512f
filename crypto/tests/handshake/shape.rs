//! What a handshake looks like to someone who watches the line and does not know the node.

use oboro_crypto::handshake::PAD_MAX;

use crate::scene::{FIRST_READ, Scene};

#[test]
fn a_first_flight_shows_neither_a_fixed_byte_nor_a_fixed_length() {
    const RUNS: u64 = 200;
    let flights: Vec<Vec<u8>> = (0..RUNS)
        .map(|seed| {
            Scene {
                seed: 1000 + seed,
                ..Scene::new()
            }
            .first_flight()
        })
        .collect();
    let mut lengths: Vec<usize> = flights.iter().map(Vec::len).collect();
    assert!(
        lengths
            .iter()
            .all(|len| (FIRST_READ..=FIRST_READ + PAD_MAX).contains(len))
    );
    lengths.sort_unstable();
    assert!(lengths[RUNS as usize - 1] - lengths[0] > PAD_MAX * 3 / 4);
    lengths.dedup();
    assert!(lengths.len() > 100, "{} lengths", lengths.len());
    for place in 0..FIRST_READ {
        // Each bit is set in 100 of 200 runs on average; six standard deviations are 42.
        for bit in 0..8 {
            let set = flights
                .iter()
                .filter(|flight| flight[place] >> bit & 1 == 1)
                .count();
            assert!(
                (58..=142).contains(&set),
                "bit {bit} of byte {place} is set in {set} of {RUNS} runs"
            );
        }
    }
}
