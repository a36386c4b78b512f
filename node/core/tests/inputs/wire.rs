//! The families of `wire`, each decoder by itself.

use std::net::SocketAddr;

use oboro_core::wire::cell::{CellFrame, CellFrames};
use oboro_core::wire::control::{BUCKETS, Control};
use oboro_core::wire::descriptor::{DESCRIPTOR_MAX, Descriptor, Roles};
use oboro_core::wire::frame::{CloseReason, Frame, Frames};
use oboro_core::wire::invite::Invite;
use oboro_core::wire::message::{
    CHUNK, Put, Receipt, Refusal, Reply, Request, decode_chunk, encode_chunk,
};
use oboro_core::wire::placement::Placement;
use oboro_crypto::circuit::{CELL_LEN, CREATE_LEN, CREATED_LEN, FORWARD_PAYLOAD};
use oboro_crypto::entry::SealedEntry;
use oboro_crypto::hash::hash;
use oboro_crypto::ids::{LinkPublic, Location, NodeId, OnionPublic, Reference, Signature};
use oboro_crypto::keys::IdentityKey;
use oboro_crypto::labels;
use oboro_crypto::network::Network;
use oboro_crypto::provider::RealProvider;
use oboro_crypto::record::RECORD_PLAIN;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::harness::{Cost, feed};

const NETWORK: oboro_crypto::NetworkId = oboro_crypto::NetworkId([9; 32]);

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn addresses() -> Vec<SocketAddr> {
    ["192.0.2.7:4000", "[2001:db8::7]:4001"]
        .map(|text| text.parse().expect("an address"))
        .to_vec()
}

/// A record with these frames, filled up with padding.
pub(crate) fn record(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut record = Vec::new();
    frames.iter().for_each(|frame| frame.write(&mut record));
    record.resize(RECORD_PLAIN, 0);
    record
}

pub(crate) fn records() -> Vec<Vec<u8>> {
    let hello = Control::Hello {
        observed: addresses()[0],
        descriptor: Some(descriptor(2)),
    }
    .encode();
    let most = vec![7; RECORD_PLAIN - 7];
    vec![
        record(&[
            Frame::Control(&hello),
            Frame::Control(&Control::Ping(7).encode()),
        ]),
        record(&[
            Frame::Open(1),
            Frame::Data(1, b"some bytes"),
            Frame::Credit(5, 1000),
            Frame::Close(1, CloseReason::Done),
        ]),
        record(&[Frame::Data(3, &most)]),
        record(&[]),
        record(&[
            Frame::Create(1, &[7; CREATE_LEN]),
            Frame::Created(2, &[8; CREATED_LEN]),
            Frame::Destroy(3),
        ]),
        record(&[Frame::Cell(1, &[9; CELL_LEN])]),
    ]
}

#[test]
fn the_frames_of_a_cell_are_those_that_were_written_or_refused() {
    let cell = |frames: &[CellFrame<'_>]| {
        let mut out = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut out));
        out.resize(FORWARD_PAYLOAD, 0);
        out
    };
    let valid = [
        cell(&[
            CellFrame::Begin(1, NodeId([3; 32])),
            CellFrame::Data(1, b"some bytes"),
            CellFrame::Credit(1, 1000),
            CellFrame::Close(1, CloseReason::Done),
        ]),
        cell(&[
            CellFrame::Window(64),
            CellFrame::Probe(1),
            CellFrame::Echo(2),
        ]),
        cell(&[CellFrame::Data(1, &[1; 4_000])]),
        cell(&[]),
    ];
    feed("frames of a cell", Cost::Parsing, &valid, |payload| {
        let (mut frames, mut again) = (CellFrames::new(payload), Vec::new());
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => {
                    let before = again.len();
                    frame.write(&mut again);
                    assert_eq!(again.len() - before, frame.encoded_len());
                }
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        let rest = payload
            .strip_prefix(again.as_slice())
            .expect("the same frames again");
        rest.iter().all(|&byte| byte == 0)
    });
}

