//! Somebody at the other end of a link who speaks to a node as `docs/protocol.md` says, without this crate's machines.

use std::sync::Arc;

use core::time::Duration;
use oboro_core::action::{StoreRequest, Task};
use oboro_core::event::{Computed, StoreOutcome};
use oboro_core::ids::{LinkId, Ticket};
use oboro_core::wire::control::Control;
use oboro_core::wire::frame::{DATA_MAX, Frame, Frames};
use oboro_core::wire::message::{Reply, Request};
use oboro_core::{Action, Config, Event, Node, Outbox, Time};
use oboro_crypto::Secret;
use oboro_crypto::ids::{LinkPublic, NetworkId, NodeId, OnionPublic};
use oboro_crypto::keys::{IdentityKey, OnionKey};
use oboro_crypto::network::Network;
use oboro_crypto::provider::RealProvider;
use oboro_crypto::record::RECORD_PLAIN;
use oboro_crypto::session::{self, EndToEnd, Opened};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const LINK: LinkId = LinkId(1);
/// He has dialled, so his streams have odd numbers.
const STREAM: u32 = 1;
/// The day on which the vectors were made.
const START: Time = Time::from_secs(20_000 * 86_400);

/// How far his one session is.
enum Talk {
    Nothing,
    Asked(Box<Opened>),
    Open(Box<EndToEnd>),
}

/// A stranger and the node he has linked with.
pub struct Stranger {
    node: Node,
    now: Time,
    network: NetworkId,
    onion: OnionPublic,
    rng: ChaCha20Rng,
    talk: Talk,
    /// Control messages heard and not yet asked about.
    heard: Vec<Control>,
    /// Bytes of the stream that are no whole message yet.
    bytes: Vec<u8>,
    replies: Vec<Reply>,
    store: Option<(Ticket, StoreRequest)>,
    /// An id that is being computed.
    computing: Option<Ticket>,
}

impl Stranger {
    /// A node with this identity on this network, and a link to it.
    pub fn meet(network: Network, storer: [u8; 32]) -> Self {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let onion = OnionKey::generate(&mut rng);
        let (id, public) = (network.id(), onion.public());
        let config = Config {
            network,
            identity: IdentityKey::from_secret(&Secret::from_bytes(storer)),
            id: NodeId([0x62; 32]),
            link: LinkPublic([0x63; 32]),
            onion,
            onion_previous: None,
            addresses: Vec::new(),
            listen_port: None,
            listed: false,
            storage: true,
            bootstrap: Vec::new(),
            guards: None,
            provider: Arc::new(RealProvider),
        };
        let mut stranger = Self {
            node: Node::new(config, [2; 32], START),
            now: START,
            network: id,
            onion: public,
            rng,
            talk: Talk::Nothing,
            heard: Vec::new(),
            bytes: Vec::new(),
            replies: Vec::new(),
            store: None,
            computing: None,
        };
        let (remote, address) = (LinkPublic([0x64; 32]), "192.0.2.7:4100".parse().unwrap());
        stranger.step(Event::LinkUp {
            link: LINK,
            remote,
            address,
            dial: None,
        });
        stranger.step(Event::Writable {
            link: LINK,
            records: 1_000,
        });
        stranger
    }

    /// The day it is for both.
    pub fn day(&self) -> u32 {
        self.now.day()
    }

    /// Greets, and finds that the node has greeted first and told its sums after.
    pub fn hello(&mut self, descriptor: Option<Vec<u8>>) {
        let observed = "192.0.2.7:4100".parse().unwrap();
        assert_eq!(
            self.heard.first(),
            Some(&Control::Hello {
                observed,
                descriptor: None
            })
        );
        assert!(matches!(self.heard.get(1), Some(Control::Digest(_))));
        self.heard.clear();
        let observed = "198.51.100.1:4100".parse().unwrap();
        self.control(&Control::Hello {
            observed,
            descriptor,
        });
    }

    /// Lets the node's id that it checks come to this.
    pub fn computed(&mut self, id: NodeId) {
        let ticket = self.computing.take().expect("an id is checked");
        let outcome = Computed::NodeId(id);
        self.step(Event::Computed { ticket, outcome });
    }

    pub fn control(&mut self, message: &Control) {
        self.say(&[Frame::Control(&message.encode())]);
    }

    /// Whether the node has said this since it was last asked.
    pub fn heard(&mut self, what: impl Fn(&Control) -> bool) -> bool {
        std::mem::take(&mut self.heard).iter().any(what)
    }

