//! Messages inside a session between a client and a storer. The first one rides in the handshake.
//!
//! A session is a stream of Noise messages, each with its length in front (`u16`). Plaintexts:
//!
//! | kind | name | from | body |
//! |---|---|---|---|
//! | 1 | get | client | location 32, wanted `u32` (bit n: chunk n) |
//! | 2 | put | client | placement `u8`, day `u32`, work `u64`, count `u8` (1 to 32), references 32 each |
//! | 3 | put entry | client | a sealed entry, encoded |
//! | 4 | query | client | location 32, whether a cursor follows `u8`, cursor 16, at most `u8` (1 to 32) |
//! | 16 | chunk | either | index `u8`, 32,768 bytes |
//! | 32 | have | storer | to a get: which of the wanted follow `u32` |
//! | 33 | send | storer | to a put: which are wanted `u32` |
//! | 34 | receipt | storer | expiry day `u32`, signature 64 |
//! | 35 | entries | storer | count `u8` (0 to 32), each length `u16` and bytes; whether more `u8`, cursor 16 |
//! | 36 | refused | storer | cause `u8`, price `u8` |
//! | 37 | none | storer | nothing is there |

use oboro_crypto::entry::SealedEntry;
use oboro_crypto::eris::BlockSize;
use oboro_crypto::ids::{Location, Reference, Signature};

use super::codec::{Reader, WireError, put_count8, put_count16};

/// Chunks of an extent at the most.
pub const EXTENT_CHUNKS_MAX: usize = 32;
/// Bytes of a chunk.
pub const CHUNK: usize = BlockSize::Large.bytes();
/// A chunk as a message: kind and index before the body.
pub const CHUNK_MESSAGE: usize = CHUNK + 2;
/// Entries in one answer: what fits a Noise message.
pub const ENTRIES_MAX: usize = 32;
/// Where a page of entries ended.
pub type Cursor = [u8; 16];

/// What a client asks in the first message of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Chunks of an extent.
    Get {
        /// Where it is.
        location: Location,
        /// Which chunks (bit n: chunk n).
        wanted: u32,
    },
    /// To keep an extent.
    Put(Put),
    /// To keep an entry, encoded.
    PutEntry(Vec<u8>),
    /// Entries at a location.
    Query {
        /// Where.
        location: Location,
        /// After which cursor.
        after: Option<Cursor>,
        /// How many at the most, 1 to [`ENTRIES_MAX`].
        max: u8,
    },
}

/// A wish to place an extent. The location follows from the references and the placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Which placement.
    pub index: u8,
    /// The day the work is bound to.
    pub day: u32,
    /// The work.
    pub work: u64,
    /// The extent's references in order, 1 to 32.
    pub references: Vec<Reference>,
}

/// What a storer answers first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// These of the wanted chunks follow, in order.
    Have(u32),
    /// Send these chunks, in order.
    Send(u32),
    /// It is durable.
    Receipt(Receipt),
    /// A page of entries, encoded, and where it goes on.
    Entries(Vec<Vec<u8>>, Option<Cursor>),
    /// It will not.
    Refused(Refusal, u8),
    /// Nothing is there.
    Nothing,
}

/// A storer's promise, signed with its identity key over network, location, content and expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The day until which it means to keep it.
    pub until_day: u32,
    /// The signature.
    pub signature: Signature,
}

/// Why a storer will not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Too busy now.
    Busy,
    /// There is no room.
    Full,
    /// The work is below its price; the price is named.
    Price,
    /// It is not among the nodes nearest to the location.
    NotMine,
    /// Its operator does not want to carry it.
    Policy,
    /// The request makes no sense to it.
    Invalid,
}

impl Refusal {
    const ALL: [Self; 6] = [
        Self::Busy,
        Self::Full,
        Self::Price,
        Self::NotMine,
        Self::Policy,
        Self::Invalid,
    ];

    /// A name for counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Full => "full",
            Self::Price => "price",
            Self::NotMine => "not_mine",
            Self::Policy => "policy",
            Self::Invalid => "invalid",
        }
    }
}

