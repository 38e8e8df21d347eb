//! Values and subscriptions that survive lost connections.
//!
//! - [`Durable`] is a value that is rebuilt when somebody uses it and finds it broken: a
//!   connection that is made again.
//! - [`Subscription`] is one endless stream of events and data, made of as many streams as it
//!   takes: when one is lost, the consumer is told, and after a delay the next one begins with a
//!   fresh state. [`state`] makes them from state RPCs; [`subscribe`] from anything that can be
//!   dispatched.
//!
//! Nothing here sends anything of its own on the wire.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//!
//! use durable_rpc::{Durable, Event};
//! use rpc_core::{Client, Connection, Implementations, Server, StateRpc};
//!
//! static COUNT: StateRpc<(), i64, i64, String> = StateRpc::new("count", 1);
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let implementations = Implementations::builder()
//! #     .implement_state(&COUNT, |_: &(), ()| async { Ok(Ok((1, Numbers(vec![3, 2])))) })
//! #     .build()?;
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let server = Server::builder(implementations, |_, _| ()).serve(listener)?;
//! # let address = server.local_addr();
//! let connection = Durable::new(
//!     move || async move { Client::new().connect(address).await },
//!     Connection::is_closed,
//! );
//! let mut counts = durable_rpc::state::create(&COUNT, &connection, (), Duration::from_secs(1));
//! # let mut seen = Vec::new();
//! while let Some(event) = counts.next().await {
//!     match event {
//!         Event::State(n) => println!("begins at {n}"),
//!         Event::Update(n) => println!("is {n} now"),
//!         Event::LostConnection => println!("what follows may be outdated"),
//!         _ => {}
//!     }
//! #     seen.push(format!("{event:?}"));
//! #     if seen.len() == 6 { break }
//! }
//! # assert_eq!(seen[2..], ["State(1)", "Update(2)", "Update(3)", "LostConnection"]);
//! # Ok(())
//! # }
//! # struct Numbers(Vec<i64>);
//! # impl futures_core::Stream for Numbers {
//! #     type Item = i64;
//! #     fn poll_next(
//! #         mut self: std::pin::Pin<&mut Self>,
//! #         _: &mut std::task::Context<'_>,
//! #     ) -> std::task::Poll<Option<i64>> {
//! #         std::task::Poll::Ready(self.0.pop())
//! #     }
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]

mod clock;
mod config;
mod conflated;
mod dispatch;
mod durable;
mod endpoints;
mod event;
mod followed;
mod listeners;
mod lookup;
mod monitor;
pub mod persistent;
pub mod pipe;
mod random;
mod retry;
pub mod state;
mod subscription;
mod task;

pub use clock::{Clock, TokioClock};
pub use config::Config;
pub use conflated::{Conflated, Overflow};
pub use durable::{BuildError, Durable, Intactness};
pub use endpoints::{Endpoints, NoEndpoint};
pub use event::{AttemptError, Event};
pub use followed::{Applied, Current, CurrentRef, Followed, Freshness, SubscriptionEnded};
pub use listeners::Listening;
pub use lookup::{Dns, Lookup};
pub use monitor::{Interruption, Monitor, Stats, Status};
pub use persistent::PersistentConnection;
pub use retry::Retry;
pub use subscription::{Subscribed, Subscription, subscribe, subscribe_or_fail};
