//! The Noise Protocol Framework (revision 34): the only folder that names snow.
//!
//! Promises: a handshake that fails at any point is gone, keys and all (every step consumes it, so the remote key that
//! snow leaves readable after a failed message can't be read); chance comes from the caller; agreements that come to
//! zero are refused; the AEAD is `aead`'s.
//!
//! Does not know: what payloads mean, how messages travel, when to rekey.

mod resolver;

use rand_core::CryptoRngCore;
use snow::params::NoiseParams;
use snow::{Builder, HandshakeState, TransportState};
use zeroize::Zeroizing;

use resolver::Resolver;

use crate::aead::{Backend, TAG_LEN};
use crate::ids::NetworkId;
use crate::secret::Secret;

/// Most bytes in a Noise message.
pub(crate) const MESSAGE_MAX: usize = 65_535;

/// Version of links, sessions and circuits; part of every prologue, so versions can't be mixed up.
const PROTOCOL_VERSION: u8 = 1;

/// The peer's message is not what it should be, or its key is none. Callers say whose fault that is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refused;

/// Which handshake. The purpose is part of the prologue: one can't be passed off as the other.
#[derive(Clone, Copy)]
pub(crate) enum Pattern {
    /// Mutual, the initiator hidden, a pre-shared key in the last message.
    Link,
    /// The initiator anonymous.
    Session,
    /// As a session; what comes of it are keys for cells, not a transport.
    Circuit,
}

impl Pattern {
    const fn name(self) -> &'static str {
        match self {
            Self::Link => "Noise_XKpsk3_25519_ChaChaPoly_BLAKE2s",
            Self::Session | Self::Circuit => "Noise_NK_25519_ChaChaPoly_BLAKE2s",
        }
    }

    fn prologue(self, network: &NetworkId) -> Vec<u8> {
        let purpose: &[u8] = match self {
            Self::Link => b"ML-KEM-768",
            Self::Session => b"session",
            Self::Circuit => b"circuit",
        };
        [
            b"oboro",
            [PROTOCOL_VERSION].as_slice(),
            network.as_bytes(),
            purpose,
        ]
        .concat()
    }
}

/// A handshake under way.
pub(crate) struct Handshake(HandshakeState);

