//! The connection: one stream of bytes over which both sides call each other.
//!
//! ```text
//!           create                 header ok           metadata ok
//! transport ──────► header step ────────────► metadata step ──────► OPEN
//!                       │                         │                   │ close, error, end of
//!                       ▼                         ▼                   ▼ input, peer's reason
//!                    failed                    failed              CLOSING ──► CLOSED
//! ```
//!
//! This file is the handle; the loops are in the task that owns the transport.

mod admission;
mod bulk;
mod closed;
mod closing;
mod config;
mod driver;
mod end;
mod flushing;
pub(crate) mod gate;
pub(crate) mod handshake;
pub mod heartbeat;
mod limit;
mod liveness;
mod messages;
mod metadata_hook;
mod outgoing;
pub(crate) mod output;
pub(crate) mod query_run;
mod ranks;
mod reader;
mod receivers;
pub(crate) mod run;
pub(crate) mod serving;
mod shared;
mod streams;
pub(crate) mod waiting;
mod writer;

use std::fmt;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bin_prot::{ByteString, Info};
use bytes::Bytes;
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{DescriptionRef, Menu, ProtocolVersion, QueryId, QueryMetadata};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::error::HandlerError;
use crate::implementations::Implementations;
use crate::tracing_event::{TracingEventRef, TracingEvents, TracingSubscription};
use driver::Driver;
use end::Ending;
use output::Stage;
use reader::Reader;
pub(crate) use shared::{Asking, NO_METADATA, Shared};

pub use closed::{Closed, ClosedBy};
pub(crate) use closing::Cause;
pub use closing::Close;
pub use config::Config;
pub(crate) use config::CustomMenu;
pub use handshake::{HandshakeError, HandshakeFailure, Step};
pub use limit::{Limit, LimitsMet};
pub(crate) use metadata_hook::Values;
pub use metadata_hook::{HookAlreadySet, MetadataHook};

/// A stream of bytes in both directions: TCP, Unix sockets, in-memory pipes, TLS …
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for T {}

/// A handle to a connection: dispatch through it, close it, ask about it.
///
/// Cheap to clone and to share between threads. Calls in flight and pipes hold a handle too; when
/// the last one is dropped, the connection closes without a reason. A connection whose peer calls
/// *us* is kept open by keeping a handle.
#[derive(Clone)]
pub struct Connection {
    handle: Arc<Handle>,
    /// What dispatches through this handle say; cut to size.
    metadata: Option<Arc<QueryMetadata>>,
}

struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.start_closing(Close::new().into());
    }
}

impl Connection {
    /// Makes a connection that implements nothing: the peer's queries are answered with
    /// *Unimplemented_rpc*, and then the connection closes (rule C-SK-6).
    ///
    /// Must be called within a tokio runtime: the connection has a task there.
    ///
    /// # Cancel safety
    /// Dropping the future drops the transport.
    ///
    /// # Errors
    /// See [`HandshakeFailure`]. The transport is closed then.
    pub async fn create(transport: impl Transport, config: Config) -> Result<Self, HandshakeError> {
        Self::serve(transport, config, &Implementations::empty(), |_| ()).await
    }

