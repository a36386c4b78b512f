//! Small models of Oboro's ancestors, the attacks that were published against them, the same attacks against a model of
//! Oboro's own rules, and the measures to judge both by.
//!
//! Exact and seeded: the same seed gives the same bytes. Every table says "fidelity: model": nothing here runs the real
//! core. Figures are compared with the survey of the literature that the design rests on.

use thiserror::Error;

mod attacks;
mod binomial;
mod dandelion;
mod dice;
mod eclipse;
mod gap;
mod greedy;
mod guards;
pub mod measure;
mod oboro;
mod onion;
mod parity;
mod repair;
mod space;
pub mod table;

pub use table::{Cell, Table};

/// Shares of attackers that every model is run with.
const SHARES: [f64; 4] = [0.05, 0.10, 0.20, 0.30];

/// Why a model did not run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ModelError {
    /// There is no model of this name.
    #[error("no model is called {0:?}; there are: {all}", all = names().join(", "))]
    Unknown(String),
    /// Nothing can be said from a single trial.
    #[error("{0} trials are too few: at least 2")]
    Trials(u32),
}

/// What a model is run with.
struct Setting {
    name: &'static str,
    title: &'static str,
    seed: u64,
    trials: u32,
}

impl Setting {
    fn table(
        &self,
        columns: Vec<&'static str>,
        rows: Vec<Vec<Cell>>,
        notes: Vec<&'static str>,
    ) -> Table {
        Table {
            name: self.name,
            title: self.title,
            fidelity: "model",
            seed: self.seed,
            trials: self.trials,
            columns,
            rows,
            notes,
        }
    }
}

/// One model: its name, what its table is about, trials per row unless told otherwise, and how to run it.
type Model = (&'static str, &'static str, u32, fn(&Setting) -> Table);

const MODELS: &[Model] = &[
    ("hops", "hops of a greedy lookup", 4_000, greedy::hops),
    (
        "greedy",
        "who asked, in recursive greedy routing (Freenet)",
        60_000,
        greedy::table,
    ),
    (
        "gap",
        "who asked, with shortcuts in indirection (GNUnet GAP)",
        200_000,
        gap::table,
    ),
    (
        "dandelion",
        "who sent, by stem and fluff (Dandelion++)",
        40,
        dandelion::table,
    ),
    (
        "onion",
        "who is linked over three relays (Tor)",
        200_000,
        onion::table,
    ),
    (
        "drafted",
        "who asked, by circuit and recursive lookup (Oboro as drafted)",
        60_000,
        oboro::drafted,
    ),
    (
        "oboro",
        "who is linked by Oboro's rules",
        200_000,
        oboro::table,
    ),
    (
        "guards",
        "who is linked within a year, by how guards are kept",
        6_000,
        guards::table,
    ),
    (
        "levine",
        "share of a file's requests from one neighbour",
        20_000,
        attacks::levine::table,
    ),
    (
        "tian",
        "who has seen this request before",
        2_000,
        attacks::tian::table,
    ),
    (
        "winny",
        "what a crawler learns in 30 minutes",
        15,
        attacks::winny::table,
    ),
    (
        "takagi",
        "what a key's freshness tells of who holds the file",
        15,
        attacks::takagi::table,
    ),
    (
        "oneswarm",
        "what the time of an answer tells of who holds the file",
        20_000,
        attacks::oneswarm::table,
    ),
    (
        "unasked",
        "what the storers never asked tell of who asks",
        400,
        attacks::unasked::table,
    ),
    (
        "eclipse",
        "ids needed to hold all placements of one extent",
        4_000,
        eclipse::table,
    ),
    (
        "dictionary",
        "core-hours to try words",
        10,
        eclipse::dictionary,
    ),
    (
        "parity",
        "survival of files by copies and by parity",
        2_000,
        parity::table,
    ),
    (
        "repair",
        "traffic to keep copies and parity whole under churn",
        2_000,
        repair::table,
    ),
];

/// The names of all models, in the order they build on each other.
#[must_use]
pub fn names() -> Vec<&'static str> {
    MODELS.iter().map(|(name, ..)| *name).collect()
}

/// Runs one model. Trials are per row; `None` takes as many as the model is meant to have. What a trial is differs: a
/// lookup, a file, or a whole world.
///
/// # Errors
///
/// If there is no such model, or the trials are too few.
pub fn run(name: &str, seed: u64, trials: Option<u32>) -> Result<Table, ModelError> {
    let unknown = || ModelError::Unknown(name.to_owned());
    let found = MODELS.iter().find(|(known, ..)| *known == name);
    let &(name, title, usual, model) = found.ok_or_else(unknown)?;
    let trials = trials.unwrap_or(usual);
    if trials < 2 {
        return Err(ModelError::Trials(trials));
    }
    Ok(model(&Setting {
        name,
        title,
        seed,
        trials,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        for name in names() {
            let say = || {
                let table = run(name, 1, Some(2)).unwrap();
                assert_eq!(table.fidelity, "model");
                assert!(!table.rows.is_empty());
                let whole = |row: &Vec<Cell>| row.len() == table.columns.len();
                assert!(table.rows.iter().all(whole), "{name}");
                (table.to_string(), serde_json::to_string(&table).unwrap())
            };
            assert_eq!(say(), say(), "{name}");
        }
    }

    #[test]
    fn another_seed_gives_other_figures() {
        for name in ["gap", "guards", "takagi", "eclipse", "repair"] {
            let rows = |seed| run(name, seed, Some(5)).unwrap().rows;
            assert_ne!(rows(1), rows(2), "{name}");
        }
    }

    #[test]
    fn unknown_names_and_no_trials_are_refused() {
        let unknown = run("nothing", 1, None).unwrap_err();
        assert!(unknown.to_string().contains("greedy"));
        assert_eq!(run("gap", 1, Some(0)), Err(ModelError::Trials(0)));
    }
}
