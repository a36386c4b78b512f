//! Every vector of `docs/vectors/core.txt`, and so every one that `docs/protocol.md` prints of it, is what this crate
//! writes and reads; a stranger who knows nothing but that text gets his answers from a node.

#[path = "protocol_vectors/limits.rs"]
mod limits_listed;
#[path = "../../../docs/vectors/reader.rs"]
mod reader;
#[path = "protocol_vectors/stranger.rs"]
mod stranger;

use std::net::SocketAddr;

use oboro_core::action::StoreRequest;
use oboro_core::event::{PutOutcome, StoreOutcome};
use oboro_core::limits;
use oboro_core::wire::control::{BUCKETS, Control};
use oboro_core::wire::descriptor::{Descriptor, Roles};
use oboro_core::wire::frame::{CloseReason, Frame, Frames};
use oboro_core::wire::invite::Invite;
use oboro_core::wire::message::{
    Put, Receipt, Refusal, Reply, Request, decode_chunk, encode_chunk,
};
use oboro_core::wire::placement::Placement;
use oboro_core::wire::{control, descriptor, frame, invite, message};
use oboro_crypto::hash::blake2b_256;
use oboro_crypto::ids::{
    LinkPublic, Location, NetworkId, NodeId, OnionPublic, Reference, Signature,
};
use oboro_crypto::keys::IdentityKey;
use oboro_crypto::network::Network;
use oboro_crypto::provider::RealProvider;
use oboro_crypto::{Secret, labels};
use reader::{Vector, decode, each, hex};
use stranger::Stranger;

const FILE: &str = "core.txt";

#[test]
fn every_vector_has_a_test_and_every_printed_one_is_in_a_file() {
    let tested = [
        "control",
        "descriptor",
        "frame",
        "invite",
        "message",
        "receipt",
    ];
    let families = reader::vectors(FILE)
        .into_iter()
        .map(|vector| vector.family().to_owned());
    assert_eq!(
        families.collect::<std::collections::BTreeSet<_>>(),
        tested.map(str::to_owned).into()
    );
    assert_eq!(
        reader::printed_from(FILE) + reader::printed_from("crypto.txt"),
        reader::printed()
    );
}

#[test]
fn the_numbers_to_agree_on_are_those_in_the_code() {
    let lengths = [
        ("CONTROL_MAX", frame::CONTROL_MAX),
        ("DATA_MAX", frame::DATA_MAX),
        ("BUCKETS", BUCKETS),
        ("BUCKET_ITEMS_MAX", control::BUCKET_ITEMS_MAX),
        ("WANT_MAX", control::WANT_MAX),
        ("OFFER_MAX", control::OFFER_MAX),
        ("DESCRIPTORS_MAX", control::DESCRIPTORS_MAX),
        ("DESCRIPTOR_MAX", descriptor::DESCRIPTOR_MAX),
        ("ADDRESSES_MAX", descriptor::ADDRESSES_MAX),
        ("INVITE_MAX", invite::INVITE_MAX),
        ("MESSAGE_MAX", limits::MESSAGE_MAX),
        ("CHUNK", message::CHUNK),
        ("EXTENT_CHUNKS_MAX", message::EXTENT_CHUNKS_MAX),
        ("ENTRIES_MAX", message::ENTRIES_MAX),
        ("TALLIES_MAX", message::TALLIES_MAX),
        ("NAMES_MAX", message::NAMES_MAX),
        ("NEIGHBOURS_OF_LOCATION", limits::NEIGHBOURS_OF_LOCATION),
        ("STREAM_WINDOW", limits::STREAM_WINDOW as usize),
    ];
    reader::agree(&lengths.map(|(name, length)| (name, length as u64)));
    let (hours, skew) = (descriptor::VALID_HOURS_MAX.into(), descriptor::SKEW_SECS);
    reader::agree(&[("VALID_HOURS_MAX", hours), ("SKEW_SECS", skew)]);
    // Besides these there are those of the package `crypto`, which its own test compares.
    let document = reader::document("protocol.md");
    let number = |line: &&str| {
        line.split("` | `")
            .nth(1)?
            .split('`')
            .next()?
            .parse::<u64>()
            .ok()
    };
    let all = document
        .lines()
        .filter(|line| number(line).is_some())
        .count();
    assert_eq!(all, lengths.len() + 2 + 14);
}

