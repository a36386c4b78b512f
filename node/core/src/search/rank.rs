//! What was found: entries merged by what they lead to, and put in order. Pure; hostile text passes through unread.

use std::collections::{BTreeMap, BTreeSet};

use oboro_crypto::entry::EntryBody;

use crate::limits::HITS_MAX;
use crate::report::Hit;

/// Everything seen that leads to one file.
struct Found {
    best: EntryBody,
    publishers: BTreeSet<[u8; 32]>,
    anonymous: bool,
    spots: BTreeSet<(usize, u8)>,
    terms: BTreeSet<usize>,
}

/// Hits of one search. Beyond its bound new files are dropped.
#[derive(Default)]
pub(super) struct Findings {
    by_capability: BTreeMap<[u8; 66], Found>,
    dropped: u64,
}

impl Findings {
    /// Adds an entry seen for a term at a placement. True if it changes what there is to see.
    pub(super) fn add(&mut self, term: usize, index: u8, body: EntryBody) -> bool {
        let key = body.capability.to_bytes();
        if !self.by_capability.contains_key(&key) && self.by_capability.len() >= HITS_MAX {
            self.dropped += 1;
            return false;
        }
        let publisher = body.publisher.as_ref().map(|(key, _)| key.0);
        let found = self.by_capability.entry(key).or_insert_with(|| Found {
            best: body.clone(),
            publishers: BTreeSet::new(),
            anonymous: false,
            spots: BTreeSet::new(),
            terms: BTreeSet::new(),
        });
        // The youngest entry speaks for all; of equals the one with the smaller text, so that order does not matter.
        if (body.day, &found.best.title) > (found.best.day, &body.title) {
            found.best = body;
        }
        match publisher {
            Some(key) => {
                found.publishers.insert(key);
            }
            None => found.anonymous = true,
        }
        found.terms.insert(term);
        found.spots.insert((term, index))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_capability.is_empty()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Best first: terms matched, then independent publishers, then the day, then how many placements know it.
    pub(super) fn ranked(&self) -> Vec<Hit> {
        let mut hits: Vec<Hit> = self.by_capability.values().map(hit).collect();
        hits.sort_by(|a, b| {
            let key = |hit: &Hit| (hit.terms, hit.publishers, hit.day, hit.replicas);
            key(b).cmp(&key(a)).then_with(|| a.title.cmp(&b.title))
        });
        hits
    }
}

fn hit(found: &Found) -> Hit {
    // All who did not sign count as one: anybody can pretend to be many.
    let publishers = found.publishers.len() + usize::from(found.anonymous);
    Hit {
        title: found.best.title.clone(),
        size: found.best.size,
        kind: found.best.kind,
        capability: found.best.capability.clone(),
        day: found.best.day,
        publishers: u32::try_from(publishers).unwrap_or(u32::MAX),
        replicas: u32::try_from(found.spots.len()).unwrap_or(u32::MAX),
        terms: u32::try_from(found.terms.len()).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use oboro_crypto::entry::Kind;
    use oboro_crypto::eris::Capability;

    use super::*;

    fn body(file: u8, title: &str, day: u32) -> EntryBody {
        let mut bytes = [file; 66];
        (bytes[0], bytes[1]) = (0x0f, 0);
        EntryBody::new(
            title,
            5,
            Kind::File,
            Capability::from_bytes(&bytes).unwrap(),
            &[],
            day,
        )
    }

    #[test]
    fn entries_for_one_file_are_one_hit_and_the_youngest_speaks() {
        let mut findings = Findings::default();
        assert!(findings.add(0, 0, body(1, "old", 5)));
        assert!(findings.add(1, 2, body(1, "new", 9)));
        assert!(
            !findings.add(1, 2, body(1, "new", 9)),
            "the same entry again is nothing new"
        );
        let hits = findings.ranked();
        assert_eq!(hits.len(), 1);
        assert_eq!(
            (
                hits[0].title.as_str(),
                hits[0].day,
                hits[0].terms,
                hits[0].replicas
            ),
            ("new", 9, 2, 2)
        );
        assert_eq!(
            hits[0].publishers, 1,
            "unsigned entries count as one publisher"
        );
    }

    #[test]
    fn more_terms_come_first_then_the_younger() {
        let mut findings = Findings::default();
        findings.add(0, 0, body(1, "one term, young", 9));
        findings.add(0, 0, body(2, "two terms", 1));
        findings.add(1, 0, body(2, "two terms", 1));
        findings.add(0, 0, body(3, "one term, old", 3));
        let titles: Vec<String> = findings.ranked().into_iter().map(|hit| hit.title).collect();
        assert_eq!(titles, ["two terms", "one term, young", "one term, old"]);
    }

    #[test]
    fn beyond_the_bound_new_files_are_dropped_and_counted() {
        let mut findings = Findings::default();
        for file in 0..=HITS_MAX {
            let mut bytes = [0; 66];
            bytes[0] = 0x0f;
            bytes[10..18].copy_from_slice(&(file as u64).to_be_bytes());
            let capability = Capability::from_bytes(&bytes).unwrap();
            findings.add(0, 0, EntryBody::new("x", 1, Kind::File, capability, &[], 1));
        }
        assert_eq!(findings.ranked().len(), HITS_MAX);
        assert_eq!(findings.dropped(), 1);
    }
}
