//! What Async_rpc connections do, for people who have to know.
//!
//! Each part is behind a feature, and none is on by default:
//!
//! | Feature | | |
//! |---|---|---|
//! | `tracing` | `Tracing` | a span for each call; caller and callee belong to one trace |
//! | `metrics` | `Metrics` | counters, gauges and histograms through the crate `metrics` |
//! | `events` | `EventHub` | a pipe RPC by which a server shows what it does, live |
//!
//! All of them listen to a connection's [tracing events](rpc_core::TracingEvent), which costs
//! nothing where nobody listens. Each is a value with a method `observe`, to be called in the
//! function that makes the state of a connection:
//!
//! ```
//! # #[cfg(feature = "metrics")]
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use rpc_core::{Implementations, Rpc, Server};
//! use rpc_observe::Metrics;
//!
//! static ECHO: Rpc<String, String> = Rpc::new("echo", 1);
//!
//! let implementations = Implementations::builder()
//!     .implement(&ECHO, |(): &(), text| async move { Ok(text) })
//!     .build()?;
//! let metrics = Metrics::new().implementing(implementations.descriptions());
//! let server = Server::builder(implementations, move |_peer, connection| {
//!     metrics.observe(connection);
//! });
//! # let _ = server;
//! # Ok(())
//! # }
//! # #[cfg(feature = "metrics")]
//! # example().unwrap();
//! ```
//!
//! `docs/observability.md` has the names of the metrics, a dashboard, and the trace of one call
//! across two processes.
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]
#![cfg_attr(
    not(all(feature = "tracing", feature = "metrics")),
    allow(dead_code, reason = "each feature uses a part of what they share")
)]

mod call;
#[cfg(feature = "events")]
mod events;
#[cfg(feature = "metrics")]
mod metrics;
mod open_calls;
#[cfg(feature = "tracing")]
mod span_context;
mod trace_context;
#[cfg(feature = "tracing")]
mod tracing;

#[cfg(feature = "metrics")]
pub use self::metrics::Metrics;
#[cfg(feature = "tracing")]
pub use self::tracing::Tracing;
pub use call::{Outcome, Side};
#[cfg(feature = "events")]
pub use events::{EVENTS, EventHub, Message, ServerEvent, Watching, What};
pub use trace_context::{TRACEPARENT_KEY, TraceContext, TraceContextError};
