//! The files of golden vectors and recordings, for the conformance runner and for tests.

pub mod golden;
pub mod recording;
pub mod wording;
