//! What reaches a whole node: records from a stranger on a link, and a checkpoint from its own disk.

use std::sync::Arc;

use oboro_core::ids::{JobId, LinkId};
use oboro_core::wire::control::Control;
use oboro_core::wire::frame::Frame;
use oboro_core::{Command, Config, Event, Node, Outbox, Time};
use oboro_crypto::eris::{BlockKey, BlockSize, Capability};
use oboro_crypto::ids::{LinkPublic, Reference};
use oboro_crypto::keys::NodeKeys;
use oboro_crypto::network::Network;
use oboro_crypto::node_id::node_id;
use oboro_crypto::provider::RealProvider;

use crate::harness::{Cost, feed};
use crate::wire::{record, records, rng};

const NOW: Time = Time::from_secs(1_800_000_000);

/// A node that knows nobody.
fn node() -> Node {
    node_with(None)
}

/// The same with this on disk of its guards.
fn node_with(guards: Option<Vec<u8>>) -> Node {
    let mut rng = rng(3);
    let network = Network::private("inputs", true, &mut rng).expect("a network");
    let keys = NodeKeys::generate(NOW.day(), &mut rng);
    let config = Config {
        id: node_id(&network, &keys.identity.public()),
        link: keys.link.public(),
        identity: keys.identity,
        onion: keys.onion,
        onion_previous: None,
        addresses: vec!["127.0.0.1:4000".parse().expect("an address")],
        listen_port: Some(4000),
        listed: true,
        storage: true,
        bootstrap: Vec::new(),
        guards,
        provider: Arc::new(RealProvider),
        network,
    };
    Node::new(config, [4; 32], NOW)
}

/// Hands an event to a node; what it wants done is left undone.
fn tell(node: &mut Node, event: Event) {
    let mut out = Outbox::new();
    node.handle(NOW, event, &mut out);
    while out.take().is_some() {}
}

#[test]
fn any_record_on_a_link_is_taken_or_ends_the_link() {
    let mut node = node();
    let hello = Control::Hello {
        observed: "127.0.0.1:4000".parse().expect("an address"),
        descriptor: None,
    };
    let hello = record(&[Frame::Control(&hello.encode())]);
    // What may come after a hello; the first of the records begins with one.
    let valid = &records()[1..];
    let mut links = 100;
    feed("records on a link", Cost::Parsing, valid, |bytes| {
        links += 1;
        let link = LinkId(links);
        let (remote, address) = (
            LinkPublic([7; 32]),
            "127.9.9.9:1".parse().expect("an address"),
        );
        let up = Event::LinkUp {
            link,
            remote,
            address,
            dial: None,
        };
        // The shell hands over whole records only.
        let mut plain = [&hello, bytes].concat();
        plain.resize(2 * hello.len(), 0);
        let before: u64 = node.stats().violations.values().sum();
        tell(&mut node, up);
        tell(&mut node, Event::Records { link, plain });
        tell(&mut node, Event::LinkDown { link });
        assert_eq!(node.stats().streams_active, 0);
        assert!(node.standing(NOW).peers.is_empty());
        node.stats().violations.values().sum::<u64>() == before
    });
}

/// A checkpoint as a fetch writes it: version, parts done from the start, count, parts done beyond.
fn checkpoint(below: u64, beyond: &[u64]) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend(below.to_be_bytes());
    bytes.extend((beyond.len() as u32).to_be_bytes());
    beyond
        .iter()
        .for_each(|part| bytes.extend(part.to_be_bytes()));
    bytes
}

#[test]
fn a_fetch_goes_on_from_any_checkpoint_or_from_none() {
    let mut node = node();
    let capability = Capability {
        block_size: BlockSize::Large,
        level: 2,
        root: Reference([1; 32]),
        key: BlockKey::from_bytes([2; 32]),
    };
    let valid = [
        checkpoint(0, &[]),
        checkpoint(5, &[7, 9]),
        checkpoint(1 << 30, &[]),
    ];
    feed("checkpoint of a fetch", Cost::Parsing, &valid, |bytes| {
        let job = JobId(1);
        let begin = Command::Fetch {
            job,
            capability: Box::new(capability.clone()),
            resume: Some(bytes.to_vec()),
            fewer_hops: false,
        };
        tell(&mut node, Event::Command(begin));
        let begun = node.has_job(job);
        tell(
            &mut node,
            Event::Command(Command::Cancel { job, keep: true }),
        );
        assert!(!node.has_job(job));
        begun
    });
}

#[test]
fn a_node_begins_with_any_guards_or_with_none() {
    let guard = |node: u8| {
        let days = [19_000u32, 21_000, 0].map(u32::to_be_bytes).concat();
        [[node; 32].as_slice(), &days].concat()
    };
    let middle = [[9; 32].as_slice(), &20_900u32.to_be_bytes()].concat();
    let valid = [
        vec![1, 0, 0],
        [[1, 1].as_slice(), &guard(1), &[0]].concat(),
        [
            [1, 3].as_slice(),
            &guard(1),
            &guard(2),
            &guard(3),
            &[1],
            &middle,
        ]
        .concat(),
    ];
    feed("guards on disk", Cost::Parsing, &valid, |bytes| {
        let mut node = node_with(Some(bytes.to_vec()));
        tell(&mut node, Event::Deadline);
        assert!(node.deadline().is_some());
        // Nobody is known, so nobody on the list can be in use wrongly: a list is whole or it is none.
        node.standing(NOW).guard.is_some() || bytes == [1, 0, 0]
    });
}
