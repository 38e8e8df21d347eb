//! Connections against scripted peers, against recorded ones, and against each other.
//!
//! All of it but `sockets` runs in memory on a paused clock: time passes only when nothing else
//! can happen, and then at once.

mod authorization;
mod auto_traits;
mod callback;
mod calls;
mod catalogue;
mod closing;
mod counters;
mod counting;
mod definitions;
mod direct_writer;
mod dispatch_all;
mod dispatching;
mod dropping;
mod events;
mod exceptions;
mod expert;
mod expert_dispatch;
mod general_error;
mod giving_way;
mod group;
mod handshake;
mod heartbeat;
mod hostile;
mod lifting;
mod limits;
mod logs;
mod mapped;
mod memory;
mod metadata;
mod misbehaving;
mod one_way;
mod pair;
mod panics;
mod payload;
mod peer;
mod proxy;
mod push_back;
mod query_runs;
mod replay;
mod rpcs;
mod serving;
mod sockets;
mod source;
mod streams;
mod table;
mod trace;
mod undecodable;
mod unknown;
