//! Groups of direct stream writers: one update, encoded once, for all of them.

mod last_value;
mod members;
mod random;
mod writing;

use rpc_core::connection::Config;
use rpc_core::{Connection, DirectStreamWriter, Group, Implementations, PipeRpc};
use tokio::sync::mpsc;

use crate::peer::Peer;

static FEED: PipeRpc<(), i64, String> = PipeRpc::new("feed", 1);

type Writers = mpsc::UnboundedReceiver<DirectStreamWriter<i64>>;

/// Serves FEED; the test gets the writers.
fn serving() -> (Implementations<()>, Writers) {
    let (writers, receiver) = mpsc::unbounded_channel();
    let table = Implementations::builder()
        .implement_pipe_direct(&FEED, move |(), (), writer| {
            let known = writers.send(writer);
            async move {
                known?;
                Ok(Ok(()))
            }
        })
        .build()
        .unwrap();
    (table, receiver)
}

/// One connection to a peer of this version, and the writers of the streams that it opens, with ids
/// 1, 2 and so on; all have started.
async fn feeding(
    version: i64,
    config: Config,
    streams: usize,
) -> (Connection, Peer, Vec<DirectStreamWriter<i64>>) {
    let (table, mut receiver) = serving();
    let (connection, mut peer) = Peer::open(config, &table, (), version).await;
    let mut writers = Vec::new();
    for id in 1..=i64::try_from(streams).unwrap() {
        peer.open_stream(id, &FEED.description(), &()).await;
        writers.push(receiver.recv().await.unwrap());
        peer.expect_start(id, &()).await;
    }
    (connection, peer, writers)
}

/// A group of these writers, which keeps the only handles.
fn group_of(writers: impl IntoIterator<Item = DirectStreamWriter<i64>>) -> Group<i64> {
    let group = Group::new();
    for writer in writers {
        group.add(writer).unwrap();
    }
    group
}
