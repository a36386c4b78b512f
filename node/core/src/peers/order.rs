//! Listed nodes in the order of ids, and who has which link key.
//!
//! Both orders are 256 sorted runs, one for each first byte, and each place in a run begins with the next bytes of its
//! key: who is looked for is found without looking at any other. Ids and link keys are only claimed, so several may
//! begin alike: all of those are looked at.

use std::ops::Range;

use oboro_crypto::ids::LinkPublic;

use crate::wire::listing::Listing;

const RUNS: usize = 256;

/// A node where it lies in the order of ids.
struct Place {
    /// Bytes 1 to 8 of its id: byte 0 names the run.
    key: u64,
    listing: Listing,
}

/// All nodes, by id.
pub(super) struct Nodes {
    runs: Box<[Vec<Place>; RUNS]>,
    len: usize,
}

impl Default for Nodes {
    fn default() -> Self {
        Self {
            runs: Box::new([const { Vec::new() }; RUNS]),
            len: 0,
        }
    }
}

impl Nodes {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, id: &[u8; 32]) -> Option<&Listing> {
        let run = &self.runs[usize::from(id[0])];
        let place = run.get(find(run, id).ok()?)?;
        Some(&place.listing)
    }

    /// Puts one in, in the place of one with the same id if there is one. That one.
    pub(super) fn insert(&mut self, listing: Listing) -> Option<Listing> {
        let id = listing.id_bytes();
        let run = &mut self.runs[usize::from(id[0])];
        match find(run, id) {
            Ok(at) => run
                .get_mut(at)
                .map(|place| std::mem::replace(&mut place.listing, listing)),
            Err(at) => {
                let key = key(id);
                grow(run);
                run.insert(at, Place { key, listing });
                self.len += 1;
                None
            }
        }
    }

    pub(super) fn remove(&mut self, id: &[u8; 32]) -> Option<Listing> {
        let run = &mut self.runs[usize::from(id[0])];
        let at = find(run, id).ok()?;
        self.len -= 1;
        Some(run.remove(at).listing)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Listing> {
        self.runs.iter().flatten().map(|place| &place.listing)
    }

    /// All whose id begins with a byte.
    pub(super) fn run(&self, first: u8) -> impl DoubleEndedIterator<Item = &Listing> {
        let run = &self.runs[usize::from(first)];
        run.iter().map(|place| &place.listing)
    }

    /// All whose id is neither before the one nor after the other.
    pub(super) fn between(
        &self,
        low: [u8; 32],
        high: [u8; 32],
    ) -> impl DoubleEndedIterator<Item = &Listing> {
        let runs = low[0]..=high[0];
        runs.flat_map(move |first| {
            let run = &self.runs[usize::from(first)];
            let from = match first > low[0] {
                true => 0,
                false => run.partition_point(|place| place.listing.id_bytes() < &low),
            };
            let to = match first < high[0] {
                true => run.len(),
                false => run.partition_point(|place| place.listing.id_bytes() <= &high),
            };
            let some = run.get(from..to).unwrap_or_default();
            some.iter().map(|place| &place.listing)
        })
    }

    /// All whose ids begin with these eight bytes.
    pub(super) fn headed(&self, head: u64) -> impl Iterator<Item = &Listing> {
        let [first, ..] = head.to_be_bytes();
        let run = &self.runs[usize::from(first)];
        let (low, high) = (head << 8, head << 8 | 0xff);
        let from = run.partition_point(|place| place.key < low);
        let rest = run.get(from..).unwrap_or_default().iter();
        rest.take_while(move |place| place.key <= high)
            .map(|place| &place.listing)
    }
}

/// Which nodes have which link key: of both no more than is needed to find the node.
pub(super) struct LinkKeys {
    /// Bytes 1 to 8 of a link key, bytes 0 to 7 of the id.
    runs: Box<[Vec<(u64, u64)>; RUNS]>,
}

impl Default for LinkKeys {
    fn default() -> Self {
        Self {
            runs: Box::new([const { Vec::new() }; RUNS]),
        }
    }
}

impl LinkKeys {
    pub(super) fn insert(&mut self, listing: &Listing) {
        let link = listing.link_bytes();
        let run = &mut self.runs[usize::from(link[0])];
        let entry = (key(link), head(listing.id_bytes()));
        let at = run.partition_point(|other| *other < entry);
        grow(run);
        run.insert(at, entry);
    }

    pub(super) fn remove(&mut self, listing: &Listing) {
        let link = listing.link_bytes();
        let run = &mut self.runs[usize::from(link[0])];
        let entry = (key(link), head(listing.id_bytes()));
        if let Ok(at) = run.binary_search(&entry) {
            run.remove(at);
        }
    }

    /// The node with a link key.
    pub(super) fn of<'n>(&self, nodes: &'n Nodes, link: &LinkPublic) -> Option<&'n Listing> {
        let run = &self.runs[usize::from(link.0[0])];
        let wanted = key(&link.0);
        let from = run.partition_point(|(other, _)| *other < wanted);
        let rest = run.get(from..).unwrap_or_default().iter();
        rest.take_while(|(other, _)| *other == wanted)
            .flat_map(|&(_, head)| nodes.headed(head))
            .find(|listing| listing.link_bytes() == &link.0)
    }
}

/// Where an id is in its run, or would be.
fn find(run: &[Place], id: &[u8; 32]) -> Result<usize, usize> {
    let wanted = key(id);
    let alike = alike(run, wanted);
    let mut at = alike.start;
    for place in run.get(alike).unwrap_or_default() {
        match place.listing.id_bytes().cmp(id) {
            std::cmp::Ordering::Less => at += 1,
            std::cmp::Ordering::Equal => return Ok(at),
            std::cmp::Ordering::Greater => break,
        }
    }
    Err(at)
}

/// The places with this key.
fn alike(run: &[Place], wanted: u64) -> Range<usize> {
    let from = run.partition_point(|place| place.key < wanted);
    let rest = run.get(from..).unwrap_or_default();
    let count = rest.iter().take_while(|place| place.key == wanted).count();
    from..from + count
}

/// Bytes 1 to 8.
fn key(bytes: &[u8; 32]) -> u64 {
    let [_, a, b, c, d, e, f, g, h, ..] = *bytes;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Bytes 0 to 7.
fn head(bytes: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *bytes;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Room for one more, and for a quarter of what there is: twice as much would be paid for by every view.
pub(super) fn grow<T>(run: &mut Vec<T>) {
    if run.len() == run.capacity() {
        run.reserve_exact(run.len() / 4 + 4);
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
