//! A durable subscription of a kind that is not built in: a plain RPC, asked again and again, made
//! into a state that is followed.
//!
//! ```sh
//! cargo run -p durable-rpc --example polled
//! ```
#![expect(clippy::print_stdout, reason = "it has something to show")]

use std::error::Error;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use durable_rpc::{
    Config, Current, Durable, Followed, Subscribed, Subscription, SubscriptionEnded, subscribe,
};
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
async fn main() -> Result<(), Box<dyn Error>> {
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

    show_until(&mut count, |now| now.state() >= Some(&3)).await?;
    // The server goes away, and comes back at the same place.
    server.shutdown().await;
    show_until(&mut count, |now| !now.is_fresh()).await?;
    println!("{}", count.monitor());
    let listener = TcpListener::bind(address).await?;
    let _server = Server::builder(implementations, |_, _| ()).serve(listener)?;
    show_until(&mut count, |now| now.is_fresh() && now.state() >= Some(&8)).await?;
    println!("{}", count.monitor());
    Ok(())
}

/// Shows every change, the last one being the first that will do.
async fn show_until(
    count: &mut Followed<i64>,
    will_do: impl Fn(&Current<i64>) -> bool,
) -> Result<(), SubscriptionEnded> {
    loop {
        count.changed().await?;
        let now = count.borrow();
        let freshness = if now.is_fresh() { "fresh" } else { "stale" };
        println!("{:?}, {freshness}", now.state());
        if will_do(&now) {
            return Ok(());
        }
    }
}
