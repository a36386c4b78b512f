//! One node in several circuits of one client: it cannot tell by any bytes that they are of one client.

use std::collections::BTreeMap;

use super::finder::{Finder, Heaps};
use super::life::Life;
use super::routes::Part;
use super::{CLIENTS, SEEDS};

/// Bytes without what everybody knows: names, keys and addresses of nodes.
pub fn without_public(bytes: &[u8], public: &Finder<()>) -> Vec<u8> {
    let mut out = bytes.to_vec();
    public.each(bytes, |at, length, ()| out[at..at + length].fill(0));
    out
}

pub fn public(life: &Life) -> Finder<()> {
    let machines = life.world.machines.iter();
    let names = machines.flat_map(|machine| {
        [
            machine.id.0,
            machine.link.0,
            machine.onion.0,
            machine.identity.0,
        ]
    });
    Finder::new(names.map(|name| (name.to_vec(), ())).collect())
}

#[test]
fn what_a_node_has_of_different_circuits_of_one_client_has_nothing_in_common() {
    let mut compared: BTreeMap<(Part, Part), usize> = BTreeMap::new();
    // Costly: everything with everything.
    for seed in [SEEDS[0], SEEDS[1]] {
        let life = Life::new(seed);
        let public = public(&life);
        for client in CLIENTS {
            for node in (0..life.world.machines.len()).filter(|&node| node != client) {
                let mine = life
                    .overheard
                    .conversations()
                    .filter(|(_, route, conversation)| {
                        route.client == client && conversation.node == node
                    });
                let mut heaps = Vec::new();
                let mut parts: BTreeMap<Part, usize> = BTreeMap::new();
                for (number, _, conversation) in mine {
                    *parts.entry(conversation.part).or_default() += 1;
                    for bytes in &conversation.bytes {
                        let bytes = without_public(bytes, &public);
                        heaps.push(((number, conversation.part), bytes));
                    }
                }
                // What it is given by other storers meanwhile does not join the client's circuits either.
                let given = life.overheard.handed_on.iter();
                for given in given.map(|hand_on| &hand_on.given) {
                    if given.node == node {
                        *parts.entry(Part::Given).or_default() += 1;
                        for bytes in &given.bytes {
                            let bytes = without_public(bytes, &public);
                            heaps.push(((usize::MAX, Part::Given), bytes));
                        }
                    }
                }
                for (&a, count) in &parts {
                    for (&b, others) in parts.range(a..) {
                        let count = if a == b {
                            count * (count - 1) / 2
                        } else {
                            count * others
                        };
                        *compared.entry((a, b)).or_default() += count;
                    }
                }
                let all = heaps.iter().map(|(name, bytes)| (*name, bytes.as_slice()));
                let index = Heaps::new(all.collect());
                for ((number, part), bytes) in &heaps {
                    // A storer knows the same thing again, of course.
                    let apart = |(other, as_what): (usize, Part)| {
                        let keeps = |part| part == Part::Storer || part == Part::Given;
                        other != *number && !(keeps(*part) && keeps(as_what))
                    };
                    let shared = index.shared(bytes, apart);
                    assert!(shared.is_none(), "node {node}, {part:?}: {shared:?}");
                }
            }
        }
    }
    println!("conversations of one client compared at one node: {compared:?}");
    for pair in [
        (Part::Guard, Part::Guard),
        (Part::Middle, Part::Middle),
        (Part::Middle, Part::Exit),
        (Part::Middle, Part::Storer),
        (Part::Exit, Part::Storer),
        (Part::Guard, Part::Given),
    ] {
        let count = compared.get(&pair).copied().unwrap_or_default();
        assert!(count > 10, "{pair:?}: {count}");
    }
    assert!(
        !compared.contains_key(&(Part::Guard, Part::Storer)),
        "a guard is never asked"
    );
}
