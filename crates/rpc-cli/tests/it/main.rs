//! The `rpc` command as real processes that are killed, frozen and restarted.

mod process;
mod survival;
