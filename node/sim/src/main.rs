//! `oboro-sim`: runs scenarios and compares what came out.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a command")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};
use oboro_sim::{Report, Scenario, World, attacks, models};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Simulates networks of Oboro nodes: the real core, thousands of times, in one process.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs scenarios and prints what came out. Exits 1 if one misses what it expects or is worse than before.
    Run(Order),
    /// Prints tables of small models: the ancestors, the attacks on them, and the same on Oboro's rules.
    Table {
        /// Which; all if none is named.
        names: Vec<String>,
        /// Where chance begins.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Trials for each row, instead of what the table is made for.
        #[arg(long)]
        trials: Option<u32>,
        /// Print JSON, one table a line.
        #[arg(long)]
        json: bool,
    },
    /// Prints published attacks side by side: against the model of the network they were published against, and against
    /// the real core. Exits 1 if one fails there or succeeds here.
    Attacks {
        /// Where chance begins.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Trials for each figure of a model, instead of what its table is made for.
        #[arg(long)]
        trials: Option<u32>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Order {
    /// Scenario files (TOML).
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// Begin chance here instead of where the scenario says: a failure is a seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Nodes, instead of what the scenario says.
    #[arg(long)]
    nodes: Option<usize>,
    /// Minutes, instead of what the scenario says.
    #[arg(long)]
    minutes: Option<u64>,
    /// Print reports as JSON, one a line.
    #[arg(long)]
    json: bool,
    /// Write reports into this directory, NAME.json each.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Say every five simulated minutes how far it is.
    #[arg(long)]
    progress: bool,
    /// Compare with reports in this directory: fewer jobs done, or 5 % more records, is worse.
    #[arg(long)]
    baseline: Option<PathBuf>,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run(order) => run(&order),
        Command::Table {
            names,
            seed,
            trials,
            json,
        } => tables(&names, seed, trials, json),
        Command::Attacks { seed, trials, json } => side_by_side(seed, trials, json),
    }
}

/// Prints tables of models: all, or those named.
fn tables(wanted: &[String], seed: u64, trials: Option<u32>, json: bool) -> ExitCode {
    let all: Vec<String> = if wanted.is_empty() {
        models::names()
            .iter()
            .map(|name| (*name).to_owned())
            .collect()
    } else {
        wanted.to_vec()
    };
    for name in all {
        match models::run(&name, seed, trials) {
            Ok(table) if json => println!("{}", serde_json::to_string(&table).unwrap_or_default()),
            Ok(table) => println!("{table}\n"),
            Err(why) => {
                eprintln!("{why}");
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::SUCCESS
}

fn side_by_side(seed: u64, trials: Option<u32>, json: bool) -> ExitCode {
    match attacks::table(seed, trials) {
        Ok((table, right)) => {
            if json {
                println!("{}", serde_json::to_string(&table).unwrap_or_default());
            } else {
                println!("{table}");
            }
            ExitCode::from(u8::from(!right))
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

fn run(order: &Order) -> ExitCode {
    let mut bad = false;
    for path in &order.scenarios {
        match run_one(path, order) {
            Ok(right) => bad |= !right,
            Err(why) => {
                eprintln!("{}: {why}", path.display());
                return ExitCode::from(2);
            }
        }
    }
    if bad {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Runs a scenario. Says whether what came out is as expected and no worse than before.
fn run_one(path: &Path, order: &Order) -> Result<bool, String> {
    let mut scenario = read(path)?;
    scenario.seed = order.seed.unwrap_or(scenario.seed);
    scenario.nodes = order.nodes.unwrap_or(scenario.nodes);
    scenario.minutes = order.minutes.unwrap_or(scenario.minutes);
    let begun = Instant::now();
    let report = World::run_telling(scenario, &mut |minute| {
        if order.progress {
            eprintln!(
                "  minute {minute}: {:.1} s, {} MiB at the most",
                begun.elapsed().as_secs_f64(),
                peak_mib()
            );
        }
    });
    if order.json {
        println!("{}", serde_json::to_string(&report).unwrap_or_default());
    } else {
        print!("{report}");
    }
    eprintln!(
        "  {:.1} s, {} MiB at the most",
        begun.elapsed().as_secs_f64(),
        peak_mib()
    );
    let mut right = report.missed.is_empty();
    if let Some(directory) = &order.out {
        write(directory, &report).map_err(|error| error.to_string())?;
    }
    if let Some(directory) = &order.baseline {
        for line in compare(directory, &report)? {
            println!("  WORSE    {line}");
            right = false;
        }
    }
    Ok(right)
}

fn read(path: &Path) -> Result<Scenario, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Scenario::parse(&text).map_err(|error| error.to_string())
}

fn file(directory: &Path, report: &Report) -> PathBuf {
    directory.join(format!("{}.json", report.scenario))
}

fn write(directory: &Path, report: &Report) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    std::fs::write(file(directory, report), text)
}

fn compare(directory: &Path, report: &Report) -> Result<Vec<String>, String> {
    let text =
        std::fs::read_to_string(file(directory, report)).map_err(|error| error.to_string())?;
    let base: Report = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(report.worse_than(&base, 0.05))
}

/// The most memory this process has had, in MiB; 0 where the system does not say.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .map_or(0, |kib| kib / 1024)
}
