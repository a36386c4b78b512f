//! One node among strangers, and what must hold whatever they do.
//!
//! Promises checked here: whole records and no more than the line takes, frames that another node would take, an end to
//! every job and only one, deadlines that pass, and nothing left of streams and jobs when all links and wishes are gone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use oboro_core::ids::{JobId, LinkId};
use oboro_core::wire::frame::{DATA_MAX, Frame, Frames};
use oboro_core::{Action, Command, Config, Event, Node, Outbox, Report, Time};
use oboro_crypto::entry::Kind;
use oboro_crypto::eris::{BlockKey, BlockSize, Capability};
use oboro_crypto::keys::NodeKeys;
use oboro_crypto::record::RECORD_PLAIN;
use oboro_crypto::terms::Term;
use oboro_crypto::{LinkPublic, NodeId, Reference};

use super::library::{BEGIN, LIBRARY, WORDS, address, stranger};
use super::lines::{Asked, Line};
use super::plain::Plain;
use super::shell::Pending;
use super::steps::{ALL, Outcome, Say, Step, Want, Word};
use super::{frames, words};
use crate::links::rng;

/// Actions that one event may lead to. A chunk read, a placement or a page each lead to a handful.
const ACTIONS_MAX: usize = 2_000;
/// Deadlines in a row that may be due at one moment before the node counts as spinning.
const AGAIN_MAX: u32 = 8;
/// Deadlines that are kept in one step; after that the clock leaps.
const DEADLINES_MAX: u32 = 200;
/// How a job ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    Published,
    Found,
    Fetched,
    Failed,
}

pub(super) struct Scene {
    node: Node,
    now: Time,
    lines: Vec<Line>,
    asked: Vec<Asked>,
    pending: VecDeque<Pending>,
    /// Runs that sources have handed over.
    runs: BTreeMap<JobId, usize>,
    /// Jobs, and how they ended.
    pub(super) jobs: BTreeMap<JobId, Option<Ending>>,
    names: u64,
}

impl Scene {
    /// A node that has started, with two strangers linked to it who have said who they are.
    pub(super) fn new() -> Self {
        let mut rng = rng(11);
        let keys = NodeKeys::generate((BEGIN / 86_400) as u32, &mut rng);
        let config = Config {
            network: LIBRARY.network.duplicate(),
            identity: keys.identity,
            id: NodeId([200; 32]),
            link: LinkPublic([99; 32]),
            onion: keys.onion,
            onion_previous: keys.onion_previous,
            addresses: vec!["127.200.0.1:4000".parse().expect("an address")],
            listen_port: Some(4000),
            listed: true,
            storage: true,
            bootstrap: vec![(stranger(5), vec![address(5)])],
            guards: None,
            provider: Arc::new(Plain),
        };
        let now = Time::from_secs(BEGIN);
        let mut scene = Self {
            node: Node::new(config, [12; 32], now),
            now,
            lines: Vec::new(),
            asked: Vec::new(),
            pending: VecDeque::new(),
            runs: BTreeMap::new(),
            jobs: BTreeMap::new(),
            names: 0,
        };
        scene.tell(Event::Deadline);
        for number in 0..2 {
            scene.step(&Step::Up { stranger: number });
            let link = number;
            scene.step(&Step::Grant { link, records: 200 });
            let hello = Say::Hello {
                stranger: Some(number),
            };
            scene.step(&Step::Say {
                link,
                frames: vec![hello],
            });
        }
        // The shell has been busy with the start, and found nothing on the disk.
        while !scene.pending.is_empty() {
            scene.done(0, &Outcome::Empty);
        }
        scene
    }

    pub(super) fn step(&mut self, step: &Step) {
        match step {
            Step::Up { stranger: number } => self.up(*number),
            Step::Down { link } => {
                if let Some(line) = pick(&self.lines, *link) {
                    let id = line.id;
                    self.down(id);
                }
            }
            Step::Grant { link, records } => self.grant(*link, *records),
            Step::Raw { link, bytes } => self.records(*link, bytes),
            Step::Say { link, frames } => {
                let record = frames::record(frames, self.now.secs());
                self.records(*link, &record);
            }
            Step::Ask {
                link,
                stream,
                open,
                words,
            } => self.ask(*link, *stream, *open, words),
            Step::Answer { which, words } => self.answer(*which, |_, today, out| {
                words::say(words, today, out);
            }),
            Step::Oblige { which: ALL } => {
                (0..self.asked.len().min(ALL.into())).for_each(|which| self.oblige(which as u8));
            }
            Step::Oblige { which } => self.oblige(*which),
            Step::Done { which: ALL, how } => {
                (0..self.pending.len()).for_each(|_| self.done(0, how));
            }
            Step::Done { which, how } => self.done(*which, how),
            Step::Wait { millis } => self.pass(Duration::from_millis((*millis).into())),
            Step::Rest { minutes } => self.pass(Duration::from_secs(60 * u64::from(*minutes))),
            Step::Want(want) => self.want(want),
        }
    }

