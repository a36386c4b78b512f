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
//! | 5 | tally | storer that asks | count `u8` (1 to 64), locations 32 each |
//! | 6 | names of | storer that asks | location 32 |
//! | 16 | chunk | either | index `u8`, 32,768 bytes |
//! | 32 | have | storer | to a get: which of the wanted follow `u32` |
//! | 33 | send | storer | to a put: which are wanted `u32` |
//! | 34 | receipt | storer | expiry day `u32`, signature 64 |
//! | 35 | entries | storer | count `u8` (0 to 32), each length `u16` and bytes; whether more `u8`, cursor 16 |
//! | 36 | refused | storer | cause `u8`, price `u8` |
//! | 37 | none | storer | nothing is there |
//! | 38 | tallies | storer | count `u8` (1 to 64), `u64` each |
//! | 39 | names | storer | count `u16` (0 to 512), `u64` each, ascending |

use oboro_crypto::entry::SealedEntry;
use oboro_crypto::eris::BlockSize;
use oboro_crypto::ids::{Location, Reference, Signature};

use super::codec::{Reader, WireError, put_count8, put_count16};
use super::placement::Placement;

/// Chunks of an extent at the most.
pub const EXTENT_CHUNKS_MAX: usize = 32;
/// Bytes of a chunk.
pub const CHUNK: usize = BlockSize::Large.bytes();
/// A chunk as a message: kind and index before the body.
pub const CHUNK_MESSAGE: usize = CHUNK + 2;
/// Entries in one answer: what fits a Noise message.
pub const ENTRIES_MAX: usize = 32;
/// Locations in one request for tallies: 2 KiB, and as much work for a store as a few pages of entries.
pub const TALLIES_MAX: usize = 64;
/// Names in one answer: as many entries as a location has at the most.
pub const NAMES_MAX: usize = 512;
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
    /// One number for what is kept at each of these locations, 1 to [`TALLIES_MAX`].
    Tally(Vec<Location>),
    /// Short names of all entries at a location.
    Names(Location),
}

/// A wish to place an extent. The location follows from the references and the placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Which placement.
    pub placement: Placement,
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
    /// What is kept at each location asked about, in that order: 0 for nothing, of an extent which chunks, of entries how
    /// many (upper 16 bits) and the sum of their names (lower 48).
    Tallies(Vec<u64>),
    /// Names of entries, ascending: the first 8 bytes of what a receipt for each names.
    Names(Vec<u64>),
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
                out.extend_from_slice(&[2, put.placement.byte()]);
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
            Self::Tally(locations) => {
                out.push(5);
                put_count8(&mut out, locations.len());
                locations
                    .iter()
                    .for_each(|location| out.extend_from_slice(location.as_bytes()));
            }
            Self::Names(location) => {
                out.push(6);
                out.extend_from_slice(location.as_bytes());
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
            5 => {
                let count = some(reader.count8(TALLIES_MAX)?)?;
                let locations = (0..count).map(|_| Ok(Location(reader.array()?)));
                Self::Tally(locations.collect::<Result<_, _>>()?)
            }
            6 => Self::Names(Location(reader.array()?)),
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
            Self::Tallies(tallies) => {
                out.push(38);
                put_count8(&mut out, tallies.len());
                put_numbers(&mut out, tallies);
            }
            Self::Names(names) => {
                out.push(39);
                put_count16(&mut out, names.len());
                put_numbers(&mut out, names);
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
            38 => {
                let count = some(reader.count8(TALLIES_MAX)?)?;
                Self::Tallies(read_numbers(&mut reader, count)?)
            }
            39 => {
                let count = reader.count16(NAMES_MAX)?;
                let names = read_numbers(&mut reader, count)?;
                if !names.is_sorted_by(|one, next| one < next) {
                    return Err(WireError::Invalid);
                }
                Self::Names(names)
            }
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

fn put_numbers(out: &mut Vec<u8>, numbers: &[u64]) {
    numbers
        .iter()
        .for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
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

/// A count that is not 0.
fn some(count: usize) -> Result<usize, WireError> {
    if count == 0 {
        return Err(WireError::Invalid);
    }
    Ok(count)
}

fn read_numbers(reader: &mut Reader<'_>, count: usize) -> Result<Vec<u64>, WireError> {
    (0..count)
        .map(|_| Ok(u64::from_be_bytes(reader.array()?)))
        .collect()
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
    let (placement, day, work) = (reader.u8()?, reader.u32()?, reader.u64()?);
    let count = some(reader.count8(EXTENT_CHUNKS_MAX)?)?;
    let references = (0..count)
        .map(|_| Ok(Reference(reader.array()?)))
        .collect::<Result<_, _>>()?;
    Ok(Put {
        placement: Placement::from_byte(placement),
        day,
        work,
        references,
    })
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
