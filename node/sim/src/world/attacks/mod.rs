//! Attackers that measure. Each asks, counts or watches as far as the protocol lets it, past its own core where an honest
//! node would not, and is judged by the truth at the end.

mod bayes;
mod count;
mod crawl;
mod eclipse;
mod probe;
mod room;
mod stranger;
mod trace;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use oboro_core::wire::message::Reply;
use oboro_crypto::ids::{ExtentId, Location};
use rand_chacha::ChaCha20Rng;

use super::{Due, World, chance};
use crate::measured::Measures;
use crate::scenario::Kind;

/// Something an attacker planned.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// A deed is to be probed for.
    Probe(usize),
    /// Those who should hold a new file are asked whether they do.
    Vacancy { file: usize, late: bool },
    /// All nodes are asked for everything.
    Crawl,
}

/// Why a stranger asks.
#[derive(Clone, Copy)]
enum Question {
    /// A probe's pair, the node of it and whether the question is only there to learn how long this node takes.
    Probe {
        pair: usize,
        other: bool,
        idle: bool,
    },
    /// Whether a node has what belongs to it of a new file.
    Vacancy { look: probe::Which, node: usize },
    /// What a node has at many locations.
    Crawl { node: usize, asked: u64 },
    /// A create that one node has seen, or bytes that nobody has.
    Trace {
        case: usize,
        other: bool,
        idle: bool,
    },
}

/// What all attackers of a world know together, and the truth about it.
pub(super) struct Attacks {
    rng: ChaCha20Rng,
    strangers: stranger::Strangers,
    /// Who has published (`true`) or fetched what: the truth.
    deeds: BTreeMap<(usize, usize), bool>,
    probes: probe::Probes,
    counts: count::Counts,
    traces: trace::Traces,
    crawl: crawl::Crawl,
    /// Locations asked for at once, by the number of the question.
    asked: BTreeMap<u64, Vec<Location>>,
    questions: u64,
    eclipse: Option<eclipse::Eclipse>,
    before: eclipse::Before,
    watch: watch::Watch,
    /// Files of rubbish that flooders have placed.
    pub(super) rubbish: u64,
}

impl Attacks {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: chance::source(seed, "attack", 0),
            strangers: stranger::Strangers::default(),
            deeds: BTreeMap::new(),
            probes: probe::Probes::default(),
            counts: count::Counts::default(),
            traces: trace::Traces::default(),
            crawl: crawl::Crawl::default(),
            asked: BTreeMap::new(),
            questions: 0,
            eclipse: None,
            before: eclipse::Before::default(),
            watch: watch::Watch::default(),
            rubbish: 0,
        }
    }

    fn remember(&mut self, locations: Vec<Location>) -> u64 {
        self.questions += 1;
        self.asked.insert(self.questions, locations);
        self.questions
    }
}

impl World {
    /// A user has published or fetched a file.
    pub(super) fn deed(&mut self, machine: usize, file: usize, published: bool) {
        let deed = self.attacks.deeds.entry((machine, file)).or_default();
        *deed |= published;
        self.plan_probe(machine, file, published);
    }

    pub(super) fn attack(&mut self, step: Step) {
        match step {
            Step::Probe(pair) => self.probe(pair),
            Step::Vacancy { file, late } => self.look_for_vacancies(file, late),
            Step::Crawl => self.crawl(),
        }
    }

    /// A stranger has been answered, or not.
    fn answered(&mut self, question: Question, took: Duration, reply: Option<&Reply>) {
        match question {
            Question::Probe { pair, other, idle } => {
                self.attacks.probes.answered(pair, other, idle, took, reply);
            }
            Question::Vacancy { look, node } => {
                let held = matches!(reply, Some(Reply::Have(_) | Reply::Entries(..)));
                self.attacks.probes.looked(look, node, held);
            }
            Question::Crawl { node, asked } => self.crawled(node, asked, reply),
            Question::Trace { case, other, idle } => {
                self.attacks.traces.answered(case, other, idle, took);
            }
        }
    }

    /// One attacker of this kind that is there, by chance.
    fn one_of(&mut self, kind: Kind) -> Option<usize> {
        let all: Vec<usize> = (0..self.machines.len())
            .filter(|&index| {
                self.machines[index].kind == Some(kind) && self.machines[index].is_up()
            })
            .collect();
        let index = chance::below(&mut self.attacks.rng, all.len());
        all.get(index).copied()
    }

    /// Both, in an order left to chance.
    fn either(&mut self) -> [bool; 2] {
        let first = chance::below(&mut self.attacks.rng, 2) == 0;
        [first, !first]
    }

    /// An honest node that is there and passes a test, by chance of the attacker's.
    fn another(&mut self, fits: impl Fn(usize) -> bool) -> Option<usize> {
        (0..50)
            .map(|_| chance::below(&mut self.attacks.rng, self.machines.len()))
            .find(|&index| {
                let machine = &self.machines[index];
                machine.is_up() && machine.kind.is_none() && fits(index)
            })
    }

    fn later(&mut self, after: Duration, step: Step) {
        self.queue.push(self.now + after, Due::Attack(step));
    }

    /// Where placement `index` of an extent of a file belongs.
    fn location(&self, file: usize, extent: usize, index: u8) -> Option<Location> {
        let extent = self.files.get(file)?.extents.get(extent)?;
        let extent = ExtentId::of(&extent.references);
        Some(Location::of_extent(&self.network.id(), &extent, index))
    }

    /// How many placements an extent of a file has.
    fn copies(&self, file: usize, extent: usize) -> u8 {
        let file = self.files.get(file);
        let class = file.and_then(|file| Some(file.class(file.extents.get(extent)?)));
        class.map_or(0, |class| self.network.params.copies(class))
    }

    /// What came of it all.
    pub(super) fn measured(&mut self) -> Measures {
        let mut measures = Measures::new();
        self.attacks.probes.report(&mut measures);
        self.attacks.traces.report(&mut measures);
        self.report_counts(&mut measures);
        self.report_crawl(&mut measures);
        self.report_eclipse(&mut measures);
        self.report_watch(&mut measures);
        self.report_room(&mut measures);
        self.report_bayes(&mut measures);
        measures
    }
}
