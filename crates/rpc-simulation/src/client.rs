//! The side under test: durable values, and consumers of the subscriptions through them.

mod connecting;
mod consumer;
mod form;

pub use connecting::{DurableValue, Making};
pub use consumer::{Command, Consumer};
