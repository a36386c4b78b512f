//! A handshake as it is written down: chance in the order in which it is drawn, flights as they are asked for.

use std::collections::VecDeque;

use oboro_crypto::handshake::Step;
use rand_core::{CryptoRng, RngCore};

use crate::reader::Vector;

/// Chance that was written down: bytes in the order in which they are drawn, a pad's length as four bytes.
pub(crate) struct Script(VecDeque<u8>);

impl Script {
    /// What these fields say, drawn in this order.
    pub(crate) fn of(vector: &Vector, fields: &[&str]) -> Self {
        let drawn = fields
            .iter()
            .flat_map(|field| match field.starts_with("pad-") {
                true => vector.value::<u32>(field).to_le_bytes().to_vec(),
                false => vector.bytes(field),
            });
        Self(drawn.collect())
    }
}

impl RngCore for Script {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("nothing draws eight bytes")
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        dest.fill_with(|| {
            self.0
                .pop_front()
                .expect("more is drawn than is written down")
        });
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Script {}

impl Drop for Script {
    fn drop(&mut self) {
        assert!(
            self.0.is_empty() || std::thread::panicking(),
            "less is drawn than is written down"
        );
    }
}

/// The flight that a step says is to be sent.
pub(crate) fn written(step: Step) -> Vec<u8> {
    match step {
        Step::Write(bytes) => bytes,
        _ => panic!("a flight is due"),
    }
}

/// Hands a flight over as it is asked for, to its last byte.
pub(crate) fn read(end: &mut impl FnMut(&[u8]) -> Step, mut flight: &[u8]) -> Step {
    let mut step = end(&[]);
    while let Step::Read(bytes) = step {
        let (now, later) = flight.split_at(bytes);
        step = end(now);
        flight = later;
    }
    assert!(flight.is_empty());
    step
}
