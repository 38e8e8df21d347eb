//! What the wire protocol promises, told by its users: golden vectors, recordings, every version,
//! the specification's own examples, properties.

mod arbitrary;
mod catalogue;
#[cfg(feature = "tokio-codec")]
mod codec;
mod conversation;
mod digests;
mod examples;
mod golden;
mod handshake;
mod hex;
mod hostile;
mod naive;
mod properties;
mod recordings;
mod versions;
