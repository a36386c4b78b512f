//! What was overheard, put together the way the nodes themselves put it together: conversations, and the routes of
//! clients that they are parts of.

use std::collections::BTreeMap;

use oboro_core::ids::LinkId;
use oboro_core::wire::cell::{CellFrame, CellFrames};
use oboro_core::wire::message::Request;
use oboro_crypto::entry::SealedEntry;
use oboro_crypto::ids::{ExtentId, Location, NetworkId, NodeId};

use super::provider::{Heard, What};
use super::wires::{Stream, Wire, Wires};
use crate::world::World;
use crate::world::watch::AskedOfStore;

/// Enough of a session's first message to know it again: it begins with a key made for it.
const KNOWN_BY: usize = 48;

/// A node's part in a client's circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Guard,
    Middle,
    Exit,
    Storer,
    /// A storer that is not asked for a client: another storer hands it what it was given itself.
    Given,
}

/// All that one node has of one circuit, or of one session that it serves.
pub struct Conversation {
    pub node: usize,
    pub part: Part,
    /// Nodes at the other ends of the links it goes over.
    pub remotes: Vec<usize>,
    pub minute: u32,
    pub bytes: Vec<Vec<u8>>,
}

/// A client's circuit.
pub struct Route {
    pub client: usize,
    pub path: Vec<usize>,
    /// What its relays have of it, as far as it came, the guard's first.
    pub relays: Vec<Conversation>,
    /// What those have who were asked through it.
    pub storers: Vec<Conversation>,
    /// The links it goes over.
    pub wires: Vec<Wire>,
}

/// What one storer asks or gives another, straight.
pub struct HandOn {
    pub from: usize,
    /// What it names, each place.
    pub locations: Vec<Location>,
    /// A tally, names, a put, an entry: nothing else is part of handing on.
    pub proper: bool,
    /// What the other has of it.
    pub given: Conversation,
}

/// Everything that passed in a world.
pub struct Overheard {
    pub routes: Vec<Route>,
    pub wires: Wires,
    /// What stores were asked that is not about any location.
    pub membership: Vec<AskedOfStore>,
    /// What storers asked and gave each other of their own accord.
    pub handed_on: Vec<HandOn>,
    /// Requests that each node's own user made.
    pub requests: Vec<usize>,
    /// Streams, circuits, sessions and requests to stores that belong to no route: there should be none.
    pub strays: Vec<String>,
}

/// A circuit or session as its node computed it.
#[derive(Default)]
struct Computed {
    node: usize,
    minute: u32,
    next: Option<Vec<u8>>,
    bytes: Vec<Vec<u8>>,
    /// At an exit: streams by number, to whom they lead and what the client said first.
    streams: BTreeMap<u32, (NodeId, Vec<u8>)>,
    /// At a storer: where the thing lies that was asked for, the first place of several.
    location: Option<Location>,
    request: Option<Request>,
    taken: bool,
}

struct Joiner {
    wires: Wires,
    circuits: BTreeMap<Vec<u8>, Computed>,
    sessions: BTreeMap<(usize, Vec<u8>), Computed>,
    hops: BTreeMap<Vec<u8>, Wire>,
    streams: BTreeMap<(usize, Vec<u8>), Wire>,
    ids: BTreeMap<NodeId, usize>,
}

impl Overheard {
    pub fn new(world: &mut World, heard: Vec<Heard>) -> Self {
        let watch = world.watch.take().expect("the world was watched");
        let wires = Wires::new(&watch);
        let network = world.network.id();
        let (mut own, mut requests) = (Vec::new(), vec![0; world.machines.len()]);
        let mut computed: BTreeMap<u64, (Vec<u8>, Computed)> = BTreeMap::new();
        for Heard { node, of, what } in heard {
            match what {
                What::OwnCreate { path, body } => own.push((node, path, body)),
                What::OwnRequest => requests[node] += 1,
                what => {
                    let (name, entry) = computed.entry(of).or_default();
                    entry.node = node;
                    entry.hear(what, name, &network);
                }
            }
        }
        let (mut circuits, mut sessions) = (BTreeMap::new(), BTreeMap::new());
        for (name, entry) in computed.into_values() {
            if entry.location.is_some() {
                sessions.insert((entry.node, name), entry);
            } else {
                circuits.insert(name, entry);
            }
        }
        let hops = wires
            .hops
            .iter()
            .map(|(wire, hop)| (hop.create.clone(), *wire));
        let streams = wires
            .streams
            .iter()
            .filter_map(|(wire, stream)| Some(((stream.opener, known_by(&stream.there)?), *wire)));
        let ids = world.machines.iter().enumerate();
        let mut joiner = Joiner {
            hops: hops.collect(),
            streams: streams.collect(),
            ids: ids.map(|(index, machine)| (machine.id, index)).collect(),
            wires,
            circuits,
            sessions,
        };
        let mut routes: Vec<Route> = own
            .into_iter()
            .map(|(client, path, body)| joiner.route(client, &path, body))
            .collect();
        let handed_on = joiner.handed_on(&network);
        for hand_on in &handed_on {
            requests[hand_on.from] -= 1;
        }
        let (about, membership): (Vec<_>, Vec<_>) = watch
            .stored
            .into_iter()
            .partition(|asked| asked.location.is_some());
        let strays = joiner.strays(&about);
        for asked in about {
            // A storer knows which location its session is about, and so what of its store belongs to it.
            let storers = routes.iter_mut().flat_map(|route| &mut route.storers);
            for storer in storers.filter(|storer| storer.node == asked.machine) {
                let about = asked.location.expect("these have one");
                if storer.bytes.first().is_some_and(|first| *first == about.0) {
                    storer.bytes.push(asked.bytes.clone());
                }
            }
        }
        Self {
            routes,
            wires: joiner.wires,
            membership,
            handed_on,
            requests,
            strays,
        }
    }

