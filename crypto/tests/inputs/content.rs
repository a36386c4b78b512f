//! Capabilities, trees of blocks, entries and text.

use oboro_crypto::Reference;
use oboro_crypto::aead::{xopen, xseal};
use oboro_crypto::cost::Cost as Argon;
use oboro_crypto::entry::{self, EntryBody, Kind, SealedEntry};
use oboro_crypto::eris::{
    BlockKey, BlockSize, Capability, ConvergenceSecret, DecodeError, Encoder, decode,
};
use oboro_crypto::hash::blake2b_256;
use oboro_crypto::keys::IdentityKey;
use oboro_crypto::network::{Network, Params};
use oboro_crypto::terms::{self, QUERY_TERMS_MAX, TERMS_MAX, Term};
use oboro_crypto::token::KeywordToken;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};

use crate::harness::{Cost, feed};
use crate::links::rng;

const TODAY: u32 = 20_000;

fn capability(block_size: BlockSize, level: u8) -> Capability {
    Capability {
        block_size,
        level,
        root: Reference([1; 32]),
        key: BlockKey::from_bytes([2; 32]),
    }
}

fn capabilities() -> [Capability; 3] {
    [
        capability(BlockSize::Large, 0),
        capability(BlockSize::Large, 4),
        capability(BlockSize::Small, 10),
    ]
}

#[test]
fn the_bytes_of_a_capability_are_canonical() {
    let valid = capabilities().map(|capability| capability.to_bytes().to_vec());
    feed("capability, bytes", Cost::Parsing, &valid, |bytes| {
        let Ok(capability) = Capability::from_bytes(bytes) else {
            return false;
        };
        assert!(capability.level <= capability.block_size.level_max());
        assert_eq!(capability.to_bytes(), bytes);
        true
    });
}

#[test]
fn a_capability_has_one_urn() {
    let valid = capabilities().map(|capability| capability.to_urn().into_bytes());
    feed("capability, URN", Cost::Parsing, &valid, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(capability) = Capability::from_urn(&text) else {
            return false;
        };
        let urn = capability.to_urn();
        assert!(urn.eq_ignore_ascii_case(&text) && urn[9..] == text[9..]);
        true
    });
}

/// Content longer than this in bytes is not taken out of a hostile tree: nodes may name one child again and again.
const UNFOLDED_MAX: usize = 1 << 20;

