//! The state directory: one node's keys, network, cache, jobs and nodes to start from.
//!
//! Promises: nobody but its owner reads it (0700, files 0600); one process at a time has it open; every file is
//! replaced whole; a directory of a newer version is not touched. Does not know what the node does with it.
//!
//! Layout: `version` `lock` `network` `keys` `peers` `ports` `guards` `config.toml` `cache/` `jobs/` `log/` and the
//! control socket.

pub(crate) mod atomic;
mod bootstrap;
mod guards;
mod keys;
mod lock;
mod network;
mod ports;
pub(crate) mod sealed;

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use oboro_core::wire::invite::Invite;
use oboro_crypto::network::Network;
use tracing::warn;

pub(crate) use bootstrap::Start;
pub(crate) use guards::Guards;

use crate::api::{Code, Failure};
use crate::config::NodeConfig;
use crate::{chance, clock, fault};

/// The format of the directory. A higher one is refused, a lower one would be brought up to date here.
const VERSION: u32 = 1;
const VERSION_FILE: &str = "version";
const VERSION_FILE_MAX: u64 = 64;
const SUBDIRECTORIES: [&str; 3] = ["cache", "jobs", "log"];

/// Makes a home for a node without running it: directory, network, keys. One that exists is checked and left as it is.
///
/// # Errors
/// [`Code::AlreadyRunning`] while a node has it open; [`Code::NetworkMismatch`]; the passphrase codes;
/// [`Code::NewerVersion`]; [`Code::Failed`] if the system refuses.
pub fn init(config: &NodeConfig) -> Result<(), Failure> {
    let home = Home::open(&config.home)?;
    home.network(config.network.as_ref())?;
    let mut rng = chance::generator()?;
    home.keys(
        config.passphrase.as_ref(),
        clock::Clock::start().day(),
        &mut rng,
    )?;
    Ok(())
}

/// Remembers an invite for a node that does not run. A home that does not exist is made, in the invite's network.
///
/// # Errors
/// [`Code::BadInput`] if the line is no invite; otherwise as [`init`].
pub fn join(config: &NodeConfig, line: &str) -> Result<(), Failure> {
    let invite = Invite::parse(line).map_err(fault::invite)?;
    let home = Home::open(&config.home)?;
    home.join(&invite)
}

/// The network a home belongs to, if it has chosen one; for looking at it without taking its lock.
///
/// # Errors
/// [`Code::BadInput`] if the file can't be understood, [`Code::Failed`] if it can't be read.
pub fn network_of(home: &Path) -> Result<Option<Network>, Failure> {
    network::read(home)
}

/// An open state directory. Nobody else can open it until this is dropped.
pub(crate) struct Home {
    dir: PathBuf,
    _lock: lock::Lock,
}

impl Home {
    /// Opens a directory, making it if it is absent.
    ///
    /// # Errors
    /// See [`init`].
    pub(crate) fn open(dir: &Path) -> Result<Self, Failure> {
        make_private(dir)?;
        let lock = lock::Lock::take(dir)?;
        check_version(dir)?;
        for name in SUBDIRECTORIES {
            make_private(&dir.join(name))?;
        }
        let home = Self {
            dir: dir.to_owned(),
            _lock: lock,
        };
        for dir in [home.dir.clone(), home.jobs()] {
            atomic::sweep(&dir).map_err(|error| fault::io("tidy up", &dir, &error))?;
        }
        Ok(home)
    }

    /// Where the cache lives.
    pub(crate) fn cache(&self) -> PathBuf {
        self.dir.join("cache")
    }

    /// Where jobs are remembered.
    pub(crate) fn jobs(&self) -> PathBuf {
        self.dir.join("jobs")
    }
}

/// Makes a directory that only its owner enters, or tightens one of his.
fn make_private(dir: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| fault::io("make", dir, &error);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(failed)?;
    let meta = fs::metadata(dir).map_err(failed)?;
    if meta.uid() != rustix::process::geteuid().as_raw() {
        let message = format!("{} belongs to another user", dir.display());
        return Err(Failure::new(Code::Failed, message).hint("choose another --home"));
    }
    if meta.permissions().mode() & 0o077 != 0 {
        warn!("others could enter the state directory; closed it to them");
        fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

fn check_version(dir: &Path) -> Result<(), Failure> {
    let path = dir.join(VERSION_FILE);
    let text = match atomic::read(&path, VERSION_FILE_MAX) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = format!("{VERSION}\n");
            return atomic::write(&path, text.as_bytes())
                .map_err(|error| fault::io("write", &path, &error));
        }
        Err(error) => return Err(fault::io("read", &path, &error)),
    };
    match text.trim().parse::<u32>() {
        Ok(VERSION) => Ok(()),
        Ok(found) => Err(fault::newer(format!(
            "{} has format {found}, this version of oboro knows {VERSION}",
            dir.display()
        ))),
        Err(_) => {
            let message = format!("{} is damaged", path.display());
            Err(Failure::new(Code::Failed, message).hint("is this directory an oboro home?"))
        }
    }
}

#[cfg(test)]
mod tests;
