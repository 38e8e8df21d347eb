//! Persistent connections (*durable* §4).

mod cycle;
mod endpoints;
mod exchange;
mod logging;
mod rpcs;
mod stopping;
mod using;
