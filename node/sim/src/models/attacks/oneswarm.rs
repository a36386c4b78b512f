//! Prusty, Levine and Liberatore (CCS 2011) on OneSwarm: who has a file answers a search sooner than who has to pass it
//! on first, whatever fixed delays are added.

use super::super::Setting;
use super::super::dice::Dice;
use super::super::measure::{Estimate, auc, power};
use super::super::table::{Cell, Table};

/// Milliseconds a node waits before it passes a search on.
const FORWARD: f64 = 150.0;
/// Milliseconds a source waits before it answers, at least and at most.
const ANSWER: (f64, f64) = (170.0, 340.0);
/// Friends of a peer.
const FRIENDS: i32 = 26;

/// Milliseconds from the attacker's search to the answer over a friend that is the source, or that has it from one or
/// more hops behind.
fn oneswarm(source: bool, dice: &mut Dice) -> f64 {
    let line = |dice: &mut Dice| dice.log_normal(60.0, 0.5);
    let mut time = line(dice);
    if !source {
        loop {
            // Forwarding, there and back; a node passes an answer on at once.
            time += FORWARD + line(dice);
            if dice.chance(0.5) {
                break;
            }
        }
    }
    time + ANSWER.0 + dice.unit() * (ANSWER.1 - ANSWER.0)
}

/// A node of Oboro, as far as one extent goes.
struct Node {
    /// Whether it holds it for others.
    stored: bool,
    /// Whether its user has fetched it. Such things lie in a store of their own.
    fetched: bool,
}

impl Node {
    /// One of so many nodes: it holds the extent for others if it is nearest to one of its locations.
    fn new(fetched: bool, nodes: usize, dice: &mut Dice) -> Self {
        Self {
            stored: dice.below(nodes) < super::PLACEMENTS,
            fetched,
        }
    }

    /// Milliseconds a get takes here: reading takes longer than finding nothing. Only what is held for others is read,
    /// and no get is passed on.
    fn answer(&self, dice: &mut Dice) -> f64 {
        if self.stored {
            dice.log_normal(8.0, 0.7)
        } else {
            dice.log_normal(0.5, 0.5)
        }
    }
}

/// Milliseconds until the attacker has the answer to a get from a node whose user has fetched the extent, or has not.
fn oboro(fetched: bool, nodes: usize, dice: &mut Dice) -> f64 {
    let node = Node::new(fetched, nodes, dice);
    debug_assert_eq!(node.fetched, fetched);
    dice.log_normal(60.0, 0.5) + node.answer(dice)
}

/// Area and power at 5 % false alarms of "it has it" by short times, or by long ones if `late`.
fn judge(
    trials: u32,
    dice: &mut Dice,
    late: bool,
    time: impl Fn(bool, &mut Dice) -> f64,
) -> (Estimate, Estimate) {
    let sign = if late { 1.0 } else { -1.0 };
    let yes: Vec<f64> = (0..trials).map(|_| sign * time(true, dice)).collect();
    let no: Vec<f64> = (0..trials).map(|_| sign * time(false, dice)).collect();
    (auc(&yes, &no), power(&yes, &no, 0.05))
}

pub(in super::super) fn table(setting: &Setting) -> Table {
    let mut dice = Dice::new(setting.seed, "oneswarm");
    let old = judge(setting.trials, &mut dice, false, oneswarm);
    let mut dice = Dice::new(setting.seed, "oneswarm/oboro");
    let early = judge(setting.trials, &mut dice, false, |fetched, dice| {
        oboro(fetched, 1_000, dice)
    });
    let late = judge(setting.trials, &mut dice, true, |fetched, dice| {
        oboro(fetched, 1_000, dice)
    });
    let reached = 1.0 - 0.85f64.powi(FRIENDS);
    let mut exposed = |power: f64| {
        let hits = (0..setting.trials).filter(|_| {
            // Each hostile friend times one answer.
            (0..FRIENDS).any(|_| dice.chance(0.15) && dice.chance(power))
        });
        Estimate::share(hits.count() as u64, u64::from(setting.trials))
    };
    let (old_exposed, new_exposed) = (exposed(old.1.value), exposed(early.1.value));
    // Against what the same number of false alarms names.
    let alarms = exposed(0.05);
    setting.table(
        vec!["statistic", "OneSwarm", "published", "Oboro", "no information"],
        vec![
            vec![
                "AUC, sooner means source".into(),
                Cell::sampled(old.0, 4),
                Cell::none(),
                Cell::sampled(early.0, 4),
                Cell::exact(0.5, 2),
            ],
            vec![
                "AUC, later means source".into(),
                Cell::exact(1.0 - old.0.value, 4),
                Cell::none(),
                Cell::sampled(late.0, 4),
                Cell::exact(0.5, 2),
            ],
            vec![
                "sources found at 5 % false alarms".into(),
                Cell::sampled(old.1, 4),
                Cell::none(),
                Cell::sampled(early.1, 4),
                Cell::exact(0.05, 2),
            ],
            vec![
                "peers named, 15 % attackers".into(),
                Cell::sampled(old_exposed, 4),
                "> 0.90".into(),
                Cell::sampled(new_exposed, 4),
                Cell::sampled(alarms, 4),
            ],
            vec![
                "peers with a hostile friend".into(),
                Cell::exact(reached, 4),
                Cell::none(),
                Cell::none(),
                Cell::none(),
            ],
        ],
        vec![
            "OneSwarm: 150 ms before a search is passed on, 170 to 340 ms before a source answers (from memory of the \
             paper), 26 friends; lines of 60 ms (log-normal); half of other answers come from one hop further.",
            "Oboro, N = 1,000: the attacker sends the node a get for an extent that it has fetched, or has not. The store \
             that answers does not know; whether it holds the extent for others depends on its location.",
            "Peers named: a friend of 26 is hostile and its answer passes the threshold at least once. In Oboro this is \
             the false alarms, equal for those who have it and those who do not.",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_from_the_source_come_sooner_in_oneswarm_only() {
        let mut dice = Dice::new(29, "oneswarm");
        let old = judge(3_000, &mut dice, false, oneswarm);
        assert!(old.0.value > 0.9, "{old:?}");
        let new = judge(3_000, &mut dice, false, |fetched, dice| {
            oboro(fetched, 50, dice)
        });
        assert!(new.0.agrees(0.5, 4.0, 0.0), "{new:?}");
    }
}
