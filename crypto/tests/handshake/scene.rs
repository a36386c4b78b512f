//! Two ends of a handshake and the line between them, for the tests to tamper with.

use oboro_crypto::handshake::{
    Established, HandshakeError, Initiator, LinkContext, ReplayWindow, Responder, Step,
};
use oboro_crypto::keys::LinkKey;
use oboro_crypto::{LinkPublic, NetworkId, Secret};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

pub(crate) const MINUTE: u32 = 29_700_000;
/// Bytes the responder asks for first: 24 of nonce and 1238 of message.
pub(crate) const FIRST_READ: usize = 24 + 1238;

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn key(seed: u64) -> LinkKey {
    LinkKey::generate(&mut rng(seed))
}

pub(crate) fn context(secret: Option<u8>) -> LinkContext {
    LinkContext {
        network: NetworkId([7; 32]),
        secret: secret.map(|byte| Secret::from_bytes([byte; 32])),
    }
}

/// The two ends of a handshake and their settings; each test changes one.
pub(crate) struct Scene {
    pub(crate) dialler: LinkContext,
    pub(crate) listener: LinkContext,
    pub(crate) listener_key: LinkKey,
    pub(crate) dialled: LinkPublic,
    pub(crate) dialler_minute: u32,
    pub(crate) seed: u64,
}

/// How a handshake between the two ends went.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) dialler: Option<Result<Established, HandshakeError>>,
    pub(crate) listener: Option<Result<Established, HandshakeError>>,
    /// Flights as they were on the line, in order.
    pub(crate) flights: Vec<Vec<u8>>,
    /// Bytes the listener sent.
    pub(crate) answered: usize,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let listener_key = key(1);
        let dialled = listener_key.public();
        Self {
            dialler: context(None),
            listener: context(None),
            listener_key,
            dialled,
            dialler_minute: MINUTE,
            seed: 3,
        }
    }

    pub(crate) fn ends(&self) -> (Initiator, Responder) {
        let (dialler, dialled) = (&self.dialler, &self.dialled);
        let initiator = Initiator::new(
            dialler,
            &key(2),
            dialled,
            self.dialler_minute,
            &mut rng(self.seed),
        )
        .unwrap();
        let responder = Responder::new(
            &self.listener,
            &self.listener_key,
            MINUTE,
            &mut rng(self.seed + 1),
        )
        .unwrap();
        (initiator, responder)
    }

    /// Runs both ends against each other over a line that `tamper` sits on: it gets the number of the flight.
    pub(crate) fn run_tampered(
        &self,
        replay: &mut ReplayWindow,
        mut tamper: impl FnMut(usize, &mut Vec<u8>),
    ) -> Outcome {
        let (mut initiator, mut responder) = self.ends();
        let (mut to_initiator, mut to_responder) = (Line::default(), Line::default());
        let mut outcome = Outcome::default();
        let mut progress = true;
        while progress {
            progress = false;
            if outcome.dialler.is_none()
                && let Some(step) = to_initiator.next(|bytes| initiator.advance(bytes))
            {
                progress = true;
                outcome.dialler = take(step, &mut to_initiator, |mut flight| {
                    outcome.flights.push(flight.clone());
                    tamper(outcome.flights.len(), &mut flight);
                    to_responder.bytes.extend(flight);
                });
            }
            if outcome.listener.is_none()
                && let Some(step) = to_responder.next(|bytes| responder.advance(bytes, replay))
            {
                progress = true;
                outcome.listener = take(step, &mut to_responder, |mut flight| {
                    outcome.answered += flight.len();
                    outcome.flights.push(flight.clone());
                    tamper(outcome.flights.len(), &mut flight);
                    to_initiator.bytes.extend(flight);
                });
            }
        }
        if let Some(Err(_)) = outcome.listener {
            assert_silent_for_good(&mut responder, replay);
        }
        outcome
    }

    pub(crate) fn run(&self) -> Outcome {
        self.run_tampered(&mut ReplayWindow::new(100), |_, _| {})
    }

    pub(crate) fn first_flight(&self) -> Vec<u8> {
        match self.ends().0.advance(&[]) {
            Ok(Step::Write(flight)) => flight,
            _ => panic!("a dialler writes first"),
        }
    }
}

/// What has arrived at one end, and how much of it the end waits for.
#[derive(Default)]
pub(crate) struct Line {
    bytes: Vec<u8>,
    wanted: usize,
}

impl Line {
    pub(crate) fn next(
        &mut self,
        advance: impl FnOnce(&[u8]) -> Result<Step, HandshakeError>,
    ) -> Option<Result<Step, HandshakeError>> {
        if self.bytes.len() < self.wanted {
            return None;
        }
        let rest = self.bytes.split_off(self.wanted);
        let received = core::mem::replace(&mut self.bytes, rest);
        self.wanted = 0;
        Some(advance(&received))
    }
}

pub(crate) fn take(
    step: Result<Step, HandshakeError>,
    line: &mut Line,
    write: impl FnOnce(Vec<u8>),
) -> Option<Result<Established, HandshakeError>> {
    match step {
        Ok(Step::Read(wanted)) => {
            assert!(wanted > 0);
            line.wanted = wanted;
            None
        }
        Ok(Step::Write(flight)) => {
            write(flight);
            None
        }
        Ok(Step::Done(established)) => Some(Ok(*established)),
        Err(error) => Some(Err(error)),
    }
}

pub(crate) fn assert_silent_for_good(responder: &mut Responder, replay: &mut ReplayWindow) {
    for n in [0, 1, FIRST_READ, 66] {
        assert!(matches!(
            responder.advance(&vec![0; n], replay),
            Err(HandshakeError::Over)
        ));
    }
}

pub(crate) fn listener_error(outcome: &Outcome) -> Option<HandshakeError> {
    outcome
        .listener
        .as_ref()
        .and_then(|result| result.as_ref().err().copied())
}

/// A stranger: the listener refuses the first flight and not a byte comes back.
pub(crate) fn assert_stranger(outcome: &Outcome) {
    assert_eq!(listener_error(outcome), Some(HandshakeError::NotForUs));
    assert_eq!(outcome.answered, 0);
    assert!(outcome.dialler.is_none());
}
