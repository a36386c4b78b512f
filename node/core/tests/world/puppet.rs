//! Peers that keep to no rule: a storer with a mood ([`Puppet`]), and a stranger's side of a link in the test's own hands.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use oboro_cache::entry_list;
use oboro_core::Event;
use oboro_core::ids::{DialId, LinkId};
use oboro_core::wire::control::Control;
use oboro_core::wire::descriptor::{Descriptor, Roles};
use oboro_core::wire::frame::{CloseReason, DATA_MAX, Frame, Frames};
use oboro_core::wire::message::{
    CHUNK_MESSAGE, Put, Receipt, Refusal, Reply, Request, decode_chunk, encode_chunk,
};
use oboro_core::wire::placement::Placement;
use oboro_crypto::hash::{blake2b_256, hash};
use oboro_crypto::ids::{
    ExtentId, LinkPublic, Location, NetworkId, NodeId, OnionPublic, Reference,
};
use oboro_crypto::keys::{IdentityKey, NodeKeys};
use oboro_crypto::labels;
use oboro_crypto::network::Network;
use oboro_crypto::node_id::node_id;
use oboro_crypto::provider::{Opening, Provider, RealProvider, Session};
use oboro_crypto::record::RECORD_PLAIN;
use oboro_crypto::work;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::World;

/// What a stream may carry before credit: what both sides start from.
const WINDOW: usize = oboro_core::limits::STREAM_WINDOW as usize;

/// How a puppet answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Honest,
    /// Never.
    Silent,
    /// Gets: claims chunks that nobody asked for.
    StrangeMask,
    /// Gets: says what it has and sends nothing of it.
    Chunkless,
    /// Gets: sends every chunk twice.
    Twice,
    /// Gets: a chunk every 15 seconds.
    Drip,
    /// Puts: a receipt with a signature that is not its own.
    Forger,
    /// Puts: a receipt at once, without ever wanting a chunk; gets: nothing.
    Hollow,
    /// Puts: a price nobody pays.
    Dear,
    /// Puts: one bit more each time.
    Dearer,
    /// Everything: busy.
    Busy,
    /// Puts: wants all chunks, a thousand times over.
    Greedy,
    /// Queries: bytes that are no entries.
    Junk,
    /// Queries: an answer without entries in it.
    Empty,
    /// Queries: its entries again and again, always with more to come.
    Endless,
}

/// What a puppet says in a session.
enum Say {
    Reply(Reply),
    Chunk(u8, Vec<u8>),
    /// What follows is said so much later.
    Wait(Duration),
    Close,
}

enum Stage {
    New,
    Open(Box<dyn Session>),
}

/// A stream at a puppet's end.
struct Talk {
    stage: Stage,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    may_send: usize,
    put: Option<(Put, Vec<Vec<u8>>)>,
    closing: bool,
}

/// A listed storer with keys of its own whose conduct is a mood.
pub struct Puppet {
    pub keys: NodeKeys,
    pub id: NodeId,
    pub address: SocketAddr,
    pub mood: Mood,
    /// Requests it was asked, whatever came of them.
    pub asked: u64,
    /// Chunks it was sent.
    pub received: u64,
    network: NetworkId,
    extents: BTreeMap<Location, Vec<Vec<u8>>>,
    pub entries: BTreeMap<Location, Vec<Vec<u8>>>,
    /// What it says it keeps, whatever it does keep.
    pub boasts: BTreeMap<Location, u64>,
    links: BTreeMap<LinkId, BTreeMap<u32, Talk>>,
    rng: ChaCha20Rng,
}

