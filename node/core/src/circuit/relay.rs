//! Circuits of others: what comes from one side goes to the other with a layer less or more. A relay reads nothing
//! that is not for it, and answers whatever does not authenticate by ending the circuit without a word.

use std::collections::BTreeMap;

use oboro_crypto::provider::RelayLayers;

use super::creates::{Creates, Waiting};
use super::due::NOW;
use super::exit::Exit;
use super::{Circuits, Holder};
use crate::effect::Ctx;
use crate::ids::LinkId;
use crate::limits::{HALF_OPEN_MAX, HALF_OPEN_PATIENCE, RELAY_IDLE, RELAY_LIFE, RELAYED_MAX};
use crate::link::{HopId, Links};
use crate::peers::View;
use crate::shares;
use crate::stats::Class;
use crate::time::Time;

/// One circuit of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RelayId(pub(super) u64);

pub(super) struct Relayed {
    /// The link it was begun on, and its side there: towards the client.
    link: LinkId,
    pub(super) back: HopId,
    /// Towards the exit; none if it is here.
    ahead: Option<HopId>,
    pub(super) exit: Option<Exit>,
    pub(super) layers: Box<dyn RelayLayers>,
    /// Whether the hops behind this one have answered.
    open: bool,
    began: Time,
    pub(super) moved: Time,
}

impl Relayed {
    /// When it is old, idle or half open for too long, as things stand.
    fn due_at(&self) -> Time {
        let old = (self.began + RELAY_LIFE).min(self.moved + RELAY_IDLE);
        if self.open {
            old
        } else {
            old.min(self.began + HALF_OPEN_PATIENCE)
        }
    }
}

/// All circuits of others.
pub(super) struct Relays {
    pub(super) all: BTreeMap<RelayId, Relayed>,
    pub(super) creates: Creates,
    /// How many wait for their next hop's answer.
    half_open: usize,
    names: crate::ids::Counter,
}

impl Relays {
    pub(super) fn new(now: Time) -> Self {
        Self {
            all: BTreeMap::new(),
            creates: Creates::new(now),
            half_open: 0,
            names: crate::ids::Counter::default(),
        }
    }
}

impl Circuits {
    /// A create came: it waits for its turn, which is now if nobody is before it.
    pub(crate) fn on_create(
        &mut self,
        hop: HopId,
        link: LinkId,
        body: Vec<u8>,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(out) = self.relays.creates.push(Waiting { link, hop, body }) {
            self.refuse(out.hop, "creates", links, ctx);
        }
        self.open_creates(view, links, ctx);
        if self.relays.creates.len() > 0 {
            self.soon(ctx.now + NOW);
        }
    }

    /// Opens as many creates as may be opened now.
    pub(super) fn open_creates(&mut self, view: &View, links: &mut Links, ctx: &mut Ctx<'_>) {
        while let Some(next) = self.relays.creates.next(ctx.now) {
            if let Err(cause) = self.open_create(&next, view, links, ctx) {
                self.refuse(next.hop, cause, links, ctx);
            }
        }
    }

