//! Carries between the machines what happened and what they want of each other.

use std::collections::VecDeque;

use super::Node;
use crate::action::Outbox;
use crate::carriage::Carriage;
use crate::circuit::CircuitEvent;
use crate::effect::{Ctx, Effect, Owner};
use crate::exchange::{ExchangeEvent, To, Trouble};
use crate::link::LinkEvent;
use crate::time::Time;
use crate::wire::frame::CloseReason;

impl Node {
    pub(super) fn link_events(&mut self, events: Vec<LinkEvent>, now: Time, out: &mut Outbox) {
        for event in events {
            let mut ctx = ctx!(self, now, out);
            let (links, circuits) = (&mut self.links, &mut self.circuits);
            match event {
                LinkEvent::Up {
                    link,
                    address,
                    dialed,
                } => {
                    if let Some(remote) = links.remote(link) {
                        circuits.linked(&remote, self.peers.view(), now);
                    }
                    self.peers.up(link, address, dialed, links, &mut ctx);
                }
                LinkEvent::Down { remote } => {
                    circuits.unlinked(&remote, self.peers.view(), now);
                    self.peers.down(&remote, &mut ctx);
                }
                LinkEvent::Unreachable(remote) => {
                    circuits.unreachable(&remote, self.peers.view(), now);
                    self.peers.unreachable(&remote, links, &mut ctx);
                }
                LinkEvent::Control { link, message } => {
                    self.peers.control(link, message, links, &mut ctx)
                }
                LinkEvent::Create { hop, link, body } => {
                    circuits.on_create(hop, link, body, self.peers.view(), links, &mut ctx);
                }
                LinkEvent::Created { hop, body } => {
                    circuits.on_created(hop, &body, links, &mut ctx)
                }
                LinkEvent::Cell { hop, body } => {
                    circuits.on_cell(hop, body, self.peers.view(), links, &mut ctx);
                }
                LinkEvent::HopDrained(hop) => circuits.on_hop_drained(hop),
                LinkEvent::Destroyed(hop) => circuits.on_destroyed(hop, false, links, &mut ctx),
                LinkEvent::Cut(hop) => circuits.on_destroyed(hop, true, links, &mut ctx),
                LinkEvent::Readable(stream) if circuits.is_exits(stream) => {
                    circuits.exit_readable(stream, links, now);
                }
                LinkEvent::Drained(stream) if circuits.is_exits(stream) => {
                    circuits.exit_drained(stream, links);
                }
                LinkEvent::Closed { stream, clean } if circuits.is_exits(stream) => {
                    circuits.exit_closed(stream, clean, links, &mut ctx);
                }
                LinkEvent::Accepted(_)
                | LinkEvent::Readable(_)
                | LinkEvent::Drained(_)
                | LinkEvent::Closed { .. } => self.stream_event(event, now, out),
            }
        }
        let events = self.circuits.events();
        self.circuit_events(events, now, out);
    }

    /// What happens to streams on links of which this node is one end.
    fn stream_event(&mut self, event: LinkEvent, now: Time, out: &mut Outbox) {
        let mut ctx = ctx!(self, now, out);
        let exchanges = &mut self.exchanges;
        let answers = match event {
            LinkEvent::Accepted(stream) => exchanges.accepted(stream, carriage!(self), &mut ctx),
            LinkEvent::Readable(stream) => exchanges.readable(stream, carriage!(self), &mut ctx),
            LinkEvent::Drained(stream) => exchanges.drained(stream).into_iter().collect(),
            LinkEvent::Closed { stream, clean } => {
                let trouble = if clean {
                    Trouble::Broken
                } else {
                    Trouble::Unreachable
                };
                let event = exchanges.closed(stream, trouble);
                self.links.discard(stream, &mut ctx);
                event.into_iter().collect()
            }
            _ => Vec::new(),
        };
        self.exchange_events(answers, now, out);
    }

    /// What happens to this node's own streams in circuits.
    pub(super) fn circuit_events(
        &mut self,
        events: Vec<CircuitEvent>,
        now: Time,
        out: &mut Outbox,
    ) {
        for event in events {
            let mut ctx = ctx!(self, now, out);
            let exchanges = &mut self.exchanges;
            let answers = match event {
                CircuitEvent::Readable(stream) => {
                    exchanges.readable(stream, carriage!(self), &mut ctx)
                }
                CircuitEvent::Drained(stream) => exchanges.drained(stream).into_iter().collect(),
                CircuitEvent::Closed { stream, clean } => {
                    let trouble = if clean {
                        Trouble::Broken
                    } else {
                        Trouble::Unreachable
                    };
                    let event = exchanges.closed(stream, trouble);
                    self.circuits.discard(stream, &mut ctx);
                    event.into_iter().collect()
                }
                CircuitEvent::Lost { stream, how } => {
                    ctx.stats.streams_failed += 1;
                    ctx.stats.streams_active = ctx.stats.streams_active.saturating_sub(1);
                    let event = exchanges.closed(stream, Trouble::Lost(how));
                    event.into_iter().collect()
                }
            };
            self.exchange_events(answers, now, out);
        }
    }

    pub(super) fn exchange_events(
        &mut self,
        events: Vec<ExchangeEvent>,
        now: Time,
        out: &mut Outbox,
    ) {
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
                    Owner::Upkeep { slot } => self.upkeep.answered(slot, answer, peers, &mut ctx),
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
            let exchanges = &mut self.exchanges;
            let event = match effect {
                Effect::Ask {
                    exchange,
                    owner,
                    lane,
                    target,
                    request,
                } => {
                    let to = To { target, lane };
                    exchanges.ask(exchange, owner, to, &request, carriage!(self), &mut ctx)
                }
                Effect::Chunk {
                    exchange,
                    index,
                    body,
                } => {
                    exchanges.chunk(exchange, index, &body, carriage!(self), now);
                    None
                }
                Effect::Answer { exchange, reply } => {
                    exchanges.answer(exchange, &reply, carriage!(self), now);
                    None
                }
                Effect::More { exchange } => exchanges.more(exchange, carriage!(self)),
                Effect::Finish { exchange } => {
                    exchanges.end(exchange, CloseReason::Done, carriage!(self), &mut ctx);
                    None
                }
                Effect::Abort { exchange } => {
                    exchanges.end(exchange, CloseReason::Failed, carriage!(self), &mut ctx);
                    None
                }
                Effect::Took(took) => {
                    self.upkeep.took(took, &mut self.peers, &mut ctx);
                    None
                }
            };
            events.extend(event);
        }
    }
}