impl World {
    /// A puppet, announced to the first machine. Settle the view before using it.
    pub fn add_puppet(&mut self, mood: Mood) -> usize {
        let index = self.puppets.len();
        let mut rng = ChaCha20Rng::from_seed([0x70 + index as u8; 32]);
        let keys = NodeKeys::generate(self.now.day(), &mut rng);
        let address: SocketAddr = format!("127.200.{index}.1:4000").parse().unwrap();
        let id = node_id(&self.network, &keys.identity.public());
        let encoded = descriptor(&keys, id, address, self.now.secs() as u32)
            .sign(&self.network.id(), &keys.identity);
        self.puppets.push(Puppet {
            keys,
            id,
            address,
            mood,
            asked: 0,
            received: 0,
            network: self.network.id(),
            extents: BTreeMap::new(),
            entries: BTreeMap::new(),
            boasts: BTreeMap::new(),
            links: BTreeMap::new(),
            rng,
        });
        let link = self.connect_stranger(0);
        self.greet(0, link, Some(encoded));
        index
    }

    /// Everybody knows everybody, puppets too.
    pub fn settle_with_puppets(&mut self) {
        let count = self.machines.len() + self.puppets.len();
        let known = self.run_until(Duration::from_secs(300), |world| {
            world
                .machines
                .iter()
                .all(|machine| machine.node.standing(world.now).view == count)
        });
        assert!(known, "views converge");
    }

    /// A machine dials a puppet. False if there is none there.
    pub(super) fn puppet_dialed(
        &mut self,
        machine: usize,
        dial: DialId,
        remote: &LinkPublic,
        addresses: &[SocketAddr],
    ) -> bool {
        let found = self.puppets.iter_mut().find(|puppet| {
            puppet.keys.link.public() == *remote && addresses.contains(&puppet.address)
        });
        let Some(puppet) = found else { return false };
        self.links += 1;
        let (link, address) = (LinkId(self.links), puppet.address);
        puppet.links.insert(link, BTreeMap::new());
        let (at, remote, dial) = (self.now + self.delay * 2, *remote, Some(dial));
        let up = Event::LinkUp {
            link,
            remote,
            address,
            dial,
        };
        self.push(at, machine, up);
        self.push(at, machine, Event::Writable { link, records: 64 });
        let plain = pack(&[Frame::Control(&hello(None))]);
        self.push(at, machine, Event::Records { link, plain });
        true
    }

    /// A machine sends on a link. False if that leads to no puppet.
    pub(super) fn puppet_hears(&mut self, machine: usize, link: LinkId, plain: &[u8]) -> bool {
        let found = self
            .puppets
            .iter_mut()
            .find(|puppet| puppet.links.contains_key(&link));
        let Some(puppet) = found else { return false };
        let now = self.now;
        for (wait, plain) in puppet.hear(link, plain, now.day()) {
            let at = now + self.delay * 2 + wait;
            self.push(at, machine, Event::Records { link, plain });
        }
        true
    }

    /// Says hello as a stranger.
    pub fn greet(&mut self, to: usize, link: LinkId, descriptor: Option<Vec<u8>>) {
        self.inject(to, link, pack(&[Frame::Control(&hello(descriptor))]));
    }

    /// Asks something as a stranger that has greeted; `number` must be odd.
    pub fn ask(&mut self, to: usize, link: LinkId, number: u32, request: &Request) -> Client {
        let (client, records) = self.question(to, link, number, request);
        self.inject(to, link, records);
        client
    }

    /// The records of a request, not sent.
    pub fn question(
        &mut self,
        to: usize,
        link: LinkId,
        number: u32,
        request: &Request,
    ) -> (Client, Vec<u8>) {
        self.question_of(to, link, number, &request.encode())
    }

    /// The same for bytes that may be no request at all.
    pub fn question_of(
        &mut self,
        to: usize,
        link: LinkId,
        number: u32,
        request: &[u8],
    ) -> (Client, Vec<u8>) {
        let mut rng = ChaCha20Rng::from_seed([number as u8; 32]);
        let (network, onion) = (self.network.id(), self.machines[to].onion);
        let (opening, first) = RealProvider
            .open(&onion, &network, request, &mut rng)
            .unwrap();
        let first = framed(&first);
        let mut frames = vec![Frame::Open(number)];
        frames.extend(data(number, &first));
        let client = Client {
            to,
            link,
            number,
            opening: Some(opening),
            session: None,
            heard: 0,
            bytes: Vec::new(),
            closed: None,
        };
        (client, pack(&frames))
    }

