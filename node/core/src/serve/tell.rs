//! Telling another storer what is kept where, so that it can pass on what is missing. Everything told can be had by a get
//! or a query as well, location by location: this spares bytes, it shows nothing more.

use super::{Serve, Serving};
use crate::action::StoreRequest;
use crate::effect::{Ctx, Effect};
use crate::ids::{ExchangeId, LinkId};
use crate::limits::{TELLING_MAX, TELLING_PER_LINK_MAX};
use crate::wire::message::{Refusal, Reply};

impl Serve {
    /// Asks the store, within the bounds for such questions.
    pub(super) fn tell(
        &mut self,
        id: ExchangeId,
        link: Option<LinkId>,
        request: StoreRequest,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), (Refusal, u8)> {
        let link = link.ok_or((Refusal::Invalid, 0))?;
        let of_link = self.telling.get(&link).copied().unwrap_or(0);
        if of_link >= TELLING_PER_LINK_MAX || self.telling.values().sum::<usize>() >= TELLING_MAX {
            return Err((Refusal::Busy, 0));
        }
        self.telling.insert(link, of_link + 1);
        self.serving.insert(id, Serving::Telling { link });
        self.store(id, request, ctx);
        Ok(())
    }

    pub(super) fn told(&mut self, id: ExchangeId, reply: Reply, ctx: &mut Ctx<'_>) {
        self.done(id);
        ctx.effect(Effect::Answer {
            exchange: id,
            reply,
        });
        ctx.effect(Effect::Finish { exchange: id });
    }
}
