//! Watching a host from elsewhere: what a subscription tells, folded into what a person sees.
//!
//! Knows nothing of RPCs, connections or clocks: events and the time come in as arguments.

pub(crate) mod event;
pub(crate) mod history;
pub(crate) mod monitor;
pub(crate) mod plain;
pub(crate) mod summary;
pub(crate) mod terminal;
pub(crate) mod text;
pub(crate) mod units;
