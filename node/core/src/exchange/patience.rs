//! Who has waited long enough, and who gives way when too much is being served. Knows no message.

use super::{Exchange, ExchangeEvent, Exchanges, Side, Trouble};
use crate::carriage::Carriage;
use crate::circuit::Loss;
use crate::effect::Ctx;
use crate::ids::ExchangeId;
use crate::limits::{
    EXCHANGE_LONGEST, EXCHANGE_PATIENCE, REQUEST_PATIENCE, SERVE_PATIENCE, SERVING_MAX,
};
use crate::shares;
use crate::stream::StreamId;
use crate::time::Time;
use crate::wire::frame::CloseReason;

impl Exchanges {
    /// When the next exchange runs out of patience.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.exchanges.values().map(Exchange::patience_ends).min()
    }

    /// Ends exchanges in which nothing happens, or not enough.
    pub(crate) fn tick(
        &mut self,
        streams: &mut Carriage<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Vec<ExchangeEvent> {
        let late: Vec<ExchangeId> = self
            .exchanges
            .iter()
            .filter(|(_, exchange)| exchange.patience_ends() <= ctx.now)
            .map(|(&id, _)| id)
            .collect();
        let mut events = Vec::new();
        for id in late {
            ctx.stats.dropped("exchange_silent");
            self.give_up(id, CloseReason::Failed, &mut events, streams, ctx);
        }
        events
    }

    /// Whether one more stream can be served. If all places are taken, the link that has most of them loses the one in
    /// which nothing has happened for longest, but only to a link that has less.
    pub(super) fn has_room_for(
        &mut self,
        stream: StreamId,
        events: &mut Vec<ExchangeEvent>,
        streams: &mut Carriage<'_>,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        if self.serving < SERVING_MAX {
            return true;
        }
        let served = self
            .exchanges
            .iter()
            .filter(|(_, exchange)| matches!(exchange.side, Side::Served(_)));
        let places = served.filter_map(|(&id, exchange)| {
            let link = streams.carrier(exchange.stream)?;
            Some((link, exchange.moved, id))
        });
        let Some(loser) = shares::loser(places, streams.carrier(stream)) else {
            return false;
        };
        ctx.stats.dropped("serving_share");
        self.give_up(loser, CloseReason::Busy, events, streams, ctx);
        true
    }

    fn give_up(
        &mut self,
        id: ExchangeId,
        reason: CloseReason,
        events: &mut Vec<ExchangeEvent>,
        streams: &mut Carriage<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(exchange) = self.remove(id) {
            let trouble = if streams.is_waiting(exchange.stream) {
                Trouble::Lost(Loss::Circuit)
            } else {
                Trouble::Silent
            };
            streams.close(exchange.stream, reason, ctx);
            events.push(self.over(id, &exchange.side, trouble));
        }
    }
}

impl Exchange {
    fn patience_ends(&self) -> Time {
        let patience = match &self.side {
            Side::Client(_) => EXCHANGE_PATIENCE,
            Side::Served(served) if served.is_new() => REQUEST_PATIENCE,
            Side::Served(_) => SERVE_PATIENCE,
        };
        (self.moved + patience).min(self.began + EXCHANGE_LONGEST)
    }
}
