//! Doing what the core wants done.

use std::sync::Arc;
use std::time::Instant;

use oboro_core::Action;
use oboro_core::Failure as CoreFailure;
use oboro_core::action::{SinkCommand, SourceCommand};
use oboro_core::event::{Event, SinkEvent, SourceEvent};
use oboro_core::ids::{JobId, LinkId};
use oboro_core::report::{self, Report};
use tokio::sync::mpsc::error::TrySendError;
use tracing::error;

use super::{Content, Driver, Found};
use crate::api::Route;
use crate::jobs::Ended;
use crate::{fault, net};

impl Driver {
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Send { link, plain } => self.send(link, plain),
            Action::Close { link } => {
                // Without its sender the link writes the rest, ends, and says so.
                if let Some(sender) = self.links.get_mut(&link) {
                    *sender = None;
                }
            }
            Action::Dial {
                dial,
                remote,
                addresses,
            } => {
                let done = self.done.clone();
                if let Err(cause) = net::dial(&self.shared, dial, remote, addresses, done) {
                    self.early.push_back(Event::DialFailed { dial, cause });
                }
            }
            Action::Store { ticket, request } => {
                self.early.extend(self.storage.submit(ticket, request));
            }
            Action::Compute { ticket, task } => {
                self.early.extend(self.compute.submit(ticket, task));
            }
            Action::Source { job, command } => self.tell_source(job, command),
            Action::Sink { job, command } => self.tell_sink(job, command),
            Action::Guards(bytes) => self.keep_guards(bytes),
            Action::Report { job, report } => self.report(job, report),
        }
    }

    fn send(&mut self, link: LinkId, plain: Vec<u8>) {
        let Some(Some(sender)) = self.links.get(&link) else {
            return;
        };
        // A link that is gone has already said so, or is about to.
        if let Err(TrySendError::Full(_)) = sender.try_send(plain) {
            error!("the core gave a link more than was granted; closing the link");
            self.links.insert(link, None);
        }
    }

    fn tell_source(&mut self, job: JobId, command: SourceCommand) {
        let Some(Content::Source(source)) = self.content.get(&job) else {
            return;
        };
        let taken = source.command(command);
        if command == SourceCommand::Stop {
            self.retire(job);
        } else if !taken {
            self.early.push_back(Event::Source {
                job,
                event: SourceEvent::Failed,
            });
        }
    }

    fn tell_sink(&mut self, job: JobId, command: SinkCommand) {
        let Some(Content::Sink(sink)) = self.content.get(&job) else {
            return;
        };
        let stop = matches!(command, SinkCommand::Stop { .. });
        let taken = sink.command(command);
        if stop {
            self.retire(job);
        } else if !taken {
            self.early.push_back(Event::Sink {
                job,
                event: SinkEvent::Failed,
            });
        }
    }

    /// At once, since a node that forgets its guards would choose others, but not on this thread, which waits for no disk.
    fn keep_guards(&mut self, bytes: Vec<u8>) {
        self.guards.hand_over(bytes);
        let guards = Arc::clone(&self.guards);
        self.writes.spawn_blocking(move || guards.write());
    }

    /// Lets a job's content thread finish what it was given.
    fn retire(&mut self, job: JobId) {
        match self.content.remove(&job) {
            Some(Content::Source(source)) => self.ending.push(source.close()),
            Some(Content::Sink(sink)) => self.ending.push(sink.close()),
            None => {}
        }
    }

    fn report(&mut self, job: JobId, report: Report) {
        match report {
            Report::Progress(progress) => {
                self.table.progress(job.0, &progress, Instant::now());
            }
            Report::Found {
                hits,
                asked,
                answered,
                last,
                route,
            } => {
                let found = Found {
                    hits,
                    asked,
                    answered,
                    route: shown(route),
                };
                self.searches.found(job, found, last);
            }
            Report::Published {
                capability,
                summary,
                route,
            } => {
                let ended = self
                    .table
                    .published(job.0, &capability, &summary, shown(route));
                self.ended(job, ended);
            }
            Report::Fetched { length, route } => {
                let ended = self.table.fetched(job.0, length, shown(route));
                self.ended(job, ended);
            }
            Report::Failed(failure) => self.failed(job, failure),
        }
    }

    fn failed(&mut self, job: JobId, failure: CoreFailure) {
        // A node that stops puts its jobs aside; they have not failed.
        if self.stopping || self.searches.failed(job, failure) {
            return;
        }
        let cancelled = failure == CoreFailure::Cancelled;
        let ended = self.table.failed(job.0, fault::job(failure), cancelled);
        self.ended(job, ended);
    }

    pub(super) fn ended(&mut self, job: JobId, ended: Option<Ended>) {
        self.retire(job);
        if let Some(ended) = ended {
            let files = self.files.clone();
            self.writes.spawn_blocking(move || ended.keep(&files));
        }
    }
}

fn shown(route: report::Route) -> Route {
    Route {
        hops: route.hops,
        guard_days: route.guard_days,
        relays: route.relays,
    }
}
