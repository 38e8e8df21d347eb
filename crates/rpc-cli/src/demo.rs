//! What `rpc demo` is made of: a server process, a network path to it that can be cut, the faults
//! that happen to both, and the table of what each looked like.
//!
//! ```text
//! view ── durable subscription ──► path (a proxy in this process) ──► server (a child process)
//!   └── looks the address up in the directory before each attempt
//! ```

pub(crate) mod fault;
pub(crate) mod path;
pub(crate) mod report;
pub(crate) mod server;
pub(crate) mod stage;
pub(crate) mod story;
