//! `oboro start`, `stop` and `restart`: a node in a process of its own.
//!
//! `start` runs `oboro run --detached`, hands the passphrase over on its stdin and waits for one envelope on its
//! stdout: either the node answers by then, or the envelope says why not.

use std::fs::{DirBuilder, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::pin::pin;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use oboro_node::SecretBytes;
use oboro_node::api::{Code, Failure, Status};
use rustix::fs::{FlockOperation, flock};
use serde::Deserialize;
use tokio::time::Instant;

use super::aside::aside;
use crate::args;
use crate::client::Client;
use crate::data::{Data, Outcome};
use crate::halt::Halt;
use crate::ui::Ui;
use crate::{log, passphrase};

/// Patience with a node that starts. Rebuilding a damaged index over a full cache takes minutes.
const START_TIME: Duration = Duration::from_secs(600);

/// After this long the user is told where to look.
const START_REMARK: Duration = Duration::from_secs(5);

/// Patience with a node that ends.
const STOP_TIME: Duration = Duration::from_secs(60);

/// How often `stop` looks whether the node has gone.
const STOP_EVERY: Duration = Duration::from_millis(50);

/// Largest envelope read from the node, in bytes.
const ENVELOPE_MAX: u64 = 64 * 1024;

/// The file in a home whose lock a node holds.
const LOCK: &str = "lock";

/// `oboro start`
pub async fn start(home: &Path, args: &args::Unlock, ui: &mut dyn Ui) -> Result<Outcome, Halt> {
    let given = args
        .passphrase_file
        .as_deref()
        .map(passphrase::from_file)
        .transpose()?;
    let asked = given.is_some();
    let status = match launch(home, given, ui).await {
        Err(failure) if failure.code == Code::PassphraseNeeded && !asked => {
            let passphrase = aside(passphrase::ask).await??;
            launch(home, Some(passphrase), ui).await?
        }
        other => other?,
    };
    ui.say("The node runs: oboro status, oboro stop");
    Ok(Data::Status(Box::new(status)).into())
}

/// `oboro stop`
pub async fn stop(home: &Path, ui: &mut dyn Ui) -> Result<Outcome, Halt> {
    end(home).await?;
    ui.say("The node has ended.");
    Ok(Data::None {}.into())
}

/// `oboro restart`
pub async fn restart(home: &Path, args: &args::Unlock, ui: &mut dyn Ui) -> Result<Outcome, Halt> {
    match end(home).await {
        Ok(()) => ui.say("The node has ended."),
        Err(failure) if failure.code == Code::NotRunning => {}
        Err(failure) => return Err(failure.into()),
    }
    start(home, args, ui).await
}

/// What a node says when it runs, or why it doesn't.
#[derive(Deserialize)]
struct Envelope {
    data: Option<Box<Status>>,
    error: Option<Failure>,
}

/// Starts a node's process; returns when it answers.
async fn launch(
    home: &Path,
    passphrase: Option<SecretBytes>,
    ui: &mut dyn Ui,
) -> Result<Status, Failure> {
    let mut child = spawn(home)?;
    if let (Some(mut stdin), Some(passphrase)) = (child.stdin.take(), passphrase) {
        // A node that has died already says why on its stdout.
        let _ = stdin.write_all(passphrase.expose());
    }
    let mut line = pin!(first_line(child.stdout.take()));
    let line = match tokio::time::timeout(START_REMARK, &mut line).await {
        Ok(line) => line,
        Err(_) => {
            let file = log::file_of(home);
            ui.say(&format!("Still starting; its log is {}", file.display()));
            let line = tokio::time::timeout(START_TIME, line).await;
            line.map_err(|_| still_starting(home))?
        }
    };
    let envelope = line.and_then(|line| serde_json::from_str(&line).ok());
    match envelope {
        Some(Envelope {
            data: Some(status), ..
        }) => Ok(*status),
        Some(Envelope {
            error: Some(failure),
            ..
        }) => Err(failure),
        _ => Err(died(home, &mut child)),
    }
}

/// A node's process: no terminal, stdin and stdout to us, stderr to its log.
fn spawn(home: &Path) -> Result<Child, Failure> {
    let log = log::file_of(home);
    let stderr = make_folder(&log)
        .and_then(|()| log::open(&log))
        .map_err(|error| {
            Failure::new(
                Code::Failed,
                format!("can't log to {}: {error}", log.display()),
            )
        })?;
    let spawned = std::env::current_exe().and_then(|program| {
        Command::new(program)
            .args(["run", "--detached", "--home"])
            .arg(home)
            // The passphrase goes over stdin, also when a variable names its file.
            .env_remove("OBORO_PASSPHRASE_FILE")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
    });
    spawned.map_err(|error| Failure::new(Code::Failed, format!("can't start a process: {error}")))
}

/// Makes the folder of a log, closed to others, and the home above it.
fn make_folder(log: &Path) -> io::Result<()> {
    let folder = log.parent().unwrap_or(log);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The first line of a pipe; `None` if there is none.
async fn first_line(pipe: Option<ChildStdout>) -> Option<String> {
    let pipe = pipe?;
    let read = aside(move || {
        let mut line = String::new();
        let read = BufReader::new(pipe.take(ENVELOPE_MAX)).read_line(&mut line);
        read.is_ok_and(|n| n > 0).then_some(line)
    });
    read.await.ok().flatten()
}

fn still_starting(home: &Path) -> Failure {
    let file = log::file_of(home);
    Failure::new(
        Code::TimedOut,
        "the node is still starting; it was left alone",
    )
    .hint(format!("its log says what it does: {}", file.display()))
}

/// A node that ended without saying why: killed, or a defect.
fn died(home: &Path, child: &mut Child) -> Failure {
    let how = child
        .wait()
        .map_or_else(|error| error.to_string(), |status| status.to_string());
    let file = log::file_of(home);
    Failure::new(Code::Failed, format!("the node ended at once ({how})"))
        .hint(format!("its log may say why: {}", file.display()))
}

/// Asks the node to end and waits until its home is free.
async fn end(home: &Path) -> Result<(), Failure> {
    match Client::new(home).shutdown().await {
        Err(failure) if failure.code == Code::NotRunning && is_held(home) => {
            return Err(Failure::new(
                Code::AlreadyRunning,
                "a node holds this home and doesn't answer: it is starting, ending or stuck",
            )
            .hint("try again in a moment, or end its process"));
        }
        other => other?,
    }
    let deadline = Instant::now() + STOP_TIME;
    while is_held(home) {
        if Instant::now() > deadline {
            return Err(Failure::new(Code::TimedOut, "the node is still ending")
                .hint("try again, or end its process"));
        }
        tokio::time::sleep(STOP_EVERY).await;
    }
    Ok(())
}

/// Whether a process holds the home's lock.
fn is_held(home: &Path) -> bool {
    let Ok(file) = File::open(home.join(LOCK)) else {
        return false;
    };
    flock(&file, FlockOperation::NonBlockingLockShared).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_held_while_its_lock_is() {
        let home = tempfile::tempdir().unwrap();
        assert!(!is_held(home.path()));
        let file = File::create(home.path().join(LOCK)).unwrap();
        assert!(!is_held(home.path()));
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert!(is_held(home.path()));
        drop(file);
        assert!(!is_held(home.path()));
    }
}
