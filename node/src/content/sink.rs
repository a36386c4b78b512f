//! A file being fetched: leaves are decrypted and written where they belong, in whatever order they come.
//!
//! Promises: memory for what is queued, and one column of a group while it is recovered; a checkpoint is kept after everything before it is durable; the output
//! appears when it is complete. Does not check leaves against their references: that was done, but for those it recovers,
//! which are checked before they are written.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use oboro_core::Event;
use oboro_core::action::{Recover, SinkCommand};
use oboro_core::event::SinkEvent;
use oboro_core::ids::JobId;
use oboro_core::limits::{FETCH_PARTS, SINK_WRITES_MAX};
use oboro_crypto::eris::{BlockKey, RUN_MAX, open_leaf, unpad};
use oboro_crypto::network::CHUNK_BYTES;
use oboro_crypto::parity::{RecoverError, fill_leaf, recover};
use tokio::sync::mpsc;

use super::{Fault, Part, Target};
use crate::api::{Code, Failure};
use crate::fault;
use crate::jobs::{FetchRecord, JobFiles, Record};

/// Commands waiting: the writes at which the core asks for no more, one for each chunk that was asked for before that,
/// and some checkpoints. Beyond it the job fails.
const COMMANDS_MAX: usize = SINK_WRITES_MAX as usize + FETCH_PARTS * RUN_MAX + 16;

/// A running writer.
pub(crate) struct Sink {
    commands: SyncSender<SinkCommand>,
    thread: JoinHandle<()>,
}

impl Sink {
    /// Starts to write into `part`, keeping `record` in `files` from checkpoint to checkpoint. What comes of it goes to
    /// `answers`, which may make the thread wait.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn start(
        part: Part,
        record: Record,
        files: Arc<JobFiles>,
        answers: mpsc::Sender<Event>,
        fault: Fault,
    ) -> io::Result<Self> {
        let (commands, queue) = sync_channel(COMMANDS_MAX);
        let thread = std::thread::Builder::new()
            .name("oboro-sink".into())
            .spawn(move || {
                let job = JobId(record.job.id);
                let event = |event| answers.blocking_send(Event::Sink { job, event }).is_ok();
                let mut writer = Writer {
                    part: Some(part),
                    record,
                    files,
                };
                if let Err(failure) = writer.run(&queue, &event) {
                    // Told once, by this thread.
                    let _ = fault.set(failure);
                    event(SinkEvent::Failed);
                    writer.drain(&queue);
                }
            })?;
        Ok(Self { commands, thread })
    }

    /// Passes on a command; `false` if it can't be taken.
    pub(crate) fn command(&self, command: SinkCommand) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// Lets the thread finish what it was given; it can be waited for.
    pub(crate) fn close(self) -> JoinHandle<()> {
        self.thread
    }
}

struct Writer {
    /// Gone when it was given up or put in its place.
    part: Option<Part>,
    record: Record,
    files: Arc<JobFiles>,
}

