//! Slot headers: 256 bytes that say what a slot holds, sealed.
//!
//! Promises: everything needed to find a chunk or entry again without the database is in its header, and so is the one
//! key of its body, which lies nowhere else: without the header the body cannot be read by anybody.
//!
//! Does not know: files. A slot's number and class are given.

use oboro_crypto::{Location, Reference, Secret};
use zeroize::Zeroizing;

use crate::codec::{Reader, Writer};
use crate::error::CacheError;
use crate::limits::{ENTRY_LEN_MAX, EXTENT_CHUNKS_MAX};
use crate::sealing::{Place, SEAL_OVERHEAD, Sealing, TAG_LEN};

/// Bytes of a sealed header.
pub(crate) const HEADER_LEN: usize = 256;

const PLAIN_LEN: usize = HEADER_LEN - SEAL_OVERHEAD;

/// What a slot says of itself.
pub(crate) struct Header {
    /// What it holds.
    pub(crate) content: Content,
    /// Of two slots that hold the same, the higher stamp is newer.
    pub(crate) stamp: u64,
    /// Seals the body, and nothing else ever.
    pub(crate) key: Secret<32>,
    /// Authenticates the body.
    pub(crate) tag: [u8; TAG_LEN],
}

/// What a slot holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    /// A chunk of an extent.
    Chunk(ChunkName),
    /// An entry.
    Entry(EntryName),
}

/// Everything about a chunk but its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ChunkName {
    pub(crate) location: Location,
    /// Which placement of the extent.
    pub(crate) placement: u8,
    /// Which chunk of the extent.
    pub(crate) index: u8,
    /// Chunks in the extent.
    pub(crate) count: u8,
    /// The day the extent was put.
    pub(crate) day: u32,
    /// Leading bits of the extent's distance.
    pub(crate) distance: u64,
    pub(crate) reference: Reference,
    /// The reference of the next chunk (of the first, for the last): with one header lost, the list is still whole.
    pub(crate) next: Reference,
}

/// Everything about an entry but its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EntryName {
    pub(crate) location: Location,
    pub(crate) expires_day: u32,
    pub(crate) work: u8,
    /// Bytes of the entry; the rest of the body is padding.
    pub(crate) len: u16,
}

impl Header {
    /// Seals the header for slot number `slot` of class `class`.
    pub(crate) fn seal(
        &self,
        sealing: &Sealing,
        class: u8,
        slot: u32,
    ) -> Result<Vec<u8>, CacheError> {
        let mut plain = self.encode();
        plain.resize(PLAIN_LEN, 0);
        sealing.seal(Place::Header(class, slot), &plain)
    }

    /// Opens a header; `None` if it was not sealed for this slot, or is damaged.
    pub(crate) fn open(sealing: &Sealing, class: u8, slot: u32, sealed: &[u8]) -> Option<Self> {
        if sealed.len() != HEADER_LEN {
            return None;
        }
        let plain = sealing.open(Place::Header(class, slot), sealed)?;
        Self::decode(&plain)
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        // room for the padding too: growing would leave a copy of the key behind
        let mut out = Writer::with_capacity(PLAIN_LEN);
        match &self.content {
            Content::Chunk(name) => {
                out.u8(CHUNK)
                    .u8(name.placement)
                    .u8(name.index)
                    .u8(name.count);
                out.u32(name.day).u64(name.distance);
                out.bytes(&name.location.0);
                out.bytes(&name.reference.0).bytes(&name.next.0);
            }
            Content::Entry(name) => {
                out.u8(ENTRY).u8(name.work).u16(name.len);
                out.u32(name.expires_day).bytes(&name.location.0);
            }
        }
        out.u64(self.stamp)
            .bytes(self.key.expose())
            .bytes(&self.tag);
        Zeroizing::new(out.finish())
    }

    fn decode(plain: &[u8]) -> Option<Self> {
        let mut from = Reader::new(plain);
        let content = match from.u8()? {
            CHUNK => Content::Chunk(chunk_name(&mut from)?),
            ENTRY => Content::Entry(entry_name(&mut from)?),
            _ => return None,
        };
        let header = Self {
            content,
            stamp: from.u64()?,
            key: Secret::from_bytes(from.array()?),
            tag: from.array()?,
        };
        from.rest().iter().all(|&byte| byte == 0).then_some(header)
    }
}

const CHUNK: u8 = 1;
const ENTRY: u8 = 2;

