//! The promises of the writer, with files encoded by the real encoder.

use std::path::Path;

use oboro_crypto::eris::{BlockSize, Capability, ConvergenceSecret, Encoder, Pair, open_node};
use oboro_crypto::hash::blake2b_256;
use oboro_crypto::ids::Reference;
use oboro_crypto::parity::{Missing, ParityStream, Scheme};
use oboro_crypto::secret::Secret;

use super::*;
use crate::content::FetchPlan;

/// What it takes to recover some extents of a file from its parity; `damage` alters a byte of it.
fn recovery(file: &File, extents: &[u64], damage: bool) -> SinkCommand {
    let length = file.content.len() as u64;
    let read = |offset: u64, bytes: &mut [u8]| {
        let at = offset as usize;
        bytes.copy_from_slice(&file.content[at..at + bytes.len()]);
        Ok(())
    };
    let mut parity = Vec::new();
    io::Read::read_to_end(&mut ParityStream::new(length, read).unwrap(), &mut parity).unwrap();
    parity[40_000] ^= u8::from(damage);
    let mut encoder = Encoder::new(&parity[..], BlockSize::Large, ConvergenceSecret::null());
    let (mut blocks, mut nodes) = (Vec::new(), Vec::new());
    while let Some(run) = encoder.next_run().unwrap() {
        match run.level {
            0 => blocks.extend(run.blocks),
            _ => nodes = run.blocks,
        }
    }
    let root = encoder.capability().unwrap();
    let pairs = open_node(&mut nodes[0], &root.key, 1, BlockSize::Large, true).unwrap();
    let keys = pairs.into_iter().map(|pair| pair.key);
    let mut all = blocks.into_iter().zip(keys);
    let parity = (0..extents.len() as u64).map(|number| (number, all.by_ref().take(32).collect()));
    let missing = extents.iter().map(|&extent| Missing {
        extent,
        pairs: file
            .leaves
            .iter()
            .skip(extent as usize * 32)
            .take(32)
            .map(|(block, key)| Pair {
                reference: Reference(blake2b_256(block)),
                key: key.duplicate(),
            })
            .collect(),
    });
    SinkCommand::Recover(Box::new(Recover {
        group: Scheme::of_content(length).unwrap().group(0).unwrap(),
        missing: missing.collect(),
        parity: parity.collect(),
    }))
}

#[test]
fn extents_that_never_came_are_recovered_from_the_rest_and_parity() {
    for gone in [vec![1], vec![0, 4], vec![3, 4]] {
        let file = File::new(4_500_000);
        let dir = tempfile::tempdir().unwrap();
        let mut running = start(dir.path(), &file);
        for extent in (0..5).filter(|extent| !gone.contains(extent)) {
            let first = extent as usize * 32;
            running.tell(file.write(first, file.leaves.len().min(first + 32)));
            running.written();
        }
        running.tell(recovery(&file, &gone, true));
        assert!(matches!(
            running.next(),
            SinkEvent::Recovered { right: false }
        ));
        running.tell(recovery(&file, &gone, false));
        assert!(matches!(
            running.next(),
            SinkEvent::Recovered { right: true }
        ));
        running.tell(SinkCommand::Finish);
        assert!(matches!(running.next(), SinkEvent::Finished { .. }));
        running.tell(SinkCommand::Stop { keep: false });
        running.end();
        assert!(
            std::fs::read(dir.path().join("out")).unwrap() == file.content,
            "{gone:?}"
        );
    }
}

/// A file as a fetch meets it: sealed leaves with their keys.
struct File {
    content: Vec<u8>,
    capability: Capability,
    leaves: Vec<(Vec<u8>, BlockKey)>,
}

