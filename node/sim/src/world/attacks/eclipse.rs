//! One attacker with many ids, made until some lie nearer to what he is after than any other: what it costs him, and
//! what is left of it.

use std::time::Duration;

use oboro_core::Time;
use oboro_crypto::hash::hash;
use oboro_crypto::ids::{Location, NodeId, distance};
use oboro_crypto::keys::IdentityKey;
use oboro_crypto::labels;

use super::super::{Due, World, chance};
use crate::measured::{Measured, Measures};
use crate::scenario::{Kind, Target};

/// Core-seconds of an id in a public network.
const ID_SECONDS: f64 = 0.25;
/// Until ids are checked, known to all and have been given what belongs to them.
const SETTLED: Duration = Duration::from_secs(600);

/// Jobs begun in a part of a run: done, and all that are over.
#[derive(Clone, Copy, Default)]
pub(super) struct Jobs {
    done: usize,
    over: usize,
}

/// An attack by ids.
pub(super) struct Eclipse {
    began: Time,
    ids: usize,
    listed: usize,
    /// What is to be held, and how much of it is.
    locations: usize,
    nearest: usize,
    whole: usize,
    /// Fetches and searches, before and after.
    jobs: [[Jobs; 2]; 2],
}

impl World {
    /// The attacker has made his ids and lists the best of them.
    pub(in crate::world) fn eclipse(
        &mut self,
        ids: usize,
        listed: usize,
        networks: u8,
        target: Target,
    ) {
        let locations: Vec<(Location, u8)> = match target {
            Target::File => (0..self.copies(0, 0))
                .filter_map(|index| Some((self.location(0, 0, index)?, index)))
                .collect(),
            Target::Word => self.word_locations(0),
        };
        let mut rng = chance::source(self.scenario.seed, "sybil", 0);
        let mut made: Vec<(NodeId, IdentityKey)> = (0..ids)
            .map(|_| {
                let key = IdentityKey::generate(&mut rng);
                (id_of(&key), key)
            })
            .collect();
        // Of each location as many as may hold it, the nearest first, if they are nearer than who holds it now.
        let mut chosen: Vec<(usize, NodeId)> = Vec::new();
        let (mut nearest, mut whole) = (0, 0);
        for &(location, index) in &locations {
            let far = |id: &NodeId| distance(id.as_bytes(), location.as_bytes());
            let acceptable = 3 + usize::from(index);
            let mut all: Vec<(NodeId, bool)> = made.iter().map(|(id, _)| (*id, true)).collect();
            let honest = self.machines.iter().filter(|machine| machine.is_up());
            all.extend(honest.map(|machine| (machine.id, false)));
            all.sort_by_cached_key(|(id, _)| far(id));
            all.truncate(acceptable);
            nearest += usize::from(all.first().is_some_and(|(_, own)| *own));
            whole += usize::from(all.iter().all(|(_, own)| *own));
            let own = all.iter().enumerate().filter(|(_, (_, own))| *own);
            chosen.extend(own.map(|(rank, (id, _))| (rank, *id)));
        }
        chosen.sort();
        chosen.dedup_by_key(|(_, id)| *id);
        chosen.truncate(listed);
        for (number, (_, id)) in chosen.iter().enumerate() {
            if let Some(at) = made.iter().position(|(made, _)| made == id) {
                let (_, key) = made.swap_remove(at);
                self.add_sybil(key, number, networks);
            }
        }
        self.attacks.eclipse = Some(Eclipse {
            began: self.now,
            ids,
            listed: chosen.len(),
            locations: locations.len(),
            nearest,
            whole,
            jobs: self.attacks.before,
        });
    }

    fn add_sybil(&mut self, key: IdentityKey, number: usize, networks: u8) {
        let index = self.add(vec![0, 0]);
        let machine = &mut self.machines[index];
        self.by_id.remove(&machine.id);
        machine.id = id_of(&key);
        machine.keys.identity = key;
        machine.kind = Some(Kind::Sybil);
        machine.stays = true;
        // Two in each /24, spread over the ranges he has.
        let pair = number / 2;
        let network = (pair % usize::from(networks.max(1))) as u8;
        let subnet = (pair / usize::from(networks.max(1))) as u8;
        machine.address = ([120, network, subnet, 1 + (number % 2) as u8], 4000).into();
        self.by_id.insert(machine.id, index);
        let at = self.now + Duration::from_secs(1).mul_f64(chance::unit(&mut self.attacks.rng));
        self.queue.push(at, Due::Turn(index));
    }

    /// A fetch or a search is over.
    pub(in crate::world) fn concluded(&mut self, fetch: bool, begun: Time, done: bool) {
        let jobs = match &mut self.attacks.eclipse {
            Some(eclipse) if begun >= eclipse.began + SETTLED => &mut eclipse.jobs[1],
            Some(eclipse) if begun >= eclipse.began => return,
            Some(eclipse) => &mut eclipse.jobs[0],
            None => &mut self.attacks.before[0],
        };
        let jobs = &mut jobs[usize::from(!fetch)];
        jobs.over += 1;
        jobs.done += usize::from(done);
    }

    pub(super) fn report_eclipse(&self, out: &mut Measures) {
        let Some(eclipse) = &self.attacks.eclipse else {
            return;
        };
        let mut say = |name: &str, is: Measured| out.insert(format!("eclipse: {name}"), is);
        let hours = eclipse.ids as f64 * ID_SECONDS / 3600.0;
        say("ids made", Measured::exact(eclipse.ids as f64, 1));
        say("core-hours", Measured::exact(hours, eclipse.ids));
        say("ids listed", Measured::exact(eclipse.listed as f64, 1));
        let share = |part: usize| Measured::exact(part as f64, eclipse.locations);
        say(
            "locations of which the nearest is his",
            share(eclipse.nearest),
        );
        say("locations of which all are his", share(eclipse.whole));
        for (when, jobs) in ["before", "after"].iter().zip(eclipse.jobs) {
            for (what, jobs) in ["fetched", "found"].iter().zip(jobs) {
                let share = Measured::share(jobs.done, jobs.over);
                say(&format!("{what} {when}"), share);
            }
        }
        let honest = |id: &usize| self.machines[*id].kind.is_none();
        let there: Vec<usize> = (0..self.machines.len()).filter(honest).collect();
        let views = there.iter().filter_map(|&index| {
            let machine = &self.machines[index];
            let node = machine.node.as_ref()?;
            Some(node.standing(machine.clock(self.now)).view as f64)
        });
        let mean = views.sum::<f64>() / there.len().max(1) as f64;
        let believed = mean - there.len() as f64;
        say(
            "ids in views, in the mean",
            Measured::exact(believed, eclipse.listed),
        );
    }
}

/// Before there is an attack.
pub(super) type Before = [[Jobs; 2]; 2];

fn id_of(key: &IdentityKey) -> NodeId {
    NodeId(hash(labels::VIEW_DIGEST, &[&key.public().0]))
}
