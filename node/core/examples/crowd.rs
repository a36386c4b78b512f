//! What membership costs: bytes on the line, wakes and memory, in a crowd where nobody wants anything.
//!
//! `cargo run --release -p oboro-core --example crowd -- quiet 200 2` runs 200 nodes for 2 hours;
//! `… -- memory 10000 20` gives each of 20 nodes a view of 10,000.

#![allow(clippy::print_stdout, reason = "it prints what it measures")]

#[path = "../tests/crowd/mod.rs"]
mod crowd;

use std::sync::Arc;
use std::time::Duration;

use crowd::{Crowd, Shared};
use oboro_core::wire::descriptor::{Descriptor, Roles};
use oboro_crypto::ids::{LinkPublic, NodeId, OnionPublic};
use oboro_crypto::keys::IdentityKey;
use oboro_crypto::record::RECORD_WIRE;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: usize| {
        let given = args.get(index).and_then(|text| text.parse().ok());
        given.unwrap_or(default)
    };
    match args.first().map(String::as_str) {
        Some("memory") => memory(number(1, 10_000), number(2, 20)),
        _ => quiet(number(1, 50), number(2, 2)),
    }
}

/// So many nodes, of which each joins over some that were there before, for so many hours.
fn quiet(nodes: usize, hours: usize) {
    let mut crowd = Crowd::new(crowd::public(), Arc::new(Shared::default()));
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    for index in 0..nodes {
        let start = rng.next_u32() as usize % index.max(1);
        let starts: &[usize] = if index == 0 { &[] } else { &[start] };
        crowd.add(starts);
        // Nodes come over two hours, so that their descriptors are renewed over two hours.
        crowd.run(Duration::from_secs(7200) / u32::try_from(nodes).unwrap());
    }
    let all = crowd.run_until(Duration::from_secs(3600), |crowd| {
        crowd.least_known() == nodes
    });
    println!("{nodes} nodes, all known to all: {all}");
    let before: (u64, u64) = sums(&crowd);
    let span = Duration::from_secs(3600) * u32::try_from(hours).unwrap();
    crowd.run(span);
    let after = sums(&crowd);
    let per = |count: u64| count as f64 / nodes as f64 / span.as_secs_f64();
    let records = per(after.0 - before.0);
    println!(
        "quiet: {records:.3} records sent a node a second = {:.0} B/s; {:.3} wakes a second",
        records * RECORD_WIRE as f64,
        per(after.1 - before.1),
    );
    for round in 0..5 {
        let from = crowd.now;
        crowd.add(&[round * 7 % nodes]);
        let count = crowd.members.len();
        assert!(
            crowd.run_until(Duration::from_secs(3600), |crowd| crowd.least_known()
                == count)
        );
        let took = crowd.now.since(from);
        print!("{:.1} ", took.as_secs_f64());
        crowd.run(Duration::from_secs(60));
    }
    println!("s until a newcomer is known to all and knows all");
}

fn sums(crowd: &Crowd) -> (u64, u64) {
    let members = crowd.members.iter();
    members.fold((0, 0), |(records, wakes), member| {
        (records + member.records, wakes + member.wakes)
    })
}

/// So many views of so many descriptors.
fn memory(descriptors: usize, views: usize) {
    let mut crowd = Crowd::new(crowd::public(), Arc::new(Shared::default()));
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let key = IdentityKey::generate(&mut rng);
    for number in 0..descriptors {
        let mut bytes = || {
            let mut bytes = [0; 32];
            rng.fill_bytes(&mut bytes);
            bytes
        };
        let descriptor = Descriptor {
            identity: key.public(),
            link: LinkPublic(bytes()),
            onion: OnionPublic(bytes()),
            id: NodeId(bytes()),
            issued: u32::try_from(crowd.now.secs()).unwrap(),
            valid_hours: 6,
            roles: Roles {
                relay: true,
                storage: true,
            },
            capacity: 0,
            addresses: vec![crowd::address(number + 1000)],
        };
        crowd.disk.push(descriptor.sign(&crowd.network.id(), &key));
    }
    let mut resident = Vec::new();
    for _ in 0..views {
        // Alive long enough to read its disk and to save, and then it does nothing more.
        let node = crowd.add(&[]);
        crowd.run(Duration::from_secs(45));
        assert!(crowd.members[node].node.known() >= descriptors);
        crowd.members[node].alive = false;
        resident.push(resident_bytes());
    }
    let (first, last) = (resident[0], resident[views - 1]);
    println!(
        "{:.1} B per known node and view after the first; {} KiB resident",
        (last - first) as f64 / ((views - 1) * descriptors) as f64,
        last / 1024
    );
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
