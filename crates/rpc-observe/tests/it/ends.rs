//! Two ends of a connection, the far one with an RPC of each kind.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use rpc_core::connection::Config;
use rpc_core::{
    Connection, HandlerError, Implementation, Implementations, OnUnknownRpc, OneWay, PipeRpc, Rpc,
};
use rpc_wire::ProtocolVersion;
use tokio::time::sleep;

/// The query.
pub(crate) static ECHO: Rpc<String, String> = Rpc::new("echo", 1);
/// The query, after that many milliseconds.
pub(crate) static SLEEP: Rpc<i64, i64> = Rpc::new("sleep", 2);
/// Fails.
pub(crate) static FAIL: Rpc<(), ()> = Rpc::new("fail", 1);
/// Implemented, but nobody may call it.
pub(crate) static SECRET: Rpc<(), ()> = Rpc::new("secret", 1);
/// Nothing.
pub(crate) static NOTE: OneWay<String> = OneWay::new("note", 1);
/// 0 to n - 1 and then the end; for a negative n 0, 1, 2 … for ever.
pub(crate) static COUNT: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1);
/// The trace that the handler is in, now and after an await.
pub(crate) static TRACE: Rpc<(), (String, String)> = Rpc::new("trace", 1);
/// Implemented by nobody.
pub(crate) static MISSING: Rpc<(), ()> = Rpc::new("missing", 1);

pub(crate) fn offering(highest: i64) -> Config {
    let highest = ProtocolVersion::new(highest).unwrap();
    Config::default().versions(ProtocolVersion::MIN..=highest)
}

pub(crate) fn table() -> Implementations<()> {
    let secret = Implementation::blocking(&SECRET, |(): &(), ()| Ok(()));
    Implementations::<()>::builder()
        .implement(&ECHO, |_, text| async move { Ok(text) })
        .implement(&SLEEP, |_, millis: i64| async move {
            sleep(Duration::from_millis(u64::try_from(millis)?)).await;
            Ok(millis)
        })
        .implement(&FAIL, |_, ()| async { Err(HandlerError::new("no")) })
        .implementation(secret.authorize(|(): &(), _| Err(HandlerError::new("nobody may"))))
        .implement_one_way(&NOTE, |_, _| async { Ok(()) })
        .implement_pipe(
            &COUNT,
            |_, end| async move { Ok(Ok(Counting { next: 0, end })) },
        )
        .implement(&TRACE, |_, ()| async {
            let now = trace();
            sleep(Duration::from_millis(1)).await;
            Ok((now, trace()))
        })
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap()
}

fn trace() -> String {
    let current = rpc_observe::TraceContext::current();
    current
        .map(|context| context.to_string())
        .unwrap_or_default()
}

/// The near end and the far one, each observed from its first message on.
pub(crate) async fn observed(
    version: i64,
    near: impl FnOnce(&Connection),
    far: impl FnOnce(&Connection),
) -> (Connection, Connection) {
    let (near_io, far_io) = tokio::io::duplex(64 * 1024);
    let (nothing, table) = (Implementations::empty(), table());
    let config = |name| offering(version).description(name);
    let (near, far) = tokio::join!(
        Connection::serve(near_io, config("near"), &nothing, |connection| near(
            connection
        )),
        Connection::serve(far_io, config("far"), &table, |connection| far(connection)),
    );
    (near.unwrap(), far.unwrap())
}

/// Lets everything happen that can happen now.
pub(crate) async fn settle() {
    // A paused clock advances only when every task waits.
    sleep(Duration::from_millis(1)).await;
}

pub(crate) struct Counting {
    next: i64,
    end: i64,
}

impl Stream for Counting {
    type Item = i64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<i64>> {
        if self.next == self.end {
            return Poll::Ready(None);
        }
        tracing::info!("counting");
        self.next += 1;
        Poll::Ready(Some(self.next - 1))
    }
}
