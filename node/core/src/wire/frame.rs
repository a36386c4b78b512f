//! Frames: what the inside of a record is made of.
//!
//! A record's plaintext is a run of frames, then zeros to its end. A frame never crosses a record.
//!
//! | kind | name | body |
//! |---|---|---|
//! | 0 | padding | all remaining bytes, zero |
//! | 1 | control | length `u16`, a control message |
//! | 2 | open | stream `u32` |
//! | 3 | data | stream `u32`, length `u16` (1 to 4,169), bytes |
//! | 4 | credit | stream `u32`, bytes `u32` (not 0) |
//! | 5 | close | stream `u32`, reason `u8` |
//! | 6 | create | circuit `u32`, 396 bytes |
//! | 7 | created | circuit `u32`, 144 bytes |
//! | 8 | cell | circuit `u32`, 4,171 bytes: all of a record |
//! | 9 | destroy | circuit `u32` |
//!
//! What is inside creates, createds and cells is not for a link to know: see [`super::cell`].

use oboro_crypto::circuit::{CELL_LEN, CREATE_LEN, CREATED_LEN};
use oboro_crypto::record::RECORD_PLAIN;

use super::codec::{Reader, WireError, put_count16};

/// Bytes before the data of a data frame: kind, stream, length.
pub const DATA_HEADER: usize = 7;
/// Bytes of a close frame: kind, stream, reason.
pub const CLOSE_LEN: usize = 6;
/// The most a data frame carries: all of a record.
pub const DATA_MAX: usize = RECORD_PLAIN - DATA_HEADER;
/// The longest control message: it shares a record with nothing else then.
pub const CONTROL_MAX: usize = RECORD_PLAIN - 3;

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Everything has been said.
    Done,
    /// The other side broke the protocol or the session.
    Failed,
    /// No room for one more stream.
    Busy,
}

impl CloseReason {
    pub(super) const fn to_byte(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Busy => 2,
        }
    }

    pub(super) const fn from_byte(byte: u8) -> Result<Self, WireError> {
        match byte {
            0 => Ok(Self::Done),
            1 => Ok(Self::Failed),
            2 => Ok(Self::Busy),
            _ => Err(WireError::Unknown),
        }
    }
}

/// One frame. Bytes are borrowed from the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A control message, not yet parsed.
    Control(&'a [u8]),
    /// A stream begins.
    Open(u32),
    /// Bytes of a stream, in order.
    Data(u32, &'a [u8]),
    /// The other side may send that many bytes more.
    Credit(u32, u32),
    /// A stream ends, both ways at once.
    Close(u32, CloseReason),
    /// A circuit begins: `CREATE_LEN` bytes for whoever reads this.
    Create(u32, &'a [u8]),
    /// It reaches to its end: `CREATED_LEN` bytes.
    Created(u32, &'a [u8]),
    /// One cell of it: `CELL_LEN` bytes.
    Cell(u32, &'a [u8]),
    /// It is over.
    Destroy(u32),
}

impl Frame<'_> {
    /// Its length in a record.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        match self {
            Self::Control(body) => 3 + body.len(),
            Self::Open(_) | Self::Destroy(_) => 5,
            Self::Data(_, data) => DATA_HEADER + data.len(),
            Self::Credit(..) => 9,
            Self::Close(..) => CLOSE_LEN,
            Self::Create(_, body) | Self::Created(_, body) | Self::Cell(_, body) => 5 + body.len(),
        }
    }

    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Control(body) => {
                out.push(1);
                put_count16(out, body.len());
                out.extend_from_slice(body);
            }
            Self::Open(stream) => {
                out.push(2);
                out.extend_from_slice(&stream.to_be_bytes());
            }
            Self::Data(stream, data) => {
                out.push(3);
                out.extend_from_slice(&stream.to_be_bytes());
                put_count16(out, data.len());
                out.extend_from_slice(data);
            }
            Self::Credit(stream, bytes) => {
                out.push(4);
                out.extend_from_slice(&stream.to_be_bytes());
                out.extend_from_slice(&bytes.to_be_bytes());
            }
            Self::Close(stream, reason) => {
                out.push(5);
                out.extend_from_slice(&stream.to_be_bytes());
                out.push(reason.to_byte());
            }
            Self::Create(circuit, body) => put_circuit(6, circuit, body, out),
            Self::Created(circuit, body) => put_circuit(7, circuit, body, out),
            Self::Cell(circuit, body) => put_circuit(8, circuit, body, out),
            Self::Destroy(circuit) => put_circuit(9, circuit, &[], out),
        }
    }
}

fn put_circuit(kind: u8, circuit: u32, body: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&circuit.to_be_bytes());
    out.extend_from_slice(body);
}

/// The frames of one record.
pub struct Frames<'a> {
    reader: Reader<'a>,
}

