//! Pipe and state RPCs, both sides: how a stream begins, ends, breaks and is aborted, and that
//! its place in the tables is freed when, and only when, nothing more can come.

mod aborted;
mod callee;
mod caller;
mod ending;
mod flow;
mod limits;
mod runs;
mod slow;

use std::time::Duration;

use rpc_core::{Connection, Implementations, Pipe, PipeCloseReason, PipeRpc};
use rpc_wire::QueryId;
use tokio::sync::mpsc;

use crate::pair::{alive_tasks, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO, HOLD};
use crate::source::{Channel, Dropped};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

#[track_caller]
pub(crate) fn closed_remotely(reason: &PipeCloseReason) {
    let expected = matches!(reason, PipeCloseReason::ClosedRemotely);
    assert!(expected, "{reason:?}");
}

#[track_caller]
pub(crate) fn closed_locally(reason: &PipeCloseReason) {
    let expected = matches!(reason, PipeCloseReason::ClosedLocally);
    assert!(expected, "{reason:?}");
}

/// What is left in the pipe when nothing more comes.
pub(crate) async fn drain<U>(pipe: &mut Pipe<U>) -> Vec<U> {
    let mut updates = Vec::new();
    while let Some(update) = pipe.next().await {
        updates.push(update);
    }
    updates
}

/// A dispatched COUNT whose callee has agreed.
pub(crate) async fn started(version: i64) -> (Connection, Peer, Pipe<i64>, QueryId) {
    let (connection, mut peer) = Peer::called_by_us(version).await;
    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let pipe = opening.await.unwrap().unwrap();
    (connection, peer, pipe, id)
}

/// The connection does what it did before: none of the stream is left.
pub(crate) async fn assert_over(connection: &Connection, peer: &mut Peer) {
    assert_eq!(connection.open_queries(), 0);
    let call = ECHO.dispatch(connection, &"fine".to_owned());
    let asked = peer.expect_query().await;
    assert_eq!(asked.rpc, ECHO.description());
    peer.answer(asked.id, &"fine").await;
    assert_eq!(call.await.unwrap(), "fine");
}

/// Serves one pipe RPC without a query; `make` makes the source of each stream.
pub(crate) fn serving<St>(
    rpc: &PipeRpc<(), i64, String>,
    make: impl Fn() -> St + Send + Sync + 'static,
) -> Implementations<()>
where
    St: futures_core::Stream<Item = i64> + Send + 'static,
{
    Implementations::builder()
        .implement_pipe(rpc, move |_, ()| {
            let source = make();
            async { Ok(Ok(source)) }
        })
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap()
}

/// Serves HOLD with updates that the test sends.
pub(crate) fn serving_channel() -> (
    Implementations<()>,
    mpsc::UnboundedReceiver<mpsc::UnboundedSender<i64>>,
    Dropped,
) {
    let (senders, receiver) = mpsc::unbounded_channel();
    let dropped = Dropped::default();
    let observed = dropped.clone();
    let table = serving(&HOLD, move || {
        let (sender, source) = Channel::new(&dropped);
        senders.send(sender).unwrap();
        source
    });
    (table, receiver, observed)
}

/// The connection serves on, and nothing of any stream is left.
pub(crate) async fn assert_none_served(connection: &Connection, peer: &mut Peer) {
    settle().await;
    assert_eq!(connection.served_streams(), 0);
    assert_eq!(alive_tasks(), 1);
    peer.query(100, &ECHO.description(), &"fine").await;
    peer.expect_answer(100, &"fine").await;
}
