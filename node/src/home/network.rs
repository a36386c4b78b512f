//! The network a home belongs to: chosen once, then fixed. The file holds a private network's secret.

use std::io;
use std::path::Path;

use oboro_crypto::network::Network;

use super::{Home, atomic};
use crate::api::Failure;
use crate::fault;

const FILE: &str = "network";

/// Largest network file in bytes: a dozen lines and comments.
const FILE_MAX: u64 = 16 * 1024;

impl Home {
    /// The network of this home: what it holds, else `wanted`, else the public one; kept from now on.
    ///
    /// # Errors
    /// [`Code::NetworkMismatch`](crate::api::Code::NetworkMismatch) if it holds another than `wanted`.
    pub(crate) fn network(&self, wanted: Option<&Network>) -> Result<Network, Failure> {
        match (read(&self.dir)?, wanted) {
            (Some(held), Some(wanted)) if held.id() != wanted.id() => Err(fault::other_network(
                "the network asked for",
                &held.name,
                &wanted.name,
            )),
            (Some(held), _) => Ok(held),
            (None, wanted) => {
                let network = wanted.map_or_else(Network::public, Network::duplicate);
                let path = self.dir.join(FILE);
                atomic::write(&path, network.to_text().as_bytes())
                    .map_err(|error| fault::io("write", &path, &error))?;
                Ok(network)
            }
        }
    }
}

/// The network of a home that need not be open.
pub(super) fn read(dir: &Path) -> Result<Option<Network>, Failure> {
    let path = dir.join(FILE);
    let bytes = match atomic::read(&path, FILE_MAX) {
        Ok(bytes) => zeroize::Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault::io("read", &path, &error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    Network::from_text(&text)
        .map(Some)
        .map_err(|error| fault::network(&path, &error))
}