/// A place for content that ends.
#[derive(Default)]
struct Bounded(usize);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        if self.0 > UNFOLDED_MAX {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Encrypts a node with whatever is in it, the way an encoder would: its key fits, its reference fits.
fn seal(plain: &[u8], level: u8) -> (Vec<u8>, Reference, BlockKey) {
    let (mut block, key) = (plain.to_vec(), blake2b_256(plain));
    let mut nonce = [0; 12];
    nonce[0] = level;
    ChaCha20::new(&key.into(), &nonce.into()).apply_keystream(&mut block);
    let reference = Reference(blake2b_256(&block));
    (block, reference, BlockKey::from_bytes(key))
}

#[test]
fn a_tree_of_hostile_nodes_is_read_to_its_end_or_refused() {
    // Two leaves, the second one padded, and the root above them.
    let content: Vec<u8> = (0..1500u32).map(|i| i as u8).collect();
    let mut encoder = Encoder::new(&*content, BlockSize::Small, ConvergenceSecret::null());
    let mut blocks = std::collections::BTreeMap::new();
    while let Some(run) = encoder.next_run().expect("a slice is readable") {
        blocks.extend(run.references.into_iter().zip(run.blocks));
    }
    let honest = encoder.capability().expect("the content has ended");
    let mut root = blocks[&honest.root].clone();
    let mut nonce = [0; 12];
    nonce[0] = 1;
    ChaCha20::new(honest.key.expose().into(), &nonce.into()).apply_keystream(&mut root);
    // The first byte of an input is the level that the capability claims.
    let valid = [[&[1u8][..], &root].concat()];
    feed("tree of blocks", Cost::Parsing, &valid, |input| {
        let mut plain = input.get(1..).unwrap_or_default().to_vec();
        plain.resize(BlockSize::Small.bytes(), 0);
        let level = input.first().copied().unwrap_or_default();
        let (block, reference, key) = seal(&plain, level);
        let hostile = Capability {
            block_size: BlockSize::Small,
            level,
            root: reference,
            key,
        };
        let mut fetch = |wanted: &Reference| match blocks.get(wanted) {
            _ if *wanted == reference => Ok(block.clone()),
            Some(block) => Ok(block.clone()),
            None => Err(()),
        };
        let mut out = Bounded::default();
        let read: Result<u64, DecodeError<()>> = decode(&hostile, &mut fetch, &mut out);
        read.is_ok_and(|length| length as usize == out.0)
    });
}

fn network() -> Network {
    let keyword_cost = Argon {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };
    let params = Params {
        keyword_cost,
        entry_work: 0,
        ..Params::local()
    };
    Network::new("inputs", params, None).expect("a network")
}

fn bodies(network: &Network) -> [EntryBody; 2] {
    let term = |text| Term::parse(text).expect("a term");
    let plain = EntryBody::new(
        "朧月夜 moon.txt",
        7,
        Kind::Text,
        capability(BlockSize::Large, 0),
        &[term("haze"), term("spring")],
        TODAY,
    );
    let mut signed = EntryBody::new(
        &"long ".repeat(80),
        40 << 20,
        Kind::Archive,
        capability(BlockSize::Large, 2),
        &[],
        TODAY,
    );
    signed.sign(&network.id(), &IdentityKey::generate(&mut rng(8)));
    [plain, signed]
}

fn entries(network: &Network, token: &KeywordToken) -> [SealedEntry; 2] {
    bodies(network).map(|body| {
        entry::seal(network, token, &body, 1, TODAY + 30, &mut rng(9))
            .expect("a body that everybody accepts")
            .solve()
    })
}

fn token(network: &Network) -> KeywordToken {
    KeywordToken::derive(network, &Term::parse("oboro").expect("a term"))
}

#[test]
fn a_stored_entry_is_one_that_its_word_has_signed() {
    let network = network();
    let token = token(&network);
    let valid = entries(&network, &token).map(|entry| entry.encode());
    feed("sealed entry", Cost::Parsing, &valid, |bytes| {
        let Ok(entry) = SealedEntry::decode(bytes) else {
            return false;
        };
        assert_eq!(entry.encode(), bytes);
        let passes = entry.check(&network, TODAY).is_ok();
        assert!(!passes || valid.iter().any(|whole| whole == bytes));
        assert!(!passes || entry.open(&token).is_ok());
        passes
    });
}

#[test]
fn what_somebody_who_knows_the_word_seals_into_an_entry_obeys_the_rules_or_is_refused() {
    let network = network();
    let token = token(&network);
    let sealed = entries(&network, &token);
    let outside = |entry: &SealedEntry| {
        let mut bytes = network.id().0.to_vec();
        bytes.push(1);
        bytes.extend(entry.write_key);
        bytes.push(entry.index);
        bytes.extend(entry.expires_day.to_le_bytes());
        bytes
    };
    let nonce = [4; 24];
    let valid = sealed.clone().map(|entry| {
        let (nonce, rest) = entry.sealed.split_first_chunk().expect("a nonce");
        xopen(token.sealing_key(), nonce, &outside(&entry), rest).expect("our own entry")
    });
    feed("entry body", Cost::Parsing, &valid, |plain| {
        let mut plain = plain.to_vec();
        plain.resize(valid[0].len(), 0);
        let mut entry = sealed[0].clone();
        let cipher = xseal(token.sealing_key(), &nonce, &outside(&entry), &plain);
        entry.sealed[..24].copy_from_slice(&nonce);
        entry.sealed[24..].copy_from_slice(&cipher);
        let Ok(body) = entry.open(&token) else {
            return false;
        };
        assert!(!body.title.is_empty() && !body.title.contains(char::is_control));
        assert!(body.capability.admits(body.size) && body.publisher_is_genuine(&network.id()));
        let again = entry::seal(&network, &token, &body, 1, TODAY + 30, &mut rng(9))
            .expect("what was read can be written")
            .solve();
        assert_eq!(again.open(&token).as_ref(), Ok(&body));
        true
    });
}

#[test]
fn any_text_becomes_a_bounded_number_of_terms_that_read_back() {
    let valid = [
        "東京都庁の資料 annual report.pdf",
        "ｶﾞｷﾞｸﾞ ｅ\u{301} Straße ﬁne",
        "नमस्ते مرحبا สวัสดี 안녕하세요",
        "a\u{0}b\u{200d}c\u{202e}d\u{feff}",
    ]
    .map(|text| text.as_bytes().to_vec());
    feed("text to terms", Cost::Parsing, &valid, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (found, asked) = (terms::of_text(&text), terms::of_query(&text));
        assert!(found.len() <= TERMS_MAX && asked.len() <= QUERY_TERMS_MAX);
        for term in found.iter().chain(&asked) {
            assert!(term.as_str().len() <= Term::BYTES_MAX);
            assert_eq!(Term::parse(term.as_str()).as_ref(), Some(term));
        }
        assert!(asked.is_empty() || terms::matches(&text, &text, &[]));
        !asked.is_empty()
    });
}
