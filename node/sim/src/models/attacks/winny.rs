//! The crawl of Winny (Takagi; NetAgent 2007): keys carry a holder's address and are given to everybody who asks. An
//! observer that visits every node in half an hour learns who holds what, and who had it first.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Setting;
use super::super::dice::Dice;
use super::super::measure::mean;
use super::super::space::Space;
use super::super::table::{Cell, Table};
use super::PLACEMENTS;
use super::winny_world::{FILES, NODES, STEPS, World};

/// Nodes visited in one step: all in 25 minutes, over and over.
const VISITS: usize = NODES / 50;

/// What a crawl came to, each a share.
struct Crawl {
    /// Of pairs of file and interested node (publisher or downloader), those claimed.
    holders: f64,
    /// Of claimed pairs, those true.
    true_claims: f64,
    /// Of published files, those whose first publisher is named rightly.
    publishers: f64,
}

fn judge(
    claims: &BTreeSet<(usize, usize)>,
    first: &BTreeMap<usize, usize>,
    truth: &BTreeSet<(usize, usize)>,
    publishers: &[usize],
) -> Crawl {
    let both = claims.intersection(truth).count() as f64;
    let named = publishers.iter().enumerate();
    let named = named
        .filter(|(file, publisher)| first.get(file) == Some(*publisher))
        .count();
    Crawl {
        holders: both / truth.len().max(1) as f64,
        true_claims: both / claims.len().max(1) as f64,
        publishers: named as f64 / publishers.len() as f64,
    }
}

/// Pairs of file and node that are true at the end, and the publishers.
fn truth(world: &World) -> (BTreeSet<(usize, usize)>, Vec<usize>) {
    let holders = world.holders.iter().enumerate();
    let truth = holders.flat_map(|(file, holders)| holders.iter().map(move |&node| (file, node)));
    (
        truth.collect(),
        world.published.iter().map(|&(node, _)| node).collect(),
    )
}

/// Half an hour in Winny. The observer, once asked about a file it knows, believes every key; the first publisher is
/// whoever the first key it saw of a file names.
fn winny(dice: &mut Dice) -> Crawl {
    let mut world = World::new(dice);
    let (mut claims, mut first) = (BTreeSet::new(), BTreeMap::new());
    let mut turn = 0;
    for _ in 0..STEPS {
        world.step(dice);
        for _ in 0..VISITS {
            for (&file, key) in &world.keys[turn] {
                claims.insert((file, key.holder));
                first.entry(file).or_insert(key.holder);
            }
            turn = (turn + 1) % NODES;
        }
    }
    let (truth, publishers) = truth(&world);
    judge(&claims, &first, &truth, &publishers)
}

/// The same half hour in Oboro: the same files, publishers and downloads. A node has no call that lists what it holds,
/// so the observer asks each node for each location of the files it knows; each says what it holds for others, which
/// depends on locations alone. Own files and downloads are not among it.
fn oboro(dice: &mut Dice) -> Crawl {
    let mut world = World::new(dice);
    let space = Space::new(NODES, dice);
    let storers: Vec<Vec<usize>> = (0..FILES)
        .map(|_| {
            let locations = 0..PLACEMENTS;
            locations
                .flat_map(|_| space.nearest(dice.bits(), 1))
                .collect()
        })
        .collect();
    let (mut claims, mut first) = (BTreeSet::new(), BTreeMap::new());
    let mut turn = 0;
    for step in 0..STEPS {
        world.step(dice);
        for _ in 0..VISITS {
            for (file, storers) in storers.iter().enumerate() {
                if world.published[file].1 <= step && storers.contains(&turn) {
                    claims.insert((file, turn));
                    first.entry(file).or_insert(turn);
                }
            }
            turn = (turn + 1) % NODES;
        }
    }
    let (truth, publishers) = truth(&world);
    judge(&claims, &first, &truth, &publishers)
}

pub(in super::super) fn table(setting: &Setting) -> Table {
    let mut dice = Dice::new(setting.seed, "winny");
    let ancestor: Vec<Crawl> = (0..setting.trials).map(|_| winny(&mut dice)).collect();
    let mut dice = Dice::new(setting.seed, "winny/oboro");
    let ours: Vec<Crawl> = (0..setting.trials).map(|_| oboro(&mut dice)).collect();
    // What claims about nodes picked by chance come to.
    let blind = PLACEMENTS as f64 / NODES as f64;
    let row = |label: &str, figure: fn(&Crawl) -> f64, published: &str, chance: Option<f64>| {
        vec![
            label.into(),
            Cell::sampled(mean(ancestor.iter().map(figure)), 3),
            published.into(),
            Cell::sampled(mean(ours.iter().map(figure)), 4),
            chance.map_or_else(Cell::none, |chance| Cell::exact(chance, 4)),
        ]
    };
    setting.table(
        vec!["learned in 30 minutes", "Winny", "published", "Oboro", "by chance"],
        vec![
            row(
                "holders (publishers, downloaders)",
                |crawl| crawl.holders,
                "a full crawl takes 20 to 30 min",
                Some(blind),
            ),
            row("claims that are true", |crawl| crawl.true_claims, "-", None),
            row(
                "first publishers",
                |crawl| crawl.publishers,
                "close to 100 % (NetAgent)",
                Some(1.0 / NODES as f64),
            ),
        ],
        vec![
            "600 nodes, 60 files published in the first 15 minutes; keys go to 2 nodes each 30 s, live 1,500 s, and get a \
             passing node's address with 0.04; every node is visited once in 25 minutes. A trial is a whole network.",
            "Oboro: the observer asks every node for every location of every file, which is more than the protocol makes \
             easy; it finds storers, chosen by location, and takes them for holders.",
            "That a node runs Oboro is not hidden: listed nodes are listed.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crawl_finds_winnys_holders_and_publishers_and_only_storers_in_oboro() {
        let mut dice = Dice::new(19, "winny");
        let old: Vec<Crawl> = (0..3).map(|_| winny(&mut dice)).collect();
        let new: Vec<Crawl> = (0..3).map(|_| oboro(&mut dice)).collect();
        let worst = |crawls: &[Crawl], figure: fn(&Crawl) -> f64| {
            crawls.iter().map(figure).fold(f64::MAX, f64::min)
        };
        assert!(worst(&old, |crawl| crawl.holders) > 0.6);
        assert!(worst(&old, |crawl| crawl.publishers) > 0.5);
        assert!(mean(new.iter().map(|crawl| crawl.holders)).value < 0.05);
        assert!(mean(new.iter().map(|crawl| crawl.publishers)).value < 0.05);
    }
}
