//! Three releases of a small service, as `docs/versioning.md` tells of them, which quotes these
//! files.
//!
//! Each module stands for the source of one release, at its time; so it knows nothing of those
//! that come later, and what it has in common with others is the definitions of versions alone.
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]

pub mod release_1;
pub mod release_2;
pub mod release_3;
