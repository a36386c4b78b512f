//! `oboro join`: to a running node, or into the home of one that will run.

use std::io::{self, BufRead, Read};
use std::path::Path;

use oboro_node::NodeConfig;
use oboro_node::api::{Code, Failure};

use super::aside::aside;
use crate::args;
use crate::client::Client;
use crate::data::{Data, Outcome};
use crate::halt::Halt;
use crate::ui::Ui;

/// Longest line read from stdin, in bytes; longer than any invite.
const LINE_MAX: u64 = 8192;

/// `oboro join`
pub async fn join(home: &Path, args: &args::Join, ui: &mut dyn Ui) -> Result<Outcome, Halt> {
    let invite = match args.invite.as_str() {
        "-" => from_stdin().await?,
        line => line.trim().to_owned(),
    };
    let running = match Client::new(home).join(&invite).await {
        Ok(()) => true,
        Err(failure) if failure.code == Code::NotRunning => {
            oboro_node::home::join(&NodeConfig::load(home)?, &invite)?;
            false
        }
        Err(failure) => return Err(failure.into()),
    };
    ui.say(if running {
        "The node dials it now and remembers it: oboro status"
    } else {
        "Kept for the next start: oboro start"
    });
    Ok(Data::Joined { running }.into())
}

/// The first line of stdin that isn't blank. Can be given up while nobody types one.
pub async fn from_stdin() -> Result<String, Failure> {
    aside(first_line).await?
}

fn first_line() -> Result<String, Failure> {
    let lines = io::stdin().lock().take(LINE_MAX).lines();
    for line in lines {
        let line = line.map_err(|error| {
            Failure::new(Code::BadInput, format!("stdin can't be read: {error}"))
        })?;
        if !line.trim().is_empty() {
            return Ok(line.trim().to_owned());
        }
    }
    Err(Failure::new(Code::BadInput, "stdin was empty"))
}
