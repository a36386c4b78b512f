//! Who comes and goes, what users begin and get, and what the scenario has planned.

use std::time::Duration;

use oboro_core::ids::JobId;
use oboro_core::{Command, Event, Failure, Report};
use oboro_crypto::entry;

use super::work::{File, Job, Sink, Source};
use super::{Due, Wish, World, chance};
use crate::scenario::What;

/// Times a user waits for the guard and tries again.
const AGAIN_MAX: u32 = 3;
/// Results that a user looks at.
const FIRST: usize = 20;

impl World {
    // Coming and going

    /// A node's session or pause is over.
    pub(super) fn turn(&mut self, index: usize) {
        if self.machines[index].gone {
            return;
        }
        let churn = self.scenario.churn.clone();
        let median = if self.machines[index].is_up() {
            let silent = chance::unit(&mut self.rng) < churn.crash;
            self.leave(index, silent);
            churn.pause_minutes
        } else {
            self.come(index);
            churn.session_minutes
        };
        let machine = &mut self.machines[index];
        if !machine.stays {
            let minutes = chance::log_normal(&mut machine.rng, median, churn.sigma);
            let lasts = Duration::from_secs_f64((minutes * 60.0).clamp(30.0, 1e8));
            self.queue.push(self.now + lasts, Due::Turn(index));
        }
    }

    fn come(&mut self, index: usize) {
        let starts = self.machines[index].starts.clone();
        let starts = starts
            .into_iter()
            .map(|start| {
                (
                    self.machines[start].link,
                    vec![self.machines[start].address],
                )
            })
            .collect();
        let machine = &mut self.machines[index];
        machine.start(&self.network, &self.provider, starts, self.now);
        let life = machine.life;
        self.step(index, life, Event::Deadline);
        self.begin_flood(index);
        self.begin_crawl(index);
    }

    /// A node is gone. `silent`: its neighbours are not told, as when a machine loses its line.
    fn leave(&mut self, index: usize, silent: bool) {
        let unfinished = self.machines[index].jobs.len();
        self.tally.interrupted(unfinished);
        let links = std::mem::take(&mut self.machines[index].links);
        for link in links {
            let Some(end) = self.links.remove(link) else {
                continue;
            };
            if !silent {
                let at = self
                    .net
                    .arrival(index, end.other, 60, self.now, &mut self.net_rng);
                let link = end.other_link;
                self.push_event(at.max(end.last), end.other, Event::LinkDown { link });
            }
        }
        let machine = &mut self.machines[index];
        machine.stop(self.now);
        self.busy.remove(&index);
        machine.left = self.now;
    }

    pub(super) fn happen(&mut self, what: &What) {
        match *what {
            What::Leave { share } => {
                for index in self.some(share) {
                    self.leave(index, true);
                    self.machines[index].gone = true;
                }
            }
            What::Split { minutes } => self.net.split(self.now, lasting(minutes)),
            What::Deaf { share, minutes } => {
                let nodes = self.some(share);
                self.net.deafen(&nodes, self.now, lasting(minutes));
            }
            What::Join { nodes } => {
                for _ in 0..nodes {
                    let index = self.add(vec![0, 0]);
                    let at = self.now + Duration::from_secs(1).mul_f64(chance::unit(&mut self.rng));
                    self.queue.push(at, Due::Turn(index));
                }
            }
            What::Sybil {
                ids,
                listed,
                networks,
                target,
            } => self.eclipse(ids, listed, networks, target),
            What::Jump { share, secs } => {
                for index in self.some(share) {
                    self.machines[index].off_micros += secs * 1_000_000;
                    self.set_wake(index);
                }
            }
        }
    }

    /// A share of the nodes that are there, drawn by chance; never the first.
    fn some(&mut self, share: f64) -> Vec<usize> {
        let mut there: Vec<usize> = (1..self.machines.len())
            .filter(|&index| self.machines[index].is_up())
            .collect();
        let wanted = (share * there.len() as f64).round() as usize;
        let mut chosen = Vec::new();
        while chosen.len() < wanted && !there.is_empty() {
            let at = chance::below(&mut self.rng, there.len());
            chosen.push(there.swap_remove(at));
        }
        chosen
    }

