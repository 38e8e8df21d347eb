//! The `rpc` command as real processes: killed, frozen and restarted, or reading captures.

mod decode;
mod process;
mod survival;