impl File {
    /// At most 512 leaves, so that one node holds all keys.
    fn new(len: usize) -> Self {
        let content: Vec<u8> = (0..len).map(|i| (i % 249) as u8).collect();
        let secret = ConvergenceSecret::null();
        let mut encoder = Encoder::new(content.as_slice(), BlockSize::Large, secret);
        let (mut blocks, mut root) = (Vec::new(), Vec::new());
        while let Some(run) = encoder.next_run().unwrap() {
            match run.level {
                0 => blocks.extend(run.blocks),
                _ => root = run.blocks,
            }
        }
        let capability = encoder.capability().unwrap();
        let keys = match root.first_mut() {
            None => vec![capability.key.duplicate()],
            Some(root) => open_node(root, &capability.key, 1, BlockSize::Large, true)
                .unwrap()
                .into_iter()
                .map(|pair: Pair| pair.key)
                .collect(),
        };
        assert_eq!(keys.len(), blocks.len());
        let leaves = blocks.into_iter().zip(keys).collect();
        Self {
            content,
            capability,
            leaves,
        }
    }

    fn write(&self, from: usize, to: usize) -> SinkCommand {
        let leaves = self.leaves[from..to].iter();
        SinkCommand::Write {
            first_leaf: from as u64,
            leaves: leaves
                .map(|(block, key)| (block.clone(), key.duplicate()))
                .collect(),
            last: to == self.leaves.len(),
        }
    }
}

struct Running {
    sink: Sink,
    events: mpsc::Receiver<Event>,
    fault: Fault,
    files: Arc<JobFiles>,
    resume: Option<Vec<u8>>,
}

fn files(home: &Path) -> (Arc<JobFiles>, Vec<Record>) {
    std::fs::create_dir_all(home.join("jobs")).unwrap();
    let (files, records) = JobFiles::open(home.join("jobs"), Secret::from_bytes([1; 32])).unwrap();
    (Arc::new(files), records)
}

fn begin(files: Arc<JobFiles>, plan: FetchPlan) -> Running {
    let (answers, events) = mpsc::channel(64);
    let fault = Fault::default();
    let FetchPlan {
        part,
        record,
        resume,
        ..
    } = plan;
    let sink = Sink::start(part, record, Arc::clone(&files), answers, fault.clone()).unwrap();
    Running {
        sink,
        events,
        fault,
        files,
        resume,
    }
}

fn start(home: &Path, file: &File) -> Running {
    let (files, _) = files(home);
    let target = Target {
        output: home.join("out"),
        overwrite: false,
    };
    let plan = FetchPlan::new(&files, &file.capability.to_urn(), None, target, false).unwrap();
    begin(files, plan)
}

impl Running {
    fn tell(&self, command: SinkCommand) {
        assert!(self.sink.command(command));
    }

    fn next(&mut self) -> SinkEvent {
        match self.events.blocking_recv() {
            Some(Event::Sink { event, .. }) => event,
            _ => panic!("a sink answers with sink events"),
        }
    }

    fn written(&mut self) {
        assert!(matches!(self.next(), SinkEvent::Written { writes: 1 }));
    }

    fn end(self) -> Arc<JobFiles> {
        self.sink.close().join().unwrap();
        self.files
    }
}

fn names(home: &Path) -> Vec<String> {
    let all = std::fs::read_dir(home).unwrap();
    let mut names: Vec<_> = all
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.retain(|name| name != "jobs");
    names
}

#[test]
fn leaves_in_any_order_become_the_file() {
    for len in [0, 1, 32_767, 32_768, 1_000_000] {
        let home = tempfile::tempdir().unwrap();
        let file = File::new(len);
        let mut running = start(home.path(), &file);
        let count = file.leaves.len();
        for from in (0..count).step_by(4).rev() {
            running.tell(file.write(from, count.min(from + 4)));
            running.written();
        }
        assert_ne!(names(home.path()), ["out"]);
        running.tell(SinkCommand::Finish);
        let SinkEvent::Finished { length } = running.next() else {
            panic!("it is complete")
        };
        assert_eq!(length, len as u64);
        running.tell(SinkCommand::Stop { keep: false });
        running.end();
        assert!(
            std::fs::read(home.path().join("out")).unwrap() == file.content,
            "{len}"
        );
        assert_eq!(names(home.path()), ["out"]);
    }
}

