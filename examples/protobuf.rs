//! A service whose messages are Protocol Buffers, without `protoc`: `cargo run --example protobuf`.
//!
//! `prost`'s derive makes messages of structs; in proto3 these would be:
//!
//! ```proto
//! message Symbol { string name = 1; }
//! message Quote { string symbol = 1; sint64 cents = 2; repeated Bid bids = 3; }
//! message Bid { sint64 cents = 1; uint32 amount = 2; }
//! ```
//!
//! It prints
//!
//! ```text
//! ABC: 100.50, 1 bid
//! ABC: 101.25, 2 bids
//! ABC: 102.00, 3 bids
//! no such symbol: XYZ
//! ```
#![expect(clippy::print_stdout, reason = "what an example shows is its output")]

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use rpc_core::payload::Protobuf;
use rpc_core::{Client, HandlerError, Implementations, PipeRpc, Rpc, Server};
use tokio::net::TcpListener;

#[derive(Clone, PartialEq, prost::Message)]
struct Symbol {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Quote {
    #[prost(string, tag = "1")]
    symbol: String,
    #[prost(sint64, tag = "2")]
    cents: i64,
    #[prost(message, repeated, tag = "3")]
    bids: Vec<Bid>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Bid {
    #[prost(sint64, tag = "1")]
    cents: i64,
    #[prost(uint32, tag = "2")]
    amount: u32,
}

/// The third type is the codec of the others; `Rpc` and `PipeRpc` take bin_prot without it.
static QUOTE: Rpc<Symbol, Quote, Protobuf> = Rpc::new("quote", 1);
/// The next two quotes. Their error is a message, too: prost knows `String` as one.
static QUOTES: PipeRpc<Symbol, Quote, String, Protobuf> = PipeRpc::new("quotes", 1);

/// The quote after so many changes.
fn quote(changes: u32) -> Quote {
    let cents = 10_050 + 75 * i64::from(changes);
    let bid = |step| Bid {
        cents: cents - i64::from(step),
        amount: 10 * (step + 1),
    };
    Quote {
        symbol: "ABC".to_owned(),
        cents,
        bids: (0..=changes).map(bid).collect(),
    }
}

struct Quotes(VecDeque<Quote>);

impl Stream for Quotes {
    type Item = Quote;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Quote>> {
        Poll::Ready(self.0.pop_front())
    }
}

fn show(quote: &Quote) {
    let Quote {
        symbol,
        cents,
        bids,
    } = quote;
    let plural = if bids.len() == 1 { "" } else { "s" };
    println!(
        "{symbol}: {}.{:02}, {} bid{plural}",
        cents / 100,
        cents % 100,
        bids.len()
    );
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let implementations = Implementations::<()>::builder()
        .implement_blocking(&QUOTE, |_, symbol: Symbol| match &*symbol.name {
            "ABC" => Ok(quote(0)),
            name => Err(HandlerError::new(format!("no such symbol: {name}"))),
        })
        .implement_pipe(&QUOTES, |_, symbol: Symbol| async move {
            Ok(match &*symbol.name {
                "ABC" => Ok(Quotes([quote(1), quote(2)].into())),
                name => Err(format!("no such symbol: {name}")),
            })
        })
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = Server::builder(implementations, |_peer, _connection| ()).serve(listener)?;

    let connection = Client::new().connect(server.local_addr()).await?;
    let symbol = |name: &str| Symbol {
        name: name.to_owned(),
    };
    show(&QUOTE.dispatch(&connection, &symbol("ABC")).await?);
    let quotes = QUOTES.dispatch(&connection, &symbol("ABC")).await?;
    let mut quotes = quotes.map_err(anyhow::Error::msg)?;
    while let Some(quote) = quotes.next().await {
        show(&quote);
    }
    let refused = QUOTES.dispatch(&connection, &symbol("XYZ")).await?;
    println!("{}", refused.err().unwrap_or_default());
    server.shutdown().await;
    Ok(())
}
