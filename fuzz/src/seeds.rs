//! One or a few valid inputs for each target: where a fuzzer begins.

use std::net::SocketAddr;

use oboro_core::wire::cell::CellFrame;
use oboro_core::wire::control::{BUCKETS, Control};
use oboro_core::wire::descriptor::{Descriptor, Roles};
use oboro_core::wire::frame::{CloseReason, Frame};
use oboro_core::wire::invite::Invite;
use oboro_core::wire::message::{CHUNK, Put, Receipt, Refusal, Reply, Request, encode_chunk};
use oboro_core::wire::placement::Placement;
use oboro_crypto::entry::SealedEntry;
use oboro_crypto::eris::{BlockKey, BlockSize, Capability};
use oboro_crypto::ids::{LinkPublic, Location, NodeId, OnionPublic, Reference, Signature};
use oboro_crypto::keyfile::{self, KEY_FILE_LEN};
use oboro_crypto::keys::NodeKeys;
use oboro_crypto::network::Network;

use crate::content::{ENTRY, plain_body};
use crate::forge::first_payload;
use crate::links::{MINUTE, NETWORK, SCENE, rng, sealed_records, session_messages};
use crate::wire::{MAKER, PREFIX};

/// The seeds of a target; none where it needs none.
#[must_use]
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    match target {
        "handshake_one" => vec![
            tagged(0, &SCENE.flights[0]),
            tagged(1, &first_payload(MINUTE, 0)),
            tagged(1, &first_payload(MINUTE - 60, 511)),
        ],
        "handshake_two" => vec![tagged(0, &SCENE.flights[1]), tagged(1, &[0; 1090])],
        "handshake_three" => vec![SCENE.flights[2].clone()],
        "records" => vec![sealed_records(1)],
        "session" => (0..)
            .zip(session_messages())
            .map(|(n, m)| tagged(n, &m))
            .collect(),
        "frames" => vec![record()],
        "cell" => vec![cell()],
        "circuit" => crate::circuit::seeds(),
        "control" => controls().iter().map(Control::encode).collect(),
        "descriptor" => [0, 1, 4].map(descriptor_body).to_vec(),
        "request" => requests().iter().map(Request::encode).collect(),
        "reply" => replies().iter().map(Reply::encode).collect(),
        "chunk" => vec![encode_chunk(31, &[1; CHUNK])],
        "invite" => invites(),
        "entry" => vec![ENTRY.encode()],
        "entry_body" => vec![plain_body()],
        "capability" => capabilities(),
        "tree" => vec![
            vec![0, b'x', 0x80],
            vec![1, b'x', 0x80, 0xff, 0, 0],
            vec![2, b'x', 0x80, 0xff, 0, 0, 0xff, 1, 1],
        ],
        "network" => networks(),
        "key_file" => {
            let keys = NodeKeys::generate(20_000, &mut rng(3));
            let mut file = keyfile::seal(&keys, None, &mut rng(5));
            file.truncate(KEY_FILE_LEN - 16);
            vec![file]
        }
        "text" => [
            "東京都庁の資料 report.pdf",
            "ｶﾞｷﾞ é Straße ﬁne",
            "안녕하세요 สวัสดี",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        "control_request" => [
            r#"{"path":"/a/b","title":"t","keywords":["k"],"convergent":true}"#,
            r#"{"words":["a","b"],"timeout_ms":1000}"#,
            r#"{"n":1,"output":"/a/b","overwrite":false}"#,
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        "node" => crate::node::script::all(),
        _ => Vec::new(),
    }
}

fn addresses() -> [SocketAddr; 2] {
    ["192.0.2.7:4000", "[2001:db8::7]:4001"].map(|text| text.parse().expect("an address"))
}

fn record() -> Vec<u8> {
    let mut record = Vec::new();
    let hello = Control::Ping(7).encode();
    for frame in [
        Frame::Control(&hello),
        Frame::Open(1),
        Frame::Data(1, b"some bytes"),
        Frame::Credit(1, 1000),
        Frame::Close(1, CloseReason::Done),
    ] {
        frame.write(&mut record);
    }
    record.resize(record.len() + 16, 0);
    record
}

fn descriptor_body(count: usize) -> Vec<u8> {
    let addresses = addresses().into_iter().cycle().take(count).collect();
    let mut bytes = Descriptor {
        identity: MAKER.public(),
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
        addresses,
    }
    .sign(&NETWORK, &MAKER);
    bytes.truncate(bytes.len() - 64);
    bytes
}

fn controls() -> Vec<Control> {
    let [observed, other] = addresses();
    vec![
        Control::Hello {
            observed,
            descriptor: None,
        },
        Control::Hello {
            observed: other,
            descriptor: Some(vec![1; 9]),
        },
        Control::Digest(Box::new([5; BUCKETS])),
        Control::Bucket(3, vec![(7, 8); 3]),
        Control::Want(4, vec![9; 3]),
        Control::Descriptors(vec![vec![1; 9]; 2]),
        Control::Offer(vec![(7, 8); 3]),
        Control::Ask(vec![(7, 8); 3]),
        Control::Ping(1),
        Control::Pong(2),
    ]
}

fn requests() -> Vec<Request> {
    let location = Location([6; 32]);
    vec![
        Request::Get {
            location,
            wanted: 5,
        },
        Request::Put(Put {
            placement: Placement::new(1, 8),
            day: 20_833,
            work: 77,
            references: vec![Reference([8; 32]); 2],
        }),
        Request::PutEntry(vec![1; SealedEntry::ENCODED_LEN]),
        Request::Query {
            location,
            after: Some([1; 16]),
            max: 32,
        },
        Request::Tally(vec![location; 3]),
        Request::Names(location),
    ]
}

fn replies() -> Vec<Reply> {
    let entry = vec![3; 20];
    vec![
        Reply::Have(1),
        Reply::Send(u32::MAX),
        Reply::Receipt(Receipt {
            until_day: 20_863,
            signature: Signature([4; 64]),
        }),
        Reply::Entries(vec![entry; 2], Some([2; 16])),
        Reply::Refused(Refusal::Price, 12),
        Reply::Nothing,
        Reply::Tallies(vec![0, u64::MAX]),
        Reply::Names(vec![1, 2]),
    ]
}

/// As lines, and as the bytes in them without their checksum.
fn invites() -> Vec<Vec<u8>> {
    let private = Network::private("salon", true, &mut rng(2)).expect("a network");
    let mut seeds = Vec::new();
    for network in [Network::public(), private] {
        let line = Invite {
            network,
            link: LinkPublic([7; 32]),
            addresses: addresses().to_vec(),
        }
        .encode();
        let text = line[PREFIX.len()..].to_uppercase();
        let bytes = data_encoding::BASE32_NOPAD.decode(text.as_bytes());
        let mut bytes = bytes.expect("our own invite");
        bytes.truncate(bytes.len() - 4);
        seeds.extend([line.into_bytes(), bytes]);
    }
    seeds
}

fn capabilities() -> Vec<Vec<u8>> {
    let all =
        [(BlockSize::Large, 4), (BlockSize::Small, 10)].map(|(block_size, level)| Capability {
            block_size,
            level,
            root: Reference([1; 32]),
            key: BlockKey::from_bytes([2; 32]),
        });
    let both =
        |capability: &Capability| [capability.to_bytes().to_vec(), capability.to_urn().into()];
    all.iter().flat_map(both).collect()
}

fn networks() -> Vec<Vec<u8>> {
    let private = Network::private("salon", true, &mut rng(1)).expect("a network");
    let both = |network: &Network| [network.encode(), network.to_text().into_bytes()];
    [Network::public(), private].iter().flat_map(both).collect()
}

fn cell() -> Vec<u8> {
    let mut out = Vec::new();
    for frame in [
        CellFrame::Begin(1, NodeId([3; 32])),
        CellFrame::Data(1, &[5; 40]),
        CellFrame::Credit(1, 65_536),
        CellFrame::Window(64),
        CellFrame::Probe(9),
        CellFrame::Echo(9),
        CellFrame::Close(1, CloseReason::Done),
    ] {
        frame.write(&mut out);
    }
    out
}
