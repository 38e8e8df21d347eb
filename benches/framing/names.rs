//! What the contestants are called.

/// This workspace.
pub(crate) const OURS: &str = "ours";
/// `tokio_util`'s codec, with nothing in its frames.
pub(crate) const ALONE: &str = "LengthDelimited";
pub(crate) const BINCODE: &str = "bincode";
pub(crate) const POSTCARD: &str = "postcard";
pub(crate) const PROST: &str = "prost";
pub(crate) const BINPROT: &str = "binprot";
/// A copy of the bytes that ours consists of: the limit.
pub(crate) const COPY: &str = "memcpy";

/// All of them, in the order of the table's columns.
pub(crate) const ALL: [&str; 7] = [OURS, ALONE, BINCODE, POSTCARD, PROST, BINPROT, COPY];