    /// Takes everything away and looks what the node still holds.
    pub(super) fn end(mut self) {
        for job in self.jobs.keys().copied().collect::<Vec<_>>() {
            self.tell(Event::Command(Command::Cancel { job, keep: false }));
            assert!(!self.node.has_job(job), "a cancelled job is gone");
        }
        assert!(self.jobs.values().all(Option::is_some), "every job ends");
        while let Some(line) = self.lines.last() {
            let id = line.id;
            self.down(id);
        }
        while !self.pending.is_empty() {
            self.done(0, &Outcome::Failed);
        }
        self.pass(Duration::from_secs(300));
        while !self.pending.is_empty() {
            self.done(0, &Outcome::Failed);
        }
        assert_eq!(
            self.node.stats().streams_active,
            0,
            "no stream outlives its link"
        );
        let standing = self.node.standing(self.now);
        assert_eq!((standing.jobs, standing.peers.len()), (0, 0));
    }

    // What happens

    fn up(&mut self, number: u8) {
        let event = Event::LinkUp {
            link: self.line(false),
            remote: stranger(number),
            address: address(number),
            dial: None,
        };
        self.tell(event);
    }

    fn line(&mut self, dialled: bool) -> LinkId {
        self.names += 1;
        let id = LinkId(self.names);
        self.lines.push(Line::new(id, dialled));
        id
    }

    fn down(&mut self, link: LinkId) {
        self.lines.retain(|line| line.id != link);
        self.asked.retain(|asked| asked.link != link);
        self.tell(Event::LinkDown { link });
    }

    fn grant(&mut self, link: u8, records: u8) {
        let Some(line) = pick_mut(&mut self.lines, link) else {
            return;
        };
        let records = u32::from(records);
        line.granted += records;
        let link = line.id;
        self.tell(Event::Writable { link, records });
    }

    fn records(&mut self, link: u8, bytes: &[u8]) {
        if let Some(line) = pick(&self.lines, link) {
            let link = line.id;
            let mut plain = bytes.to_vec();
            plain.resize(plain.len().max(1).next_multiple_of(RECORD_PLAIN), 0);
            self.tell(Event::Records { link, plain });
        }
    }

    fn ask(&mut self, link: u8, stream: u8, open: bool, said: &[Word]) {
        let Some(line) = pick(&self.lines, link) else {
            return;
        };
        let number = u32::from(stream % 16) * 2 + u32::from(!line.dialled);
        let (id, mut bytes) = (line.id, Vec::new());
        words::say(said, self.now.day(), &mut bytes);
        self.speak(id, number, open, 0, &bytes);
    }

    fn answer(&mut self, which: u8, with: impl FnOnce(&mut Asked, u32, &mut Vec<u8>)) {
        let today = self.now.day();
        let Some(asked) = pick_mut(&mut self.asked, which) else {
            return;
        };
        let mut bytes = Vec::new();
        with(asked, today, &mut bytes);
        let credit = core::mem::take(&mut asked.uncredited);
        let (link, number) = (asked.link, asked.number);
        self.speak(link, number, false, credit, &bytes);
    }

    fn oblige(&mut self, which: u8) {
        self.answer(which, |asked, today, out| {
            out.extend(words::oblige(&asked.begun, asked.turn, today));
            asked.turn += 1;
        });
    }

    /// Says bytes on a stream, in as many records as that takes.
    fn speak(&mut self, link: LinkId, number: u32, open: bool, credit: u32, bytes: &[u8]) {
        let mut plain = Vec::new();
        if open {
            Frame::Open(number).write(&mut plain);
        }
        if credit > 0 {
            Frame::Credit(number, credit).write(&mut plain);
        }
        plain.resize(plain.len().next_multiple_of(RECORD_PLAIN), 0);
        for piece in bytes.chunks(DATA_MAX) {
            Frame::Data(number, piece).write(&mut plain);
            plain.resize(plain.len().next_multiple_of(RECORD_PLAIN), 0);
        }
        if !plain.is_empty() {
            self.tell(Event::Records { link, plain });
        }
    }

    fn done(&mut self, which: u8, how: &Outcome) {
        if self.pending.is_empty() {
            return;
        }
        let Some(pending) = self.pending.remove(usize::from(which) % self.pending.len()) else {
            return;
        };
        let up = matches!(
            (&pending, how),
            (Pending::Dial(..), Outcome::Well { amount }) if *amount > 0
        );
        let link = if up { self.line(true) } else { LinkId(0) };
        self.tell(pending.settle(how, link));
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let mut again = 0;
        for _ in 0..DEADLINES_MAX {
            let Some((at, why)) = self.node.deadline().filter(|(at, _)| *at <= until) else {
                break;
            };
            if at > self.now {
                (self.now, again) = (at, 0);
            } else {
                again += 1;
                assert!(again <= AGAIN_MAX, "{why:?} is due again and again");
            }
            self.tell(Event::Deadline);
        }
        self.now = until;
        self.tell(Event::Deadline);
    }

