//! Networks: a name, the parameters all its nodes share, and for a private one a secret.
//!
//! Promises: a network's id is the hash of all of this, so two networks that differ in anything cannot be confused or
//! bridged; whatever is read from bytes or text lies within the bounds below.
//!
//! Does not know: who is on a network, or where its file lies.

mod bytes;
mod params;
mod text;

use rand_core::CryptoRngCore;

pub use crate::cost::Cost;
pub use params::{CHUNK_BYTES, Class, Params};

use crate::hash::hash;
use crate::ids::NetworkId;
use crate::labels;
use crate::secret::Secret;

/// Most bytes in a network's name.
pub const NAME_MAX: usize = 64;

/// A network, known well enough to take part in it.
pub struct Network {
    /// Its name, for people.
    pub name: String,
    /// What its nodes have agreed on. The id was computed from these: to change one, make another network.
    pub params: Params,
    secret: Option<Secret<32>>,
    id: NetworkId,
}

impl Network {
    /// The public network everyone is on who did not choose another.
    #[must_use]
    pub fn public() -> Self {
        Self::assemble(String::from("oboro"), Params::public(), None)
    }

    /// A new private network with a fresh secret. `local` ones are cheap to take part in: for one machine or one room.
    pub fn private(
        name: &str,
        local: bool,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Self, NetworkError> {
        let params = if local {
            Params::local()
        } else {
            Params::public()
        };
        Self::new(name, params, Some(Secret::random(rng)))
    }

    /// A network of these parts, if they lie within their bounds.
    pub fn new(
        name: &str,
        params: Params,
        secret: Option<Secret<32>>,
    ) -> Result<Self, NetworkError> {
        check_name(name)?;
        params.check()?;
        Ok(Self::assemble(name.to_owned(), params, secret))
    }

    /// The network's id.
    #[must_use]
    pub fn id(&self) -> NetworkId {
        self.id
    }

    /// The secret of a private network.
    #[must_use]
    pub fn secret(&self) -> Option<&Secret<32>> {
        self.secret.as_ref()
    }

    /// A second copy, secret included, made on purpose.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let secret = self.secret.as_ref().map(Secret::duplicate);
        Self {
            name: self.name.clone(),
            params: self.params,
            secret,
            id: self.id,
        }
    }

    fn assemble(name: String, params: Params, secret: Option<Secret<32>>) -> Self {
        let mut network = Self {
            name,
            params,
            secret,
            id: NetworkId([0; 32]),
        };
        network.id = NetworkId(hash(labels::NETWORK_ID, &[&network.encode()]));
        network
    }
}

/// Shows neither name nor secret: which networks someone is on is his own business.
impl core::fmt::Debug for Network {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Network(..)")
    }
}

/// Why something is not a network. All but `NewerVersion` are the fault of whoever wrote it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NetworkError {
    /// The name is empty, too long, or not one line of plain text.
    #[error(
        "a network's name is 1 to {NAME_MAX} bytes of plain text, without quotes, backslashes or outer spaces"
    )]
    Name,
    /// A parameter is outside its bounds.
    #[error("{field} must be {allowed}")]
    OutOfBounds {
        /// The parameter, as the text form names it.
        field: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The bytes are no network: truncated, extended or damaged.
    #[error("these bytes are not a network")]
    Damaged,
    /// A line of the text form cannot be understood.
    #[error("line {line}: {problem}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The text form lacks an entry.
    #[error("the entry `{0}` is missing")]
    Missing(&'static str),
    /// Written by a newer Oboro.
    #[error("the network is of version {0}, which this Oboro does not know: update it")]
    NewerVersion(u16),
}

fn check_name(name: &str) -> Result<(), NetworkError> {
    let plain = |c: char| !c.is_control() && c != '"' && c != '\\';
    let fits = !name.is_empty() && name.len() <= NAME_MAX;
    if fits && name.trim() == name && name.chars().all(plain) {
        Ok(())
    } else {
        Err(NetworkError::Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([1; 32])
    }

    #[test]
    fn anything_that_differs_makes_another_network() {
        let base = Network::new("a", Params::local(), None).unwrap();
        let mut params = Params::local();
        params.entry_days += 1;
        let others = [
            Network::new("b", Params::local(), None).unwrap(),
            Network::new("a", params, None).unwrap(),
            Network::new("a", Params::local(), Some(Secret::from_bytes([0; 32]))).unwrap(),
            Network::new("a", Params::local(), Some(Secret::from_bytes([1; 32]))).unwrap(),
        ];
        let mut ids: Vec<_> = others.iter().chain([&base]).map(Network::id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 5);
        assert_eq!(base.duplicate().id(), base.id());
    }

    #[test]
    fn a_private_network_has_a_fresh_secret_and_the_public_one_has_none() {
        let mut rng = rng();
        let a = Network::private("room", true, &mut rng).unwrap();
        let b = Network::private("room", true, &mut rng).unwrap();
        assert_ne!(a.id(), b.id());
        assert!(a.secret().is_some() && Network::public().secret().is_none());
        assert!(
            a.params.local
                && !Network::private("room", false, &mut rng)
                    .unwrap()
                    .params
                    .local
        );
    }

    #[test]
    fn a_name_is_one_line_of_plain_text() {
        let long = "n".repeat(NAME_MAX + 1);
        for bad in ["", " a", "a\n", "a\"b", "a\\b", "\u{7f}", &long] {
            assert_eq!(
                Network::new(bad, Params::local(), None).err(),
                Some(NetworkError::Name),
                "{bad:?}"
            );
        }
        for good in ["a", "友だち の 輪", &long[1..]] {
            assert!(
                Network::new(good, Params::local(), None).is_ok(),
                "{good:?}"
            );
        }
    }
}
