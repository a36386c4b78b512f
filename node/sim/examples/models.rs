//! Runs all models, or those named, and prints their tables:
//! `cargo run --release -p oboro-sim --example models [SEED] [NAME]...`

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)]

use std::time::Instant;

use oboro_sim::models::{ModelError, names, run};

fn main() -> Result<(), ModelError> {
    let mut asked: Vec<String> = std::env::args().skip(1).collect();
    let seed = asked.first().and_then(|first| first.parse().ok());
    if seed.is_some() {
        asked.remove(0);
    }
    for name in names() {
        if asked.is_empty() || asked.iter().any(|one| one == name) {
            let begun = Instant::now();
            let table = run(name, seed.unwrap_or(1), None)?;
            println!("{table}\n{:.1} s\n", begun.elapsed().as_secs_f64());
        }
    }
    Ok(())
}
