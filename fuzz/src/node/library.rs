//! What strangers have to offer: a small file in all its placements, an entry for it, chunks of one byte, descriptors.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use oboro_core::wire::descriptor::{Descriptor, Roles};
use oboro_core::wire::message::CHUNK;
use oboro_crypto::Reference;
use oboro_crypto::entry::{self, EntryBody, Kind};
use oboro_crypto::eris::{BlockSize, Capability, ConvergenceSecret, Encoder, Run};
use oboro_crypto::hash::blake2b_256;
use oboro_crypto::ids::{
    ExtentId, IdentityPublic, LinkPublic, Location, NodeId, OnionPublic, Signature,
};
use oboro_crypto::network::{Network, Params};
use oboro_crypto::terms::Term;
use oboro_crypto::token::KeywordToken;

use super::steps::Described;
use crate::content::cheap_network;
use crate::links::rng;

/// The moment every scene begins at, in seconds.
pub(super) const BEGIN: u64 = 1_800_000_000;
/// The words under which the file is found, and one under which nothing is.
pub(super) const WORDS: [&str; 3] = ["haze", "moon", "nothing"];

pub(super) struct Library {
    pub(super) network: Network,
    pub(super) capability: Capability,
    pub(super) length: u64,
    runs: Vec<Run>,
    /// Blocks by where they belong.
    pub(super) extents: BTreeMap<Location, Vec<Vec<u8>>>,
    /// Encoded entries by where they belong.
    pub(super) entries: BTreeMap<Location, Vec<u8>>,
    pub(super) tokens: Vec<Arc<KeywordToken>>,
    references: Vec<Reference>,
}

pub(super) static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    // Requests go straight to their nodes: the strangers are storers, and no relays.
    let cheap = cheap_network();
    let params = Params {
        hops: 0,
        ..cheap.params
    };
    let network = Network::new("fuzz", params, None).expect("a network");
    let content: Vec<u8> = (0..150_000u32).map(|i| (i / 3) as u8).collect();
    let mut encoder = Encoder::new(&*content, BlockSize::Large, ConvergenceSecret::null());
    let mut runs = Vec::new();
    while let Some(run) = encoder.next_run().expect("a slice is readable") {
        runs.push(run);
    }
    let capability = encoder.capability().expect("the content has ended");
    let tokens: Vec<Arc<KeywordToken>> = WORDS
        .iter()
        .map(|word| Term::parse(word).expect("a term"))
        .map(|term| Arc::new(KeywordToken::derive(&network, &term)))
        .collect();
    let mut extents = BTreeMap::new();
    for run in &runs {
        let extent = ExtentId::of(&run.references);
        for index in 0..network.params.replicas {
            let location = Location::of_extent(&network.id(), &extent, index);
            extents.insert(location, run.blocks.clone());
        }
    }
    let references = (0..=u8::MAX).map(|fill| Reference(blake2b_256(&chunk(fill))));
    Library {
        entries: entries(&network, &capability, &tokens[..2]),
        references: references.collect(),
        length: content.len() as u64,
        network,
        capability,
        runs,
        extents,
        tokens,
    }
});

fn entries(
    network: &Network,
    capability: &Capability,
    tokens: &[Arc<KeywordToken>],
) -> BTreeMap<Location, Vec<u8>> {
    let today = (BEGIN / 86_400) as u32;
    let body = EntryBody::new(
        "haze moon",
        150_000,
        Kind::Text,
        capability.clone(),
        &[],
        today,
    );
    let mut entries = BTreeMap::new();
    for token in tokens {
        for index in 0..network.params.replicas {
            let entry = entry::seal(network, token, &body, index, today + 30, &mut rng(9))
                .expect("a body")
                .solve();
            entries.insert(entry.location(&network.id()), entry.encode());
        }
    }
    entries
}

impl Library {
    /// What the encoder of the file hands over as its run of this number.
    pub(super) fn run(&self, number: usize) -> Option<Run> {
        let run = self.runs.get(number)?;
        Some(Run {
            level: run.level,
            references: run.references.clone(),
            blocks: run.blocks.clone(),
        })
    }

    /// The name of a chunk of one byte.
    pub(super) fn reference(&self, fill: u8) -> Reference {
        self.references[usize::from(fill)]
    }

    /// The location of that number, counted round.
    pub(super) fn location(&self, number: u8) -> Location {
        let all = self.extents.keys().chain(self.entries.keys());
        let count = self.extents.len() + self.entries.len();
        let mut all = all.skip(usize::from(number) % count);
        *all.next().expect("a number below the count")
    }

    /// The references of the file's extent at a location, to say that one has it.
    pub(super) fn references_at(&self, location: &Location) -> Option<Vec<Reference>> {
        let blocks = self.extents.get(location)?;
        let name = |block: &Vec<u8>| Reference(blake2b_256(block));
        Some(blocks.iter().map(name).collect())
    }
}

/// A chunk of one byte.
pub(super) fn chunk(fill: u8) -> Vec<u8> {
    vec![fill; CHUNK]
}

/// A stranger's link key; he calls his node after it.
pub(super) fn stranger(number: u8) -> LinkPublic {
    LinkPublic([number % 8 + 1; 32])
}

pub(super) fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([127, number % 8, 0, 1], 4000))
}

/// The descriptor of a stranger who says nothing strange.
pub(super) fn plain_descriptor(number: u8) -> Vec<u8> {
    let plain = Described {
        stranger: number,
        id: number,
        age_secs: 0,
        storage: true,
        address: [127, number % 8, 0, 1],
        genuine: true,
    };
    descriptor(&plain, BEGIN)
}

/// A descriptor with a signature that the scene's provider believes, or does not.
pub(super) fn descriptor(described: &Described, now_secs: u64) -> Vec<u8> {
    let issued = now_secs.saturating_add_signed(-i64::from(described.age_secs));
    let mut bytes = Descriptor {
        identity: IdentityPublic([described.id % 8 + 1; 32]),
        link: stranger(described.stranger),
        onion: OnionPublic([described.stranger; 32]),
        id: identity_id(described.id),
        issued: u32::try_from(issued).unwrap_or(u32::MAX),
        valid_hours: 6,
        roles: Roles {
            relay: true,
            storage: described.storage,
        },
        capacity: 1,
        addresses: vec![SocketAddr::from((described.address, 4000))],
    }
    .sign(&LIBRARY.network.id(), &crate::wire::MAKER);
    let length = bytes.len();
    let signature = Signature([if described.genuine { 0 } else { 0xff }; 64]);
    bytes[length - 64..].copy_from_slice(&signature.0);
    bytes
}

/// The node id of the identity with this number.
pub(super) fn identity_id(number: u8) -> NodeId {
    NodeId([(number % 8).wrapping_mul(31); 32])
}
