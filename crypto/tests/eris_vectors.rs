//! ERIS 1.0.0 against its official test vectors.
//!
//! The vectors lie beside the repository, in `../shared/vectors/eris` relative to its root. With `CI=true` they must be
//! there; elsewhere the tests say that they were skipped.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use data_encoding::BASE32_NOPAD;
use oboro_crypto::Reference;
use oboro_crypto::eris::{
    BlockSize, Capability, ConvergenceSecret, DecodeError, Encoder, RUN_MAX, decode, verify,
};
use oboro_crypto::hash::blake2b_256;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Vector {
    id: u32,
    #[serde(rename = "type")]
    kind: Kind,
    spec_version: String,
    content: Option<String>,
    convergence_secret: Option<String>,
    block_size: Option<usize>,
    read_capability: ReadCapability,
    urn: String,
    blocks: BTreeMap<String, String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Positive,
    Negative,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ReadCapability {
    block_size: usize,
    level: u8,
    root_reference: String,
    root_key: String,
}

#[test]
fn positive_vectors_encode_to_their_urn_and_blocks() {
    for vector in vectors(Kind::Positive) {
        let (capability, blocks) = encode(&vector, usize::MAX);
        assert_eq!(capability.to_urn(), vector.urn, "vector {}", vector.id);
        assert_eq!(blocks, vector.decoded_blocks(), "vector {}", vector.id);
    }
}

#[test]
fn encoding_does_not_depend_on_how_the_reader_cuts_the_content() {
    for vector in vectors(Kind::Positive)
        .into_iter()
        .filter(|vector| vector.content().len() < 100_000)
    {
        let (capability, blocks) = encode(&vector, 7);
        assert_eq!(capability.to_urn(), vector.urn, "vector {}", vector.id);
        assert_eq!(blocks, vector.decoded_blocks(), "vector {}", vector.id);
    }
}

#[test]
fn positive_vectors_decode_to_their_content() {
    for vector in vectors(Kind::Positive) {
        let mut out = Vec::new();
        let written = vector
            .decode_into(&mut out)
            .expect("a positive vector decodes");
        assert_eq!(out, vector.content(), "vector {}", vector.id);
        assert_eq!(written, out.len() as u64);
    }
}

#[test]
fn negative_vectors_are_refused() {
    for vector in vectors(Kind::Negative) {
        assert!(
            vector.decode_into(&mut Vec::new()).is_err(),
            "vector {}",
            vector.id
        );
    }
}

#[test]
fn every_urn_is_the_one_spelling_of_its_capability() {
    for vector in vectors(Kind::Positive)
        .into_iter()
        .chain(vectors(Kind::Negative))
    {
        let capability =
            Capability::from_urn(&vector.urn).expect("the URNs of all vectors are well formed");
        assert_eq!(capability.to_urn(), vector.urn);
        assert_eq!(
            capability.block_size.bytes(),
            vector.read_capability.block_size
        );
        assert_eq!(capability.level, vector.read_capability.level);
        assert_eq!(
            capability.root.0.to_vec(),
            base32(&vector.read_capability.root_reference)
        );
        assert_eq!(
            capability.key.expose().to_vec(),
            base32(&vector.read_capability.root_key)
        );
    }
}

/// The long contents of the specification, too long for a file: a ChaCha20 keystream (nonce and counter zero) under the
/// BLAKE2b-256 of the test's name. Encoded as it is made, so nothing here is as long as the content.
#[test]
fn long_contents_of_the_specification_encode_to_their_urns() {
    let rows = [
        (
            "100MiB (block size 1KiB)",
            100 << 20,
            BlockSize::Small,
            "urn:eris:BIC6F5EKY2PMXS2VNOKPD3AJGKTQBD3EXSCSLZIENXAXBM7PCTH2TCMF5OKJWAN36N4DFO6JPFZBR3MS7ECOGDYDERIJJ4N5KAQSZS67YY",
        ),
        (
            "1GiB (block size 32KiB)",
            1 << 30,
            BlockSize::Large,
            "urn:eris:B4BL4DKSEOPGMYS2CU2OFNYCH4BGQT774GXKGURLFO5FDXAQQPJGJ35AZR3PEK6CVCV74FVTAXHRSWLUUNYYA46ZPOPDOV2M5NVLBETWVI",
        ),
    ];
    for (name, len, size, urn) in rows {
        let key = blake2b_256(name.as_bytes());
        let keystream = Keystream(ChaCha20::new(&key.into(), &[0; 12].into()));
        let mut encoder = Encoder::new(keystream.take(len), size, ConvergenceSecret::null());
        while encoder
            .next_run()
            .expect("a keystream does not fail")
            .is_some()
        {}
        assert_eq!(encoder.content_len(), len);
        assert_eq!(
            encoder.capability().expect("the root was made").to_urn(),
            urn,
            "{name}"
        );
    }
}

/// An endless content that is nowhere stored.
struct Keystream(ChaCha20);

impl Read for Keystream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        buffer.fill(0);
        self.0.apply_keystream(buffer);
        Ok(buffer.len())
    }
}

