//! Whom to ask for a part: what is known of storers during one fetch, and a pure choice over it.

use std::collections::BTreeMap;

use oboro_crypto::ids::{ExtentId, Location, NetworkId, NodeId};

use crate::limits::FETCH_PARTS_PER_STORER;
use crate::peers::Unasked;
use crate::placement::{Directory, candidates};

/// How much further down the nodes of a placement stand whose nearest is not asked.
const BEHIND: usize = 8;

/// How one storer has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Record {
    /// Parts it is being asked for now.
    pub(super) asked: usize,
    /// Times it had what it was asked for.
    pub(super) had: u32,
    /// Times it had nothing.
    pub(super) lacked: u32,
    /// Times it failed, refused, or sent something wrong.
    pub(super) failed: u32,
}

impl Record {
    /// Misses and failures against successes; lower is better.
    const fn badness(&self) -> u32 {
        (self.lacked + self.failed * 4).saturating_sub(self.had / 2)
    }
}

/// A storer that may hold a part, and the location to ask it for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) node: NodeId,
    pub(super) location: Location,
    /// How far down the list of its location it stands.
    rank: usize,
}

/// What candidates are compared by, least first: suspect, rank with doubt, badness, parts asked now, chance.
type Likelihood = (bool, usize, u32, usize, u32);

/// Everybody who may hold an extent, over all its placements, each node once for each placement. Where the one to ask
/// first may not be asked, the whole placement comes last: an exit that knows the file would see from the next in the
/// line that somebody was passed over, and soon who (docs/simulation.md, table `unasked`).
pub(super) fn all(
    directory: &dyn Directory,
    network: &NetworkId,
    extent: &ExtentId,
    copies: u8,
    unasked: &Unasked,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    for index in 0..copies {
        let location = Location::of_extent(network, extent, index);
        let first = directory.nearest(&location, 1, &|_| true);
        let passed_over = first.first().is_some_and(|node| unasked.has(node));
        let behind = if passed_over { BEHIND } else { 0 };
        let nodes = candidates(directory, &location, index, &|node| unasked.has(node));
        found.extend(nodes.into_iter().enumerate().map(|(rank, node)| Candidate {
            node,
            location,
            rank: rank + behind,
        }));
    }
    found
}

/// The best of the candidates not tried yet: likely holders first, then those that did well and are not busy; `chance`
/// spreads equals. `None` if all have been tried or are busy (`Err` tells which: `true` if some are only busy).
pub(super) fn choose(
    candidates: &[Candidate],
    tried: &[(NodeId, Location)],
    records: &BTreeMap<NodeId, Record>,
    directory: &dyn Directory,
    chance: u32,
) -> Result<Candidate, bool> {
    let mut busy = false;
    let mut best = None;
    for (index, candidate) in candidates.iter().enumerate() {
        if tried.contains(&(candidate.node, candidate.location)) {
            continue;
        }
        let record = records.get(&candidate.node).copied().unwrap_or_default();
        if record.asked >= FETCH_PARTS_PER_STORER {
            busy = true;
            continue;
        }
        // A node that never had anything it was asked for counts as standing further down.
        let doubt = usize::from(record.had == 0 && record.lacked > 1)
            + usize::from(record.failed > record.had);
        let spread = (index as u32)
            .wrapping_mul(2_654_435_761)
            .wrapping_add(chance)
            .rotate_left(13);
        let key = (
            directory.is_suspect(&candidate.node),
            candidate.rank + doubt,
            record.badness().min(8) / 4,
            record.asked,
            spread,
        );
        if best
            .as_ref()
            .is_none_or(|(least, _): &(Likelihood, Candidate)| key < *least)
        {
            best = Some((key, *candidate));
        }
    }
    best.map(|(_, candidate)| candidate).ok_or(busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Directory for Nobody {
        fn nearest(&self, _: &Location, _: usize, _: &dyn Fn(&NodeId) -> bool) -> Vec<NodeId> {
            Vec::new()
        }

        fn is_suspect(&self, node: &NodeId) -> bool {
            node.0[0] == 9
        }

        fn storers(&self) -> usize {
            0
        }
    }

    fn candidate(node: u8, placement: u8, rank: usize) -> Candidate {
        Candidate {
            node: NodeId([node; 32]),
            location: Location([placement; 32]),
            rank,
        }
    }

    #[test]
    fn the_nearest_of_some_placement_comes_first_and_suspects_last() {
        let all = [candidate(9, 0, 0), candidate(2, 1, 1), candidate(3, 2, 0)];
        let choice = choose(&all, &[], &BTreeMap::new(), &Nobody, 7);
        assert_eq!(choice, Ok(all[2]));
        let tried = [
            (all[2].node, all[2].location),
            (all[1].node, all[1].location),
        ];
        assert_eq!(
            choose(&all, &tried, &BTreeMap::new(), &Nobody, 7),
            Ok(all[0])
        );
    }

    #[test]
    fn a_busy_storer_is_passed_over_and_reported() {
        let all = [candidate(1, 0, 0)];
        let records = BTreeMap::from([(
            all[0].node,
            Record {
                asked: FETCH_PARTS_PER_STORER,
                ..Record::default()
            },
        )]);
        assert_eq!(choose(&all, &[], &records, &Nobody, 0), Err(true));
        assert_eq!(
            choose(
                &all,
                &[(all[0].node, all[0].location)],
                &records,
                &Nobody,
                0
            ),
            Err(false)
        );
    }

    #[test]
    fn a_storer_that_keeps_failing_stands_behind_one_further_down() {
        let all = [candidate(1, 0, 0), candidate(2, 0, 1)];
        let records = BTreeMap::from([(
            all[0].node,
            Record {
                failed: 3,
                lacked: 2,
                ..Record::default()
            },
        )]);
        assert_eq!(choose(&all, &[], &records, &Nobody, 0), Ok(all[1]));
    }
}