#[test]
fn what_was_written_before_a_checkpoint_is_there_when_the_job_is_resumed() {
    let home = tempfile::tempdir().unwrap();
    let file = File::new(1_000_000);
    let mut running = start(home.path(), &file);
    running.tell(file.write(0, 20));
    running.written();
    running.tell(SinkCommand::Checkpoint(vec![42]));
    running.tell(file.write(20, 22));
    running.written();
    drop(running.end());

    let (files, mut records) = files(home.path());
    let crate::content::Resumed::Fetch(plan) = FetchPlan::resume(&files, records.remove(0)) else {
        panic!("it goes on")
    };
    let mut running = begin(files, *plan);
    assert_eq!(running.resume, Some(vec![42]));
    running.tell(file.write(20, file.leaves.len()));
    running.written();
    running.tell(SinkCommand::Finish);
    assert!(matches!(
        running.next(),
        SinkEvent::Finished { length: 1_000_000 }
    ));
    running.end();
    assert!(std::fs::read(home.path().join("out")).unwrap() == file.content);
}

#[test]
fn a_stopped_fetch_leaves_its_part_only_if_it_may_be_resumed() {
    for keep in [true, false] {
        let home = tempfile::tempdir().unwrap();
        let file = File::new(100_000);
        let mut running = start(home.path(), &file);
        running.tell(file.write(0, 2));
        running.written();
        running.tell(SinkCommand::Stop { keep });
        running.end();
        assert_eq!(names(home.path()).len(), usize::from(keep));
    }
}

#[test]
fn an_output_that_came_to_be_meanwhile_fails_the_job_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    let file = File::new(10);
    let mut running = start(home.path(), &file);
    running.tell(file.write(0, 1));
    running.written();
    std::fs::write(home.path().join("out"), b"mine").unwrap();
    running.tell(SinkCommand::Finish);
    assert!(matches!(running.next(), SinkEvent::Failed));
    assert_eq!(running.fault.get().unwrap().code, Code::Exists);
    running.tell(SinkCommand::Stop { keep: true });
    running.end();
    assert_eq!(std::fs::read(home.path().join("out")).unwrap(), b"mine");
    assert_eq!(
        names(home.path()).len(),
        2,
        "what was fetched is kept beside it"
    );
}

#[test]
fn a_last_leaf_without_padding_is_no_file() {
    let home = tempfile::tempdir().unwrap();
    let file = File::new(100_000);
    let mut running = start(home.path(), &file);
    let SinkCommand::Write { leaves, .. } = file.write(0, 1) else {
        panic!("a write")
    };
    running.tell(SinkCommand::Write {
        first_leaf: 0,
        leaves,
        last: true,
    });
    assert!(matches!(running.next(), SinkEvent::Failed));
    running.tell(SinkCommand::Stop { keep: false });
    running.end();
    assert!(names(home.path()).is_empty());
}

#[test]
fn a_leaf_number_beyond_all_files_fails_the_job() {
    let home = tempfile::tempdir().unwrap();
    let file = File::new(100_000);
    let mut running = start(home.path(), &file);
    let SinkCommand::Write { leaves, last, .. } = file.write(0, 1) else {
        panic!("a write")
    };
    running.tell(SinkCommand::Write {
        first_leaf: u64::MAX,
        leaves,
        last,
    });
    assert!(matches!(running.next(), SinkEvent::Failed));
}

#[test]
fn a_full_disk_fails_the_job_with_that_reason() {
    // The system's own full disk: writing to it always fails.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(_) = full else { return };
    let home = tempfile::tempdir().unwrap();
    let file = File::new(10);
    let (files, _) = files(home.path());
    let target = Target {
        output: home.path().join("out"),
        overwrite: false,
    };
    let mut plan = FetchPlan::new(&files, &file.capability.to_urn(), None, target, false).unwrap();
    plan.part = Part::full_disk(home.path().join("full"));
    let mut running = begin(files, plan);
    running.tell(file.write(0, 1));
    assert!(matches!(running.next(), SinkEvent::Failed));
    assert_eq!(running.fault.get().unwrap().code, Code::DiskFull);
}
