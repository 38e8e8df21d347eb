//! What durable values and durable subscriptions promise, told by their users.
//!
//! The clock is paused in every test: a time that is asserted is exact, and "for a long time" is
//! free.

mod attempts;
mod auto_traits;
mod cancelling;
mod checked;
mod closing;
mod conflation;
mod dispatched;
mod durable_value;
mod endless;
mod events;
mod failures;
mod following;
mod herd;
mod intactness;
mod link;
mod log;
mod monitoring;
mod or_fail;
mod persistent;
mod pipes;
mod policies;
mod pushing_back;
mod races;
mod random;
mod server;
mod set_by_hand;
mod slow_consumer;
mod versioned;
mod workshop;
