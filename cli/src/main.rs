//! `oboro`: the command line of an encrypted darknet node.
//!
//! Three steps: arguments are read ([`args`]), one command runs ([`commands`]), its result is rendered ([`render`]).
//! What a command does it asks of a node over the control socket ([`client`]); only `run` and `demo` hold nodes
//! themselves. Nothing here knows the network's protocol.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod args;
mod client;
mod commands;
mod data;
mod halt;
mod help;
mod home;
mod log;
mod passphrase;
mod render;
mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Oboro;
use clap::error::ErrorKind;
use oboro_node::api::{Code, Failure};
use render::terminal::Terminal;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let exit = match Oboro::read(&arguments) {
        Ok(oboro) => {
            let mut terminal = Terminal::new(oboro.common.json);
            let result = commands::run(oboro, &mut terminal);
            terminal.finish(result)
        }
        Err(error) => not_a_command(&error, &arguments),
    };
    ExitCode::from(exit)
}

/// Help and version, or what is wrong with the arguments.
fn not_a_command(error: &clap::Error, arguments: &[OsString]) -> u8 {
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if !asked && arguments.iter().any(|argument| argument == "--json") {
        return Terminal::new(true).fail(&usage(error));
    }
    // A reader who has seen enough of the help closes the pipe.
    let _ = error.print();
    if asked { 0 } else { Code::Usage.exit() }
}

/// clap's error as one of ours: its first paragraph is the message.
fn usage(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first
        .trim_start_matches("error:")
        .split_whitespace()
        .collect();
    Failure::new(Code::Usage, words.join(" ")).hint("oboro help, or oboro COMMAND --help")
}
