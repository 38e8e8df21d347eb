//! The `rpc` command as real processes: killed, frozen and restarted, calling each other,
//! asking each other, or reading captures.

mod decode;
mod environment;
mod interop;
mod menu;
mod process;
mod survival;
