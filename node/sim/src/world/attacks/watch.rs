//! Who watches lines: when records pass on the lines of some nodes, and how many. All are of one size, and what is in
//! them is sealed. From a known file's storers he looks for the line on which as much arrives a little later and stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use oboro_core::Time;
use oboro_crypto::ids::distance;

use super::super::{World, chance};
use crate::measured::{Measured, Measures};
use crate::models::measure::auc;

/// Into which time is cut.
const BIN: u64 = 100_000;
/// What arrives so many pieces of time after it left still belongs to it.
const LAG: u64 = 15;
/// How much longer than the fetch he looks.
const AFTER: Duration = Duration::from_millis(500);
/// Wins need a best guess; the area needs some of the others.
const OTHERS: usize = 5;

/// A fetch as it was.
struct Fetched {
    client: usize,
    file: usize,
    begun: Time,
    ended: Time,
}

/// What is watched, and the truth.
#[derive(Default)]
pub(super) struct Watch {
    lines: BTreeSet<usize>,
    /// By node and piece of time: records in, less records out.
    net: BTreeMap<(usize, u64), i32>,
    fetches: Vec<Fetched>,
}

impl World {
    /// Chooses whose lines are watched.
    pub(in crate::world) fn begin_watch(&mut self) {
        let wanted = (self.scenario.watched * self.machines.len() as f64).round() as usize;
        while self.attacks.watch.lines.len() < wanted {
            let index = chance::below(&mut self.attacks.rng, self.machines.len());
            self.attacks.watch.lines.insert(index);
        }
    }

    /// Records go from one node to another.
    pub(in crate::world) fn watch(&mut self, from: usize, to: usize, records: usize, at: Time) {
        let watch = &mut self.attacks.watch;
        let records = i32::try_from(records).unwrap_or(i32::MAX);
        for (node, when, count) in [(from, self.now, -records), (to, at, records)] {
            if watch.lines.contains(&node) {
                *watch.net.entry((node, when.0 / BIN)).or_default() += count;
            }
        }
    }

    pub(in crate::world) fn watched_fetch(&mut self, client: usize, file: usize, begun: Time) {
        if !self.attacks.watch.lines.is_empty() && self.machines[client].kind.is_none() {
            self.attacks.watch.fetches.push(Fetched {
                client,
                file,
                begun,
                ended: self.now + AFTER,
            });
        }
    }

    pub(super) fn report_watch(&self, out: &mut Measures) {
        let watch = &self.attacks.watch;
        if watch.lines.is_empty() {
            return;
        }
        let mut rng = chance::source(self.scenario.seed, "guess", 0);
        let (mut both, mut named) = (0usize, 0usize);
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for fetch in &watch.fetches {
            let storers = self.watched_storers(fetch.file);
            if storers.is_empty() {
                continue;
            }
            let sent = watch.sent(&storers, fetch);
            if sent.values().sum::<f64>() == 0.0 {
                continue;
            }
            let scores: Vec<(usize, f64)> = watch
                .lines
                .iter()
                .filter(|node| !storers.contains(node))
                .map(|&node| (node, watch.score(node, &sent)))
                .collect();
            let top = scores.iter().map(|(_, score)| *score).fold(0.0, f64::max);
            let best: Vec<usize> = scores
                .iter()
                .filter(|(_, score)| *score == top)
                .map(|(node, _)| *node)
                .collect();
            let guess = best.get(chance::below(&mut rng, best.len()));
            named += usize::from(guess == Some(&fetch.client));
            if let Some((_, score)) = scores.iter().find(|(node, _)| *node == fetch.client) {
                both += 1;
                own.push(*score);
                for _ in 0..OTHERS {
                    let (node, score) = scores[chance::below(&mut rng, scores.len())];
                    if node != fetch.client {
                        others.push(score);
                    }
                }
            }
        }
        let all = watch.fetches.len();
        for (name, is) in [
            ("lines", Measured::exact(watch.lines.len() as f64, 1)),
            (
                "fetches of which both ends are seen",
                Measured::share(both, all),
            ),
            ("clients named", Measured::share(named, all)),
            (
                "clients named of those seen at both ends",
                Measured::share(named, both),
            ),
            (
                "clients named by chance",
                Measured::share(1, watch.lines.len()),
            ),
            ("AUC", Measured::sampled(auc(&own, &others), own.len())),
        ] {
            out.insert(format!("watch: {name}"), is);
        }
    }

    /// Those of the nodes that hold a file, by a view without fault, whose lines are watched.
    fn watched_storers(&self, file: usize) -> BTreeSet<usize> {
        let mut storers = BTreeSet::new();
        for extent in 0..self.files[file].extents.len() {
            for index in 0..self.copies(file, extent) {
                let Some(location) = self.location(file, extent, index) else {
                    continue;
                };
                let far = |&node: &usize| {
                    distance(self.machines[node].id.as_bytes(), location.as_bytes())
                };
                let nearest = (0..self.machines.len()).min_by_key(far);
                storers.extend(nearest.filter(|node| self.attacks.watch.lines.contains(node)));
            }
        }
        storers
    }
}

impl Watch {
    /// What storers sent more than they got, by piece of time, while a fetch went on.
    fn sent(&self, storers: &BTreeSet<usize>, fetch: &Fetched) -> BTreeMap<u64, f64> {
        let mut sent = BTreeMap::new();
        for &storer in storers {
            let from = (storer, fetch.begun.0 / BIN);
            let until = (storer, fetch.ended.0 / BIN);
            for ((_, bin), net) in self.net.range(from..=until) {
                if *net < 0 {
                    *sent.entry(*bin).or_default() -= f64::from(*net);
                }
            }
        }
        sent
    }

    /// How much stayed at a node a little after as much had left the storers: the best of all lags.
    fn score(&self, node: usize, sent: &BTreeMap<u64, f64>) -> f64 {
        let at = |lag: u64| -> f64 {
            let all = sent.iter().map(|(bin, count)| {
                let net = self.net.get(&(node, bin + lag)).copied().unwrap_or(0);
                count.min(f64::from(net.max(0)))
            });
            all.sum()
        };
        // A window of three pieces of time for each lag: not everything takes equally long.
        (0..LAG)
            .map(|lag| at(lag) + at(lag + 1) + at(lag + 2))
            .fold(0.0, f64::max)
    }
}