    fn want(&mut self, want: &Want) {
        self.names += 1;
        let job = JobId(self.names);
        let command = match want {
            Want::Publish { terms } => Command::Publish {
                job,
                title: "haze moon".to_owned(),
                size: LIBRARY.length,
                kind: Kind::Text,
                terms: WORDS
                    .iter()
                    .take((*terms % 4).into())
                    .filter_map(|word| Term::parse(word))
                    .collect(),
                extra: Vec::new(),
                fewer_hops: false,
            },
            Want::Search {
                word,
                patience_secs,
            } => Command::Search {
                job,
                words: vec![WORDS[usize::from(*word) % WORDS.len()].to_owned()],
                patience: Duration::from_secs((*patience_secs).into()),
                fewer_hops: false,
            },
            Want::Fetch {
                honest,
                level,
                resume,
            } => {
                let hostile = Capability {
                    block_size: BlockSize::Large,
                    level: *level,
                    root: Reference([*level; 32]),
                    key: BlockKey::from_bytes([3; 32]),
                };
                let capability = if *honest {
                    LIBRARY.capability.clone()
                } else {
                    hostile
                };
                Command::Fetch {
                    job,
                    capability: Box::new(capability),
                    resume: resume.clone(),
                    fewer_hops: false,
                }
            }
            Want::Cancel { job, keep } => {
                let all: Vec<JobId> = self.jobs.keys().copied().collect();
                let Some(&job) = pick(&all, *job) else {
                    return;
                };
                return self.tell(Event::Command(Command::Cancel { job, keep: *keep }));
            }
            Want::Join { stranger: number } => {
                let (link, addresses) = (stranger(*number), vec![address(*number)]);
                return self.tell(Event::Command(Command::Join { link, addresses }));
            }
        };
        self.jobs.insert(job, None);
        self.tell(Event::Command(command));
    }

    // What the node does

    /// Tells the node something, and looks at everything it does.
    fn tell(&mut self, event: Event) {
        let mut closed = Vec::new();
        self.hand_over(event, &mut closed);
        // A link that is closed goes down; that may close others.
        while let Some(link) = closed.pop() {
            self.lines.retain(|line| line.id != link);
            self.asked.retain(|asked| asked.link != link);
            self.hand_over(Event::LinkDown { link }, &mut closed);
        }
    }

    fn hand_over(&mut self, event: Event, closed: &mut Vec<LinkId>) {
        let mut out = Outbox::new();
        self.node.handle(self.now, event, &mut out);
        let mut actions = 0;
        while let Some(action) = out.take() {
            actions += 1;
            assert!(actions <= ACTIONS_MAX, "one event leads to too much");
            match action {
                Action::Send { link, plain } => self.sent(link, &plain),
                Action::Close { link } => closed.push(link),
                Action::Report { job, report } => self.reported(job, &report),
                action => {
                    let runs = &mut self.runs;
                    let handed_over = |job| {
                        let count = runs.entry(job).or_default();
                        *count += 1;
                        *count - 1
                    };
                    self.pending.extend(Pending::of(action, handed_over));
                }
            }
        }
    }

    fn reported(&mut self, job: JobId, report: &Report) {
        let ending = self.jobs.get_mut(&job).expect("a job that was asked for");
        assert!(ending.is_none(), "nothing is said of a job after its end");
        *ending = match report {
            Report::Published { .. } => Some(Ending::Published),
            Report::Found { last: true, .. } => Some(Ending::Found),
            Report::Fetched { .. } => Some(Ending::Fetched),
            Report::Failed(_) => Some(Ending::Failed),
            Report::Progress(_) | Report::Found { .. } => None,
        };
    }

    fn sent(&mut self, link: LinkId, plain: &[u8]) {
        assert_eq!(plain.len() % RECORD_PLAIN, 0, "whole records only");
        let records = (plain.len() / RECORD_PLAIN) as u32;
        let line = self
            .lines
            .iter_mut()
            .find(|line| line.id == link)
            .expect("a link that is up");
        line.granted = line
            .granted
            .checked_sub(records)
            .expect("no more than the line takes");
        for record in plain.chunks(RECORD_PLAIN) {
            let mut frames = Frames::new(record);
            while let Some(frame) = frames.next_frame().expect("frames others can read") {
                line.heard(&mut self.asked, &frame);
            }
        }
    }
}

fn pick<T>(all: &[T], which: u8) -> Option<&T> {
    all.get(usize::from(which) % all.len().max(1))
}

fn pick_mut<T>(all: &mut [T], which: u8) -> Option<&mut T> {
    let count = all.len().max(1);
    all.get_mut(usize::from(which) % count)
}
