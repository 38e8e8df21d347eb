//! What may be sent to, and shared between, threads.

use std::error::Error;
use std::time::Duration;

use durable_rpc::persistent::{self, ConnectFailure, NotConnected, PersistentConnection};
use durable_rpc::{
    AttemptError, BuildError, Config, Conflated, Durable, Event, Followed, Intactness, Listening,
    Monitor, Subscribed, Subscription, SubscriptionEnded, pipe, state,
};
use rpc_core::{Connection, PipeMetadata};

use crate::checked::DELAY;
use crate::dispatched::{Counting, Dispatched, intact};
use crate::server::COUNT;

fn send<T: Send>(_: &T) {}
fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
fn is_unpin<T: Unpin>() {}
fn is_clone<T: Clone>() {}
fn is_error<T: Error + Send + Sync + 'static>() {}

/// Can be sent, and not shared.
type Cell = std::cell::Cell<u8>;

#[test]
fn handles_can_be_sent() {
    is_send::<Durable<Connection>>();
    is_sync::<Durable<Connection>>();
    is_unpin::<Durable<Connection>>();
    is_clone::<Durable<Connection>>();

    is_send::<state::Subscription<i64, i64, String>>();
    is_unpin::<state::Subscription<i64, i64, String>>();
    is_send::<Subscription<Cell, Cell, Cell, Cell>>();
    is_unpin::<Subscription<std::marker::PhantomPinned, (), (), ()>>();
    is_send::<Subscribed<Cell, Counting, Cell>>();

    is_send::<pipe::Subscription<Cell, Cell, Cell>>();
    is_unpin::<pipe::Subscription<std::marker::PhantomPinned, (), ()>>();
    is_send::<Conflated<Cell, Cell, Cell, Cell>>();
    is_unpin::<Conflated<Cell, Cell, Cell, Cell>>();
    is_send::<Followed<String>>();
    is_sync::<Followed<String>>();
    is_clone::<Followed<String>>();
    is_send::<PersistentConnection<Connection>>();
    is_sync::<PersistentConnection<Connection>>();
    is_clone::<PersistentConnection<Connection>>();
    is_send::<persistent::Builder<Cell, Connection, ConnectFailure>>();

    is_send::<Intactness>();
    is_sync::<Intactness>();
    is_send::<Listening>();
    is_sync::<Listening>();
    is_send::<Monitor>();
    is_sync::<Monitor>();
    is_send::<Config>();
    is_sync::<Config>();

    is_send::<Event<i64, i64, String, PipeMetadata>>();
    is_sync::<Event<i64, i64, String, PipeMetadata>>();
    is_clone::<Event<i64, i64, String, PipeMetadata>>();
    is_send::<Event<Cell, Cell, Cell, Cell>>();
}

#[test]
fn errors_are_errors() {
    is_error::<BuildError>();
    is_clone::<BuildError>();
    is_error::<AttemptError>();
    is_clone::<AttemptError>();
    is_error::<ConnectFailure>();
    is_clone::<ConnectFailure>();
    is_error::<NotConnected<ConnectFailure>>();
    is_error::<SubscriptionEnded>();
}

/// The futures too: each can be a task's.
#[test]
fn futures_can_be_sent() {
    let broken = |_: &Connection| false;
    let unconnected = || async { Err::<Connection, _>(std::fmt::Error) };
    let connection = Durable::new(unconnected, broken);
    send(&connection.with(|connection| async move { connection.closed().await }));
    send(&Durable::create_or_fail(unconnected, broken));
    send(&state::create_or_fail(&COUNT, &connection, 42, DELAY));
    let dispatch = Dispatched::new([]).dispatch();
    send(&durable_rpc::subscribe_or_fail(
        &intact(),
        Duration::ZERO,
        dispatch,
    ));
    let mut counts = state::create(&COUNT, &connection, 42, DELAY);
    send(&counts.next());
}

/// Compiled, and never called: it takes a runtime to have these.
#[allow(dead_code, reason = "what it says has been said when it is compiled")]
fn futures_of_tasks_can_be_sent(
    mut followed: Followed<i64>,
    kept: &PersistentConnection<Connection>,
) {
    send(&followed.changed());
    send(&followed.fresh());
    send(&kept.connected());
    send(&kept.connected_or_failed());
    send(&kept.closed());
}