fn chunk_name(from: &mut Reader<'_>) -> Option<ChunkName> {
    let (placement, index, count) = (from.u8()?, from.u8()?, from.u8()?);
    let name = ChunkName {
        placement,
        index,
        count,
        day: from.u32()?,
        distance: from.u64()?,
        location: Location(from.array()?),
        reference: Reference(from.array()?),
        next: Reference(from.array()?),
    };
    (index < count && usize::from(count) <= EXTENT_CHUNKS_MAX).then_some(name)
}

fn entry_name(from: &mut Reader<'_>) -> Option<EntryName> {
    let (work, len) = (from.u8()?, from.u16()?);
    let name = EntryName {
        work,
        len,
        expires_day: from.u32()?,
        location: Location(from.array()?),
    };
    (usize::from(len) <= ENTRY_LEN_MAX).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealing() -> Sealing {
        Sealing::new(&Secret::from_bytes([1; 32]))
    }

    fn header(content: Content) -> Header {
        Header {
            content,
            stamp: 0x0102_0304_0506_0708,
            key: Secret::from_bytes([0xAA; 32]),
            tag: [0xBB; 16],
        }
    }

    fn chunk() -> Content {
        Content::Chunk(ChunkName {
            location: Location([1; 32]),
            placement: 2,
            index: 3,
            count: 4,
            day: 5,
            distance: 6,
            reference: Reference([7; 32]),
            next: Reference([8; 32]),
        })
    }

    fn entry() -> Content {
        Content::Entry(EntryName {
            location: Location([1; 32]),
            expires_day: 2,
            work: 3,
            len: 1280,
        })
    }

    #[test]
    fn headers_have_fixed_bytes() {
        let tail = [&[1, 2, 3, 4, 5, 6, 7, 8][..], &[0xAA; 32], &[0xBB; 16]].concat();
        let chunk_bytes = [
            &[1, 2, 3, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6][..],
            &[1; 32],
            &[7; 32],
            &[8; 32],
            &tail,
        ]
        .concat();
        let entry_bytes = [&[2, 3, 5, 0, 0, 0, 0, 2][..], &[1; 32], &tail].concat();
        assert_eq!(*header(chunk()).encode(), chunk_bytes);
        assert_eq!(*header(entry()).encode(), entry_bytes);
        assert!(chunk_bytes.len() <= PLAIN_LEN);
    }

    #[test]
    fn an_empty_slot_is_no_header() {
        assert!(Header::open(&sealing(), 1, 0, &[0; HEADER_LEN]).is_none());
    }

    #[test]
    fn an_index_beyond_the_count_is_refused() {
        let Content::Chunk(name) = chunk() else {
            unreachable!("chunk() makes a chunk")
        };
        for (index, count) in [(4, 4), (0, 33), (0, 0)] {
            let bad = Content::Chunk(ChunkName {
                index,
                count,
                ..name
            });
            assert!(Header::decode(&header(bad).encode()).is_none());
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_the_same(is_chunk: bool, stamp: u64, key: [u8; 32], tag: [u8; 16], slot: u32) {
            let content = if is_chunk { chunk() } else { entry() };
            let put = Header { content, stamp, key: Secret::from_bytes(key), tag };
            let sealed = put.seal(&sealing(), 1, slot).expect("sealed");
            prop_assert_eq!(sealed.len(), HEADER_LEN);
            let got = Header::open(&sealing(), 1, slot, &sealed).expect("opens");
            prop_assert_eq!(got.content, content);
            prop_assert_eq!((got.stamp, got.tag), (stamp, tag));
            prop_assert!(got.key.matches(&put.key));
            prop_assert!(Header::open(&sealing(), 1, slot ^ 1, &sealed).is_none());
        }

        #[test]
        fn any_plaintext_decodes_or_is_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..260), kind in 0u8..4) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() { *first = kind; }
            if let Some(header) = Header::decode(&bytes) {
                let mut again = header.encode();
                again.resize(bytes.len(), 0);
                prop_assert_eq!(&*again, &bytes);
            }
        }

        #[test]
        fn a_changed_or_shortened_header_does_not_open(at in 0..HEADER_LEN, bit in 0u8..8) {
            let mut sealed = header(chunk()).seal(&sealing(), 1, 9).expect("sealed");
            prop_assert!(Header::open(&sealing(), 1, 9, &sealed[..at]).is_none());
            sealed[at] ^= 1 << bit;
            prop_assert!(Header::open(&sealing(), 1, 9, &sealed).is_none());
        }
    }
}
