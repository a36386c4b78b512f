//! `oboro eris` against the test vectors of ERIS 1.0.0, which lie beside the repository and are not part of it.

#![allow(clippy::print_stderr, reason = "a test that is skipped must say so")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::fake::URN;
use common::{Place, Ran};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::Deserialize;

/// Files there must be at least, so that an empty folder doesn't pass.
const VECTORS_MIN: usize = 15;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Vector {
    #[serde(rename = "type")]
    kind: String,
    content: Option<String>,
    convergence_secret: Option<String>,
    block_size: Option<usize>,
    urn: String,
    blocks: BTreeMap<String, String>,
}

/// The vectors by name. Without the folder nothing is tested, which only a developer's machine may do.
fn vectors() -> Vec<(String, Vector)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/eris");
    let Ok(entries) = fs::read_dir(&folder) else {
        let required = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!required, "the ERIS vectors are required where CI=true");
        eprintln!("skipped: no ERIS vectors beside the repository");
        return Vec::new();
    };
    let mut vectors: Vec<_> = entries.map(|entry| read(&entry.unwrap().path())).collect();
    vectors.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(
        vectors.len() >= VECTORS_MIN,
        "only {} vectors",
        vectors.len()
    );
    vectors
}

fn read(path: &Path) -> (String, Vector) {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let vector = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    (name, vector)
}