#[test]
fn frames_are_written_and_read_as_described() {
    each(FILE, "frame", |vector| {
        let (body, data);
        let stream = || vector.value("stream");
        let frame = match vector.name.as_str() {
            "frame.control" => {
                body = vector.bytes("body");
                Frame::Control(&body)
            }
            "frame.open" => Frame::Open(stream()),
            "frame.data" => {
                data = vector.bytes("data");
                Frame::Data(stream(), &data)
            }
            "frame.credit" => Frame::Credit(stream(), vector.value("grant")),
            _ => Frame::Close(stream(), reason(vector.text("reason"))),
        };
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        vector.is_bytes("bytes", &bytes);
        assert_eq!(Frames::new(&bytes).next_frame(), Ok(Some(frame)));
    });
}

#[test]
fn descriptors_are_signed_and_summed_as_described() {
    each(FILE, "descriptor", |vector| {
        let network = NetworkId(vector.array("network"));
        let key = IdentityKey::from_secret(&Secret::from_bytes(vector.array("identity-seed")));
        let descriptor = Descriptor {
            identity: key.public(),
            link: LinkPublic(vector.array("link")),
            onion: OnionPublic(vector.array("onion")),
            id: NodeId(vector.array("id")),
            issued: vector.value("issued"),
            valid_hours: vector.value("valid-hours"),
            roles: Roles {
                relay: vector.value("relay"),
                storage: vector.value("storage"),
            },
            capacity: vector.value("capacity"),
            addresses: addresses(vector),
        };
        let bytes = descriptor.sign(&network, &key);
        vector.is_bytes("bytes", &bytes);
        assert_eq!(
            Descriptor::open(&bytes, &network, &RealProvider),
            Ok(descriptor.clone())
        );

        if descriptor.addresses.is_empty() {
            // It can be read, but nobody lists a node that is nowhere.
            vector.value::<u8>("bucket");
            let _: ([u8; 8], [u8; 8]) = (vector.array("short-id"), vector.array("view-term"));
            return;
        }
        // A node that hears of it lists it and counts it in.
        let mut stranger = Stranger::meet(private(), [0x61; 32]);
        stranger.hello(Some(bytes));
        stranger.computed(descriptor.id);
        let bucket: u8 = vector.value("bucket");
        stranger.control(&Control::Digest(Box::new([0; BUCKETS])));
        let (short, term): ([u8; 8], [u8; 8]) =
            (vector.array("short-id"), vector.array("view-term"));
        let listed = Control::Bucket(bucket, vec![(u64::from_be_bytes(short), descriptor.issued)]);
        assert!(stranger.heard(|message| *message == listed));
        stranger.wait_for_gossip();
        let sum = |message: &Control| match message {
            Control::Digest(sums) => sums[usize::from(bucket)] == u64::from_be_bytes(term),
            _ => false,
        };
        assert!(stranger.heard(sum));
    });
}

#[test]
fn control_messages_are_written_and_read_as_described() {
    each(FILE, "control", |vector| {
        let bucket = || vector.value("bucket");
        let short = |text: &str| u64::from_be_bytes(decode(text).try_into().unwrap());
        let message = match vector.name.as_str() {
            "control.hello" | "control.hello-listed" => Control::Hello {
                observed: vector.value("observed"),
                descriptor: vector.all("descriptor").first().map(|text| decode(text)),
            },
            "control.digest" => {
                let mut sums = Box::new([0; BUCKETS]);
                sums[usize::from(vector.value::<u8>("bucket"))] = short(vector.text("sum"));
                Control::Digest(sums)
            }
            "control.bucket" => {
                let (id, issued) = vector.text("item").split_once(' ').unwrap();
                Control::Bucket(bucket(), vec![(short(id), issued.parse().unwrap())])
            }
            "control.offer" | "control.ask" => {
                let (head, issued) = vector.text("item").split_once(' ').unwrap();
                let names = vec![(short(head), issued.parse().unwrap())];
                if vector.name == "control.offer" {
                    Control::Offer(names)
                } else {
                    Control::Ask(names)
                }
            }
            "control.want" => Control::Want(bucket(), vec![short(vector.text("short-id"))]),
            "control.descriptors" => Control::Descriptors(vec![vector.bytes("descriptor")]),
            "control.ping" => Control::Ping(vector.value("nonce")),
            _ => Control::Pong(vector.value("nonce")),
        };
        is_written(vector, &message.encode());
        assert_eq!(Control::decode(&message.encode()), Ok(message));
    });
}

