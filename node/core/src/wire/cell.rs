//! What is inside a cell, between a client and the exit of its circuit: frames of streams, then zeros.
//!
//! | kind | name | body | by |
//! |---|---|---|---|
//! | 0 | padding | all remaining bytes, zero | both |
//! | 1 | begin | stream `u32`, node id | client |
//! | 2 | data | stream `u32`, length `u16` (not 0), bytes | both |
//! | 3 | credit | stream `u32`, bytes `u32` (not 0) | both |
//! | 4 | close | stream `u32`, reason `u8` | both |
//! | 5 | window | cells `u32` (not 0) | both |
//! | 6 | probe | `u64` | client |
//! | 7 | echo | `u64` | exit |

use oboro_crypto::circuit::BACKWARD_PAYLOAD;
use oboro_crypto::ids::NodeId;

use super::codec::{Reader, WireError, put_count16};
use super::frame::{CloseReason, DATA_HEADER};

/// The most a data frame carries: all of a backward cell.
pub const CELL_DATA_MAX: usize = BACKWARD_PAYLOAD - DATA_HEADER;

/// One frame in a cell. Bytes are borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellFrame<'a> {
    /// A stream to a node of the view begins.
    Begin(u32, NodeId),
    /// Bytes of a stream, in order.
    Data(u32, &'a [u8]),
    /// The other side may send that many bytes more on a stream.
    Credit(u32, u32),
    /// A stream ends, both ways at once.
    Close(u32, CloseReason),
    /// The other side may send that many cells with data more.
    Window(u32),
    /// Asks for an echo: does the circuit still hold?
    Probe(u64),
    /// It does.
    Echo(u64),
}

impl CellFrame<'_> {
    /// Its length in a cell.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        match self {
            Self::Begin(..) => 37,
            Self::Data(_, data) => DATA_HEADER + data.len(),
            Self::Credit(..) | Self::Probe(_) | Self::Echo(_) => 9,
            Self::Close(..) => 6,
            Self::Window(_) => 5,
        }
    }

    /// Whether only a client sends it.
    #[must_use]
    pub const fn is_clients(&self) -> bool {
        matches!(self, Self::Begin(..) | Self::Probe(_))
    }

    /// Whether a cell with it counts in the window.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        matches!(self, Self::Begin(..) | Self::Data(..))
    }

    /// Whether only an exit sends it.
    #[must_use]
    pub const fn is_exits(&self) -> bool {
        matches!(self, Self::Echo(_))
    }

    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Begin(stream, node) => {
                out.push(1);
                out.extend_from_slice(&stream.to_be_bytes());
                out.extend_from_slice(node.as_bytes());
            }
            Self::Data(stream, data) => {
                out.push(2);
                out.extend_from_slice(&stream.to_be_bytes());
                put_count16(out, data.len());
                out.extend_from_slice(data);
            }
            Self::Credit(stream, bytes) => {
                out.push(3);
                out.extend_from_slice(&stream.to_be_bytes());
                out.extend_from_slice(&bytes.to_be_bytes());
            }
            Self::Close(stream, reason) => {
                out.push(4);
                out.extend_from_slice(&stream.to_be_bytes());
                out.push(reason.to_byte());
            }
            Self::Window(cells) => {
                out.push(5);
                out.extend_from_slice(&cells.to_be_bytes());
            }
            Self::Probe(nonce) => {
                out.push(6);
                out.extend_from_slice(&nonce.to_be_bytes());
            }
            Self::Echo(nonce) => {
                out.push(7);
                out.extend_from_slice(&nonce.to_be_bytes());
            }
        }
    }
}

/// The frames of one cell.
pub struct CellFrames<'a> {
    reader: Reader<'a>,
}

