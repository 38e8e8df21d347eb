//! What the benchmarks have in common: what is measured, and the figures of it.

pub mod curve;
pub mod frames;
pub mod load;
pub mod memory;
pub mod record;
mod spread;

pub use spread::{Spread, median};
