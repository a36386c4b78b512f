//! What is looked for in what was overheard: who nodes are, and what must not be known together with that.

use std::io::Cursor;

use oboro_cache::Store;
use oboro_crypto::eris::{BlockSize, Capability, ConvergenceSecret, Encoder};
use oboro_crypto::ids::{ExtentId, Location};
use oboro_crypto::network::Class;
use oboro_crypto::terms;
use oboro_crypto::token::KeywordToken;

use super::finder::Finder;
use crate::world::World;

/// What a string that was found says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Which node: its id, one of its public keys, its address.
    Node(usize),
    /// What a storer must have to store.
    Kept(&'static str),
    /// What nobody but clients has.
    Private(&'static str),
}

/// All that storers have of a publication. Extent ids are nowhere: they are computed.
pub const KEPT: [&str; 6] = [
    "location",
    "reference",
    "chunk",
    "term's location",
    "write key",
    "sealed entry",
];

/// How much of anything is enough to know it by.
const TELLING: usize = 16;

/// Everything to look for after `content` was published under `title`. Every string of 64 bytes of a chunk or of the
/// content holds one of those looked for, every 24 bytes of a name or a key, every 16 of the title.
pub fn finder(
    world: &mut World,
    title: &str,
    content: &[u8],
    capability: &Capability,
) -> Finder<Mark> {
    let mut strings = Vec::new();
    let mut look = |bytes: &[u8], step: usize, mark: Mark| {
        for string in bytes.windows(TELLING).step_by(step) {
            strings.push((string.to_vec(), mark));
        }
    };
    look(title.as_bytes(), 1, Mark::Private("title"));
    look(content, 48, Mark::Private("content"));
    look(capability.key.expose(), 8, Mark::Private("capability"));
    look(&[7; 32], 16, Mark::Private("convergence secret"));

    let (network, params) = (world.network.id(), world.network.params);
    let (replicas, copies) = (params.replicas, params.copies(Class::Alone));
    let secret = ConvergenceSecret::from_bytes([7; 32]);
    let mut encoder = Encoder::new(Cursor::new(content.to_vec()), BlockSize::Large, secret);
    while let Some(run) = encoder.next_run().unwrap() {
        let extent = ExtentId::of(&run.references);
        look(&extent.0, 8, Mark::Kept("extent id"));
        for index in 0..copies {
            let location = Location::of_extent(&network, &extent, index);
            look(&location.0, 8, Mark::Kept("location"));
        }
        for reference in &run.references {
            look(&reference.0, 8, Mark::Kept("reference"));
        }
        for block in &run.blocks {
            look(block, 48, Mark::Kept("chunk"));
        }
    }
    for term in terms::of_text(title) {
        let token = KeywordToken::derive(&world.network, &term);
        look(term.as_str().as_bytes(), 1, Mark::Private("keyword"));
        look(
            token.sealing_key().expose(),
            8,
            Mark::Private("sealing key"),
        );
        look(&token.location_key(), 8, Mark::Kept("write key"));
        for index in 0..replicas {
            let location = Location::of_entry(&network, &token.location_key(), index);
            look(&location.0, 8, Mark::Kept("term's location"));
            for machine in &mut world.machines {
                for (_, entry) in machine.store.entries(&location, None, 32).unwrap() {
                    // Without what is in front: version, write key, placement, day.
                    look(&entry[38..], 48, Mark::Kept("sealed entry"));
                }
            }
        }
    }
    for (index, machine) in world.machines.iter().enumerate() {
        let names = [
            machine.id.0,
            machine.link.0,
            machine.onion.0,
            machine.identity.0,
        ];
        for name in names {
            look(&name, 8, Mark::Node(index));
        }
    }
    for (index, machine) in world.machines.iter().enumerate() {
        let std::net::SocketAddr::V4(address) = machine.address else {
            panic!("an IPv4 address");
        };
        let mut bytes = address.ip().octets().to_vec();
        bytes.extend_from_slice(&address.port().to_be_bytes());
        strings.push((bytes, Mark::Node(index)));
        strings.push((address.to_string().into_bytes(), Mark::Node(index)));
        strings.push((address.ip().to_string().into_bytes(), Mark::Node(index)));
    }
    Finder::new(strings)
}
