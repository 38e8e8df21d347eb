//! A pipe RPC by which a server shows what it sends and receives, live.
//!
//! The events of all observed connections go to whoever watches; those of the watching itself do
//! not, since each would cause the next.

mod watching;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bin_prot::BinProt;
use rpc_core::{Connection, Event, Implementation, Kind, PipeRpc, TracingEventRef};
use tokio::sync::broadcast;

pub use watching::Watching;

/// What a server does, from the query on, until the caller aborts. Of a server that offers it;
/// `rpc events` shows it.
pub static EVENTS: PipeRpc<(), ServerEvent, String> = PipeRpc::new("rpc-observe.events", 1);

/// One thing that a server did.
///
/// ```text
/// type what =
///   | Connected | Disconnected | Lost of int
///   | Sent of message | Received of message | Failed_to_send of message
/// and message = { kind : string; rpc : string; version : int; id : int; bytes : int }
/// type server_event = { nanoseconds : int; connection : int; peer : string; what : what }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct ServerEvent {
    /// When, in nanoseconds since 1970.
    pub nanoseconds: i64,
    /// On which connection: they are numbered from 1, as they come. 0, if it concerns none.
    pub connection: i64,
    /// What the server calls the connection.
    pub peer: String,
    /// What it was.
    pub what: What,
}

/// What a server did.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
#[non_exhaustive]
pub enum What {
    /// The connection is open.
    Connected,
    /// The connection is over.
    Disconnected,
    /// So many events are missing here, because they were not read quickly enough.
    Lost(i64),
    /// A message was put into the output buffer.
    Sent(Message),
    /// A message arrived.
    Received(Message),
    /// A message was refused, and nothing was sent.
    FailedToSend(Message),
}

/// The message of a tracing event.
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct Message {
    /// Which one, in words: `query`, `abort`, `response`, `update`, …
    pub kind: String,
    /// The RPC's name. What is not UTF-8 is replaced.
    pub rpc: String,
    /// The RPC's version.
    pub version: i64,
    /// The query's id, the same on both sides.
    pub id: i64,
    /// Size of the message's body.
    pub bytes: i64,
}

/// Collects the events of connections for those who watch.
///
/// Cheap to clone. While nobody watches, an event costs no more than the question; then each is
/// copied once, and kept until all who watch have read it, up to a fixed number: whoever reads
/// too slowly is told how many they have missed, and holds up nobody.
///
/// ```
/// use rpc_core::{Implementations, Server};
/// use rpc_observe::EventHub;
///
/// let hub = EventHub::new(1024);
/// let implementations = Implementations::builder()
///     .implementation(hub.implementation())
///     .build()?;
/// let server = Server::builder(implementations, move |_, connection| hub.observe(connection));
/// # let _ = server;
/// # Ok::<(), rpc_core::DuplicateImplementations>(())
/// ```
#[derive(Clone, Debug)]
pub struct EventHub {
    events: broadcast::Sender<Arc<ServerEvent>>,
    connections: Arc<AtomicU64>,
}

impl EventHub {
    /// Keeps at least this many events for those who read slowly: of 0 one, and rounded up to a
    /// power of two.
    ///
    /// # Panics
    /// More than half of the address space.
    pub fn new(capacity: usize) -> Self {
        Self {
            events: broadcast::Sender::new(capacity.max(1)),
            connections: Arc::default(),
        }
    }

    /// Implements [`EVENTS`]: whoever may call it sees names, sizes and times of everybody's
    /// calls, and no payloads.
    pub fn implementation<S: Send + 'static>(&self) -> Implementation<S> {
        let events = self.events.clone();
        Implementation::pipe(&EVENTS, move |_: &S, ()| {
            let watching = Watching::new(events.subscribe());
            std::future::ready(Ok(Ok(watching)))
        })
    }

    /// What happens from now on, in this process.
    pub fn watch(&self) -> Watching {
        Watching::new(self.events.subscribe())
    }

    /// Shows what a connection does until it is over. To miss nothing, do so in the function
    /// that makes the connection's [state](Connection::serve).
    pub fn observe(&self, connection: &Connection) {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let source = Source {
            events: self.events.clone(),
            connection: i64::try_from(number).unwrap_or(i64::MAX),
            peer: connection.description().to_owned(),
        };
        source.tell(|| What::Connected);
        connection
            .subscribe(move |event| source.hear(event))
            .until_the_end();
    }
}

/// One connection that is being observed.
struct Source {
    events: broadcast::Sender<Arc<ServerEvent>>,
    connection: i64,
    peer: String,
}

impl Source {
    fn hear(&self, event: &TracingEventRef<'_>) {
        let watching = event.rpc.name == EVENTS.name().as_bytes();
        if !watching {
            self.tell(|| what(event));
        }
    }

    /// `what` is asked only if somebody watches.
    fn tell(&self, what: impl FnOnce() -> What) {
        if self.events.receiver_count() == 0 {
            return;
        }
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanoseconds = since_1970.map_or(0, |time| time.as_nanos());
        let event = ServerEvent {
            nanoseconds: i64::try_from(nanoseconds).unwrap_or(i64::MAX),
            connection: self.connection,
            peer: self.peer.clone(),
            what: what(),
        };
        // Whoever watched may have left meanwhile.
        let _watchers = self.events.send(Arc::new(event));
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.tell(|| What::Disconnected);
    }
}

fn what(event: &TracingEventRef<'_>) -> What {
    let message = |kind: String| Message {
        kind,
        rpc: String::from_utf8_lossy(event.rpc.name).into_owned(),
        version: event.rpc.version,
        id: event.id.get(),
        bytes: i64::try_from(event.payload_bytes).unwrap_or(i64::MAX),
    };
    match event.event {
        Event::Sent(kind) => What::Sent(message(kind.to_string())),
        Event::FailedToSend(kind, failure) => {
            What::FailedToSend(message(format!("{kind}, {failure}")))
        }
        Event::Received(kind) => What::Received(message(kind.to_string())),
        // Whatever a later version may add is a message that arrived.
        _ => What::Received(message(Kind::<&str>::Query.to_string())),
    }
}
