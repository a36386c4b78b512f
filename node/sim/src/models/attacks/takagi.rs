//! Takagi's observation of Winny: a key's timer is full again and again only where the file is. Freshness tells who
//! holds it, even if addresses in keys are false.

use std::collections::BTreeMap;

use super::super::Setting;
use super::super::dice::Dice;
use super::super::measure::{Estimate, auc, power};
use super::super::space::Space;
use super::super::table::{Cell, Table};
use super::PLACEMENTS;
use super::winny_world::{NODES, STEPS, World};

/// Readings of a timer, half a minute apart.
const READINGS: usize = 6;
/// Files in Oboro's world, fetches of each user, and extents a node keeps before it has to choose.
const OBORO_FILES: usize = 900;
const FETCHES: usize = 12;
const ROOM: usize = 5;

/// The lowest timer an observer reads of a key at a node over some minutes: of nodes that have held the file all the
/// while, and of nodes that never did.
fn winny(dice: &mut Dice) -> (Vec<f64>, Vec<f64>) {
    let mut world = World::new(dice);
    for _ in 0..STEPS - READINGS {
        world.step(dice);
    }
    let held_before = world.holders.clone();
    let mut lowest: Vec<BTreeMap<usize, usize>> = vec![BTreeMap::new(); NODES];
    for reading in 0..READINGS {
        world.step(dice);
        for (lowest, keys) in lowest.iter_mut().zip(&world.keys) {
            if reading == 0 {
                *lowest = keys.iter().map(|(&file, key)| (file, key.timer)).collect();
            }
            for (file, low) in lowest.iter_mut() {
                *low = keys.get(file).map_or(0, |key| key.timer.min(*low));
            }
        }
    }
    let (mut holds, mut passes) = (Vec::new(), Vec::new());
    for (node, keys) in lowest.iter().enumerate() {
        for (&file, &low) in keys {
            if held_before[file].contains(&node) {
                holds.push(low as f64);
            } else if !world.holders[file].contains(&node) {
                passes.push(low as f64);
            }
        }
    }
    (holds, passes)
}

/// What an observer gets from probing nodes for files in Oboro: whether they hold it for others, and how fast they say
/// so. Of pairs of a node and a file it has fetched, and of as many pairs of the same nodes and files they have not.
///
/// Each file is kept by the nodes nearest to its locations; what was asked for least goes first where there is no room.
/// A node never asks itself: what it fetches leaves a trace at others only, through an exit.
fn oboro(dice: &mut Dice) -> (Vec<f64>, Vec<f64>) {
    let space = Space::new(NODES, dice);
    // By node: (file, times asked for).
    let mut stores: Vec<Vec<(usize, u32)>> = vec![Vec::new(); NODES];
    let storers: Vec<Vec<usize>> = (0..OBORO_FILES)
        .map(|_| {
            (0..PLACEMENTS)
                .flat_map(|_| space.nearest(dice.bits(), 1))
                .collect()
        })
        .collect();
    for (file, list) in storers.iter().enumerate() {
        for &storer in list {
            stores[storer].push((file, 0));
        }
    }
    let fetched: Vec<Vec<usize>> = (0..NODES)
        .map(|_| dice.distinct(FETCHES, OBORO_FILES))
        .collect();
    for (client, files) in fetched.iter().enumerate() {
        for &file in files {
            let others: Vec<usize> = storers[file]
                .iter()
                .copied()
                .filter(|&node| node != client)
                .collect();
            let Some(&storer) = others.get(dice.below(others.len())) else {
                continue;
            };
            let kept = stores[storer].iter_mut().find(|(held, _)| *held == file);
            kept.into_iter().for_each(|(_, asked)| *asked += 1);
        }
    }
    for store in &mut stores {
        store.sort_by_key(|&(file, asked)| (core::cmp::Reverse(asked), file));
        store.truncate(ROOM);
    }
    let probe = |node: usize, file: usize, dice: &mut Dice| {
        let holds = stores[node].iter().any(|(held, _)| *held == file);
        // Held or not, the line and the disk take their time; what was asked for lately is no faster.
        let quick = 1.0 / (1.0 + dice.log_normal(50.0, 0.5));
        f64::from(u8::from(holds)) + quick
    };
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for (node, files) in fetched.iter().enumerate() {
        for &file in files {
            own.push(probe(node, file, dice));
            let other = loop {
                let other = dice.below(OBORO_FILES);
                if !files.contains(&other) {
                    break other;
                }
            };
            others.push(probe(node, other, dice));
        }
    }
    (own, others)
}

/// All worlds together.
fn gather(
    worlds: u32,
    dice: &mut Dice,
    world: fn(&mut Dice) -> (Vec<f64>, Vec<f64>),
) -> (Estimate, Estimate) {
    let (mut yes, mut no) = (Vec::new(), Vec::new());
    for _ in 0..worlds {
        let (holds, passes) = world(dice);
        yes.extend(holds);
        no.extend(passes);
    }
    (auc(&yes, &no), power(&yes, &no, 0.01))
}

pub(in super::super) fn table(setting: &Setting) -> Table {
    let old = gather(
        setting.trials,
        &mut Dice::new(setting.seed, "takagi"),
        winny,
    );
    let new = gather(
        setting.trials,
        &mut Dice::new(setting.seed, "takagi/oboro"),
        oboro,
    );
    setting.table(
        vec!["statistic", "Winny", "Oboro", "no information"],
        vec![
            vec![
                "AUC of freshness for possession (M9)".into(),
                Cell::sampled(old.0, 4),
                Cell::sampled(new.0, 4),
                Cell::exact(0.5, 2),
            ],
            vec![
                "holders found at 1 % false alarms".into(),
                Cell::sampled(old.1, 4),
                Cell::sampled(new.1, 4),
                Cell::exact(0.01, 2),
            ],
        ],
        vec![
            "Winny: the lowest of 6 readings of a key's timer, half a minute apart, at nodes that hold the file and at nodes \
             that only pass its key on.",
            "Oboro: nodes are probed for files they have fetched and for others; the score is whether they hold it for \
             others, and how fast they say so. Full stores keep what was asked for most, so fetching leaves traces, but \
             at storers, chosen by location, and without saying by whom. Gate: AUC at most .52.",
            "A node never asks itself, so a file it fetched is asked for there a little less: an effect of some 4/N of \
             pairs, below what these trials resolve.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_betrays_possession_and_a_probe_of_oboro_does_not() {
        let mut dice = Dice::new(23, "takagi");
        let (old, _) = gather(3, &mut dice, winny);
        assert!(old.value > 0.8, "{old:?}");
        let (new, _) = gather(3, &mut dice, oboro);
        assert!(new.agrees(0.5, 4.0, 0.0), "{new:?}");
    }
}
