//! The entry as it is stored and sent: sealed inside, signed and paid for outside.
//!
//! Promises and layout: see the module above. All integers are little endian.
//! Does not know: what the body means.

use std::fmt;

use zeroize::Zeroizing;

use super::body::{BODY_LEN, EntryBody};
use super::reader::{Ended, Reader};
use super::{BodyError, EntryError};
use crate::aead::xopen;
use crate::hash::hash;
use crate::ids::{IdentityPublic, Location, NetworkId, Signature};
use crate::labels;
use crate::network::{Class, Network};
use crate::token::KeywordToken;
use crate::work;

/// Bytes of the sealed part: nonce, body, tag.
pub const SEALED_LEN: usize = NONCE_LEN + BODY_LEN + TAG_LEN;

pub(super) const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// Format of entries, the first byte of each.
const VERSION: u8 = 1;

const _: () = assert!(SEALED_LEN == 1024);

/// One entry, under one term, for one placement.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedEntry {
    /// The term's public write key: gives the location and checks the signature.
    pub write_key: [u8; 32],
    /// Which of the term's locations it is for.
    pub index: u8,
    /// Last day of its life, counted from 1970-01-01 UTC.
    pub expires_day: u32,
    /// The solution of the work.
    pub nonce: u64,
    /// What only those can read who know the word.
    pub sealed: Box<[u8; SEALED_LEN]>,
    /// Under the write key, over the network and everything above.
    pub signature: Signature,
}

impl SealedEntry {
    /// Bytes of every encoded entry: version, write key, index, expiry, nonce, sealed part, signature.
    pub const ENCODED_LEN: usize = 1 + 32 + 1 + 4 + 8 + SEALED_LEN + 64;

    /// The entry in [`SealedEntry::ENCODED_LEN`] bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::ENCODED_LEN);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.write_key);
        bytes.push(self.index);
        bytes.extend_from_slice(&self.expires_day.to_le_bytes());
        bytes.extend_from_slice(&self.nonce.to_le_bytes());
        bytes.extend_from_slice(self.sealed.as_slice());
        bytes.extend_from_slice(&self.signature.0);
        bytes
    }

    /// Reads what [`SealedEntry::encode`] writes. Nothing is checked but the form: see [`SealedEntry::check`].
    ///
    /// # Errors
    /// [`EntryError::Version`] or [`EntryError::Length`].
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let length = EntryError::Length { found: bytes.len() };
        match bytes.first() {
            Some(&VERSION) => {}
            Some(&version) => return Err(EntryError::Version(version)),
            None => return Err(length),
        }
        if bytes.len() != Self::ENCODED_LEN {
            return Err(length);
        }
        let mut reader = Reader::new(&bytes[1..]);
        Self::read(&mut reader).map_err(|Ended| length)
    }

    /// Where on this network it belongs.
    #[must_use]
    pub fn location(&self, network: &NetworkId) -> Location {
        Location::of_entry(network, &self.write_key, self.index)
    }

    /// All that can be checked without knowing the word; the bits of work it shows. `today` is counted from 1970-01-01
    /// UTC; clocks may differ by a day.
    ///
    /// # Errors
    /// [`EntryError`], the cheapest check first.
    pub fn check(&self, network: &Network, today: u32) -> Result<u8, EntryError> {
        let (id, params) = (network.id(), &network.params);
        if self.index >= params.copies(Class::Alone) {
            return Err(EntryError::Index(self.index));
        }
        if self.expires_day < today {
            return Err(EntryError::Expired);
        }
        if self.expires_day > today.saturating_add(u32::from(params.entry_days) + 1) {
            return Err(EntryError::TooLongLived);
        }
        let found = work::bits(&self.work_context(&id), self.nonce);
        if found < params.entry_work {
            return Err(EntryError::Work {
                needed: params.entry_work,
                found,
            });
        }
        let parts = self.signed_parts(&id);
        if !IdentityPublic(self.write_key).verify(labels::ENTRY, &parts.each(), &self.signature) {
            return Err(EntryError::Signature);
        }
        Ok(found)
    }

    /// Reads the content. The signature of a publisher, if there is one, is checked as well.
    ///
    /// # Errors
    /// [`EntryError::OtherTerm`], [`EntryError::Seal`] or [`EntryError::Body`].
    pub fn open(&self, token: &KeywordToken) -> Result<EntryBody, EntryError> {
        let network = token.network();
        if self.write_key != token.location_key() {
            return Err(EntryError::OtherTerm);
        }
        let (nonce, rest) = self
            .sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(EntryError::Seal)?;
        let associated = associated(&network, &self.write_key, self.index, self.expires_day);
        let plain =
            xopen(token.sealing_key(), nonce, &associated, rest).map_err(|_| EntryError::Seal)?;
        let body = EntryBody::decode(&Zeroizing::new(plain))?;
        check_against_outside(&body, self.expires_day, &network)?;
        Ok(body)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Ended> {
        Ok(Self {
            write_key: reader.array()?,
            index: reader.u8()?,
            expires_day: reader.u32()?,
            nonce: reader.u64()?,
            sealed: Box::new(reader.array()?),
            signature: Signature(reader.array()?),
        })
    }

    /// What the work is done for: this placement, this day, this content.
    pub(super) fn work_context(&self, network: &NetworkId) -> [u8; 32] {
        let sealed = hash(labels::ENTRY_SEALED, &[self.sealed.as_slice()]);
        work::context(
            labels::WORK_ENTRY,
            &self.location(network),
            self.expires_day,
            &sealed,
        )
    }

    pub(super) fn signed_parts<'a>(&'a self, network: &NetworkId) -> SignedParts<'a> {
        let mut outside = associated(network, &self.write_key, self.index, self.expires_day);
        outside.extend_from_slice(&self.nonce.to_le_bytes());
        SignedParts {
            outside,
            sealed: self.sealed.as_slice(),
        }
    }
}

impl fmt::Debug for SealedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedEntry(..)")
    }
}

/// What the signature covers.
pub(super) struct SignedParts<'a> {
    outside: Vec<u8>,
    sealed: &'a [u8],
}

impl SignedParts<'_> {
    pub(super) fn each(&self) -> [&[u8]; 2] {
        [&self.outside, self.sealed]
    }
}

/// Network and outer fields, to which the seal is bound.
pub(super) fn associated(
    network: &NetworkId,
    write_key: &[u8; 32],
    index: u8,
    expires_day: u32,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 + 1 + 32 + 1 + 4 + 8);
    bytes.extend_from_slice(network.as_bytes());
    bytes.push(VERSION);
    bytes.extend_from_slice(write_key);
    bytes.push(index);
    bytes.extend_from_slice(&expires_day.to_le_bytes());
    bytes
}

/// The rules between the body and the fields outside it.
pub(super) fn check_against_outside(
    body: &EntryBody,
    expires_day: u32,
    network: &NetworkId,
) -> Result<(), BodyError> {
    if body.day > expires_day {
        return Err(BodyError::Day);
    }
    if !body.publisher_is_genuine(network) {
        return Err(BodyError::Publisher);
    }
    Ok(())
}
