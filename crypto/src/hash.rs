//! BLAKE2b-256 (RFC 7693): the only file that names the hash crate.
//!
//! Promises: labelled hashes never mix purposes (the label comes first, each part carries its length, so no two lists of
//! parts give the same input); plain hashes for ERIS, one or many at once, four in parallel where the processor can.
//!
//! Does not know: what the bytes mean. Slow hashes for guessable input are in `node_id`, `token` and `keyfile`.

use blake2b_simd::{Params, State, many};

use crate::labels::Label;
use crate::secret::Secret;

/// Bytes in a digest.
pub const HASH_LEN: usize = 32;

/// Hash of `parts` for the purpose `label`.
#[must_use]
pub fn hash(label: Label, parts: &[&[u8]]) -> [u8; HASH_LEN] {
    labelled(params().to_state(), label, parts)
}

/// Keyed hash (a MAC) of `parts` for the purpose `label`.
#[must_use]
pub fn keyed(label: Label, key: &[u8; 32], parts: &[&[u8]]) -> [u8; HASH_LEN] {
    labelled(params().key(key).to_state(), label, parts)
}

/// A new secret out of `secret` for the purpose `label`, bound to `parts`.
#[must_use]
pub fn derive(label: Label, secret: &Secret<32>, parts: &[&[u8]]) -> Secret<32> {
    Secret::from_bytes(keyed(label, secret.expose(), parts))
}

/// Plain BLAKE2b-256, as ERIS names its blocks.
#[must_use]
pub fn blake2b_256(bytes: &[u8]) -> [u8; HASH_LEN] {
    digest(params().hash(bytes).as_bytes())
}

/// Plain keyed BLAKE2b-256, as ERIS derives its keys.
#[must_use]
pub fn blake2b_256_keyed(key: &[u8; 32], bytes: &[u8]) -> [u8; HASH_LEN] {
    digest(params().key(key).hash(bytes).as_bytes())
}

/// Plain BLAKE2b-256 of each input, in order. Best given at least four inputs of one length.
#[must_use]
pub fn blake2b_256_many(inputs: &[&[u8]]) -> Vec<[u8; HASH_LEN]> {
    many_with(&params(), inputs)
}

/// Plain keyed BLAKE2b-256 of each input under one key, in order. Best given at least four inputs of one length.
#[must_use]
pub fn blake2b_256_keyed_many(key: &[u8; 32], inputs: &[&[u8]]) -> Vec<[u8; HASH_LEN]> {
    many_with(params().key(key), inputs)
}

fn params() -> Params {
    let mut params = Params::new();
    params.hash_length(HASH_LEN);
    params
}

fn labelled(mut state: State, label: Label, parts: &[&[u8]]) -> [u8; HASH_LEN] {
    absorb(&mut state, label.as_str().as_bytes());
    for part in parts {
        absorb(&mut state, part);
    }
    digest(state.finalize().as_bytes())
}

fn absorb(state: &mut State, part: &[u8]) {
    state.update(&(part.len() as u64).to_le_bytes());
    state.update(part);
}

fn many_with(params: &Params, inputs: &[&[u8]]) -> Vec<[u8; HASH_LEN]> {
    let mut jobs: Vec<_> = inputs
        .iter()
        .map(|input| many::HashManyJob::new(params, input))
        .collect();
    many::hash_many(jobs.iter_mut());
    jobs.iter()
        .map(|job| digest(job.to_hash().as_bytes()))
        .collect()
}

fn digest(bytes: &[u8]) -> [u8; HASH_LEN] {
    let mut out = [0; HASH_LEN];
    out.copy_from_slice(bytes);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::{EXTENT_ID, EXTENT_LOCATION};
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    #[test]
    fn plain_hash_is_blake2b_256() {
        // b2sum -l 256 of the empty input and of "abc"
        let cases: [(&[u8], &str); 2] = [
            (
                b"",
                "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8",
            ),
            (
                b"abc",
                "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319",
            ),
        ];
        for (input, expected) in cases {
            assert_eq!(HEXLOWER.encode(&blake2b_256(input)), expected);
        }
    }

    #[test]
    fn labelled_hash_has_fixed_bytes() {
        assert_eq!(
            HEXLOWER.encode(&hash(EXTENT_ID, &[b"one", b"two"])),
            "977dcd9825fd15cf14e4509eaff5e39badb10a7c0f5afe49f1da36df5f587b6e"
        );
        assert_eq!(
            HEXLOWER.encode(&keyed(EXTENT_ID, &[9; 32], &[b"one", b"two"])),
            "15c84517f5a49cc7f5402207e6064f306ef1dca07a093f06ce267472cb807c94"
        );
    }

    #[test]
    fn label_key_and_every_boundary_between_parts_count() {
        let base = hash(EXTENT_ID, &[b"ab", b"c"]);
        assert_ne!(base, hash(EXTENT_LOCATION, &[b"ab", b"c"]));
        assert_ne!(base, hash(EXTENT_ID, &[b"a", b"bc"]));
        assert_ne!(base, hash(EXTENT_ID, &[b"abc"]));
        assert_ne!(base, hash(EXTENT_ID, &[b"ab", b"c", b""]));
        assert_ne!(base, keyed(EXTENT_ID, &[0; 32], &[b"ab", b"c"]));
    }

    #[test]
    fn derived_secret_is_the_keyed_hash() {
        let derived = derive(EXTENT_ID, &Secret::from_bytes([3; 32]), &[b"x"]);
        assert_eq!(derived.expose(), &keyed(EXTENT_ID, &[3; 32], &[b"x"]));
    }

    proptest! {
        #[test]
        fn many_at_once_equals_one_at_a_time(inputs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..11)) {
            let slices: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
            let single: Vec<_> = slices.iter().map(|input| blake2b_256(input)).collect();
            prop_assert_eq!(blake2b_256_many(&slices), single);
            let keyed: Vec<_> = slices.iter().map(|input| blake2b_256_keyed(&[5; 32], input)).collect();
            prop_assert_eq!(blake2b_256_keyed_many(&[5; 32], &slices), keyed);
        }
    }
}