fn bytes(base32: &str) -> Vec<u8> {
    BASE32_NOPAD.decode(base32.as_bytes()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn put_blocks(place: &Place, vector: &Vector) -> PathBuf {
    let folder = place.path("blocks");
    fs::create_dir(&folder).unwrap();
    for (reference, block) in &vector.blocks {
        fs::write(folder.join(reference), bytes(block)).unwrap();
    }
    folder
}

fn decode(place: &Place, urn: &str) -> Ran {
    place.run(&["eris", "decode", urn, "--blocks", "blocks", "-o", "out"])
}

#[test]
fn positive_vectors_encode_to_their_urn_and_blocks() {
    for (name, vector) in vectors()
        .iter()
        .filter(|(_, vector)| vector.kind == "positive")
    {
        let place = Place::new();
        place.write("content", bytes(vector.content.as_deref().unwrap()));
        let size = vector.block_size.unwrap().to_string();
        let secret = HEXLOWER.encode(&bytes(vector.convergence_secret.as_deref().unwrap()));
        let ran = place.run(&[
            "eris",
            "encode",
            "content",
            "--block-size",
            &size,
            "--convergence-secret",
            &secret,
            "--blocks",
            "blocks",
        ]);
        assert_eq!(ran.expect(0).stdout, format!("{}\n", vector.urn), "{name}");
        let blocks = place.path("blocks");
        let expected: Vec<&String> = vector.blocks.keys().collect();
        assert_eq!(
            names(&blocks).iter().collect::<Vec<_>>(),
            expected,
            "{name}"
        );
        for (reference, block) in &vector.blocks {
            assert_eq!(
                fs::read(blocks.join(reference)).unwrap(),
                bytes(block),
                "{name}"
            );
        }
    }
}

#[test]
fn positive_vectors_decode_to_their_content() {
    for (name, vector) in vectors()
        .iter()
        .filter(|(_, vector)| vector.kind == "positive")
    {
        let place = Place::new();
        put_blocks(&place, vector);
        decode(&place, &vector.urn).expect(0);
        let content = bytes(vector.content.as_deref().unwrap());
        assert!(fs::read(place.path("out")).unwrap() == content, "{name}");
        let piped = place.run(&[
            "eris",
            "decode",
            &vector.urn,
            "--blocks",
            "blocks",
            "-o",
            "out2",
            "--json",
        ]);
        assert_eq!(piped.data()["bytes"], content.len(), "{name}");
    }
}

#[test]
fn negative_vectors_are_errors_without_output() {
    for (name, vector) in vectors()
        .iter()
        .filter(|(_, vector)| vector.kind == "negative")
    {
        let place = Place::new();
        put_blocks(&place, vector);
        let before = names(&place.path(""));
        let ran = decode(&place, &vector.urn).expect(1);
        assert_eq!(ran.stdout, "", "{name}");
        assert!(ran.stderr.starts_with("oboro: "), "{name}: {}", ran.stderr);
        assert_eq!(names(&place.path("")), before, "{name}");
    }
}

#[test]
fn the_null_secret_is_the_default() {
    let place = Place::new();
    place.write("content", "Hello world!");
    let encode = |extra: &[&str]| {
        let fixed = [
            "eris",
            "encode",
            "content",
            "--block-size",
            "1024",
            "--blocks",
            "blocks",
        ];
        place.run(&[&fixed, extra].concat()).expect(0).stdout
    };
    assert_eq!(
        encode(&[]),
        encode(&["--convergence-secret", &"00".repeat(32)])
    );
    assert_ne!(
        encode(&[]),
        encode(&["--convergence-secret", &"01".repeat(32)])
    );
}

#[test]
fn a_urn_that_is_none_or_of_nothing_leaves_no_output() {
    let place = Place::new();
    fs::create_dir(place.path("blocks")).unwrap();
    let before = names(&place.path(""));
    for urn in [
        "",
        "hello",
        "urn:eris:",
        "urn:eris:B4",
        "urn:eris:b4aa",
        URN,
    ] {
        decode(&place, urn).expect(1);
    }
    for (blocks, output) in [("absent", "out"), ("blocks", "no/such/out")] {
        let args = [
            "eris", "decode", URN, "--blocks", blocks, "-o", output, "--json",
        ];
        assert!(place.run(&args).expect(1).error()["message"].is_string());
    }
    assert_eq!(names(&place.path("")), before);
}

#[test]
fn what_can_not_be_encoded_leaves_no_blocks() {
    let place = Place::new();
    place.write("content", "Hello world!");
    fs::create_dir(place.path("folder")).unwrap();
    let before = names(&place.path(""));
    for (file, secret) in [
        ("absent", "00"),
        ("folder", &*"00".repeat(32)),
        ("content", "xyz"),
    ] {
        let encode = [
            "eris",
            "encode",
            file,
            "--block-size",
            "1024",
            "--blocks",
            "new",
        ];
        let ran = place.run(&[&encode[..], &["--convergence-secret", secret, "--json"]].concat());
        assert!(ran.expect(1).error()["message"].is_string(), "{file}");
    }
    assert_eq!(names(&place.path("")), before);
}

#[test]
fn a_file_goes_through_blocks_of_both_sizes_and_to_stdout() {
    let place = Place::new();
    let content: String = (0..10_000).map(|i| format!("{i}\n")).collect();
    place.write("content", &content);
    for size in ["1024", "32768"] {
        let blocks = format!("blocks-{size}");
        let encode = [
            "eris",
            "encode",
            "content",
            "--block-size",
            size,
            "--blocks",
            &blocks,
        ];
        let urn = place.run(&encode).expect(0).stdout;
        let ran = place
            .run(&["eris", "decode", urn.trim(), "--blocks", &blocks, "-o", "-"])
            .expect(0);
        assert!(ran.stdout == content, "{size}");
    }
}

#[test]
fn a_decode_does_not_replace_a_file_unasked() {
    let place = Place::new();
    place.write("content", "Hello world!");
    let encode = [
        "eris",
        "encode",
        "content",
        "--block-size",
        "1024",
        "--blocks",
        "blocks",
    ];
    let urn = place.run(&encode).expect(0).stdout;
    let urn = urn.trim();
    place.write("out", "precious");
    decode(&place, urn).expect(1);
    assert_eq!(fs::read(place.path("out")).unwrap(), b"precious");
    place
        .run(&[
            "eris", "decode", urn, "--blocks", "blocks", "-o", "out", "--force",
        ])
        .expect(0);
    assert_eq!(fs::read(place.path("out")).unwrap(), b"Hello world!");
}

#[test]
fn a_decode_writes_through_a_link_and_never_replaces_a_device() {
    let place = Place::new();
    place.write("content", "Hello world!");
    let encode = [
        "eris",
        "encode",
        "content",
        "--block-size",
        "1024",
        "--blocks",
        "blocks",
    ];
    let urn = place.run(&encode).expect(0).stdout;
    place.write("real", "");
    std::os::unix::fs::symlink("real", place.path("out")).unwrap();
    decode(&place, urn.trim()).expect(0);
    assert!(
        fs::symlink_metadata(place.path("out"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(fs::read(place.path("real")).unwrap(), b"Hello world!");
    place
        .run(&[
            "eris",
            "decode",
            urn.trim(),
            "--blocks",
            "blocks",
            "-o",
            "/dev/null",
            "--force",
        ])
        .expect(1);
}