    /// Asks as a stranger over a link of its own and returns everything that was said, opened: replies and chunks.
    pub fn probe(&mut self, to: usize, request: &Request) -> Vec<Vec<u8>> {
        let link = self.connect_stranger(to);
        self.greet(to, link, None);
        let mut client = self.ask(to, link, 1, request);
        let mut said = Vec::new();
        for _ in 0..700 {
            said.extend(client.hear(self));
            if client.closed.is_some() {
                break;
            }
            self.run(Duration::from_millis(100));
        }
        self.disconnect(to, link);
        said
    }
}

/// A stranger's end of a session with a storer.
pub struct Client {
    to: usize,
    link: LinkId,
    number: u32,
    opening: Option<Box<dyn Opening>>,
    session: Option<Box<dyn Session>>,
    /// Bytes of what was overheard that have been looked at.
    heard: usize,
    bytes: Vec<u8>,
    pub closed: Option<CloseReason>,
}

impl Client {
    /// What the storer has said since the last time, opened. Gives credit for it.
    pub fn hear(&mut self, world: &mut World) -> Vec<Vec<u8>> {
        let all = &world.overheard[&self.link];
        let mut credit = 0;
        for heard in unpack(&all[self.heard..]) {
            match heard {
                Heard::Data(number, data) if number == self.number => {
                    credit += data.len() as u32;
                    self.bytes.extend_from_slice(&data);
                }
                Heard::Close(number, reason) if number == self.number => {
                    self.closed = Some(reason);
                }
                _ => {}
            }
        }
        self.heard = all.len();
        if credit > 0 && self.closed.is_none() {
            let credit = pack(&[Frame::Credit(self.number, credit)]);
            world.inject(self.to, self.link, credit);
        }
        let mut said = Vec::new();
        while let Some(message) = next_message(&mut self.bytes) {
            if let Some(opening) = self.opening.take() {
                let (session, payload) = opening.finish(&message).unwrap();
                self.session = Some(session);
                said.push(payload);
            } else if let Some(session) = &mut self.session {
                let mut plain = Vec::new();
                session.open(&message, &mut plain).unwrap();
                said.push(plain);
            }
        }
        said
    }

    /// The replies among it.
    pub fn replies(&mut self, world: &mut World) -> Vec<Reply> {
        let said = self.hear(world);
        said.iter()
            .filter_map(|plain| Reply::decode(plain).ok())
            .collect()
    }

    /// Records of chunks, not sent. Only after the storer's first answer was heard.
    pub fn chunks(&mut self, chunks: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let session = self.session.as_mut().expect("the storer has answered");
        for (index, body) in chunks {
            let mut sealed = Vec::new();
            session
                .seal(&encode_chunk(*index, body), &mut sealed)
                .unwrap();
            bytes.extend(framed(&sealed));
        }
        pack(&data(self.number, &bytes))
    }

    /// Sends chunks.
    pub fn send(&mut self, world: &mut World, chunks: &[(u8, &[u8])]) {
        let records = self.chunks(chunks);
        world.inject(self.to, self.link, records);
    }
}