    // Users

    fn is_late(&self) -> bool {
        self.now + lasting(self.scenario.work.rest_minutes) > self.end
    }

    pub(super) fn begin_publish(&mut self) {
        let Some(machine) = self.somebody(None) else {
            return;
        };
        let number = self.files.len();
        let file = File::new(number as u64, self.scenario.work.kib * 1024, machine);
        let job = self.job();
        let source = Some(Source::new(self.scenario.seed, &file));
        let title = file.word.clone();
        let terms = oboro_crypto::terms::of_text(&title);
        let command = Command::Publish {
            job,
            kind: entry::Kind::of_name(&title),
            size: file.length,
            title,
            terms,
            extra: vec![],
            fewer_hops: false,
        };
        self.files.push(file);
        self.tally.published.begun += 1;
        self.command(
            machine,
            job,
            Job::Publish {
                file: number,
                source,
            },
            command,
        );
    }

    /// A file that is published, by chance.
    fn a_file(&mut self) -> Option<usize> {
        (0..50)
            .map(|_| chance::below(&mut self.rng, self.files.len().max(1)))
            .find(|&file| {
                self.files
                    .get(file)
                    .is_some_and(|file| file.capability.is_some())
            })
    }

    pub(super) fn begin_fetch(&mut self) {
        if self.is_late() {
            return;
        }
        self.again(Due::Fetch, self.scenario.work.fetches_per_minute);
        let Some(number) = self.a_file() else { return };
        let publisher = self.files[number].publisher;
        let Some(machine) = self.somebody(Some(publisher)) else {
            return;
        };
        self.tally.fetched.begun += 1;
        let wish = Wish {
            file: number,
            fetch: true,
            begun: self.now,
            again: 0,
        };
        self.wish(machine, wish);
    }

    pub(super) fn begin_search(&mut self) {
        if self.is_late() {
            return;
        }
        self.again(Due::Search, self.scenario.work.searches_per_minute);
        let Some(number) = self.a_file() else { return };
        let Some(machine) = self.somebody(Some(self.files[number].publisher)) else {
            return;
        };
        self.tally.searched.begun += 1;
        let wish = Wish {
            file: number,
            fetch: false,
            begun: self.now,
            again: 0,
        };
        self.wish(machine, wish);
    }

    /// A user asks a node for something.
    pub(super) fn wish(&mut self, machine: usize, wish: Wish) {
        let Wish {
            file: number,
            fetch,
            begun,
            again,
        } = wish;
        let file = &self.files[number];
        let Some(capability) = file.capability.clone() else {
            return;
        };
        let sink = Sink::new(self.scenario.seed, file.number, file.length);
        let words = vec![file.word.clone()];
        let id = self.job();
        let (job, command) = if fetch {
            let job = Job::Fetch {
                file: number,
                begun,
                again,
                sink,
            };
            let command = Command::Fetch {
                job: id,
                capability: Box::new(capability),
                resume: None,
                fewer_hops: false,
            };
            (job, command)
        } else {
            let job = Job::Search {
                file: number,
                begun,
                again,
                found: None,
            };
            let command = Command::Search {
                job: id,
                words,
                patience: Duration::from_secs(30),
                fewer_hops: false,
            };
            (job, command)
        };
        self.command(machine, id, job, command);
    }

    fn again(&mut self, due: Due, per_minute: f64) {
        let wait = chance::exponential(&mut self.rng, 60.0 / per_minute);
        self.queue
            .push(self.now + Duration::from_secs_f64(wait), due);
    }

    pub(super) fn command(&mut self, machine: usize, id: JobId, job: Job, command: Command) {
        self.machines[machine].jobs.insert(id, job);
        self.busy.insert(machine);
        let life = self.machines[machine].life;
        self.step(machine, life, Event::Command(command));
    }

