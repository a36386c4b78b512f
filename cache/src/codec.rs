//! Fixed-width big-endian fields, written and read one after the other.
//!
//! Promises: reading never goes past the end and never panics.
//!
//! Does not know: what the fields mean; `header` and `record` do.

/// Appends fields to a buffer.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// An empty buffer that holds `capacity` bytes without moving.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.0.extend_from_slice(value);
        self
    }

    /// The fields written.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes fields off the front of a slice; `None` when it is too short.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// `Some` if nothing is left.
    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_in_order_and_end() {
        let mut out = Writer::with_capacity(0);
        out.u8(1).u16(2).u32(3).u64(4).bytes(b"five");
        let bytes = out.finish();
        let mut from = Reader::new(&bytes);
        assert_eq!(from.u8(), Some(1));
        assert_eq!(from.u16(), Some(2));
        assert_eq!(from.u32(), Some(3));
        assert_eq!(from.u64(), Some(4));
        assert_eq!(from.end(), None);
        assert_eq!(from.rest(), b"five");
        assert_eq!(from.array(), Some(*b"five"));
        assert_eq!(from.end(), Some(()));
        assert_eq!(from.u8(), None);
    }
}
