//! Flooders: they say more than anybody wants to hear.

use std::time::Duration;

use oboro_core::ids::LinkId;
use oboro_core::wire::control::{Control, DESCRIPTORS_MAX};
use oboro_core::wire::descriptor::{Descriptor, Roles};
use oboro_core::wire::frame::Frame;
use oboro_core::{Command, Event};
use oboro_crypto::circuit::CREATE_LEN;
use oboro_crypto::entry;
use oboro_crypto::ids::{LinkPublic, NetworkId, NodeId, OnionPublic};
use oboro_crypto::keys::IdentityKey;
use oboro_crypto::record::RECORD_PLAIN;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use super::work::{File, Job, Source};
use super::{Due, START, World, chance};
use crate::scenario::Kind;

/// Creates in a record.
const CREATES: usize = 10;
/// Descriptors of nobody in a message.
const NOBODIES: usize = 5;
/// Between two records with them on each link.
const EVERY: Duration = Duration::from_millis(100);
/// Files of rubbish on their way at one time, their KiB, and how often a new one is begun.
const PUTS: usize = 4;
const PUT_KIB: u64 = 1_024;
const PUTS_EVERY: Duration = Duration::from_millis(500);
/// Between two files of rubbish under a word.
const RUBBISH_EVERY: Duration = Duration::from_secs(20);

const _: () = assert!(NOBODIES <= DESCRIPTORS_MAX);

impl World {
    /// A flooder's life has begun.
    pub(super) fn begin_flood(&mut self, index: usize) {
        let machine = &self.machines[index];
        let floods = matches!(
            machine.kind,
            Some(
                Kind::CreateFlooder
                    | Kind::DescriptorFlooder
                    | Kind::EntryFlooder
                    | Kind::PutFlooder
            )
        );
        if floods {
            let at = self.now.max(START + Duration::from_secs(90));
            self.queue.push(at, Due::Flood(index, machine.life));
        }
    }

    pub(super) fn flood(&mut self, index: usize, life: u32) {
        if self.machines[index].life != life || !self.machines[index].is_up() {
            return;
        }
        let wait = match self.machines[index].kind {
            Some(Kind::CreateFlooder) => {
                self.flood_creates(index);
                EVERY
            }
            Some(Kind::DescriptorFlooder) => {
                self.flood_descriptors(index);
                EVERY
            }
            Some(Kind::EntryFlooder) => {
                self.flood_entries(index);
                RUBBISH_EVERY
            }
            Some(Kind::PutFlooder) => {
                // Not before there is something to push out.
                let all_there = self.files.len() >= self.scenario.work.files;
                if all_there && self.machines[index].jobs.len() < PUTS {
                    let some = chance::below(&mut self.machines[index].rng, 1_000_000_000);
                    self.publish_rubbish(index, &format!("rubbish{some}"), PUT_KIB * 1024);
                }
                PUTS_EVERY
            }
            _ => return,
        };
        self.queue.push(self.now + wait, Due::Flood(index, life));
    }

    /// Puts a record of its own on a link, past its core.
    pub(super) fn say(&mut self, index: usize, link: LinkId, frames: &[Frame<'_>]) {
        let Some((other, far)) = self.far_end(link) else {
            return;
        };
        let mut plain = Vec::with_capacity(RECORD_PLAIN);
        for frame in frames {
            frame.write(&mut plain);
        }
        plain.resize(RECORD_PLAIN, 0);
        let way = self.net.delay(index, other);
        let Some(end) = self.links.get(link) else {
            return;
        };
        end.last = (self.now + way).max(end.last + Duration::from_micros(1));
        let at = end.last;
        self.push_event(at, other, Event::Records { link: far, plain });
    }

    fn flood_creates(&mut self, index: usize) {
        for link in self.machines[index].links.clone() {
            let Some(dialed) = self.links.get(link).map(|end| end.dialed) else {
                continue;
            };
            let rng = &mut self.machines[index].rng;
            let bodies: Vec<(u32, Vec<u8>)> = (0..CREATES)
                .map(|_| {
                    let mut body = vec![0; CREATE_LEN];
                    rng.fill_bytes(&mut body);
                    // Far from the numbers its own core uses, of the parity of its side of the link.
                    let number = 1 << 30 | rng.next_u32() >> 3 << 1 | u32::from(dialed);
                    (number, body)
                })
                .collect();
            let frames: Vec<Frame<'_>> = bodies
                .iter()
                .map(|(number, body)| Frame::Create(*number, body))
                .collect();
            self.say(index, link, &frames);
        }
    }

    fn flood_descriptors(&mut self, index: usize) {
        let network = self.network.id();
        let now = self.now.secs() as u32;
        let rng = &mut self.machines[index].rng;
        let all = (0..NOBODIES).map(|_| nobody(&network, now, rng)).collect();
        let message = Control::Descriptors(all).encode();
        for link in self.machines[index].links.clone() {
            self.say(index, link, &[Frame::Control(&message)]);
        }
    }

    /// Rubbish under the word of the first file.
    fn flood_entries(&mut self, index: usize) {
        let Some(word) = self.files.first().map(|file| file.word.clone()) else {
            return;
        };
        let some = chance::below(&mut self.machines[index].rng, 1_000_000);
        self.publish_rubbish(index, &format!("{word} {some}"), 1024);
    }

    /// A file that nobody wants, found by the first word of its title.
    fn publish_rubbish(&mut self, index: usize, title: &str, length: u64) {
        let id = self.job();
        let file = File::new(u64::MAX - id.0, length, index);
        let word = title.split(' ').next().unwrap_or_default();
        let command = Command::Publish {
            job: id,
            kind: entry::Kind::of_name(title),
            size: file.length,
            terms: oboro_crypto::terms::of_text(word),
            title: title.to_owned(),
            extra: vec![],
            fewer_hops: false,
        };
        let source = Some(Source::new(self.scenario.seed, &file));
        self.command(index, id, Job::Rubbish { source }, command);
    }
}

/// A well-signed descriptor of a node that does not exist: whoever wants to check its id must pay for it.
fn nobody(network: &NetworkId, now: u32, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let key = IdentityKey::generate(rng);
    let mut array = || {
        let mut out = [0; 32];
        rng.fill_bytes(&mut out);
        out
    };
    let (link, onion, id, place) = (array(), array(), array(), array());
    let [a, b, c, d, ..] = place;
    let descriptor = Descriptor {
        identity: key.public(),
        link: LinkPublic(link),
        onion: OnionPublic(onion),
        id: NodeId(id),
        issued: now,
        valid_hours: 48,
        roles: Roles {
            relay: true,
            storage: true,
        },
        capacity: 15,
        addresses: vec![([11 + a % 89, b, c, d], 4000).into()],
    };
    descriptor.sign(network, &key)
}
