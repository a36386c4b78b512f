//! Circuits on links: one side of each is a [`HopId`] here, with a queue of what is to be said of it. Nothing here
//! knows what a cell holds, or which two sides belong together.

use std::collections::VecDeque;

use oboro_crypto::ids::LinkPublic;

use super::{Class, Ctx, LinkEvent, LinkId, Links, Way};
use crate::limits::{
    CELLS_QUEUED_MAX, CIRCUIT_LOW_WATER, CIRCUIT_QUEUE_MAX, CIRCUITS_PER_LINK_MAX,
};
use crate::wire::frame::Frame;

/// One side of a circuit on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HopId(pub(super) u64);

/// Some side of some circuit, for tests of those who only carry its name about.
#[cfg(test)]
pub(crate) const fn hop_for_tests(number: u64) -> HopId {
    HopId(number)
}

pub(super) enum HopPlace {
    On(LinkId, u32),
    /// Wanted before its link is up, with the create's body.
    Waiting(LinkPublic, Class, Vec<u8>),
}

/// What is to be said of a circuit on a link, in order.
pub(super) enum Item {
    Create(Vec<u8>),
    Created(Vec<u8>),
    Cell(Vec<u8>),
    Destroy,
}

impl Item {
    pub(super) fn frame(&self, number: u32) -> Frame<'_> {
        match self {
            Self::Create(body) => Frame::Create(number, body),
            Self::Created(body) => Frame::Created(number, body),
            Self::Cell(body) => Frame::Cell(number, body),
            Self::Destroy => Frame::Destroy(number),
        }
    }
}

/// One circuit's queue on one link.
pub(super) struct HopQueue {
    pub(super) class: Class,
    pub(super) items: VecDeque<Item>,
    /// Whether it waits in its link's round for a turn to send.
    pub(super) queued: bool,
    /// Whether whoever fills it wants to hear when little is left.
    hungry: bool,
    cells: usize,
}

impl HopQueue {
    const fn new(class: Class) -> Self {
        Self {
            class,
            items: VecDeque::new(),
            queued: false,
            hungry: false,
            cells: 0,
        }
    }

    /// Takes the first item. True if a cell went.
    pub(super) fn pop(&mut self) -> bool {
        let cell = matches!(self.items.pop_front(), Some(Item::Cell(_)));
        self.cells -= usize::from(cell);
        cell
    }

    /// Whether its feeder asked to hear and little is left. Says so once.
    pub(super) const fn is_drained(&mut self) -> bool {
        let drained = self.hungry && self.cells < CIRCUIT_LOW_WATER;
        if drained {
            self.hungry = false;
        }
        drained
    }

    pub(super) const fn cells(&self) -> usize {
        self.cells
    }
}

impl Links {
    /// Begins a circuit towards a node, over its link or over one that is dialled for it. `None` if that cannot be.
    pub(crate) fn create(
        &mut self,
        way: &Way,
        class: Class,
        body: Vec<u8>,
        ctx: &mut Ctx<'_>,
    ) -> Option<HopId> {
        let id = HopId(self.hop_names.next());
        let up = self
            .by_remote
            .get(&way.link)
            .and_then(|links| links.first().copied());
        if let Some(link) = up {
            self.attach_hop(id, link, class, body, ctx)?;
        } else {
            self.dial(way, ctx)?;
            self.hops
                .insert(id, HopPlace::Waiting(way.link, class, body));
        }
        Some(id)
    }

    /// Answers a create.
    pub(crate) fn created(&mut self, id: HopId, body: Vec<u8>) {
        self.push(id, Item::Created(body));
    }

    /// Sends a cell. False if too many wait: the circuit is then to be given up.
    pub(crate) fn cell(&mut self, id: HopId, body: Vec<u8>) -> bool {
        if self.waiting_cells(id) >= CIRCUIT_QUEUE_MAX || self.cells_queued >= CELLS_QUEUED_MAX {
            return false;
        }
        self.push(id, Item::Cell(body));
        true
    }

    /// Ends a circuit here and tells the other end of the link; nothing more is heard of it.
    pub(crate) fn destroy(&mut self, id: HopId) {
        let Some(HopPlace::On(link, number)) = self.hops.remove(&id) else {
            return;
        };
        self.hop_numbers.remove(&(link, number));
        self.drop_queue(link, number);
        if let Some(queue) = self.hop_queue(link, number) {
            queue.items.push_back(Item::Destroy);
        }
        self.touch_hop(link, number);
    }

    /// Cells of a circuit that wait on its link.
    pub(crate) fn waiting_cells(&self, id: HopId) -> usize {
        match self.hops.get(&id) {
            Some(HopPlace::On(link, number)) => self
                .links
                .get(link)
                .and_then(|link| link.hops.get(number))
                .map_or(0, HopQueue::cells),
            _ => 0,
        }
    }

    /// Asks for a [`LinkEvent::HopDrained`] once few cells wait.
    pub(crate) fn ask_hop(&mut self, id: HopId) {
        if let Some(&HopPlace::On(link, number)) = self.hops.get(&id)
            && let Some(queue) = self.hop_queue(link, number)
        {
            queue.hungry = true;
        }
    }

    // What links do with them

