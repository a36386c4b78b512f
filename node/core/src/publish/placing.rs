//! One extent on its way to its storers: which placements are done, whom to try next. Choices only; the job acts.

use std::collections::VecDeque;
use std::sync::Arc;

use oboro_crypto::eris::Run;
use oboro_crypto::ids::{ExtentId, Location, NetworkId, NodeId, Reference};

use crate::exchange::Trouble;
use crate::ids::ExchangeId;
use crate::limits::{
    PLACEMENT_ROUND_WAIT, PLACEMENT_ROUNDS, PLACEMENT_TRIES, PRICE_MAX, PRICE_RAISES,
};
use crate::losses::Losses;
use crate::peers::Unasked;
use crate::placement::{Directory, candidates};
use crate::serve::put::all_of;
use crate::time::Time;

/// Times a busy storer is asked again before it counts as failed.
const BUSY_MAX: u32 = 12;

/// How one placement stands.
pub(super) enum State {
    /// To be asked for, not before this time.
    Wanted(Time),
    /// Asked or being sent.
    Busy {
        exchange: ExchangeId,
        node: NodeId,
        /// Whether it has said which chunks it wants: that it may do once.
        told: bool,
        unsent: VecDeque<u8>,
    },
    /// A receipt is here.
    Stored(NodeId),
    /// Nobody takes it.
    Lost,
}

/// One placement of an extent.
pub(super) struct Spot {
    pub(super) index: u8,
    pub(super) location: Location,
    pub(super) state: State,
    pub(super) price: u8,
    tried: Vec<NodeId>,
    /// Those of them that did not answer as they should: they are asked again when all others have been.
    troubled: Vec<NodeId>,
    /// Times all were asked.
    rounds: u32,
    busy: u32,
    raised: u32,
    /// Circuits that failed under it.
    lost: Losses,
}

/// An extent being placed.
pub(super) struct Placing {
    pub(super) level: u8,
    pub(super) references: Vec<Reference>,
    pub(super) blocks: Arc<Vec<Vec<u8>>>,
    pub(super) spots: Vec<Spot>,
    /// The price of the network, before anybody names a higher one.
    price: u8,
    /// Whether it is still to be read back from one of its storers.
    pub(super) verify: bool,
    /// Whether it is of the parity: no content, but as precious.
    pub(super) parity: bool,
    /// Times that reading back was lost with its circuit.
    pub(super) unread: Losses,
    /// The chunk being read back, and of which placement.
    pub(super) verifying: Option<(ExchangeId, usize, u8)>,
}

impl Placing {
    pub(super) fn new(
        run: Run,
        network: &NetworkId,
        copies: u8,
        price: u8,
        verify: bool,
        parity: bool,
    ) -> Self {
        let extent = ExtentId::of(&run.references);
        let spots = (0..copies)
            .map(|index| Spot {
                index,
                location: Location::of_extent(network, &extent, index),
                state: State::Wanted(Time::default()),
                price,
                tried: Vec::new(),
                troubled: Vec::new(),
                rounds: 0,
                busy: 0,
                raised: 0,
                lost: Losses::default(),
            })
            .collect();
        Self {
            level: run.level,
            references: run.references,
            blocks: Arc::new(run.blocks),
            spots,
            price,
            verify,
            parity,
            unread: Losses::default(),
            verifying: None,
        }
    }

    pub(super) fn extent(&self) -> ExtentId {
        ExtentId::of(&self.references)
    }

    /// How many placements it has.
    pub(super) fn copies(&self) -> u8 {
        u8::try_from(self.spots.len()).unwrap_or(u8::MAX)
    }

    /// Bytes of content in it, padding included; none if it is inner nodes or parity.
    pub(super) fn content(&self) -> u64 {
        if self.level == 0 && !self.parity {
            self.blocks.iter().map(|block| block.len() as u64).sum()
        } else {
            0
        }
    }

