//! Work as price: finding a number whose hash begins with enough zero bits.
//!
//! Promises: work is bound to a purpose, a location, a day and the very bytes it pays for, so it can be neither reused
//! nor prepared long ahead; checking costs one hash.
//!
//! Does not know: prices (the network file, and a busy storer's refusal, name them).

use crate::hash::hash;
use crate::ids::Location;
use crate::labels::{self, Label};

/// Most bits anyone may be asked for: about half an hour of one core. Whoever asks for more is refused.
pub const BITS_MAX: u8 = 32;

/// What a piece of work is done for. `day` counts from 1970-01-01 UTC; `body_hash` covers what is paid for.
#[must_use]
pub fn context(purpose: Label, location: &Location, day: u32, body_hash: &[u8; 32]) -> [u8; 32] {
    hash(
        purpose,
        &[location.as_bytes(), &day.to_le_bytes(), body_hash],
    )
}

/// The first number from `start` on that is worth `bits` bits; takes 2^`bits` hashes on average.
/// More than [`BITS_MAX`] bits count as that many.
#[must_use]
pub fn solve(context: &[u8; 32], bits: u8, start: u64) -> u64 {
    let mut from = start;
    loop {
        if let Some(nonce) = search(context, bits, from, SLICE) {
            return nonce;
        }
        from = from.wrapping_add(SLICE);
    }
}

/// As [`solve`], giving up after `tries` numbers: for work that can be interrupted.
#[must_use]
pub fn search(context: &[u8; 32], bits: u8, start: u64, tries: u64) -> Option<u64> {
    let wanted = bits.min(BITS_MAX);
    (0..tries)
        .map(|i| start.wrapping_add(i))
        .find(|&nonce| self::bits(context, nonce) >= wanted)
}

/// What a number is worth: the leading zero bits of its hash.
#[must_use]
pub fn bits(context: &[u8; 32], nonce: u64) -> u8 {
    let digest = hash(labels::WORK, &[context, &nonce.to_le_bytes()]);
    let zero_bytes = digest.iter().take_while(|byte| **byte == 0).count();
    let rest = digest
        .get(zero_bytes)
        .map_or(0, |byte| byte.leading_zeros());
    u8::try_from(zero_bytes as u32 * 8 + rest).unwrap_or(u8::MAX)
}

const SLICE: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::{WORK_ENTRY, WORK_PUT};

    const PLACE: Location = Location([1; 32]);

    #[test]
    fn a_solution_is_worth_its_bits_and_is_the_first_from_the_start() {
        let context = context(WORK_PUT, &PLACE, 20_000, &[2; 32]);
        for (wanted, start) in [(0, 0), (1, 5), (6, 1000), (10, u64::MAX - 3)] {
            let nonce = solve(&context, wanted, start);
            assert!(bits(&context, nonce) >= wanted);
            let skipped = nonce.wrapping_sub(start);
            assert!((0..skipped).all(|i| bits(&context, start.wrapping_add(i)) < wanted));
        }
    }

    #[test]
    fn work_has_fixed_bytes() {
        let context = context(WORK_ENTRY, &PLACE, 20_000, &[2; 32]);
        assert_eq!(
            data_encoding::HEXLOWER.encode(&context),
            "2819b5ca040a42715101f77d08c90df00d441e5a4e29e6a4e3de4382499ec336"
        );
        assert_eq!(solve(&context, 12, 0), 12255);
    }

    #[test]
    fn a_search_gives_up_after_its_tries() {
        let context = context(WORK_PUT, &PLACE, 20_000, &[2; 32]);
        let nonce = solve(&context, 8, 0);
        assert_eq!(search(&context, 8, 0, nonce), None);
        assert_eq!(search(&context, 8, 0, nonce + 1), Some(nonce));
    }

    #[test]
    fn work_is_bound_to_purpose_place_day_and_body() {
        let base = context(WORK_PUT, &PLACE, 20_000, &[2; 32]);
        assert_ne!(base, context(WORK_ENTRY, &PLACE, 20_000, &[2; 32]));
        assert_ne!(
            base,
            context(WORK_PUT, &Location([9; 32]), 20_000, &[2; 32])
        );
        assert_ne!(base, context(WORK_PUT, &PLACE, 20_001, &[2; 32]));
        assert_ne!(base, context(WORK_PUT, &PLACE, 20_000, &[3; 32]));
    }

    #[test]
    fn each_bit_halves_the_numbers_that_will_do() {
        let context = context(WORK_PUT, &PLACE, 20_000, &[2; 32]);
        let worth = |wanted| {
            (0..4096)
                .filter(|&nonce| bits(&context, nonce) >= wanted)
                .count()
        };
        assert_eq!(worth(0), 4096);
        assert!((1900..2200).contains(&worth(1)), "{}", worth(1));
        assert!((200..312).contains(&worth(4)), "{}", worth(4));
    }
}