impl Request {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Get { location, wanted } => {
                out.push(1);
                out.extend_from_slice(location.as_bytes());
                out.extend_from_slice(&wanted.to_be_bytes());
            }
            Self::Put(put) => {
                out.extend_from_slice(&[2, put.index]);
                out.extend_from_slice(&put.day.to_be_bytes());
                out.extend_from_slice(&put.work.to_be_bytes());
                put_count8(&mut out, put.references.len());
                put.references
                    .iter()
                    .for_each(|reference| out.extend_from_slice(reference.as_bytes()));
            }
            Self::PutEntry(entry) => {
                out.push(3);
                out.extend_from_slice(entry);
            }
            Self::Query {
                location,
                after,
                max,
            } => {
                out.push(4);
                out.extend_from_slice(location.as_bytes());
                put_cursor(&mut out, *after);
                out.push(*max);
            }
        }
        out
    }

    /// Reads one.
    ///
    /// # Errors
    /// Any [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let request = match reader.u8()? {
            1 => {
                let (location, wanted) = (Location(reader.array()?), reader.u32()?);
                if wanted == 0 {
                    return Err(WireError::Invalid);
                }
                Self::Get { location, wanted }
            }
            2 => Self::Put(read_put(&mut reader)?),
            3 => Self::PutEntry(reader.bytes(SealedEntry::ENCODED_LEN)?.to_vec()),
            4 => {
                let (location, after, max) = (
                    Location(reader.array()?),
                    read_cursor(&mut reader)?,
                    reader.u8()?,
                );
                if max == 0 || usize::from(max) > ENTRIES_MAX {
                    return Err(WireError::Invalid);
                }
                Self::Query {
                    location,
                    after,
                    max,
                }
            }
            _ => return Err(WireError::Unknown),
        };
        reader.end()?;
        Ok(request)
    }
}

impl Reply {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Have(mask) => put_mask(&mut out, 32, *mask),
            Self::Send(mask) => put_mask(&mut out, 33, *mask),
            Self::Receipt(receipt) => {
                put_mask(&mut out, 34, receipt.until_day);
                out.extend_from_slice(&receipt.signature.0);
            }
            Self::Entries(entries, more) => {
                out.push(35);
                put_count8(&mut out, entries.len());
                for entry in entries {
                    put_count16(&mut out, entry.len());
                    out.extend_from_slice(entry);
                }
                put_cursor(&mut out, *more);
            }
            Self::Refused(cause, price) => out.extend_from_slice(&[36, *cause as u8, *price]),
            Self::Nothing => out.push(37),
        }
        out
    }

    /// Reads one.
    ///
    /// # Errors
    /// Any [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let reply = match reader.u8()? {
            32 => Self::Have(read_mask(&mut reader)?),
            33 => Self::Send(read_mask(&mut reader)?),
            34 => Self::Receipt(Receipt {
                until_day: reader.u32()?,
                signature: Signature(reader.array()?),
            }),
            35 => {
                let count = reader.count8(ENTRIES_MAX)?;
                let entries = (0..count)
                    .map(|_| read_entry(&mut reader))
                    .collect::<Result<_, _>>()?;
                Self::Entries(entries, read_cursor(&mut reader)?)
            }
            36 => {
                let cause = Refusal::ALL
                    .get(usize::from(reader.u8()?))
                    .ok_or(WireError::Unknown)?;
                Self::Refused(*cause, reader.u8()?)
            }
            37 => Self::Nothing,
            _ => return Err(WireError::Unknown),
        };
        reader.end()?;
        Ok(reply)
    }
}

/// Writes a chunk message in front of which nothing else is needed.
#[must_use]
pub fn encode_chunk(index: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(CHUNK_MESSAGE);
    out.extend_from_slice(&[16, index]);
    out.extend_from_slice(body);
    out
}

/// Reads a chunk message: its index below 32 and its body.
///
/// # Errors
/// Any [`WireError`].
pub fn decode_chunk(bytes: &[u8]) -> Result<(u8, &[u8]), WireError> {
    let mut reader = Reader::new(bytes);
    if reader.u8()? != 16 {
        return Err(WireError::Unknown);
    }
    let index = reader.u8()?;
    if usize::from(index) >= EXTENT_CHUNKS_MAX {
        return Err(WireError::Invalid);
    }
    let body = reader.bytes(CHUNK)?;
    reader.end()?;
    Ok((index, body))
}

fn put_mask(out: &mut Vec<u8>, kind: u8, mask: u32) {
    out.push(kind);
    out.extend_from_slice(&mask.to_be_bytes());
}

fn put_cursor(out: &mut Vec<u8>, cursor: Option<Cursor>) {
    out.push(u8::from(cursor.is_some()));
    out.extend_from_slice(&cursor.unwrap_or_default());
}

fn read_mask(reader: &mut Reader<'_>) -> Result<u32, WireError> {
    match reader.u32()? {
        0 => Err(WireError::Invalid),
        mask => Ok(mask),
    }
}

fn read_cursor(reader: &mut Reader<'_>) -> Result<Option<Cursor>, WireError> {
    let (present, cursor) = (reader.u8()?, reader.array::<16>()?);
    match present {
        0 if cursor == [0; 16] => Ok(None),
        1 => Ok(Some(cursor)),
        _ => Err(WireError::Invalid),
    }
}

fn read_entry(reader: &mut Reader<'_>) -> Result<Vec<u8>, WireError> {
    let length = reader.count16(SealedEntry::ENCODED_LEN)?;
    Ok(reader.bytes(length)?.to_vec())
}

