//! The end: jobs put aside, links closed with their last word written, threads joined, the store flushed.

use std::time::Duration;

use oboro_core::command::Command;
use oboro_core::event::Event;
use oboro_core::ids::JobId;
use tracing::{debug, warn};

use super::{Content, Driver, Sources};

/// How long links may take to write the rest and close.
const LINKS_TIME: Duration = Duration::from_secs(5);

impl Driver {
    pub(super) async fn stop(mut self, mut sources: Sources) {
        debug!("the node is stopping");
        self.stopping = true;
        for listener in &self.listeners {
            listener.abort();
        }
        for id in self.table.running() {
            self.feed(Event::Command(Command::Cancel {
                job: JobId(id),
                keep: true,
            }));
        }
        // Whoever still waits for an answer learns that there is none.
        sources.requests.close();
        sources.events.close();
        self.close_links(&mut sources).await;
        drop(sources);
        let Self {
            home,
            storage,
            compute,
            content,
            guards,
            mut ending,
            mut writes,
            table,
            ..
        } = self;
        while writes.join_next().await.is_some() {}
        ending.extend(content.into_values().map(|thread| match thread {
            Content::Source(source) => source.close(),
            Content::Sink(sink) => sink.close(),
        }));
        let joined = tokio::task::spawn_blocking(move || {
            for thread in ending {
                if thread.join().is_err() {
                    warn!("a content thread panicked");
                }
            }
            // Nothing waits, unless a write failed before.
            guards.write();
            compute.close();
            storage.close();
            // The lock goes last: who gets it finds everything written.
            drop(home);
        });
        if joined.await.is_err() {
            warn!("closing the store panicked");
        }
        drop(table);
    }

    /// Closes all links and dials and waits until they are gone, or long enough.
    async fn close_links(&mut self, sources: &mut Sources) {
        self.shared.stop_dialling();
        self.links.clear();
        let (closed, _) = tokio::sync::mpsc::channel(1);
        drop(std::mem::replace(&mut self.done, closed));
        let gone = async {
            loop {
                tokio::select! {
                    // What arrives now comes too late; taking it lets links go on to their end.
                    Some(_) = sources.arrivals.recv() => {}
                    _ = self.gone.recv() => return,
                }
            }
        };
        if tokio::time::timeout(LINKS_TIME, gone).await.is_err() {
            debug!("some links took too long to close");
        }
    }
}
