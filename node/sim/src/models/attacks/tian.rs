//! Tian, Duan, Baumeister and Dong, "A Traceback Attack on Freenet" (2013): a request keeps its id on its whole way,
//! and a node that has handled an id says so. From a monitor on the way the attacker asks neighbour after neighbour.

use super::super::Setting;
use super::super::dice::Dice;
use super::super::measure::{Estimate, auc};
use super::super::table::{Cell, Table};

const NODES: usize = 400;
/// Hops a request may take at the most.
const HOPS: usize = 18;

/// Nodes on a ring with links to both sides and to others, nearer ones likelier, as Freenet's path folding makes them.
struct Ring {
    peers: Vec<Vec<usize>>,
}

impl Ring {
    fn new(degree: usize, dice: &mut Dice) -> Self {
        let mut peers: Vec<Vec<usize>> = (0..NODES)
            .map(|node| vec![(node + 1) % NODES, (node + NODES - 1) % NODES])
            .collect();
        for node in 0..NODES {
            for _ in 0..degree.saturating_sub(2) / 2 {
                // Distance with probability as 1 over itself.
                let far = (NODES as f64 / 2.0).powf(dice.unit()) as usize;
                let up = dice.chance(0.5);
                let other = (node + if up { far } else { NODES - far }) % NODES;
                if other != node && !peers[node].contains(&other) {
                    peers[node].push(other);
                    peers[other].push(node);
                }
            }
        }
        Self { peers }
    }

    fn distance(a: usize, b: usize) -> usize {
        let apart = a.abs_diff(b);
        apart.min(NODES - apart)
    }

    /// The peer a node sends a request for a key to, of those that have not seen it.
    fn next(&self, node: usize, key: usize, seen: &[usize]) -> Option<usize> {
        let fresh = self.peers[node].iter().filter(|peer| !seen.contains(peer));
        fresh
            .copied()
            .min_by_key(|&peer| (Self::distance(peer, key), peer))
    }

    /// Nodes a request goes through, its origin first.
    fn route(&self, origin: usize, key: usize) -> Vec<usize> {
        let mut way = vec![origin];
        while way.len() <= HOPS && way.last() != Some(&key) {
            let Some(next) = self.next(way[way.len() - 1], key, &way) else {
                break;
            };
            way.push(next);
        }
        way
    }

    /// Whom the attacker takes for the origin of what came from `from`, with an oracle that says which nodes have seen
    /// the id. He walks to peers that have seen it and would themselves have chosen the node he stands at.
    fn trace(&self, from: usize, key: usize, oracle: &mut dyn FnMut(usize) -> bool) -> usize {
        let (mut chain, mut at) = (vec![from], from);
        while chain.len() <= HOPS {
            let behind = self.peers[at].iter().copied().find(|&peer| {
                !chain.contains(&peer)
                    && self.peers[peer].iter().all(|&other| {
                        Self::distance(other, key) >= Self::distance(at, key)
                            || chain.contains(&other)
                    })
                    && oracle(peer)
            });
            let Some(behind) = behind else {
                break;
            };
            chain.push(behind);
            at = behind;
        }
        at
    }
}

/// One request seen by a monitor somewhere on its way: whether its origin is named. `reach`: probability that a suspect
/// can be connected to and asked before it forgets.
fn freenet(degree: usize, reach: f64, dice: &mut Dice) -> bool {
    let ring = Ring::new(degree, dice);
    let (mut way, mut key) = (Vec::new(), 0);
    while way.len() < 2 {
        key = dice.below(NODES);
        way = ring.route(dice.below(NODES), key);
    }
    let monitor = 1 + dice.below(way.len() - 1);
    let mut asked: Vec<(usize, bool)> = Vec::new();
    let mut oracle = |node: usize| {
        if let Some((_, answer)) = asked.iter().find(|(known, _)| *known == node) {
            return *answer;
        }
        let answer = way[..monitor].contains(&node) && dice.chance(reach);
        asked.push((node, answer));
        answer
    };
    ring.trace(way[monitor - 1], key, &mut oracle) == way[0]
}

/// What a relay does with the create it is sent: whom it is sealed to, and whether it was opened before.
struct Relay {
    name: usize,
    opened: Vec<u64>,
}

/// A create as one hop sees it: sealed to that hop, with bytes of its own at every hop.
#[derive(Clone, Copy)]
struct Create {
    sealed_to: usize,
    digest: u64,
}