    /// Whom to ask for a placement; `None` makes it lost, or has it wait for another round.
    pub(super) fn choose(
        &mut self,
        spot: usize,
        directory: &dyn Directory,
        unasked: &Unasked,
        now: Time,
    ) -> Option<NodeId> {
        let taken: Vec<NodeId> = self
            .spots
            .iter()
            .filter_map(|other| match &other.state {
                State::Busy { node, .. } | State::Stored(node) => Some(*node),
                _ => None,
            })
            .collect();
        let spot = self.spots.get_mut(spot)?;
        let without =
            |node: &NodeId| unasked.has(node) || taken.contains(node) || spot.tried.contains(node);
        let choice = candidates(directory, &spot.location, spot.index, &without)
            .first()
            .copied()
            .filter(|_| spot.tried.len() < PLACEMENT_TRIES);
        if choice.is_none() {
            spot.next_round(now);
        }
        choice
    }

    /// Whether a placement is to be asked for now.
    pub(super) fn is_due(&self, spot: usize, now: Time) -> bool {
        self.spots
            .get(spot)
            .is_some_and(|spot| matches!(spot.state, State::Wanted(at) if at <= now))
    }

    /// Of whom a placement was asked, and in which exchange.
    pub(super) fn asked(&self, spot: usize) -> Option<(ExchangeId, NodeId)> {
        match self.spots.get(spot).map(|spot| &spot.state) {
            Some(State::Busy { exchange, node, .. }) => Some((*exchange, *node)),
            _ => None,
        }
    }

    /// A storer wants these chunks. False if it has said so before, or wants what there is not.
    pub(super) fn will_send(&mut self, spot: usize, mask: u32) -> bool {
        let foreign = mask & !all_of(self.references.len());
        match self.spots.get_mut(spot).map(|spot| &mut spot.state) {
            Some(State::Busy { told, unsent, .. }) if !*told && foreign == 0 => {
                *told = true;
                *unsent = (0..32u8).filter(|index| mask & (1 << index) != 0).collect();
                true
            }
            _ => false,
        }
    }

    /// A storer has it.
    pub(super) fn stored(&mut self, spot: usize, node: NodeId) {
        if let Some(spot) = self.spots.get_mut(spot) {
            spot.state = State::Stored(node);
        }
    }

    /// A storer names a higher price: it is paid if it is one that can be paid and the storer has not raised it before.
    pub(super) fn pay(&mut self, spot: usize, price: u8, now: Time) {
        match self.spots.get_mut(spot) {
            Some(place)
                if price > place.price && price <= PRICE_MAX && place.raised < PRICE_RAISES =>
            {
                place.price = price;
                place.raised += 1;
                place.state = State::Wanted(now);
            }
            _ => self.failed(spot),
        }
    }

    /// A storer did not answer as it should: another is to be asked, and it once more if nobody else takes the placement.
    pub(super) fn troubled(&mut self, spot: usize) {
        if let Some(Spot {
            state: State::Busy { node, .. },
            troubled,
            ..
        }) = self.spots.get_mut(spot)
        {
            troubled.push(*node);
        }
        self.failed(spot);
    }

    /// A storer did not take a placement: another is to be asked, at the usual price.
    pub(super) fn failed(&mut self, spot: usize) {
        if let Some(spot) = self.spots.get_mut(spot) {
            if let State::Busy { node, .. } | State::Stored(node) = spot.state {
                spot.tried.push(node);
            }
            (spot.price, spot.raised, spot.busy) = (self.price, 0, 0);
            spot.state = State::Wanted(Time::default());
        }
    }

    /// The circuit to a storer failed: it is asked again by another way, a few times.
    pub(super) fn lost(&mut self, spot: usize, trouble: Trouble, now: Time) {
        let Some(place) = self.spots.get_mut(spot) else {
            return;
        };
        if place.lost.again(trouble) {
            place.state = State::Wanted(now + place.lost.wait());
        } else {
            place.lost = Losses::default();
            self.troubled(spot);
        }
    }

    /// A storer is busy: it is asked again after a while, for a while.
    pub(super) fn wait(&mut self, spot: usize, now: Time) {
        let Some(place) = self.spots.get_mut(spot) else {
            return;
        };
        place.busy += 1;
        if place.busy > BUSY_MAX {
            self.troubled(spot);
        } else {
            place.state = State::Wanted(now + core::time::Duration::from_millis(100) * place.busy);
        }
    }

