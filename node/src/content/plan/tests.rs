//! Preparing jobs, and taking them up again.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use oboro_crypto::eris::{BlockKey, BlockSize};
use oboro_crypto::ids::Reference;
use oboro_crypto::secret::Secret;

use super::*;

fn open(home: &Path) -> (JobFiles, Vec<Record>) {
    let dir = home.join("jobs");
    std::fs::create_dir_all(&dir).unwrap();
    JobFiles::open(dir, Secret::from_bytes([3; 32])).unwrap()
}

fn urn() -> String {
    let (root, key) = (Reference([1; 32]), BlockKey::from_bytes([2; 32]));
    Capability {
        block_size: BlockSize::Large,
        level: 1,
        root,
        key,
    }
    .to_urn()
}

fn target(home: &Path) -> Target {
    Target {
        output: home.join("out"),
        overwrite: false,
    }
}

fn parts(home: &Path) -> usize {
    let names = std::fs::read_dir(home)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().ends_with("part"))
        .count()
}

/// A fetch that got as far as a checkpoint when the node was killed.
fn killed(home: &Path) -> PathBuf {
    let (files, _) = open(home);
    let mut plan = FetchPlan::new(&files, &urn(), None, target(home), true).unwrap();
    plan.part.write(&[7; 100], 0).unwrap();
    let fetch = plan.record.fetch.as_mut().unwrap();
    (fetch.part_len, fetch.checkpoint) = (100, Some(vec![1, 2, 3]));
    files.update(&plan.record).unwrap();
    plan.part.path().to_owned()
}

fn resume(home: &Path) -> Resumed {
    let (files, mut records) = open(home);
    FetchPlan::resume(&files, records.remove(0))
}

#[test]
fn a_killed_fetch_goes_on_from_its_checkpoint() {
    let home = tempfile::tempdir().unwrap();
    let part = killed(home.path());
    let Resumed::Fetch(plan) = resume(home.path()) else {
        panic!("it goes on")
    };
    assert_eq!(plan.resume, Some(vec![1, 2, 3]));
    assert_eq!(plan.part.path(), part);
    assert!(plan.record.fetch.unwrap().fewer_hops);
}

#[test]
fn a_fetch_whose_part_was_cut_or_removed_begins_again() {
    for cut in [true, false] {
        let home = tempfile::tempdir().unwrap();
        let part = killed(home.path());
        if cut {
            std::fs::write(&part, [7; 99]).unwrap();
        } else {
            std::fs::remove_file(&part).unwrap();
        }
        let Resumed::Fetch(plan) = resume(home.path()) else {
            panic!("it goes on")
        };
        assert_eq!(plan.resume, None);
        let fetch = plan.record.fetch.unwrap();
        assert!(fetch.part == plan.part.path() && fetch.checkpoint.is_none());
    }
}

#[test]
fn a_fetch_killed_after_its_file_was_put_in_place_is_done() {
    let home = tempfile::tempdir().unwrap();
    let part = killed(home.path());
    let (files, mut records) = open(home.path());
    let mut record = records.remove(0);
    files.resume(record.job.id, &target(home.path()).output);
    record.fetch.as_mut().unwrap().finishing = Some(100);
    files.update(&record).unwrap();
    std::fs::rename(part, home.path().join("out")).unwrap();
    let Resumed::Ended(job) = resume(home.path()) else {
        panic!("it has ended")
    };
    assert!(job.state == JobState::Done && job.done_bytes == 100);
}

#[test]
fn a_killed_publication_says_that_it_was_interrupted() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("file");
    std::fs::write(&path, b"content").unwrap();
    let request = PublishRequest {
        path,
        title: None,
        keywords: None,
        convergent: false,
        fewer_hops: false,
    };
    PublishPlan::new(&open(home.path()).0, &request).unwrap();
    let Resumed::Ended(job) = resume(home.path()) else {
        panic!("it has ended")
    };
    assert_eq!(job.failure.unwrap().code, Code::Interrupted);
}

