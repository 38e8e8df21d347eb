//! Calls that take too long, and callers who lose interest: `cargo run --example deadline`.
//!
//! There is no special kind of call for either: a deadline is a timeout around a future, and to
//! cancel is to drop it. The callee hears of it if it is a stream.
//!
//! ```text
//! a plain call: no answer in time
//! the connection is as good as before: 7
//! a stream: 0 1 2, and the time is over
//! the callee has stopped counting
//! ```
#![expect(clippy::print_stdout, reason = "what an example shows is its output")]

use std::sync::Arc;
use std::time::Duration;

use rpc_core::{Client, Implementations, PipeRpc, Rpc, Server};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// The number, after a time in milliseconds.
static LATER: Rpc<(u64, i64), i64> = Rpc::new("later", 1);
/// 0, 1, 2, and then nothing more, and no end.
static COUNT: PipeRpc<(), i64, String> = PipeRpc::new("count", 1);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let implementations = Implementations::<Arc<Notify>>::builder()
        .implement(&LATER, |_, (millis, number)| async move {
            sleep(Duration::from_millis(millis)).await;
            Ok(number)
        })
        .implement_pipe_direct(&COUNT, |stopped, (), writer| {
            let stopped = stopped.clone();
            async move {
                for number in 0..3 {
                    writer.write(&number)?;
                }
                tokio::spawn(async move {
                    writer.closed().await;
                    stopped.notify_one();
                });
                Ok(Ok(()))
            }
        })
        .build()?;
    let stopped = Arc::new(Notify::new());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let state = stopped.clone();
    let server = Server::builder(implementations, move |_peer, _connection| state.clone())
        .serve(listener)?;
    let connection = Client::new().connect(server.local_addr()).await?;

    let deadline = Duration::from_millis(100);
    let late = timeout(deadline, LATER.dispatch(&connection, &(60_000, 1))).await;
    let told = late.map_or("no answer in time", |_| "an answer");
    println!("a plain call: {told}");
    // An answer that comes after all would be swallowed.
    let number = LATER.dispatch(&connection, &(0, 7)).await?;
    println!("the connection is as good as before: {number}");

    let mut numbers = COUNT
        .dispatch(&connection, &())
        .await?
        .map_err(anyhow::Error::msg)?;
    print!("a stream:");
    let over = timeout(deadline, async {
        while let Some(number) = numbers.next().await {
            print!(" {number}");
        }
    });
    let ended = over
        .await
        .map_or("and the time is over", |()| "and that was all");
    println!(", {ended}");
    // This tells the callee, whose writer is closed then.
    drop(numbers);
    timeout(Duration::from_secs(10), stopped.notified()).await?;
    println!("the callee has stopped counting");
    server.shutdown().await;
    Ok(())
}
