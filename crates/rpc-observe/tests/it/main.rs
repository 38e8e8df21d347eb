//! What observers see of real connections, in memory and by a paused clock.
#![cfg(all(feature = "tracing", feature = "metrics", feature = "events"))]

mod ends;
mod events;
mod metrics;
mod spans;
mod tracing;
