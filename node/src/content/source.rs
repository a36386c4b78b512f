//! A file being published: read from its beginning, encoded one run ahead of what is asked for; then read again for its
//! parity, column by column.
//!
//! Promises: memory for two runs (2 MiB) and the parity of one group (18 MiB) whatever the file's size; a file that
//! changes while it is read fails the job, so that what was published is what was there.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use oboro_core::Event;
use oboro_core::action::SourceCommand;
use oboro_core::event::SourceEvent;
use oboro_core::ids::JobId;
use oboro_crypto::eris::{BlockSize, Capability, ConvergenceSecret, Encoder, Run};
use oboro_crypto::parity::ParityStream;
use rustix::fs::OFlags;
use tokio::sync::mpsc;

use super::Fault;
use crate::api::{Code, Failure};
use crate::{chance, fault};

/// Commands waiting: more than the core ever asks for ahead. Beyond it the job fails.
const COMMANDS_MAX: usize = 64;

/// A file that can be published.
pub(crate) struct SourceFile {
    path: PathBuf,
    file: File,
    before: Print,
}

/// By what a change of a file is noticed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Print {
    size: u64,
    modified: (i64, i64),
}

impl Print {
    fn of(meta: &Metadata) -> Self {
        Self {
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        }
    }
}

impl SourceFile {
    /// Opens a file; anything but a regular file is refused without waiting for it.
    ///
    /// # Errors
    /// [`Code::NoSuch`], [`Code::Usage`] for what is no file, [`Code::Failed`] if it can't be read.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| fault::io("read", path, &error);
        // A named pipe would make opening wait for its other end.
        let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or(0);
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(path)
            .map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() {
            let message = format!("{} is not a regular file", path.display());
            return Err(Failure::new(Code::Usage, message));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            before: Print::of(&meta),
        })
    }

    /// Its size in bytes when it was opened.
    pub(crate) fn size(&self) -> u64 {
        self.before.size
    }
}

/// A running encoder.
pub(crate) struct Source {
    commands: SyncSender<SourceCommand>,
    thread: JoinHandle<()>,
}

impl Source {
    /// Starts to encode. What comes of it goes to `answers`, which may make the thread wait.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn start(
        job: JobId,
        source: SourceFile,
        secret: ConvergenceSecret,
        answers: mpsc::Sender<Event>,
        fault: Fault,
    ) -> io::Result<Self> {
        let (commands, queue) = sync_channel(COMMANDS_MAX);
        let thread = std::thread::Builder::new()
            .name("oboro-source".into())
            .spawn(move || {
                let event = |event| answers.blocking_send(Event::Source { job, event }).is_ok();
                if let Err(failure) = encode(source, secret, &queue, &event) {
                    // Told once, by this thread.
                    let _ = fault.set(failure);
                    event(SourceEvent::Failed);
                }
            })?;
        Ok(Self { commands, thread })
    }

    /// Passes on a command; `false` if it can't be taken.
    pub(crate) fn command(&self, command: SourceCommand) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// Lets the thread end; it can be waited for.
    pub(crate) fn close(self) -> JoinHandle<()> {
        self.thread
    }
}

/// Hands over run after run, each encoded while the one before is on its way, then the end; then the same of the parity.
fn encode(
    source: SourceFile,
    secret: ConvergenceSecret,
    queue: &Receiver<SourceCommand>,
    event: &dyn Fn(SourceEvent) -> bool,
) -> Result<(), Failure> {
    let SourceFile { path, file, before } = source;
    let failed = |error: io::Error| fault::io("read", &path, &error);
    let changed = || {
        let message = format!("{} changed while it was being published", path.display());
        Failure::new(Code::Failed, message).hint("publish it again when nothing writes to it")
    };
    let is_as_before = || file.metadata().map(|meta| Print::of(&meta) == before);
    // A file that grows for ever is read no further than to notice it.
    let reader = (&file).take(before.size.saturating_add(1));
    let ended = hand_over(reader, secret, queue, &|run| event(SourceEvent::Run(run)));
    let Some((capability, length)) = ended.map_err(failed)? else {
        return Ok(());
    };
    if length != before.size || !is_as_before().map_err(failed)? {
        return Err(changed());
    }
    if !wanted(queue) || !event(SourceEvent::End { capability, length }) {
        return Ok(());
    }
    let read_at = |offset, bytes: &mut [u8]| file.read_exact_at(bytes, offset);
    let Some(parity) = ParityStream::new(length, read_at) else {
        return Ok(());
    };
    let secret = ConvergenceSecret::random(&mut chance::generator()?);
    let ended = hand_over(parity, secret, queue, &|run| {
        event(SourceEvent::ParityRun(run))
    });
    let ended = match ended {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(changed()),
        other => other.map_err(failed)?,
    };
    if !is_as_before().map_err(failed)? {
        return Err(changed());
    }
    if let Some((capability, length)) = ended
        && wanted(queue)
    {
        event(SourceEvent::ParityEnd { capability, length });
    }
    Ok(())
}

/// Hands over run after run of what is read; its capability and length, or none if no more is wanted.
fn hand_over(
    reader: impl Read,
    secret: ConvergenceSecret,
    queue: &Receiver<SourceCommand>,
    event: &dyn Fn(Run) -> bool,
) -> io::Result<Option<(Capability, u64)>> {
    let mut encoder = Encoder::new(reader, BlockSize::Large, secret);
    while let Some(run) = encoder.next_run()? {
        if !wanted(queue) || !event(run) {
            return Ok(None);
        }
    }
    let length = encoder.content_len();
    Ok(encoder.capability().map(|capability| (capability, length)))
}

