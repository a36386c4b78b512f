//! The crawl of Winny, and what Takagi read from how fresh a key is. A crawler knows all files and words beforehand and
//! asks every node for every location of theirs, over and over, from before they are published: more than the protocol
//! makes easy. Whoever has something is taken for its owner, and whoever had it first for its publisher.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use oboro_core::Time;
use oboro_core::wire::message::{Reply, Request, TALLIES_MAX};
use oboro_crypto::ids::{Location, distance};
use oboro_crypto::token::KeywordToken;

use super::super::World;
use super::{Question, Step};
use crate::measured::{Measured, Measures};
use crate::models::measure::{Estimate, auc};
use crate::scenario::Kind;

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(20);
/// Rounds of extents for one of words.
const WORDS_EVERY: u64 = 6;

/// What a location is of: a file's extent or a file's word, and the number of its placement.
#[derive(Clone, Copy)]
struct Place {
    file: usize,
    word: bool,
    index: u8,
}

/// What is known of the crawl.
#[derive(Default)]
pub(super) struct Crawl {
    rounds: u64,
    places: BTreeMap<Location, Place>,
    /// When a node was first seen to have something of a file.
    extents: BTreeMap<(usize, usize), Time>,
    words: BTreeMap<(usize, usize), Time>,
    /// At which locations of extents a node was seen to have something.
    held: BTreeSet<(usize, Location)>,
}

impl World {
    /// A crawler's life has begun.
    pub(in crate::world) fn begin_crawl(&mut self, index: usize) {
        if self.machines[index].kind == Some(Kind::Crawler) && self.attacks.crawl.rounds == 0 {
            self.attacks.crawl.rounds = 1;
            self.later(EVERY, Step::Crawl);
        }
    }

    /// All crawlers together ask all others for everything.
    pub(super) fn crawl(&mut self) {
        self.later(EVERY, Step::Crawl);
        self.attacks.crawl.rounds += 1;
        let words = self.attacks.crawl.rounds.is_multiple_of(WORDS_EVERY);
        self.learn_places();
        let (mut extents, mut names) = (Vec::new(), Vec::new());
        for (location, place) in &self.attacks.crawl.places {
            if place.word {
                names.push(*location);
            } else {
                extents.push(*location);
            }
        }
        for node in 0..self.machines.len() {
            let machine = &self.machines[node];
            if !machine.is_up() || machine.kind.is_some() {
                continue;
            }
            let mut wanted = extents.clone();
            if words {
                wanted.extend_from_slice(&names);
            }
            for locations in wanted.chunks(TALLIES_MAX) {
                let Some(crawler) = self.one_of(Kind::Crawler) else {
                    return;
                };
                let request = Request::Tally(locations.to_vec());
                let asked = self.attacks.remember(locations.to_vec());
                self.ask(crawler, node, &request, Question::Crawl { node, asked });
            }
        }
    }

    /// Where everything belongs that there is.
    fn learn_places(&mut self) {
        let mut places = Vec::new();
        for file in 0..self.files.len() {
            for extent in 0..self.files[file].extents.len() {
                for index in 0..self.copies(file, extent) {
                    let word = false;
                    if let Some(location) = self.location(file, extent, index) {
                        places.push((location, Place { file, word, index }));
                    }
                }
            }
            for (location, index) in self.word_locations(file) {
                let word = true;
                places.push((location, Place { file, word, index }));
            }
        }
        self.attacks.crawl.places.extend(places);
    }

    /// Where the entries of a file's words belong.
    pub(super) fn word_locations(&mut self, file: usize) -> Vec<(Location, u8)> {
        let terms = oboro_crypto::terms::of_query(&self.files[file].word);
        let mut all = Vec::new();
        for term in terms {
            let network = &self.network;
            let token = self
                .tokens
                .entry(term.as_str().to_owned())
                .or_insert_with(|| Arc::new(KeywordToken::derive(network, &term)));
            let key = token.location_key();
            for index in 0..self.scenario.replicas {
                let location = Location::of_entry(&self.network.id(), &key, index);
                all.push((location, index));
            }
        }
        all
    }

