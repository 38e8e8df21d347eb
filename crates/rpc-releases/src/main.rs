//! One process of one release: `rpc-releases N serve`, `N price ADDR SYMBOL CURRENCY PIECES`, or
//! `N stock ADDR SYMBOL`.

use std::io::{self, Write};

use anyhow::{Context, bail};
use rpc_core::connection::Config;
use rpc_core::{Client, Connection, Implementations, Server};
use rpc_releases::{release_1, release_2, release_3};
use rpc_versioned::{ConnectionWithMenu, Registered};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["1", "serve"] => serve(release_1::table()?).await,
        ["2", "serve"] => serve(release_2::table(say_version)?).await,
        ["3", "serve"] => serve(release_3::table(say_version)?).await,
        ["1", "price", address, symbol, "USD", "1"] => {
            let connection = connect(address).await?;
            let cents = release_1::ask(&connection, symbol.to_owned()).await?;
            say(format_args!("{cents} USD"))
        }
        ["2", "price", address, symbol, currency, "1"] => {
            let connection = connect_with_menu(address).await?;
            let query = release_2::Query {
                symbol: symbol.to_owned(),
                currency: currency.to_owned(),
            };
            let price = release_2::ask(&connection, query).await?;
            say(format_args!("{} {}", price.cents, price.currency))
        }
        ["3", "price", address, symbol, currency, pieces] => {
            let connection = connect_with_menu(address).await?;
            let query = release_3::Query {
                symbol: symbol.to_owned(),
                currency: currency.to_owned(),
                pieces: pieces.parse()?,
            };
            let price = release_3::ask(&connection, query).await?;
            say(format_args!("{} {}", price.cents, price.currency))
        }
        ["2", "stock", address, symbol] => {
            let connection = connect_with_menu(address).await?;
            let pieces = release_2::ask_stock(&connection, symbol.to_owned()).await?;
            say(format_args!("{pieces}"))
        }
        ["3", "stock", address, symbol] => {
            let connection = connect_with_menu(address).await?;
            let stock = release_3::ask_stock(&connection, symbol.to_owned()).await?;
            say(format_args!("{} {}", stock.pieces, stock.place))
        }
        _ => bail!("this release does not know that: {}", args.join(" ")),
    }
}

/// Serves until it is killed, or nobody has its standard input any more.
async fn serve(table: Implementations<()>) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = Server::builder(table, |_, _| ())
        .config(Config::default().provide_shapes(true))
        .serve(listener)?;
    say(format_args!("listening on {}", server.local_addr()))?;
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _end = io::copy(&mut io::stdin(), &mut io::sink());
        let _nobody = ended.send(());
    });
    end.await?;
    server.shutdown().await;
    Ok(())
}

async fn connect(address: &str) -> anyhow::Result<Connection> {
    let connected = Client::new().connect(address).await;
    connected.with_context(|| format!("no server at {address}"))
}

async fn connect_with_menu(address: &str) -> anyhow::Result<ConnectionWithMenu> {
    Ok(ConnectionWithMenu::request(connect(address).await?).await?)
}

fn say_version(rpc: &Registered) {
    // Nobody may be there any more who reads it.
    let _nobody = say(format_args!("{rpc:?} is in use"));
}

fn say(text: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
