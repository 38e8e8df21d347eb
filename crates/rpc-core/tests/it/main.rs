//! Connections against scripted peers, against recorded ones, and against each other.
//!
//! All of it but `sockets` runs in memory on a paused clock: time passes only when nothing else
//! can happen, and then at once.

mod auto_traits;
mod calls;
mod closing;
mod counters;
mod dropping;
mod events;
mod heartbeat;
mod hostile;
mod metadata;
mod misbehaving;
mod pair;
mod panics;
mod peer;
mod replay;
mod rpcs;
mod sockets;
mod source;
mod streams;
mod trace;
