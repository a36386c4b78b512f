//! `oboro-sim`: runs scenarios and compares what came out.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a command")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use oboro_sim::{Report, Scenario, World};

/// Simulates networks of Oboro nodes: the real core, thousands of times, in one process.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs scenarios and prints what came out. Exits 1 if one misses what it expects.
    Run {
        /// Scenario files (TOML).
        #[arg(required = true)]
        scenarios: Vec<PathBuf>,
        /// Begin chance here instead of where the scenario says.
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
        /// Compare with reports in this directory: exits 1 if one is worse.
        #[arg(long)]
        baseline: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Arguments {
        command:
            Command::Run {
                scenarios,
                seed,
                nodes,
                minutes,
                json,
                out,
                baseline,
            },
    } = Arguments::parse();
    let mut bad = false;
    for path in scenarios {
        let mut scenario = match read(&path) {
            Ok(scenario) => scenario,
            Err(why) => {
                eprintln!("{}: {why}", path.display());
                return ExitCode::from(2);
            }
        };
        scenario.seed = seed.unwrap_or(scenario.seed);
        scenario.nodes = nodes.unwrap_or(scenario.nodes);
        scenario.minutes = minutes.unwrap_or(scenario.minutes);
        let begun = Instant::now();
        let report = World::run(scenario);
        if json {
            println!("{}", serde_json::to_string(&report).unwrap_or_default());
        } else {
            print!("{report}");
        }
        eprintln!(
            "  {:.1} s, {} MiB at the most",
            begun.elapsed().as_secs_f64(),
            peak_mib()
        );
        bad |= !report.missed.is_empty();
        if let Some(directory) = &out
            && let Err(why) = write(directory, &report)
        {
            eprintln!("{}: {why}", directory.display());
            return ExitCode::from(2);
        }
        if let Some(directory) = &baseline {
            match compare(directory, &report) {
                Ok(worse) => {
                    for line in &worse {
                        println!("  WORSE    {line}");
                    }
                    bad |= !worse.is_empty();
                }
                Err(why) => {
                    eprintln!("{}: {why}", directory.display());
                    return ExitCode::from(2);
                }
            }
        }
    }
    if bad {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
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
