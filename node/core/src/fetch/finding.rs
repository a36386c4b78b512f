//! Looking for what leads to a file's parity: each of its placements asked, answers opened and checked.

use std::collections::{BTreeMap, BTreeSet};

use oboro_crypto::eris::Capability;
use oboro_crypto::ids::NodeId;
use oboro_crypto::network::{Class, Network};
use oboro_crypto::parity::Scheme;
use oboro_crypto::token::KeywordToken;

use crate::effect::{Ctx, Effect, Owner};
use crate::exchange::Answer;
use crate::ids::{Counter, ExchangeId, JobId};
use crate::limits::{FETCH_LANES, PARITIES_FOUND_MAX, PARITIES_TRIED};
use crate::peers::Peers;
use crate::query::Query;
use crate::wire::message::Reply;

/// One placement being asked.
struct Asking {
    query: Query,
    node: NodeId,
    exchange: ExchangeId,
}

/// A look for what leads to one file's parity.
pub(super) struct Finding {
    job: JobId,
    token: KeywordToken,
    /// Bytes of the parity stream: what is of another length is not this file's.
    length: u64,
    asking: BTreeMap<u64, Asking>,
    /// Capabilities, encoded, and at which placements they lay.
    found: BTreeMap<[u8; Capability::LEN], BTreeSet<u8>>,
}

impl Finding {
    /// Asks every placement at once.
    pub(super) fn begin(
        job: JobId,
        content: &Capability,
        scheme: Scheme,
        network: &Network,
        slots: &mut Counter,
        peers: &mut Peers,
        ctx: &mut Ctx<'_>,
    ) -> Self {
        let mut finding = Self {
            job,
            token: KeywordToken::of_parity(&network.id(), content),
            length: scheme.parity_length(),
            asking: BTreeMap::new(),
            found: BTreeMap::new(),
        };
        for index in 0..network.params.copies(Class::Alone) {
            let slot = slots.next();
            let query = Query::new(network, &finding.token, index);
            finding.ask(slot, query, peers, ctx);
        }
        finding
    }

    /// Whether a request is one of this.
    pub(super) fn has(&self, slot: u64) -> bool {
        self.asking.contains_key(&slot)
    }

    /// Whether everybody has answered or been given up.
    pub(super) fn is_over(&self) -> bool {
        self.asking.is_empty()
    }

    /// What was found, those last that lay at most placements; as many as are tried.
    pub(super) fn outcome(self) -> Vec<Capability> {
        let mut found: Vec<_> = self.found.into_iter().collect();
        found.sort_by_key(|(_, placements)| placements.len());
        let few = found.len().saturating_sub(PARITIES_TRIED);
        let bytes = found.into_iter().skip(few);
        bytes
            .filter_map(|(bytes, _)| Capability::from_bytes(&bytes).ok())
            .collect()
    }

    /// A storer answered.
    pub(super) fn answered(
        &mut self,
        slot: u64,
        answer: &Answer,
        network: &Network,
        slots: &mut Counter,
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
            Answer::Reply(Reply::Entries(entries, _))
                if self.take(&asking.query, entries, network, ctx) =>
            {
                peers.succeeded(&asking.node);
                return;
            }
            Answer::Reply(Reply::Nothing) => {
                peers.succeeded(&asking.node);
                asking.query.tried(asking.node);
            }
            // None of the node's fault: it is asked again through another circuit.
            Answer::Failed(trouble) if trouble.is_of_the_way() => {
                if !asking.query.lost(*trouble) {
                    return;
                }
            }
            _ => {
                peers.failed(&asking.node, ctx.now);
                asking.query.tried(asking.node);
            }
        }
        let slot = slots.next();
        self.ask(slot, asking.query, peers, ctx);
    }

    /// Drops everything under way.
    pub(super) fn stop(&self, ctx: &mut Ctx<'_>) {
        for asking in self.asking.values() {
            ctx.effect(Effect::Abort {
                exchange: asking.exchange,
            });
        }
    }

    /// Opens entries and keeps what they lead to. False if not one of them is right.
    fn take(
        &mut self,
        query: &Query,
        entries: &[Vec<u8>],
        network: &Network,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let mut right = false;
        for body in query.open(entries, &self.token, network, ctx) {
            if body.size != self.length {
                ctx.stats.violated("entry");
                continue;
            }
            right = true;
            let key = body.capability.to_bytes();
            if self.found.len() < PARITIES_FOUND_MAX || self.found.contains_key(&key) {
                self.found.entry(key).or_default().insert(query.index);
            }
        }
        right
    }

    /// Asks the best node that has not been tried; nobody if there is none.
    fn ask(&mut self, slot: u64, query: Query, peers: &mut Peers, ctx: &mut Ctx<'_>) {
        let Some(node) = query.choose(peers) else {
            return;
        };
        let owner = Owner::Fetch {
            job: self.job,
            slot,
        };
        // A way of its own: no exit sees together what leads to the parity and what the file is made of.
        let exchange = ctx.ask(owner, FETCH_LANES, node, query.request(None));
        peers.rely_on(&node, ctx);
        let asking = Asking {
            query,
            node,
            exchange,
        };
        self.asking.insert(slot, asking);
    }
}
