//! How fast ERIS goes here: one block at a time, in fours, and the whole encoder and decoder.
//!
//! `cargo run --release -p oboro-crypto --example bench_eris [MiB]` prints MiB/s and CPU seconds per GiB, the median of
//! five rounds, on one core. Time is CPU time where the system tells it, so that other programs disturb little.

#![allow(clippy::print_stdout, reason = "a benchmark is there to print")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use oboro_crypto::Reference;
use oboro_crypto::eris::{
    BlockKey, BlockSize, ConvergenceSecret, Encoder, decode, open_leaf, verify,
};
use oboro_crypto::hash::{
    blake2b_256, blake2b_256_keyed, blake2b_256_keyed_many, blake2b_256_many,
};

const ROUNDS: usize = 5;
const BLOCK: usize = 32_768;
const LANES: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let mib: usize = std::env::args().nth(1).map_or(Ok(128), |arg| arg.parse())?;
    let content: Vec<u8> = (0..mib << 20)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    println!("{mib} MiB, 32 KiB blocks, median of {ROUNDS} rounds");
    leaves(mib, &content);
    for size in [BlockSize::Large, BlockSize::Small] {
        whole(mib, &content, size);
    }
    Ok(())
}

/// The two ways to seal and to open leaves.
fn leaves(mib: usize, content: &[u8]) {
    measure("seal leaves, one at a time", mib, || {
        seal_leaves(content, 1)
    });
    measure("seal leaves, in fours", mib, || seal_leaves(content, LANES));
    let references: Vec<Reference> = content
        .chunks(BLOCK)
        .map(|block| Reference(blake2b_256(block)))
        .collect();
    measure("verify and open leaves, one at a time", mib, || {
        open_leaves(content, &references, 1)
    });
    measure("verify and open leaves, in fours", mib, || {
        open_leaves(content, &references, LANES)
    });
}

fn seal_leaves(content: &[u8], lanes: usize) {
    let mut buffer = content[..BLOCK * lanes].to_vec();
    for batch in content.chunks_exact(BLOCK * lanes) {
        buffer.copy_from_slice(batch);
        let plain: Vec<&[u8]> = buffer.chunks(BLOCK).collect();
        let keys = match plain.as_slice() {
            [block] => vec![blake2b_256_keyed(&[0; 32], block)],
            blocks => blake2b_256_keyed_many(&[0; 32], blocks),
        };
        for (block, key) in buffer.chunks_mut(BLOCK).zip(&keys) {
            ChaCha20::new(key.into(), &[0; 12].into()).apply_keystream(block);
        }
        let sealed: Vec<&[u8]> = buffer.chunks(BLOCK).collect();
        let names = match sealed.as_slice() {
            [block] => vec![blake2b_256(block)],
            blocks => blake2b_256_many(blocks),
        };
        std::hint::black_box(names);
    }
}

fn open_leaves(content: &[u8], references: &[Reference], lanes: usize) {
    let key = BlockKey::from_bytes([1; 32]);
    let mut buffer = content[..BLOCK * lanes].to_vec();
    for (batch, references) in content
        .chunks_exact(BLOCK * lanes)
        .zip(references.chunks(lanes))
    {
        buffer.copy_from_slice(batch);
        let blocks: Vec<&[u8]> = buffer.chunks(BLOCK).collect();
        assert!(verify(references, &blocks).iter().all(|&matches| matches));
        for block in buffer.chunks_mut(BLOCK) {
            open_leaf(block, &key);
        }
    }
    std::hint::black_box(&buffer);
}

/// The encoder and the decoder as they are used.
fn whole(mib: usize, content: &[u8], size: BlockSize) {
    let secret = || ConvergenceSecret::from_bytes([1; 32]);
    measure(&format!("Encoder, {} B blocks", size.bytes()), mib, || {
        let mut encoder = Encoder::new(content, size, secret());
        while let Ok(Some(run)) = encoder.next_run() {
            std::hint::black_box(run);
        }
    });
    let mut encoder = Encoder::new(content, size, secret());
    let mut blocks = BTreeMap::new();
    while let Ok(Some(run)) = encoder.next_run() {
        blocks.extend(run.references.into_iter().zip(run.blocks));
    }
    let Some(capability) = encoder.capability() else {
        return;
    };
    let mut fetch = |reference: &Reference| {
        Ok::<_, Infallible>(blocks.get(reference).cloned().unwrap_or_default())
    };
    measure(
        &format!(
            "decode, {} B blocks (a copy of each included)",
            size.bytes()
        ),
        mib,
        || {
            assert!(decode(&capability, &mut fetch, &mut io::sink()).is_ok());
        },
    );
}

fn measure(name: &str, mib: usize, mut work: impl FnMut()) {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let (cpu, wall) = (cpu_time(), Instant::now());
            work();
            cpu_time().zip(cpu).map_or_else(
                || wall.elapsed(),
                |(after, before)| after.saturating_sub(before),
            )
        })
        .collect();
    times.sort();
    let seconds = times[ROUNDS / 2].as_secs_f64();
    println!(
        "{:7.0} MiB/s  {:5.2} CPU-s/GiB  {name}",
        mib as f64 / seconds,
        seconds * 1024.0 / mib as f64
    );
}

/// Time this program has spent on a processor, where the system tells it (Linux).
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    stat.split(' ')
        .next()?
        .parse()
        .ok()
        .map(Duration::from_nanos)
}
