//! Golden vectors, recordings and scripted peers for tests.

pub mod golden;
pub mod recording;
