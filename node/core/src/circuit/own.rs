//! One circuit of this node's own: its layers, its end with the streams in it, and how it is known to hold.

use std::collections::BTreeMap;
use std::time::Duration;

use oboro_crypto::circuit::{CircuitError, FORWARD_PAYLOAD};
use oboro_crypto::ids::NodeId;
use oboro_crypto::provider::{Building, ClientLayers};

use super::Cause;
use super::end::{End, EndEvent, Side};
use crate::ids::JobId;
use crate::limits::{
    BUILD_PATIENCE, CIRCUIT_BURST, CIRCUIT_IDLE, CIRCUIT_LIFE, PROBE_AFTER, PROBE_PATIENCE,
};
use crate::link::{HopId, Links};
use crate::stats::Class;
use crate::stream::StreamId;
use crate::time::Time;

/// One of this node's circuits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CircuitId(pub(super) u64);

/// Whose streams a circuit carries: one job's, of one of its lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) job: JobId,
    pub(super) lane: u32,
}

enum State {
    Building(Box<dyn Building>),
    Ready(Box<dyn ClientLayers>),
    Broken,
}

/// What is due on a circuit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    Nothing,
    /// It is not built in time, or does not hold.
    Fail(Cause),
    /// Nobody needs it.
    Close,
    /// It must be asked whether it holds.
    Probe,
}

pub(super) struct Own {
    /// The guard first.
    pub(super) path: Vec<NodeId>,
    pub(super) hop: HopId,
    pub(super) end: End,
    /// None: built beforehand, for whoever comes.
    pub(super) session: Option<Session>,
    pub(super) streams: BTreeMap<u32, StreamId>,
    state: State,
    pub(super) began: Time,
    used: Time,
    heard: Time,
    rtt: Duration,
    /// The longest of late: on bad lines one round trip says little of the next.
    slowest: Duration,
    /// Whether anything came back over it.
    proven: bool,
    probe: Option<(u64, Time)>,
    /// Cells received since the beginning of the present round trip.
    epoch: Time,
    epoch_cells: u32,
}

impl Own {
    pub(super) const fn new(
        path: Vec<NodeId>,
        hop: HopId,
        building: Box<dyn Building>,
        session: Option<Session>,
        now: Time,
    ) -> Self {
        Self {
            path,
            hop,
            end: End::new(Side::Client, Class::Own),
            session,
            streams: BTreeMap::new(),
            state: State::Building(building),
            began: now,
            used: now,
            heard: now,
            rtt: Duration::ZERO,
            slowest: Duration::ZERO,
            proven: false,
            probe: None,
            epoch: now,
            epoch_cells: 0,
        }
    }