impl Vector {
    fn content(&self) -> Vec<u8> {
        base32(
            self.content
                .as_deref()
                .expect("a positive vector has content"),
        )
    }

    fn decoded_blocks(&self) -> BTreeMap<Reference, Vec<u8>> {
        let reference = |name: &str| Reference(base32(name).try_into().expect("32 bytes"));
        self.blocks
            .iter()
            .map(|(name, block)| (reference(name), base32(block)))
            .collect()
    }

    fn decode_into(&self, out: &mut Vec<u8>) -> Result<u64, DecodeError<&'static str>> {
        let blocks = self.decoded_blocks();
        let capability =
            Capability::from_urn(&self.urn).map_err(|_| DecodeError::Fetch("no capability"))?;
        let mut fetch =
            |reference: &Reference| blocks.get(reference).cloned().ok_or("no such block");
        decode(&capability, &mut fetch, out)
    }
}

/// Encodes a vector's content, read at most `step` bytes at a time.
fn encode(vector: &Vector, step: usize) -> (Capability, BTreeMap<Reference, Vec<u8>>) {
    let size = match vector.block_size {
        Some(1024) => BlockSize::Small,
        Some(32_768) => BlockSize::Large,
        other => panic!("vector {} has block size {other:?}", vector.id),
    };
    let secret = base32(
        vector
            .convergence_secret
            .as_deref()
            .expect("a positive vector has a secret"),
    );
    let secret = ConvergenceSecret::from_bytes(secret.try_into().expect("32 bytes"));
    let content = vector.content();
    let mut encoder = Encoder::new(
        Stepped {
            content: &content,
            step,
        },
        size,
        secret,
    );
    let mut blocks = BTreeMap::new();
    while let Some(run) = encoder.next_run().expect("reading from memory") {
        assert!(!run.blocks.is_empty() && run.blocks.len() <= RUN_MAX);
        let slices: Vec<&[u8]> = run.blocks.iter().map(Vec::as_slice).collect();
        assert!(
            verify(&run.references, &slices)
                .iter()
                .all(|&matches| matches)
        );
        blocks.extend(run.references.into_iter().zip(run.blocks));
    }
    assert_eq!(encoder.content_len(), content.len() as u64);
    (encoder.capability().expect("the root was made"), blocks)
}

/// Gives content in small pieces, as sockets do.
struct Stepped<'a> {
    content: &'a [u8],
    step: usize,
}

impl Read for Stepped<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = buffer.len().min(self.step).min(self.content.len());
        let (now, later) = self.content.split_at(n);
        buffer[..n].copy_from_slice(now);
        self.content = later;
        Ok(n)
    }
}

fn base32(text: &str) -> Vec<u8> {
    BASE32_NOPAD
        .decode(text.as_bytes())
        .expect("the vectors are Base32 without padding")
}

/// All vectors of a kind; none, with a word about it, where the folder is absent and CI does not demand it.
fn vectors(kind: Kind) -> Vec<Vector> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/eris");
    let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let files = match std::fs::read_dir(&folder) {
        Ok(files) => files,
        Err(error) if !required => {
            // Not `eprintln!`, which the test harness keeps to itself; in one piece, because tests run side by side.
            let reason = format!(
                "skipped: ../shared/vectors/eris cannot be read ({error}); CI=true demands it\n"
            );
            std::io::stderr()
                .write_all(reason.as_bytes())
                .expect("writing to standard error");
            return Vec::new();
        }
        Err(error) => panic!("CI=true demands ../shared/vectors/eris: {error}"),
    };
    let mut vectors: Vec<Vector> = files
        .map(|file| file.expect("listing the folder").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| {
            serde_json::from_slice(&std::fs::read(path).expect("reading a vector"))
                .expect("parsing a vector")
        })
        .filter(|vector: &Vector| vector.kind == kind)
        .collect();
    vectors.sort_by_key(|vector| vector.id);
    assert!(
        !vectors.is_empty(),
        "the folder of vectors holds none that is {kind:?}"
    );
    assert!(vectors.iter().all(|vector| vector.spec_version == "1.0.0"));
    vectors
}
