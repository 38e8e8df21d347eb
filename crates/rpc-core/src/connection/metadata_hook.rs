//! Functions that add metadata to every query, and that see what comes with every query
//! (*connection* §10).
//!
//! Few connections have any. Those without pay for the question.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bin_prot::ByteString;
use rpc_wire::{DescriptionRef, QueryHeader, QueryId, QueryMetadata};
use thiserror::Error;

use crate::error::HandlerError;

type WhenSending = dyn Fn(DescriptionRef<'_>, QueryId) -> Option<ByteString> + Send + Sync;
type OnReceive = dyn Fn(DescriptionRef<'_>, QueryId, Option<&[u8]>) -> Value + Send + Sync;

/// What a hook has made of a query's metadata.
type Value = Box<dyn Any + Send + Sync>;

/// What is to be done about one key of the metadata of queries. See
/// [`Connection::set_metadata_hook`](crate::Connection::set_metadata_hook).
#[derive(Default)]
pub struct MetadataHook {
    when_sending: Option<Box<WhenSending>>,
    on_receive: Option<Box<OnReceive>>,
}

impl MetadataHook {
    /// A hook that does nothing, and takes its key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks `payload` for what the key is to carry with each query of ours, given the RPC and the
    /// query's id. It runs once for each dispatch, where the dispatch is made, before it is known
    /// whether the query can be sent (rules C-MD-3, C-MD-10). What it returns takes the place of
    /// what [`Connection::with_metadata`](crate::Connection::with_metadata) says for the key, and
    /// is cut to
    /// [`Config::max_metadata_bytes_per_key`](super::Config::max_metadata_bytes_per_key).
    ///
    /// Aborts of streams carry no metadata (rule C-MD-6). A panic comes out of the dispatch;
    /// nothing is sent then.
    #[must_use]
    pub fn when_sending<P: Into<ByteString>>(
        mut self,
        payload: impl Fn(DescriptionRef<'_>, QueryId) -> Option<P> + Send + Sync + 'static,
    ) -> Self {
        let payload = move |rpc: DescriptionRef<'_>, id| payload(rpc, id).map(Into::into);
        self.when_sending = Some(Box::new(payload));
        self
    }

    /// Gives every query of the peer's to `read`: the RPC, the query's id, and its payload for
    /// the key, or none. It runs before the implementation, also for aborts, which have no
    /// payload, and for queries to unknown RPCs (rule C-MD-8), where messages are handled: it
    /// holds up the connection.
    ///
    /// The implementation finds what it returns in the query's
    /// [context](crate::QueryContext::value), by its type; of several keys' values of one type,
    /// that of the hook which was set last. A panic is logged, and then there is no value.
    ///
    /// Of one type the library makes use itself: in a [`tracing::Span`] the implementation runs,
    /// its future and stream included.
    ///
    /// ```
    /// use rpc_core::Connection;
    /// use rpc_core::connection::MetadataHook;
    ///
    /// /// The caller's trace, if it told one.
    /// struct Trace(Option<u64>);
    ///
    /// fn trace_queries(connection: &Connection) {
    ///     let read = MetadataHook::new().on_receive(|_rpc, _id, payload| {
    ///         let text = payload.and_then(|bytes| std::str::from_utf8(bytes).ok());
    ///         Trace(text.and_then(|text| text.parse().ok()))
    ///     });
    ///     connection.set_metadata_hook(0, read).expect("nobody else sets this key");
    /// }
    /// # let _ = trace_queries;
    /// ```
    #[must_use]
    pub fn on_receive<T: Any + Send + Sync>(
        mut self,
        read: impl Fn(DescriptionRef<'_>, QueryId, Option<&[u8]>) -> T + Send + Sync + 'static,
    ) -> Self {
        let read = move |rpc: DescriptionRef<'_>, id, payload: Option<&[u8]>| -> Value {
            Box::new(read(rpc, id, payload))
        };
        self.on_receive = Some(Box::new(read));
        self
    }
}

impl fmt::Debug for MetadataHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataHook")
            .field("when_sending", &self.when_sending.is_some())
            .field("on_receive", &self.on_receive.is_some())
            .finish()
    }
}

/// The key has a hook, which stays (rule C-MD-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a hook for the metadata's key {key} is set already")]
pub struct HookAlreadySet {
    /// The key.
    pub key: i64,
}

/// The hooks of one connection.
#[derive(Default)]
pub(crate) struct Hooks {
    entries: OnceLock<Mutex<Arc<[Entry]>>>,
}

#[derive(Clone)]
struct Entry {
    key: i64,
    hook: Arc<MetadataHook>,
}

impl Hooks {
    pub(crate) fn set(&self, key: i64, hook: MetadataHook) -> Result<(), HookAlreadySet> {
        let entries = self.entries.get_or_init(Mutex::default);
        let mut entries = lock(entries);
        if entries.iter().any(|entry| entry.key == key) {
            return Err(HookAlreadySet { key });
        }
        let added = Entry {
            key,
            hook: Arc::new(hook),
        };
        *entries = entries.iter().cloned().chain([added]).collect();
        Ok(())
    }

    pub(crate) fn has(&self, key: i64) -> bool {
        self.current()
            .is_some_and(|entries| entries.iter().any(|entry| entry.key == key))
    }

    /// Whether any key has one, or is about to.
    #[inline]
    pub(crate) fn are_set(&self) -> bool {
        self.entries.get().is_some()
    }

    /// The metadata of a query of ours: what was `given` with it, and what the hooks say.
    #[inline]
    pub(crate) fn when_sending<'a>(
        &self,
        rpc: DescriptionRef<'_>,
        id: QueryId,
        given: &'a QueryMetadata,
        max_bytes: usize,
    ) -> Cow<'a, QueryMetadata> {
        match self.current() {
            None => Cow::Borrowed(given),
            Some(entries) => Cow::Owned(ask(&entries, rpc, id, given, max_bytes)),
        }
    }

    /// What the hooks make of a query of the peer's, if there are any.
    #[inline]
    pub(crate) fn on_receive(
        &self,
        rpc: DescriptionRef<'_>,
        header: &QueryHeader<'_>,
        connection: &str,
    ) -> Values {
        Values(
            self.current()
                .map(|entries| show(&entries, rpc, header, connection)),
        )
    }

    /// The hooks as they are now: they are the user's, and run without any lock held.
    #[inline]
    fn current(&self) -> Option<Arc<[Entry]>> {
        Some(lock(self.entries.get()?).clone())
    }
}