#[test]
fn messages_of_a_session_are_written_and_read_as_described() {
    each(FILE, "message", |vector| {
        let bytes = match vector.name.as_str() {
            "message.chunk" => {
                let (index, body) = (vector.value("index"), vec![vector.value("fill"); 32_768]);
                let bytes = encode_chunk(index, &body);
                assert_eq!(decode_chunk(&bytes), Ok((index, body.as_slice())));
                bytes
            }
            _ => match request(vector) {
                Some(request) => {
                    assert_eq!(Request::decode(&request.encode()), Ok(request.clone()));
                    request.encode()
                }
                None => {
                    let reply = reply(vector);
                    assert_eq!(Reply::decode(&reply.encode()), Ok(reply.clone()));
                    reply.encode()
                }
            },
        };
        is_written(vector, &bytes);
    });
}

#[test]
fn a_stranger_who_follows_the_text_gets_receipts() {
    each(FILE, "receipt", |vector| {
        let network = Network::decode(&vector.bytes("network")).unwrap();
        let id = network.id().0;
        let mut stranger = Stranger::meet(network, vector.array("storer-seed"));
        stranger.hello(None);
        let day: u32 = vector.value("day");
        assert_eq!(stranger.day(), day);
        let reply = match vector.all("chunk-fill").first() {
            Some(fill) => {
                let chunk = vec![fill.parse().unwrap(); 32_768];
                vector.is_bytes("reference", blake2b_256(&chunk));
                let references = vec![Reference(vector.array("reference"))];
                let (placement, work) = (vector.value("placement"), vector.value("work"));
                let put = Request::Put(Put {
                    placement: Placement::from_byte(placement),
                    day,
                    work,
                    references,
                });
                assert!(matches!(stranger.ask(&put), Some(StoreRequest::Extent(_))));
                assert_eq!(
                    stranger.answered(StoreOutcome::Extent(None)),
                    Reply::Send(1)
                );
                let Some(StoreRequest::PutExtent {
                    location, chunks, ..
                }) = stranger.send(&encode_chunk(0, &chunk))
                else {
                    panic!("the extent is stored");
                };
                vector.is_bytes("location", location.0);
                assert_eq!(chunks, [chunk]);
                stranger.answered(StoreOutcome::Put(PutOutcome::Stored))
            }
            None => {
                let Some(StoreRequest::PutEntry { location, .. }) =
                    stranger.ask(&Request::PutEntry(entry(vector)))
                else {
                    panic!("the entry is stored");
                };
                vector.is_bytes("location", location.0);
                stranger.answered(StoreOutcome::Put(PutOutcome::Stored))
            }
        };
        let Reply::Receipt(receipt) = reply else {
            panic!("a receipt")
        };
        vector.is("until", receipt.until_day);
        vector.is_bytes("signature", receipt.signature.0);
        let (location, digest) = (vector.bytes("location"), vector.bytes("digest"));
        let parts: [&[u8]; 4] = [&id, &location, &digest, &receipt.until_day.to_be_bytes()];
        let storer = IdentityKey::from_secret(&Secret::from_bytes(vector.array("storer-seed")));
        assert!(
            storer
                .public()
                .verify(labels::RECEIPT, &parts, &receipt.signature)
        );
    });
}