    pub(super) const fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready(_))
    }

    pub(super) const fn is_building(&self) -> bool {
        matches!(self.state, State::Building(_))
    }

    /// Since when it has been waiting for something to come back.
    pub(super) fn waits_since(&self) -> Time {
        self.probe.map_or(self.began, |(_, at)| at)
    }

    /// Whether anything came back over it.
    pub(super) const fn is_proven(&self) -> bool {
        self.proven
    }

    /// Whether it may take a stream to a node.
    pub(super) fn may_take(&self, target: &NodeId, now: Time) -> bool {
        !matches!(self.state, State::Broken)
            && now.since(self.began) < CIRCUIT_LIFE
            && !self.path.contains(target)
    }

    /// All hops have answered. Says how long that took.
    pub(super) fn created(&mut self, body: &[u8], now: Time) -> Result<Duration, CircuitError> {
        match core::mem::replace(&mut self.state, State::Broken) {
            State::Building(building) => {
                self.state = State::Ready(building.finish(body)?);
                self.rtt = now.since(self.began);
                self.slowest = self.rtt;
                (self.used, self.heard, self.epoch) = (now, now, now);
                Ok(self.rtt)
            }
            // A second answer: whoever gives it breaks the circuit.
            _ => Err(CircuitError::Gone),
        }
    }

    /// A cell came. Its events are those of the end.
    pub(super) fn cell(&mut self, mut body: Vec<u8>, now: Time) -> Option<Vec<EndEvent>> {
        let State::Ready(layers) = &mut self.state else {
            return None;
        };
        let payload = layers.open(&mut body).ok()?;
        let events = self.end.read(payload).ok()?;
        (self.heard, self.used, self.proven) = (now, now, true);
        self.measure(now);
        for event in &events {
            if let (EndEvent::Echo(nonce), Some((asked, at))) = (event, self.probe)
                && *nonce == asked
            {
                self.rtt = now.since(at).max(Duration::from_micros(100));
                self.slowest = self.rtt.max(self.slowest / 2);
                self.probe = None;
            }
        }
        Some(events)
    }

    /// More may be on the way if nearly a whole window arrived in one round trip.
    fn measure(&mut self, now: Time) {
        self.epoch_cells += 1;
        if now.since(self.epoch) >= self.rtt {
            if self.epoch_cells * 4 >= self.end.window() * 3 {
                self.end.widen();
            }
            (self.epoch, self.epoch_cells) = (now, 0);
        }
    }

    /// Hands what may be sent to the link. Says how many cells; `None` if the circuit is beyond repair.
    pub(super) fn pump(&mut self, links: &mut Links, now: Time) -> Option<u64> {
        let State::Ready(layers) = &mut self.state else {
            return Some(0);
        };
        let mut sent = 0;
        while links.waiting_cells(self.hop) < CIRCUIT_BURST
            && let Some(payload) = self.end.pack(FORWARD_PAYLOAD)
        {
            let mut cell = Vec::with_capacity(oboro_crypto::circuit::CELL_LEN);
            layers.seal(&payload, &mut cell).ok()?;
            if !links.cell(self.hop, cell) {
                return None;
            }
            sent += 1;
        }
        if self.end.has_something() {
            links.ask_hop(self.hop);
        }
        if sent > 0 {
            self.used = now;
        }
        Some(sent)
    }

    pub(super) fn probe(&mut self, nonce: u64, now: Time) {
        self.probe = Some((nonce, now));
        self.end.probe(nonce);
    }

    /// What its age and silence ask for.
    pub(super) fn due(&self, now: Time) -> Due {
        match &self.state {
            State::Building(_) if now.since(self.began) >= BUILD_PATIENCE => {
                Due::Fail(Cause::Silent)
            }
            State::Building(_) => Due::Nothing,
            State::Broken => Due::Fail(Cause::Broken),
            State::Ready(_) => match self.probe {
                // Something came, if not the echo: asked anew when it is quiet again.
                Some((_, at)) if self.heard <= at => {
                    if now.since(at) >= PROBE_PATIENCE + self.slowest * 4 {
                        Due::Fail(Cause::Silent)
                    } else {
                        Due::Nothing
                    }
                }
                _ if self.streams.is_empty() => {
                    let old = now.since(self.began) >= CIRCUIT_LIFE;
                    let idle = now.since(self.used) >= CIRCUIT_IDLE;
                    if old || idle {
                        Due::Close
                    } else {
                        Due::Nothing
                    }
                }
                _ => self.quiet(now),
            },
        }
    }

    /// When [`Self::due`] first says something, as things stand.
    pub(super) fn due_at(&self) -> Time {
        match &self.state {
            State::Building(_) => self.began + BUILD_PATIENCE,
            State::Broken => self.began,
            State::Ready(_) => match self.probe {
                Some((_, at)) if self.heard <= at => at + PROBE_PATIENCE + self.slowest * 4,
                _ if self.streams.is_empty() => {
                    (self.began + CIRCUIT_LIFE).min(self.used + CIRCUIT_IDLE)
                }
                _ => self.quiet_at(),
            },
        }
    }

    fn quiet_at(&self) -> Time {
        self.heard.max(self.began) + PROBE_AFTER + self.slowest * 2
    }

    fn quiet(&self, now: Time) -> Due {
        if self.quiet_at() <= now {
            Due::Probe
        } else {
            Due::Nothing
        }
    }
}

#[cfg(test)]
#[path = "own_tests.rs"]
mod tests;
