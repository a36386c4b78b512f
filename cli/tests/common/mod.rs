//! Running the binary as a user would: with a home of its own and nothing of the developer's environment.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod fake;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A test that waits longer than this for another process has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A directory for one test: homes and files. Private, as a home must be.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        let place = tempfile::Builder::new()
            .prefix("oboro-test-")
            .tempdir()
            .unwrap();
        Self(place)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The home most tests use.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// `oboro ARGS…` in this directory and its home.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oboro"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.0.path())
            .env("OBORO_HOME", self.home())
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs `oboro ARGS…` to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Runs `oboro ARGS…` with something on stdin.
    pub fn run_with_stdin(&self, args: &[&str], stdin: &[u8]) -> Ran {
        let mut child = piped(self.command(args).stdin(Stdio::piped()));
        child.stdin.take().unwrap().write_all(stdin).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }
}

/// Starts a command with stdout and stderr to be read by the test.
pub fn piped(command: &mut Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// How a command ended.
pub struct Ran {
    pub exit: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            exit: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Everything, to be compared with a golden text.
    pub fn all(&self) -> String {
        let exit = self
            .exit
            .map_or_else(|| "none".to_owned(), |exit| exit.to_string());
        format!(
            "exit {exit}\n--- stdout\n{}--- stderr\n{}",
            self.stdout, self.stderr
        )
    }

    #[track_caller]
    pub fn expect(self, exit: i32) -> Self {
        assert_eq!(self.exit, Some(exit), "{}", self.all());
        self
    }

    /// The envelope of a success.
    #[track_caller]
    pub fn data(&self) -> Value {
        assert_eq!(self.exit, Some(0), "{}", self.all());
        let envelope: Value = serde_json::from_str(&self.stdout).unwrap();
        assert_eq!(
            (&envelope["schema"], &envelope["ok"]),
            (&1.into(), &true.into())
        );
        envelope["data"].clone()
    }

    /// The envelope of a failure.
    #[track_caller]
    pub fn error(&self) -> Value {
        let envelope: Value =
            serde_json::from_str(&self.stderr).unwrap_or_else(|_| panic!("{}", self.all()));
        assert_eq!(
            (&envelope["schema"], &envelope["ok"]),
            (&1.into(), &false.into())
        );
        let error = &envelope["error"];
        assert_eq!(error["exit"].as_i64(), self.exit.map(i64::from));
        error.clone()
    }
}

/// Interrupts a process until it ends: one that starts under an ignored SIGINT, as in the background of a script, does not
/// notice before it has asked for it.
#[track_caller]
pub fn interrupt(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(begun.elapsed() < PATIENCE, "a process did not end");
        send(rustix::process::Signal::INT, child);
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits for a child, but not for ever.
#[track_caller]
pub fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("a process did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until something holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal to a process of the test's own.
pub fn send(signal: rustix::process::Signal, child: &Child) {
    let id = i32::try_from(child.id()).unwrap();
    let pid = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Compares with a file of the folder `golden`; with `UPDATE_GOLDEN=1` writes it instead.
#[track_caller]
pub fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, expected,
        "{name} differs; UPDATE_GOLDEN=1 rewrites it"
    );
}
