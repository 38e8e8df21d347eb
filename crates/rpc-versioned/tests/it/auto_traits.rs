//! What may be sent, shared and moved: a change here breaks callers without any signature changing.

use std::cell::Cell;
use std::error::Error;

use rpc_core::OneWay;
use rpc_versioned::convert::Unconvertible;
use rpc_versioned::{
    CallError, ConnectionWithMenu, ConversionError, Incompatible, MenuRequestError, MenuWithShapes,
    NoCommonVersion, Registered, RegistrationError, SelectionError, both_convert, callee_converts,
    caller_converts,
};
use rpc_wire::InconsistentMenus;

use crate::families::{Note, count_caller, counter_caller, price_caller};

/// May be moved to other threads, but not shared by them.
type SendOnly = Cell<u8>;

fn shared<T: Send + Sync + Unpin>() {}
fn error<T: Error + Send + Sync + Unpin + 'static>() {}
fn future<F: Future + Send + 'static>(_: F) {}

/// Families are shared by tasks, and cheap to clone, whatever their types.
#[test]
fn families_are_shared() {
    fn family<T: Clone + Send + Sync + Unpin + 'static>() {}
    type S = SendOnly;
    family::<caller_converts::Rpc<S, S>>();
    family::<caller_converts::OneWay<S>>();
    family::<caller_converts::PipeRpc<S, S, S>>();
    family::<caller_converts::StateRpc<S, S, S, S>>();
    family::<callee_converts::Rpc<S, S, S>>();
    family::<callee_converts::OneWay<S, S>>();
    family::<callee_converts::PipeRpc<S, S, S, S>>();
    family::<callee_converts::StateRpc<S, S, S, S, S>>();
    family::<both_convert::Rpc<S, S, S, S, S>>();
    family::<both_convert::OneWay<S, S, S>>();
    family::<both_convert::PipeRpc<S, S, S, S, S, S, S>>();
    family::<both_convert::StateRpc<S, S, S, S, S, S, S, S, S>>();
    shared::<Registered>();
    shared::<ConnectionWithMenu>();
    shared::<MenuWithShapes>();
}

/// As `rpc_core::Pipe`, so that what asks for the reason of the end may be a task.
#[test]
fn streams_are_shared() {
    shared::<caller_converts::Pipe<SendOnly>>();
    shared::<callee_converts::Updates<SendOnly>>();
    shared::<callee_converts::DirectStreamWriter<SendOnly>>();
    shared::<Unconvertible>();
}

#[test]
fn errors_are_errors() {
    error::<CallError>();
    error::<ConversionError>();
    error::<SelectionError>();
    error::<RegistrationError>();
    error::<NoCommonVersion>();
    error::<Incompatible>();
    error::<InconsistentMenus>();
    error::<MenuRequestError>();
    error::<callee_converts::RawVersions>();
    error::<callee_converts::WriteError>();
}

/// The futures of dispatches can be spawned: they borrow neither the connection nor the caller.
#[test]
fn dispatches_can_be_spawned() {
    use crate::families::{Query, Range};

    fn check(connection: &ConnectionWithMenu, (query, range): (Query, Range), note: Note) {
        future(price_caller(&[1]).dispatch(connection, query));
        future(count_caller(&[1]).dispatch(connection, range.clone()));
        future(count_caller(&[1]).dispatch_with(connection, range.clone(), |_| ()));
        future(counter_caller(&[1]).dispatch(connection, range.clone()));
        let (connection, log) = (connection.clone(), OneWay::<String>::new("note", 1));
        future(async move {
            let log =
                caller_converts::OneWay::builder("note").version(&log, |note: Note| Ok(note.text));
            log.build().unwrap().dispatch(&connection, note).unwrap();
            let mut pipe = count_caller(&[1])
                .dispatch(&connection, range)
                .await
                .unwrap()
                .unwrap();
            while pipe.next().await.is_some() {}
            pipe.close_reason().await
        });
    }
    let _ = check;
}
