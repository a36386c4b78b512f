//! A cursor over hostile bytes and its counterpart. Knows nothing of what is read.

/// Why bytes were refused. Towards the peer all of these look alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end too early.
    #[error("truncated")]
    Truncated,
    /// Something follows the end.
    #[error("trailing bytes")]
    Trailing,
    /// A count or length exceeds its bound.
    #[error("too long")]
    TooLong,
    /// A kind, version or flag that is not defined.
    #[error("unknown kind")]
    Unknown,
    /// A value that is not the canonical form, or makes no sense.
    #[error("invalid value")]
    Invalid,
}

/// Reads from the front.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A count of at most `max`, one byte.
    pub(crate) fn count8(&mut self, max: usize) -> Result<usize, WireError> {
        let count = usize::from(self.u8()?);
        if count > max {
            Err(WireError::TooLong)
        } else {
            Ok(count)
        }
    }

    /// A count of at most `max`, two bytes.
    pub(crate) fn count16(&mut self, max: usize) -> Result<usize, WireError> {
        let count = usize::from(self.u16()?);
        if count > max {
            Err(WireError::TooLong)
        } else {
            Ok(count)
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Everything must have been read.
    pub(crate) const fn end(self) -> Result<(), WireError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(WireError::Trailing)
        }
    }
}

/// Appends a one-byte count. Counts are bounded where the lists are made.
pub(crate) fn put_count8(out: &mut Vec<u8>, count: usize) {
    debug_assert!(
        count <= usize::from(u8::MAX),
        "a list longer than its count"
    );
    out.push(u8::try_from(count).unwrap_or(u8::MAX));
}

/// Appends a two-byte count. Counts are bounded where the lists are made.
pub(crate) fn put_count16(out: &mut Vec<u8>, count: usize) {
    debug_assert!(
        count <= usize::from(u16::MAX),
        "a list longer than its count"
    );
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_stops_at_the_end_and_says_so() {
        let mut reader = Reader::new(&[1, 0, 2]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(2));
        assert_eq!(reader.u8(), Err(WireError::Truncated));
        assert_eq!(reader.end(), Ok(()));
        assert_eq!(Reader::new(&[0]).end(), Err(WireError::Trailing));
    }

    #[test]
    fn a_count_beyond_its_bound_is_refused_before_anything_is_read() {
        assert_eq!(Reader::new(&[9]).count8(8), Err(WireError::TooLong));
        assert_eq!(
            Reader::new(&[0xff, 0xff]).count16(100),
            Err(WireError::TooLong)
        );
    }
}
