//! Asking other storers what they keep: many locations in one request, a few nodes at once.

use std::collections::{BTreeMap, BTreeSet};

use oboro_crypto::ids::{Location, NodeId};

use super::{Answer, Ctx, ExchangeId, Peers, Request, State, Upkeep};
use crate::limits::UPKEEP_ASKS;
use crate::wire::message::{Refusal, Reply, TALLIES_MAX};

/// A question to one node.
pub(super) struct Asking {
    exchange: ExchangeId,
    target: NodeId,
    wants: Vec<u64>,
}

impl Upkeep {
    /// Finds a node for every want that is due, and asks as many as may be asked at once.
    pub(super) fn ask_due(&mut self, peers: &mut Peers, ctx: &mut Ctx<'_>) {
        if self.asking.len() >= UPKEEP_ASKS {
            return;
        }
        let sight = self.sight(peers, ctx);
        let due = self
            .wants
            .iter()
            .filter_map(|(&id, want)| match want.state {
                State::Due(at) if at <= ctx.now => Some((id, want.target(&sight, &self.own))),
                _ => None,
            });
        let mut groups: BTreeMap<NodeId, Vec<u64>> = BTreeMap::new();
        for (id, target) in due.collect::<Vec<_>>() {
            let known = |target: &NodeId, key| self.memory.has(target, key, ctx.now);
            let key = self.wants.get(&id).map_or(0, super::Want::key);
            match target.filter(|target| !known(target, key)) {
                Some(target) => groups.entry(target).or_default().push(id),
                None => drop(self.wants.remove(&id)),
            }
        }
        let busy: BTreeSet<NodeId> = self.asking.values().map(|asking| asking.target).collect();
        for (target, mut wants) in groups {
            if self.asking.len() >= UPKEEP_ASKS {
                return;
            }
            if !busy.contains(&target) {
                wants.truncate(TALLIES_MAX);
                self.ask(target, wants, peers, ctx);
            }
        }
    }

    fn ask(&mut self, target: NodeId, wants: Vec<u64>, peers: &mut Peers, ctx: &mut Ctx<'_>) {
        let mut locations: Vec<Location> = Vec::with_capacity(wants.len());
        for id in &wants {
            if let Some(want) = self.wants.get_mut(id) {
                want.state = State::Asked;
                locations.push(want.location());
            }
        }
        ctx.stats.upkeep.asked += locations.len() as u64;
        let slot = self.names.next();
        let exchange = Self::request(slot, target, Request::Tally(locations), ctx);
        peers.rely_on(&target, ctx);
        self.asking.insert(
            slot,
            Asking {
                exchange,
                target,
                wants,
            },
        );
    }

    /// A node says what it keeps, or does not.
    pub(super) fn told(&mut self, asking: Asking, answer: Answer, ctx: &mut Ctx<'_>) {
        let Asking {
            exchange,
            target,
            wants,
        } = asking;
        Self::finish(exchange, ctx);
        match answer {
            Answer::Reply(Reply::Tallies(tallies)) if tallies.len() == wants.len() => {
                self.memory.succeeded(&target);
                for (id, tally) in wants.into_iter().zip(tallies) {
                    let Some(want) = self.wants.get_mut(&id) else {
                        continue;
                    };
                    if want.is_met_by(tally) {
                        self.settled(id, &target, ctx);
                    } else {
                        want.state = State::Missing(target);
                    }
                }
            }
            Answer::Reply(Reply::Refused(cause, _)) => {
                ctx.stats.upkeep.refused += 1;
                for id in wants {
                    match cause {
                        Refusal::Busy => self.again(id, ctx),
                        _ => self.passed_over(id, target, ctx),
                    }
                }
            }
            _ => {
                ctx.stats.upkeep.failed += 1;
                self.memory.failed(&target, 1, ctx.now);
                wants.into_iter().for_each(|id| self.again(id, ctx));
            }
        }
    }
}
