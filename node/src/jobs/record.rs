//! A job as it is kept on disk, before sealing: JSON, because its fields will grow.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::Job;

/// A job.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// As the user saw it last.
    pub(crate) job: Job,
    /// What a fetch needs to go on; `None` for a publication, and when nothing is left to go on with.
    #[serde(default)]
    pub(crate) fetch: Option<FetchRecord>,
}

/// What a fetch needs to go on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FetchRecord {
    /// The read capability.
    pub(crate) urn: String,
    /// The file to write.
    #[serde(with = "path")]
    pub(crate) output: PathBuf,
    /// Whether an existing one may be replaced.
    pub(crate) overwrite: bool,
    /// The incomplete file.
    #[serde(with = "path")]
    pub(crate) part: PathBuf,
    /// Its least length in bytes for the checkpoint to be true.
    pub(crate) part_len: u64,
    /// Whether fewer relays than the network asks for will do.
    #[serde(default)]
    pub(crate) fewer_hops: bool,
    /// What the core wants back.
    #[serde(default, with = "bytes", skip_serializing_if = "Option::is_none")]
    pub(crate) checkpoint: Option<Vec<u8>>,
    /// The incomplete file was complete, with this length, and was about to be put in its place.
    #[serde(default)]
    pub(crate) finishing: Option<u64>,
}

/// A path as the bytes it is.
mod path {
    use super::*;

    pub(super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(path.as_os_str().as_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        decode::<D>(&String::deserialize(from)?).map(|bytes| OsString::from_vec(bytes).into())
    }
}

mod bytes {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        bytes
            .as_ref()
            .map(|bytes| BASE64.encode(bytes))
            .serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        Option::<String>::deserialize(from)?
            .map(|text| decode::<D>(&text))
            .transpose()
    }
}

fn decode<'de, D: Deserializer<'de>>(text: &str) -> Result<Vec<u8>, D::Error> {
    BASE64
        .decode(text.as_bytes())
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::api::{JobKind, JobState};

    pub(crate) fn job(id: u64, state: JobState) -> Job {
        Job {
            id,
            kind: JobKind::Fetch,
            state,
            phase: String::new(),
            done_bytes: 0,
            total_bytes: None,
            speed: 0,
            title: "a song".into(),
            urn: None,
            output: None,
            failure: None,
            note: None,
            fetched_bytes: 0,
            parity_extents: None,
            resumed_bytes: 0,
            retries: 0,
            route: None,
        }
    }

    pub(crate) fn fetch(id: u64) -> Record {
        let fetch = FetchRecord {
            urn: "urn:eris:A".into(),
            output: OsString::from_vec(vec![b'/', 0xff, b'x']).into(),
            overwrite: false,
            fewer_hops: true,
            part: "/part".into(),
            part_len: 7,
            checkpoint: Some(vec![0, 255, 1]),
            finishing: None,
        };
        Record {
            job: job(id, JobState::Running),
            fetch: Some(fetch),
        }
    }

    #[test]
    fn a_record_reads_back_with_any_path_and_any_checkpoint() {
        for checkpoint in [None, Some(Vec::new()), Some(vec![0, 255, 1])] {
            let mut record = fetch(1);
            record.fetch.as_mut().unwrap().checkpoint = checkpoint;
            let text = serde_json::to_vec(&record).unwrap();
            assert!(serde_json::from_slice::<Record>(&text).unwrap() == record);
        }
    }

    #[test]
    fn a_record_of_an_earlier_version_goes_on_over_all_hops() {
        let mut value = serde_json::to_value(fetch(1)).unwrap();
        value["job"].as_object_mut().unwrap().remove("route");
        value["fetch"].as_object_mut().unwrap().remove("fewer_hops");
        let record: Record = serde_json::from_value(value).unwrap();
        assert!(record.job.route.is_none() && !record.fetch.unwrap().fewer_hops);
    }

    #[test]
    fn a_field_of_a_later_version_does_not_lose_a_job() {
        let mut value = serde_json::to_value(fetch(1)).unwrap();
        value["fetch"]["mood"] = "blue".into();
        assert!(serde_json::from_value::<Record>(value).unwrap() == fetch(1));
    }
}
