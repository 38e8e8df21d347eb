//! The streams that this side is serving, and their aborts.
//!
//! A stream's messages come from its own task, an abort from the connection's. Whoever sends the
//! last message decides under the output's lock that it is the last: after the end of a stream
//! nothing with its id may follow, since the peer has forgotten it.

mod upstream;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use rpc_wire::QueryId;
use tokio::task::AbortHandle;

use super::Shared;
use crate::direct_stream_writer::Direct;
use upstream::Upstream;

/// One stream, from its query to its last message.
#[derive(Debug, Default)]
pub(crate) struct Served {
    /// Written under the output's lock only, under which it decides. Who only wants to spare work
    /// may read it without.
    ended: AtomicBool,
    task: OnceLock<AbortHandle>,
    pub(crate) upstream: Upstream,
    /// What the handler writes to, of a stream that has no source.
    direct: OnceLock<Weak<Direct>>,
}

impl Served {
    /// Whether nothing may be sent any more.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Claims the right to send the last message. `false` if somebody else has it.
    pub(crate) fn end(&self) -> bool {
        !self.ended.swap(true, Ordering::Relaxed)
    }

    /// The task that produces the stream, once it has one.
    pub(crate) fn set_task(&self, task: AbortHandle) {
        if let Err(task) = self.task.set(task) {
            task.abort();
        }
    }

    /// What the handler writes to, once there is such a thing.
    pub(crate) fn set_direct(&self, direct: Weak<Direct>) {
        self.direct.get_or_init(|| direct);
    }

    /// What the handler writes to, if it does.
    pub(crate) fn direct(&self) -> Option<Arc<Direct>> {
        self.direct.get()?.upgrade()
    }

    /// Drops the handler's future, and with it the source of the updates.
    pub(crate) fn cancel(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// The streams by their queries' ids.
#[derive(Debug)]
pub(crate) struct Serving {
    /// How many there may be.
    most: usize,
    streams: Mutex<HashMap<QueryId, Arc<Served>>>,
    /// Streams whose source may have more to give right now. Sequentially consistent, as is
    /// `Output::is_closing`: either a source that becomes idle sees that the connection is
    /// closing, and wakes its task; or that task sees that the source is idle.
    busy: AtomicUsize,
    /// Deferred plain and expert handlers that run: see [`OpenQuery`].
    deferred: AtomicUsize,
}

/// While this exists, a query of the peer's is open: a graceful close waits for its answer.
///
/// For deferred plain handlers and expert handlers that have not returned; a handler that is ready
/// at once, a stream and the delayed answer of an expert handler hold none (rule C-CL-9).
pub(crate) struct OpenQuery(Arc<Shared>);

impl OpenQuery {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        shared.serving.deferred.fetch_add(1, Ordering::SeqCst);
        Self(shared.clone())
    }
}

impl Drop for OpenQuery {
    fn drop(&mut self) {
        self.0.serving.deferred.fetch_sub(1, Ordering::SeqCst);
        // As with `busy`: whoever is the later one of two sees the other.
        if self.0.output.is_closing() {
            self.0.output.wake_task();
        }
    }
}

impl Serving {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            streams: Mutex::default(),
            busy: AtomicUsize::new(0),
            deferred: AtomicUsize::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueryId, Arc<Served>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream begins: before its handler runs (rule R-SV-1). A stream that has the same id gives
    /// its place away; a direct writer is closed then, since nobody would tell it of the
    /// connection's end. `None` if there are as many streams as may be.
    pub(crate) fn register(&self, id: QueryId) -> Option<Arc<Served>> {
        let served = Arc::<Served>::default();
        let before = {
            let mut streams = self.lock();
            if streams.len() >= self.most {
                return None;
            }
            streams.insert(id, served.clone())
        };
        if let Some(direct) = before.and_then(|served| served.direct()) {
            direct.close();
        }
        Some(served)
    }

    /// The stream with this id, which is over for the table.
    pub(crate) fn remove(&self, id: QueryId) -> Option<Arc<Served>> {
        self.lock().remove(&id)
    }

    /// Takes a stream that ended by itself out, unless a later one has its id by now.
    pub(crate) fn finished(&self, id: QueryId, served: &Arc<Served>) {
        let mut streams = self.lock();
        if streams.get(&id).is_some_and(|s| Arc::ptr_eq(s, served)) {
            streams.remove(&id);
        }
    }

    /// The implementations are stopped: whatever is left is over without an end of its own
    /// (rule C-CL-12, step 4). Sources are dropped and direct writers closed, so that whoever
    /// produces notices (rule R-SV-14). In the order of their ids: what a program does when it
    /// notices then follows from what happened before, and a simulation can be run again.
    pub(crate) fn clear(&self) {
        let streams = std::mem::take(&mut *self.lock());
        let mut streams: Vec<_> = streams.into_iter().collect();
        streams.sort_unstable_by_key(|(id, _)| *id);
        for (_, served) in streams {
            match served.direct() {
                Some(direct) => direct.stop(),
                None => served.cancel(),
            }
        }
    }

    /// A source is being drained: closing waits for it (rule C-CL-12, step 3).
    pub(crate) fn begin_busy(&self) {
        self.busy.fetch_add(1, Ordering::SeqCst);
    }

    /// That source has nothing more to give for now, or for ever.
    pub(crate) fn end_busy(&self) {
        self.busy.fetch_sub(1, Ordering::SeqCst);
    }

    /// Has every source asked once more for what it has ready; they are busy until that was done.
    pub(super) fn ask_sources(&self) {
        // Nobody is woken under the lock.
        let streams: Vec<_> = self.lock().values().cloned().collect();
        for served in streams {
            served.upstream.ask(&self.busy);
        }
    }

    /// Whether a source is being drained.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::SeqCst) > 0
    }

    /// Number of deferred handlers that run.
    pub(crate) fn deferred(&self) -> usize {
        self.deferred.load(Ordering::SeqCst)
    }

    /// Number of streams being served.
    pub(crate) fn open(&self) -> usize {
        self.lock().len()
    }
}
