//! What can be seen of a node from outside. Changes nothing.

use std::net::SocketAddr;

use oboro_crypto::ids::NodeId;

use super::Node;
use crate::ids::JobId;
use crate::stats::{Held, Standing, Stats};
use crate::time::Time;

impl Node {
    /// What has been counted so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// This node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.peers.id()
    }

    /// Where this node believes it can be reached.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.peers.addresses()
    }

    /// How many listed nodes this one knows, itself among them if it is listed.
    #[must_use]
    pub fn known(&self) -> usize {
        self.peers.view().len()
    }

    /// How things stand.
    #[must_use]
    pub fn standing(&self, now: Time) -> Standing {
        let peers = self
            .links
            .standing()
            .map(|(remote, mut standing)| {
                standing.node = self.peers.view().node_of(&remote);
                standing
            })
            .collect();
        Standing {
            view: self.peers.view().len(),
            peers,
            bootstrap: self.peers.bootstraps(),
            reachable: self.peers.reachable(),
            addresses: self.peers.addresses(),
            jobs: self.fetches.len() + self.publishes.len() + self.searches.len(),
            hops: self.circuits.hops(),
            relays: self.circuits.relays_known(self.peers.view()),
            relays_missing: self.circuits.missing(self.peers.view()),
            guard: self.circuits.guard(self.peers.view(), &self.links, now),
            circuits_ready: self.circuits.ready(),
        }
    }

    /// How much is held now for peers.
    #[must_use]
    pub fn held(&self) -> Held {
        let mut held = self.links.held();
        (held.exchanges, held.serving) = self.exchanges.count();
        let (creates, relayed, (unsent, unread)) = self.circuits.held();
        (held.creates, held.relayed) = (creates, relayed);
        held.unsent += unsent;
        held.unread += unread;
        held.puts = self.serve.puts();
        (held.upkeep, held.known) = self.upkeep.count();
        held.tickets = self.tickets.count();
        held
    }

    /// Jobs under way, for a shell that wants to wait for them.
    #[must_use]
    pub fn has_job(&self, job: JobId) -> bool {
        self.fetches.has(job) || self.publishes.has(job) || self.searches.has(job)
    }
}
