//! The hashes of ERIS, four blocks at a time.
//!
//! Promises: the plain and keyed BLAKE2b-256 of the specification, over many blocks in one call. One block at a time a
//! core hashes about half as fast as four side by side, and hashing is the greater part of encoding.
//! Does not know: levels, pairs, encryption. ERIS prescribes its hashes without domain labels, so they are not those of
//! the crate's `hash` module and stay in this file.

use blake2b_simd::{Params, many};

use super::ConvergenceSecret;
use crate::ids::Reference;

/// Blocks hashed side by side: what one AVX2 core does at once. More would only push the blocks out of the core's cache
/// before they are encrypted.
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
    hash_all(&unkeyed(), blocks)
        .into_iter()
        .map(Reference)
        .collect()
}

/// Keys of leaves (BLAKE2b-256 keyed with the convergence secret) from their plaintext, in order.
pub(super) fn leaf_keys(secret: &ConvergenceSecret, blocks: &[&[u8]]) -> Vec<[u8; 32]> {
    let mut params = unkeyed();
    params.key(secret.expose());
    hash_all(&params, blocks)
}

/// Key of an inner node: BLAKE2b-256, unkeyed, of its plaintext.
pub(super) fn node_key(plain: &[u8]) -> [u8; 32] {
    truncated(unkeyed().hash(plain))
}

fn unkeyed() -> Params {
    let mut params = Params::new();
    params.hash_length(32);
    params
}

fn hash_all(params: &Params, blocks: &[&[u8]]) -> Vec<[u8; 32]> {
    let mut jobs: Vec<_> = blocks
        .iter()
        .map(|block| many::HashManyJob::new(params, block))
        .collect();
    many::hash_many(jobs.iter_mut());
    jobs.iter().map(|job| truncated(job.to_hash())).collect()
}

fn truncated(hash: blake2b_simd::Hash) -> [u8; 32] {
    let mut out = [0; 32];
    // hash_length(32) above: the hash is exactly as long as the array.
    out.copy_from_slice(hash.as_bytes());
    out
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
