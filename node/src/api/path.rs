//! Paths in JSON. A file name on Unix is bytes: a UTF-8 path is a JSON string, any other is `{"hex": "…"}` and comes
//! back byte for byte.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Shape {
    Text(String),
    Bytes { hex: String },
}

/// Serde's half for writing.
pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    let shape = match path.to_str() {
        Some(text) => Shape::Text(text.to_owned()),
        None => Shape::Bytes {
            hex: HEXLOWER_PERMISSIVE.encode(path.as_os_str().as_bytes()),
        },
    };
    shape.serialize(serializer)
}

/// Serde's half for reading.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(reader: D) -> Result<PathBuf, D::Error> {
    match Shape::deserialize(reader)? {
        Shape::Text(text) => Ok(PathBuf::from(text)),
        Shape::Bytes { hex } => HEXLOWER_PERMISSIVE
            .decode(hex.as_bytes())
            .map(|bytes| PathBuf::from(OsString::from_vec(bytes)))
            .map_err(|_| D::Error::custom("a path's hex is not hexadecimal")),
    }
}
