//! Strangers: links of an attacker's own, past his core, with a key of their own each, as an unlisted client has one. He
//! asks over them what any peer may ask, and hears when and what is answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use oboro_core::ids::LinkId;
use oboro_core::wire::control::Control;
use oboro_core::wire::frame::{CloseReason, Frame, Frames};
use oboro_core::wire::message::{Reply, Request};
use oboro_core::{Event, Time};
use oboro_crypto::ids::LinkPublic;
use oboro_crypto::provider::Opening;
use oboro_crypto::record::RECORD_PLAIN;
use rand_core::RngCore;

use super::super::{Due, World, links};
use super::Question;

/// Something asked that is not answered yet.
struct Asked {
    question: Question,
    at: Time,
    /// The session it opens; none for what is no session.
    opening: Option<Box<dyn Opening>>,
    bytes: Vec<u8>,
}

/// One link of an attacker's, in one life of the node it leads to.
struct Line {
    attacker: usize,
    victim: usize,
    life: u32,
    next: u32,
    asked: BTreeMap<u32, Asked>,
}

/// All of them.
#[derive(Default)]
pub(super) struct Strangers {
    lines: BTreeMap<LinkId, Line>,
    by_pair: BTreeMap<(usize, usize), LinkId>,
}

/// What came over a line, each with the number of its stream or circuit.
enum Heard {
    Data(u32, Vec<u8>),
    Over(u32),
    Ping(u64),
}

impl World {
    /// Whether an event is for a stranger and not for the core of its machine.
    pub(in crate::world) fn is_for_stranger(&self, event: &Event) -> bool {
        let (Event::Records { link, .. } | Event::LinkDown { link } | Event::Writable { link, .. }) =
            event
        else {
            return false;
        };
        self.attacks.strangers.lines.contains_key(link)
    }

    /// What a stranger makes of it.
    pub(in crate::world) fn overhear(&mut self, event: Event) {
        match event {
            Event::Records { link, plain } => {
                for heard in plain.chunks(RECORD_PLAIN).flat_map(heard_in) {
                    self.heard(link, heard);
                }
            }
            Event::LinkDown { link } => {
                self.links.remove(link);
                if let Some(line) = self.attacks.strangers.lines.remove(&link) {
                    let pair = (line.attacker, line.victim);
                    self.attacks.strangers.by_pair.remove(&pair);
                    for asked in line.asked.into_values() {
                        let took = self.now.since(asked.at);
                        self.answered(asked.question, took, None);
                    }
                }
            }
            _ => {}
        }
    }

    /// Asks a node something as any client may, over a link of its own.
    pub(super) fn ask(
        &mut self,
        attacker: usize,
        victim: usize,
        request: &Request,
        question: Question,
    ) {
        let onion = self.machines[victim].keys.onion.public();
        let opened = self.provider.open(
            &onion,
            &self.network.id(),
            &request.encode(),
            &mut self.attacks.rng,
        );
        let Ok((opening, first)) = opened else { return };
        let mut data = u16::try_from(first.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes()
            .to_vec();
        data.extend_from_slice(&first);
        self.begin(attacker, victim, question, Some(opening), |number| {
            [Frame::Open(number), Frame::Data(number, &data)].to_vec()
        });
    }

    /// Begins a circuit with a body made elsewhere.
    pub(super) fn create(
        &mut self,
        attacker: usize,
        victim: usize,
        body: &[u8],
        question: Question,
    ) {
        self.begin(attacker, victim, question, None, |number| {
            [Frame::Create(number, body)].to_vec()
        });
    }

    fn begin<'f>(
        &mut self,
        attacker: usize,
        victim: usize,
        question: Question,
        opening: Option<Box<dyn Opening>>,
        frames: impl FnOnce(u32) -> Vec<Frame<'f>>,
    ) {
        let Some(link) = self.line(attacker, victim) else {
            return;
        };
        let at = self.now;
        let Some(line) = self.attacks.strangers.lines.get_mut(&link) else {
            return;
        };
        let number = line.next;
        line.next += 2;
        let asked = Asked {
            question,
            at,
            opening,
            bytes: Vec::new(),
        };
        line.asked.insert(number, asked);
        self.say(attacker, link, &frames(number));
    }

