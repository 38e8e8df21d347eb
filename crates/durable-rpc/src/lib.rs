//! Values, subscriptions and connections that survive lost connections.
//!
//! | | is made again when | and gives the user |
//! |---|---|---|
//! | [`Durable`] | somebody uses it and finds it broken | a result for each use |
//! | [`Subscription`] | its stream ends, or cannot be made | one endless stream of events and data |
//! | [`Followed`] | likewise | the present state, and whether it is |
//! | [`PersistentConnection`] | the connection ends, at once | a connection to wait for |
//!
//! A durable subscription runs on a durable value that holds a connection: it is made of as many
//! streams as it takes. When one is lost, the consumer is told, and after a delay the next one
//! begins with a fresh state. [`state`] and [`pipe`] make them from RPCs of one version or of many;
//! [`subscribe`] from anything that can be dispatched. Nothing here sends anything of its own on
//! the wire.
//!
//! # Compared with `Async_durable` and `Persistent_connection`
//!
//! What the reference has is here with its behaviour, but for two things: a subscription is driven by
//! its consumer, so that nothing happens and no event piles up while nobody reads (decision 7), and
//! closing it during a dispatch drops the dispatch (decision 23). What it does not have is off unless
//! it is asked for:
//!
//! | | the reference | beside it |
//! |---|---|---|
//! | delay before an attempt | fixed | [`Retry::exponential`], with full jitter and a cap |
//! | end of the attempts | never | [`Retry::give_up_after`] |
//! | a stream that says nothing | is as good as any | [`Config::silence_limit`] |
//! | the state | the consumer folds the updates | [`Subscription::follow`] |
//! | a slow consumer | updates wait, without bound | [`Subscription::conflated`] |
//! | what goes on | events | [`Monitor`]: status, counts, a line for status pages; spans of `tracing` |
//! | several servers | up to *create* or *get address* | [`Endpoints`] in the order of preference |
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
//!         Event::LostConnection => println!("may be outdated from now on"),
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
