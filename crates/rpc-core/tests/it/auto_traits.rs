//! What may be sent, shared and moved: a change here breaks callers without any signature
//! changing.

use std::cell::Cell;
use std::error::Error;

use rpc_core::connection::{
    self, Close, Closed, Config, HandshakeError, HandshakeFailure, HookAlreadySet, MetadataHook,
};
use rpc_core::{
    AddError, Builder, Client, ConnectError, Connection, ConnectionClosed, DirectStreamWriter,
    Dispatch, DispatchAllError, DispatchError, DuplicateImplementations, Environment,
    EnvironmentError, Exception, ExpertQuery, ExpertRpc, Flushed, Fold, GeneralError, Group,
    GroupWriteError, HandlerError, Implementation, Implementations, MappedDispatch, NotImplemented,
    OnException, OnUnknownRpc, OneWay, Pipe, PipeCloseReason, PipeMessage, PipeMetadata,
    PipeResponse, PipeRpc, QueryContext, Reply, RespondError, Responder, Rpc, RpcShapes, Server,
    ServerBuilder, SharedHandler, StateRpc, StreamWriteError,
};

use crate::rpcs::{COUNT, COUNTER, ECHO, table};

/// May be moved to other threads, but not shared by them.
type SendOnly = Cell<u8>;
/// May not even be moved.
type Neither = *const u8;

fn shared<T: Send + Sync + Unpin>() {}
fn moved<T: Send + Unpin>() {}
fn error<T: Error + Send + Sync + Unpin + 'static>() {}
fn future<F: Future + Send + 'static>(_: F) {}
fn borrowing_future(_: impl Future + Send) {}

#[test]
fn handles_and_values_are_send_sync_and_unpin() {
    shared::<Connection>();
    shared::<Config>();
    shared::<connection::heartbeat::Config>();
    shared::<Closed>();
    shared::<Close>();
    shared::<MetadataHook>();
    shared::<Environment>();
    shared::<Client>();
    shared::<Server>();
    shared::<ServerBuilder<SendOnly>>();
    shared::<PipeCloseReason>();
    shared::<Dispatch<SendOnly>>();
    shared::<MappedDispatch<SendOnly>>();
    shared::<SharedHandler<SendOnly, SendOnly, SendOnly>>();
    shared::<Pipe<String>>();
    shared::<PipeMetadata>();
    moved::<PipeMessage<SendOnly>>();
    moved::<PipeResponse>();
    moved::<Fold<SendOnly>>();
    moved::<Flushed>();
    shared::<ExpertRpc>();
    shared::<RpcShapes>();
    moved::<Pipe<SendOnly>>();
    shared::<OnException>();
    shared::<Exception>();
    shared::<QueryContext<'_>>();
    shared::<ExpertQuery<'_>>();
    shared::<Responder>();
    moved::<Reply>();
}

#[test]
fn tables_and_definitions_do_not_depend_on_the_types_they_name() {
    shared::<Implementations<Neither>>();
    shared::<Builder<Neither>>();
    shared::<Implementation<Neither>>();
    shared::<OnUnknownRpc<Neither>>();
    shared::<Rpc<Neither, Neither>>();
    shared::<OneWay<Neither>>();
    shared::<PipeRpc<Neither, Neither, Neither>>();
    shared::<StateRpc<Neither, Neither, Neither, Neither>>();
    shared::<DirectStreamWriter<Neither>>();
    shared::<Group<Neither>>();
}

#[test]
fn errors_go_into_boxes_and_across_threads() {
    error::<DispatchAllError>();
    error::<DispatchError>();
    error::<ConnectionClosed>();
    error::<GeneralError>();
    error::<HookAlreadySet>();
    error::<EnvironmentError>();
    error::<HandshakeError>();
    error::<HandshakeFailure>();
    error::<ConnectError>();
    error::<DuplicateImplementations>();
    error::<StreamWriteError>();
    error::<AddError>();
    error::<GroupWriteError>();
    error::<NotImplemented>();
    error::<RespondError>();
    shared::<HandlerError>();
}

#[tokio::test(start_paused = true)]
async fn main_futures_can_be_spawned() {
    let (near, far) = tokio::io::duplex(64);
    future(Connection::create(near, Config::default()));
    borrowing_future(Connection::serve(far, Config::default(), &table(), |_| {
        Default::default()
    }));
    borrowing_future(Client::new().connect("127.0.0.1:1"));
    let (near, _far, _) = crate::pair::pair(Config::default(), Config::default()).await;
    borrowing_future(near.closed());
    borrowing_future(near.close_started());
    borrowing_future(near.flushed());
    future(ECHO.dispatch(&near, &String::new()));
    future(COUNTER.dispatch(&near, &1));
    let mut pipe = COUNT.dispatch(&near, &1).await.unwrap().unwrap();
    borrowing_future(pipe.close_reason());
    borrowing_future(pipe.next());
    borrowing_future(pipe.try_next());
    future(COUNT.dispatch_with(&near, &1, |_| ()));
    future(COUNTER.dispatch_fold(&near, &1, |_| (), |(), _| ((), ()), |(), _| ()));
    let rpc = ExpertRpc::new("expert", 1);
    future(rpc.dispatch(&near, &[]));
    future(rpc.dispatch_stream(&near, &[]));
    future(rpc.dispatch_stream_with(&near, &[], |_| ()));
}