impl<'a> Frames<'a> {
    /// Over the plaintext of one record.
    #[must_use]
    pub const fn new(record: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(record),
        }
    }

    /// The next frame; `None` at the end of the record.
    ///
    /// # Errors
    /// Any [`WireError`]; the link is then beyond repair.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'a>>, WireError> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let frame = match self.reader.u8()? {
            0 => {
                // By pieces, which are looked at many bytes at once: most records are mostly padding.
                let mut pieces = self.reader.rest().chunks(64);
                if pieces.any(|piece| piece.iter().fold(0, |all, &byte| all | byte) != 0) {
                    return Err(WireError::Invalid);
                }
                self.reader = Reader::new(&[]);
                return Ok(None);
            }
            1 => {
                let length = self.reader.count16(CONTROL_MAX)?;
                Frame::Control(self.reader.bytes(length)?)
            }
            2 => Frame::Open(self.reader.u32()?),
            3 => {
                let stream = self.reader.u32()?;
                let length = self.reader.count16(DATA_MAX)?;
                if length == 0 {
                    return Err(WireError::Invalid);
                }
                Frame::Data(stream, self.reader.bytes(length)?)
            }
            4 => {
                let (stream, bytes) = (self.reader.u32()?, self.reader.u32()?);
                if bytes == 0 {
                    return Err(WireError::Invalid);
                }
                Frame::Credit(stream, bytes)
            }
            5 => Frame::Close(
                self.reader.u32()?,
                CloseReason::from_byte(self.reader.u8()?)?,
            ),
            6 => Frame::Create(self.reader.u32()?, self.reader.bytes(CREATE_LEN)?),
            7 => Frame::Created(self.reader.u32()?, self.reader.bytes(CREATED_LEN)?),
            8 => Frame::Cell(self.reader.u32()?, self.reader.bytes(CELL_LEN)?),
            9 => Frame::Destroy(self.reader.u32()?),
            _ => return Err(WireError::Unknown),
        };
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(record: &[u8]) -> Result<usize, WireError> {
        let mut frames = Frames::new(record);
        let mut count = 0;
        while frames.next_frame()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn frames_have_these_bytes() {
        let mut out = Vec::new();
        Frame::Control(b"hi").write(&mut out);
        Frame::Open(1).write(&mut out);
        Frame::Data(1, &[7]).write(&mut out);
        Frame::Credit(1, 65_536).write(&mut out);
        Frame::Close(1, CloseReason::Busy).write(&mut out);
        assert_eq!(
            out,
            [
                1, 0, 2, b'h', b'i', 2, 0, 0, 0, 1, 3, 0, 0, 0, 1, 0, 1, 7, 4, 0, 0, 0, 1, 0, 1, 0,
                0, 5, 0, 0, 0, 1, 2
            ]
        );
        assert_eq!(read_all(&out), Ok(5));
    }

    #[test]
    fn padding_must_be_zero_and_empty_data_is_refused() {
        assert_eq!(read_all(&[0, 0, 0]), Ok(0));
        assert_eq!(read_all(&[0, 0, 1]), Err(WireError::Invalid));
        assert_eq!(read_all(&[3, 0, 0, 0, 1, 0, 0]), Err(WireError::Invalid));
        assert_eq!(
            read_all(&[4, 0, 0, 0, 1, 0, 0, 0, 0]),
            Err(WireError::Invalid)
        );
    }

    #[test]
    fn a_cell_fills_a_record() {
        let mut out = Vec::new();
        Frame::Cell(7, &[1; CELL_LEN]).write(&mut out);
        assert_eq!(out.len(), RECORD_PLAIN);
        assert_eq!(&out[..6], &[8, 0, 0, 0, 7, 1]);
        let mut frames = Frames::new(&out);
        assert!(
            matches!(frames.next_frame(), Ok(Some(Frame::Cell(7, body))) if body.len() == CELL_LEN)
        );
        assert_eq!(frames.next_frame(), Ok(None));
    }

    fn any_frame() -> impl Strategy<Value = (u8, u32, Vec<u8>, u32)> {
        (
            1u8..=9,
            any::<u32>(),
            proptest::collection::vec(any::<u8>(), CELL_LEN),
            1u32..,
        )
    }

    fn build<'a>((kind, stream, data, bytes): &'a (u8, u32, Vec<u8>, u32)) -> Frame<'a> {
        match kind {
            1 => Frame::Control(&data[..300]),
            2 => Frame::Open(*stream),
            3 => Frame::Data(*stream, &data[..300]),
            4 => Frame::Credit(*stream, *bytes),
            5 => Frame::Close(*stream, CloseReason::Done),
            6 => Frame::Create(*stream, &data[..CREATE_LEN]),
            7 => Frame::Created(*stream, &data[..CREATED_LEN]),
            8 => Frame::Cell(*stream, data),
            _ => Frame::Destroy(*stream),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_has_the_announced_length(spec in any_frame()) {
            let frame = build(&spec);
            let mut out = Vec::new();
            frame.write(&mut out);
            prop_assert_eq!(out.len(), frame.encoded_len());
            out.resize(out.len() + 20, 0);
            let mut frames = Frames::new(&out);
            prop_assert_eq!(frames.next_frame(), Ok(Some(frame)));
            prop_assert_eq!(frames.next_frame(), Ok(None));
        }

        #[test]
        fn damaged_records_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = read_all(&bytes);
        }
    }
}
