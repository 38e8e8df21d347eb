//! Two ends of our own, and what tests ask of a runtime.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rpc_core::connection::Config;
use rpc_core::{Connection, Implementations};
use rpc_wire::ProtocolVersion;
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::rpcs::{Notes, table};

/// Bytes that fit between the two ends.
pub(crate) const CAPACITY: usize = 64 * 1024;

pub(crate) fn version(number: i64) -> ProtocolVersion {
    ProtocolVersion::new(number).unwrap()
}

/// A configuration that offers versions 1 to `highest`.
pub(crate) fn offering(highest: i64) -> Config {
    Config::default().versions(ProtocolVersion::MIN..=version(highest))
}

/// Connects two ends; the first one calls itself "near", the second one "far".
pub(crate) async fn connect<A, B>(
    capacity: usize,
    near: (Config, &Implementations<A>, A),
    far: (Config, &Implementations<B>, B),
) -> (Connection, Connection)
where
    A: Send + Sync + 'static,
    B: Send + Sync + 'static,
{
    let (near_io, far_io) = tokio::io::duplex(capacity);
    let (near, far) = tokio::join!(
        Connection::serve(near_io, near.0.description("near"), near.1, |_| near.2),
        Connection::serve(far_io, far.0.description("far"), far.1, |_| far.2),
    );
    (near.unwrap(), far.unwrap())
}

/// Two ends with the table of [`rpcs`](crate::rpcs) each, and what the far one noted.
pub(crate) async fn pair(near: Config, far: Config) -> (Connection, Connection, Notes) {
    let (table, notes) = (table(), Notes::default());
    let (near, far) = connect(
        CAPACITY,
        (near, &table, Notes::default()),
        (far, &table, notes.clone()),
    )
    .await;
    (near, far, notes)
}

/// Lets everything happen that can happen now.
pub(crate) async fn settle() {
    // A paused clock advances only when every task waits.
    sleep(Duration::from_millis(1)).await;
}

/// Tasks that have been spawned and have not ended. The test's own future is none.
pub(crate) fn alive_tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// What the future has to say without anybody else doing anything.
pub(crate) fn now<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}