    /// Makes a connection that answers the peer's queries with `implementations`.
    ///
    /// `state` is called once, after the handshake and before any query is handled; what it
    /// returns is given to every handler (rule C-OP-1). Its panic is a failed creation
    /// (rule C-HF-25). Keeping a clone of the connection in the
    /// state keeps it open until the peer closes it.
    ///
    /// # Cancel safety
    /// Dropping the future drops the transport.
    ///
    /// # Errors
    /// See [`HandshakeFailure`]. The transport is closed then.
    pub async fn serve<S: Send + Sync + 'static>(
        transport: impl Transport,
        config: Config,
        implementations: &Implementations<S>,
        state: impl FnOnce(&Self) -> S,
    ) -> Result<Self, HandshakeError> {
        let mut io: Box<dyn Transport> = Box::new(transport);
        let mut reader = Reader::new(config.message_limit());
        let failed = |cause| HandshakeError {
            connection: config.text().to_owned(),
            cause,
        };
        let custom_menu = config.custom_menu.as_ref();
        let menu = implementations.menu(config.provide_shapes, custom_menu);
        let menu = menu.map_err(|error| failed(HandshakeFailure::CustomMenu(error)))?;
        let local = PeerMetadata {
            identification: config.identification.clone(),
            menu,
        };
        // Apart: who awaits this is often a task that lives as long as the connection, and would keep
        // the room that only the handshake needs.
        let agreed = Box::pin(handshake::run(&mut *io, &mut reader, &config, &local)).await;
        let agreed = agreed.map_err(failed)?;
        let implemented = implementations.catalogue();
        let shared = Arc::new(Shared::new(&config, agreed, local.menu, implemented));
        shared
            .bytes_read
            .store(reader.bytes_read(), Ordering::Relaxed);
        // From here on, whoever waits is told of the end, whatever happens.
        let ending = Ending::new(shared.clone());
        let connection = Self {
            handle: Arc::new(Handle {
                shared: shared.clone(),
            }),
            metadata: None,
        };
        let state = catch_unwind(AssertUnwindSafe(|| state(&connection)));
        let state = state.map_err(|panic| {
            let error = HandlerError::from_panic(&*panic);
            failed(HandshakeFailure::State(error))
        })?;
        let offered = config.custom_menu.as_ref().and(shared.local_menu.as_ref());
        let callee = implementations.instance(state, offered);
        let driver = Driver::new(shared, io, reader, callee, ending, &config);
        tokio::spawn(driver.run());
        Ok(connection)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// How a query for `rpc` through this handle begins.
    pub(crate) fn asking<'a>(&'a self, rpc: &'a DescriptionRef<'a>) -> Asking<'a> {
        Asking {
            rpc,
            metadata: self.metadata.as_deref().unwrap_or(NO_METADATA),
            exact: false,
        }
    }

    /// A handle whose every dispatch, of whatever kind, carries `metadata`, beside what this
    /// handle's carry. Of a key in both, the new payload is sent; of a key with a
    /// [hook](Self::set_metadata_hook) that says something, the hook's (rule C-MD-3).
    ///
    /// Each payload is cut to its first
    /// [`max_metadata_bytes_per_key`](Config::max_metadata_bytes_per_key) bytes. Peers below
    /// version 8 get the payload of [key 0](rpc_wire::DEFAULT_KEY) only, and at version 1 nothing
    /// (rule C-MD-7).
    ///
    /// ```
    /// use rpc_core::{Connection, Rpc};
    /// use rpc_wire::QueryMetadata;
    ///
    /// static ADD: Rpc<(i64, i64), i64> = Rpc::new("add", 1);
    ///
    /// async fn traced_sum(connection: &Connection) -> Result<i64, rpc_core::DispatchError> {
    ///     let traced = connection.with_metadata(QueryMetadata::new().with(0, "trace 7"));
    ///     ADD.dispatch(&traced, &(1, 2)).await
    /// }
    /// # let _ = traced_sum;
    /// ```
    #[must_use]
    pub fn with_metadata(&self, metadata: QueryMetadata) -> Self {
        let before = self.metadata.as_deref().unwrap_or(NO_METADATA).clone();
        let add = |all: QueryMetadata, (key, payload): &(i64, ByteString)| {
            all.with(*key, payload.clone())
        };
        let metadata = metadata.entries().iter().fold(before, add);
        let metadata = metadata.truncated(self.shared().max_metadata_bytes);
        Self {
            handle: self.handle.clone(),
            metadata: Some(Arc::new(metadata)),
        }
    }

    /// Says what is to be done about one key of the metadata of queries, for the whole of this
    /// connection, its other handles included. From now on; to miss no query of the peer's, set
    /// it in the function that makes the connection's [state](Self::serve). A hook that keeps a
    /// handle keeps the connection open, and in memory when it has been closed.
    ///
    /// # Errors
    /// The key has a hook already, which stays (rule C-MD-2).
    pub fn set_metadata_hook(&self, key: i64, hook: MetadataHook) -> Result<(), HookAlreadySet> {
        self.shared().hooks.set(key, hook)
    }

    /// Whether the key has a hook.
    pub fn has_metadata_hook(&self, key: i64) -> bool {
        self.shared().hooks.has(key)
    }

    /// What the connection is called on this side.
    pub fn description(&self) -> &str {
        &self.shared().description
    }

    /// The negotiated version of the wire protocol.
    pub fn version(&self) -> ProtocolVersion {
        self.shared().version
    }

    /// The bytes by which the peer introduced itself, if it did.
    pub fn peer_identification(&self) -> Option<&Bytes> {
        self.shared().peer.identification.as_ref()
    }

    /// What the peer implements, if the handshake told: from version 3, unless the peer answers
    /// menu queries in a way of its own.
    pub fn peer_menu(&self) -> Option<&Menu> {
        self.shared().peer.menu.as_ref()
    }

    /// What this side told the peer in the handshake.
    pub fn local_menu(&self) -> Option<&Menu> {
        self.shared().local_menu.as_ref()
    }

    /// Whether new dispatches fail: closing has started here, or the peer takes no more queries
    /// (rule C-CL-3).
    pub fn is_closed(&self) -> bool {
        self.shared().output.stage() > Stage::Open
    }

    /// Why this side started closing, if it did.
    pub fn close_reason(&self) -> Option<Arc<Closed>> {
        self.shared().output.closed()
    }

    /// Starts closing without telling the peer why; it sees the end of the stream.
    ///
    /// New dispatches fail from now on; what is in the output buffer is sent, and what the
    /// streams that this side serves have ready, within [`Config::flush_timeout`]. Only the first
    /// close of a connection counts (rule C-CL-2).
    pub fn close(&self) {
        self.close_with(Close::new());
    }

    /// Starts closing and tells the peer why, after everything that was sent before. Peers below
    /// version 4 see only the end of the stream.
    pub fn close_with_reason(&self, reason: impl Into<Info>) {
        self.close_with(Close::new().reason(reason));
    }

    /// Starts closing in the way that `close` says: with which reason, and what to wait for. A
    /// [`CloseReason`](rpc_wire::CloseReason) is one, too.
    pub fn close_with(&self, close: impl Into<Close>) {
        self.shared().start_closing(close.into().into());
    }

    /// Waits until closing has been started on this side: by one of the functions above, by the
    /// peer, or by what went wrong. A peer that only asked for no more queries has not started
    /// it (rule C-CL-11).
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn close_started(&self) -> Arc<Closed> {
        self.shared().started().await
    }

    /// Waits until the connection is over: the transport closed, all calls answered, all handlers
    /// gone. Does not start closing.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn closed(&self) -> Arc<Closed> {
        self.shared().finished().await
    }

    /// Waits until everything sent before this call was taken by the transport, or will never be
    /// (rule C-BP-5).
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn flushed(&self) {
        let output = &self.shared().output;
        output.flushed_to(output.mark()).await;
    }

    /// Calls `listener` for each [event](crate::TracingEvent) of this connection, in order, until
    /// the subscription is dropped or the connection is over.
    ///
    /// The listener runs where the event arises: before whoever sent gets the result, and before
    /// whoever waits for a response gets to run (rule T-3). It should be quick. It may use the
    /// connection; the events that this causes are told afterwards. If it panics, that is logged
    /// and concerns nobody else (rule T-5).
    ///
    /// It must not write to a [`Group`](crate::Group) with members on this connection, nor send on
    /// another one whose listeners send on this one: each of two threads could wait for the other.
    ///
    /// To miss nothing, subscribe in the function that makes the connection's
    /// [state](Self::serve): no message is handled before it returns. Without subscribers events
    /// cost nothing but the question whether there are any; with them, sending and telling of it
    /// is done by one thread at a time.
    pub fn subscribe(
        &self,
        listener: impl Fn(&TracingEventRef<'_>) + Send + Sync + 'static,
    ) -> TracingSubscription {
        self.shared().events.subscribe(listener)
    }

    /// The events as a stream that keeps at most `capacity` unread ones, and says how many were
    /// lost beyond that.
    pub fn tracing_events(&self, capacity: NonZeroUsize) -> TracingEvents {
        TracingEvents::new(&self.shared().events, capacity)
    }

    /// Bytes that were sent and that the transport has not accepted yet, the messages' lengths
    /// included. None once the connection is over (rule C-CT-1).
    pub fn bytes_to_write(&self) -> u64 {
        self.shared().output.bytes_to_write()
    }

    /// Bytes that were sent since the connection's creation, its handshake included: those of
    /// the messages, without their lengths. A message counts when it is in the output buffer
    /// (rule C-CT-2).
    pub fn bytes_written(&self) -> u64 {
        self.shared().output.bytes_written()
    }

    /// Bytes that were read since the connection's creation, its handshake included: those of
    /// the messages that were handled, without their lengths (rule C-CT-2).
    pub fn bytes_read(&self) -> u64 {
        self.shared().bytes_read.load(Ordering::Relaxed)
    }

    /// When the last message of the peer, of whatever kind, has been handled (rule C-HB-5);
    /// before there was one, when the connection began.
    pub fn last_seen(&self) -> Instant {
        self.shared().liveness.last_seen()
    }

    /// What silence of the peer is tolerated: what was configured or
    /// [set](Self::set_heartbeat_timeout), or the
    /// [minimum](heartbeat::Config::min_timeout) if that is longer.
    pub fn heartbeat_timeout(&self) -> Duration {
        self.shared().liveness.timeout()
    }

    /// Changes what silence of the peer is tolerated, counted from now: the peer counts as
    /// [seen](Self::last_seen) (rule C-HB-7). What was not answered so far counts on in the
    /// second [style](heartbeat::TimeoutStyle).
    pub fn set_heartbeat_timeout(&self, timeout: Duration) {
        self.shared().liveness.set_timeout(timeout);
    }

    /// Calls `callback` for each heartbeat that the peer sends from now on. Of several, the one
    /// that was registered last is called first (rule C-HB-9). They run where messages are
    /// handled, and hold up the connection. A panic is logged, and concerns nobody else.
    ///
    /// A callback that keeps a handle keeps the connection open, and in memory when it has been
    /// closed.
    pub fn on_heartbeat(&self, callback: impl Fn() + Send + Sync + 'static) {
        self.shared().liveness.add_callback(callback);
    }

    /// Asks the callee to end the stream that the query with this id has opened, as
    /// [`Pipe::abort`](crate::Pipe::abort) does. Nothing, if there is no such stream, or its callee
    /// has not agreed yet.
    pub fn abort(&self, id: QueryId) {
        let stream = self.shared().open_streams().get(&id).cloned();
        if let Some(stream) = stream {
            stream.abort();
        }
    }

    /// Number of queries of ours that have no (last) answer yet: streams included, and also those
    /// whose caller has given up.
    pub fn open_queries(&self) -> usize {
        self.shared().open_queries()
    }

    /// How often each limit was met: by this connection and all others with a copy of its
    /// [`Config`].
    pub fn limits_met(&self) -> &Arc<LimitsMet> {
        &self.shared().limits_met
    }

    /// Number of streams that this side is serving to the peer.
    pub fn served_streams(&self) -> usize {
        self.shared().serving.open()
    }
}

/// The time `duration` from now; a duration without end is some decades.
pub(crate) fn after(duration: Duration) -> Instant {
    const DECADES: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    Instant::now() + duration.min(DECADES)
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("description", &self.description())
            .field("version", &self.version().number())
            .field("closed", &self.close_reason())
            .finish_non_exhaustive()
    }
}
