//! From a capture to lines about its messages.
//!
//! ```text
//! raw ────────┐
//! recording ──┼──► connections ──► rpc_wire::conversation ──► output: text or JSON
//! pcap ► tcp ─┘
//! ```

pub(crate) mod connections;
mod flows;
mod format;
pub(crate) mod input;
mod json;
mod line;
pub(crate) mod output;
pub(crate) mod payload;
pub(crate) mod pcap;
pub(crate) mod raw;
pub(crate) mod recording;
pub(crate) mod shapes;
mod tcp;
pub(crate) mod text;
