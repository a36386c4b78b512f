//! One extent on its way in: collected, verified in fours, handed over whole.

use oboro_crypto::hash::hash;
use oboro_crypto::ids::{ExtentId, Location, Reference};
use oboro_crypto::provider::Provider;
use oboro_crypto::{labels, work};

use crate::ids::LinkId;
use crate::time::Time;
use crate::wire::message::Put;
use crate::wire::placement::Placement;

/// How many chunks are hashed together: what the vector units do at once.
const TOGETHER: usize = 4;

/// An extent's references and its chunks in the same order.
pub(super) type Whole = (Vec<Reference>, Vec<Vec<u8>>);

/// An extent being received.
pub(super) struct Putting {
    pub(super) location: Location,
    pub(super) placement: Placement,
    pub(super) link: LinkId,
    /// When the last chunk came.
    pub(super) moved: Time,
    references: Vec<Reference>,
    chunks: Vec<Vec<u8>>,
    verified: usize,
    whole: bool,
}

impl Putting {
    pub(super) fn new(location: Location, put: Put, link: LinkId, now: Time) -> Self {
        let chunks = Vec::with_capacity(put.references.len());
        Self {
            location,
            placement: put.placement,
            link,
            moved: now,
            references: put.references,
            chunks,
            verified: 0,
            whole: false,
        }
    }

    /// All chunks as a mask.
    pub(super) fn all(&self) -> u32 {
        all_of(self.references.len())
    }

    /// What a receipt names: the extent.
    pub(super) fn digest(&self) -> [u8; 32] {
        ExtentId::of(&self.references).0
    }

    /// Its references in order.
    pub(super) fn references(&self) -> &[Reference] {
        &self.references
    }

    /// Whether all of it is here and was handed over to be kept.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Takes the next chunk, which must be in order. The extent when it is whole and right.
    pub(super) fn received(
        &mut self,
        index: u8,
        body: Vec<u8>,
        provider: &dyn Provider,
        now: Time,
    ) -> Result<Option<Whole>, &'static str> {
        if self.whole || usize::from(index) != self.chunks.len() {
            return Err("chunk_order");
        }
        self.moved = now;
        self.chunks.push(body);
        self.whole = self.chunks.len() == self.references.len();
        if self.whole || self.chunks.len() - self.verified >= TOGETHER {
            let range = self.verified..self.chunks.len();
            let bodies: Vec<&[u8]> = self.chunks[range.clone()]
                .iter()
                .map(Vec::as_slice)
                .collect();
            if provider
                .chunk_matches(&self.references[range], &bodies)
                .contains(&false)
            {
                return Err("chunk_wrong");
            }
            self.verified = self.chunks.len();
        }
        let whole = self.whole;
        Ok(whole.then(|| (self.references.clone(), std::mem::take(&mut self.chunks))))
    }
}

/// The mask of this many chunks.
pub(crate) fn all_of(count: usize) -> u32 {
    if count >= 32 {
        u32::MAX
    } else {
        (1 << count) - 1
    }
}

/// What the work of a put is bound to.
fn work_context(location: &Location, day: u32, references: &[Reference]) -> [u8; 32] {
    let extent = ExtentId::of(references);
    work::context(
        labels::WORK_PUT,
        location,
        day,
        &hash(labels::WORK_PUT, &[extent.as_bytes()]),
    )
}

/// A put with work done for it that is worth so many bits.
pub(crate) fn paid(
    location: &Location,
    placement: Placement,
    day: u32,
    references: Vec<Reference>,
    price: u8,
) -> Put {
    let context = work_context(location, day, &references);
    Put {
        placement,
        day,
        work: work::solve(&context, price, 0),
        references,
    }
}

/// Whether a put carries enough work.
pub(super) fn is_paid(location: &Location, put: &Put, price: u8) -> bool {
    work::bits(&work_context(location, put.day, &put.references), put.work) >= price
}
