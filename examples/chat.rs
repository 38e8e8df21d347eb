//! Everybody hears what anybody says, by a pipe for each and a group: `cargo run --example chat`.
//!
//! ```text
//! ann hears: bob has come
//! ann hears: bob: hello
//! ann hears: ann: hello, bob
//! bob hears: bob: hello
//! bob hears: ann: hello, bob
//! ann hears: bob has left
//! ```
#![expect(clippy::print_stdout, reason = "what an example shows is its output")]

use std::sync::{Arc, Mutex};

use rpc_core::{
    Client, Connection, Group, HandlerError, Implementations, Pipe, PipeRpc, Rpc, Server,
};
use tokio::net::TcpListener;

/// With a name, what everybody says from now on; or why not.
static JOIN: PipeRpc<String, String, String> = PipeRpc::new("join", 1);
/// Says something, in the name that one has joined with.
static SAY: Rpc<String, ()> = Rpc::new("say", 1);

/// The room: a line that is written to the group is encoded once, however many there are.
type Room = Arc<Group<String>>;

/// What the server knows of a connection.
struct Guest {
    room: Room,
    name: Arc<Mutex<Option<String>>>,
}

impl Guest {
    fn name(&self) -> Option<String> {
        self.name.lock().ok()?.clone()
    }

    /// Takes the name, unless the connection has one.
    fn call(&self, name: &str) -> Result<(), String> {
        let mut place = self.name.lock().map_err(|error| error.to_string())?;
        match &*place {
            Some(before) => Err(format!("you are {before} already")),
            None => {
                *place = Some(name.to_owned());
                Ok(())
            }
        }
    }
}

impl Drop for Guest {
    /// The connection is over.
    fn drop(&mut self) {
        if let Some(name) = self.name() {
            // A line of text can always be encoded.
            let _encoded = self.room.write(&format!("{name} has left"));
        }
    }
}

fn chat() -> anyhow::Result<Implementations<Guest>> {
    let implementations = Implementations::<Guest>::builder()
        .implement_pipe_direct(&JOIN, |guest, name, writer| {
            let joined = guest.call(&name).and_then(|()| {
                // Those who are there hear it, and the guest what comes after it.
                let told = guest.room.write(&format!("{name} has come"));
                told.map_err(|error| error.to_string())?;
                guest.room.add(writer).map_err(|error| error.to_string())
            });
            async move { Ok(joined) }
        })
        .implement_blocking(&SAY, |guest, text: String| {
            let name = guest.name();
            let name = name.ok_or_else(|| HandlerError::new("who are you? join first"))?;
            guest.room.write(&format!("{name}: {text}"))?;
            Ok(())
        })
        .build()?;
    Ok(implementations)
}

/// A guest's end: a connection, and what is heard on it.
async fn join(server: &Server, name: &str) -> anyhow::Result<(Connection, Pipe<String>)> {
    let connection = Client::new().connect(server.local_addr()).await?;
    let joined = JOIN.dispatch(&connection, &name.to_owned()).await?;
    Ok((connection, joined.map_err(anyhow::Error::msg)?))
}

async fn hear(name: &str, lines: &mut Pipe<String>, count: usize) -> anyhow::Result<()> {
    for _ in 0..count {
        let line = lines.try_next().await?;
        println!("{name} hears: {}", line.unwrap_or_default());
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let room = Room::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = Server::builder(chat()?, move |_peer, _connection| Guest {
        room: room.clone(),
        name: Arc::default(),
    })
    .serve(listener)?;

    let (ann, mut ann_hears) = join(&server, "ann").await?;
    let (bob, mut bob_hears) = join(&server, "bob").await?;
    SAY.dispatch(&bob, &"hello".to_owned()).await?;
    SAY.dispatch(&ann, &"hello, bob".to_owned()).await?;
    hear("ann", &mut ann_hears, 3).await?;
    hear("bob", &mut bob_hears, 2).await?;
    bob.close();
    hear("ann", &mut ann_hears, 1).await?;
    server.shutdown().await;
    Ok(())
}