#[cold]
fn ask(
    entries: &[Entry],
    rpc: DescriptionRef<'_>,
    id: QueryId,
    given: &QueryMetadata,
    max_bytes: usize,
) -> QueryMetadata {
    let mut metadata = given.clone();
    for Entry { key, hook } in entries {
        let payload = hook.when_sending.as_ref().and_then(|hook| hook(rpc, id));
        if let Some(payload) = payload {
            metadata = metadata.with(*key, payload);
        }
    }
    metadata.truncated(max_bytes)
}

#[cold]
fn show(
    entries: &[Entry],
    rpc: DescriptionRef<'_>,
    header: &QueryHeader<'_>,
    connection: &str,
) -> Arc<Vec<Value>> {
    let show = |Entry { key, hook }: &Entry| {
        let (hook, payload) = (hook.on_receive.as_ref()?, header.metadata(*key));
        let read = catch_unwind(AssertUnwindSafe(|| hook(rpc, header.id, payload)));
        let log = |panic: &Box<dyn Any + Send>| {
            let error = HandlerError::from_panic(&**panic);
            tracing::error!(connection, key, %error, "hook for metadata panicked");
        };
        read.inspect_err(log).ok()
    };
    Arc::new(entries.iter().filter_map(show).collect())
}

/// What the hooks have made of one query's metadata, in the order in which they were set.
#[derive(Clone, Default)]
pub(crate) struct Values(Option<Arc<Vec<Value>>>);

impl Values {
    /// The last one of this type.
    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        let values = self.0.as_deref()?.iter().rev();
        values
            .map(|value| &**value)
            .find_map(<dyn Any + Send + Sync>::downcast_ref)
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Values")
            .field(&self.0.as_deref().map_or(0, Vec::len))
            .finish()
    }
}

fn lock(entries: &Mutex<Arc<[Entry]>>) -> MutexGuard<'_, Arc<[Entry]>> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.current().into_iter().flat_map(|entries| {
            let keys: Vec<_> = entries.iter().map(|entry| entry.key).collect();
            keys
        });
        f.debug_list().entries(keys).finish()
    }
}
