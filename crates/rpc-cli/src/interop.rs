//! Both ends of the interoperability suite (`docs/spec/interop.md`), one to run against the other
//! end of any implementation.
//!
//! A case of the client is a function of a [`run::Run`]; [`cases::CASES`] lists them.

pub(crate) mod cases;
mod check;
pub(crate) mod client;
pub(crate) mod durable;
pub(crate) mod prices;
mod rpcs;
pub(crate) mod run;
pub(crate) mod server;
mod tap;
mod zoo;
