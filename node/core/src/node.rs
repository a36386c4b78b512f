//! The root: takes events apart, hands them to the machines, carries effects between them. Holds no protocol rule.

use std::collections::VecDeque;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::sync::Arc;

use crate::action::{Outbox, StoreRequest};
use crate::carriage::Carriage;
use crate::circuit::{Circuits, Setting};
use crate::command::Command;
use crate::config::Config;
use crate::effect::{Ctx, Effect, Owner, Routes, Tickets, Waiting};
use crate::event::{Computed, Event, StoreOutcome};
use crate::exchange::Exchanges;
use crate::fetch::Fetches;
use crate::ids::{Counter, JobId};
use crate::link::Links;
use crate::onion::OnionKeys;
use crate::peers::{Own, Peers};
use crate::publish::{Publishes, Wish};
use crate::report::Report;
use crate::search::Searches;
use crate::serve::Serve;
use crate::stats::Stats;
use crate::time::Time;
use crate::upkeep::Upkeep;

/// What carries streams.
macro_rules! carriage {
    ($node:ident) => {
        &mut Carriage {
            links: &mut $node.links,
            circuits: &mut $node.circuits,
            view: $node.peers.view(),
        }
    };
}

/// The machines and what they share during one event.
macro_rules! ctx {
    ($node:ident, $now:expr, $out:expr) => {
        Ctx {
            now: $now,
            rng: &mut $node.rng,
            stats: &mut $node.stats,
            effects: &mut $node.effects,
            exchanges: &mut $node.exchange_names,
            routes: &$node.routes,
            tickets: &mut $node.tickets,
            out: $out,
        }
    };
}

mod carry;
mod observe;

/// Why a node wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Links: silence, idleness.
    Links,
    /// Circuits: those that do not hold, those that are to be built.
    Circuits,
    /// Exchanges that run out of patience.
    Exchanges,
    /// Membership: gossip, neighbours, the own descriptor.
    Peers,
    /// A fetch tries again.
    Fetch,
    /// A publication tries again.
    Publish,
    /// A search is over.
    Search,
    /// What is kept is looked through.
    Upkeep,
    /// A new day: what has expired goes.
    Day,
}

/// One node of the network.
pub struct Node {
    links: Links,
    circuits: Circuits,
    exchanges: Exchanges,
    peers: Peers,
    serve: Serve,
    fetches: Fetches,
    publishes: Publishes,
    searches: Searches,
    upkeep: Upkeep,
    provider: Arc<dyn oboro_crypto::provider::Provider>,
    rng: ChaCha20Rng,
    stats: Stats,
    effects: VecDeque<Effect>,
    exchange_names: Counter,
    routes: Routes,
    tickets: Tickets,
    day: u32,
    started: bool,
}

