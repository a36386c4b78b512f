//! Capabilities, trees of blocks, entries, networks, key files, text, and what programs ask of a node.

use std::sync::LazyLock;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use oboro_crypto::aead::{xopen, xseal};
use oboro_crypto::cost::Cost;
use oboro_crypto::entry::{self as sealing, EntryBody, Kind, SealedEntry};
use oboro_crypto::eris::{BlockKey, BlockSize, Capability, DecodeError, decode};
use oboro_crypto::hash::{blake2b_256, hash};
use oboro_crypto::keyfile;
use oboro_crypto::network::{Network, Params};
use oboro_crypto::terms::{self, QUERY_TERMS_MAX, TERMS_MAX, Term};
use oboro_crypto::token::KeywordToken;
use oboro_crypto::{Reference, SecretBytes, labels};
use oboro_node::api::{FetchRequest, PublishRequest, SearchRequest};

use crate::links::rng;

const TODAY: u32 = 20_000;

/// A network on which words and entries cost next to nothing.
pub(crate) fn cheap_network() -> Network {
    let cheap = Cost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };
    let params = Params {
        id_cost: cheap,
        keyword_cost: cheap,
        put_work: 0,
        entry_work: 0,
        ..Params::local()
    };
    Network::new("fuzz", params, None).expect("a network")
}

static CHEAP: LazyLock<Network> = LazyLock::new(cheap_network);

static TOKEN: LazyLock<KeywordToken> =
    LazyLock::new(|| KeywordToken::derive(&CHEAP, &Term::parse("oboro").expect("a term")));

pub(crate) static ENTRY: LazyLock<SealedEntry> = LazyLock::new(|| {
    let capability = Capability {
        block_size: BlockSize::Large,
        level: 0,
        root: Reference([1; 32]),
        key: BlockKey::from_bytes([2; 32]),
    };
    let term = Term::parse("spring").expect("a term");
    let body = EntryBody::new("朧月夜", 7, Kind::Text, capability, &[term], TODAY);
    sealing::seal(&CHEAP, &TOKEN, &body, 1, TODAY + 30, &mut rng(9))
        .expect("a body")
        .solve()
});

/// An entry as a storer sees it.
pub fn entry(data: &[u8]) {
    let Ok(entry) = SealedEntry::decode(data) else {
        return;
    };
    assert_eq!(entry.encode(), data);
    let passes = entry.check(&CHEAP, TODAY).is_ok();
    assert!(!passes || entry == *ENTRY);
}

/// What an entry's seal is bound to.
fn outside(entry: &SealedEntry) -> Vec<u8> {
    let mut bytes = CHEAP.id().0.to_vec();
    bytes.push(1);
    bytes.extend(entry.write_key);
    bytes.push(entry.index);
    bytes.extend(entry.expires_day.to_le_bytes());
    bytes
}

pub(crate) fn plain_body() -> Vec<u8> {
    let (nonce, rest) = ENTRY.sealed.split_first_chunk().expect("a nonce");
    xopen(TOKEN.sealing_key(), nonce, &outside(&ENTRY), rest).expect("our own entry")
}

/// What somebody who knows the word seals into an entry.
pub fn entry_body(data: &[u8]) {
    static LENGTH: LazyLock<usize> = LazyLock::new(|| plain_body().len());
    let mut plain = data.to_vec();
    plain.resize(*LENGTH, 0);
    let mut entry = ENTRY.clone();
    let cipher = xseal(TOKEN.sealing_key(), &[4; 24], &outside(&entry), &plain);
    entry.sealed[..24].copy_from_slice(&[4; 24]);
    entry.sealed[24..].copy_from_slice(&cipher);
    let Ok(body) = entry.open(&TOKEN) else {
        return;
    };
    assert!(!body.title.is_empty() && !body.title.contains(char::is_control));
    assert!(body.capability.admits(body.size) && body.publisher_is_genuine(&CHEAP.id()));
    let again = sealing::seal(&CHEAP, &TOKEN, &body, 1, TODAY + 30, &mut rng(9))
        .expect("what was read can be written")
        .solve();
    assert_eq!(again.open(&TOKEN).as_ref(), Ok(&body));
}

/// A capability, as bytes and as a URN.
pub fn capability(data: &[u8]) {
    if let Ok(capability) = Capability::from_bytes(data) {
        assert_eq!(capability.to_bytes(), data);
        assert!(capability.level <= capability.block_size.level_max());
    }
    let text = String::from_utf8_lossy(data);
    if let Ok(capability) = Capability::from_urn(&text) {
        assert!(capability.to_urn().eq_ignore_ascii_case(&text));
    }
}