    /// Lets time pass until the node must have compared views.
    pub fn wait_for_gossip(&mut self) {
        self.now = self.now + Duration::from_secs(31);
        self.step(Event::Deadline);
    }

    /// Opens a stream and a session with a request in it. Says what that made the node want of its store.
    pub fn ask(&mut self, request: &Request) -> Option<StoreRequest> {
        let request = request.encode();
        let (opened, first) =
            session::open(&self.onion, &self.network, &request, &mut self.rng).unwrap();
        self.talk = Talk::Asked(Box::new(opened));
        self.say(&[Frame::Open(STREAM)]);
        self.message(&first);
        self.take_store()
    }

    /// Sends a further message of the session.
    pub fn send(&mut self, plain: &[u8]) -> Option<StoreRequest> {
        let Talk::Open(session) = &mut self.talk else {
            panic!("the session is open")
        };
        let mut sealed = Vec::new();
        session.seal(plain, &mut sealed).unwrap();
        self.message(&sealed);
        self.take_store()
    }

    /// Lets the store answer; returns the reply that follows.
    pub fn answered(&mut self, outcome: StoreOutcome) -> Reply {
        let (ticket, _) = self.store.take().expect("the store was asked");
        self.step(Event::Stored { ticket, outcome });
        assert_eq!(self.replies.len(), 1);
        self.replies.remove(0)
    }

    /// Puts two bytes of length before a message and sends it in as many records as it takes.
    fn message(&mut self, message: &[u8]) {
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        for piece in [&length, message].concat().chunks(DATA_MAX) {
            self.say(&[Frame::Data(STREAM, piece)]);
        }
    }

    fn say(&mut self, frames: &[Frame<'_>]) {
        let mut plain = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut plain));
        plain.resize(RECORD_PLAIN, 0);
        self.step(Event::Records { link: LINK, plain });
    }

    fn step(&mut self, event: Event) {
        let mut out = Outbox::new();
        self.node.handle(self.now, event, &mut out);
        while let Some(action) = out.take() {
            match action {
                Action::Send { plain, .. } => plain
                    .chunks(RECORD_PLAIN)
                    .for_each(|record| self.record(record)),
                Action::Store { ticket, request } if is_of_content(&request) => {
                    self.store = Some((ticket, request))
                }
                Action::Compute {
                    ticket,
                    task: Task::NodeId(_),
                } => self.computing = Some(ticket),
                Action::Close { .. } => panic!("the node hangs up"),
                _ => {}
            }
        }
    }

    fn record(&mut self, record: &[u8]) {
        let mut frames = Frames::new(record);
        while let Some(frame) = frames.next_frame().unwrap() {
            match frame {
                Frame::Control(body) => self.heard.push(Control::decode(body).unwrap()),
                Frame::Data(STREAM, data) => self.bytes.extend_from_slice(data),
                _ => {}
            }
        }
        while let Some((length, rest)) = self.bytes.split_first_chunk::<2>()
            && let Some((message, rest)) = rest.split_at_checked(u16::from_be_bytes(*length).into())
        {
            let (message, rest) = (message.to_vec(), rest.to_vec());
            self.bytes = rest;
            self.read(&message);
        }
    }

    fn read(&mut self, message: &[u8]) {
        let plain = match std::mem::replace(&mut self.talk, Talk::Nothing) {
            Talk::Asked(opened) => {
                let (session, payload) = opened.finish(message).unwrap();
                self.talk = Talk::Open(Box::new(session));
                payload
            }
            Talk::Open(mut session) => {
                let mut plain = Vec::new();
                session.open(message, &mut plain).unwrap();
                self.talk = Talk::Open(session);
                plain
            }
            Talk::Nothing => panic!("nothing was asked"),
        };
        self.replies.push(Reply::decode(&plain).unwrap());
    }

    /// What the store was asked, without its ticket, which stays for the answer.
    fn take_store(&mut self) -> Option<StoreRequest> {
        let (ticket, request) = self.store.take()?;
        self.store = Some((ticket, StoreRequest::Descriptors));
        Some(request)
    }
}

fn is_of_content(request: &StoreRequest) -> bool {
    matches!(
        request,
        StoreRequest::Extent(_) | StoreRequest::PutExtent { .. } | StoreRequest::PutEntry { .. }
    )
}
