//! `oboro run`: one node in this process, until a signal or `oboro stop` ends it.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::Path;

use oboro_node::api::{Code, Failure, NodeApi, Status};
use oboro_node::control::{self, Ended, Socket};
use oboro_node::{NodeConfig, NodeHandle};
use rustix::fs::Mode;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::aside::aside;
use super::fetch::STDOUT_FOLDER;
use crate::args;
use crate::data::{Data, Outcome};
use crate::halt::Halt;
use crate::ui::Ui;
use crate::{log, passphrase};

/// `oboro run`
pub fn run(
    home: &Path,
    args: &args::Run,
    runtime: &Runtime,
    ui: &mut dyn Ui,
) -> Result<Outcome, Halt> {
    let result = prepare(home, args).and_then(|config| {
        runtime.block_on(async {
            let mut signals = Signals::listen()?;
            let node = start(config, args, &mut signals).await?;
            serve(home, node, args.detached, signals, ui).await
        })
    });
    if let (Err(failure), true) = (&result, args.detached) {
        ui.report(Err(failure));
    }
    result?;
    Ok(Data::None {}.into())
}

/// Everything before the node starts: terminal, log, configuration, passphrase.
fn prepare(home: &Path, args: &args::Run) -> Result<NodeConfig, Failure> {
    // Whatever libraries write into the home is for its owner alone, too.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let mut given = None;
    if args.detached {
        given = passphrase::from_stdin()?;
        // A session of its own: closing the terminal that started us sends no SIGHUP here. It fails for the leader of
        // a process group, who was started by something that has seen to that already.
        let _ = rustix::process::setsid();
        log::to_file(&log::file_of(home))?;
    } else {
        log::to_stderr()?;
    }
    let mut config = NodeConfig::load(home)?;
    config.passphrase = match (given, &args.unlock.passphrase_file) {
        (Some(given), _) => Some(given),
        (None, Some(file)) => Some(passphrase::from_file(file)?),
        (None, None) => None,
    };
    sweep(home);
    Ok(config)
}

/// Starts the node; asks for the passphrase where one is needed and somebody can be asked.
async fn start(
    config: NodeConfig,
    args: &args::Run,
    signals: &mut Signals,
) -> Result<NodeHandle, Failure> {
    let may_ask = !args.detached && config.passphrase.is_none() && io::stdin().is_terminal();
    let home = config.home.clone();
    let first = tokio::select! {
        started = NodeHandle::start(config) => started,
        () = signals.end() => return Err(interrupted()),
    };
    match first {
        Err(failure) if may_ask && failure.code == Code::PassphraseNeeded => {
            let mut config = NodeConfig::load(home)?;
            config.passphrase = tokio::select! {
                asked = aside(passphrase::ask) => Some(asked??),
                () = signals.end() => return Err(interrupted()),
            };
            NodeHandle::start(config).await
        }
        other => other,
    }
}

fn interrupted() -> Failure {
    Failure::new(Code::Interrupted, "interrupted")
}

/// Answers on the control socket until the end, then ends the node.
async fn serve(
    home: &Path,
    node: NodeHandle,
    detached: bool,
    mut signals: Signals,
    ui: &mut dyn Ui,
) -> Result<(), Failure> {
    let socket = match Socket::bind(home).await {
        Ok(socket) => socket,
        Err(failure) => {
            node.shutdown().await;
            return Err(failure);
        }
    };
    let status = node.status().await?;
    if detached {
        ui.report(Ok(Data::Status(Box::new(status))));
    } else {
        greet(home, &status, ui);
    }
    let ended = control::serve(node.clone(), socket, signals.end()).await;
    if ended == Ended::Stopped {
        ui.say("Ending; a second signal ends at once.");
    }
    tokio::select! {
        () = node.shutdown() => Ok(()),
        () = signals.end() => Err(Failure::new(Code::Interrupted, "ended at once")),
    }
}

/// What somebody who starts a node for the first time wants to know.
fn greet(home: &Path, status: &Status, ui: &mut dyn Ui) {
    ui.say(&format!(
        "Oboro {}: node {}",
        status.version, status.node_id_short
    ));
    ui.say(&format!("  home      {}", home.display()));
    ui.say(&format!("  network   {}", status.network));
    ui.say(&format!("  listens   {}", status.listen.join(", ")));
    ui.say(&format!("  privacy   {}", status.anonymity));
    ui.say("  next      oboro status, oboro invite, oboro search WORD; Ctrl-C ends it");
}

/// Removes what fetches to stdout left when they were killed. What can't be removed is left for the next time.
fn sweep(home: &Path) {
    let entries = fs::read_dir(home).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        if name
            .as_encoded_bytes()
            .starts_with(STDOUT_FOLDER.as_bytes())
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The signals that end a node. SIGHUP is taken and ignored: a closed terminal ends no node.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    _hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let take = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(Code::Failed, format!("signals can't be caught: {error}"))
            })
        };
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            _hangup: take(SignalKind::hangup())?,
        })
    }

    /// Completes at the next SIGINT or SIGTERM.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
