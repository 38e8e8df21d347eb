//! The `rpc` command.

mod host;
mod watch;

fn main() {}