/// A put with the work it needs, and its chunks: random bytes that are as good as anybody's.
pub fn paid_put(world: &World, index: u8, count: usize, seed: u8) -> (Put, Vec<Vec<u8>>) {
    let chunks: Vec<Vec<u8>> = (0..count)
        .map(|chunk| {
            let mut body = vec![seed; 32_768];
            body[0] = chunk as u8;
            body
        })
        .collect();
    let references: Vec<Reference> = chunks
        .iter()
        .map(|chunk| Reference(blake2b_256(chunk)))
        .collect();
    let (day, extent) = (world.now.day(), ExtentId::of(&references));
    let location = Location::of_extent(&world.network.id(), &extent, index);
    let body = hash(labels::WORK_PUT, &[extent.as_bytes()]);
    let context = work::context(labels::WORK_PUT, &location, day, &body);
    let put = Put {
        placement: Placement::from_byte(index),
        day,
        // What is asked for when half of the places are taken.
        work: work::solve(&context, world.network.params.put_work + 2, 0),
        references,
    };
    (put, chunks)
}

impl Puppet {
    /// Takes records, returns records with how long to wait before each.
    fn hear(&mut self, link: LinkId, plain: &[u8], day: u32) -> Vec<(Duration, Vec<u8>)> {
        let mut out = Vec::new();
        for heard in unpack(plain) {
            let Some(talks) = self.links.get_mut(&link) else {
                break;
            };
            match heard {
                Heard::Control(Control::Ping(nonce)) => {
                    let pong = pack(&[Frame::Control(&Control::Pong(nonce).encode())]);
                    out.push((Duration::ZERO, pong));
                }
                Heard::Control(_) => {}
                Heard::Open(number) => {
                    talks.insert(number, Talk::new());
                }
                Heard::Data(number, bytes) => {
                    let Some(talk) = talks.get_mut(&number) else {
                        continue;
                    };
                    talk.incoming.extend_from_slice(&bytes);
                    let credit = pack(&[Frame::Credit(number, bytes.len() as u32)]);
                    out.push((Duration::ZERO, credit));
                    self.read(link, number, day, &mut out);
                }
                Heard::Credit(number, bytes) => {
                    if let Some(talk) = talks.get_mut(&number) {
                        talk.may_send += bytes as usize;
                        out.extend(talk.flush(number));
                    }
                }
                Heard::Close(number, _) => {
                    talks.remove(&number);
                }
                // A puppet is no relay.
                Heard::Create(number, _) => {
                    out.push((Duration::ZERO, pack(&[Frame::Destroy(number)])));
                }
                Heard::Created(..) | Heard::Cell(..) | Heard::Destroy(_) => {}
            }
        }
        out
    }

    fn read(&mut self, link: LinkId, number: u32, day: u32, out: &mut Vec<(Duration, Vec<u8>)>) {
        loop {
            let Some(mut talk) = self
                .links
                .get_mut(&link)
                .and_then(|all| all.remove(&number))
            else {
                return;
            };
            let Some(message) = next_message(&mut talk.incoming) else {
                if let Some(all) = self.links.get_mut(&link) {
                    all.insert(number, talk);
                }
                return;
            };
            self.answer(&mut talk, number, &message, day, out);
            if let Some(all) = self.links.get_mut(&link) {
                all.insert(number, talk);
            }
        }
    }

