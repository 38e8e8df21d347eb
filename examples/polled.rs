//! A durable subscription of a kind that is not built in: `cargo run --example polled`.
//!
//! A plain RPC, asked again and again, is made into a state that is followed. Its server goes away,
//! and comes back at the same place.
//!
//! ```text
//! fresh: …
//! count, polled: subscribed for … s; attempts 1, losses 0, updates …, connected … s
//! stale: …
//! count, polled: …; attempts …, losses 1, updates …, connected … s
//! fresh: …
//! count, polled: subscribed for … s; attempts …, losses 1, updates …, connected … s
//! ```
#![expect(clippy::print_stdout, reason = "what an example shows is its output")]

use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use durable_rpc::{Config, Current, Durable, Followed, Subscribed, Subscription, subscribe};
use futures_core::Stream;
use rpc_core::{Client, Connection, DispatchError, Implementations, Rpc, Server};
use tokio::net::TcpListener;
use tokio::time::{Interval, interval};

/// How far it has counted.
static COUNT: Rpc<(), i64> = Rpc::new("count", 1);

/// The answers to one query after the other, until one fails: what makes a stream of a plain RPC.
struct Answers {
    connection: Connection,
    ticks: Interval,
    asked: Option<Pin<Box<dyn Future<Output = Result<i64, DispatchError>> + Send>>>,
}

impl Stream for Answers {
    type Item = i64;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<i64>> {
        if self.asked.is_none() {
            ready!(self.ticks.poll_tick(cx));
            self.asked = Some(Box::pin(COUNT.dispatch(&self.connection, &())));
        }
        let answer = match &mut self.asked {
            Some(asked) => ready!(asked.as_mut().poll(cx)),
            None => return Poll::Pending,
        };
        self.asked = None;
        Poll::Ready(answer.ok())
    }
}

/// The whole of what makes it durable: a state to begin with, and what follows it.
fn polled(
    connection: &Durable<Connection>,
    every: Duration,
    config: impl Into<Config>,
) -> Subscription<i64, i64, std::convert::Infallible, ()> {
    subscribe(connection, config, move |connection| async move {
        let state = COUNT.dispatch(&connection, &()).await?;
        let mut ticks = interval(every);
        ticks.reset();
        let updates = Answers {
            connection,
            ticks,
            asked: None,
        };
        Ok(Ok(Subscribed {
            state,
            updates,
            metadata: (),
        }))
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let counter = AtomicI64::new(0);
    let implementations = Implementations::builder()
        .implement(&COUNT, move |_: &(), ()| {
            let count = counter.fetch_add(1, Ordering::Relaxed);
            async move { Ok(count) }
        })
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = Server::builder(implementations.clone(), |_, _| ()).serve(listener)?;
    let address = server.local_addr();

    let connection = Durable::new(
        move || async move { Client::new().connect(address).await },
        Connection::is_closed,
    );
    let every = Duration::from_millis(50);
    let config = Config::new(Duration::from_millis(100)).name("count, polled");
    let mut count = polled(&connection, every, config).follow(|count, answer| *count = answer);

    show(&mut count, |now| now.is_fresh() && now.state() >= Some(&3)).await?;
    server.shutdown().await;
    show(&mut count, |now| !now.is_fresh()).await?;
    let listener = TcpListener::bind(address).await?;
    let _server = Server::builder(implementations, |_, _| ()).serve(listener)?;
    // The counter is the same one, and goes on.
    show(&mut count, |now| now.is_fresh() && now.state() >= Some(&8)).await
}

/// Waits until the state is such, and shows it.
async fn show(
    count: &mut Followed<i64>,
    is_such: impl Fn(&Current<i64>) -> bool,
) -> anyhow::Result<()> {
    while !is_such(&count.borrow()) {
        count.changed().await?;
    }
    let now = count.borrow();
    let freshness = if now.is_fresh() { "fresh" } else { "stale" };
    println!("{freshness}: {}", now.state().unwrap_or(&0));
    println!("{}", count.monitor());
    Ok(())
}
