//! Measures what circuits cost on one core: `cargo run --release -p oboro-crypto --example bench_circuits`.

#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use oboro_crypto::circuit::{
    self, BACKWARD_PAYLOAD, CELL_LEN, ClientCircuit, FORWARD_PAYLOAD, HOPS_MAX, Hop, RelayCircuit,
};
use oboro_crypto::keys::{NodeKeys, OnionKey};
use oboro_crypto::{NetworkId, NodeId};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NETWORK: NetworkId = NetworkId([5; 32]);
const CELLS: usize = 20_000;
const CIRCUITS: usize = 300;

fn main() {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let onions = [0; HOPS_MAX].map(|_| NodeKeys::generate(1, &mut rng).onion);
    println!("{:<28} {:>8}", "cells", "MiB/s");
    for hops in [1, HOPS_MAX] {
        let (mut client, mut relays, _) = build(&onions[..hops], &mut rng);
        cells(&mut client, &mut relays);
    }
    let (mut making, mut accepting, mut finishing) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..CIRCUITS {
        let times = build(&onions, &mut rng).2;
        making.push(times.create);
        accepting.push(times.accept / HOPS_MAX as u32);
        finishing.push(times.finish);
    }
    println!("\n{:<28} {:>8}", format!("building, {HOPS_MAX} hops"), "µs");
    for (name, mut times) in [
        ("create", making),
        ("accept, one hop", accepting),
        ("finish", finishing),
    ] {
        times.sort();
        println!("{name:<28} {:>8}", times[CIRCUITS / 2].as_micros());
    }
}

struct Times {
    create: Duration,
    /// By all hops together.
    accept: Duration,
    finish: Duration,
}

fn build(onions: &[OnionKey], rng: &mut ChaCha20Rng) -> (ClientCircuit, Vec<RelayCircuit>, Times) {
    let path: Vec<Hop> = (1..)
        .zip(onions)
        .map(|(id, onion)| Hop {
            node: NodeId([id; 32]),
            onion: onion.public(),
        })
        .collect();
    let begun = Instant::now();
    let (pending, mut body) = circuit::create(&path, &NETWORK, 1, rng).expect("a path");
    let (create, mut accept) = (begun.elapsed(), Duration::ZERO);
    let mut relays = Vec::new();
    for onion in onions {
        let begun = Instant::now();
        let accepted = circuit::accept(&[onion], &NETWORK, &body, rng).expect("a create");
        accept += begun.elapsed();
        body = accepted.next.map(|(_, body)| body).unwrap_or_default();
        relays.push(accepted.relay);
    }
    let mut created: Option<Vec<u8>> = None;
    for relay in relays.iter_mut().rev() {
        created = relay.created(created.as_deref(), rng).ok();
    }
    let created = created.expect("a created");
    let begun = Instant::now();
    let client = pending.finish(&created).expect("every hop's answer");
    let finish = begun.elapsed();
    let times = Times {
        create,
        accept,
        finish,
    };
    (client, relays, times)
}

/// Many cells there and back; prints what each part of it costs.
fn cells(client: &mut ClientCircuit, relays: &mut [RelayCircuit]) {
    let hops = relays.len();
    let (exit, between) = relays.split_last_mut().expect("an exit");
    let mut spent = [Duration::ZERO; 6];
    let mut timed = |at: usize, begun: Instant| spent[at] += begun.elapsed();
    let mut cell = Vec::with_capacity(2 * CELL_LEN);
    for _ in 0..CELLS {
        cell.clear();
        let begun = Instant::now();
        client.seal(&[7; FORWARD_PAYLOAD], &mut cell).expect("seal");
        timed(0, begun);
        for relay in &mut *between {
            let begun = Instant::now();
            relay.peel(&mut cell).expect("peel");
            timed(1, begun);
        }
        let begun = Instant::now();
        exit.open(&mut cell).expect("open");
        timed(2, begun);
        cell.clear();
        let begun = Instant::now();
        exit.seal(&[7; BACKWARD_PAYLOAD], &mut cell).expect("seal");
        timed(3, begun);
        for relay in between.iter_mut().rev() {
            let begun = Instant::now();
            relay.wrap(&mut cell).expect("wrap");
            timed(4, begun);
        }
        let begun = Instant::now();
        client.open(&mut cell).expect("open");
        timed(5, begun);
    }
    let names = [
        "client seal",
        "relay peel",
        "exit open",
        "exit seal",
        "relay wrap",
        "client open",
    ];
    let per_cell = [1, hops - 1, 1, 1, hops - 1, 1];
    for ((name, time), times) in names.iter().zip(spent).zip(per_cell) {
        if times > 0 {
            let mebibytes = (CELLS * times * CELL_LEN) as f64 / (1024.0 * 1024.0);
            let rate = mebibytes / time.as_secs_f64();
            println!("{:<28} {rate:>8.0}", format!("{name}, {hops} hops"));
        }
    }
}
