//! Two ends of our own, and what tests make and ask of them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use rpc_core::connection::Config;
use rpc_core::{Connection, DispatchError, HandlerError, Implementation, Implementations};
use rpc_versioned::{CallError, ConnectionWithMenu, Conversion, ConversionError};
use rpc_wire::{Description, ProtocolVersion, RpcError};

/// Two connected ends at this wire version: the caller's, and the callee's, which has this table and
/// this state.
pub(crate) async fn pair<S: Clone + Send + Sync + 'static>(
    version: ProtocolVersion,
    table: &Implementations<S>,
    state: S,
) -> (Connection, Connection) {
    let (near, far) = tokio::io::duplex(4096);
    let config = Config::default().versions(version..=version);
    let callee = Connection::serve(far, config.clone(), table, |_| state.clone());
    let caller = Connection::create(near, config);
    let (callee, caller) = tokio::join!(callee, caller);
    (caller.unwrap(), callee.unwrap())
}

/// The same at the latest version, of these implementations; the caller knows the menu.
pub(crate) async fn serving<S: Clone + Send + Sync + 'static>(
    implementations: impl IntoIterator<Item = Implementation<S>>,
    state: S,
) -> (ConnectionWithMenu, Connection) {
    let table = Implementations::builder().implementations(implementations);
    let table = table.build().unwrap();
    let (caller, callee) = pair(ProtocolVersion::MAX, &table, state).await;
    // The first heartbeats are out of the way of whoever counts bytes.
    settle().await;
    (ConnectionWithMenu::request(caller).await.unwrap(), callee)
}

/// Lets everything happen that can happen now.
pub(crate) async fn settle() {
    // A paused clock advances only when every task waits.
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// A stream of these, and then what `rest` says: its end, or nothing for ever.
pub(crate) struct Updates<U> {
    items: Box<dyn Iterator<Item = U> + Send>,
    holds: bool,
}

impl<U> Unpin for Updates<U> {}

impl<U> Stream for Updates<U> {
    type Item = U;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<U>> {
        let this = self.get_mut();
        match this.items.next() {
            None if this.holds => Poll::Pending,
            next => Poll::Ready(next),
        }
    }
}

/// A stream of these, each made when it is asked for.
pub(crate) fn updates<U>(
    items: impl IntoIterator<Item = U, IntoIter: Send + 'static>,
) -> Updates<U> {
    Updates {
        items: Box::new(items.into_iter()),
        holds: false,
    }
}

/// A stream of these that does not end.
pub(crate) fn endless<U>(
    items: impl IntoIterator<Item = U, IntoIter: Send + 'static>,
) -> Updates<U> {
    Updates {
        holds: true,
        ..updates(items)
    }
}

/// Checks that the error is of this conversion of this version, with this text.
#[track_caller]
pub(crate) fn assert_conversion(
    error: &ConversionError,
    conversion: Conversion,
    rpc: &Description,
    text: &str,
) {
    assert_eq!(error.conversion(), conversion);
    assert_eq!(&error.rpc(), rpc);
    assert!(error.cause().to_string().contains(text), "{error}");
}

/// The same of a call's error.
#[track_caller]
pub(crate) fn assert_call(error: CallError, conversion: Conversion, rpc: &Description, text: &str) {
    match error {
        CallError::Conversion(error) => assert_conversion(&error, conversion, rpc, text),
        other => panic!("{other:?}"),
    }
}

/// Checks that the callee has answered *Uncaught_exn* with the error of V-CF-1, of this conversion
/// and this version.
#[track_caller]
pub(crate) fn assert_uncaught(error: &DispatchError, conversion: &str, rpc: &Description) {
    let DispatchError::Rpc(RpcError::UncaughtExn(exn)) = error else {
        panic!("{error:?}");
    };
    let Description { name, version } = rpc;
    let expected =
        format!("(\"type conversion failure\"({conversion}(Rpc {name})(Version {version})(Failure");
    assert!(exn.to_string().contains(&expected), "{exn}");
}

/// What a handler raises that is not about conversions.
pub(crate) fn on_purpose() -> HandlerError {
    HandlerError::new("on purpose")
}