    /// A node tells its user something.
    pub(super) fn reported(&mut self, index: usize, id: JobId, report: Report) {
        let now = self.now;
        if let Report::Failed(Failure::GuardAway { wait_secs }) = report
            && self.try_again(index, id, wait_secs)
        {
            return self.over(index, id);
        }
        let Some(job) = self.machines[index].jobs.get_mut(&id) else {
            return;
        };
        let (mut deed, mut ended) = (None, None);
        let over = match (&mut *job, report) {
            (Job::Publish { file, .. }, Report::Published { capability, .. }) => {
                deed = Some((*file, true));
                let file = &mut self.files[*file];
                file.capability = Some(*capability);
                file.published = now;
                self.tally.published.done(Duration::ZERO);
                true
            }
            (
                Job::Fetch {
                    file, begun, sink, ..
                },
                Report::Fetched { .. },
            ) => {
                deed = Some((*file, false));
                ended = Some((true, *begun, sink.is_right()));
                if sink.is_right() {
                    self.tally.fetched.done(now.since(*begun));
                } else {
                    self.tally.corrupt += 1;
                }
                true
            }
            (
                Job::Search {
                    file, begun, found, ..
                },
                Report::Found { hits, last, .. },
            ) => {
                let right = self.files[*file].capability.as_ref();
                if found.is_none()
                    && hits
                        .iter()
                        .take(FIRST)
                        .any(|hit| Some(&hit.capability) == right)
                {
                    *found = Some(now);
                }
                if last {
                    ended = Some((false, *begun, found.is_some()));
                    match found {
                        Some(at) => self.tally.searched.done(at.since(*begun)),
                        None => self.tally.searched.failed("not in the results"),
                    }
                }
                last
            }
            (Job::Rubbish { .. }, Report::Published { .. }) => {
                self.attacks.rubbish += 1;
                true
            }
            (job, Report::Failed(failure)) => {
                let why = told(&failure);
                match job {
                    Job::Publish { .. } => self.tally.published.failed(&why),
                    Job::Fetch { begun, .. } => {
                        ended = Some((true, *begun, false));
                        self.tally.fetched.failed(&why);
                    }
                    Job::Search { begun, .. } => {
                        ended = Some((false, *begun, false));
                        self.tally.searched.failed(&why);
                    }
                    Job::Rubbish { .. } => {}
                }
                true
            }
            _ => false,
        };
        if over {
            self.over(index, id);
        }
        if let Some((fetch, begun, done)) = ended {
            self.concluded(fetch, begun, done);
            if let Some((file, false)) = deed {
                self.watched_fetch(index, file, begun);
            }
        }
        if let Some((file, published)) = deed {
            self.deed(index, file, published);
        }
    }

    fn over(&mut self, index: usize, id: JobId) {
        self.machines[index].jobs.remove(&id);
        if self.machines[index].jobs.is_empty() {
            self.busy.remove(&index);
        }
    }

    /// The guard is away: its user does what the message says, and tries again when another stands in for it.
    fn try_again(&mut self, index: usize, id: JobId, wait_secs: u32) -> bool {
        let machine = &self.machines[index];
        let wish = match machine.jobs.get(&id) {
            Some(&Job::Fetch {
                file, begun, again, ..
            }) => Wish {
                file,
                fetch: true,
                begun,
                again,
            },
            Some(&Job::Search {
                file, begun, again, ..
            }) => Wish {
                file,
                fetch: false,
                begun,
                again,
            },
            _ => return false,
        };
        let at = self.now + Duration::from_secs(u64::from(wait_secs) + 5);
        if wish.again >= AGAIN_MAX || at + Duration::from_secs(120) > self.end {
            return false;
        }
        let again = Wish {
            again: wish.again + 1,
            ..wish
        };
        self.tally.waited();
        self.queue.push(at, Due::Again(index, machine.life, again));
        true
    }
}

/// What a user is told, without the figures in it.
fn told(failure: &Failure) -> String {
    match failure {
        Failure::GuardAway { .. } => "the guard does not answer".to_owned(),
        Failure::NoCircuit { .. } => "no circuit holds".to_owned(),
        Failure::NotRetrievable { .. } => "found but not retrievable".to_owned(),
        other => other.to_string(),
    }
}

fn lasting(minutes: f64) -> Duration {
    Duration::from_secs_f64(minutes * 60.0)
}
