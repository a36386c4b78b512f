//! Invites: one line of text that lets somebody join: the network, and one node to start from.
//!
//! `oboro-invite:` and lower-case unpadded Base32 of: version `u8` (1), network length `u16` and its canonical bytes
//! (parameters, and the secret of a private network), link key 32, count `u8` (1 to 4) of addresses, checksum 4. For a
//! private network an invite is therefore a secret; `is_secret` says so.

use std::net::SocketAddr;

use data_encoding::{Encoding, Specification};
use oboro_crypto::hash::hash;
use oboro_crypto::ids::LinkPublic;
use oboro_crypto::labels;
use oboro_crypto::network::Network;

use super::codec::{Reader, WireError, put_count8, put_count16};
use super::descriptor::{ADDRESSES_MAX, put_address, read_address};

const PREFIX: &str = "oboro-invite:";
const VERSION: u8 = 1;
const NETWORK_MAX: usize = 512;
/// The longest line accepted, in characters.
pub const INVITE_MAX: usize = 1_600;

/// Why a line is no invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// It does not look like one at all.
    #[error("this is not an invite: it must be one line that begins with oboro-invite:")]
    NotAnInvite,
    /// It was damaged on the way.
    #[error("this invite is damaged (cut or mistyped): ask for it again")]
    Damaged,
    /// It was made by a newer version.
    #[error("this invite was made by a newer version of oboro: update first")]
    Newer,
}

/// A way into a network.
pub struct Invite {
    /// Which network.
    pub network: Network,
    /// The link key of the node to start from.
    pub link: LinkPublic,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
}

impl Invite {
    /// The line, without a line end. Addresses beyond the fourth are left out.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = vec![VERSION];
        let network = self.network.encode();
        put_count16(&mut out, network.len());
        out.extend_from_slice(&network);
        out.extend_from_slice(self.link.as_bytes());
        let addresses = &self.addresses[..self.addresses.len().min(ADDRESSES_MAX)];
        put_count8(&mut out, addresses.len());
        addresses
            .iter()
            .for_each(|address| put_address(&mut out, address));
        out.extend_from_slice(&checksum(&out));
        format!("{PREFIX}{}", base32().encode(&out))
    }

    /// Reads a line. Space around it is fine.
    ///
    /// # Errors
    /// See [`InviteError`].
    pub fn parse(line: &str) -> Result<Self, InviteError> {
        let line = line.trim();
        if line.len() > INVITE_MAX {
            return Err(InviteError::NotAnInvite);
        }
        let text = line.strip_prefix(PREFIX).ok_or(InviteError::NotAnInvite)?;
        let bytes = base32()
            .decode(text.as_bytes())
            .map_err(|_| InviteError::Damaged)?;
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or(InviteError::Damaged)?;
        if checksum(body) != *sum {
            return Err(InviteError::Damaged);
        }
        match body.first() {
            Some(&VERSION) => Self::read(body).map_err(|_| InviteError::Damaged),
            Some(_) => Err(InviteError::Newer),
            None => Err(InviteError::Damaged),
        }
    }

    /// Whether the line must be kept from strangers: it holds the secret of a private network.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.network.secret().is_some()
    }

    fn read(body: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        reader.u8()?;
        let length = reader.count16(NETWORK_MAX)?;
        let network = Network::decode(reader.bytes(length)?).map_err(|_| WireError::Invalid)?;
        let link = LinkPublic(reader.array()?);
        let count = reader.count8(ADDRESSES_MAX)?;
        let addresses = (0..count)
            .map(|_| read_address(&mut reader))
            .collect::<Result<Vec<_>, _>>()?;
        reader.end()?;
        if addresses.is_empty() {
            return Err(WireError::Invalid);
        }
        Ok(Self {
            network,
            link,
            addresses,
        })
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let full = hash(labels::INVITE, &[bytes]);
    [full[0], full[1], full[2], full[3]]
}

fn base32() -> Encoding {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification
        .translate
        .from
        .push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    specification
        .translate
        .to
        .push_str("abcdefghijklmnopqrstuvwxyz");
    specification
        .encoding()
        .unwrap_or(data_encoding::BASE32_NOPAD)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn invite() -> Invite {
        let addresses = vec![
            "127.0.0.1:4000".parse().unwrap(),
            "[::1]:4000".parse().unwrap(),
        ];
        Invite {
            network: Network::public(),
            link: LinkPublic([3; 32]),
            addresses,
        }
    }

    #[test]
    fn an_invite_is_one_line_that_reads_back() {
        let line = invite().encode();
        assert!(!line.contains(char::is_whitespace) && line.len() <= INVITE_MAX);
        let read = Invite::parse(&format!("  {line}\n")).unwrap();
        assert_eq!(read.addresses, invite().addresses);
        assert_eq!(read.link, invite().link);
        assert_eq!(read.network.id(), Network::public().id());
        assert!(!read.is_secret());
    }

    #[test]
    fn upper_case_is_read_too() {
        let line = invite().encode();
        let shouted = format!("{PREFIX}{}", line[PREFIX.len()..].to_uppercase());
        assert!(Invite::parse(&shouted).is_ok());
    }

    #[test]
    fn what_is_no_invite_says_so() {
        assert_eq!(
            Invite::parse("urn:eris:AAAA").err(),
            Some(InviteError::NotAnInvite)
        );
        assert_eq!(Invite::parse("").err(), Some(InviteError::NotAnInvite));
        assert_eq!(
            Invite::parse(&"oboro-invite:a".repeat(500)).err(),
            Some(InviteError::NotAnInvite)
        );
    }

    proptest! {
        #[test]
        fn any_change_of_a_character_is_noticed(at in any::<prop::sample::Index>(), to in "[a-z2-7]") {
            let line = invite().encode();
            let at = PREFIX.len() + at.index(line.len() - PREFIX.len());
            prop_assume!(line[at..=at] != to);
            let changed = format!("{}{to}{}", &line[..at], &line[at + 1..]);
            prop_assert!(Invite::parse(&changed).is_err());
        }

        #[test]
        fn any_text_is_survived(text in "\\PC{0,200}") {
            let _ = Invite::parse(&text);
            let _ = Invite::parse(&format!("{PREFIX}{text}"));
        }
    }
}
