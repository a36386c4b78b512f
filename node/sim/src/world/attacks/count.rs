//! Those who count requests by the node they come from, as Levine's observer does: a storer sees the exit, and takes
//! it for who asks.

use std::collections::BTreeMap;

use oboro_core::action::StoreRequest;

use super::super::World;
use crate::measured::{Measured, Measures};
use crate::models::measure::{auc, power};
use crate::scenario::Kind;

/// Requests by the node they came from and the file they were for.
pub(super) type Counts = BTreeMap<(usize, usize), u32>;

impl World {
    /// A storer was asked for something: one that writes it down does.
    pub(in crate::world) fn count(&mut self, storer: usize, request: &StoreRequest) {
        let counts = matches!(
            self.machines[storer].kind,
            Some(Kind::Counter | Kind::Crawler)
        );
        let StoreRequest::Extent(location) = request else {
            return;
        };
        if !counts {
            return;
        }
        let from = self.over.and_then(|link| Some(self.links.get(link)?.other));
        if let (Some(from), Some(file)) = (from, self.oracle.file_at(location)) {
            *self.attacks.counts.entry((from, file)).or_default() += 1;
        }
    }

    pub(super) fn report_counts(&self, out: &mut Measures) {
        let counted = |hostile: &crate::scenario::Hostile| {
            matches!(hostile.kind, Kind::Counter | Kind::Crawler)
        };
        if !self.scenario.hostile.iter().any(counted) {
            return;
        }
        let (mut did, mut did_not) = (Vec::new(), Vec::new());
        let (mut claimed, mut right) = (0, 0);
        for (node, file) in self.pairs() {
            let count = self.attacks.counts.get(&(node, file)).copied();
            let count = f64::from(count.unwrap_or_default());
            let deed = self.attacks.deeds.contains_key(&(node, file));
            if deed { &mut did } else { &mut did_not }.push(count);
            claimed += usize::from(count > 0.0);
            right += usize::from(count > 0.0 && deed);
        }
        let all = did.len() + did_not.len();
        for (name, is) in [
            ("AUC", Measured::sampled(auc(&did, &did_not), did.len())),
            (
                "found at 5 % false alarms",
                Measured::sampled(power(&did, &did_not, 0.05), did.len()),
            ),
            (
                "askers named that are right",
                Measured::share(right, claimed),
            ),
            (
                "askers named by chance that are right",
                Measured::share(did.len(), all),
            ),
        ] {
            out.insert(format!("count: {name}"), is);
        }
    }

    /// All pairs of an honest node and a published file.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let honest = (0..self.machines.len()).filter(|&node| self.machines[node].kind.is_none());
        let published = |file: &usize| self.files[*file].capability.is_some();
        honest.flat_map(move |node| {
            (0..self.files.len())
                .filter(published)
                .map(move |file| (node, file))
        })
    }
}