/// Content longer than this in bytes is not taken out of a tree whose nodes name one child again and again.
const UNFOLDED_MAX: usize = 1 << 18;

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

/// A tree of blocks made by somebody hostile. The first byte is the level of the root; then each byte but the last of a
/// node names an earlier block as a child, so that references and keys always fit.
pub fn tree(data: &[u8]) {
    let Some((&level, shape)) = data.split_first() else {
        return;
    };
    let size = BlockSize::Small;
    let mut blocks: Vec<(Vec<u8>, Reference, [u8; 32])> = Vec::new();
    for (number, node) in shape.split(|&byte| byte == 0xff).take(24).enumerate() {
        let mut plain: Vec<u8> = match number {
            0 => node.to_vec(),
            _ => node
                .iter()
                .filter_map(|&child| blocks.get(usize::from(child)))
                .flat_map(|(_, reference, key)| [reference.0, *key])
                .flatten()
                .collect(),
        };
        plain.resize(size.bytes(), 0);
        let height = level.saturating_sub(number as u8);
        let (key, mut nonce) = (blake2b_256(&plain), [0; 12]);
        nonce[0] = if number == 0 { 0 } else { height };
        ChaCha20::new(&key.into(), &nonce.into()).apply_keystream(&mut plain);
        let reference = Reference(blake2b_256(&plain));
        blocks.push((plain, reference, key));
    }
    let Some((_, root, key)) = blocks.last() else {
        return;
    };
    let capability = Capability {
        block_size: size,
        level,
        root: *root,
        key: BlockKey::from_bytes(*key),
    };
    let mut asked = 0;
    let mut fetch = |wanted: &Reference| {
        asked += 1;
        let found = blocks.iter().find(|(_, reference, _)| reference == wanted);
        found.map(|(block, ..)| block.clone()).ok_or(())
    };
    let mut out = Bounded(0);
    let read: Result<u64, DecodeError<()>> = decode(&capability, &mut fetch, &mut out);
    assert!(read.is_err() || read.is_ok_and(|length| length as usize == out.0));
    assert!(level <= size.level_max() || asked == 0);
}

/// A network, as bytes and as text.
pub fn network(data: &[u8]) {
    if let Ok(network) = Network::decode(data) {
        assert_eq!(network.encode(), data);
    }
    if let Ok(network) = Network::from_text(&String::from_utf8_lossy(data)) {
        let again = Network::from_text(&network.to_text()).expect("it has a text");
        assert_eq!(again.id(), network.id());
    }
}

/// A key file, as it is and with its checksum repaired; the passphrase is tried where stretching is cheap.
pub fn key_file(data: &[u8]) {
    let passphrase = SecretBytes::new(b"passphrase".to_vec());
    let number = |at: usize| {
        let bytes = data.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let cheap = number(13).is_some_and(|kib| kib <= 64) && number(17).is_some_and(|n| n <= 2);
    let given = cheap.then_some(&passphrase);
    let sum = hash(labels::KEYFILE_CHECKSUM, &[data]);
    for file in [data, &[data, &sum[..16]].concat()] {
        let opened = keyfile::open(file, given).is_ok();
        assert!(!opened || keyfile::is_protected(file).is_ok());
    }
}

/// Text that becomes terms.
pub fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (found, asked) = (terms::of_text(&text), terms::of_query(&text));
    assert!(found.len() <= TERMS_MAX && asked.len() <= QUERY_TERMS_MAX);
    for term in found.iter().chain(&asked) {
        assert!(term.as_str().len() <= Term::BYTES_MAX);
        assert_eq!(Term::parse(term.as_str()).as_ref(), Some(term));
    }
    assert!(asked.is_empty() || terms::matches(&text, &text, &[]));
    let title = sealing::fit_title(&text);
    assert!(title.len() <= sealing::TITLE_MAX && text.starts_with(title));
}

/// A request to the control socket.
pub fn control_request(data: &[u8]) {
    let publish: Result<PublishRequest, _> = serde_json::from_slice(data);
    if let Ok(request) = publish {
        let again = serde_json::to_vec(&request).expect("what was read can be written");
        assert!(serde_json::from_slice::<PublishRequest>(&again).is_ok());
    }
    let _ = serde_json::from_slice::<SearchRequest>(data);
    let _ = serde_json::from_slice::<FetchRequest>(data);
}
