//! Owned by the content half; being written.
