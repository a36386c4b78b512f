//! Types that hold secrets can neither be printed nor copied by accident. Checked when this file is compiled: where a
//! type has one of the traits, `check` has two meanings and the compiler refuses.

use std::fmt::{Debug, Display};

use oboro_crypto::aead::Aead;
use oboro_crypto::handshake::{Established, Initiator, LinkContext, Responder};
use oboro_crypto::keys::{IdentityKey, LinkKey, NodeKeys, OnionKey};
use oboro_crypto::record::RecordCipher;
use oboro_crypto::session::{Accepted, EndToEnd, Opened};
use oboro_crypto::{Secret, SecretBytes};

struct Printable;
struct Shown;
struct Copied;

trait Check<Trait> {
    fn check() {}
}

impl<T> Check<()> for T {}
impl<T: Debug> Check<Printable> for T {}
impl<T: Display> Check<Shown> for T {}
impl<T: Clone> Check<Copied> for T {}

macro_rules! keep_their_secrets {
    ($($secret:ty),* $(,)?) => {
        #[test]
        fn secrets_are_neither_printable_nor_copied() {
            $(<$secret as Check<_>>::check();)*
        }
    };
}

keep_their_secrets! {
    Secret<32>, SecretBytes, IdentityKey, LinkKey, OnionKey, NodeKeys,
    Aead, LinkContext, Initiator, Responder, Established, RecordCipher, Opened, Accepted, EndToEnd,
}
