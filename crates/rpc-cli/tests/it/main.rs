//! The `rpc` command as real processes: killed, frozen and restarted, calling or looking at each
//! other, or reading captures.

mod decode;
mod environment;
mod interop;
mod probing;
mod process;
mod survival;