    pub(super) fn crawled(&mut self, node: usize, asked: u64, reply: Option<&Reply>) {
        let Some(locations) = self.attacks.asked.remove(&asked) else {
            return;
        };
        let Some(Reply::Tallies(tallies)) = reply else {
            return;
        };
        let now = self.now;
        let crawl = &mut self.attacks.crawl;
        for (location, &tally) in locations.iter().zip(tallies) {
            let Some(place) = crawl.places.get(location).filter(|_| tally > 0) else {
                continue;
            };
            let seen = if place.word {
                &mut crawl.words
            } else {
                crawl.held.insert((node, *location));
                &mut crawl.extents
            };
            seen.entry((node, place.file)).or_insert(now);
        }
    }

    pub(super) fn report_crawl(&self, out: &mut Measures) {
        let crawl = &self.attacks.crawl;
        if crawl.rounds == 0 {
            return;
        }
        let mut say = |name: &str, is: Measured| out.insert(format!("crawl: {name}"), is);
        let pairs: Vec<(usize, usize)> = self.pairs().collect();
        let did = |pair: &&(usize, usize)| self.attacks.deeds.contains_key(*pair);
        let base = pairs.iter().filter(did).count();
        for (name, seen) in [("extents", &crawl.extents), ("words", &crawl.words)] {
            let claimed = || pairs.iter().filter(|pair| seen.contains_key(*pair));
            let right = claimed().filter(did).count();
            let share = Measured::share(right, claimed().count());
            say(&format!("owners by {name} that are right"), share);
            let all = Measured::share(claimed().count(), pairs.len());
            say(&format!("owners by {name} found by chance"), all);
            say(
                &format!("owners by {name} found"),
                Measured::share(right, base),
            );
            // Publishers among those claimed first; ties are drawn.
            let (mut hits, mut files) = (0.0, 0usize);
            for (number, file) in self.files.iter().enumerate() {
                let of_file = || seen.iter().filter(|((_, of), _)| *of == number);
                let Some(first) = of_file().map(|(_, at)| *at).min() else {
                    continue;
                };
                let all = || of_file().filter(|(_, at)| **at == first);
                let publisher = all().filter(|((node, _), _)| *node == file.publisher);
                hits += publisher.count() as f64 / all().count() as f64;
                files += 1;
            }
            let value = hits / files.max(1) as f64;
            let error = (value * (1.0 - value) / files.max(1) as f64).sqrt();
            let share = Measured::sampled(Estimate { value, error }, files);
            say(&format!("publishers named by {name}"), share);
            let end = self.end;
            let freshness = |pair: &(usize, usize)| {
                seen.get(pair)
                    .map_or(0.0, |at| 1.0 + end.since(*at).as_secs_f64())
            };
            let of = |owner: bool| -> Vec<f64> {
                let some = pairs.iter().filter(|pair| did(pair) == owner);
                some.map(freshness).collect()
            };
            let (yes, no) = (of(true), of(false));
            let area = Measured::sampled(auc(&yes, &no), yes.len());
            say(&format!("freshness of {name}: AUC"), area);
        }
        let share = Measured::share(base, pairs.len());
        say("owners by chance that are right", share);
        let honest = self.machines.iter().filter(|m| m.kind.is_none()).count();
        say("publishers named by chance", Measured::share(1, honest));
        let by_view = crawl
            .held
            .iter()
            .filter(|(node, location)| self.belongs(*node, location));
        let told = Measured::share(by_view.count(), crawl.held.len());
        say("holders that any view tells", told);
    }

    /// Whether a node is one of those who may hold what belongs at a location, by a view without fault.
    fn belongs(&self, node: usize, location: &Location) -> bool {
        let Some(place) = self.attacks.crawl.places.get(location) else {
            return false;
        };
        let far = |machine: &super::super::machine::Machine| {
            distance(machine.id.as_bytes(), location.as_bytes())
        };
        let own = far(&self.machines[node]);
        let nearer = self.machines.iter().filter(|machine| far(machine) < own);
        nearer.count() < 3 + usize::from(place.index)
    }
}
