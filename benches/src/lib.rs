//! What the benchmarks have in common: the figures of repeated measurements.

mod spread;

pub use spread::{Spread, median};
