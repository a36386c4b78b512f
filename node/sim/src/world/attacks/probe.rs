//! The cache prober: does a node's answer show what its own user has published or fetched (I1)? For each deed the node
//! that did it and another that did not are asked for the same, and so quickly as the line allows. And who should hold
//! a new file by the view, and lacks it?

use std::collections::BTreeMap;
use std::time::Duration;

use oboro_core::wire::message::{Reply, Request};
use oboro_crypto::ids::{Location, distance};
use rand_core::RngCore;

use super::super::{World, chance};
use super::{Question, Step};
use crate::measured::{Measured, Measures};
use crate::models::measure::{Estimate, auc, power};
use crate::scenario::Kind;

/// From a deed to its probe: at least, and how much more at the most, in seconds.
const AFTER: (u64, u64) = (20, 280);
/// Seconds from a publication to the first look at its holders, and to the second, when upkeep has been round twice.
const VACANCY: (u64, u64) = (5, 2_400);

/// Which look at those who should hold something: whether it is the late one, whether at entries, and of which file.
pub(super) type Which = (bool, bool, usize);

/// What a node answered: whether it has it, after how many seconds.
type Answer = Option<(bool, f64)>;

struct Pair {
    node: usize,
    file: usize,
    published: bool,
    /// By node (the one that did it first), then asked for the file and for something that nobody has.
    answers: [[Answer; 2]; 2],
}

/// Who should hold something of a new file and said that he does not, of how many asked.
#[derive(Default)]
struct Look {
    asked: usize,
    lacking: Vec<usize>,
    publisher: usize,
    guard: Option<usize>,
}

/// Everything probed for.
#[derive(Default)]
pub(super) struct Probes {
    pairs: Vec<Pair>,
    looks: BTreeMap<Which, Look>,
}

impl World {
    pub(super) fn plan_probe(&mut self, node: usize, file: usize, published: bool) {
        let probed = self.scenario.hostile.iter().any(|h| h.kind == Kind::Prober);
        if !probed || self.machines[node].kind.is_some() {
            return;
        }
        let pair = self.attacks.probes.pairs.len();
        self.attacks.probes.pairs.push(Pair {
            node,
            file,
            published,
            answers: Default::default(),
        });
        let more = chance::below(&mut self.attacks.rng, AFTER.1 as usize) as u64;
        self.later(Duration::from_secs(AFTER.0 + more), Step::Probe(pair));
        if published {
            for (late, secs) in [(false, VACANCY.0), (true, VACANCY.1)] {
                self.later(Duration::from_secs(secs), Step::Vacancy { file, late });
            }
        }
    }

    pub(super) fn probe(&mut self, pair: usize) {
        let Some(prober) = self.one_of(Kind::Prober) else {
            return;
        };
        let Pair { node, file, .. } = self.attacks.probes.pairs[pair];
        let deeds = self.attacks.deeds.clone();
        let Some(other) = self.another(|index| !deeds.contains_key(&(index, file))) else {
            return;
        };
        let extents = self.files[file].extents.len();
        let extent = chance::below(&mut self.attacks.rng, extents);
        let copies = usize::from(self.copies(file, extent));
        let index = chance::below(&mut self.attacks.rng, copies) as u8;
        let Some(location) = self.location(file, extent, index) else {
            return;
        };
        for (victim, other) in [(node, false), (other, true)] {
            // Which comes first is left to chance: the second waits for the line.
            for idle in self.either() {
                let mut nowhere = [0; 32];
                self.attacks.rng.fill_bytes(&mut nowhere);
                let location = if idle { Location(nowhere) } else { location };
                let request = Request::Get {
                    location,
                    wanted: 1,
                };
                let question = Question::Probe { pair, other, idle };
                self.ask(prober, victim, &request, question);
            }
        }
    }

    /// Asks the node nearest to each location of a file and of its word for what belongs there. The attacker is granted a view without fault.
    pub(super) fn look_for_vacancies(&mut self, file: usize, late: bool) {
        let Some(prober) = self.one_of(Kind::Prober) else {
            return;
        };
        let publisher = self.files[file].publisher;
        let machine = &self.machines[publisher];
        let guard = machine.node.as_ref().and_then(|node| {
            let guard = node.standing(machine.clock(self.now)).guard?;
            self.by_id.get(&guard.node).copied()
        });
        for word in [false, true] {
            let looks = &mut self.attacks.probes.looks;
            let look = looks.entry((late, word, file)).or_default();
            (look.publisher, look.guard) = (publisher, guard);
        }
        for extent in 0..self.files[file].extents.len() {
            let mut used = Vec::new();
            for index in 0..self.copies(file, extent) {
                let Some(location) = self.location(file, extent, index) else {
                    continue;
                };
                if let Some(node) = self.nearest_up(&location, &used) {
                    used.push(node);
                    let request = Request::Get {
                        location,
                        wanted: 1,
                    };
                    self.look_at(prober, node, &request, (late, false, file));
                }
            }
        }
        for (location, _) in self.word_locations(file) {
            if let Some(node) = self.nearest_up(&location, &[]) {
                let request = Request::Query {
                    location,
                    after: None,
                    max: 1,
                };
                self.look_at(prober, node, &request, (late, true, file));
            }
        }
    }

    fn look_at(&mut self, prober: usize, node: usize, request: &Request, look: Which) {
        let question = Question::Vacancy { look, node };
        self.ask(prober, node, request, question);
    }

