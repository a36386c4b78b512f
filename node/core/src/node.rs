//! The root: takes events apart, hands them to the machines, carries effects between them. Holds no protocol rule.

mod observe;

use std::collections::VecDeque;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::sync::Arc;

use crate::action::{Outbox, StoreRequest};
use crate::command::Command;
use crate::config::Config;
use crate::effect::{Ctx, Effect, Owner, Tickets, Waiting};
use crate::event::{Computed, Event, StoreOutcome};
use crate::exchange::{ExchangeEvent, Exchanges};
use crate::fetch::Fetches;
use crate::ids::Counter;
use crate::link::{LinkEvent, Links};
use crate::peers::{Own, Peers};
use crate::publish::{Publishes, Wish};
use crate::search::Searches;
use crate::serve::Serve;
use crate::stats::Stats;
use crate::time::Time;
use crate::wire::frame::CloseReason;

/// Why a node wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Links: silence, idleness.
    Links,
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
    /// A new day: what has expired goes.
    Day,
}

/// One node of the network.
pub struct Node {
    links: Links,
    exchanges: Exchanges,
    peers: Peers,
    serve: Serve,
    fetches: Fetches,
    publishes: Publishes,
    searches: Searches,
    provider: Arc<dyn oboro_crypto::provider::Provider>,
    rng: ChaCha20Rng,
    stats: Stats,
    effects: VecDeque<Effect>,
    exchange_names: Counter,
    tickets: Tickets,
    day: u32,
    started: bool,
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
            tickets: &mut $node.tickets,
            out: $out,
        }
    };
}

