//! Every vector of `docs/vectors/crypto.txt`, and so every one that `docs/protocol.md` prints of it, is what this crate
//! computes; the table of labels in `docs/protocol.md` is the one in the code.

#[path = "protocol_vectors/circuits.rs"]
mod circuits;
#[path = "../../docs/vectors/reader.rs"]
mod reader;
#[path = "protocol_vectors/script.rs"]
mod script;

use std::collections::{BTreeMap, BTreeSet};

use oboro_crypto::entry::{EntryBody, Kind, SealedEntry, seal};
use oboro_crypto::eris::{BlockSize, Capability, ConvergenceSecret, Encoder};
use oboro_crypto::handshake::{Initiator, LinkContext, ReplayWindow, Responder, Step};
use oboro_crypto::hash::{blake2b_256, hash, keyed};
use oboro_crypto::keys::{IdentityKey, LinkKey, NodeKeys, OnionKey};
use oboro_crypto::labels::{self, Label};
use oboro_crypto::network::Network;
use oboro_crypto::node_id::node_id;
use oboro_crypto::record::{RECORD_PLAIN, RecordCipher};
use oboro_crypto::terms::{self, Term};
use oboro_crypto::token::KeywordToken;
use oboro_crypto::{
    ExtentId, IdentityPublic, Location, NetworkId, Reference, Secret, SecretBytes, keyfile,
    session, work,
};
use oboro_crypto::{entry, eris, handshake, network, record};
use reader::{Vector, decode, each, hex};
use script::{Script, read, written};

const FILE: &str = "crypto.txt";

#[test]
fn every_vector_has_a_test_and_every_printed_one_is_in_a_file() {
    let tested = [
        "circuit",
        "entry",
        "eris",
        "extent",
        "hash",
        "keyfile",
        "link",
        "matches",
        "network",
        "node-id",
        "query",
        "session",
        "signature",
        "terms",
        "token",
        "work",
    ];
    let families = reader::vectors(FILE)
        .into_iter()
        .map(|vector| vector.family().to_owned());
    assert_eq!(
        families.collect::<BTreeSet<_>>(),
        tested.map(str::to_owned).into()
    );
    assert_eq!(
        reader::printed_from(FILE) + reader::printed_from("core.txt"),
        reader::printed()
    );
}

#[test]
fn the_table_of_labels_is_the_one_in_the_code() {
    let code = include_str!("../src/labels.rs").lines().filter_map(|line| {
        let (name, text) = line
            .strip_prefix("    ")?
            .strip_suffix("\";")?
            .split_once(" = \"")?;
        Some((name.to_owned(), format!("oboro/1 {text}")))
    });
    let document = reader::document("protocol.md");
    let table = document.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split("` | `");
        let (name, text) = (cells.next()?, cells.next()?.split('`').next()?);
        text.starts_with("oboro/1 ")
            .then(|| (name.to_owned(), text.to_owned()))
    });
    let (code, table): (BTreeMap<_, _>, BTreeMap<_, _>) = (code.collect(), table.collect());
    assert_eq!(table, code);
    assert_eq!(
        code.get("WORK").map(String::as_str),
        Some(labels::WORK.as_str())
    );
}

#[test]
fn the_numbers_to_agree_on_are_those_in_the_code() {
    let lengths = [
        ("RECORD_PLAIN", RECORD_PLAIN),
        ("RECORD_WIRE", record::RECORD_WIRE),
        ("PAD_MAX", handshake::PAD_MAX),
        ("KEY_FILE_LEN", keyfile::KEY_FILE_LEN),
        ("NAME_MAX", network::NAME_MAX),
        ("SEALED_LEN", entry::SEALED_LEN),
        ("SealedEntry::ENCODED_LEN", SealedEntry::ENCODED_LEN),
        ("TITLE_MAX", entry::TITLE_MAX),
        ("TERMS_MAX", terms::TERMS_MAX),
        ("Term::BYTES_MAX", Term::BYTES_MAX),
    ];
    reader::agree(&lengths.map(|(name, length)| (name, length as u64)));
    reader::agree(&[
        ("REKEY_EVERY", record::REKEY_EVERY),
        ("SKEW_MINUTES", handshake::SKEW_MINUTES.into()),
        ("BITS_MAX", work::BITS_MAX.into()),
        ("LEVEL_MAX", eris::LEVEL_MAX.into()),
    ]);
}