#[test]
fn invites_are_written_and_read_as_described() {
    each(FILE, "invite", |vector| {
        let network = Network::decode(&vector.bytes("network")).unwrap();
        let (link, addresses) = (LinkPublic(vector.array("link")), addresses(vector));
        let line = Invite {
            network: network.duplicate(),
            link,
            addresses: addresses.clone(),
        }
        .encode();
        vector.is("line", &line);
        let read = Invite::parse(&line).unwrap();
        assert_eq!(
            (read.network.id(), read.link, read.addresses),
            (network.id(), link, addresses)
        );
    });
}

fn request(vector: &Vector) -> Option<Request> {
    let location = || Location(vector.array("location"));
    let reference = |text: &str| Reference(decode(text).try_into().unwrap());
    Some(match vector.name.as_str() {
        "message.get" => Request::Get {
            location: location(),
            wanted: vector.value("wanted"),
        },
        "message.put" => Request::Put(Put {
            placement: Placement::from_byte(vector.value("placement")),
            day: vector.value("day"),
            work: vector.value("work"),
            references: vector.all("reference").into_iter().map(reference).collect(),
        }),
        "message.put-entry" => Request::PutEntry(entry(vector)),
        "message.query" | "message.query-on" => {
            let after = vector
                .all("cursor")
                .first()
                .map(|text| decode(text).try_into().unwrap());
            Request::Query {
                location: location(),
                after,
                max: vector.value("most"),
            }
        }
        "message.tally" => {
            let places = vector.all("location").into_iter();
            Request::Tally(
                places
                    .map(|at| Location(decode(at).try_into().unwrap()))
                    .collect(),
            )
        }
        "message.names-of" => Request::Names(location()),
        _ => return None,
    })
}

fn reply(vector: &Vector) -> Reply {
    match vector.name.as_str() {
        "message.have" => Reply::Have(vector.value("chunks")),
        "message.send" => Reply::Send(vector.value("chunks")),
        "message.receipt" => Reply::Receipt(Receipt {
            until_day: vector.value("until"),
            signature: Signature(vector.array("signature")),
        }),
        "message.entries" => Reply::Entries(vec![entry(vector)], Some(vector.array("cursor"))),
        "message.none" => Reply::Nothing,
        "message.tallies" => Reply::Tallies(numbers(vector, "tally")),
        "message.names" => Reply::Names(numbers(vector, "name")),
        _ => {
            let all = [
                Refusal::Busy,
                Refusal::Full,
                Refusal::Price,
                Refusal::NotMine,
                Refusal::Policy,
                Refusal::Invalid,
            ];
            let cause = all
                .into_iter()
                .find(|cause| cause.name() == vector.text("cause"));
            Reply::Refused(cause.unwrap(), vector.value("price"))
        }
    }
}

fn numbers(vector: &Vector, field: &str) -> Vec<u64> {
    let all = vector.all(field).into_iter();
    all.map(|number| number.parse().unwrap()).collect()
}

/// The bytes of a message are those in the vector; of a long one, length and digest are.
fn is_written(vector: &Vector, bytes: &[u8]) {
    if vector.all("length").is_empty() {
        vector.is_bytes("bytes", bytes);
    } else {
        vector.is("length", bytes.len());
        vector.is("digest", hex(blake2b_256(bytes)));
    }
}

/// The entry that a vector names.
fn entry(vector: &Vector) -> Vec<u8> {
    let name = vector.text("entry");
    let all = reader::vectors("crypto.txt");
    all.iter()
        .find(|other| other.name == name)
        .unwrap()
        .bytes("entry")
}

fn private() -> Network {
    let all = reader::vectors(FILE);
    let vector = all.iter().find(|vector| vector.name == "receipt.extent");
    Network::decode(&vector.unwrap().bytes("network")).unwrap()
}

fn addresses(vector: &Vector) -> Vec<SocketAddr> {
    vector
        .all("address")
        .into_iter()
        .map(|text| text.parse().unwrap())
        .collect()
}

fn reason(text: &str) -> CloseReason {
    match text {
        "done" => CloseReason::Done,
        "failed" => CloseReason::Failed,
        _ => CloseReason::Busy,
    }
}