impl<'a> CellFrames<'a> {
    /// Over the payload of one cell.
    #[must_use]
    pub const fn new(payload: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(payload),
        }
    }

    /// The next frame; `None` at the end of the cell.
    ///
    /// # Errors
    /// Any [`WireError`]; the circuit is then beyond repair.
    pub fn next_frame(&mut self) -> Result<Option<CellFrame<'a>>, WireError> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let reader = &mut self.reader;
        let frame = match reader.u8()? {
            0 => {
                if reader.rest().iter().any(|&byte| byte != 0) {
                    return Err(WireError::Invalid);
                }
                *reader = Reader::new(&[]);
                return Ok(None);
            }
            1 => CellFrame::Begin(reader.u32()?, NodeId(reader.array()?)),
            2 => {
                let stream = reader.u32()?;
                let length = reader.count16(CELL_DATA_MAX)?;
                CellFrame::Data(stream, not_empty(reader.bytes(length)?)?)
            }
            3 => CellFrame::Credit(reader.u32()?, not_zero(reader.u32()?)?),
            4 => CellFrame::Close(reader.u32()?, CloseReason::from_byte(reader.u8()?)?),
            5 => CellFrame::Window(not_zero(reader.u32()?)?),
            6 => CellFrame::Probe(reader.u64()?),
            7 => CellFrame::Echo(reader.u64()?),
            _ => return Err(WireError::Unknown),
        };
        Ok(Some(frame))
    }
}

const fn not_zero(number: u32) -> Result<u32, WireError> {
    if number == 0 {
        Err(WireError::Invalid)
    } else {
        Ok(number)
    }
}

const fn not_empty(bytes: &[u8]) -> Result<&[u8], WireError> {
    if bytes.is_empty() {
        Err(WireError::Invalid)
    } else {
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(payload: &[u8]) -> Result<usize, WireError> {
        let mut frames = CellFrames::new(payload);
        let mut count = 0;
        while frames.next_frame()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn frames_of_cells_have_these_bytes() {
        let mut out = Vec::new();
        CellFrame::Begin(1, NodeId([9; 32])).write(&mut out);
        assert_eq!(out[..6], [1, 0, 0, 0, 1, 9]);
        assert_eq!(out.len(), 37);
        out.clear();
        CellFrame::Data(1, &[7]).write(&mut out);
        CellFrame::Credit(1, 65_536).write(&mut out);
        CellFrame::Close(1, CloseReason::Busy).write(&mut out);
        CellFrame::Window(64).write(&mut out);
        CellFrame::Probe(1).write(&mut out);
        CellFrame::Echo(2).write(&mut out);
        assert_eq!(
            out,
            [
                2, 0, 0, 0, 1, 0, 1, 7, 3, 0, 0, 0, 1, 0, 1, 0, 0, 4, 0, 0, 0, 1, 2, 5, 0, 0, 0,
                64, 6, 0, 0, 0, 0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0, 0, 2
            ]
        );
        assert_eq!(read_all(&out), Ok(6));
    }

    #[test]
    fn nothing_and_no_number_are_refused() {
        assert_eq!(read_all(&[0, 0, 1]), Err(WireError::Invalid));
        assert_eq!(read_all(&[2, 0, 0, 0, 1, 0, 0]), Err(WireError::Invalid));
        assert_eq!(read_all(&[5, 0, 0, 0, 0]), Err(WireError::Invalid));
        assert_eq!(read_all(&[8]), Err(WireError::Unknown));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_has_the_announced_length(
            kind in 1u8..=7, stream: u32, data in proptest::collection::vec(any::<u8>(), 1..300), number in 1u32.., node: [u8; 32]
        ) {
            let frame = match kind {
                1 => CellFrame::Begin(stream, NodeId(node)),
                2 => CellFrame::Data(stream, &data),
                3 => CellFrame::Credit(stream, number),
                4 => CellFrame::Close(stream, CloseReason::Failed),
                5 => CellFrame::Window(number),
                6 => CellFrame::Probe(u64::from(number)),
                _ => CellFrame::Echo(u64::from(number)),
            };
            let mut out = Vec::new();
            frame.write(&mut out);
            prop_assert_eq!(out.len(), frame.encoded_len());
            out.resize(out.len() + 20, 0);
            let mut frames = CellFrames::new(&out);
            prop_assert_eq!(frames.next_frame(), Ok(Some(frame)));
            prop_assert_eq!(frames.next_frame(), Ok(None));
        }

        #[test]
        fn damaged_cells_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = read_all(&bytes);
        }
    }
}
