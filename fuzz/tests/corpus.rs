//! Every committed input, through its target: what was once found stays found.

#![forbid(unsafe_code)]

use std::path::Path;

#[test]
fn every_committed_input_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, run) in oboro_fuzz::TARGETS {
        let mut inputs: Vec<_> = std::fs::read_dir(corpus.join(target))
            .unwrap_or_else(|error| panic!("no inputs for {target}: {error}"))
            .map(|entry| entry.expect("a readable folder").path())
            .collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "no inputs for {target}");
        for input in inputs {
            let data = std::fs::read(&input).expect("a readable file");
            run(&data);
        }
    }
}

#[test]
fn every_target_is_in_the_manifest() {
    let manifest = include_str!("../Cargo.toml");
    for (target, _) in oboro_fuzz::TARGETS {
        let path = format!("path = \"fuzz_targets/{target}.rs\"");
        assert!(manifest.contains(&path), "{target}");
    }
    assert_eq!(
        manifest.matches("fuzz_targets/").count(),
        oboro_fuzz::TARGETS.len()
    );
}
