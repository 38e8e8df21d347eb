//! Arguments of the commands that look at any server.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::Args;

use super::{Wire, milliseconds, wire};

/// Arguments of `rpc ping`.
#[derive(Debug, Args)]
pub(crate) struct Ping {
    /// The server: HOST:PORT.
    #[arg(value_name = "ADDR")]
    pub(crate) address: String,
    /// How often to ask.
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) count: NonZeroU64,
    /// Time between two queries, in milliseconds.
    #[arg(long, value_name = "MS", default_value = "1000", value_parser = milliseconds)]
    pub(crate) interval: Duration,
    /// Give up after this many milliseconds without an answer, or without a handshake.
    #[arg(long, value_name = "MS", default_value = "5000", value_parser = milliseconds)]
    pub(crate) timeout: Duration,
    /// The wire versions to offer. Default: all, or what the environment says.
    #[arg(long, value_name = "A-B", value_parser = wire)]
    pub(crate) wire: Option<Wire>,
    /// Print JSON, one object per line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `rpc events`.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// The server: HOST:PORT.
    #[arg(value_name = "ADDR")]
    pub(crate) address: String,
    /// Stop after this many events. Default: not until Ctrl-C.
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Print JSON, one object per line.
    #[arg(long)]
    pub(crate) json: bool,
}
