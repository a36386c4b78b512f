//! What flooders of extents leave of the caches.

use oboro_cache::{HeldWhat, Store};

use super::super::World;
use crate::measured::{Measured, Measures};
use crate::scenario::Kind;

/// Things in a page of what a store holds.
const PAGE: usize = 1_024;

impl World {
    pub(super) fn report_room(&mut self, out: &mut Measures) {
        let floods = |hostile: &crate::scenario::Hostile| hostile.kind == Kind::PutFlooder;
        if !self.scenario.hostile.iter().any(floods) {
            return;
        }
        let (mut rubbish, mut all) = (0, 0);
        let mut full = 0;
        let honest: Vec<usize> = (0..self.machines.len())
            .filter(|&index| self.machines[index].kind.is_none())
            .collect();
        for &index in &honest {
            let (mut after, mut here) = (None, 0);
            loop {
                let store = &mut self.machines[index].store;
                let Ok(page) = store.held(after.as_deref(), PAGE) else {
                    break;
                };
                for held in page.held {
                    if let HeldWhat::Extent { info, .. } = held.what {
                        let chunks = info.present.count_ones() as usize;
                        let known = self.oracle.file_at(&held.location).is_some();
                        here += chunks;
                        rubbish += if known { 0 } else { chunks };
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            all += here;
            let room = (self.scenario.quota_mib << 20) / (32 * 1024);
            full += usize::from(here as u64 * 10 >= room * 8);
        }
        for (name, is) in [
            (
                "chunks held that are rubbish",
                Measured::share(rubbish, all),
            ),
            ("caches that are full", Measured::share(full, honest.len())),
            (
                "files of rubbish placed",
                Measured::exact(self.attacks.rubbish as f64, 1),
            ),
        ] {
            out.insert(format!("flood: {name}"), is);
        }
    }
}
