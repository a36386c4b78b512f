//! Words of a session as bytes on a stream, and the honest answer to a request.

use oboro_core::wire::message::{
    Put, Receipt, Refusal, Reply, Request, decode_chunk, encode_chunk,
};
use oboro_core::wire::placement::Placement;
use oboro_crypto::ids::Signature;
use oboro_crypto::session::MSG1_OVERHEAD;

use super::library::{LIBRARY, chunk};
use super::plain::{first, opened, sealed, second};
use super::steps::Word;

const REFUSALS: [Refusal; 6] = [
    Refusal::Busy,
    Refusal::Full,
    Refusal::Price,
    Refusal::NotMine,
    Refusal::Policy,
    Refusal::Invalid,
];

/// Most bytes that one step says on a stream: more than a whole window of it.
const SAID_MAX: usize = 400 * 1024;

/// Appends words to what is said on a stream on this day.
pub(super) fn say(words: &[Word], today: u32, out: &mut Vec<u8>) {
    for word in words {
        if out.len() > SAID_MAX {
            return;
        }
        match word {
            Word::Chunks { count, fill } => {
                for index in 0..*count % 33 {
                    frame(
                        &sealed(&encode_chunk(index, &chunk(fill.wrapping_add(index)))),
                        out,
                    );
                }
            }
            Word::Garbage { bytes, framed } => match framed {
                true => frame(bytes, out),
                false => out.extend_from_slice(bytes),
            },
            Word::Chunk { index, fill, first } => {
                let plain = encode_chunk(*index, &chunk(*fill));
                let message = if *first {
                    second(&plain)
                } else {
                    sealed(&plain)
                };
                frame(&message, out);
            }
            other => match request(other, today) {
                Some(request) => frame(&first(&request.encode()), out),
                None => reply(other, today, out),
            },
        }
    }
}

/// Length in front of a message.
fn frame(message: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(message);
}

fn request(word: &Word, today: u32) -> Option<Request> {
    Some(match *word {
        Word::Get { extent, wanted } => Request::Get {
            location: LIBRARY.location(extent),
            wanted,
        },
        Word::Put {
            index,
            chunks,
            fill,
            day,
        } => Request::Put(Put {
            placement: Placement::from_byte(index),
            day: today.saturating_add_signed(day.into()),
            work: 0,
            references: (0..chunks % 33)
                .map(|n| LIBRARY.reference(fill.wrapping_add(n)))
                .collect(),
        }),
        Word::PutEntry { index, damage } => {
            let number = usize::from(index) % LIBRARY.entries.len();
            let mut bytes = LIBRARY.entries.values().nth(number)?.clone();
            if let Some(at) = damage {
                let at = usize::from(at) % bytes.len();
                bytes[at] ^= 1;
            }
            Request::PutEntry(bytes)
        }
        Word::Query {
            location,
            after,
            max,
        } => Request::Query {
            location: LIBRARY.location(location),
            after,
            max,
        },
        _ => return None,
    })
}

fn reply(word: &Word, today: u32, out: &mut Vec<u8>) {
    let (reply, is_first) = match *word {
        Word::Have { mask, first } => (Reply::Have(mask), first),
        Word::Send { mask, first } => (Reply::Send(mask), first),
        Word::Receipt { genuine, first } => (receipt(genuine, today), first),
        Word::Entries { count, more, first } => {
            let entries = LIBRARY
                .entries
                .values()
                .cycle()
                .take(usize::from(count % 33));
            let more = more.then_some([7; 16]);
            (Reply::Entries(entries.cloned().collect(), more), first)
        }
        Word::Refused {
            cause,
            price,
            first,
        } => {
            let cause = REFUSALS[usize::from(cause) % REFUSALS.len()];
            (Reply::Refused(cause, price), first)
        }
        Word::Nothing { first } => (Reply::Nothing, first),
        _ => return,
    };
    let plain = reply.encode();
    let message = if is_first {
        second(&plain)
    } else {
        sealed(&plain)
    };
    frame(&message, out);
}

fn receipt(genuine: bool, today: u32) -> Reply {
    Reply::Receipt(Receipt {
        until_day: today + 30,
        signature: Signature([if genuine { 0 } else { 0xff }; 64]),
    })
}

/// What an honest storer says next to somebody whose stream began with `asked`; `turn` counts what he has said so far.
pub(super) fn oblige(asked: &[u8], turn: u32, today: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let request = asked
        .get(2..)
        .zip(
            asked
                .first_chunk()
                .map(|length| u16::from_be_bytes(*length)),
        )
        .and_then(|(rest, length)| rest.get(..length.into()))
        .and_then(|message| opened(message, MSG1_OVERHEAD))
        .and_then(|request| Request::decode(request).ok());
    match (request, turn) {
        (Some(Request::Get { location, wanted }), 0) => {
            let blocks = LIBRARY
                .extents
                .get(&location)
                .map_or(&[][..], Vec::as_slice);
            let numbered = (0u8..).zip(blocks);
            let had: Vec<_> = numbered.filter(|(n, _)| wanted & (1 << n) != 0).collect();
            let mask = had.iter().fold(0, |mask, (n, _)| mask | 1u32 << n);
            let reply = if mask == 0 {
                Reply::Nothing
            } else {
                Reply::Have(mask)
            };
            frame(&second(&reply.encode()), &mut out);
            for (n, block) in had {
                frame(&sealed(&encode_chunk(n, block)), &mut out);
            }
        }
        (Some(Request::Put(put)), 0) => {
            let all = ((1u64 << put.references.len()) - 1) as u32;
            frame(&second(&Reply::Send(all).encode()), &mut out);
        }
        (Some(Request::Put(_)), 1) => frame(&sealed(&receipt(true, today).encode()), &mut out),
        (Some(Request::PutEntry(_)), 0) => {
            frame(&second(&receipt(true, today).encode()), &mut out);
        }
        (Some(Request::Query { location, .. }), 0) => {
            let entry = LIBRARY.entries.get(&location);
            let reply = entry.map_or(Reply::Nothing, |entry| {
                Reply::Entries(vec![entry.clone()], None)
            });
            frame(&second(&reply.encode()), &mut out);
        }
        (Some(Request::Tally(locations)), 0) => {
            let reply = Reply::Tallies(vec![0; locations.len()]);
            frame(&second(&reply.encode()), &mut out);
        }
        (Some(Request::Names(_)), 0) => {
            frame(&second(&Reply::Names(vec![]).encode()), &mut out);
        }
        _ => {}
    }
    out
}

/// Checks what the node said on a stream that a stranger opened, as far as it is whole: replies and chunks, nothing else.
pub(super) fn check_served(mut said: &[u8]) {
    let mut is_first = true;
    while let Some((length, rest)) = said.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((message, rest)) = rest.split_at_checked(length) else {
            return;
        };
        let plain = if is_first {
            opened(message, 48).expect("message 2")
        } else {
            &message[..length - 16]
        };
        assert!(Reply::decode(plain).is_ok() || decode_chunk(plain).is_ok());
        (said, is_first) = (rest, false);
    }
}
