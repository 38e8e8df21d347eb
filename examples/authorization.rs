//! A state RPC that only some may call: `cargo run --example authorization`.
//!
//! The handler does not ask who calls: it has a [`User`] for its state, which only authorization
//! can make.
//!
//! ```text
//! without a token: nobody is logged in
//! with a token: 3 orders
//! then: 4 orders
//! then: 5 orders
//! ```
#![expect(clippy::print_stdout, reason = "what an example shows is its output")]

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use rpc_core::{
    Client, DispatchError, HandlerError, Implementation, Implementations, QueryContext, Server,
    StateRpc,
};
use rpc_wire::{QueryMetadata, RpcError};
use tokio::net::TcpListener;

/// The number of one's orders: what it is, and what it becomes.
static ORDERS: StateRpc<(), u64, u64, String> = StateRpc::new("orders", 1);

/// Key of the metadata that carries a token.
const TOKEN: i64 = 1;

/// What the server knows of a connection: who may come with which token.
struct Users {
    token: &'static [u8],
    name: &'static str,
}

/// Somebody who may see orders.
struct User {
    name: &'static str,
}

fn authorize(users: &Users, query: &QueryContext<'_>) -> Result<User, HandlerError> {
    match query.metadata(TOKEN) {
        Some(token) if token == users.token => Ok(User { name: users.name }),
        Some(_) => Err(HandlerError::new("wrong token")),
        None => Err(HandlerError::new("nobody is logged in")),
    }
}

/// Two more orders.
struct Changes {
    latest: u64,
    left: u64,
}

impl Stream for Changes {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.latest += 1;
        Poll::Ready(Some(self.latest))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let orders = Implementation::state(&ORDERS, |user: &User, ()| {
        let latest = user.name.len() as u64;
        async move { Ok(Ok((latest, Changes { latest, left: 2 }))) }
    });
    let implementations = Implementations::builder()
        .implementation(orders.authorize(authorize))
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = Server::builder(implementations, |_peer, _connection| Users {
        token: b"sesame",
        name: "ann",
    })
    .serve(listener)?;

    let connection = Client::new().connect(server.local_addr()).await?;
    match ORDERS.dispatch(&connection, &()).await {
        Err(DispatchError::Rpc(RpcError::AuthorizationFailure(why))) => {
            let why = why.to_string();
            let known = why.contains("nobody is logged in");
            println!(
                "without a token: {}",
                if known { "nobody is logged in" } else { &why }
            );
        }
        other => anyhow::bail!("not refused: {other:?}"),
    }
    // The token goes with every query that is dispatched through this handle.
    let connection = connection.with_metadata(QueryMetadata::new().with(TOKEN, "sesame"));
    let opened = ORDERS.dispatch(&connection, &()).await?;
    let (count, mut changes) = opened.map_err(anyhow::Error::msg)?;
    println!("with a token: {count} orders");
    while let Some(count) = changes.next().await {
        println!("then: {count} orders");
    }
    server.shutdown().await;
    Ok(())
}