    /// Whether every placement is settled.
    pub(super) fn is_settled(&self) -> bool {
        self.spots
            .iter()
            .all(|spot| matches!(spot.state, State::Stored(_) | State::Lost))
    }

    pub(super) fn receipts(&self) -> usize {
        self.spots
            .iter()
            .filter(|spot| matches!(spot.state, State::Stored(_)))
            .count()
    }

    /// When a waiting placement is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        let waiting = self.spots.iter().filter_map(|spot| match spot.state {
            State::Wanted(at) => Some(at),
            _ => None,
        });
        waiting.min()
    }

    /// All exchanges under way.
    pub(super) fn exchanges(&self) -> impl Iterator<Item = ExchangeId> + '_ {
        let placing = self.spots.iter().filter_map(|spot| match spot.state {
            State::Busy { exchange, .. } => Some(exchange),
            _ => None,
        });
        placing.chain(self.verifying.iter().map(|(exchange, ..)| *exchange))
    }
}

impl Spot {
    /// Nobody is left to be asked: those that only had trouble are, after a while, a few times. Where there are few storers
    /// one that is missed for a moment would be missed for good.
    fn next_round(&mut self, now: Time) {
        self.rounds += 1;
        if self.troubled.is_empty() || self.rounds >= PLACEMENT_ROUNDS {
            self.state = State::Lost;
            return;
        }
        let troubled = std::mem::take(&mut self.troubled);
        self.tried.retain(|node| !troubled.contains(node));
        self.state = State::Wanted(now + PLACEMENT_ROUND_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Two;

    const ONE: NodeId = NodeId([1; 32]);
    const OTHER: NodeId = NodeId([2; 32]);

    impl Directory for Two {
        fn nearest(&self, _: &Location, _: usize, allow: &dyn Fn(&NodeId) -> bool) -> Vec<NodeId> {
            [ONE, OTHER]
                .into_iter()
                .filter(|node| allow(node))
                .collect()
        }

        fn is_suspect(&self, _: &NodeId) -> bool {
            false
        }

        fn storers(&self) -> usize {
            2
        }
    }

    fn placing() -> Placing {
        let run = Run {
            level: 0,
            references: vec![Reference([7; 32])],
            blocks: vec![Vec::new()],
        };
        Placing::new(run, &NetworkId([3; 32]), 1, 0, false, false)
    }

    /// Asks whoever is to be asked.
    fn ask(placing: &mut Placing, now: Time) -> Option<NodeId> {
        let unasked = Unasked {
            own: NodeId([9; 32]),
            guard: None,
        };
        let node = placing.choose(0, &Two, &unasked, now)?;
        placing.spots[0].state = State::Busy {
            exchange: ExchangeId(1),
            node,
            told: false,
            unsent: VecDeque::new(),
        };
        Some(node)
    }

    #[test]
    fn who_only_had_trouble_is_asked_again_and_who_refused_is_not() {
        let (mut placing, now) = (placing(), Time::from_secs(100));
        assert_eq!(ask(&mut placing, now), Some(ONE));
        placing.troubled(0);
        assert_eq!(ask(&mut placing, now), Some(OTHER));
        placing.failed(0);
        for _ in 1..PLACEMENT_ROUNDS {
            assert_eq!(ask(&mut placing, now), None);
            assert_eq!(placing.deadline(), Some(now + PLACEMENT_ROUND_WAIT));
            assert_eq!(ask(&mut placing, now), Some(ONE));
            placing.troubled(0);
        }
        assert_eq!(ask(&mut placing, now), None);
        assert!(matches!(placing.spots[0].state, State::Lost));
    }

    #[test]
    fn a_placement_that_all_refuse_is_lost_at_once() {
        let (mut placing, now) = (placing(), Time::from_secs(100));
        for node in [ONE, OTHER] {
            assert_eq!(ask(&mut placing, now), Some(node));
            placing.failed(0);
        }
        assert_eq!(ask(&mut placing, now), None);
        assert!(placing.is_settled());
    }
}
