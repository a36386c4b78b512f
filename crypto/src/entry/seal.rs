//! Making an entry: seal, work, sign.
//!
//! Promises: what comes out passes every check a storer and a reader make.
//! Does not know: how an entry is read again.

use rand_core::CryptoRngCore;

use super::EntryError;
use super::body::EntryBody;
use super::sealed::{NONCE_LEN, SEALED_LEN, SealedEntry, associated, check_against_outside};
use crate::aead::xseal;
use crate::ids::{NetworkId, Signature};
use crate::keys::IdentityKey;
use crate::labels;
use crate::network::{Class, Network};
use crate::token::KeywordToken;
use crate::work;

/// An entry for which the work is still to be done.
pub struct UnworkedEntry {
    network: NetworkId,
    write: IdentityKey,
    context: [u8; 32],
    bits: u8,
    entry: SealedEntry,
}

/// Seals a body under a term for placement `index` of the network, to live until `expires_day`.
///
/// # Errors
/// [`EntryError::Body`] for a body that nobody would accept, [`EntryError::Index`] for a placement that the network does
/// not have, [`EntryError::OtherTerm`] for a token of another network.
pub fn seal(
    network: &Network,
    token: &KeywordToken,
    body: &EntryBody,
    index: u8,
    expires_day: u32,
    rng: &mut dyn CryptoRngCore,
) -> Result<UnworkedEntry, EntryError> {
    let id = network.id();
    if token.network() != id {
        return Err(EntryError::OtherTerm);
    }
    if index >= network.params.copies(Class::Alone) {
        return Err(EntryError::Index(index));
    }
    let plain = body.encode()?;
    check_against_outside(body, expires_day, &id)?;
    let mut entry = SealedEntry {
        write_key: token.location_key(),
        index,
        expires_day,
        nonce: 0,
        sealed: Box::new([0; SEALED_LEN]),
        signature: Signature([0; 64]),
    };
    let (nonce, rest) = entry.sealed.split_at_mut(NONCE_LEN);
    rng.fill_bytes(nonce);
    let mut xnonce = [0; NONCE_LEN];
    xnonce.copy_from_slice(nonce);
    let associated = associated(&id, &entry.write_key, index, expires_day);
    rest.copy_from_slice(&xseal(token.sealing_key(), &xnonce, &associated, &plain));
    let context = entry.work_context(&id);
    Ok(UnworkedEntry {
        network: id,
        write: token.write_key(),
        context,
        bits: network.params.entry_work,
        entry,
    })
}

impl UnworkedEntry {
    /// Asks for more work than the network does, as a full storer may. Fewer bits change nothing.
    #[must_use]
    pub fn at_price(mut self, bits: u8) -> Self {
        self.bits = self.bits.max(bits);
        self
    }

    /// Does the work and signs: 2^bits hashes on average, about 20 ms at 16 bits.
    #[must_use]
    pub fn solve(mut self) -> SealedEntry {
        self.entry.nonce = work::solve(&self.context, self.bits, 0);
        self.entry.signature = self.write.sign(
            labels::ENTRY,
            &self.entry.signed_parts(&self.network).each(),
        );
        self.entry
    }
}