    fn nearest_up(&self, location: &Location, but: &[usize]) -> Option<usize> {
        let far = |&node: &usize| distance(self.machines[node].id.as_bytes(), location.as_bytes());
        (0..self.machines.len())
            .filter(|node| self.machines[*node].is_up() && !but.contains(node))
            .min_by_key(far)
    }
}

impl Probes {
    pub(super) fn answered(
        &mut self,
        pair: usize,
        other: bool,
        idle: bool,
        took: Duration,
        reply: Option<&Reply>,
    ) {
        let held = matches!(reply, Some(Reply::Have(_)));
        if let Some(pair) = self.pairs.get_mut(pair)
            && reply.is_some()
        {
            let answer = Some((held, took.as_secs_f64()));
            pair.answers[usize::from(other)][usize::from(idle)] = answer;
        }
    }

    pub(super) fn looked(&mut self, look: Which, node: usize, held: bool) {
        let look = self.looks.entry(look).or_default();
        look.asked += 1;
        if !held {
            look.lacking.push(node);
        }
    }

    pub(super) fn report(&self, out: &mut Measures) {
        for (name, published) in [("fetched", false), ("published", true)] {
            let pairs = self.pairs.iter().filter(|pair| pair.published == published);
            let scores = |other: usize, score: fn((bool, f64), f64) -> f64| -> Vec<f64> {
                pairs
                    .clone()
                    .filter_map(|pair| match (pair.answers[0], pair.answers[1]) {
                        ([Some(_), Some(_)], [Some(_), Some(_)]) => {
                            let [asked, idle] = pair.answers[other];
                            Some(score(asked?, idle?.1))
                        }
                        _ => None,
                    })
                    .collect()
            };
            type Score = fn((bool, f64), f64) -> f64;
            let by_presence: Score = |asked, _| f64::from(u8::from(asked.0));
            let by_time: Score = |asked, idle| idle - asked.1;
            for (how, score) in [("presence", by_presence), ("time", by_time)] {
                let (did, did_not) = (scores(0, score), scores(1, score));
                if did.is_empty() {
                    continue;
                }
                let area = Measured::sampled(auc(&did, &did_not), did.len());
                out.insert(format!("probe {name} by {how}: AUC"), area);
                if how == "time" {
                    let found = Measured::sampled(power(&did, &did_not, 0.05), did.len());
                    out.insert(
                        format!("probe {name} by {how}: found at 5 % false alarms"),
                        found,
                    );
                }
            }
        }
        for (when, late, word) in [
            ("of extents at once", false, false),
            ("of extents after 40 min", true, false),
            ("of words at once", false, true),
            ("of words after 40 min", true, true),
        ] {
            let looks = || {
                let of = move |which: &Which| (which.0, which.1) == (late, word);
                let all = self.looks.iter();
                all.filter(move |(which, look)| of(which) && look.asked > 0)
                    .map(|(_, look)| look)
            };
            let asked: usize = looks().map(|look| look.asked).sum();
            if asked == 0 {
                continue;
            }
            let lacking: usize = looks().map(|look| look.lacking.len()).sum();
            let named = |who: fn(&Look, usize) -> bool| -> usize {
                looks()
                    .map(|look| look.lacking.iter().filter(|&&node| who(look, node)).count())
                    .sum()
            };
            let is_publisher = |look: &Look, node: usize| node == look.publisher;
            let is_guard = |look: &Look, node: usize| Some(node) == look.guard;
            out.insert(
                format!("vacancies {when}: among holders asked"),
                Measured::share(lacking, asked),
            );
            out.insert(
                format!("vacancies {when}: the publisher"),
                Measured::share(named(is_publisher), lacking),
            );
            out.insert(
                format!("vacancies {when}: his guard"),
                Measured::share(named(is_guard), lacking),
            );
            // One guess a publication: any of those that lack something, by chance.
            let (mut right, mut all) = (0.0, 0usize);
            for look in looks() {
                all += 1;
                let hits = look.lacking.iter().filter(|&&node| node == look.publisher);
                right += hits.count() as f64 / look.lacking.len().max(1) as f64;
            }
            let share = right / all as f64;
            let error = (share * (1.0 - share) / all as f64).sqrt();
            out.insert(
                format!("vacancies {when}: publications whose publisher is named"),
                Measured::sampled(
                    Estimate {
                        value: share,
                        error,
                    },
                    all,
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probes of nodes that have what they did, or others no less.
    fn probed(leaks: bool) -> Measures {
        let pair = |number: usize| Pair {
            node: number,
            file: 0,
            published: false,
            answers: [
                [Some((leaks, 0.1)), Some((false, 0.12))],
                [Some((false, 0.12)), Some((false, 0.12))],
            ],
        };
        let probes = Probes {
            pairs: (0..50).map(pair).collect(),
            looks: BTreeMap::new(),
        };
        let mut out = Measures::new();
        probes.report(&mut out);
        out
    }

    #[test]
    fn what_a_node_has_of_its_own_users_deeds_is_seen() {
        assert_eq!(probed(true)["probe fetched by presence: AUC"].value, 1.0);
        assert_eq!(probed(true)["probe fetched by time: AUC"].value, 1.0);
        assert_eq!(probed(false)["probe fetched by presence: AUC"].value, 0.5);
    }
}
