//! A crowd: some machines with the real core, and members for whom they stand.
//!
//! A member has keys, an address and a descriptor like any node, but no core: one machine, its host, stands for it.
//! Whoever dials a member reaches its host, which also has the onion key that the member's descriptor names, so that
//! circuits over members work. A member's descriptor is renewed in time and comes to its host as if a neighbour had told
//! of it; from there it goes its way by the real protocol. So each machine holds, hears and tells what it would in a
//! network of all members. What is not as it would be: links join machines only, so that news has fewer of them to
//! reach; and nothing can be stored at members, whose ids are not their hosts'.

use std::net::SocketAddr;
use std::time::Duration;

use oboro_core::ids::LinkId;
use oboro_core::limits::DESCRIPTOR_HOURS;
use oboro_core::wire::control::Control;
use oboro_core::wire::descriptor::{Descriptor, Roles};
use oboro_core::wire::frame::Frame;
use oboro_core::{Event, Time};
use oboro_crypto::hash::hash;
use oboro_crypto::ids::{LinkPublic, NodeId};
use oboro_crypto::keys::IdentityKey;
use oboro_crypto::labels;
use oboro_crypto::record::RECORD_PLAIN;
use rand_core::RngCore;

use super::{Due, START, WARM, World, chance, links};

/// A descriptor is renewed after a third of its time, as the core does it.
const RENEWED: Duration = Duration::from_secs(DESCRIPTOR_HOURS as u64 * 1200);
/// For how long a member that comes stays linked to its host: it is checked meanwhile.
const STAYS: Duration = Duration::from_secs(120);
/// A host that is not there yet, or has no link, is tried again after so long.
const AGAIN: Duration = Duration::from_secs(5);
/// A link that has been up for so long has greeted.
const GREETED: Duration = Duration::from_secs(10);

/// One for whom a machine stands.
pub(super) struct Member {
    host: usize,
    identity: IdentityKey,
    link: LinkPublic,
    id: NodeId,
    address: SocketAddr,
}

/// How far views had grown, and what nodes had sent by then.
#[derive(Clone, Copy)]
pub(super) struct Grown {
    pub(super) at: Time,
    /// Nodes in views, in the mean, of those there are.
    pub(super) share: f64,
    /// Bytes a machine had sent, in the mean.
    pub(super) sent: f64,
}

impl World {
    /// Adds members to the machines until there are so many nodes.
    pub(super) fn gather(&mut self, nodes: usize) {
        let machines = self.machines.len();
        let mut rng = chance::source(self.scenario.seed, "members", 0);
        for number in 0..nodes.saturating_sub(machines) {
            let identity = IdentityKey::generate(&mut rng);
            let mut link = [0; 32];
            rng.fill_bytes(&mut link);
            let [a, b, c, d] = rng.next_u32().to_be_bytes();
            let address: SocketAddr = ([11 + a % 89, b, c, d], 4000).into();
            let member = Member {
                host: number % machines,
                id: NodeId(hash(labels::VIEW_DIGEST, &[&identity.public().0])),
                identity,
                link: LinkPublic(link),
                address,
            };
            self.by_link.insert(member.link, member.host);
            self.members.push(member);
            let age = RENEWED.mul_f64(chance::unit(&mut rng));
            if self.scenario.warm {
                self.tell_of(number, Time(START.0 - age.as_micros() as u64));
                self.queue.push(START + (RENEWED - age), Due::Renew(number));
            } else {
                let at = START + WARM.mul_f64(chance::unit(&mut rng));
                self.queue.push(at, Due::Arrive(number));
            }
        }
    }

    /// The link key with which a machine dials: that of one for whom it stands, by chance.
    pub(super) fn called(&mut self, index: usize) -> LinkPublic {
        let machines = self.machines.len();
        let count = self.members.len().saturating_sub(index).div_ceil(machines);
        if count == 0 {
            return self.machines[index].link;
        }
        let number = index + machines * chance::below(&mut self.rng, count);
        self.members[number].link
    }

    /// A member's descriptor of that time.
    fn tell_of(&mut self, number: usize, issued: Time) -> Vec<u8> {
        let member = &self.members[number];
        let descriptor = Descriptor {
            identity: member.identity.public(),
            link: member.link,
            onion: self.machines[member.host].keys.onion.public(),
            id: member.id,
            issued: issued.secs() as u32,
            valid_hours: DESCRIPTOR_HOURS,
            roles: Roles {
                relay: true,
                storage: true,
            },
            capacity: 0,
            addresses: vec![member.address],
        };
        let encoded = descriptor.sign(&self.network.id(), &member.identity);
        self.descriptors
            .add(descriptor.id, descriptor.issued, &encoded, self.now);
        encoded
    }

    /// A member's descriptor is renewed: its host hears of it over one of its links.
    pub(super) fn renew(&mut self, number: usize) {
        let host = self.members[number].host;
        let all: Vec<LinkId> = self.machines[host].links.iter().copied().collect();
        let start = chance::below(&mut self.rng, all.len());
        let (before, after) = all.split_at(start.min(all.len()));
        let greeted = after.iter().chain(before).find(|link| {
            let end = self.links.get(**link);
            end.is_some_and(|end| self.now.since(end.since) >= GREETED)
        });
        let Some(&link) = greeted else {
            self.queue.push(self.now + AGAIN, Due::Renew(number));
            return;
        };
        let encoded = self.tell_of(number, self.now);
        let plain = record(&Control::Descriptors(vec![encoded]));
        self.push_event(self.now, host, Event::Records { link, plain });
        self.queue.push(self.now + RENEWED, Due::Renew(number));
    }

    /// A member comes: it dials its host and says who it is.
    pub(super) fn arrive(&mut self, number: usize) {
        let (host, remote) = (self.members[number].host, self.members[number].link);
        if !self.machines[host].is_up() {
            self.queue.push(self.now + AGAIN, Due::Arrive(number));
            return;
        }
        let encoded = self.tell_of(number, self.now);
        let link = self.links.name();
        let up = Event::LinkUp {
            link,
            remote,
            address: self.members[number].address,
            dial: None,
        };
        let plain = record(&Control::Hello {
            observed: self.machines[host].address,
            descriptor: Some(encoded),
        });
        let records = links::CREDIT;
        self.push_event(self.now, host, up);
        self.push_event(self.now, host, Event::Writable { link, records });
        self.push_event(self.now, host, Event::Records { link, plain });
        self.push_event(self.now + STAYS, host, Event::LinkDown { link });
        self.queue.push(self.now + RENEWED, Due::Renew(number));
    }

    /// Looks at how far views have grown.
    pub(super) fn look_at_views(&mut self) {
        let there = self
            .machines
            .iter()
            .filter_map(|machine| machine.node.as_ref());
        let (mut known, mut records, mut count) = (0.0, 0.0, 0.0f64);
        for node in there {
            known += node.known() as f64;
            records += node.stats().records_out as f64;
            count += 1.0;
        }
        let count = count.max(1.0);
        self.tally.grown(Grown {
            at: self.now,
            share: known / count / self.scenario.nodes as f64,
            sent: records / count * oboro_crypto::record::RECORD_WIRE as f64,
        });
    }
}

/// A record with one message in it.
fn record(message: &Control) -> Vec<u8> {
    let mut plain = Vec::with_capacity(RECORD_PLAIN);
    Frame::Control(&message.encode()).write(&mut plain);
    plain.resize(RECORD_PLAIN, 0);
    plain
}
