//! What is counted while a world runs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::START;
use super::crowd::Grown;
use super::machine::Totals;
use super::oracle::Look;
use crate::measured::Measures;
use crate::report::{Deeds, Growth, Linkage, Report, Storage, Traffic};
use crate::scenario::{Fidelity, Scenario};

/// One sort of job.
#[derive(Default)]
pub(super) struct Sort {
    pub(super) begun: u64,
    took: Vec<Duration>,
    failures: BTreeMap<String, u64>,
}

impl Sort {
    pub(super) fn done(&mut self, took: Duration) {
        self.took.push(took);
    }

    pub(super) fn failed(&mut self, why: &str) {
        *self.failures.entry(why.to_owned()).or_default() += 1;
    }

    fn report(&self) -> Deeds {
        let mut took = self.took.clone();
        took.sort_unstable();
        let at = |share: f64| {
            let index = ((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1));
            took.get(index)
                .map_or(0.0, |took| round(took.as_secs_f64()))
        };
        let failed: u64 = self.failures.values().sum();
        let over = took.len() as u64 + failed;
        Deeds {
            begun: self.begun,
            done: took.len() as u64,
            failed: self.failures.clone(),
            share: if over == 0 {
                None
            } else {
                Some(round(took.len() as f64 / over as f64))
            },
            median_secs: at(0.5),
            p95_secs: at(0.95),
        }
    }
}

/// Everything.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) published: Sort,
    pub(super) fetched: Sort,
    pub(super) searched: Sort,
    pub(super) corrupt: u64,
    interrupted: u64,
    waited: u64,
    records: u64,
    looks: Vec<Look>,
    grown: Vec<Grown>,
}

impl Tally {
    pub(super) fn interrupted(&mut self, jobs: usize) {
        self.interrupted += jobs as u64;
    }

    pub(super) const fn waited(&mut self) {
        self.waited += 1;
    }

    pub(super) fn sent(&mut self, records: usize) {
        self.records += records as u64;
    }

    /// Records on all links, and fetches done.
    pub(super) const fn delivered(&self) -> (u64, usize) {
        (self.records, self.fetched.took.len())
    }

    pub(super) fn looked(&mut self, look: Look) {
        self.looks.push(look);
    }

    pub(super) fn grown(&mut self, grown: Grown) {
        self.grown.push(grown);
    }

    /// When views held so much of what there is, and what a node had sent by then, in MB.
    fn grew_to(&self, share: f64) -> Option<(f64, f64)> {
        let grown = self.grown.iter().find(|grown| grown.share >= share)?;
        let minutes = grown.at.since(START).as_secs_f64() / 60.0;
        Some((round(minutes), round(grown.sent / 1e6)))
    }

    pub(super) fn report(
        &self,
        scenario: &Scenario,
        totals: &Totals,
        (view, up): (usize, usize),
        (steps, events): (u64, u64),
        (linkage, measured): (Option<Linkage>, Measures),
    ) -> Report {
        let share = |part: usize, whole: usize| round(part as f64 / whole.max(1) as f64);
        let with_files = || self.looks.iter().filter(|look| look.files > 0);
        let last = self.looks.last().copied().unwrap_or_default();
        let record = oboro_crypto::record::RECORD_WIRE as f64;
        let seconds = totals.seconds.max(1) as f64;
        let [own, relay, storage, control] = totals
            .by_class
            .map(|bytes| round(bytes as f64 / seconds / 1000.0));
        let mut report = Report {
            scenario: scenario.name.clone(),
            fidelity: scenario.fidelity,
            seed: scenario.seed,
            nodes: scenario.nodes,
            minutes: scenario.minutes,
            publish: self.published.report(),
            fetch: self.fetched.report(),
            search: self.searched.report(),
            corrupt: self.corrupt,
            interrupted: self.interrupted,
            waited_for_guard: self.waited,
            storage: Storage {
                files: last.files,
                available_least: with_files()
                    .map(|look| share(look.whole, look.files))
                    .fold(1.0, f64::min),
                available_mean: round(
                    with_files()
                        .map(|look| look.whole as f64 / look.files as f64)
                        .sum::<f64>()
                        / with_files().count().max(1) as f64,
                ),
                replicas: share(last.placements, last.wanted),
                replicas_least: with_files()
                    .map(|look| share(look.placements, look.wanted))
                    .fold(1.0, f64::min),
                fewest: last.fewest,
            },
            traffic: Traffic {
                records: self.records,
                node_kb_per_sec: round(totals.records_out as f64 * record / seconds / 1000.0),
                own,
                relay,
                storage,
                control,
            },
            circuits_built: totals.circuits_built,
            circuits_failed: totals
                .circuits_failed
                .iter()
                .map(|(cause, count)| ((*cause).to_owned(), *count))
                .collect(),
            causes: totals.causes.clone(),
            linkage,
            machines: (scenario.fidelity == Fidelity::Crowd).then(|| scenario.machines()),
            growth: (!self.grown.is_empty()).then(|| Growth {
                half: self.grew_to(0.5),
                nearly: self.grew_to(0.99),
                full: self.grew_to(0.999),
            }),
            measured,
            view_mean: round(view as f64 / up.max(1) as f64),
            up_at_end: up,
            steps,
            events,
            missed: Vec::new(),
        };
        report.judge(&scenario.expect);
        report
    }
}

/// Four digits behind the point: what is compared must not depend on the last bit.
fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