impl Relay {
    /// Milliseconds until the circuit is destroyed without a word, which is all that is ever answered to a create that
    /// cannot be used; why it cannot is not said. The key agreement comes before the question whether it was seen.
    fn refuse(&mut self, create: Create, dice: &mut Dice) -> Option<f64> {
        let waited = dice.log_normal(2.0, 1.0) + 0.2;
        if create.sealed_to == self.name && !self.opened.contains(&create.digest) {
            self.opened.push(create.digest);
            return None;
        }
        Some(waited)
    }
}

/// A middle that is the attacker's sends the create it got to a node that was on the way (the guard) and to one that
/// was not: the scores are how fast each refuses.
fn oboro(dice: &mut Dice) -> (f64, f64) {
    let way: Vec<usize> = dice.distinct(3, NODES);
    let creates: Vec<Create> = way
        .iter()
        .map(|&relay| Create {
            sealed_to: relay,
            digest: dice.bits(),
        })
        .collect();
    let mut ask = |name: usize, opened: Vec<u64>| {
        let mut relay = Relay { name, opened };
        // Taken as new it would be a certain no.
        -relay.refuse(creates[1], dice).unwrap_or(f64::MAX)
    };
    let on_the_way = ask(way[0], vec![creates[0].digest]);
    // A name that is not on the way.
    let elsewhere = ask(NODES, Vec::new());
    (on_the_way, elsewhere)
}

/// The attacker asks all nodes but himself and names the one that answered likest to one that has seen it: right as
/// often as chance.
fn named(dice: &mut Dice) -> bool {
    let client = dice.below(NODES - 1);
    let create = Create {
        sealed_to: NODES,
        digest: dice.bits(),
    };
    let answers = (0..NODES - 1).map(|name| {
        let mut relay = Relay {
            name,
            opened: Vec::new(),
        };
        relay.refuse(create, dice).unwrap_or(f64::MAX)
    });
    let fastest = answers.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
    fastest.is_some_and(|(node, _)| node == client)
}

pub(in super::super) fn table(setting: &Setting) -> Table {
    let mut rows = Vec::new();
    let mut dice = Dice::new(setting.seed, "tian/oboro");
    let (seen, unseen): (Vec<f64>, Vec<f64>) =
        (0..setting.trials).map(|_| oboro(&mut dice)).unzip();
    let area = auc(&seen, &unseen);
    let hits = (0..setting.trials).filter(|_| named(&mut dice)).count();
    let hits = Estimate::share(hits as u64, u64::from(setting.trials));
    for (degree, reach) in [
        (8, 1.0),
        (8, 0.5),
        (8, 0.3),
        (20, 1.0),
        (20, 0.5),
        (20, 0.3),
    ] {
        let mut dice = Dice::new(setting.seed, &format!("tian/{degree}/{reach}"));
        let named = (0..setting.trials).filter(|_| freenet(degree, reach, &mut dice));
        let share = Estimate::share(named.count() as u64, u64::from(setting.trials));
        rows.push(vec![
            Cell::Count(degree as u64),
            Cell::exact(reach, 1),
            Cell::sampled(share, 3),
            "0.24 to 0.43".into(),
            Cell::sampled(hits, 4),
            Cell::exact(1.0 / (NODES - 1) as f64, 4),
            Cell::sampled(area, 3),
        ]);
    }
    setting.table(
        vec![
            "peers",
            "reach",
            "origin named",
            "published",
            "Oboro: named",
            "chance",
            "Oboro: AUC of the oracle",
        ],
        rows,
        vec![
            "Ancestor: a ring of 400 nodes, a request seen once by a monitor at a uniform place of its way. Reach: \
             probability that a suspect can be connected to and still knows the id. The shape of the paper's attack, \
             not its testbed: reach is not in the paper.",
            "Oboro: a hostile middle sends the create it was given to nodes that were on the way and to others. Each hop \
             sees other bytes, sealed to it alone; a relay ends what it cannot open and what it has opened before alike, \
             after the same work. The score is the time until then.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_stays_the_same_leads_back_to_the_origin() {
        let mut dice = Dice::new(17, "tian");
        let named = (0..400).filter(|_| freenet(8, 0.7, &mut dice)).count();
        assert!(named > 80, "{named}");
    }

    #[test]
    fn a_create_tells_nothing_of_who_has_seen_it() {
        let mut dice = Dice::new(17, "tian");
        let (seen, unseen): (Vec<f64>, Vec<f64>) = (0..2_000).map(|_| oboro(&mut dice)).unzip();
        assert!(auc(&seen, &unseen).agrees(0.5, 4.0, 0.0));
    }
}
