//! Functions that add metadata to every query, and that see what comes with every query
//! (*connection* §10).
//!
//! Few connections have any. Those without pay for the question.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bin_prot::ByteString;
use rpc_wire::{DescriptionRef, QueryId, QueryMetadata};
use thiserror::Error;

type WhenSending = dyn Fn(DescriptionRef<'_>, QueryId) -> Option<ByteString> + Send + Sync;

/// What is to be done about one key of the metadata of queries. See
/// [`Connection::set_metadata_hook`](crate::Connection::set_metadata_hook).
#[derive(Default)]
pub struct MetadataHook {
    when_sending: Option<Box<WhenSending>>,
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
}

impl fmt::Debug for MetadataHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataHook")
            .field("when_sending", &self.when_sending.is_some())
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