#[test]
fn the_frames_of_a_record_are_those_that_were_written_or_refused() {
    feed("frames of a record", Cost::Parsing, &records(), |record| {
        let (mut frames, mut again) = (Frames::new(record), Vec::new());
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => {
                    let before = again.len();
                    frame.write(&mut again);
                    assert_eq!(again.len() - before, frame.encoded_len());
                }
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        let rest = record
            .strip_prefix(again.as_slice())
            .expect("the same frames again");
        assert!(rest.iter().all(|&byte| byte == 0));
        true
    });
}

/// A descriptor, encoded, with this many addresses.
fn descriptor(addresses_of: usize) -> Vec<u8> {
    let key = IdentityKey::generate(&mut rng(1));
    Descriptor {
        identity: key.public(),
        link: LinkPublic([2; 32]),
        onion: OnionPublic([3; 32]),
        id: NodeId([4; 32]),
        issued: 1_800_000_000,
        valid_hours: 6,
        roles: Roles {
            relay: true,
            storage: true,
        },
        capacity: 4,
        addresses: addresses().into_iter().cycle().take(addresses_of).collect(),
    }
    .sign(&NETWORK, &key)
}

#[test]
fn a_descriptor_is_opened_only_as_it_was_signed() {
    let valid = [descriptor(0), descriptor(1), descriptor(4)];
    feed("descriptor", Cost::Parsing, &valid, |bytes| {
        let decoded = Descriptor::decode(bytes);
        assert!(decoded.is_err() || bytes.len() <= DESCRIPTOR_MAX);
        let opened = Descriptor::open(bytes, &NETWORK, &RealProvider);
        assert!(opened.is_err() || decoded.is_ok());
        assert!(opened.is_err() || valid.iter().any(|whole| whole == bytes));
        opened.is_ok()
    });
}

#[test]
fn what_a_hostile_node_signs_as_its_descriptor_is_canonical_or_refused() {
    let key = IdentityKey::generate(&mut rng(1));
    let valid = [0, 1, 4].map(|count| {
        let whole = descriptor(count);
        whole[..whole.len() - 64].to_vec()
    });
    feed(
        "descriptor, signed by its maker",
        Cost::PublicKey,
        &valid,
        |body| {
            let signature = key.sign(labels::DESCRIPTOR, &[NETWORK.as_bytes(), body]);
            let bytes = [body, &signature.0].concat();
            let Ok(descriptor) = Descriptor::open(&bytes, &NETWORK, &RealProvider) else {
                return false;
            };
            assert_eq!(descriptor.sign(&NETWORK, &key), bytes);
            true
        },
    );
}

fn controls() -> Vec<Control> {
    let descriptor = descriptor(2);
    let [observed, other] = [addresses()[0], addresses()[1]];
    vec![
        Control::Hello {
            observed,
            descriptor: None,
        },
        Control::Hello {
            observed: other,
            descriptor: Some(descriptor.clone()),
        },
        Control::Digest(Box::new([5; BUCKETS])),
        Control::Bucket(3, vec![(7, 8); 20]),
        Control::Want(4, vec![9; 30]),
        Control::Descriptors(vec![descriptor; 3]),
        Control::Ping(1),
        Control::Pong(2),
        Control::Offer(vec![(7, 8); 20]),
        Control::Ask(vec![(7, 8); 20]),
    ]
}

#[test]
fn a_control_message_is_canonical() {
    let valid: Vec<Vec<u8>> = controls().iter().map(Control::encode).collect();
    feed("control message", Cost::Parsing, &valid, |bytes| {
        let message = Control::decode(bytes);
        if let Ok(message) = &message {
            assert_eq!(message.encode(), bytes);
        }
        message.is_ok()
    });
}

fn requests() -> Vec<Request> {
    let location = Location([6; 32]);
    let put = |count: usize| {
        Request::Put(Put {
            placement: Placement::new(1, 8),
            day: 20_833,
            work: 77,
            references: vec![Reference([8; 32]); count],
        })
    };
    vec![
        Request::Get {
            location,
            wanted: 5,
        },
        put(1),
        put(32),
        Request::PutEntry(vec![1; SealedEntry::ENCODED_LEN]),
        Request::Query {
            location,
            after: None,
            max: 32,
        },
        Request::Query {
            location,
            after: Some([1; 16]),
            max: 1,
        },
        Request::Tally(vec![location]),
        Request::Tally(vec![location; 64]),
        Request::Names(location),
    ]
}