    fn answer(
        &mut self,
        talk: &mut Talk,
        number: u32,
        message: &[u8],
        day: u32,
        out: &mut Vec<(Duration, Vec<u8>)>,
    ) {
        let mut accepting = None;
        let says = match &mut talk.stage {
            Stage::New => {
                let keys = [&self.keys.onion];
                let accepted = RealProvider.accept(&keys, &self.network, message, &mut self.rng);
                let Ok((waiting, request)) = accepted else {
                    return;
                };
                accepting = Some(waiting);
                self.asked += 1;
                self.asked_for(talk, Request::decode(&request).unwrap(), day)
            }
            Stage::Open(session) => {
                let mut plain = Vec::new();
                session.open(message, &mut plain).unwrap();
                assert_eq!(plain.len(), CHUNK_MESSAGE, "a client sends chunks only");
                let (_, body) = decode_chunk(&plain).unwrap();
                self.received += 1;
                let Some((put, chunks)) = &mut talk.put else {
                    return;
                };
                chunks.push(body.to_vec());
                if chunks.len() < put.references.len() {
                    return;
                }
                self.put_whole(talk, day)
            }
        };
        let mut wait = Duration::ZERO;
        for say in says {
            let plain = match say {
                Say::Wait(more) => {
                    wait += more;
                    continue;
                }
                Say::Close => {
                    talk.closing = true;
                    continue;
                }
                Say::Reply(reply) => reply.encode(),
                Say::Chunk(index, body) => encode_chunk(index, &body),
            };
            let message = match (accepting.take(), &mut talk.stage) {
                (Some(accepting), _) => {
                    let (session, message) = accepting.reply(&plain).unwrap();
                    talk.stage = Stage::Open(session);
                    message
                }
                (None, Stage::Open(session)) => {
                    let mut sealed = Vec::new();
                    session.seal(&plain, &mut sealed).unwrap();
                    sealed
                }
                (None, Stage::New) => return,
            };
            let message = framed(&message);
            if wait.is_zero() {
                talk.outgoing.extend_from_slice(&message);
            } else {
                out.push((wait, pack(&data(number, &message))));
            }
        }
        out.extend(talk.flush(number));
    }

    fn asked_for(&mut self, talk: &mut Talk, request: Request, day: u32) -> Vec<Say> {
        if self.mood == Mood::Busy {
            return vec![Say::Reply(Reply::Refused(Refusal::Busy, 0)), Say::Close];
        }
        if self.mood == Mood::Silent {
            return vec![];
        }
        match request {
            Request::Get { location, wanted } => self.get(&location, wanted),
            Request::Put(put) => self.put(talk, put, day),
            Request::PutEntry(bytes) => self.put_entry(bytes),
            Request::Query { location, .. } => self.query(&location),
            Request::Tally(locations) => {
                let tallies = locations.iter().map(|location| self.tally(location));
                vec![Say::Reply(Reply::Tallies(tallies.collect())), Say::Close]
            }
            Request::Names(location) => {
                let mut names = self.names(&location);
                names.sort_unstable();
                vec![Say::Reply(Reply::Names(names)), Say::Close]
            }
        }
    }

    fn get(&self, location: &Location, wanted: u32) -> Vec<Say> {
        let Some(chunks) = self.extents.get(location) else {
            return vec![Say::Reply(Reply::Nothing), Say::Close];
        };
        let mut says = vec![Say::Reply(Reply::Have(match self.mood {
            Mood::StrangeMask => u32::MAX,
            _ => wanted,
        }))];
        if self.mood == Mood::Chunkless {
            return says;
        }
        for (index, chunk) in chunks.iter().enumerate() {
            if wanted & (1 << index) == 0 {
                continue;
            }
            if self.mood == Mood::Drip {
                says.push(Say::Wait(Duration::from_secs(15)));
            }
            says.push(Say::Chunk(index as u8, chunk.clone()));
            if self.mood == Mood::Twice {
                says.push(Say::Chunk(index as u8, chunk.clone()));
            }
        }
        says
    }

    fn put(&mut self, talk: &mut Talk, put: Put, day: u32) -> Vec<Say> {
        let all = u32::MAX >> (32 - put.references.len());
        match self.mood {
            Mood::Dear => vec![Say::Reply(Reply::Refused(Refusal::Price, 255)), Say::Close],
            Mood::Dearer => {
                let price = 5 + (self.asked % 64) as u8;
                vec![
                    Say::Reply(Reply::Refused(Refusal::Price, price)),
                    Say::Close,
                ]
            }
            Mood::Hollow => {
                talk.put = Some((put, vec![]));
                self.put_whole(talk, day)
            }
            Mood::Greedy => {
                talk.put = Some((put, vec![]));
                (0..1_000).map(|_| Say::Reply(Reply::Send(all))).collect()
            }
            _ => {
                talk.put = Some((put, vec![]));
                vec![Say::Reply(Reply::Send(all))]
            }
        }
    }

