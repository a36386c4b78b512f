//! The key file of a home: made at the first start, its onion key rotated at the first start of a day.
//!
//! A node that runs for days keeps the onion keys it was born with: the core takes keys once, and a file that ran ahead
//! of it would forget the key that others still use.

use std::io;

use oboro_crypto::CryptoRngCore;
use oboro_crypto::keyfile;
use oboro_crypto::keys::NodeKeys;
use oboro_crypto::secret::SecretBytes;

use super::{Home, atomic};
use crate::api::Failure;
use crate::fault;

const FILE: &str = "keys";

/// Largest key file in bytes: its keys and envelope are some hundred.
const FILE_MAX: u64 = 16 * 1024;

impl Home {
    /// The keys of this home, made if there are none. The onion key is today's.
    ///
    /// # Errors
    /// The passphrase codes, [`Code::NewerVersion`](crate::api::Code::NewerVersion), or
    /// [`Code::Failed`](crate::api::Code::Failed) if the file is damaged or the system refuses.
    pub(crate) fn keys(
        &self,
        passphrase: Option<&SecretBytes>,
        today: u32,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<NodeKeys, Failure> {
        let path = self.dir.join(FILE);
        let keys = match atomic::read(&path, FILE_MAX) {
            Ok(bytes) => {
                let mut keys = keyfile::open(&bytes, passphrase)
                    .map_err(|error| fault::key_file(&path, &error))?;
                if !keys.rotate_onion(today, rng) {
                    return Ok(keys);
                }
                keys
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => NodeKeys::generate(today, rng),
            Err(error) => return Err(fault::io("read", &path, &error)),
        };
        atomic::write(&path, &keyfile::seal(&keys, passphrase, rng))
            .map_err(|error| fault::io("write", &path, &error))?;
        Ok(keys)
    }
}