/// Waits until the next run is wanted, or nothing more is.
fn wanted(queue: &Receiver<SourceCommand>) -> bool {
    matches!(queue.recv(), Ok(SourceCommand::Next))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use oboro_crypto::eris::decode;

    use super::*;

    struct Running {
        source: Source,
        events: mpsc::Receiver<Event>,
        fault: Fault,
    }

    fn start(path: &Path) -> Running {
        let (answers, events) = mpsc::channel(8);
        let fault = Fault::default();
        let file = SourceFile::open(path).unwrap();
        let secret = ConvergenceSecret::null();
        let source = Source::start(JobId(1), file, secret, answers, fault.clone()).unwrap();
        Running {
            source,
            events,
            fault,
        }
    }

    impl Running {
        /// What comes of asking for the next run; a failure comes without being asked for.
        fn next(&mut self) -> SourceEvent {
            self.source.command(SourceCommand::Next);
            match self.events.blocking_recv() {
                Some(Event::Source { event, .. }) => event,
                _ => panic!("a source answers with source events"),
            }
        }

        fn all(&mut self) -> Result<(Vec<Run>, Capability, u64), ()> {
            let mut runs = Vec::new();
            loop {
                match self.next() {
                    SourceEvent::Run(run) => runs.push(run),
                    SourceEvent::End { capability, length } => {
                        return Ok((runs, capability, length));
                    }
                    SourceEvent::Failed => return Err(()),
                    _ => panic!("parity comes after the end"),
                }
            }
        }

        fn parity(&mut self) -> Result<(Vec<Run>, Capability, u64), ()> {
            let mut runs = Vec::new();
            loop {
                match self.next() {
                    SourceEvent::ParityRun(run) => runs.push(run),
                    SourceEvent::ParityEnd { capability, length } => {
                        return Ok((runs, capability, length));
                    }
                    SourceEvent::Failed => return Err(()),
                    _ => panic!("after the end there is parity only"),
                }
            }
        }
    }

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 253) as u8).collect()
    }

    #[test]
    fn a_file_becomes_runs_that_decode_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for len in [0, 1, 32_767, 32_768, 3_000_000] {
            std::fs::write(&path, content(len)).unwrap();
            let (runs, capability, length) = start(&path).all().unwrap();
            assert_eq!(length, len as u64);
            let blocks: std::collections::BTreeMap<_, _> = runs
                .into_iter()
                .flat_map(|run| run.references.into_iter().zip(run.blocks))
                .collect();
            let mut out = Vec::new();
            let mut fetch =
                |reference: &_| Ok::<_, std::convert::Infallible>(blocks[reference].clone());
            decode(&capability, &mut fetch, &mut out).unwrap();
            assert!(out == content(len));
        }
    }

    #[test]
    fn after_a_file_of_several_extents_comes_its_parity() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, content(4_000_000)).unwrap();
        let mut running = start(&path);
        running.all().unwrap();
        let (runs, capability, length) = running.parity().unwrap();
        let scheme = oboro_crypto::parity::Scheme::of_content(4_000_000).unwrap();
        assert_eq!(length, scheme.parity_length());
        assert_eq!(capability.level, BlockSize::Large.level_for(length));
        assert_eq!(runs.iter().filter(|run| run.level == 0).count(), 5);
        let mut again = start(&path);
        again.all().unwrap();
        let other = again.parity().unwrap().1;
        assert!(other.root != capability.root, "its secret is its own");
    }

    #[test]
    fn a_file_that_changes_before_its_parity_is_read_fails_the_job() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, content(4_000_000)).unwrap();
        let mut running = start(&path);
        running.all().unwrap();
        std::fs::write(&path, content(3_900_000)).unwrap();
        assert!(running.parity().is_err());
        assert!(running.fault.get().unwrap().message.contains("changed"));
    }

    #[test]
    fn a_file_cut_short_while_it_is_read_fails_the_job_and_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, content(8 << 20)).unwrap();
        let mut running = start(&path);
        assert!(matches!(running.next(), SourceEvent::Run(_)));
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(4 << 20)
            .unwrap();
        assert!(running.all().is_err());
        assert!(running.fault.get().unwrap().message.contains("changed"));
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_fails_the_job() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, content(4 << 20)).unwrap();
        let mut running = start(&path);
        assert!(matches!(running.next(), SourceEvent::Run(_)));
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"more")
            .unwrap();
        assert!(running.all().is_err());
    }

    #[test]
    fn a_stopped_source_ends_without_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, content(1 << 20)).unwrap();
        let mut running = start(&path);
        assert!(running.source.command(SourceCommand::Stop));
        running.source.close().join().unwrap();
        assert!(running.events.blocking_recv().is_none());
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let code = |path: &Path| SourceFile::open(path).err().map(|failure| failure.code);
        assert_eq!(code(dir.path()), Some(Code::Usage));
        assert_eq!(code(Path::new("/dev/zero")), Some(Code::Usage));
        assert_eq!(code(&dir.path().join("absent")), Some(Code::NoSuch));
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        assert_eq!(code(&pipe), Some(Code::Usage));
    }
}