impl Node {
    /// A node that has not done anything yet. Everything random in it comes from `seed`.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Time) -> Self {
        let network = config.network;
        // The same seed, but a stream that nothing else draws from.
        let mut upkeep_rng = ChaCha20Rng::from_seed(seed);
        upkeep_rng.set_stream(1);
        let id = network.id();
        let provider = config.provider;
        let onion = config.onion.public();
        let onions = Arc::new(OnionKeys {
            current: config.onion,
            previous: config.onion_previous,
        });
        let setting = Setting {
            network: id,
            provider: Arc::clone(&provider),
            own_id: config.id,
            onions: Arc::clone(&onions),
            hops: network.params.hops,
            guards: config.guards,
        };
        let own = Own {
            id: config.id,
            link: config.link,
            onion,
            identity: config.identity,
            network: id,
            local: network.params.local,
            listed: config.listed,
            storage: config.storage,
            configured: config.addresses,
            port: config.listen_port,
        };
        Self {
            links: Links::new(config.link),
            peers: Peers::new(own, config.bootstrap, Arc::clone(&provider), now),
            serve: Serve::new(network.duplicate(), config.storage),
            fetches: Fetches::new(network.duplicate(), Arc::clone(&provider)),
            publishes: Publishes::new(network.duplicate(), Arc::clone(&provider)),
            upkeep: Upkeep::new(
                network.duplicate(),
                config.id,
                config.storage && config.listed,
                Arc::clone(&provider),
                upkeep_rng,
            ),
            searches: Searches::new(network),
            exchanges: Exchanges::new(id, Arc::clone(&provider), onions),
            circuits: Circuits::new(setting, now),
            provider,
            rng: ChaCha20Rng::from_seed(seed),
            stats: Stats::default(),
            effects: VecDeque::new(),
            exchange_names: Counter::default(),
            routes: Routes::default(),
            tickets: Tickets::default(),
            day: 0,
            started: false,
        }
    }

    /// Takes one event. Afterwards everything to do is in `out`. The first event of all starts the node.
    pub fn handle(&mut self, now: Time, event: Event, out: &mut Outbox) {
        self.peers.set_now(now);
        let guarding = self.circuits.guarding(self.peers.view(), now);
        self.peers.set_circuits(guarding);
        if !self.started {
            self.started = true;
            let mut ctx = ctx!(self, now, out);
            ctx.store(Waiting::Descriptors, StoreRequest::Descriptors);
        }
        match event {
            Event::LinkUp {
                link,
                remote,
                address,
                dial,
            } => {
                let events = self
                    .links
                    .up(link, remote, address, dial, &mut ctx!(self, now, out));
                self.link_events(events, now, out);
            }
            Event::DialFailed { dial, cause: _ } => {
                let events = self.links.dial_failed(dial, &mut ctx!(self, now, out));
                self.link_events(events, now, out);
            }
            Event::LinkDown { link } => {
                let events = self.links.down(link, &mut ctx!(self, now, out));
                self.link_events(events, now, out);
            }
            Event::Records { link, plain } => {
                let events = self.links.records(link, &plain, &mut ctx!(self, now, out));
                self.link_events(events, now, out);
            }
            Event::Writable { link, records } => self.links.writable(link, records),
            Event::Stored { ticket, outcome } => {
                if let Some(waiting) = self.tickets.redeem(ticket) {
                    self.stored(waiting, outcome, now, out);
                }
            }
            Event::Computed { ticket, outcome } => {
                if let Some(waiting) = self.tickets.redeem(ticket) {
                    self.computed(waiting, outcome, now, out);
                }
            }
            Event::Source { job, event } => {
                self.publishes
                    .source(job, event, &mut self.peers, &mut ctx!(self, now, out));
            }
            Event::Sink { job, event } => {
                self.fetches
                    .sink(job, &event, &mut self.peers, &mut ctx!(self, now, out));
            }
            Event::Command(command) => self.command(command, now, out),
            Event::Deadline => {}
        }
        self.due(now, out);
        self.settle(now, out);
    }

    /// When this node wants to be woken at the latest, and why.
    #[must_use]
    pub fn deadline(&self) -> Option<(Time, Why)> {
        let tomorrow = Time::from_secs((u64::from(self.day) + 1) * 86_400);
        [
            self.links.deadline().map(|at| (at, Why::Links)),
            self.circuits.deadline().map(|at| (at, Why::Circuits)),
            self.exchanges.deadline().map(|at| (at, Why::Exchanges)),
            Some((self.peers.deadline(), Why::Peers)),
            self.fetches.deadline().map(|at| (at, Why::Fetch)),
            self.publishes.deadline().map(|at| (at, Why::Publish)),
            self.searches.deadline().map(|at| (at, Why::Search)),
            self.upkeep.deadline().map(|at| (at, Why::Upkeep)),
            Some((tomorrow, Why::Day)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether a job may begin; if not, its user is told.
    fn may_begin(&mut self, job: JobId, fewer: bool, now: Time, out: &mut Outbox) -> bool {
        let (fetches, publishes, searches) = (&self.fetches, &self.publishes, &self.searches);
        self.routes
            .retain(|&job, _| fetches.has(job) || publishes.has(job) || searches.has(job));
        let view = self.peers.view();
        let begun = self.circuits.begin(job, fewer, view);
        let route = self.circuits.route(job, view, now);
        self.routes.insert(job, route);
        if let Err(failure) = begun {
            ctx!(self, now, out).report(job, Report::Failed(failure));
        }
        begun.is_ok()
    }

    fn command(&mut self, command: Command, now: Time, out: &mut Outbox) {
        let wish = match &command {
            Command::Publish {
                job, fewer_hops, ..
            }
            | Command::Search {
                job, fewer_hops, ..
            }
            | Command::Fetch {
                job, fewer_hops, ..
            } => Some((*job, *fewer_hops)),
            Command::Cancel { .. } | Command::Join { .. } => None,
        };
        if let Some((job, fewer)) = wish
            && !self.may_begin(job, fewer, now, out)
        {
            return;
        }
        let mut ctx = ctx!(self, now, out);
        match command {
            Command::Publish {
                job,
                title,
                size,
                kind,
                terms,
                extra,
                fewer_hops: _,
            } => {
                self.publishes.begin(
                    job,
                    Wish {
                        title,
                        size,
                        kind,
                        terms,
                        extra,
                    },
                    &mut self.peers,
                    &mut ctx,
                );
            }
            Command::Search {
                job,
                words,
                patience,
                fewer_hops: _,
            } => {
                self.searches
                    .begin(job, &words, patience, &self.peers, &mut ctx);
            }
            Command::Fetch {
                job,
                capability,
                resume,
                fewer_hops: _,
            } => {
                self.fetches.begin(
                    job,
                    &capability,
                    resume.as_deref(),
                    &mut self.peers,
                    &mut ctx,
                );
            }
            Command::Cancel { job, keep } => {
                let _ = self.fetches.cancel(job, keep, &mut ctx)
                    || self.publishes.cancel(job, &mut ctx)
                    || self.searches.cancel(job, &mut ctx);
            }
            Command::Join { link, addresses } => self.peers.join(link, addresses, now),
        }
    }

    fn stored(&mut self, waiting: Waiting, outcome: StoreOutcome, now: Time, out: &mut Outbox) {
        let mut ctx = ctx!(self, now, out);
        match (waiting, outcome) {
            (Waiting::Served(exchange), outcome) => {
                self.serve.stored(exchange, outcome, &self.peers, &mut ctx)
            }
            (Waiting::Client(Owner::Upkeep { slot }), outcome) => {
                self.upkeep.stored(slot, outcome, &mut self.peers, &mut ctx)
            }
            (Waiting::Descriptors, StoreOutcome::Descriptors(all)) => {
                self.peers.loaded(all, &mut ctx)
            }
            _ => {}
        }
    }

    fn computed(&mut self, waiting: Waiting, outcome: Computed, now: Time, out: &mut Outbox) {
        let mut ctx = ctx!(self, now, out);
        match waiting {
            Waiting::Client(Owner::Publish { job, slot }) => {
                self.publishes
                    .computed(job, slot, outcome, &mut self.peers, &mut ctx);
            }
            Waiting::Client(Owner::Search { job, slot }) => {
                self.searches
                    .computed(job, slot, outcome, &mut self.peers, &mut ctx);
            }
            Waiting::Id(claimed) => {
                let real = if let Computed::NodeId(real) = outcome {
                    Some(real)
                } else {
                    None
                };
                self.peers
                    .verified(&claimed, real, &mut self.links, &mut ctx);
                // Those that found no place to be checked have it now.
                for node in self.circuits.relied_on() {
                    self.peers.rely_on(&node, &mut ctx);
                }
            }
            _ => {}
        }
    }

    /// Whatever is due.
    fn due(&mut self, now: Time, out: &mut Outbox) {
        if self.day != now.day() {
            self.day = now.day();
            let mut ctx = ctx!(self, now, out);
            ctx.store(Waiting::Nobody, StoreRequest::Expire { today: now.day() });
        }
        if self.peers.deadline() <= now {
            self.peers.tick(&mut self.links, &mut ctx!(self, now, out));
        }
        if self.links.deadline().is_some_and(|at| at <= now) {
            self.links.tick(&mut ctx!(self, now, out));
        }
        self.circuits.view_changed(self.peers.view(), now);
        if self.circuits.deadline().is_some_and(|at| at <= now) {
            self.tick_circuits(now, out);
        }
        if self.exchanges.deadline().is_some_and(|at| at <= now) {
            let events = self
                .exchanges
                .tick(carriage!(self), &mut ctx!(self, now, out));
            self.exchange_events(events, now, out);
        }
        self.fetches
            .tick(&mut self.peers, &mut ctx!(self, now, out));
        self.publishes
            .tick(&mut self.peers, &mut ctx!(self, now, out));
        self.searches.tick(&self.peers, &mut ctx!(self, now, out));
        self.upkeep.tick(&mut self.peers, &mut ctx!(self, now, out));
    }

    fn tick_circuits(&mut self, now: Time, out: &mut Outbox) {
        let (fetches, publishes, searches) = (&self.fetches, &self.publishes, &self.searches);
        let alive = |job| fetches.has(job) || publishes.has(job) || searches.has(job);
        let mut ctx = ctx!(self, now, out);
        self.circuits
            .tick(&alive, self.peers.view(), &mut self.links, &mut ctx);
        let guarding = self.circuits.guarding(self.peers.view(), now);
        self.peers.set_circuits(guarding);
        for (&job, route) in &mut self.routes {
            *route = self.circuits.route(job, self.peers.view(), now);
        }
        for node in self.circuits.relied_on() {
            self.peers.rely_on(&node, &mut ctx!(self, now, out));
        }
    }

    /// Carries out effects and hands records over until neither brings anything new.
    fn settle(&mut self, now: Time, out: &mut Outbox) {
        loop {
            self.exchange_events(Vec::new(), now, out);
            let mut ctx = ctx!(self, now, out);
            let own = self.circuits.flush(&mut self.links, &mut ctx);
            let events = self.links.flush(&mut ctx);
            if own.is_empty() && events.is_empty() && self.effects.is_empty() {
                return;
            }
            self.circuit_events(own, now, out);
            self.link_events(events, now, out);
        }
    }
}
