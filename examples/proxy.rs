//! A proxy that knows no types: `cargo run --example proxy`.
//!
//! It reads the backend's menu. What has one answer it does not implement at all: a handler for
//! unknown RPCs passes the bytes on, and the answer back. Streams and one-way messages are
//! implemented as such, with bytes for values, because an unknown query can be answered only once.
//! So the menu has to tell which is which, and does so if the backend provides shapes.
//!
//! ```text
//! a plain call: "olleh"
//! an error: division by zero
//! a stream: 0 1 2 3
//! an endless stream: 0 1 2, and enough
//! the backend has stopped counting
//! a refusal: no negative numbers
//! ```
#![expect(clippy::print_stdout, reason = "what an example shows is its output")]

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures_core::Stream;
use rpc_core::connection::Config;
use rpc_core::payload::Raw;
use rpc_core::{
    Client, Connection, ExpertQuery, ExpertRpc, HandlerError, Implementation, Implementations,
    OnUnknownRpc, PipeRpc, QueryContext, Responder, Rpc, Server, StateRpc,
};
use rpc_wire::{Description, QueryMetadata, RpcDigests};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;

/// A stream whose values are bytes. A pipe RPC is a state RPC whose state is a unit.
type RawStream = StateRpc<Bytes, Bytes, Bytes, Bytes, Raw>;

/// A table that passes everything on to `backend`, which is each connection's state.
fn proxy(backend: &Connection) -> anyhow::Result<Implementations<Connection>> {
    let menu = backend.peer_menu().context("the backend has no menu")?;
    let mut table = Implementations::builder().on_unknown_rpc(OnUnknownRpc::expert(pass_on));
    for entry in menu.entries() {
        table = match entry.digests {
            RpcDigests::StreamingRpc { .. } => table.implementation(stream(&entry.description)),
            RpcDigests::OneWay { .. } => table.implementation(one_way(&entry.description)),
            RpcDigests::Rpc { .. } | RpcDigests::Unknown => table,
        };
    }
    Ok(table.build()?)
}

/// Passes a query on, and its answer back, while further queries are handled.
fn pass_on(
    backend: &Connection,
    query: ExpertQuery<'_>,
    responder: Responder,
) -> std::future::Ready<Result<(), HandlerError>> {
    let context = query.context();
    let rpc = ExpertRpc::from(context.rpc().to_description())
        .with_exact_metadata(context.all_metadata().collect());
    let answer = rpc.dispatch(backend, query.bytes());
    tokio::spawn(async move {
        let sent = match answer.await {
            Ok(response) => responder.schedule(response).map(drop),
            Err(error) => responder.rpc_error(error.to_rpc_error()),
        };
        // A response above our own limit, which the backend's is not.
        if let Err(error) = sent {
            eprintln!("not answered: {error}");
        }
    });
    std::future::ready(Ok(()))
}

fn one_way(rpc: &Description) -> Implementation<Connection> {
    Implementation::one_way_expert(rpc, |backend: &Connection, query: ExpertQuery<'_>| {
        let rpc = ExpertRpc::from(query.context().rpc().to_description());
        let sent = rpc.dispatch_one_way(backend, query.bytes());
        std::future::ready(sent.map_err(HandlerError::new))
    })
}

/// What a stream's handler needs of its query: whom to ask, and the metadata to pass on.
struct Asked {
    backend: Connection,
    rpc: ExpertRpc,
}

fn asked(backend: &Connection, context: &QueryContext<'_>) -> Asked {
    let metadata: QueryMetadata = context.all_metadata().collect();
    let rpc = ExpertRpc::from(context.rpc().to_description());
    Asked {
        backend: backend.clone(),
        rpc: rpc.with_exact_metadata(metadata),
    }
}

