//! Reading fields of known size one after the other.
//!
//! Promises: never reads beyond the end; says so instead.
//! Does not know: what the fields mean.

/// What is left to read.
pub(super) struct Reader<'a>(&'a [u8]);

/// The bytes ended before the field did.
pub(super) struct Ended;

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Ended> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(Ended)?;
        self.0 = rest;
        Ok(*field)
    }

    pub(super) fn slice(&mut self, len: usize) -> Result<&'a [u8], Ended> {
        let (field, rest) = self.0.split_at_checked(len).ok_or(Ended)?;
        self.0 = rest;
        Ok(field)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Ended> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Ended> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Ended> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Ended> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) const fn rest(self) -> &'a [u8] {
        self.0
    }
}
