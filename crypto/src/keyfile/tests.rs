//! What a key file keeps, and what it refuses.

use super::*;
use crate::hash::blake2b_256;
use data_encoding::HEXLOWER;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const CHEAP: Cost = Cost {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn keys() -> NodeKeys {
    let mut keys = NodeKeys::generate(100, &mut rng(1));
    keys.rotate_onion(101, &mut rng(2));
    keys
}

fn passphrase() -> SecretBytes {
    SecretBytes::from(String::from("十分に長い合言葉"))
}

fn protected() -> Vec<u8> {
    seal_at(CHEAP, &keys(), Some(&passphrase()), &mut rng(3))
}

fn error(file: &[u8], passphrase: Option<&SecretBytes>) -> Option<KeyFileError> {
    open(file, passphrase).err()
}

fn with_checksum(mut file: Vec<u8>) -> Vec<u8> {
    file.truncate(file.len() - CHECKSUM_LEN);
    let sum = checksum(&file);
    file.extend(sum);
    file
}

fn assert_same(a: &NodeKeys, b: &NodeKeys) {
    assert!(*body(a) == *body(b));
    assert_eq!(a.identity.public(), b.identity.public());
    assert_eq!(a.onion_previous.is_some(), b.onion_previous.is_some());
}

#[test]
fn what_was_sealed_opens_to_the_same_keys() {
    let once_rotated = keys();
    let fresh = NodeKeys::generate(7, &mut rng(9));
    for keys in [&once_rotated, &fresh] {
        for passphrase in [None, Some(&passphrase())] {
            let file = seal_at(CHEAP, keys, passphrase, &mut rng(3));
            assert_eq!(file.len(), KEY_FILE_LEN);
            assert_eq!(is_protected(&file), Ok(passphrase.is_some()));
            assert_same(&open(&file, passphrase).unwrap(), keys);
        }
    }
}

#[test]
fn a_key_file_has_fixed_bytes() {
    let file = seal_at(CHEAP, &keys(), Some(&passphrase()), &mut rng(3));
    assert_eq!(
        HEXLOWER.encode(&file[..25]),
        "6f626f726f206b657973010001080000000100000001000000"
    );
    assert_eq!(
        HEXLOWER.encode(&blake2b_256(&file)),
        "717cec5c53dcbf2a856a4c5ec03697b8917cad32b3da1d91409b783243c77a72"
    );
}

#[test]
fn a_passphrase_costs_what_users_of_the_real_thing_pay() {
    let file = seal(&keys(), Some(&passphrase()), &mut rng(3));
    assert_eq!(
        Header::read(&file).map(|header| header.cost),
        Ok(PASSPHRASE_COST)
    );
    assert_same(&open(&file, Some(&passphrase())).unwrap(), &keys());
}

#[test]
fn a_protected_file_opens_with_its_passphrase_only() {
    let file = protected();
    assert_eq!(error(&file, None), Some(KeyFileError::PassphraseNeeded));
    for wrong in ["", "十分に長い合言", "x"] {
        let wrong = SecretBytes::from(String::from(wrong));
        assert_eq!(
            error(&file, Some(&wrong)),
            Some(KeyFileError::WrongPassphrase)
        );
    }
}

#[test]
fn an_unprotected_file_does_not_mind_a_passphrase() {
    let file = seal(&keys(), None, &mut rng(3));
    assert!(open(&file, Some(&passphrase())).is_ok());
}

#[test]
fn no_secret_lies_open_in_a_protected_file_and_salts_differ() {
    let (file, keys) = (protected(), keys());
    for secret in [
        keys.link.secret(),
        keys.onion.secret(),
        &keys.store,
        &keys.state,
        &keys.identity.secret(),
    ] {
        assert!(!file.windows(32).any(|window| window == secret.expose()));
    }
    let again = seal_at(CHEAP, &keys, Some(&passphrase()), &mut rng(4));
    assert_ne!(file[25..], again[25..]);
}

#[test]
fn damage_of_any_byte_is_told_from_a_wrong_passphrase() {
    for file in [protected(), seal(&keys(), None, &mut rng(3))] {
        for place in 0..file.len() {
            let mut damaged = file.clone();
            damaged[place] ^= 0x04;
            assert_eq!(
                error(&damaged, Some(&passphrase())),
                Some(KeyFileError::Damaged),
                "byte {place}"
            );
            assert_eq!(
                error(&file[..place], Some(&passphrase())),
                Some(KeyFileError::Damaged),
                "length {place}"
            );
        }
        let longer = [file.as_slice(), &[0]].concat();
        assert_eq!(
            error(&longer, Some(&passphrase())),
            Some(KeyFileError::Damaged)
        );
    }
}

#[test]
fn a_forged_checksum_does_not_help() {
    for place in 13..KEY_FILE_LEN - CHECKSUM_LEN {
        let mut forged = protected();
        // The low bit of each byte; of the cost's bytes it stays within bounds or is refused at once.
        forged[place] ^= 1;
        assert!(
            open(&with_checksum(forged), Some(&passphrase())).is_err(),
            "byte {place}"
        );
    }
}

#[test]
fn a_cost_out_of_bounds_is_refused_before_it_is_paid() {
    let mut forged = protected();
    forged[13..17].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        error(&with_checksum(forged), Some(&passphrase())),
        Some(KeyFileError::Damaged)
    );
}

#[test]
fn versions_are_told_apart() {
    for (version, expected) in [
        (0, KeyFileError::Damaged),
        (2, KeyFileError::NewerVersion(2)),
        (300, KeyFileError::NewerVersion(300)),
    ] {
        let mut other = protected();
        other[10..12].copy_from_slice(&u16::to_le_bytes(version));
        assert_eq!(
            error(&with_checksum(other), Some(&passphrase())),
            Some(expected)
        );
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_open_nor_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), sum: bool) {
        let bytes = if sum && bytes.len() >= CHECKSUM_LEN { with_checksum(bytes) } else { bytes };
        prop_assert!(open(&bytes, Some(&passphrase())).is_err());
    }

    #[test]
    fn a_body_of_another_length_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(bytes.len() == BODY_LEN || read_body(&bytes).is_none());
    }
}
