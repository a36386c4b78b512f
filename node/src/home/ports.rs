//! Ports the system chose: kept, so that invites and descriptors stay true over a restart.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::{Home, atomic};
use crate::api::Failure;
use crate::fault;

const FILE: &str = "ports";

/// Largest file in bytes: a line for each of a handful of addresses.
const FILE_MAX: u64 = 4 * 1024;

impl Home {
    /// The port once chosen for an address.
    pub(crate) fn port(&self, ip: IpAddr) -> Option<u16> {
        let known = self.ports().ok()?;
        known
            .iter()
            .find(|address| address.ip() == ip)
            .map(SocketAddr::port)
    }

    /// Keeps the ports chosen, in place of earlier ones for the same addresses.
    pub(crate) fn keep_ports(&self, chosen: &[SocketAddr]) -> Result<(), Failure> {
        let path = self.dir.join(FILE);
        let known = self.ports().unwrap_or_default();
        let others = known
            .iter()
            .filter(|old| chosen.iter().all(|new| new.ip() != old.ip()));
        let mut all: Vec<SocketAddr> = others.chain(chosen).copied().collect();
        all.sort_unstable();
        all.dedup();
        if all == known {
            return Ok(());
        }
        let text: String = all.iter().map(|address| format!("{address}\n")).collect();
        atomic::write(&path, text.as_bytes()).map_err(|error| fault::io("write", &path, &error))
    }

    /// A file that can't be read costs fresh ports, nothing else.
    fn ports(&self) -> io::Result<Vec<SocketAddr>> {
        let bytes = atomic::read(&self.dir.join(FILE), FILE_MAX)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }
}
