//! One search: a token for each term, each of its placements asked, answers opened, checked and merged.

use std::collections::BTreeMap;
use std::sync::Arc;

use oboro_crypto::ids::NodeId;
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
use crate::limits::{PAGES_MAX, SEARCH_LANES};
use crate::peers::Peers;
use crate::query::Query;
use crate::report::Report;
use crate::time::Time;
use crate::wire::message::{Cursor, Reply};

/// A placement being asked for.
struct Asking {
    term: usize,
    query: Query,
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
            self.asked += 1;
            self.ask(term, Query::new(network, &token, index), peers, ctx);
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
                    self.go_on(asking, more, ctx);
                }
            }
            Answer::Reply(Reply::Nothing) => {
                peers.succeeded(&asking.node);
                if asking.pages > 0 {
                    return;
                }
                asking.query.tried(asking.node);
                if !self.ask(asking.term, asking.query, peers, ctx) {
                    self.answered += 1;
                }
            }
            // None of the node's fault: it is asked again through another circuit, for a while.
            Answer::Failed(trouble) if trouble.is_of_the_way() && asking.query.lost(trouble) => {
                self.lost += 1;
                if asking.pages == 0 {
                    self.ask(asking.term, asking.query, peers, ctx);
                }
            }
            // Also a page without one right entry: whoever wants a word not to be found must not be the last one asked.
            _ => {
                peers.failed(&asking.node, ctx.now);
                asking.query.tried(asking.node);
                if asking.pages == 0 {
                    self.ask(asking.term, asking.query, peers, ctx);
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
        let Some(token) = self.tokens.get(asking.term).cloned().flatten() else {
            return false;
        };
        let bodies = asking.query.open(entries, &token, network, ctx);
        let (right, mut changed) = (!bodies.is_empty(), false);
        for body in bodies {
            if terms::matches(&self.query, &body.title, &body.terms) {
                changed |= self.findings.add(asking.term, asking.query.index, body);
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
    fn ask(&mut self, term: usize, query: Query, peers: &mut Peers, ctx: &mut Ctx<'_>) -> bool {
        let Some(node) = query.choose(peers) else {
            return false;
        };
        peers.rely_on(&node, ctx);
        let slot = self.slots.next();
        let exchange = ctx.ask(self.owner(slot), lane(term), node, query.request(None));
        let asking = Asking {
            term,
            query,
            node,
            exchange,
            pages: 0,
        };
        self.asking.insert(slot, asking);
        true
    }

    /// Asks the same node for the next page.
    fn go_on(&mut self, mut asking: Asking, after: Option<Cursor>, ctx: &mut Ctx<'_>) {
        let slot = self.slots.next();
        let request = asking.query.request(after);
        asking.exchange = ctx.ask(self.owner(slot), lane(asking.term), asking.node, request);
        self.asking.insert(slot, asking);
    }

    const fn owner(&self, slot: u64) -> Owner {
        Owner::Search {
            job: self.job,
            slot,
        }
    }
}

/// Each word has circuits of its own, so that no exit sees the words of one question together.
fn lane(term: usize) -> u32 {
    u32::try_from(term).unwrap_or(0) % SEARCH_LANES
}
