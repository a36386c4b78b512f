//! One search: a token for each term, each of its placements asked, answers opened, checked and merged.

use std::collections::BTreeMap;
use std::sync::Arc;

use oboro_crypto::entry::SealedEntry;
use oboro_crypto::ids::{Location, NodeId};
use oboro_crypto::network::Network;
use oboro_crypto::terms::{self, Term};
use oboro_crypto::token::KeywordToken;

use super::rank::Findings;
use crate::action::Task;
use crate::effect::{Ctx, Effect, Owner, Waiting};
use crate::event::Computed;
use crate::exchange::Answer;
use crate::failure::Failure;
use crate::ids::{Counter, ExchangeId, JobId};
use crate::limits::{PAGES_MAX, QUERY_FEW, QUERY_TRIES, SEARCH_LANES};
use crate::losses::Losses;
use crate::peers::Peers;
use crate::placement::{Directory, candidates};
use crate::report::Report;
use crate::time::Time;
use crate::wire::message::{Cursor, ENTRIES_MAX, Reply, Request};

/// One placement of one term, and whom it has been looked for at.
struct Placement {
    term: usize,
    index: u8,
    location: Location,
    tried: Vec<NodeId>,
    /// Circuits that failed under it.
    losses: Losses,
}

/// A placement being asked for.
struct Asking {
    placement: Placement,
    node: NodeId,
    exchange: ExchangeId,
    pages: u32,
}

/// A search under way.
pub(super) struct SearchJob {
    job: JobId,
    query: String,
    until: Time,
    tokens: Vec<Option<Arc<KeywordToken>>>,
    /// Terms whose tokens are being derived, by slot.
    deriving: BTreeMap<u64, usize>,
    asking: BTreeMap<u64, Asking>,
    slots: Counter,
    findings: Findings,
    asked: u32,
    answered: u32,
    /// Questions lost with their circuits.
    lost: u32,
}

impl SearchJob {
    /// Begins with the terms of the words; `Err` if there are none.
    pub(super) fn begin(
        job: JobId,
        words: &[String],
        until: Time,
        ctx: &mut Ctx<'_>,
    ) -> Result<Self, Failure> {
        let query = words.join(" ");
        let terms: Vec<Term> = terms::of_query(&query);
        if terms.is_empty() {
            return Err(Failure::NoTerms);
        }
        let mut search = Self {
            job,
            query,
            until,
            tokens: terms.iter().map(|_| None).collect(),
            deriving: BTreeMap::new(),
            asking: BTreeMap::new(),
            slots: Counter::default(),
            findings: Findings::default(),
            asked: 0,
            answered: 0,
            lost: 0,
        };
        for (index, term) in terms.into_iter().enumerate() {
            let slot = search.slots.next();
            search.deriving.insert(slot, index);
            ctx.compute(Waiting::Client(search.owner(slot)), Task::Token(term));
        }
        Ok(search)
    }

    /// A token is ready: its placements are asked.
    pub(super) fn computed(
        &mut self,
        slot: u64,
        outcome: Computed,
        network: &Network,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(term) = self.deriving.remove(&slot) else {
            return;
        };
        let Computed::Token(token) = outcome else {
            return;
        };
        for index in 0..network.params.replicas {
            let location = Location::of_entry(&network.id(), &token.location_key(), index);
            self.asked += 1;
            let placement = Placement {
                term,
                index,
                location,
                tried: Vec::new(),
                losses: Losses::default(),
            };
            self.ask(placement, peers, ctx);
        }
        self.tokens[term] = Some(token);
    }

    /// A storer answered.
    pub(super) fn answered(
        &mut self,
        slot: u64,
        answer: Answer,
        network: &Network,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(mut asking) = self.asking.remove(&slot) else {
            return;
        };
        ctx.effect(Effect::Finish {
            exchange: asking.exchange,
        });
        match answer {
            Answer::Reply(Reply::Entries(entries, more))
                if self.take(&asking, &entries, network, ctx) =>
            {
                peers.succeeded(&asking.node);
                if asking.pages == 0 {
                    self.answered += 1;
                }
                asking.pages += 1;
                if more.is_some() && asking.pages < PAGES_MAX {
                    self.query((asking.placement, asking.node, asking.pages), more, ctx);
                }
            }
            Answer::Reply(Reply::Nothing) => {
                peers.succeeded(&asking.node);
                if asking.pages > 0 {
                    return;
                }
                asking.placement.tried.push(asking.node);
                if !self.ask(asking.placement, peers, ctx) {
                    self.answered += 1;
                }
            }
            // None of the node's fault: it is asked again through another circuit, for a while.
            Answer::Failed(trouble)
                if trouble.is_of_the_way() && asking.placement.losses.again(trouble) =>
            {
                self.lost += 1;
                if asking.pages == 0 {
                    self.ask(asking.placement, peers, ctx);
                }
            }
            // Also a page without one right entry: whoever wants a word not to be found must not be the last one asked.
            _ => {
                peers.failed(&asking.node, ctx.now);
                asking.placement.tried.push(asking.node);
                if asking.pages == 0 {
                    self.ask(asking.placement, peers, ctx);
                }
            }
        }
    }

