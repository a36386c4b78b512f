//! The shapes other programs rely on.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::json;

use super::{
    Code, Failure, FetchRequest, Job, JobKind, JobState, PublishRequest, SearchRequest,
    SearchResults, Status,
};

#[test]
fn a_failure_has_fixed_json() {
    let failure = Failure::new(Code::NotRunning, "no node answers").hint("oboro start");
    let expected = json!({"code": "not_running", "exit": 10, "message": "no node answers", "hint": "oboro start"});
    assert_eq!(serde_json::to_value(failure).unwrap(), expected);
}

#[test]
fn a_code_of_a_newer_version_keeps_its_exit() {
    let text = r#"{"code":"out_of_cheese","exit":77,"message":"m","added":true}"#;
    let failure: Failure = serde_json::from_str(text).unwrap();
    assert_eq!((failure.code, failure.exit), (Code::Unknown, 77));
}

#[test]
fn every_code_is_listed_once() {
    let names: Vec<String> = Code::ALL
        .iter()
        .map(|code| serde_json::to_string(code).unwrap())
        .collect();
    let mut unique = names.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
}

#[test]
fn debug_keeps_quiet_about_content() {
    let job = Job {
        id: 1,
        kind: JobKind::Fetch,
        state: JobState::Failed,
        phase: "fetching".into(),
        done_bytes: 0,
        total_bytes: None,
        speed: 0,
        title: "SENSITIVE".into(),
        urn: Some("SENSITIVE".into()),
        output: Some("SENSITIVE".into()),
        failure: Some(Failure::new(Code::Failed, "SENSITIVE")),
        note: Some("SENSITIVE".into()),
        fetched_bytes: 0,
        parity_extents: None,
        resumed_bytes: 0,
        retries: 0,
        route: None,
    };
    assert!(!format!("{job:?}{:?}", job.failure).contains("SENSITIVE"));
}

#[test]
fn a_wish_for_fewer_hops_is_sent_only_if_there_is_one_so_that_an_older_node_is_not_confused() {
    let old = r#"{"words":["a"],"timeout_ms":1}"#;
    let mut request: SearchRequest = serde_json::from_str(old).unwrap();
    assert!(!request.fewer_hops);
    assert_eq!(serde_json::to_string(&request).unwrap(), old);
    request.fewer_hops = true;
    let new = r#"{"words":["a"],"timeout_ms":1,"fewer_hops":true}"#;
    assert_eq!(serde_json::to_string(&request).unwrap(), new);
    assert!(serde_json::from_str::<SearchRequest>(new).unwrap() == request);
}

#[test]
fn answers_of_a_version_without_circuits_are_read() {
    let mut status = serde_json::to_value(Status::default()).unwrap();
    let fields = status.as_object_mut().unwrap();
    for later in [
        "node_id",
        "guard",
        "circuits_ready",
        "relays",
        "relays_missing",
    ] {
        assert!(fields.remove(later).is_some(), "{later}");
    }
    assert_eq!(
        serde_json::from_value::<Status>(status).unwrap(),
        Status::default()
    );
    let results = json!({"hits": [], "complete": true, "asked": 4, "answered": 4});
    let results: SearchResults = serde_json::from_value(results).unwrap();
    assert_eq!(results.route, None);
}

#[test]
fn a_misspelt_request_field_is_an_error_and_not_a_default() {
    let text = r#"{"path":"/a","convergant":true}"#;
    assert!(serde_json::from_str::<PublishRequest>(text).is_err());
}

proptest! {
    #[test]
    fn any_path_comes_back_byte_for_byte(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let request = FetchRequest {
            urn: None,
            n: Some(1),
            title: None,
            output: PathBuf::from(OsString::from_vec(bytes)),
            overwrite: false,
            fewer_hops: false,
        };
        let text = serde_json::to_string(&request).unwrap();
        prop_assert_eq!(serde_json::from_str::<FetchRequest>(&text).unwrap(), request);
    }
}
