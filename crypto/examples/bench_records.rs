//! Measures how fast records are sealed and opened on one core, with every AEAD built in:
//! `cargo run --release -p oboro-crypto --example bench_records`.

#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use oboro_crypto::aead::Backend;
use oboro_crypto::record::{RECORD_PLAIN, REKEY_EVERY, RecordCipher};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Records a call: what a link writes at once.
const BATCHES: [usize; 3] = [1, 8, 64];
const ROUND: Duration = Duration::from_millis(300);
const ROUNDS: usize = 5;

fn main() {
    println!(
        "{:<10} {:>8} {:>12} {:>12}",
        "AEAD", "records", "seal MiB/s", "open MiB/s"
    );
    for &backend in Backend::ALL {
        for batch in BATCHES {
            let mut rates: Vec<(f64, f64)> = (0..ROUNDS).map(|_| measure(backend, batch)).collect();
            let mut median = |of: fn(&(f64, f64)) -> f64| {
                rates.sort_by(|a, b| of(a).total_cmp(&of(b)));
                of(&rates[ROUNDS / 2])
            };
            let (seal, open) = (median(|rate| rate.0), median(|rate| rate.1));
            println!(
                "{:<10} {batch:>8} {seal:>12.0} {open:>12.0}",
                format!("{backend:?}")
            );
        }
    }
}

/// MiB of plaintext a second: sealed, opened.
fn measure(backend: Backend, batch: usize) -> (f64, f64) {
    let (mut a, mut b) =
        RecordCipher::pair(backend, REKEY_EVERY, &mut ChaCha20Rng::from_seed([1; 32]));
    let plain = vec![7; batch * RECORD_PLAIN];
    let (mut wire, mut out) = (Vec::new(), Vec::new());
    let (mut sealing, mut opening, mut bytes) = (Duration::ZERO, Duration::ZERO, 0);
    while sealing + opening < ROUND {
        wire.clear();
        out.clear();
        let start = Instant::now();
        a.seal(&plain, &mut wire).expect("whole records");
        let sealed = Instant::now();
        b.open(&wire, &mut out).expect("what was sealed opens");
        sealing += sealed - start;
        opening += sealed.elapsed();
        bytes += plain.len();
    }
    let rate = |time: Duration| bytes as f64 / (1024.0 * 1024.0) / time.as_secs_f64();
    (rate(sealing), rate(opening))
}
