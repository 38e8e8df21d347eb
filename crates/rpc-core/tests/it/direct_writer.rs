//! Direct stream writers: what a write does before the handler has returned, after that, and once
//! the stream is over.

mod ending;
mod starting;
mod writing;

use std::sync::{Arc, Mutex};

use rpc_core::connection::Config;
use rpc_core::{
    Connection, DirectStreamWriter, HandlerError, Implementations, OnException, PipeRpc,
};
use tokio::sync::{mpsc, oneshot};

use crate::peer::Peer;
use crate::rpcs::ECHO;

static DIRECT: PipeRpc<(), i64, String> = PipeRpc::new("direct", 1);

/// The id under which the peer opens the stream.
const ID: i64 = 7;

type Outcome = Result<Result<(), String>, HandlerError>;

/// A handler that has been called and has not returned.
struct Running {
    writer: DirectStreamWriter<i64>,
    result: oneshot::Sender<Outcome>,
}

impl Running {
    /// Lets the handler return this. The writer is the test's.
    fn returns(self, outcome: Outcome) -> DirectStreamWriter<i64> {
        assert!(self.result.send(outcome).is_ok(), "handler was cancelled");
        self.writer
    }
}

/// What exception policies were told.
type Raises = Arc<Mutex<Vec<String>>>;

/// Implements DIRECT by handlers that the test gets, and ECHO.
fn implemented() -> (
    Implementations<()>,
    mpsc::UnboundedReceiver<Running>,
    Raises,
) {
    let (handlers, running) = mpsc::unbounded_channel();
    let raises = Raises::default();
    let noted = raises.clone();
    let table = Implementations::builder()
        .implement_pipe_direct(&DIRECT, move |(), (), writer| {
            let (result, returned) = oneshot::channel();
            let known = handlers.send(Running { writer, result });
            async move {
                known?;
                returned.await?
            }
        })
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .on_exception(OnException::call(move |exception| {
            noted
                .lock()
                .unwrap()
                .push(format!("{:?}", exception.raised));
        }))
        .build()
        .unwrap();
    (table, running, raises)
}

/// A connection whose peer has opened the stream; its handler is running.
async fn opened(config: Config) -> (Connection, Peer, Running, Raises) {
    let (table, mut running, raises) = implemented();
    let (connection, mut peer) = Peer::open(config, &table, (), 11).await;
    peer.open_stream(ID, &DIRECT.description(), &()).await;
    let running = running.recv().await.unwrap();
    (connection, peer, running, raises)
}

/// The same, after the handler has agreed.
async fn started() -> (Connection, Peer, DirectStreamWriter<i64>) {
    let (connection, mut peer, running, _) = opened(Config::default()).await;
    let writer = running.returns(Ok(Ok(())));
    peer.expect_start(ID, &()).await;
    (connection, peer, writer)
}
