//! News on its way: what is to be told to others, and what others have told of and we have asked for.
//!
//! A descriptor crosses a link once: its name is offered, whoever lacks it asks. News is gathered for a while and told
//! together, for a record costs the same with one name in it as with three hundred. Everything here may be lost: the next
//! comparison of views finds what is missing.

use std::collections::{BTreeMap, BTreeSet};

use core::time::Duration;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use super::bootstrap::jittered;
use crate::ids::LinkId;
use crate::limits::{
    ASK_PATIENCE, ASKED_PER_LINK_MAX, OFFERERS_MAX, RUMOUR_EVERY, RUMOUR_EVERY_LOCAL, RUMOUR_LINKS,
    RUMOUR_RENEWED, RUMOURS_MAX, RUMOURS_TOGETHER,
};
use crate::time::Time;

/// A descriptor in an offer: the first bytes of the node's id, and when it was issued.
pub(super) type Name = (u64, u32);

/// Something asked for.
struct Asked {
    of: LinkId,
    until: Time,
    /// Who else has offered it.
    others: Vec<LinkId>,
}

/// News to tell and news asked for.
pub(super) struct Rumours {
    local: bool,
    /// What is to be told, and who has it already.
    news: BTreeMap<Name, Vec<LinkId>>,
    told: Time,
    next: Option<Time>,
    /// Whether there is news among it that is to be told sooner.
    hurried: bool,
    asked: BTreeMap<Name, Asked>,
    of_link: BTreeMap<LinkId, usize>,
    /// None runs out of patience before this.
    patience: Option<Time>,
}

impl Rumours {
    pub(super) const fn new(local: bool) -> Self {
        Self {
            local,
            news: BTreeMap::new(),
            told: Time(0),
            next: None,
            hurried: false,
            asked: BTreeMap::new(),
            of_link: BTreeMap::new(),
            patience: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.next.into_iter().chain(self.patience).min()
    }

    /// How often news is told: of nodes that are known already nobody waits for it, for what is known of them stays
    /// valid for long.
    const fn every(&self, renewed: bool) -> Duration {
        match (self.local, renewed) {
            (true, _) => RUMOUR_EVERY_LOCAL,
            (false, false) => RUMOUR_EVERY,
            (false, true) => RUMOUR_RENEWED,
        }
    }

    /// Something new is known, whether of a node that was known before, and to whom besides. False if there is too much
    /// to tell already.
    pub(super) fn heard(
        &mut self,
        (name, renewed): (Name, bool),
        has: Vec<LinkId>,
        now: Time,
        rng: &mut ChaCha20Rng,
    ) -> bool {
        if self.news.len() >= RUMOURS_MAX {
            return false;
        }
        self.news.insert(name, has);
        if self.next.is_none() || !(renewed || self.hurried) {
            // After a quiet time it is told soon; often, no more than so often.
            let soon = now + jittered(self.every(renewed) / 8, rng);
            let due = self.told + jittered(self.every(renewed), rng);
            let due = due.max(soon);
            self.next = Some(self.next.map_or(due, |next| next.min(due)));
            self.hurried |= !renewed;
        }
        if self.news.len() >= RUMOURS_TOGETHER {
            self.next = Some(now);
        }
        true
    }

    /// What is to be told to whom, if it is time. Of many links some are chosen, others for other news.
    pub(super) fn tell(
        &mut self,
        mut links: Vec<LinkId>,
        now: Time,
        rng: &mut ChaCha20Rng,
    ) -> Vec<(LinkId, Vec<Name>)> {
        if self.next.is_none_or(|at| at > now) {
            return Vec::new();
        }
        (self.next, self.told, self.hurried) = (None, now, false);
        let news = core::mem::take(&mut self.news);
        let few = if self.local { usize::MAX } else { RUMOUR_LINKS };
        let mut told = Vec::new();
        while told.len() < few && !links.is_empty() {
            let link = links.swap_remove(rng.next_u32() as usize % links.len());
            let lacks = news.iter().filter(|(_, has)| !has.contains(&link));
            let names: Vec<Name> = lacks.map(|(name, _)| *name).collect();
            if !names.is_empty() {
                told.push((link, names));
            }
        }
        told
    }

    /// A link offers something. Whether it is to be asked for it now.
    pub(super) fn offered(&mut self, link: LinkId, name: Name, known: bool, now: Time) -> bool {
        if let Some(has) = self.news.get_mut(&name)
            && !has.contains(&link)
        {
            has.push(link);
        }
        if known {
            return false;
        }
        if let Some(asked) = self.asked.get_mut(&name) {
            if asked.of != link
                && asked.others.len() < OFFERERS_MAX
                && !asked.others.contains(&link)
            {
                asked.others.push(link);
            }
            return false;
        }
        self.ask(link, name, Vec::new(), now)
    }

    fn ask(&mut self, of: LinkId, name: Name, others: Vec<LinkId>, now: Time) -> bool {
        let count = self.of_link.entry(of).or_default();
        if *count >= ASKED_PER_LINK_MAX {
            return false;
        }
        *count += 1;
        let until = now + ASK_PATIENCE;
        self.patience = Some(self.patience.map_or(until, |at| at.min(until)));
        self.asked.insert(name, Asked { of, until, others });
        true
    }

    fn forget(&mut self, name: &Name) -> Option<Asked> {
        let asked = self.asked.remove(name)?;
        if let Some(count) = self.of_link.get_mut(&asked.of) {
            *count -= 1;
            if *count == 0 {
                self.of_link.remove(&asked.of);
            }
        }
        Some(asked)
    }

    /// Something came. Who else is known to have it.
    pub(super) fn arrived(&mut self, name: Name) -> Vec<LinkId> {
        let Some(asked) = self.forget(&name) else {
            return Vec::new();
        };
        let mut has = asked.others;
        has.push(asked.of);
        has
    }

    /// What did not come in time is asked of the next who offered it and is still there: whom, and for what.
    pub(super) fn impatient(
        &mut self,
        there: &dyn Fn(LinkId) -> bool,
        now: Time,
    ) -> BTreeMap<LinkId, Vec<Name>> {
        let mut again: BTreeMap<LinkId, Vec<Name>> = BTreeMap::new();
        if self.patience.is_none_or(|at| at > now) {
            return again;
        }
        let late = self.asked.iter().filter(|(_, asked)| asked.until <= now);
        let late: BTreeSet<Name> = late.map(|(name, _)| *name).collect();
        for name in late {
            let mut others = self.forget(&name).map_or(Vec::new(), |asked| asked.others);
            while !others.is_empty() {
                let next = others.remove(0);
                if there(next) && self.ask(next, name, others.clone(), now) {
                    again.entry(next).or_default().push(name);
                    break;
                }
            }
        }
        self.patience = self.asked.values().map(|asked| asked.until).min();
        again
    }

    /// How much is waited for.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.asked.len()
    }
}

#[cfg(test)]
#[path = "rumours_tests.rs"]
mod tests;
