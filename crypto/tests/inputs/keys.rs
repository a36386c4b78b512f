//! Networks and key files, as bytes and as text.

use oboro_crypto::hash::hash;
use oboro_crypto::keyfile::{self, KEY_FILE_LEN};
use oboro_crypto::keys::NodeKeys;
use oboro_crypto::network::Network;
use oboro_crypto::{SecretBytes, labels};

use crate::harness::{Cost, feed};
use crate::links::rng;

fn networks() -> [Network; 3] {
    [
        Network::public(),
        Network::private("salon", true, &mut rng(1)).expect("a network"),
        Network::private("朧", false, &mut rng(2)).expect("a network"),
    ]
}

#[test]
fn the_bytes_of_a_network_are_canonical() {
    let valid = networks().map(|network| network.encode());
    feed("network, bytes", Cost::Parsing, &valid, |bytes| {
        let network = Network::decode(bytes);
        assert!(
            network
                .as_ref()
                .is_ok_and(|network| network.encode() == bytes)
                || network.is_err()
        );
        network.is_ok()
    });
}

#[test]
fn the_text_of_a_network_leads_to_the_bytes_of_one() {
    let valid = networks().map(|network| network.to_text().into_bytes());
    feed("network, text", Cost::Parsing, &valid, |bytes| {
        let Ok(network) = Network::from_text(&String::from_utf8_lossy(bytes)) else {
            return false;
        };
        let again = Network::decode(&network.encode()).expect("what was accepted is a network");
        assert_eq!(again.id(), network.id());
        let text = Network::from_text(&network.to_text()).expect("and has a text");
        assert_eq!(text.id(), network.id());
        true
    });
}

/// Where the Argon2id memory in KiB and the passes stand in a key file.
const MEMORY_AT: usize = 13;
const PASSES_AT: usize = 17;

fn number(file: &[u8], at: usize) -> Option<u32> {
    let bytes = file.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Gives the passphrase only where the file asks for no more than a test can spare.
fn open(file: &[u8], passphrase: &SecretBytes) -> bool {
    let cheap = number(file, MEMORY_AT).is_some_and(|kib| kib <= 1024)
        && number(file, PASSES_AT).is_some_and(|passes| passes <= 2);
    let given = cheap.then_some(passphrase);
    let opened = keyfile::open(file, given).is_ok();
    assert!(!opened || keyfile::is_protected(file) == Ok(false));
    opened
}

fn files() -> (Vec<Vec<u8>>, SecretBytes) {
    let mut keys = NodeKeys::generate(20_000, &mut rng(3));
    keys.rotate_onion(20_001, &mut rng(4));
    let plain = keyfile::seal(&keys, None, &mut rng(5));
    assert_eq!(plain.len(), KEY_FILE_LEN);
    (vec![plain], SecretBytes::new(b"passphrase".to_vec()))
}

#[test]
fn a_key_file_opens_only_if_it_is_whole() {
    let (valid, passphrase) = files();
    feed("key file", Cost::Parsing, &valid, |file| {
        let opened = open(file, &passphrase);
        assert!(!opened || valid.iter().any(|whole| whole == file));
        opened
    });
}

#[test]
fn a_key_file_with_a_repaired_checksum_is_refused_for_its_content() {
    let (mut valid, passphrase) = files();
    valid
        .iter_mut()
        .for_each(|file| file.truncate(KEY_FILE_LEN - 16));
    // Cheap to stretch, so that the passphrase is tried.
    let mut protected = valid[0].clone();
    protected[12] = 1;
    protected[MEMORY_AT..MEMORY_AT + 4].copy_from_slice(&8u32.to_le_bytes());
    protected[PASSES_AT..PASSES_AT + 4].copy_from_slice(&1u32.to_le_bytes());
    let whole = valid[0].clone();
    let sources = [whole.clone(), protected.clone()];
    feed(
        "key file, checksum repaired",
        Cost::PublicKey,
        &sources,
        |content| {
            let sum = hash(labels::KEYFILE_CHECKSUM, &[content]);
            let opened = open(&[content, &sum[..16]].concat(), &passphrase);
            assert!(!opened || content == whole);
            opened || content == protected
        },
    );
}
