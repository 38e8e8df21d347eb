//! The Async_rpc runtime on tokio: define RPCs, implement them, call them.
//!
//! An RPC is a value with a name, a version and types; caller and callee share it. It is of one
//! of four kinds:
//!
//! | Kind | The caller sends | and gets |
//! |---|---|---|
//! | [`Rpc`] | a query | a response |
//! | [`OneWay`] | a message | nothing |
//! | [`PipeRpc`] | a query | a [`Pipe`] of updates |
//! | [`StateRpc`] | a query | an initial state and a [`Pipe`] of updates to it |
//!
//! A [`Connection`] runs over any stream of bytes, and both of its sides may call. [`Server`]
//! and [`Client`] make connections over TCP.
//!
//! # Examples
//!
//! ```
//! use rpc_core::connection::{Config, Connection};
//! use rpc_core::{Implementations, Rpc};
//!
//! static SHOUT: Rpc<String, String> = Rpc::new("shout", 1);
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let implementations = Implementations::<()>::builder()
//!     .implement(&SHOUT, |_state, text| async move { Ok(text.to_uppercase()) })
//!     .build()?;
//!
//! let (near, far) = tokio::io::duplex(4096);
//! let server = tokio::spawn(async move {
//!     let serving = Connection::serve(far, Config::default(), &implementations, |_| ()).await?;
//!     serving.closed().await;
//!     Ok::<_, rpc_core::connection::HandshakeError>(())
//! });
//!
//! let connection = Connection::create(near, Config::default()).await?;
//! assert_eq!(SHOUT.dispatch(&connection, &"hello".to_owned()).await?, "HELLO");
//! drop(connection);
//! server.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # Ordering
//!
//! Whatever sends, enqueues before it returns or before its first await: two dispatches made one
//! after the other by one task arrive in that order (rule R-OR-1). Messages are handled in order
//! of arrival, and a handler that is ready at once has its response enqueued before the next
//! message is handled (rule R-OR-3). Handlers that suspend answer in order of completion. Within
//! a stream the initial response comes first, then the updates in order, then the end. What is
//! written to a [`DirectStreamWriter`] that has started leaves before whatever is sent later; a
//! [callback](PipeRpc::dispatch_with) has run before the next message is handled (rule R-OR-5).
//! No order is promised between a pipe and other messages (rule R-OR-6).
//!
//! # Streams
//!
//! | | |
//! |---|---|
//! | the callee returns a stream | [`Implementation::pipe`], [`state`](Implementation::state); one that may fail: [`fallible_pipe`](Implementation::fallible_pipe) |
//! | the callee writes, from wherever | [`Implementation::pipe_direct`] with a [`DirectStreamWriter`] |
//! | the callee writes to many callers at once | [`Group`] |
//! | the caller reads a [`Pipe`] | [`PipeRpc::dispatch`], [`StateRpc::dispatch`] |
//! | the caller is called | [`PipeRpc::dispatch_with`], [`StateRpc::dispatch_fold`] |
//! | neither knows the types | [`ExpertRpc::dispatch_stream`] |
//!
//! Who waits for whom: a callee's stream is polled as fast as the transport takes what it yields,
//! and no faster; a direct writer waits only if [asked to](DirectStreamWriter::write_with_pushback);
//! a pipe takes whatever comes, unless its RPC
//! [pushes back](PipeRpc::client_pushes_back).
//!
//! # Handlers
//!
//! An [`Implementation`] is a handler with its RPC's name and version; [`Implementations`] is a
//! table of them. A handler gets a query and a state, which is the connection's, or is
//! [lifted](Implementation::lift) from it for every query: by a function that sees the
//! [query's context](QueryContext), and that may [refuse](Implementation::authorize). An error or
//! a panic of a handler reaches its caller; [`OnException`] says what else happens then, and
//! [`OnUnknownRpc`] what happens with a query for something else.
//! [Expert handlers](Implementation::expert) see bytes instead of values.
//!
//! A handler lives as long as its connection: when that has closed, its future and its stream are
//! dropped. What has to be finished all the same belongs into a task of its own.
//!
//! # Payloads
//!
//! Values are encoded by the [codec](payload) that the RPC's definition names: bin_prot, unless
//! it says otherwise.
//!
//! # Features
//!
//! None is on by default.
//!
//! | Feature | adds |
//! |---|---|
//! | `prost` | the codec `payload::Protobuf`, for types of the crate `prost` |
//!
//! # Deadlines and cancelling
//!
//! Dropping any future or stream of this crate is safe at any await: nothing closes, nothing
//! leaks, late answers are swallowed. So a deadline is [`tokio::time::timeout`] around a
//! dispatch.
//!
//! | Dropping | does |
//! |---|---|
//! | a plain dispatch | forgets the answer; the query has been sent all the same |
//! | a stream's dispatch before its answer, or a [`Pipe`] | tells the callee to stop |
//! | [`PipeMetadata`], [`Fold`] | nothing: a callback or fold goes on until the stream's end |
//! | the last [`DirectStreamWriter`] of a stream | ends the stream |
//! | a [`Group`] | lets go of its members, of which it may have been the last handle |
//! | the last [`Connection`] | closes it |
//! | any other future, such as [`Connection::flushed`] | nothing |
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]

mod client;
pub mod connection;
mod direct_stream_writer;
mod dispatch;
mod environment;
mod error;
mod expert_rpc;
mod general_error;
mod group;
mod implementation;
mod implementations;
mod on_exception;
mod one_way;
pub mod payload;
mod pipe;
mod pipe_rpc;
mod query_context;
mod responder;
mod rpc;
mod server;
mod shapes;
mod state_rpc;
mod tracing_event;
mod unknown_rpc;

pub use client::{Client, ConnectError};
pub use connection::Connection;
pub use direct_stream_writer::{DirectStreamWriter, Flushed, StreamWriteError};
pub use dispatch::{Dispatch, MappedDispatch};
pub use environment::{Environment, EnvironmentError};
pub use error::{ConnectionClosed, DispatchAllError, DispatchError, HandlerError};
pub use expert_rpc::ExpertRpc;
pub use general_error::{Described, DispatchResult, GeneralError};
pub use group::{AddError, Group, GroupWriteError};
pub use implementation::{Implementation, Named, SharedHandler};
pub use implementations::{Builder, DuplicateImplementations, Implementations, NotImplemented};
pub use on_exception::{Exception, OnException, Raised};
pub use one_way::OneWay;
pub use pipe::{Fold, Pipe, PipeCloseReason, PipeMessage, PipeMetadata, PipeResponse};
pub use pipe_rpc::PipeRpc;
pub use query_context::QueryContext;
pub use responder::{ExpertQuery, Reply, RespondError, Responder};
pub use rpc::{MENU_RPC, Rpc};
pub use rpc_wire::RpcShapes;
#[cfg(unix)]
pub use server::UnixPeer;
pub use server::{Builder as ServerBuilder, Listener, Origin, Server, ServerStats};
pub use state_rpc::StateRpc;
pub use tracing_event::{
    Event, Kind, ReceivedResponse, SendFailure, SentResponse, Traced, TracingEvent,
    TracingEventRef, TracingEvents, TracingSubscription,
};
pub use unknown_rpc::{AfterUnknownRpc, OnUnknownRpc, UnknownRpcHandler};

/// The page's code has to compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/from-ocaml.md")]
struct FromOcaml;