    pub(super) fn hop_queue(&mut self, link: LinkId, number: u32) -> Option<&mut HopQueue> {
        self.links
            .get_mut(&link)
            .and_then(|link| link.hops.get_mut(&number))
    }

    pub(super) fn touch_hop(&mut self, link: LinkId, number: u32) {
        if let Some(entry) = self.links.get_mut(&link) {
            entry.touch_hop(number);
            self.touched.insert(link);
        }
    }

    fn push(&mut self, id: HopId, item: Item) {
        let Some(&HopPlace::On(link, number)) = self.hops.get(&id) else {
            return;
        };
        let cell = matches!(item, Item::Cell(_));
        if let Some(queue) = self.hop_queue(link, number) {
            queue.cells += usize::from(cell);
            queue.items.push_back(item);
            self.cells_queued += usize::from(cell);
        }
        self.touch_hop(link, number);
    }

    fn drop_queue(&mut self, link: LinkId, number: u32) {
        if let Some(queue) = self.hop_queue(link, number) {
            let cells = queue.cells;
            queue.items = VecDeque::new();
            queue.cells = 0;
            self.cells_queued -= cells;
        }
    }

    fn attach_hop(
        &mut self,
        id: HopId,
        link: LinkId,
        class: Class,
        body: Vec<u8>,
        ctx: &mut Ctx<'_>,
    ) -> Option<()> {
        let entry = self.links.get_mut(&link)?;
        let number = entry.number()?;
        entry.hops.insert(number, HopQueue::new(class));
        entry.used = ctx.now;
        self.hops.insert(id, HopPlace::On(link, number));
        self.hop_numbers.insert((link, number), id);
        self.push(id, Item::Create(body));
        Some(())
    }

    /// A link is up: circuits that waited for it begin.
    pub(super) fn attach_waiting_hops(
        &mut self,
        remote: LinkPublic,
        link: LinkId,
        ctx: &mut Ctx<'_>,
    ) {
        for id in self.hops_waiting_for(&remote) {
            if let Some(HopPlace::Waiting(_, class, body)) = self.hops.remove(&id) {
                let _ = self.attach_hop(id, link, class, body, ctx);
            }
        }
    }

    /// A node cannot be reached: circuits that waited for its link are over.
    pub(super) fn fail_waiting_hops(&mut self, remote: &LinkPublic) -> Vec<LinkEvent> {
        let waiting = self.hops_waiting_for(remote);
        for id in &waiting {
            self.hops.remove(id);
        }
        waiting.into_iter().map(LinkEvent::Cut).collect()
    }

    fn hops_waiting_for(&self, remote: &LinkPublic) -> Vec<HopId> {
        self.hops
            .iter()
            .filter(|(_, place)| matches!(place, HopPlace::Waiting(to, ..) if to == remote))
            .map(|(&id, _)| id)
            .collect()
    }

    /// Circuits of a link that is gone.
    pub(super) fn forget_hops(&mut self, link: LinkId, numbers: &[(u32, usize)]) -> Vec<LinkEvent> {
        let mut events = Vec::new();
        for &(number, cells) in numbers {
            self.cells_queued -= cells;
            if let Some(id) = self.hop_numbers.remove(&(link, number)) {
                self.hops.remove(&id);
                events.push(LinkEvent::Cut(id));
            }
        }
        events
    }

    // What the other side says

    /// The other side begins a circuit. `Err` is a breach of the protocol.
    pub(super) fn hop_opened(
        &mut self,
        link: LinkId,
        number: u32,
        body: &[u8],
        events: &mut Vec<LinkEvent>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), &'static str> {
        let entry = self.links.get_mut(&link).ok_or("gone")?;
        if !entry.is_theirs(number) || entry.hops.contains_key(&number) {
            return Err("circuit_number");
        }
        let theirs = entry.their_hops();
        let mut queue = HopQueue::new(Class::Relay);
        if theirs >= CIRCUITS_PER_LINK_MAX {
            ctx.stats.refused("circuits");
            ctx.stats.circuits.refused += 1;
            if theirs >= 2 * CIRCUITS_PER_LINK_MAX {
                // Not even the notices are being read.
                return Err("circuits");
            }
            queue.items.push_back(Item::Destroy);
            entry.hops.insert(number, queue);
            self.touch_hop(link, number);
            return Ok(());
        }
        entry.hops.insert(number, queue);
        entry.used = ctx.now;
        let id = HopId(self.hop_names.next());
        self.hops.insert(id, HopPlace::On(link, number));
        self.hop_numbers.insert((link, number), id);
        events.push(LinkEvent::Create {
            hop: id,
            link,
            body: body.to_vec(),
        });
        Ok(())
    }

    /// The other side ends a circuit.
    pub(super) fn hop_ended(&mut self, link: LinkId, number: u32, events: &mut Vec<LinkEvent>) {
        // A circuit whose own end is being told already goes with that notice.
        if let Some(id) = self.hop_numbers.remove(&(link, number)) {
            self.hops.remove(&id);
            self.drop_queue(link, number);
            if let Some(entry) = self.links.get_mut(&link) {
                entry.hops.remove(&number);
            }
            events.push(LinkEvent::Destroyed(id));
        }
    }
}
