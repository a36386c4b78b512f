//! Winny's keys: every file's key, with the address of a holder and a timer, spreads from node to node.

use std::collections::BTreeMap;

use super::super::dice::Dice;

/// Nodes, and files published while the observer watches.
pub(super) const NODES: usize = 600;
pub(super) const FILES: usize = 60;
/// One step is half a minute; the observer watches for 30 minutes.
pub(super) const STEPS: usize = 60;
/// Steps a key lives when nobody refreshes it: 1,500 s.
pub(super) const LIFE: usize = 50;
/// Nodes that a node sends its keys to in one step, and keys it sends at the most.
const SENT_TO: usize = 2;
/// Probability that a node puts its own address into a key that it passes on.
const REWRITE: f64 = 0.04;
/// Probability that a node that sees a key wants the file, a step.
const WANT: f64 = 0.0004;

/// A key as one node knows it.
#[derive(Clone, Copy)]
pub(super) struct Key {
    /// Who is said to hold the file.
    pub(super) holder: usize,
    /// Steps left.
    pub(super) timer: usize,
}

/// A network of nodes with keys and files.
pub(super) struct World {
    /// Who published which file, and in which step.
    pub(super) published: Vec<(usize, usize)>,
    /// Who holds a file whole: its publisher and who has downloaded it.
    pub(super) holders: Vec<Vec<usize>>,
    /// Keys by node, then file.
    pub(super) keys: Vec<BTreeMap<usize, Key>>,
    now: usize,
}

impl World {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let published = (0..FILES)
            .map(|_| (dice.below(NODES), dice.below(STEPS / 2)))
            .collect();
        Self {
            published,
            holders: vec![Vec::new(); FILES],
            keys: vec![BTreeMap::new(); NODES],
            now: 0,
        }
    }

    /// Half a minute.
    pub(super) fn step(&mut self, dice: &mut Dice) {
        for keys in &mut self.keys {
            keys.values_mut()
                .for_each(|key| key.timer = key.timer.saturating_sub(1));
            keys.retain(|_, key| key.timer > 0);
        }
        for (file, &(publisher, step)) in self.published.iter().enumerate() {
            if step == self.now {
                self.holders[file].push(publisher);
            }
        }
        // Possession refreshes: whoever holds the file states it anew, with a full timer.
        for (file, holders) in self.holders.iter().enumerate() {
            for &holder in holders {
                let fresh = Key {
                    holder,
                    timer: LIFE,
                };
                self.keys[holder].insert(file, fresh);
            }
        }
        for node in 0..NODES {
            let sent: Vec<(usize, Key)> = self.keys[node]
                .iter()
                .map(|(&file, &key)| (file, key))
                .collect();
            for _ in 0..SENT_TO {
                let to = dice.below(NODES);
                for &(file, mut key) in &sent {
                    if to == node || self.holders[file].contains(&to) {
                        continue;
                    }
                    if dice.chance(REWRITE) {
                        key.holder = node;
                    }
                    let known = self.keys[to].get(&file);
                    if known.is_none_or(|known| known.timer < key.timer) {
                        self.keys[to].insert(file, key);
                    }
                }
            }
        }
        for node in 0..NODES {
            let wanted: Vec<usize> = self.keys[node]
                .keys()
                .copied()
                .filter(|_| dice.chance(WANT))
                .collect();
            for file in wanted {
                if !self.holders[file].contains(&node) {
                    self.holders[file].push(node);
                }
            }
        }
        self.now += 1;
    }
}
