//! A server and a caller: `cargo run --example echo`.
//!
//! ```text
//! the answer is "hello"
//! ```
#![expect(clippy::print_stdout, reason = "what an example shows is its output")]

use rpc_core::{Client, Implementations, Rpc, Server};
use tokio::net::TcpListener;

/// Name, version and types: what caller and callee have in common.
static ECHO: Rpc<String, String> = Rpc::new("echo", 1);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The callee. The connections of this server have no state.
    let implementations = Implementations::builder()
        .implement(&ECHO, |(): &(), text| async move { Ok(text) })
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = Server::builder(implementations, |_peer, _connection| ()).serve(listener)?;

    // The caller, which is another process otherwise.
    let connection = Client::new().connect(server.local_addr()).await?;
    let answer = ECHO.dispatch(&connection, &"hello".to_owned()).await?;
    println!("the answer is {answer:?}");
    server.shutdown().await;
    Ok(())
}