    /// Whether everything asked is answered, or time is up.
    pub(super) fn is_over(&self, now: Time) -> bool {
        (self.deriving.is_empty() && self.asking.is_empty()) || now >= self.until
    }

    pub(super) const fn until(&self) -> Time {
        self.until
    }

    /// Ends it and says what there is.
    pub(super) fn finish(&mut self, peers: &Peers, ctx: &mut Ctx<'_>) {
        self.stop(ctx);
        for _ in 0..self.findings.dropped() {
            ctx.stats.dropped("hits");
        }
        let failure = if !self.findings.is_empty() {
            None
        } else if !peers.knows_others() {
            Some(Failure::NotJoined)
        } else if self.answered == 0 {
            Some(peers.no_route(ctx.route(self.job).hops, self.lost))
        } else {
            Some(Failure::NotFound)
        };
        // Also when nothing was found: how many were asked says what that is worth.
        self.report(failure.is_none(), ctx);
        if let Some(failure) = failure {
            ctx.report(self.job, Report::Failed(failure));
        }
    }

    pub(super) fn stop(&mut self, ctx: &mut Ctx<'_>) {
        for asking in std::mem::take(&mut self.asking).into_values() {
            ctx.effect(Effect::Abort {
                exchange: asking.exchange,
            });
        }
        self.deriving.clear();
    }

    /// Opens entries, keeps those that are what was asked for. False if not one of them is an entry for the term.
    fn take(
        &mut self,
        asking: &Asking,
        entries: &[Vec<u8>],
        network: &Network,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let Some(token) = self.tokens.get(asking.placement.term).cloned().flatten() else {
            return false;
        };
        let (mut right, mut changed) = (false, false);
        for bytes in entries {
            let checked = SealedEntry::decode(bytes).ok().filter(|entry| {
                entry.location(&network.id()) == asking.placement.location
                    && entry.check(network, ctx.now.day()).is_ok()
            });
            let Some(body) = checked.and_then(|entry| entry.open(&token).ok()) else {
                ctx.stats.violated("entry");
                continue;
            };
            right = true;
            if terms::matches(&self.query, &body.title, &body.terms) {
                changed |= self
                    .findings
                    .add(asking.placement.term, asking.placement.index, body);
            }
        }
        if changed {
            self.report(false, ctx);
        }
        right
    }

    fn report(&self, last: bool, ctx: &mut Ctx<'_>) {
        let hits = self.findings.ranked();
        let route = ctx.route(self.job);
        ctx.report(
            self.job,
            Report::Found {
                hits,
                asked: self.asked,
                answered: self.answered,
                last,
                route,
            },
        );
    }

    /// Asks the best node not tried yet. False if there is none, or enough have been asked.
    fn ask(&mut self, placement: Placement, peers: &mut Peers, ctx: &mut Ctx<'_>) -> bool {
        let unasked = peers.unasked();
        let Placement { index, tried, .. } = &placement;
        if tried.len() >= tries(*index, peers.view()) {
            return false;
        }
        let without = |node: &NodeId| unasked.has(node) || tried.contains(node);
        let acceptable = candidates(peers.view(), &placement.location, *index, &without);
        let Some(&node) = acceptable.first() else {
            return false;
        };
        peers.rely_on(&node, ctx);
        self.query((placement, node, 0), None, ctx);
        true
    }

    /// Asks a node for a page of a placement, of which it has given so many.
    fn query(
        &mut self,
        (placement, node, pages): (Placement, NodeId, u32),
        after: Option<Cursor>,
        ctx: &mut Ctx<'_>,
    ) {
        let slot = self.slots.next();
        let owner = self.owner(slot);
        let request = Request::Query {
            location: placement.location,
            after,
            max: u8::try_from(ENTRIES_MAX).unwrap_or(u8::MAX),
        };
        let exchange = ctx.ask(owner, lane(placement.term), node, request);
        let asking = Asking {
            placement,
            node,
            exchange,
            pages,
        };
        self.asking.insert(slot, asking);
    }

    const fn owner(&self, slot: u64) -> Owner {
        Owner::Search {
            job: self.job,
            slot,
        }
    }
}

/// How many nodes are asked for a placement. Where storers are few, the nodes nearest to a later placement hold earlier ones
/// of the same word, and it lies further down.
fn tries(index: u8, directory: &dyn Directory) -> usize {
    let taken = if directory.storers() < QUERY_FEW {
        usize::from(index)
    } else {
        0
    };
    QUERY_TRIES + taken
}

/// Each word has circuits of its own, so that no exit sees the words of one question together.
fn lane(term: usize) -> u32 {
    u32::try_from(term).unwrap_or(0) % SEARCH_LANES
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Storers(usize);

    impl Directory for Storers {
        fn nearest(&self, _: &Location, _: usize, _: &dyn Fn(&NodeId) -> bool) -> Vec<NodeId> {
            Vec::new()
        }

        fn is_suspect(&self, _: &NodeId) -> bool {
            false
        }

        fn storers(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn later_placements_are_looked_for_further_down_where_storers_are_few() {
        let asked = |storers| [0, 1, 4].map(|index| tries(index, &Storers(storers)));
        assert_eq!(asked(8), [3, 4, 7]);
        assert_eq!(asked(10_000), [3, 3, 3]);
    }
}
