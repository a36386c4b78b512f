//! Published attacks side by side: against the model of the network they were published against, and as far as the
//! protocol lets the same attacker go against the real core.

use crate::measured::Measured;
use crate::models::measure::Estimate;
use crate::models::{self, Cell, ModelError, Table};
use crate::scenario::{Scenario, ScenarioError};
use crate::world::World;

/// The scenarios of the attackers, as they are in the directory.
const SCENARIOS: [(&str, &str); 4] = [
    ("count", include_str!("../scenarios/count.toml")),
    ("trace", include_str!("../scenarios/trace.toml")),
    ("crawl", include_str!("../scenarios/crawl.toml")),
    ("probe", include_str!("../scenarios/probe.toml")),
];

/// One line: an attack, where its figure is in the model of the ancestor and in a scenario, and what guessing gives.
struct Line {
    attack: &'static str,
    figure: &'static str,
    /// Model, row and column.
    model: (&'static str, usize, usize),
    /// Scenario and name.
    core: (&'static str, &'static str),
    /// What guessing gives the ancestor and the core: a figure, or one of the scenario's.
    guess: (f64, Guess),
}

enum Guess {
    Is(f64),
    Measured(&'static str),
}

const LINES: [Line; 8] = [
    Line {
        attack: "Levine 2020, Freenet: a neighbour counts requests",
        figure: "AUC",
        model: ("levine", 1, 6),
        core: ("count", "count: AUC"),
        guess: (0.5, Guess::Is(0.5)),
    },
    Line {
        attack: "the same",
        figure: "askers found; false alarms 0.1 % there, 5 % here",
        model: ("levine", 1, 2),
        core: ("count", "count: found at 5 % false alarms"),
        guess: (0.001, Guess::Is(0.05)),
    },
    Line {
        attack: "Tian 2013, Freenet: who has seen this request",
        figure: "origins named there, AUC of the oracle here",
        model: ("tian", 1, 2),
        core: ("trace", "trace: AUC"),
        guess: (1.0 / 399.0, Guess::Is(0.5)),
    },
    Line {
        attack: "Winny crawl: who has it is its owner",
        figure: "owners found",
        model: ("winny", 0, 1),
        core: ("crawl", "crawl: owners by extents found"),
        guess: (
            4.0 / 600.0,
            Guess::Measured("crawl: owners by extents found by chance"),
        ),
    },
    Line {
        attack: "the same: who had it first published it",
        figure: "publishers named",
        model: ("winny", 2, 1),
        core: ("crawl", "crawl: publishers named by extents"),
        guess: (
            1.0 / 600.0,
            Guess::Measured("crawl: publishers named by chance"),
        ),
    },
    Line {
        attack: "Takagi, Winny: the fresher, the likelier its holder",
        figure: "AUC",
        model: ("takagi", 0, 1),
        core: ("crawl", "crawl: freshness of extents: AUC"),
        guess: (0.5, Guess::Is(0.5)),
    },
    Line {
        attack: "OneSwarm 2011: who answers sooner has it",
        figure: "AUC",
        model: ("oneswarm", 0, 1),
        core: ("probe", "probe fetched by time: AUC"),
        guess: (0.5, Guess::Is(0.5)),
    },
    Line {
        attack: "Acs 2013, caches: who has it asked for it",
        figure: "AUC; no model of an ancestor",
        model: ("", 0, 0),
        core: ("probe", "probe fetched by presence: AUC"),
        guess: (f64::NAN, Guess::Is(0.5)),
    },
];

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum AttackError {
    /// A scenario of the attackers is none.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A model did not run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// What a line names was not measured.
    #[error("{0} was not measured")]
    Missing(&'static str),
}

/// Runs the attackers' scenarios and the models of what they were published against. Says with the table whether every
/// attack succeeds there and fails here.
///
/// # Errors
/// [`AttackError`], of which none comes with the scenarios as they are.
pub fn table(seed: u64, trials: Option<u32>) -> Result<(Table, bool), AttackError> {
    let mut reports = Vec::new();
    for (name, text) in SCENARIOS {
        let mut scenario = Scenario::parse(text)?;
        scenario.seed = seed;
        reports.push((name, World::run(scenario)));
    }
    let measured = |scenario: &str, name: &'static str| -> Result<Measured, AttackError> {
        let report = reports.iter().find(|(of, _)| *of == scenario);
        let measured = report.and_then(|(_, report)| report.measured.get(name));
        measured.copied().ok_or(AttackError::Missing(name))
    };
    let mut all_right = true;
    let mut rows = Vec::new();
    for line in &LINES {
        let there = match line.model {
            ("", ..) => None,
            (name, row, column) => {
                let table = models::run(name, seed, trials)?;
                table
                    .rows
                    .get(row)
                    .and_then(|row| row.get(column))
                    .and_then(figure)
            }
        };
        let here = measured(line.core.0, line.core.1)?;
        let guess = match line.guess.1 {
            Guess::Is(value) => value,
            Guess::Measured(name) => measured(line.core.0, name)?.value,
        };
        let succeeds = there.map(|there| !there.agrees(line.guess.0, 3.0, 0.05));
        let fails = here.value <= guess + 2.0 * here.error + 0.02;
        all_right &= succeeds != Some(false) && fails;
        rows.push(vec![
            line.attack.into(),
            line.figure.into(),
            there.map_or_else(Cell::none, |there| Cell::sampled(there, 3)),
            Cell::exact(line.guess.0, 3),
            Cell::sampled(
                Estimate {
                    value: here.value,
                    error: here.error,
                },
                3,
            ),
            Cell::exact(guess, 3),
            Cell::Count(here.of),
            format!(
                "{}; {}",
                match succeeds {
                    Some(true) => "succeeds",
                    Some(false) => "FAILS",
                    None => "-",
                },
                if fails { "fails" } else { "SUCCEEDS" }
            )
            .into(),
        ]);
    }
    let table = Table {
        name: "attacks",
        title: "published attacks: the ancestor's model, and the real core",
        fidelity: "model (ancestor), protocol (core)",
        seed,
        trials: trials.unwrap_or(0),
        columns: vec![
            "attack",
            "figure",
            "ancestor",
            "by guessing",
            "core",
            "by guessing",
            "of",
            "ancestor; core",
        ],
        rows,
        notes: vec![
            "Ancestor: the tables `levine` (8 peers, 100 chunks), `tian` (8 peers, reach .5), `winny`, `takagi`, \
             `oneswarm`. Core: the scenarios `count`, `trace`, `crawl`, `probe`. Trials 0: as many as each table is made \
             for.",
            "Fails: no more than guessing, two standard errors and .02. Less than guessing is a failure of the attack too: \
             a node is never its own exit, nor its own publication's storer at first.",
        ],
    };
    Ok((table, all_right))
}

fn figure(cell: &Cell) -> Option<Estimate> {
    match cell {
        Cell::Sampled { value, error, .. } => Some(Estimate {
            value: *value,
            error: *error,
        }),
        Cell::Exact { value, .. } => Some(Estimate {
            value: *value,
            error: 0.0,
        }),
        _ => None,
    }
}
