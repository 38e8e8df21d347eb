//! The `rpc` command as real processes: killed, frozen and restarted, calling or asking each
//! other, or reading captures.

mod decode;
mod environment;
mod interop;
mod menu;
mod probing;
mod process;
mod survival;
