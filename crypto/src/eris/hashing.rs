//! The hashes of ERIS, four blocks at a time.
//!
//! Promises: references and keys as the specification prescribes them: plain BLAKE2b-256 without the domain labels used
//! everywhere else in this crate.
//! Does not know: levels, pairs, encryption.

use super::ConvergenceSecret;
use crate::hash::{blake2b_256, blake2b_256_keyed_many, blake2b_256_many};
use crate::ids::Reference;

/// Blocks hashed side by side: what one core with 256-bit vectors does at once, about twice as fast as one after the
/// other. More would only push the blocks out of the core's cache before they are encrypted.
pub(super) const LANES: usize = 4;

/// Says for each reference whether the block in the same place is the one it names. A missing block (fewer blocks than
/// references) does not match; blocks without a reference are not looked at.
#[must_use]
pub fn verify(refs: &[Reference], blocks: &[&[u8]]) -> Vec<bool> {
    let blocks = &blocks[..blocks.len().min(refs.len())];
    let mut matches: Vec<bool> = references(blocks)
        .iter()
        .zip(refs)
        .map(|(found, wanted)| found == wanted)
        .collect();
    matches.resize(refs.len(), false);
    matches
}

/// References (BLAKE2b-256, unkeyed) of encrypted blocks, in order.
pub(super) fn references(blocks: &[&[u8]]) -> Vec<Reference> {
    blake2b_256_many(blocks)
        .into_iter()
        .map(Reference)
        .collect()
}

/// Keys of leaves (BLAKE2b-256 keyed with the convergence secret) from their plaintext, in order.
pub(super) fn leaf_keys(secret: &ConvergenceSecret, blocks: &[&[u8]]) -> Vec<[u8; 32]> {
    blake2b_256_keyed_many(secret.expose(), blocks)
}

/// Key of an inner node: BLAKE2b-256, unkeyed, of its plaintext.
pub(super) fn node_key(plain: &[u8]) -> [u8; 32] {
    blake2b_256(plain)
}

/// Reference of one encrypted block.
pub(super) fn reference(block: &[u8]) -> Reference {
    Reference(blake2b_256(block))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashing_in_fours_equals_hashing_alone() {
        let blocks: Vec<Vec<u8>> = (0..9u8).map(|i| vec![i; 1024]).collect();
        let slices: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
        let alone: Vec<Reference> = blocks
            .iter()
            .map(|block| Reference(node_key(block)))
            .collect();
        assert_eq!(references(&slices), alone);
    }

    #[test]
    fn the_null_secret_is_a_key_and_not_the_absence_of_one() {
        let block: &[u8] = &[7; 1024];
        assert_ne!(
            leaf_keys(&ConvergenceSecret::null(), &[block]),
            vec![node_key(block)]
        );
    }

    #[test]
    fn verify_names_the_block_that_differs() {
        let (a, b) = (vec![1u8; 1024], vec![2u8; 1024]);
        let refs = references(&[&a, &b, &a]);
        assert_eq!(verify(&refs, &[&a, &b, &a]), [true, true, true]);
        assert_eq!(verify(&refs, &[&a, &a, &a]), [true, false, true]);
        assert_eq!(verify(&refs, &[&a, &b]), [true, true, false]);
        assert_eq!(verify(&refs[..1], &[&a, &b]), [true]);
        assert_eq!(verify(&refs[..1], &[&a[..1023]]), [false]);
    }
}