    fn open_create(
        &mut self,
        create: &Waiting,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), &'static str> {
        let keys = self.onions.all();
        let accepted = self
            .provider
            .accept_circuit(&keys, &self.network, &create.body, ctx.rng)
            .map_err(|_| "create_foreign")?;
        let minute = u32::try_from(ctx.now.secs() / 60).unwrap_or(u32::MAX);
        if self.replays.admit(accepted.minute, accepted.digest, minute)
            != oboro_crypto::handshake::Admission::Fresh
        {
            return Err("create_replayed");
        }
        self.make_room(create.link, accepted.next.is_some(), links, ctx)?;
        let mut layers = accepted.relay;
        let (ahead, exit) = match accepted.next {
            Some((node, body)) => {
                // Only to nodes of the view (I7), and not in a circle.
                let (way, _) = view
                    .way(&node)
                    .filter(|_| node != self.own_id)
                    .ok_or("next_unknown")?;
                let hop = links.create(&way, Class::Relay, body, ctx).ok_or("dial")?;
                (Some(hop), None)
            }
            None => {
                let body = layers
                    .created(None, ctx.rng)
                    .map_err(|_| "create_foreign")?;
                links.created(create.hop, body);
                (None, Some(Exit::default()))
            }
        };
        let id = RelayId(self.relays.names.next());
        self.holders.insert(create.hop, Holder::Back(id));
        if let Some(ahead) = ahead {
            self.holders.insert(ahead, Holder::Ahead(id));
            self.relays.half_open += 1;
        }
        let relayed = Relayed {
            link: create.link,
            back: create.hop,
            ahead,
            open: exit.is_some(),
            exit,
            layers,
            began: ctx.now,
            moved: ctx.now,
        };
        self.soon(relayed.due_at());
        self.relays.all.insert(id, relayed);
        ctx.stats.circuits.relayed += 1;
        ctx.stats.circuits.relayed_now += 1;
        Ok(())
    }

    /// Makes room for one more circuit of a link. If all places are taken, the link that has most of them loses the one
    /// in which nothing has moved for longest, but only to a link that has less: whoever takes all places, here or of
    /// those whose next hop has not answered, must not keep out the others.
    fn make_room(
        &mut self,
        link: LinkId,
        has_next: bool,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), &'static str> {
        if has_next && self.relays.half_open >= HALF_OPEN_MAX {
            self.give_way(link, |relayed| !relayed.open, links, ctx)?;
        }
        if self.relays.all.len() >= RELAYED_MAX {
            self.give_way(link, |_| true, links, ctx)?;
        }
        Ok(())
    }

    fn give_way(
        &mut self,
        link: LinkId,
        counts: fn(&Relayed) -> bool,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), &'static str> {
        let all = self.relays.all.iter();
        let places = all.filter(|(_, relayed)| counts(relayed));
        let places = places.map(|(&id, relayed)| (relayed.link, relayed.moved, id));
        let out = shares::loser(places, Some(link));
        self.end_relayed(out.ok_or("circuits")?, "circuit_gave_way", links, ctx);
        Ok(())
    }

    fn refuse(&mut self, hop: HopId, cause: &'static str, links: &mut Links, ctx: &mut Ctx<'_>) {
        ctx.stats.refused(cause);
        ctx.stats.circuits.refused += 1;
        links.destroy(hop);
    }

    /// The hops ahead have answered.
    pub(super) fn relay_created(
        &mut self,
        id: RelayId,
        body: &[u8],
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(relayed) = self.relays.all.get_mut(&id) else {
            return;
        };
        let answer = if relayed.open {
            None
        } else {
            relayed.layers.created(Some(body), ctx.rng).ok()
        };
        match answer {
            Some(body) => {
                relayed.open = true;
                relayed.moved = ctx.now;
                self.relays.half_open -= 1;
                links.created(relayed.back, body);
            }
            None => self.end_relayed(id, "circuit_broken", links, ctx),
        }
    }

    /// A cell from the client's side.
    pub(super) fn forward(
        &mut self,
        id: RelayId,
        mut body: Vec<u8>,
        view: &View,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(relayed) = self.relays.all.get_mut(&id) else {
            return;
        };
        relayed.moved = ctx.now;
        let done = match relayed.ahead {
            _ if !relayed.open => false,
            Some(ahead) => {
                ctx.stats.circuits.cells_relayed += 1;
                relayed.layers.peel(&mut body).is_ok() && links.cell(ahead, body)
            }
            None => self.at_exit(id, body, view, links, ctx),
        };
        if !done {
            self.end_relayed(id, "circuit_broken", links, ctx);
        }
    }

    /// A cell from the exit's side.
    pub(super) fn backward(
        &mut self,
        id: RelayId,
        mut body: Vec<u8>,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(relayed) = self.relays.all.get_mut(&id) else {
            return;
        };
        relayed.moved = ctx.now;
        ctx.stats.circuits.cells_relayed += 1;
        let done = relayed.open
            && relayed.layers.wrap(&mut body).is_ok()
            && links.cell(relayed.back, body);
        if !done {
            self.end_relayed(id, "circuit_broken", links, ctx);
        }
    }

    /// Ends a circuit of another on both sides.
    pub(super) fn end_relayed(
        &mut self,
        id: RelayId,
        cause: &'static str,
        links: &mut Links,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(mut relayed) = self.relays.all.remove(&id) else {
            return;
        };
        if !cause.is_empty() {
            ctx.stats.dropped(cause);
        }
        ctx.stats.circuits.relayed_now = ctx.stats.circuits.relayed_now.saturating_sub(1);
        if !relayed.open {
            self.relays.half_open -= 1;
        }
        for hop in [Some(relayed.back), relayed.ahead].into_iter().flatten() {
            self.holders.remove(&hop);
            links.destroy(hop);
        }
        if let Some(exit) = &mut relayed.exit {
            self.close_exit(exit, links, ctx);
        }
        self.dirty_relays.remove(&id);
    }

    /// When the next of them is.
    pub(super) fn relays_due(&self) -> Option<Time> {
        self.relays.all.values().map(Relayed::due_at).min()
    }

    /// Ends circuits of others that are old, idle or never came to their end.
    pub(super) fn tick_relays(&mut self, links: &mut Links, ctx: &mut Ctx<'_>) {
        let over: Vec<(RelayId, &'static str)> = self
            .relays
            .all
            .iter()
            .filter_map(|(&id, relayed)| {
                let age = ctx.now.since(relayed.began);
                if !relayed.open && age >= HALF_OPEN_PATIENCE {
                    Some((id, "circuit_half_open"))
                } else if age >= RELAY_LIFE || ctx.now.since(relayed.moved) >= RELAY_IDLE {
                    Some((id, "circuit_old"))
                } else {
                    None
                }
            })
            .collect();
        for (id, cause) in over {
            self.end_relayed(id, cause, links, ctx);
        }
    }
}