impl Writer {
    /// Carries out commands until there are no more.
    fn run(
        &mut self,
        queue: &Receiver<SinkCommand>,
        event: &dyn Fn(SinkEvent) -> bool,
    ) -> Result<(), Failure> {
        while let Ok(command) = queue.recv() {
            let Some(part) = &self.part else {
                return Ok(());
            };
            match command {
                SinkCommand::Write {
                    first_leaf,
                    leaves,
                    last,
                } => {
                    write(part, first_leaf, leaves, last)?;
                    event(SinkEvent::Written { writes: 1 });
                }
                SinkCommand::Recover(wish) => {
                    let right = restore(part, *wish)?;
                    event(SinkEvent::Recovered { right });
                }
                SinkCommand::Checkpoint(bytes) => self.checkpoint(bytes)?,
                SinkCommand::Finish => {
                    let length = self.finish()?;
                    self.part = None;
                    event(SinkEvent::Finished { length });
                }
                SinkCommand::Stop { keep } => {
                    self.stop(keep);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// After a failure: waits for the word whether the part shall be kept.
    fn drain(&mut self, queue: &Receiver<SinkCommand>) {
        while let Ok(command) = queue.recv() {
            if let SinkCommand::Stop { keep } = command {
                self.stop(keep);
                return;
            }
        }
    }

    fn checkpoint(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        let Some(part) = &self.part else {
            return Ok(());
        };
        let failed = |error: io::Error| fault::io("write", part.path(), &error);
        part.sync().map_err(failed)?;
        let part_len = part.len().map_err(failed)?;
        self.keep(|fetch| {
            fetch.part_len = part_len;
            fetch.checkpoint = Some(bytes);
        })
    }

    /// Puts the file in its place; that it is about to be is kept first, so that a kill between the two is understood.
    fn finish(&mut self) -> Result<u64, Failure> {
        let target = self.target();
        let Some(part) = &self.part else { return Ok(0) };
        let length = part
            .len()
            .map_err(|error| fault::io("look at", part.path(), &error))?;
        part.sync()
            .map_err(|error| fault::io("write", part.path(), &error))?;
        self.keep(|fetch| {
            fetch.part_len = length;
            fetch.finishing = Some(length);
        })?;
        let Some(part) = &self.part else { return Ok(0) };
        part.finish(&target)?;
        Ok(length)
    }

    fn stop(&mut self, keep: bool) {
        match self.part.take() {
            Some(part) if !keep => part.discard(),
            _ => {}
        }
    }

    fn target(&self) -> Target {
        self.record.fetch.as_ref().map_or_else(
            || Target {
                output: std::path::PathBuf::new(),
                overwrite: false,
            },
            |fetch| Target {
                output: fetch.output.clone(),
                overwrite: fetch.overwrite,
            },
        )
    }

    fn keep(&mut self, change: impl FnOnce(&mut FetchRecord)) -> Result<(), Failure> {
        if let Some(fetch) = &mut self.record.fetch {
            change(fetch);
        }
        self.files.update(&self.record).map_err(|error| {
            Failure::new(
                Code::Failed,
                format!("cannot keep how far the job is: {error}"),
            )
        })
    }
}

/// Decrypts leaves and writes them one after another.
fn write(
    part: &Part,
    first_leaf: u64,
    leaves: Vec<(Vec<u8>, BlockKey)>,
    last: bool,
) -> Result<(), Failure> {
    let failed = |error: io::Error| fault::io("write", part.path(), &error);
    let count = leaves.len();
    for (index, (mut leaf, key)) in leaves.into_iter().enumerate() {
        let offset = (first_leaf + index as u64)
            .checked_mul(u64::from(CHUNK_BYTES))
            .ok_or_else(not_a_file)?;
        open_leaf(&mut leaf, &key);
        if last && index + 1 == count {
            let length = unpad(&leaf).map_err(|_| not_a_file())?;
            part.write(leaf.get(..length).unwrap_or_default(), offset)
                .map_err(failed)?;
            part.set_len(offset + length as u64).map_err(failed)?;
        } else {
            part.write(&leaf, offset).map_err(failed)?;
        }
    }
    Ok(())
}

/// Recovers extents from the rest of their group and parity and writes them; false if the parity is of no use.
fn restore(part: &Part, wish: Recover) -> Result<bool, Failure> {
    let parity: Vec<(u64, Vec<Vec<u8>>)> = wish
        .parity
        .into_iter()
        .map(|(number, blocks)| (number, blocks.into_iter().map(opened).collect()))
        .collect();
    let is_last = |leaf: u64| leaf + 1 == wish.group.leaves;
    let mut read = |leaf: u64, block: &mut [u8]| {
        // Where the file ends is known if its last leaf is there; all before that are full.
        let length = if is_last(leaf) { part.len()? } else { u64::MAX };
        fill_leaf(length, leaf, block, &mut |offset, bytes| {
            part.read(bytes, offset)
        })
    };
    let mut write = |leaf: u64, plain: &[u8]| {
        let offset = leaf.saturating_mul(u64::from(CHUNK_BYTES));
        if !is_last(leaf) {
            return part.write(plain, offset);
        }
        let length = unpad(plain).map_err(io::Error::other)?;
        part.write(plain.get(..length).unwrap_or_default(), offset)?;
        part.set_len(offset.saturating_add(length as u64))
    };
    match recover(&wish.group, &wish.missing, &parity, &mut read, &mut write) {
        Ok(()) => Ok(true),
        Err(RecoverError::TooFew | RecoverError::Wrong) => Ok(false),
        Err(RecoverError::Access(error)) => Err(fault::io("write", part.path(), &error)),
    }
}

fn opened((mut block, key): (Vec<u8>, BlockKey)) -> Vec<u8> {
    open_leaf(&mut block, &key);
    block
}

fn not_a_file() -> Failure {
    Failure::new(
        Code::Failed,
        "what was published under this URN is not a whole file",
    )
}

#[cfg(test)]
#[path = "sink_tests.rs"]
mod tests;
