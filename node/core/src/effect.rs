//! What one machine wants of another. Machines never call each other; the root carries effects between them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use oboro_crypto::ids::{Location, NodeId, Reference};
use rand_chacha::ChaCha20Rng;

use crate::action::{Action, Outbox, StoreRequest, Task};
use crate::ids::{Counter, ExchangeId, JobId, Ticket};
use crate::report::{Report, Route};
use crate::stats::Stats;
use crate::time::Time;
use crate::wire::message::{Reply, Request};
use crate::wire::placement::Placement;

/// Which client machine an exchange or ticket belongs to, and the machine's own name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Fetch {
        job: JobId,
        slot: u64,
    },
    Publish {
        job: JobId,
        slot: u64,
    },
    Search {
        job: JobId,
        slot: u64,
    },
    /// Not of this node's user: what it keeps for others is passed on.
    Upkeep {
        slot: u64,
    },
}

/// Who waits for a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// A served exchange.
    Served(ExchangeId),
    /// A client machine.
    Client(Owner),
    /// Membership: the id of this node is being verified.
    Id(NodeId),
    /// Membership: descriptors from disk.
    Descriptors,
    /// Nobody.
    Nobody,
}

/// A wish that another machine fulfils.
pub(crate) enum Effect {
    /// Ask a node something.
    Ask {
        exchange: ExchangeId,
        owner: Owner,
        /// Which of its job's circuits: requests that nobody is to see together have different ones.
        lane: u32,
        target: NodeId,
        request: Request,
    },
    /// Send a chunk in an exchange, own or served. The chunk is one of a shared list.
    Chunk {
        exchange: ExchangeId,
        index: u8,
        body: Body,
    },
    /// Answer in a served exchange.
    Answer { exchange: ExchangeId, reply: Reply },
    /// Say `Drained` as soon as more can be sent in a served exchange, or an own one.
    More { exchange: ExchangeId },
    /// End an exchange once what was given to it is sent.
    Finish { exchange: ExchangeId },
    /// End an exchange at once.
    Abort { exchange: ExchangeId },
    /// Something new is kept here now.
    Took(Took),
}

/// What a node was given to keep.
pub(crate) enum Took {
    /// An extent, whole.
    Extent {
        location: Location,
        placement: Placement,
        references: Vec<Reference>,
    },
    /// An entry.
    Entry { location: Location },
}

/// A chunk's bytes: alone, or one of an extent that several storers get.
pub(crate) enum Body {
    Own(Vec<u8>),
    Shared(Arc<Vec<Vec<u8>>>, usize),
}

impl Body {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(all, index) => all.get(*index).map_or(&[], Vec::as_slice),
        }
    }
}

impl Owner {
    /// The job of this node's user; none if nothing of it is at stake.
    pub(crate) const fn job(self) -> Option<JobId> {
        match self {
            Self::Fetch { job, .. } | Self::Publish { job, .. } | Self::Search { job, .. } => {
                Some(job)
            }
            Self::Upkeep { .. } => None,
        }
    }
}

/// By which way each job's requests go. The root keeps it; jobs only tell it at their end.
pub(crate) type Routes = BTreeMap<JobId, Route>;

/// What every machine works with during one event.
pub(crate) struct Ctx<'a> {
    pub(crate) now: Time,
    pub(crate) rng: &'a mut ChaCha20Rng,
    pub(crate) stats: &'a mut Stats,
    pub(crate) effects: &'a mut VecDeque<Effect>,
    pub(crate) exchanges: &'a mut Counter,
    pub(crate) routes: &'a Routes,
    pub(crate) tickets: &'a mut Tickets,
    pub(crate) out: &'a mut Outbox,
}

impl Ctx<'_> {
    /// Opens an exchange and returns its name; what comes of it comes to its owner.
    pub(crate) fn ask(
        &mut self,
        owner: Owner,
        lane: u32,
        target: NodeId,
        request: Request,
    ) -> ExchangeId {
        let exchange = ExchangeId(self.exchanges.next());
        self.effects.push_back(Effect::Ask {
            exchange,
            owner,
            lane,
            target,
            request,
        });
        exchange
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.out.push(action);
    }

    pub(crate) fn report(&mut self, job: JobId, report: Report) {
        self.out.push(Action::Report { job, report });
    }

    /// By which way a job's requests went.
    pub(crate) fn route(&self, job: JobId) -> Route {
        self.routes.get(&job).copied().unwrap_or_default()
    }

    pub(crate) fn store(&mut self, waiting: Waiting, request: StoreRequest) {
        let ticket = self.tickets.issue(waiting);
        self.out.push(Action::Store { ticket, request });
    }

    pub(crate) fn compute(&mut self, waiting: Waiting, task: Task) {
        let ticket = self.tickets.issue(waiting);
        self.out.push(Action::Compute { ticket, task });
    }
}

/// Tickets given out and not yet answered. Bounded by what issues them: each machine bounds its own.
#[derive(Default)]
pub(crate) struct Tickets {
    counter: Counter,
    waiting: BTreeMap<Ticket, Waiting>,
}

impl Tickets {
    fn issue(&mut self, waiting: Waiting) -> Ticket {
        let ticket = Ticket(self.counter.next());
        self.waiting.insert(ticket, waiting);
        ticket
    }

    pub(crate) fn count(&self) -> usize {
        self.waiting.len()
    }

    /// Who waits for this one; each is redeemed once.
    pub(crate) fn redeem(&mut self, ticket: Ticket) -> Option<Waiting> {
        self.waiting.remove(&ticket)
    }
}