    /// Every conversation of a client's circuits, with the number of its route.
    pub fn conversations(&self) -> impl Iterator<Item = (usize, &Route, &Conversation)> {
        self.routes.iter().enumerate().flat_map(|(number, route)| {
            let all = route.relays.iter().chain(&route.storers);
            all.map(move |conversation| (number, route, conversation))
        })
    }

    /// Whether two nodes ever had a link to each other.
    pub fn neighbours(&self, a: usize, b: usize) -> bool {
        let mut links = self.wires.controls.values();
        links.any(|control| control.ends == [a, b] || control.ends == [b, a])
    }

    pub fn links(&self) -> impl Iterator<Item = (&LinkId, &[u8])> {
        let controls = self.wires.controls.iter();
        controls.map(|(link, control)| (link, control.bytes.as_slice()))
    }
}

impl Computed {
    /// Takes in what was computed. `name`: by what it is known on links.
    fn hear(&mut self, what: What, name: &mut Vec<u8>, network: &NetworkId) {
        match what {
            What::Create { body, next, minute } => {
                self.minute = minute;
                if let Some((node, body)) = next {
                    self.bytes.push(node.0.to_vec());
                    self.bytes.push(body.clone());
                    self.next = Some(body);
                }
                *name = body;
            }
            What::Asked { message, request } => {
                let mut framed = (message.len() as u16).to_be_bytes().to_vec();
                framed.extend_from_slice(&message);
                *name = known_by(&framed).expect("longer than that");
                let asked = Request::decode(&request).expect("clients ask properly");
                let location = location(&asked, network);
                self.location = Some(location);
                self.bytes.push(location.0.to_vec());
                self.bytes.extend([message, request]);
                self.request = Some(asked);
            }
            What::Created {
                from_next: a,
                body: b,
            }
            | What::Passed {
                before: a,
                after: b,
            }
            | What::Said {
                plain: a,
                message: b,
            }
            | What::Told {
                message: a,
                plain: b,
            } => self.bytes.extend([a, b]),
            What::Sealed { payload, cell } => self.bytes.extend([payload, cell]),
            What::Opened { before, payload } => {
                self.opened(&payload);
                self.bytes.extend([before, payload]);
            }
            What::OwnCreate { .. } | What::OwnRequest => {}
        }
    }

    fn opened(&mut self, payload: &[u8]) {
        let mut frames = CellFrames::new(payload);
        while let Some(frame) = frames.next_frame().expect("clients send whole frames") {
            match frame {
                CellFrame::Begin(number, target) => {
                    self.streams.insert(number, (target, Vec::new()));
                }
                CellFrame::Data(number, data) => {
                    if let Some((_, said)) = self.streams.get_mut(&number)
                        && said.len() < KNOWN_BY
                    {
                        said.extend_from_slice(data);
                    }
                }
                _ => {}
            }
        }
    }
}