#[test]
fn a_request_is_canonical() {
    let valid: Vec<Vec<u8>> = requests().iter().map(Request::encode).collect();
    feed("session request", Cost::Parsing, &valid, |bytes| {
        let request = Request::decode(bytes);
        if let Ok(request) = &request {
            assert_eq!(request.encode(), bytes);
        }
        request.is_ok()
    });
}

fn replies() -> Vec<Reply> {
    let entry = vec![3; SealedEntry::ENCODED_LEN];
    vec![
        Reply::Have(1),
        Reply::Send(u32::MAX),
        Reply::Receipt(Receipt {
            until_day: 20_863,
            signature: Signature([4; 64]),
        }),
        Reply::Entries(vec![entry.clone()], None),
        Reply::Entries(vec![entry; 32], Some([2; 16])),
        Reply::Refused(Refusal::Price, 12),
        Reply::Nothing,
        Reply::Tallies(vec![0, u64::MAX]),
        Reply::Tallies(vec![7; 64]),
        Reply::Names(vec![]),
        Reply::Names((0..512).collect()),
    ]
}

#[test]
fn a_reply_is_canonical() {
    let valid: Vec<Vec<u8>> = replies().iter().map(Reply::encode).collect();
    feed("session reply", Cost::Parsing, &valid, |bytes| {
        let reply = Reply::decode(bytes);
        if let Ok(reply) = &reply {
            assert_eq!(reply.encode(), bytes);
        }
        reply.is_ok()
    });
}

#[test]
fn a_chunk_is_as_long_as_a_chunk_and_has_a_place() {
    let valid = [encode_chunk(0, &[1; CHUNK]), encode_chunk(31, &[0; CHUNK])];
    feed("session chunk", Cost::Parsing, &valid, |bytes| {
        let Ok((index, body)) = decode_chunk(bytes) else {
            return false;
        };
        assert_eq!(encode_chunk(index, body), bytes);
        true
    });
}

fn invites() -> Vec<Invite> {
    let networks = [
        Network::public(),
        Network::private("salon", true, &mut rng(2)).expect("a network"),
    ];
    let invite = |network| Invite {
        network,
        link: LinkPublic([7; 32]),
        addresses: addresses(),
    };
    networks.into_iter().map(invite).collect()
}

#[test]
fn an_invite_is_one_line_that_reads_back() {
    let valid: Vec<Vec<u8>> = invites()
        .iter()
        .map(|invite| invite.encode().into_bytes())
        .collect();
    feed("invite, line", Cost::Parsing, &valid, |bytes| {
        let line = String::from_utf8_lossy(bytes);
        let Ok(invite) = Invite::parse(&line) else {
            return false;
        };
        assert!(invite.encode().eq_ignore_ascii_case(line.trim()));
        true
    });
}

#[test]
fn an_invite_with_a_repaired_checksum_is_canonical_or_refused() {
    const PREFIX: &str = "oboro-invite:";
    let base32 = data_encoding::BASE32_NOPAD;
    let bytes_of = |line: &str| {
        let text = line[PREFIX.len()..].to_uppercase();
        base32.decode(text.as_bytes()).expect("our own invite")
    };
    let valid: Vec<Vec<u8>> = invites()
        .iter()
        .map(|invite| {
            let mut bytes = bytes_of(&invite.encode());
            bytes.truncate(bytes.len() - 4);
            bytes
        })
        .collect();
    feed("invite, checksum repaired", Cost::Parsing, &valid, |body| {
        let sum = hash(labels::INVITE, &[body]);
        let bytes = [body, &sum[..4]].concat();
        let line = format!("{PREFIX}{}", base32.encode(&bytes).to_lowercase());
        let Ok(invite) = Invite::parse(&line) else {
            return false;
        };
        assert_eq!(invite.encode(), line);
        true
    });
}