impl Node {
    /// A node that has not done anything yet. Everything random in it comes from `seed`.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Time) -> Self {
        let network = config.network;
        let (id, replicas) = (network.id(), network.params.replicas);
        let provider = config.provider;
        let own = Own {
            id: config.id,
            link: config.link,
            onion: config.onion.public(),
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
            fetches: Fetches::new(id, replicas, Arc::clone(&provider)),
            publishes: Publishes::new(network.duplicate(), Arc::clone(&provider)),
            searches: Searches::new(network),
            exchanges: Exchanges::new(
                id,
                Arc::clone(&provider),
                config.onion,
                config.onion_previous,
            ),
            provider,
            rng: ChaCha20Rng::from_seed(seed),
            stats: Stats::default(),
            effects: VecDeque::new(),
            exchange_names: Counter::default(),
            tickets: Tickets::default(),
            day: 0,
            started: false,
        }
    }

    /// Takes one event. Afterwards everything to do is in `out`. The first event of all starts the node.
    pub fn handle(&mut self, now: Time, event: Event, out: &mut Outbox) {
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
            self.exchanges.deadline().map(|at| (at, Why::Exchanges)),
            Some((self.peers.deadline(), Why::Peers)),
            self.fetches.deadline().map(|at| (at, Why::Fetch)),
            self.publishes.deadline().map(|at| (at, Why::Publish)),
            self.searches.deadline().map(|at| (at, Why::Search)),
            Some((tomorrow, Why::Day)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn command(&mut self, command: Command, now: Time, out: &mut Outbox) {
        let mut ctx = ctx!(self, now, out);
        match command {
            Command::Publish {
                job,
                title,
                size,
                kind,
                terms,
                extra,
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
            } => {
                self.searches
                    .begin(job, &words, patience, &self.peers, &mut ctx);
            }
            Command::Fetch {
                job,
                capability,
                resume,
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
                self.peers.verified(&claimed, real, &mut ctx);
            }
            _ => {}
        }
    }

    fn link_events(&mut self, events: Vec<LinkEvent>, now: Time, out: &mut Outbox) {
        for event in events {
            let mut ctx = ctx!(self, now, out);
            let answers = match event {
                LinkEvent::Up {
                    link,
                    address,
                    dialed,
                    ..
                } => {
                    self.peers
                        .up(link, address, dialed, &mut self.links, &mut ctx);
                    Vec::new()
                }
                LinkEvent::Down { remote } => {
                    self.peers.down(&remote, &mut ctx);
                    Vec::new()
                }
                LinkEvent::Unreachable(remote) => {
                    self.peers.unreachable(&remote, &mut self.links, &mut ctx);
                    Vec::new()
                }
                LinkEvent::Control { link, message } => {
                    self.peers.control(link, message, &mut self.links, &mut ctx);
                    Vec::new()
                }
                LinkEvent::Accepted(stream) => {
                    self.exchanges.accepted(stream, &mut self.links, &mut ctx)
                }
                LinkEvent::Readable(stream) => {
                    self.exchanges.readable(stream, &mut self.links, &mut ctx)
                }
                LinkEvent::Drained(stream) => self.exchanges.drained(stream).into_iter().collect(),
                LinkEvent::Closed { stream, clean } => {
                    let event = self.exchanges.closed(stream, clean);
                    self.links.discard(stream, &mut ctx);
                    event.into_iter().collect()
                }
            };
            self.exchange_events(answers, now, out);
        }
    }

    fn exchange_events(&mut self, events: Vec<ExchangeEvent>, now: Time, out: &mut Outbox) {
        // A queue, not a call for each: what fails at once may lead to the next, thousands of times.
        let mut events = VecDeque::from(events);
        self.effects(&mut events, now, out);
        while let Some(event) = events.pop_front() {
            if !self.exchanges.concerns(&event) {
                continue;
            }
            let mut ctx = ctx!(self, now, out);
            let peers = &mut self.peers;
            match event {
                ExchangeEvent::Client { owner, answer, .. } => match owner {
                    Owner::Fetch { job, slot } => {
                        self.fetches.answered(job, slot, answer, peers, &mut ctx)
                    }
                    Owner::Publish { job, slot } => {
                        self.publishes.answered(job, slot, answer, peers, &mut ctx)
                    }
                    Owner::Search { job, slot } => {
                        self.searches.answered(job, slot, answer, peers, &mut ctx)
                    }
                },
                ExchangeEvent::Served { exchange, ask } => {
                    let link = self
                        .exchanges
                        .stream(exchange)
                        .and_then(|stream| self.links.carrier(stream));
                    self.serve
                        .asked(exchange, link, ask, peers, &*self.provider, &mut ctx);
                }
            }
            self.effects(&mut events, now, out);
        }
    }

    /// Carries out what the machines want of each other. What comes of that is appended to `events`.
    fn effects(&mut self, events: &mut VecDeque<ExchangeEvent>, now: Time, out: &mut Outbox) {
        while let Some(effect) = self.effects.pop_front() {
            let mut ctx = ctx!(self, now, out);
            let (links, exchanges) = (&mut self.links, &mut self.exchanges);
            let event = match effect {
                Effect::Ask {
                    exchange,
                    owner,
                    target,
                    request,
                } => {
                    let way = self.peers.view().way(&target);
                    exchanges.ask(exchange, owner, way, &request, links, &mut ctx)
                }
                Effect::Chunk {
                    exchange,
                    index,
                    body,
                } => {
                    exchanges.chunk(exchange, index, &body, links, now);
                    None
                }
                Effect::Answer { exchange, reply } => {
                    exchanges.answer(exchange, &reply, links, now);
                    None
                }
                Effect::More { exchange } => exchanges.more(exchange, links),
                Effect::Finish { exchange } => {
                    exchanges.end(exchange, CloseReason::Done, links, &mut ctx);
                    None
                }
                Effect::Abort { exchange } => {
                    exchanges.end(exchange, CloseReason::Failed, links, &mut ctx);
                    None
                }
            };
            events.extend(event);
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
        if self.exchanges.deadline().is_some_and(|at| at <= now) {
            let events = self
                .exchanges
                .tick(&mut self.links, &mut ctx!(self, now, out));
            self.exchange_events(events, now, out);
        }
        self.fetches
            .tick(&mut self.peers, &mut ctx!(self, now, out));
        self.publishes
            .tick(&mut self.peers, &mut ctx!(self, now, out));
        self.searches.tick(&self.peers, &mut ctx!(self, now, out));
    }

    /// Carries out effects and hands records over until neither brings anything new.
    fn settle(&mut self, now: Time, out: &mut Outbox) {
        loop {
            self.exchange_events(Vec::new(), now, out);
            let events = self.links.flush(&mut ctx!(self, now, out));
            if events.is_empty() && self.effects.is_empty() {
                return;
            }
            self.link_events(events, now, out);
        }
    }
}
