//! The asking end of an exchange.

use oboro_crypto::ids::{NetworkId, OnionPublic};
use oboro_crypto::provider::{Opening, Provider, Session};

use super::{Answer, ExchangeEvent, framing};
use crate::effect::{Ctx, Owner};
use crate::ids::ExchangeId;
use crate::time::Time;
use crate::wire::WireError;
use crate::wire::message::{CHUNK_MESSAGE, Reply, Request, decode_chunk};

enum State {
    Opening(Box<dyn Opening>),
    Open(Box<dyn Session>),
    Broken,
}

pub(super) struct Client {
    pub(super) owner: Owner,
    asked: Time,
    state: State,
}

impl Client {
    /// Message 1 with the request in it.
    pub(super) fn open(
        owner: Owner,
        onion: &OnionPublic,
        network: &NetworkId,
        request: &Request,
        provider: &dyn Provider,
        ctx: &mut Ctx<'_>,
    ) -> Result<(Self, Vec<u8>), WireError> {
        let (opening, first) = provider
            .open(onion, network, &request.encode(), ctx.rng)
            .map_err(|_| WireError::Invalid)?;
        Ok((
            Self {
                owner,
                asked: ctx.now,
                state: State::Opening(opening),
            },
            framing::wrap(&first)?,
        ))
    }

    pub(super) fn read(
        &mut self,
        exchange: ExchangeId,
        message: &[u8],
        ctx: &mut Ctx<'_>,
    ) -> Result<ExchangeEvent, WireError> {
        let answer = match std::mem::replace(&mut self.state, State::Broken) {
            State::Opening(opening) => {
                let (session, payload) = opening.finish(message).map_err(|_| WireError::Invalid)?;
                self.state = State::Open(session);
                if self.owner.job().is_some() {
                    ctx.stats.answered_in(ctx.now.since(self.asked));
                }
                Answer::Reply(Reply::decode(&payload)?)
            }
            State::Open(mut session) => {
                let mut plain = Vec::with_capacity(message.len());
                session
                    .open(message, &mut plain)
                    .map_err(|_| WireError::Invalid)?;
                self.state = State::Open(session);
                if plain.len() == CHUNK_MESSAGE {
                    let (index, _) = decode_chunk(&plain)?;
                    plain.drain(..2);
                    Answer::Chunk(index, plain)
                } else {
                    Answer::Reply(Reply::decode(&plain)?)
                }
            }
            State::Broken => return Err(WireError::Invalid),
        };
        Ok(ExchangeEvent::Client {
            exchange,
            owner: self.owner,
            answer,
        })
    }

    pub(super) fn session(&mut self) -> Option<&mut dyn Session> {
        match &mut self.state {
            State::Open(session) => Some(session.as_mut()),
            _ => None,
        }
    }
}