    fn put_whole(&mut self, talk: &mut Talk, day: u32) -> Vec<Say> {
        let Some((put, chunks)) = talk.put.take() else {
            return vec![];
        };
        let extent = ExtentId::of(&put.references);
        let location = Location::of_extent(&self.network, &extent, put.placement.index());
        if self.mood != Mood::Hollow {
            self.extents.insert(location, chunks);
        }
        vec![self.receipt(&location, &extent.0, day + 30), Say::Close]
    }

    fn put_entry(&mut self, bytes: Vec<u8>) -> Vec<Say> {
        let entry = oboro_crypto::entry::SealedEntry::decode(&bytes).unwrap();
        let location = entry.location(&self.network);
        let digest = hash(labels::RECEIPT, &[&bytes]);
        self.entries.entry(location).or_default().push(bytes);
        vec![
            self.receipt(&location, &digest, entry.expires_day),
            Say::Close,
        ]
    }

    fn query(&self, location: &Location) -> Vec<Say> {
        let held = self.entries.get(location).cloned().unwrap_or_default();
        let reply = match self.mood {
            Mood::Junk => Reply::Entries(vec![vec![0xa5; 1_100]; 32], None),
            Mood::Empty => Reply::Entries(vec![], None),
            Mood::Endless => {
                let again = held.iter().cycle().take(32 * usize::from(!held.is_empty()));
                Reply::Entries(again.cloned().collect(), Some([7; 16]))
            }
            _ if held.is_empty() => Reply::Nothing,
            _ => Reply::Entries(held, None),
        };
        vec![Say::Reply(reply), Say::Close]
    }

    fn tally(&self, location: &Location) -> u64 {
        if let Some(boast) = self.boasts.get(location) {
            return *boast;
        }
        if let Some(chunks) = self.extents.get(location) {
            return u64::from(u32::MAX >> (32 - chunks.len()));
        }
        entry_list::tally(&self.names(location))
    }

    fn names(&self, location: &Location) -> Vec<u64> {
        let held = self.entries.get(location).into_iter().flatten();
        held.map(|entry| entry_list::name(entry)).collect()
    }

    fn receipt(&self, location: &Location, digest: &[u8; 32], until_day: u32) -> Say {
        let until = until_day.to_be_bytes();
        let parts: [&[u8]; 4] = [&self.network.0, &location.0, digest, &until];
        let mut signature = self.keys.identity.sign(labels::RECEIPT, &parts);
        if self.mood == Mood::Forger {
            signature.0[5] ^= 1;
        }
        Say::Reply(Reply::Receipt(Receipt {
            until_day,
            signature,
        }))
    }
}

impl Talk {
    fn new() -> Self {
        Self {
            stage: Stage::New,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            may_send: WINDOW,
            put: None,
            closing: false,
        }
    }

    /// What may be sent now.
    fn flush(&mut self, number: u32) -> Vec<(Duration, Vec<u8>)> {
        let length = self.outgoing.len().min(self.may_send);
        self.may_send -= length;
        let bytes: Vec<u8> = self.outgoing.drain(..length).collect();
        let mut frames = data(number, &bytes);
        if self.closing && self.outgoing.is_empty() {
            frames.push(Frame::Close(number, CloseReason::Done));
        }
        if frames.is_empty() {
            return vec![];
        }
        vec![(Duration::ZERO, pack(&frames))]
    }
}

// Bytes of a stranger

/// A frame as it was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Control(Control),
    Open(u32),
    Data(u32, Vec<u8>),
    Credit(u32, u32),
    Close(u32, CloseReason),
    Create(u32, Vec<u8>),
    Created(u32, Vec<u8>),
    Cell(u32, Vec<u8>),
    Destroy(u32),
}