#[test]
fn a_fetch_that_failed_is_gone_on_with_when_it_is_asked_for_again() {
    let home = tempfile::tempdir().unwrap();
    let part = killed(home.path());
    let (files, mut records) = open(home.path());
    files
        .settle(&ended(records.remove(0).job, None), true)
        .unwrap();
    let plan = FetchPlan::new(&files, &urn(), None, target(home.path()), false).unwrap();
    assert_eq!(
        (plan.resume, plan.part.path()),
        (Some(vec![1, 2, 3]), part.as_path())
    );
    assert_eq!(parts(home.path()), 1);
    // What the user allowed then he need not allow now.
    assert!(!plan.record.fetch.unwrap().fewer_hops);
}

#[test]
fn what_cannot_be_written_or_fetched_fails_before_anything_exists() {
    let home = tempfile::tempdir().unwrap();
    let (files, _) = open(home.path());
    let code = |urn: &str, output: PathBuf| {
        let target = Target {
            output,
            overwrite: false,
        };
        FetchPlan::new(&files, urn, None, target, false)
            .err()
            .map(|failure| failure.code)
    };
    std::fs::write(home.path().join("taken"), b"mine").unwrap();
    assert_eq!(code(&urn(), home.path().join("taken")), Some(Code::Exists));
    assert_eq!(
        code("urn:eris:AAAA", home.path().join("out")),
        Some(Code::BadInput)
    );
    // Nobody, not even root, makes files there.
    assert!(code(&urn(), "/proc/oboro-out".into()).is_some());
    assert_eq!(parts(home.path()), 0);
    assert_eq!(open(home.path()).1.len(), 0);
}

#[test]
fn two_fetches_do_not_write_the_same_file() {
    let home = tempfile::tempdir().unwrap();
    let (files, _) = open(home.path());
    let _first = FetchPlan::new(&files, &urn(), None, target(home.path()), false).unwrap();
    let second = FetchPlan::new(&files, &urn(), None, target(home.path()), false);
    assert_eq!(second.err().map(|failure| failure.code), Some(Code::Exists));
}

fn published(name: &OsStr, title: Option<&str>, keywords: Option<&[&str]>) -> PublishPlan {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(name);
    std::fs::write(&path, b"").unwrap();
    let request = PublishRequest {
        path,
        title: title.map(str::to_owned),
        keywords: keywords.map(|all| all.iter().map(|&word| word.to_owned()).collect()),
        convergent: false,
        fewer_hops: false,
    };
    PublishPlan::new(&open(home.path()).0, &request).unwrap()
}

fn texts(terms: &[Term]) -> Vec<&str> {
    terms.iter().map(Term::as_str).collect()
}

#[test]
fn a_file_is_found_by_its_name_unless_keywords_are_given() {
    let plan = published(OsStr::new("Spring Song.ogg"), None, None);
    assert_eq!(plan.title, "Spring Song.ogg");
    assert!(texts(&plan.terms).contains(&"spring") && plan.extra.is_empty());
    let plan = published(OsStr::new("x1.ogg"), Some("Spring Song"), Some(&["music"]));
    assert!(texts(&plan.terms).contains(&"music") && texts(&plan.terms).contains(&"song"));
    assert!(!texts(&plan.terms).contains(&"ogg"));
    assert_eq!(texts(&plan.extra), ["music"]);
}

#[test]
fn a_name_that_is_not_text_has_a_title_all_the_same() {
    let plan = published(OsStr::from_bytes(b"caf\xff noir\n.txt"), None, None);
    assert_eq!(plan.title, "caf\u{fffd} noir .txt");
    assert!(texts(&plan.terms).contains(&"noir"));
    assert_eq!(published(OsStr::new("\n"), None, None).title, UNTITLED);
}

#[test]
fn a_long_title_is_cut_and_what_was_cut_off_still_finds_it() {
    let long = format!("{} 終わり", "春の歌".repeat(50));
    let plan = published(OsStr::new("f"), Some(&long), Some(&[]));
    assert!(plan.title.len() <= 400 && plan.title.len() > 390);
    assert!(
        texts(&plan.extra).contains(&"終わ"),
        "{:?}",
        texts(&plan.extra)
    );
}