#[test]
fn hashes_and_signatures_are_as_described() {
    each(FILE, "hash", |vector| {
        let parts: Vec<Vec<u8>> = vector.all("part").into_iter().map(decode).collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let label = label(vector);
        let digest = match vector.all("key").first() {
            Some(key) => keyed(label, &decode(key).try_into().unwrap(), &parts),
            None => hash(label, &parts),
        };
        vector.is_bytes("digest", digest);
    });
    each(FILE, "signature", |vector| {
        let parts: Vec<Vec<u8>> = vector.all("part").into_iter().map(decode).collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let key = IdentityKey::from_secret(&Secret::from_bytes(vector.array("seed")));
        vector.is_bytes("public", key.public().0);
        vector.is_bytes("signature", key.sign(label(vector), &parts).0);
    });
}

#[test]
fn networks_are_written_and_named_as_described() {
    each(FILE, "network", |vector| {
        let network = network_of(vector);
        vector.is_bytes("bytes", network.encode());
        vector.is_bytes("id", network.id().0);
        let text = network.to_text();
        vector.are("line", &text.lines().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(Network::from_text(&text).unwrap().id(), network.id());
        if vector.name == "network.public" {
            assert_eq!(Network::public().id(), network.id());
        }
    });
    each(FILE, "node-id", |vector| {
        let network = network_of(vector);
        vector.is_bytes("salt", hash(labels::NODE_ID_SALT, &[&network.id().0]));
        let id = node_id(&network, &IdentityPublic(vector.array("identity")));
        vector.is_bytes("id", id.0);
    });
}

#[test]
fn key_files_are_laid_out_as_described() {
    each(FILE, "keyfile", |vector| {
        let day: u32 = vector.value("day");
        let mut chance = Script::of(
            vector,
            &["identity", "link", "previous", "store", "state", "onion"],
        );
        let mut keys = NodeKeys::generate(day - 1, &mut chance);
        assert!(keys.rotate_onion(day, &mut chance));
        let passphrase = vector
            .all("passphrase")
            .first()
            .map(|text| SecretBytes::from(String::from(*text)));
        let mut chance = Script::of(vector, &["salt", "nonce"]);
        let file = keyfile::seal(&keys, passphrase.as_ref(), &mut chance);
        vector.is_bytes("file", &file);
        let opened = keyfile::open(&file, passphrase.as_ref()).unwrap();
        assert_eq!(opened.identity.public(), keys.identity.public());
        vector.is_bytes("link-public", opened.link.public().0);
        vector.is_bytes("onion-public", opened.onion.public().0);
    });
}

#[test]
fn extents_lie_and_work_counts_as_described() {
    each(FILE, "extent", |vector| {
        let references: Vec<Reference> =
            vector.all("reference").into_iter().map(reference).collect();
        let (network, extent) = (
            NetworkId(vector.array("network")),
            ExtentId::of(&references),
        );
        vector.is_bytes("extent", extent.0);
        let at = |i| hex(Location::of_extent(&network, &extent, i).0);
        vector.are("location", &(0..4).map(at).collect::<Vec<_>>());
    });
    each(FILE, "work", |vector| {
        let (purpose, inner) = match vector.text("purpose") {
            "oboro/1 work put" => (labels::WORK_PUT, labels::WORK_PUT),
            "oboro/1 work entry" => (labels::WORK_ENTRY, labels::ENTRY_SEALED),
            other => panic!("{other}"),
        };
        let body = hash(inner, &[&vector.bytes("paid-for")]);
        vector.is_bytes("body", body);
        let location = Location(vector.array("location"));
        let context = work::context(purpose, &location, vector.value("day"), &body);
        vector.is_bytes("context", context);
        let nonce = work::solve(&context, vector.value("asked"), 0);
        vector.is("nonce", nonce);
        vector.is("bits", work::bits(&context, nonce));
    });
}

#[test]
fn a_link_is_shaken_hands_on_as_described() {
    each(FILE, "link", |vector| {
        let secret = vector
            .all("network-secret")
            .first()
            .map(|text| decode(text).try_into().unwrap());
        let context = LinkContext {
            network: NetworkId(vector.array("network")),
            secret: secret.map(Secret::from_bytes),
        };
        let dialler = LinkKey::generate(&mut Script::of(vector, &["dialler-secret"]));
        let listener = LinkKey::generate(&mut Script::of(vector, &["listener-secret"]));
        vector.is_bytes("dialler-public", dialler.public().0);
        vector.is_bytes("listener-public", listener.public().0);
        let minute = vector.value("minute");
        let mut chance = Script::of(
            vector,
            &["nonce", "kem-seed", "pad-1", "pad-3", "dialler-ephemeral"],
        );
        let mut one =
            Initiator::new(&context, &dialler, &listener.public(), minute, &mut chance).unwrap();
        let mut chance = Script::of(vector, &["listener-ephemeral", "kem-chance", "pad-2"]);
        let mut two = Responder::new(&context, &listener, minute, &mut chance).unwrap();
        let mut window = ReplayWindow::new(1);
        let mut one = |bytes: &[u8]| one.advance(bytes).unwrap();
        let mut two = |bytes: &[u8]| two.advance(bytes, &mut window).unwrap();

        let first = written(one(&[]));
        vector.is_bytes("flight-1", &first);
        let second = written(read(&mut two, &first));
        vector.is_bytes("flight-2", &second);
        let third = written(read(&mut one, &second));
        vector.is_bytes("flight-3", &third);
        let (Step::Done(mut from), Step::Done(mut to)) = (one(&[]), read(&mut two, &third)) else {
            panic!("the link is up");
        };
        assert_eq!(to.remote, dialler.public());
        vector.is_bytes(
            "record-from-dialler",
            sealed_record(vector, &mut from.cipher, &mut to.cipher),
        );
        vector.is_bytes(
            "record-from-listener",
            sealed_record(vector, &mut to.cipher, &mut from.cipher),
        );
    });
}

#[test]
fn a_session_is_opened_as_described() {
    each(FILE, "session", |vector| {
        let network = NetworkId(vector.array("network"));
        let onion = OnionKey::generate(&mut Script::of(vector, &["onion-secret"]));
        vector.is_bytes("onion-public", onion.public().0);
        let mut chance = Script::of(vector, &["client-ephemeral"]);
        let request = vector.bytes("request");
        let (opened, first) =
            session::open(&onion.public(), &network, &request, &mut chance).unwrap();
        vector.is_bytes("message-1", &first);
        let mut chance = Script::of(vector, &["storer-ephemeral"]);
        let (accepted, heard) = session::accept(&[&onion], &network, &first, &mut chance).unwrap();
        assert_eq!(heard, request);
        let (mut storer, second) = accepted.reply(&vector.bytes("reply")).unwrap();
        vector.is_bytes("message-2", &second);
        let (mut client, _) = opened.finish(&second).unwrap();
        let plain = vector.bytes("plain");
        vector.is_bytes("from-client", said(&mut client, &mut storer, &plain));
        vector.is_bytes("from-storer", said(&mut storer, &mut client, &plain));
    });
}

#[test]
fn content_becomes_the_extents_described() {
    each(FILE, "eris", |vector| {
        let content: Vec<u8> = (0..vector.value("length"))
            .map(|i: usize| (i % 251) as u8)
            .collect();
        let secret = ConvergenceSecret::from_bytes(vector.array("convergence-secret"));
        let mut encoder = Encoder::new(content.as_slice(), BlockSize::Large, secret);
        let mut extents = Vec::new();
        while let Some(run) = encoder.next_run().unwrap() {
            let (level, chunks) = (run.level, run.references.len());
            extents.push(format!(
                "{level} {chunks} {}",
                hex(ExtentId::of(&run.references).0)
            ));
        }
        vector.are("extent", &extents);
        vector.is("urn", encoder.capability().unwrap().to_urn());
    });
}

#[test]
fn texts_and_queries_have_the_terms_described() {
    let shown = |terms: Vec<Term>| {
        terms
            .iter()
            .map(|term| term.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    let keywords = |vector: &Vector| {
        vector
            .all("keyword")
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    each(FILE, "terms", |vector| {
        let found = terms::of_publication(vector.text("title"), &keywords(vector));
        vector.are("term", &shown(found));
    });
    each(FILE, "query", |vector| {
        vector.are("term", &shown(terms::of_query(vector.text("query"))))
    });
    each(FILE, "matches", |vector| {
        let extra: Vec<Term> = keywords(vector)
            .iter()
            .filter_map(|term| Term::parse(term))
            .collect();
        vector.is(
            "matches",
            terms::matches(vector.text("query"), vector.text("title"), &extra),
        );
    });
}

#[test]
fn a_word_gives_the_keys_and_places_described() {
    each(FILE, "token", |vector| {
        let network = network_of(vector);
        vector.is_bytes("salt", hash(labels::KEYWORD_SALT, &[&network.id().0]));
        let token = token(vector, &network);
        vector.is_bytes("sealing-key", token.sealing_key().expose());
        vector.is_bytes("write-key", token.location_key());
        let at = |i| hex(Location::of_entry(&network.id(), &token.location_key(), i).0);
        vector.are("location", &(0..4).map(at).collect::<Vec<_>>());
    });
}

#[test]
fn an_entry_is_sealed_paid_and_signed_as_described() {
    each(FILE, "entry", |vector| {
        let network = network_of(vector);
        let token = token(vector, &network);
        let keywords: Vec<Term> = vector
            .all("keyword")
            .into_iter()
            .map(|word| Term::parse(word).unwrap())
            .collect();
        let (title, capability) = (
            vector.text("title"),
            Capability::from_urn(vector.text("urn")).unwrap(),
        );
        let kind = Kind::of_name(title);
        let mut body = EntryBody::new(
            title,
            vector.value("size"),
            kind,
            capability,
            &keywords,
            vector.value("day"),
        );
        vector.is("kind", kind.as_str());
        vector.are(
            "further-term",
            &body
                .terms
                .iter()
                .map(|term| term.as_str().to_owned())
                .collect::<Vec<_>>(),
        );
        if let Some(seed) = vector.all("publisher-seed").first() {
            let seed = Secret::from_bytes(decode(seed).try_into().unwrap());
            body.sign(&network.id(), &IdentityKey::from_secret(&seed));
        }
        let mut chance = Script::of(vector, &["nonce"]);
        let (index, expires) = (vector.value("placement"), vector.value("expires"));
        let entry = seal(&network, &token, &body, index, expires, &mut chance)
            .unwrap()
            .solve();
        vector.is_bytes("location", entry.location(&network.id()).0);
        vector.is("work", entry.nonce);
        vector.is("bits", entry.check(&network, expires - 30).unwrap());
        vector.is_bytes("entry", entry.encode());
        let read = SealedEntry::decode(&vector.bytes("entry")).unwrap();
        assert_eq!(read.open(&token), Ok(body));
    });
}

fn label(vector: &Vector) -> Label {
    let known = [labels::EXTENT_ID, labels::LINK_PSK, labels::RECEIPT];
    let text = vector.text("label");
    known
        .into_iter()
        .find(|label| label.as_str() == text)
        .expect("a label used in a vector")
}

fn network_of(vector: &Vector) -> Network {
    let field = if vector.family() == "network" {
        "bytes"
    } else {
        "network"
    };
    Network::decode(&vector.bytes(field)).unwrap()
}

fn token(vector: &Vector, network: &Network) -> KeywordToken {
    KeywordToken::derive(network, &Term::parse(vector.text("term")).unwrap())
}

fn reference(text: &str) -> Reference {
    Reference(decode(text).try_into().unwrap())
}

/// A message of a session, which the other end reads.
fn said(from: &mut session::EndToEnd, to: &mut session::EndToEnd, plain: &[u8]) -> Vec<u8> {
    let (mut sealed, mut opened) = (Vec::new(), Vec::new());
    from.seal(plain, &mut sealed).unwrap();
    to.open(&sealed, &mut opened).unwrap();
    assert_eq!(opened, plain);
    sealed
}

/// The digest of the first record that carries the vector's plaintext.
fn sealed_record(vector: &Vector, from: &mut RecordCipher, to: &mut RecordCipher) -> [u8; 32] {
    let mut plain = vector.bytes("plain");
    plain.resize(RECORD_PLAIN, 0);
    let (mut wire, mut opened) = (Vec::new(), Vec::new());
    from.seal(&plain, &mut wire).unwrap();
    to.open(&wire, &mut opened).unwrap();
    assert_eq!(opened, plain);
    blake2b_256(&wire)
}
