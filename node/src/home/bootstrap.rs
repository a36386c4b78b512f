//! Nodes to start from: link keys and addresses out of invites, one a line, the youngest last.
//!
//! A line is the link key in Base32 and its addresses. A line that can't be read is left out, never an error: the node
//! must start with what it has.

use std::io;
use std::net::SocketAddr;

use data_encoding::BASE32_NOPAD;
use oboro_core::limits::BOOTSTRAP_MAX;
use oboro_core::wire::descriptor::ADDRESSES_MAX;
use oboro_core::wire::invite::Invite;
use oboro_crypto::ids::LinkPublic;

use super::{Home, atomic};
use crate::api::Failure;
use crate::fault;

const FILE: &str = "peers";

/// Largest file in bytes: every node with every address in its longest spelling.
const FILE_MAX: u64 = 64 * 1024;

/// A node to start from.
pub(crate) type Start = (LinkPublic, Vec<SocketAddr>);

impl Home {
    /// Keeps an invite's node to start from.
    ///
    /// # Errors
    /// [`Code::NetworkMismatch`](crate::api::Code::NetworkMismatch) if the invite is of another network than the
    /// home; a home that has none takes the invite's.
    pub(crate) fn join(&self, invite: &Invite) -> Result<(), Failure> {
        let network = super::network::read(&self.dir)?;
        if let Some(held) = network.filter(|held| held.id() != invite.network.id()) {
            return Err(fault::other_network(
                "the invite",
                &held.name,
                &invite.network.name,
            ));
        }
        self.network(Some(&invite.network))?;
        self.remember(invite.link, &invite.addresses)
    }

    /// Nodes to start from, the oldest first.
    pub(crate) fn bootstrap(&self) -> Result<Vec<Start>, Failure> {
        let path = self.dir.join(FILE);
        match atomic::read(&path, FILE_MAX) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes)
                .lines()
                .filter_map(parse)
                .collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(fault::io("read", &path, &error)),
        }
    }

    /// Keeps one more, in place of what was known of the same node; beyond the bound the oldest is forgotten.
    pub(crate) fn remember(
        &self,
        link: LinkPublic,
        addresses: &[SocketAddr],
    ) -> Result<(), Failure> {
        let mut all = self.bootstrap()?;
        all.retain(|(known, _)| *known != link);
        all.push((
            link,
            addresses.iter().take(ADDRESSES_MAX).copied().collect(),
        ));
        let surplus = all.len().saturating_sub(BOOTSTRAP_MAX);
        let text: String = all.iter().skip(surplus).map(line).collect();
        let path = self.dir.join(FILE);
        atomic::write(&path, text.as_bytes()).map_err(|error| fault::io("write", &path, &error))
    }
}

fn line((link, addresses): &Start) -> String {
    let mut line = BASE32_NOPAD.encode(link.as_bytes());
    for address in addresses {
        line.push(' ');
        line.push_str(&address.to_string());
    }
    line.push('\n');
    line
}

fn parse(line: &str) -> Option<Start> {
    let mut words = line.split_ascii_whitespace();
    let key = BASE32_NOPAD.decode(words.next()?.as_bytes()).ok()?;
    let link = LinkPublic(<[u8; 32]>::try_from(key).ok()?);
    let addresses: Vec<SocketAddr> = words
        .take(ADDRESSES_MAX)
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    (!addresses.is_empty()).then_some((link, addresses))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_reads_back() {
        let start = (
            LinkPublic([9; 32]),
            vec!["192.0.2.1:9".parse().unwrap(), "[::1]:7".parse().unwrap()],
        );
        assert_eq!(parse(line(&start).trim_end()), Some(start));
    }

    #[test]
    fn a_line_without_address_or_with_a_wrong_one_is_left_out() {
        let key = BASE32_NOPAD.encode(&[9; 32]);
        for wrong in [
            key.clone(),
            format!("{key} nowhere"),
            "AAAA 127.0.0.1:1".into(),
            String::new(),
        ] {
            assert_eq!(parse(&wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line in "\\PC{0,120}") {
            let _ = parse(&line);
        }
    }
}
