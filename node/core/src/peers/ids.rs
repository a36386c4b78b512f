//! Ids that are relied on are checked: to claim one is free, to have one is not.

use oboro_crypto::ids::{Location, NodeId};

use super::Peers;
use super::view::Verified;
use crate::action::{StoreRequest, Task};
use crate::effect::{Ctx, Waiting};
use crate::limits::VERIFYING_MAX;
use crate::placement::{Directory, acceptable_rank, is_responsible};

impl Peers {
    /// Has a node's id checked if that was not done yet: when it is relied on, never for all. It is asked meanwhile; the
    /// check only decides whether it stays. Beyond the bound the check waits for the next time.
    pub(crate) fn rely_on(&mut self, id: &NodeId, ctx: &mut Ctx<'_>) {
        let Some(identity) = self.view.identity(id) else {
            return;
        };
        if self.view.verified(id) == Verified::No && self.verifying < VERIFYING_MAX {
            self.verifying += 1;
            self.view.set_verified(id, Verified::UnderWay);
            ctx.compute(Waiting::Id(*id), Task::NodeId(identity));
        }
    }

    /// Whether this node may hold placement `index` of a location. If others seem too much nearer their ids are checked:
    /// to claim an id is free, to have one is not, and a location must not be taken by claims.
    pub(crate) fn is_mine(&mut self, location: &Location, index: u8, ctx: &mut Ctx<'_>) -> bool {
        let own = self.own.id;
        if is_responsible(&self.view, &own, location, index) {
            return true;
        }
        let nearer = self
            .view
            .nearest(location, acceptable_rank(index), &|node| *node != own);
        for node in nearer {
            self.rely_on(&node, ctx);
        }
        false
    }

    /// What an identity's id really is.
    pub(crate) fn verified(&mut self, claimed: &NodeId, real: Option<NodeId>, ctx: &mut Ctx<'_>) {
        self.verifying = self.verifying.saturating_sub(1);
        match real {
            Some(real) if real == *claimed => self.view.set_verified(claimed, Verified::Yes),
            Some(_) => {
                ctx.stats.violated("node_id");
                self.view.remove(claimed);
                self.unsaved.remove(claimed);
                ctx.store(
                    Waiting::Nobody,
                    StoreRequest::ForgetDescriptors(vec![*claimed]),
                );
            }
            None => self.view.set_verified(claimed, Verified::No),
        }
    }
}
