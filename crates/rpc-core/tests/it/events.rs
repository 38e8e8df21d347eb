//! Tracing events: what each side tells, in which order, and with which sizes (*rpcs* §15).

mod grammar;
mod listeners;
mod order;
mod plain;
mod streams;
mod two_ends;
