//! The answering end of an exchange.

use oboro_crypto::ids::NetworkId;
use oboro_crypto::keys::OnionKey;
use oboro_crypto::provider::{Accepting, Provider, Session};

use super::{Ask, ExchangeEvent, framing};
use crate::effect::Ctx;
use crate::ids::ExchangeId;
use crate::wire::WireError;
use crate::wire::message::{Reply, Request, decode_chunk};

enum State {
    New,
    Accepted(Box<dyn Accepting>),
    Open(Box<dyn Session>),
    Broken,
}

pub(super) struct Served {
    state: State,
}

impl Served {
    pub(super) const fn new() -> Self {
        Self { state: State::New }
    }

    /// Whether nothing was asked yet.
    pub(super) const fn is_new(&self) -> bool {
        matches!(self.state, State::New)
    }

    pub(super) fn read(
        &mut self,
        exchange: ExchangeId,
        message: &[u8],
        keys: &[&OnionKey],
        network: &NetworkId,
        provider: &dyn Provider,
        ctx: &mut Ctx<'_>,
    ) -> Result<ExchangeEvent, WireError> {
        let ask = match std::mem::replace(&mut self.state, State::Broken) {
            State::New => {
                let (accepting, request) = provider
                    .accept(keys, network, message, ctx.rng)
                    .map_err(|_| WireError::Invalid)?;
                self.state = State::Accepted(accepting);
                Ask::Request(Request::decode(&request)?)
            }
            State::Open(mut session) => {
                let mut plain = Vec::with_capacity(message.len());
                session
                    .open(message, &mut plain)
                    .map_err(|_| WireError::Invalid)?;
                self.state = State::Open(session);
                let (index, _) = decode_chunk(&plain)?;
                plain.drain(..2);
                Ask::Chunk(index, plain)
            }
            // A client has nothing to say before it has been answered.
            State::Accepted(_) | State::Broken => return Err(WireError::Invalid),
        };
        Ok(ExchangeEvent::Served { exchange, ask })
    }

    /// Message 2 with the answer in it; `None` if it has been sent already.
    pub(super) fn first_answer(&mut self, reply: &Reply) -> Option<Result<Vec<u8>, WireError>> {
        if !matches!(self.state, State::Accepted(_)) {
            return None;
        }
        let State::Accepted(accepting) = std::mem::replace(&mut self.state, State::Broken) else {
            return None;
        };
        Some(match accepting.reply(&reply.encode()) {
            Ok((session, message)) => {
                self.state = State::Open(session);
                framing::wrap(&message)
            }
            Err(_) => Err(WireError::Invalid),
        })
    }

    pub(super) fn session(&mut self) -> Option<&mut dyn Session> {
        match &mut self.state {
            State::Open(session) => Some(session.as_mut()),
            _ => None,
        }
    }
}
