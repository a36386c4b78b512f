//! What every store demands of its caller.
//!
//! Promises: lengths and counts beyond this point are within `limits`. A failure is a mistake in Oboro, since the node
//! has checked what came from strangers.
//!
//! Does not know: what is held.

use oboro_crypto::Reference;

use crate::error::CacheError;
use crate::limits::{CHUNK_LEN, DESCRIPTOR_LEN_MAX, ENTRY_LEN_MAX, EXTENT_CHUNKS_MAX};
use crate::store::{PutEntry, PutExtent};

/// Checks an extent's shape.
pub(crate) fn extent(put: &PutExtent) -> Result<(), CacheError> {
    let count = put.references.len();
    if count == 0 || count > EXTENT_CHUNKS_MAX {
        return Err(CacheError::Misuse("an extent has 1 to 32 chunks"));
    }
    if put.chunks.len() != count || put.chunks.iter().any(|chunk| chunk.len() != CHUNK_LEN) {
        return Err(CacheError::Misuse(
            "an extent has one chunk of 32 KiB for each reference",
        ));
    }
    Ok(())
}

/// Checks that what is put belongs to what is held at its location.
pub(crate) fn same_references(held: &[Reference], put: &[Reference]) -> Result<(), CacheError> {
    if held == put {
        Ok(())
    } else {
        Err(CacheError::Misuse(
            "a location belongs to one list of references",
        ))
    }
}

/// Checks the number of chunks asked for.
pub(crate) fn indexes(indexes: &[u8]) -> Result<(), CacheError> {
    if indexes.len() > EXTENT_CHUNKS_MAX {
        return Err(CacheError::Misuse("a read asks for at most 32 chunks"));
    }
    Ok(())
}

/// Checks an entry's length.
pub(crate) fn entry(put: &PutEntry) -> Result<(), CacheError> {
    if put.bytes.is_empty() || put.bytes.len() > ENTRY_LEN_MAX {
        return Err(CacheError::Misuse("an entry has 1 to 1280 bytes"));
    }
    Ok(())
}

/// Checks a descriptor's length.
pub(crate) fn descriptor(bytes: &[u8]) -> Result<(), CacheError> {
    if bytes.is_empty() || bytes.len() > DESCRIPTOR_LEN_MAX {
        return Err(CacheError::Misuse("a descriptor has 1 to 1024 bytes"));
    }
    Ok(())
}