impl Joiner {
    fn route(&mut self, client: usize, path: &[NodeId], mut body: Vec<u8>) -> Route {
        let path: Vec<usize> = path.iter().map(|node| self.ids[node]).collect();
        let (mut relays, mut storers, mut wires) = (Vec::new(), Vec::new(), Vec::new());
        for (at, &node) in path.iter().enumerate() {
            let part = match at {
                _ if at + 1 == path.len() => Part::Exit,
                0 => Part::Guard,
                _ => Part::Middle,
            };
            let Some(&wire) = self.hops.get(&body) else {
                break;
            };
            wires.push(wire);
            let Some(circuit) = self.circuits.get_mut(&body) else {
                break;
            };
            assert_eq!(circuit.node, node, "it goes where the client wants it to");
            circuit.taken = true;
            let hop = &self.wires.hops[&wire];
            let mut remotes = vec![hop.maker];
            let mut bytes = std::mem::take(&mut circuit.bytes);
            bytes.extend([hop.create.clone(), hop.created.clone()]);
            let (minute, next) = (circuit.minute, circuit.next.clone());
            let streams = std::mem::take(&mut circuit.streams);
            if let Some(wire) = next.as_ref().and_then(|body| self.hops.get(body)) {
                let hop = &self.wires.hops[wire];
                remotes.push(hop.taker);
                bytes.extend([hop.create.clone(), hop.created.clone()]);
            }
            for (target, said) in streams.into_values() {
                let Some(first) = known_by(&said) else {
                    continue;
                };
                let Some(wire) = self.streams.get(&(node, first.clone())) else {
                    continue;
                };
                let stream = &self.wires.streams[wire];
                assert_eq!(stream.other, self.ids[&target]);
                remotes.push(stream.other);
                bytes.extend([stream.there.clone(), stream.back.clone()]);
                storers.extend(serve(&mut self.sessions, stream, first, Part::Storer));
            }
            relays.push(Conversation {
                node,
                part,
                remotes,
                minute,
                bytes,
            });
            match next {
                Some(next) => body = next,
                None => break,
            }
        }
        Route {
            client,
            path,
            relays,
            storers,
            wires,
        }
    }

    /// What is left when all that belongs to routes is taken out: streams that a node opened of its own accord.
    fn handed_on(&mut self, network: &NetworkId) -> Vec<HandOn> {
        let mut all = Vec::new();
        for stream in self.wires.streams.values() {
            let Some(first) = known_by(&stream.there) else {
                continue;
            };
            let request = match self.sessions.get_mut(&(stream.other, first.clone())) {
                Some(session) if !session.taken => session.request.take(),
                _ => continue,
            };
            let request = request.expect("a session has one");
            let Some(given) = serve(&mut self.sessions, stream, first, Part::Given) else {
                continue;
            };
            let proper = !matches!(request, Request::Get { .. } | Request::Query { .. });
            let locations = match request {
                Request::Tally(locations) => locations,
                request => vec![location(&request, network)],
            };
            all.push(HandOn {
                from: stream.opener,
                locations,
                proper,
                given,
            });
        }
        all
    }

    fn strays(&self, about: &[AskedOfStore]) -> Vec<String> {
        let mut strays = Vec::new();
        let circuits = self.circuits.values().filter(|circuit| !circuit.taken);
        strays.extend(circuits.map(|circuit| format!("a circuit at node {}", circuit.node)));
        let sessions = self.sessions.values().filter(|session| !session.taken);
        strays.extend(sessions.map(|session| format!("a session at node {}", session.node)));
        for (wire, stream) in &self.wires.streams {
            let served = known_by(&stream.there)
                .is_none_or(|first| self.sessions.contains_key(&(stream.other, first)));
            if !served {
                strays.push(format!("a stream to node {}: {wire:?}", stream.other));
            }
        }
        for asked in about {
            let known = self
                .sessions
                .values()
                .any(|session| session.node == asked.machine && session.location == asked.location);
            if !known {
                strays.push(format!("a request to the store of node {}", asked.machine));
            }
        }
        strays
    }
}

/// What the node at the end of a stream has of it.
fn serve(
    sessions: &mut BTreeMap<(usize, Vec<u8>), Computed>,
    stream: &Stream,
    first: Vec<u8>,
    part: Part,
) -> Option<Conversation> {
    let session = sessions.get_mut(&(stream.other, first))?;
    session.taken = true;
    let mut bytes = std::mem::take(&mut session.bytes);
    bytes.extend([stream.there.clone(), stream.back.clone()]);
    Some(Conversation {
        node: stream.other,
        part,
        remotes: vec![stream.opener],
        minute: 0,
        bytes,
    })
}

fn known_by(said: &[u8]) -> Option<Vec<u8>> {
    said.get(..KNOWN_BY).map(<[u8]>::to_vec)
}

fn location(request: &Request, network: &NetworkId) -> Location {
    match request {
        Request::Get { location, .. }
        | Request::Query { location, .. }
        | Request::Names(location) => *location,
        Request::Tally(locations) => locations[0],
        Request::Put(put) => Location::of_extent(
            network,
            &ExtentId::of(&put.references),
            put.placement.index(),
        ),
        Request::PutEntry(bytes) => {
            let entry = SealedEntry::decode(bytes).expect("an entry");
            entry.location(network)
        }
    }
}