    /// The attacker's link to a node; a new one if there is none.
    fn line(&mut self, attacker: usize, victim: usize) -> Option<LinkId> {
        let (near, far) = (&self.machines[attacker], &self.machines[victim]);
        if attacker == victim || !near.is_up() || !far.is_up() {
            return None;
        }
        let (near_life, life) = (near.life, far.life);
        let known = self.attacks.strangers.by_pair.get(&(attacker, victim));
        if let Some(&link) = known {
            let line = self.attacks.strangers.lines.get(&link);
            if line.is_some_and(|line| line.life == life) {
                return Some(link);
            }
            self.attacks.strangers.lines.remove(&link);
        }
        let (here, there) = self
            .links
            .join((attacker, near_life), (victim, life), self.now);
        self.machines[victim].links.insert(there);
        let mut key = [0; 32];
        self.attacks.rng.fill_bytes(&mut key);
        let address: SocketAddr = ([100, key[0], key[1], key[2]], 4000).into();
        let up = Event::LinkUp {
            link: there,
            remote: LinkPublic(key),
            address,
            dial: None,
        };
        let records = links::CREDIT;
        let writable = Event::Writable {
            link: there,
            records,
        };
        for event in [up, writable] {
            self.queue.push(self.now, Due::Event(victim, life, event));
        }
        let line = Line {
            attacker,
            victim,
            life,
            // Odd numbers are of the side that dialled.
            next: 1,
            asked: BTreeMap::new(),
        };
        self.attacks.strangers.lines.insert(here, line);
        self.attacks
            .strangers
            .by_pair
            .insert((attacker, victim), here);
        let hello = Control::Hello {
            observed: self.machines[victim].address,
            descriptor: None,
        };
        self.say(attacker, here, &[Frame::Control(&hello.encode())]);
        Some(here)
    }

    fn heard(&mut self, link: LinkId, heard: Heard) {
        let Some(line) = self.attacks.strangers.lines.get_mut(&link) else {
            return;
        };
        let attacker = line.attacker;
        match heard {
            Heard::Ping(nonce) => {
                let pong = Control::Pong(nonce).encode();
                self.say(attacker, link, &[Frame::Control(&pong)]);
            }
            Heard::Over(number) => {
                if let Some(asked) = line.asked.remove(&number) {
                    let took = self.now.since(asked.at);
                    self.answered(asked.question, took, None);
                }
            }
            Heard::Data(number, bytes) => {
                let Some(asked) = line.asked.get_mut(&number) else {
                    return;
                };
                asked.bytes.extend_from_slice(&bytes);
                let Some(first) = whole(&asked.bytes) else {
                    return;
                };
                let opened = asked.opening.take().map(|opening| opening.finish(first));
                let (question, took) = (asked.question, self.now.since(asked.at));
                line.asked.remove(&number);
                let reply = match opened {
                    Some(Ok((_, payload))) => Reply::decode(&payload).ok(),
                    _ => None,
                };
                // The first word is enough: what would follow is not wanted.
                self.say(attacker, link, &[Frame::Close(number, CloseReason::Done)]);
                self.answered(question, took, reply.as_ref());
            }
        }
    }
}

/// The first message of a session in these bytes, once it is whole.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}

/// What of a record concerns a stranger.
fn heard_in(record: &[u8]) -> Vec<Heard> {
    let mut all = Vec::new();
    let mut frames = Frames::new(record);
    while let Ok(Some(frame)) = frames.next_frame() {
        match frame {
            Frame::Data(number, bytes) => all.push(Heard::Data(number, bytes.to_vec())),
            Frame::Close(number, _) | Frame::Destroy(number) | Frame::Created(number, _) => {
                all.push(Heard::Over(number));
            }
            Frame::Control(body) => {
                if let Ok(Control::Ping(nonce)) = Control::decode(body) {
                    all.push(Heard::Ping(nonce));
                }
            }
            _ => {}
        }
    }
    all
}