fn stream(rpc: &Description) -> Implementation<Connection> {
    // Definitions live as long as the program, and so do the names on the backend's menu.
    let name = String::from_utf8_lossy(rpc.name.as_bytes()).into_owned();
    let raw = RawStream::new(name.leak(), rpc.version);
    let streaming = Implementation::fallible_state(&raw, |asked: &Asked, query: Bytes| {
        let opening = asked.rpc.dispatch_stream(&asked.backend, &query);
        async move {
            let opened = opening.await.map_err(HandlerError::new)?;
            Ok(opened.map(|(state, updates)| (state, Updates(updates))))
        }
    });
    streaming.lift(asked)
}

/// The backend's updates. Dropped when the caller aborts, and that aborts the backend's stream.
struct Updates(rpc_core::Pipe<Bytes>);

impl Stream for Updates {
    type Item = Result<Bytes, HandlerError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0)
            .poll_next(cx)
            .map(|update| update.map(Ok))
    }
}

// What follows is a backend and its caller: they are as they would be without a proxy.

static REVERSE: Rpc<String, String> = Rpc::new("reverse", 1);
static DIVIDE: Rpc<(i64, i64), i64> = Rpc::new("divide", 1);
/// Numbers from 0 up to this one, or without end.
static COUNT: PipeRpc<Option<i64>, i64, String> = PipeRpc::new("count", 1);

async fn backend(stopped: Arc<Notify>) -> anyhow::Result<Server> {
    let table = Implementations::<Arc<Notify>>::builder()
        .implement_blocking(&REVERSE, |_, text: String| Ok(text.chars().rev().collect()))
        .implement_blocking(&DIVIDE, |_, (a, b): (i64, i64)| {
            a.checked_div(b)
                .ok_or_else(|| HandlerError::new("division by zero"))
        })
        .implement_pipe(&COUNT, |stopped, end| {
            let stopped = stopped.clone();
            async move {
                Ok(match end {
                    Some(..0) => Err("no negative numbers".to_owned()),
                    end => Ok(Counting {
                        next: 0,
                        end,
                        stopped,
                    }),
                })
            }
        })
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = Server::builder(table, move |_peer, _connection| stopped.clone())
        .config(Config::default().provide_shapes(true))
        .serve(listener)?;
    Ok(server)
}

struct Counting {
    next: i64,
    end: Option<i64>,
    stopped: Arc<Notify>,
}

impl Stream for Counting {
    type Item = i64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<i64>> {
        if self.end.is_some_and(|end| self.next > end) {
            return Poll::Ready(None);
        }
        self.next += 1;
        Poll::Ready(Some(self.next - 1))
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if self.end.is_none() {
            self.stopped.notify_one();
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let stopped = Arc::new(Notify::new());
    let backend = backend(stopped.clone()).await?;
    let behind = Client::new().connect(backend.local_addr()).await?;
    let table = proxy(&behind)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let proxy = Server::builder(table, move |_peer, _connection| behind.clone()).serve(listener)?;

    let caller = Client::new().connect(proxy.local_addr()).await?;
    let answer = REVERSE.dispatch(&caller, &"hello".to_owned()).await?;
    println!("a plain call: {answer:?}");
    let error = DIVIDE.dispatch(&caller, &(1, 0)).await.err();
    let error = error.context("no error")?.to_rpc_error().to_string();
    let known = error.contains("division by zero");
    println!(
        "an error: {}",
        if known { "division by zero" } else { &error }
    );
    let open = async |end| anyhow::Ok(COUNT.dispatch(&caller, &end).await?);
    let mut numbers = open(Some(3)).await?.map_err(anyhow::Error::msg)?;
    print!("a stream:");
    while let Some(number) = numbers.next().await {
        print!(" {number}");
    }
    let mut numbers = open(None).await?.map_err(anyhow::Error::msg)?;
    print!("\nan endless stream:");
    for _ in 0..3 {
        print!(" {}", numbers.next().await.context("it has ended")?);
    }
    println!(", and enough");
    drop(numbers);
    timeout(Duration::from_secs(10), stopped.notified()).await?;
    println!("the backend has stopped counting");
    println!(
        "a refusal: {}",
        open(Some(-1)).await?.err().unwrap_or_default()
    );
    proxy.shutdown().await;
    backend.shutdown().await;
    Ok(())
}