impl Handshake {
    /// The side that speaks first, towards the holder of `remote`; `local` where the pattern has a key of ours.
    pub(crate) fn initiator(
        pattern: Pattern,
        network: &NetworkId,
        local: Option<&Secret<32>>,
        remote: &[u8; 32],
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Self, Refused> {
        let prologue = pattern.prologue(network);
        let mut builder = builder(pattern.name(), Backend::fastest(), rng)
            .prologue(&prologue)?
            .remote_public_key(remote)?;
        if let Some(local) = local {
            builder = builder.local_private_key(local.expose())?;
        }
        Ok(Self(builder.build_initiator()?))
    }

    /// The side that answers, with its own key `local`.
    pub(crate) fn responder(
        pattern: Pattern,
        network: &NetworkId,
        local: &Secret<32>,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Self, Refused> {
        let prologue = pattern.prologue(network);
        let builder = builder(pattern.name(), Backend::fastest(), rng).prologue(&prologue)?;
        Ok(Self(
            builder
                .local_private_key(local.expose())?
                .build_responder()?,
        ))
    }

    /// Appends our next message to `out`.
    pub(crate) fn write(mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<Self, Refused> {
        let start = out.len();
        out.resize(start + payload.len() + MESSAGE_OVERHEAD_MAX, 0);
        let written = self
            .0
            .write_message(payload, out.get_mut(start..).unwrap_or_default());
        out.truncate(start + written.as_ref().map_or(0, |len| *len));
        written?;
        Ok(self)
    }

    /// Reads the peer's next message; returns its payload.
    pub(crate) fn read(mut self, message: &[u8]) -> Result<(Self, Zeroizing<Vec<u8>>), Refused> {
        let mut payload = Zeroizing::new(vec![0; message.len()]);
        let len = self.0.read_message(message, &mut payload)?;
        payload.truncate(len);
        Ok((self, payload))
    }

    /// The hash of everything said so far.
    pub(crate) fn hash(&self) -> &[u8] {
        self.0.get_handshake_hash()
    }

    /// Sets the pre-shared key of the third message.
    pub(crate) fn with_psk(mut self, psk: &Secret<32>) -> Result<Self, Refused> {
        self.0.set_psk(3, psk.expose())?;
        Ok(self)
    }

    /// Ends the handshake, if it has come to its end; the peer's static key, if the pattern has one, is authenticated.
    pub(crate) fn finish(self) -> Result<(Transport, Option<[u8; 32]>), Refused> {
        let transport = self.0.into_transport_mode()?;
        let remote = transport
            .get_remote_static()
            .and_then(|key| key.first_chunk().copied());
        Ok((Transport(transport), remote))
    }

    /// Ends the handshake, if it has come to its end, with the two keys of Noise's `Split`: for what the initiator says
    /// and for what the responder says. The transport that would use them is never made.
    pub(crate) fn raw_split(mut self) -> Result<(Secret<32>, Secret<32>), Refused> {
        if !self.0.is_handshake_finished() {
            return Err(Refused);
        }
        let (one, two) = self.0.dangerously_get_raw_split();
        let (one, two) = (Zeroizing::new(one), Zeroizing::new(two));
        Ok((Secret::from_bytes(*one), Secret::from_bytes(*two)))
    }
}

/// The most a message is longer than its payload: an ephemeral key, a sealed static key, a tag.
const MESSAGE_OVERHEAD_MAX: usize = 32 + 32 + TAG_LEN + TAG_LEN;

/// Sealed messages after a handshake, in order, each direction with its own key and count.
pub(crate) struct Transport(TransportState);

impl Transport {
    /// Two ends that belong together, on a chosen AEAD, without anyone having been authenticated.
    pub(crate) fn pair(
        backend: Backend,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<(Self, Self), Refused> {
        let mut one = Handshake(builder(PAIR, backend, rng).build_initiator()?);
        let mut two = Handshake(builder(PAIR, backend, rng).build_responder()?);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        one = one.write(&[], &mut first)?;
        two = two.read(&first)?.0.write(&[], &mut second)?;
        one = one.read(&second)?.0;
        Ok((one.finish()?.0, two.finish()?.0))
    }

    /// Seals `plain` into `out`, which is [`TAG_LEN`] longer.
    pub(crate) fn seal(&mut self, plain: &[u8], out: &mut [u8]) -> Result<(), Refused> {
        self.0.write_message(plain, out)?;
        Ok(())
    }

    /// Opens `message` into `out`, which is [`TAG_LEN`] shorter.
    pub(crate) fn open(&mut self, message: &[u8], out: &mut [u8]) -> Result<(), Refused> {
        self.0.read_message(message, out)?;
        Ok(())
    }

    /// Messages sealed so far.
    pub(crate) fn sealed(&self) -> u64 {
        self.0.sending_nonce()
    }

    /// Messages opened so far.
    pub(crate) fn opened(&self) -> u64 {
        self.0.receiving_nonce()
    }

    /// Replaces the key of what we seal (Noise, section 4.2). The peer must do the same at the same count.
    pub(crate) fn rekey_sealing(&mut self) {
        self.0.rekey_outgoing();
    }

    /// Replaces the key of what we open.
    pub(crate) fn rekey_opening(&mut self) {
        self.0.rekey_incoming();
    }
}

const PAIR: &str = "Noise_NN_25519_ChaChaPoly_BLAKE2s";

impl From<snow::Error> for Refused {
    fn from(_: snow::Error) -> Self {
        Self
    }
}

fn builder(name: &str, backend: Backend, rng: &mut dyn CryptoRngCore) -> Builder<'static> {
    let params: NoiseParams = name.parse().expect("this file's names are Noise names");
    Builder::with_resolver(
        params,
        Box::new(Resolver::new(backend, Secret::random(rng))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::OnionKey;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    const NETWORK: NetworkId = NetworkId([5; 32]);

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    /// A session's first message, by our resolver and by snow's own, with the same ephemeral.
    #[test]
    fn our_primitives_speak_to_snows_own() {
        let local = OnionKey::from_secret(Secret::from_bytes([3; 32]));
        let public = local.public().0;
        let mut message = Vec::new();
        let ours =
            Handshake::initiator(Pattern::Session, &NETWORK, None, &public, &mut rng(1)).unwrap();
        let ours = ours.write(b"hello", &mut message).unwrap();
        let prologue = Pattern::Session.prologue(&NETWORK);
        let mut theirs = Builder::new(Pattern::Session.name().parse().unwrap())
            .prologue(&prologue)
            .unwrap()
            .local_private_key(local.secret().expose())
            .unwrap()
            .build_responder()
            .unwrap();
        let mut buf = [0; 200];
        let len = theirs.read_message(&message, &mut buf).unwrap();
        assert_eq!(&buf[..len], b"hello");
        let len = theirs.write_message(b"hi", &mut buf).unwrap();
        let (ours, payload) = ours.read(&buf[..len]).unwrap();
        assert_eq!(payload.as_slice(), b"hi");
        let (mut ours, mut theirs) = (
            ours.finish().unwrap().0,
            theirs.into_transport_mode().unwrap(),
        );
        ours.rekey_sealing();
        theirs.rekey_incoming();
        let mut sealed = [0; 5 + TAG_LEN];
        ours.seal(b"again", &mut sealed).unwrap();
        let len = theirs.read_message(&sealed, &mut buf).unwrap();
        assert_eq!(&buf[..len], b"again");
    }

    /// The first key is that of what the initiator says, the second of what the responder says; both ends have both.
    #[test]
    fn a_raw_split_has_the_keys_of_the_transport_that_is_not_made() {
        let local = OnionKey::from_secret(Secret::from_bytes([3; 32]));
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let begun = || {
            let public = local.public().0;
            Handshake::initiator(Pattern::Circuit, &NETWORK, None, &public, &mut rng(1)).unwrap()
        };
        let ours = begun().write(b"", &mut first).unwrap();
        let prologue = Pattern::Circuit.prologue(&NETWORK);
        let mut theirs = Builder::new(Pattern::Circuit.name().parse().unwrap())
            .prologue(&prologue)
            .unwrap()
            .local_private_key(local.secret().expose())
            .unwrap()
            .build_responder()
            .unwrap();
        let mut buf = [0; 200];
        theirs.read_message(&first, &mut buf).unwrap();
        let len = theirs.write_message(b"", &mut buf).unwrap();
        second.extend_from_slice(&buf[..len]);
        assert!(begun().raw_split().is_err());
        let (to, from) = ours.read(&second).unwrap().0.raw_split().unwrap();
        let mut theirs = theirs.into_transport_mode().unwrap();
        let aead = |key: &Secret<32>| crate::aead::Aead::new(key);
        let mut sealed = b"there".to_vec();
        let tag = aead(&to).seal_in_place(&[0; 12], &[], &mut sealed);
        sealed.extend_from_slice(&tag);
        let len = theirs.read_message(&sealed, &mut buf).unwrap();
        assert_eq!(&buf[..len], b"there");
        let len = theirs.write_message(b"back", &mut buf).unwrap();
        let (sealed, tag) = buf[..len].split_last_chunk().unwrap();
        let mut sealed = sealed.to_vec();
        let opened = aead(&from).open_in_place(&[0; 12], &[], &mut sealed, tag);
        assert_eq!((opened, sealed.as_slice()), (Ok(()), &b"back"[..]));
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        // Points that every key of ours agrees to zero with (RFC 7748 section 6.1).
        let order_8 = [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
            0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16,
            0x5f, 0x49, 0xb8, 0x00,
        ];
        let mut one = [0; 32];
        one[0] = 1;
        for point in [[0; 32], one, order_8] {
            let handshake =
                Handshake::initiator(Pattern::Session, &NETWORK, None, &point, &mut rng(1))
                    .unwrap();
            assert!(handshake.write(b"", &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn the_same_chance_gives_the_same_bytes_and_each_handshake_its_own() {
        let first = |seed| {
            let mut out = Vec::new();
            Handshake::initiator(Pattern::Session, &NETWORK, None, &[9; 32], &mut rng(seed))
                .unwrap()
                .write(b"x", &mut out)
                .unwrap();
            out
        };
        assert_eq!(first(1), first(1));
        assert_ne!(first(1)[..32], first(2)[..32]);
    }

    #[test]
    fn an_unfinished_handshake_does_not_become_a_transport() {
        let handshake = Handshake::responder(
            Pattern::Link,
            &NETWORK,
            &Secret::from_bytes([1; 32]),
            &mut rng(1),
        )
        .unwrap();
        assert!(handshake.finish().is_err());
    }
}