/// Reads records a node has made: they must be right.
pub fn unpack(plain: &[u8]) -> Vec<Heard> {
    let mut all = Vec::new();
    for record in plain.chunks(RECORD_PLAIN) {
        let mut frames = Frames::new(record);
        while let Some(frame) = frames.next_frame().expect("a node sends whole frames") {
            all.push(match frame {
                Frame::Control(body) => Heard::Control(Control::decode(body).unwrap()),
                Frame::Open(number) => Heard::Open(number),
                Frame::Data(number, bytes) => Heard::Data(number, bytes.to_vec()),
                Frame::Credit(number, bytes) => Heard::Credit(number, bytes),
                Frame::Close(number, reason) => Heard::Close(number, reason),
                Frame::Create(number, body) => Heard::Create(number, body.to_vec()),
                Frame::Created(number, body) => Heard::Created(number, body.to_vec()),
                Frame::Cell(number, body) => Heard::Cell(number, body.to_vec()),
                Frame::Destroy(number) => Heard::Destroy(number),
            });
        }
    }
    all
}

/// Frames as whole records.
pub fn pack(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut room = 0;
    for frame in frames {
        if frame.encoded_len() > room {
            out.resize(out.len() + room, 0);
            room = RECORD_PLAIN;
        }
        room -= frame.encoded_len();
        frame.write(&mut out);
    }
    out.resize(out.len() + room, 0);
    out
}

/// Control messages as whole records.
pub fn controls(messages: &[Control]) -> Vec<u8> {
    let encoded: Vec<Vec<u8>> = messages.iter().map(Control::encode).collect();
    let frames: Vec<Frame<'_>> = encoded.iter().map(|body| Frame::Control(body)).collect();
    pack(&frames)
}

/// A hello.
pub fn hello(descriptor: Option<Vec<u8>>) -> Vec<u8> {
    let observed = "127.0.0.1:4000".parse().unwrap();
    Control::Hello {
        observed,
        descriptor,
    }
    .encode()
}

/// Bytes of a stream as data frames.
pub fn data(number: u32, bytes: &[u8]) -> Vec<Frame<'_>> {
    bytes
        .chunks(DATA_MAX)
        .map(|piece| Frame::Data(number, piece))
        .collect()
}

/// A message with its length in front.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut out = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(message);
    out
}

/// Takes the first whole message.
pub fn next_message(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes(*bytes.first_chunk::<2>()?));
    if bytes.len() < 2 + length {
        return None;
    }
    let message = bytes[2..2 + length].to_vec();
    bytes.drain(..2 + length);
    Some(message)
}

/// A listed node's descriptor.
pub fn descriptor(keys: &NodeKeys, id: NodeId, address: SocketAddr, issued: u32) -> Descriptor {
    Descriptor {
        identity: keys.identity.public(),
        link: keys.link.public(),
        onion: keys.onion.public(),
        id,
        issued,
        valid_hours: 6,
        roles: Roles {
            relay: true,
            storage: true,
        },
        capacity: 0,
        addresses: vec![address],
    }
}

/// Descriptors of nodes that do not exist: rightly signed, every id claimed freely.
pub fn junk_descriptors(network: &Network, count: usize, issued: u32) -> Vec<Vec<u8>> {
    let mut rng = ChaCha20Rng::from_seed([0x66; 32]);
    (0..count)
        .map(|number| {
            let identity = IdentityKey::generate(&mut rng);
            let name = hash(labels::VIEW_DIGEST, &[&number.to_be_bytes()]);
            let [_, a, b, c, ..] = name;
            Descriptor {
                identity: identity.public(),
                link: LinkPublic(name),
                onion: OnionPublic(name),
                id: NodeId(name),
                issued,
                valid_hours: 6,
                roles: Roles {
                    relay: true,
                    storage: true,
                },
                capacity: 0,
                addresses: vec![SocketAddr::from(([10, a, b, c], 4000))],
            }
            .sign(&network.id(), &identity)
        })
        .collect()
}