fn read_put(reader: &mut Reader<'_>) -> Result<Put, WireError> {
    let (index, day, work) = (reader.u8()?, reader.u32()?, reader.u64()?);
    let count = reader.count8(EXTENT_CHUNKS_MAX)?;
    if count == 0 {
        return Err(WireError::Invalid);
    }
    let references = (0..count)
        .map(|_| Ok(Reference(reader.array()?)))
        .collect::<Result<_, _>>()?;
    Ok(Put {
        index,
        day,
        work,
        references,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_request() -> impl Strategy<Value = Request> {
        prop_oneof![
            (any::<[u8; 32]>(), 1u32..).prop_map(|(at, wanted)| Request::Get {
                location: Location(at),
                wanted
            }),
            (
                any::<u8>(),
                any::<u32>(),
                any::<u64>(),
                proptest::collection::vec(any::<[u8; 32]>(), 1..=32)
            )
                .prop_map(|(index, day, work, references)| Request::Put(Put {
                    index,
                    day,
                    work,
                    references: references.into_iter().map(Reference).collect(),
                })),
            any::<u8>().prop_map(|fill| Request::PutEntry(vec![fill; SealedEntry::ENCODED_LEN])),
            (
                any::<[u8; 32]>(),
                proptest::option::of(any::<[u8; 16]>()),
                1u8..=32
            )
                .prop_map(|(at, after, max)| Request::Query {
                    location: Location(at),
                    after,
                    max
                }),
        ]
    }

    fn any_reply() -> impl Strategy<Value = Reply> {
        prop_oneof![
            (1u32..).prop_map(Reply::Have),
            (1u32..).prop_map(Reply::Send),
            (any::<u32>(), any::<u8>()).prop_map(|(until_day, fill)| Reply::Receipt(Receipt {
                until_day,
                signature: Signature([fill; 64])
            })),
            (
                proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..=32),
                any::<Option<[u8; 16]>>()
            )
                .prop_map(|(entries, more)| Reply::Entries(entries, more)),
            (0usize..6, any::<u8>())
                .prop_map(|(cause, price)| Reply::Refused(Refusal::ALL[cause], price)),
            Just(Reply::Nothing),
        ]
    }

    #[test]
    fn messages_have_these_bytes() {
        let get = Request::Get {
            location: Location([7; 32]),
            wanted: 3,
        };
        assert_eq!(get.encode(), [&[1][..], &[7; 32], &[0, 0, 0, 3]].concat());
        assert_eq!(Reply::Refused(Refusal::Price, 12).encode(), [36, 2, 12]);
        assert_eq!(Reply::Nothing.encode(), [37]);
    }

    #[test]
    fn every_refusal_reads_back_as_itself() {
        for cause in Refusal::ALL {
            assert_eq!(
                Reply::decode(&Reply::Refused(cause, 1).encode()),
                Ok(Reply::Refused(cause, 1))
            );
        }
    }

    #[test]
    fn a_chunk_reads_back_and_nothing_shorter_does() {
        let bytes = encode_chunk(31, &[5; CHUNK]);
        assert_eq!(bytes.len(), CHUNK_MESSAGE);
        assert_eq!(decode_chunk(&bytes), Ok((31, &[5u8; CHUNK][..])));
        assert_eq!(decode_chunk(&bytes[..CHUNK]), Err(WireError::Truncated));
        assert_eq!(
            decode_chunk(&encode_chunk(32, &[5; CHUNK])),
            Err(WireError::Invalid)
        );
    }

    proptest! {
        #[test]
        fn requests_round_trip_and_end_exactly(request in any_request(), cut in any::<prop::sample::Index>()) {
            let mut bytes = request.encode();
            prop_assert!(Request::decode(&bytes[..cut.index(bytes.len())]).is_err());
            prop_assert_eq!(Request::decode(&bytes), Ok(request));
            bytes.push(0);
            prop_assert!(Request::decode(&bytes).is_err());
        }

        #[test]
        fn replies_round_trip_and_end_exactly(reply in any_reply(), cut in any::<prop::sample::Index>()) {
            let mut bytes = reply.encode();
            prop_assert!(Reply::decode(&bytes[..cut.index(bytes.len())]).is_err());
            prop_assert_eq!(Reply::decode(&bytes), Ok(reply));
            bytes.push(0);
            prop_assert!(Reply::decode(&bytes).is_err());
        }

        #[test]
        fn damaged_messages_never_panic_and_are_canonical(
            request in any_request(), reply in any_reply(), at in any::<prop::sample::Index>(), to in any::<u8>()
        ) {
            let mut bytes = request.encode();
            let place = at.index(bytes.len());
            bytes[place] = to;
            if let Ok(read) = Request::decode(&bytes) {
                prop_assert_eq!(read.encode(), bytes);
            }
            let mut bytes = reply.encode();
            let place = at.index(bytes.len());
            bytes[place] = to;
            if let Ok(read) = Reply::decode(&bytes) {
                prop_assert_eq!(read.encode(), bytes);
            }
        }
    }
}
