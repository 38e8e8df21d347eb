//! One update for many streams, encoded once (*rpcs* §9).

mod members;

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bin_prot::WriteError;
use rpc_wire::stream;
use thiserror::Error;

use crate::direct_stream_writer::{DirectStreamWriter, Flushed};
use crate::payload::{BinProt, Codec};
use members::Members;

/// Capacity beyond which the buffer of an update that was written is not kept.
const KEEP_CAPACITY: usize = 1024 * 1024;

/// Writes the same updates to many [`DirectStreamWriter`]s.
///
/// An update is encoded once; the same bytes are then appended to the output of every member,
/// each with the header of its own stream (rule R-GR-5). Members of one connection are written to
/// together. A member that has not started keeps a copy until it does.
///
/// Members may come and go at any time, and a writer may be in several groups (rule R-GR-2). All
/// members have the same codec: that is part of their type, and so nothing is to be checked when
/// they are added (rule R-GR-1). What goes wrong with one member, a caller that aborted, an update
/// above its connection's limit, concerns that member only (rule R-GR-11). A closed writer leaves
/// its groups by itself, though not at once (rule R-GR-3).
///
/// A group is a handle to each of its members: their streams end when it is dropped, unless there
/// are other handles. Writes of several threads reach all members in the same order. A group is
/// locked while it writes, so a value's encoder, and a listener to the events of a member's
/// connection, must not use it.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use rpc_core::connection::{Config, Connection};
/// use rpc_core::{Group, Implementations, PipeRpc};
///
/// static PRICES: PipeRpc<(), u64, String> = PipeRpc::new("prices", 1);
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Whoever subscribes is told the latest price first.
/// let subscribers = Arc::new(Group::new().send_last_value_on_add());
/// let implementations = Implementations::<Arc<Group<u64>>>::builder()
///     .implement_pipe_direct(&PRICES, |subscribers, (), writer| {
///         let added = subscribers.add(writer);
///         async move {
///             added?;
///             Ok(Ok(()))
///         }
///     })
///     .build()?;
///
/// # let (near, far) = tokio::io::duplex(4096);
/// # let (connection, _serving) = tokio::try_join!(
/// #     Connection::create(near, Config::default()),
/// #     Connection::serve(far, Config::default(), &implementations, |_| subscribers.clone()),
/// # )?;
/// subscribers.write(&100)?;
/// let mut prices = PRICES.dispatch(&connection, &()).await??;
/// assert_eq!(prices.next().await, Some(100));
/// subscribers.write(&101)?;
/// assert_eq!(prices.next().await, Some(101));
/// # Ok(())
/// # }
/// ```
pub struct Group<U, C = BinProt> {
    state: Mutex<State>,
    types: PhantomData<fn(&U) -> C>,
}

struct State {
    members: Members,
    /// The stream payload of the update that is being written.
    payload: Vec<u8>,
    last: Last,
}

/// What members get that are added.
enum Last {
    /// Nothing.
    NotSent,
    /// The stream payload of what was written last, if anything was.
    Sent(Option<Vec<u8>>),
}

/// Why a writer was not added to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddError {
    /// Its stream is over.
    #[error("writer is closed")]
    Closed,
    /// It is there already.
    #[error("writer is a member of the group already")]
    AlreadyMember,
}

/// Why an update was written to nobody.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GroupWriteError {
    /// The update has no encoding.
    #[error("update cannot be encoded")]
    Unencodable(#[from] WriteError),
    /// The update's codec announced another size than it wrote.
    #[error("update announced {promised} bytes and wrote {written}")]
    SizeMismatch {
        /// Bytes announced.
        promised: usize,
        /// Bytes written.
        written: usize,
    },
}

impl<U, C> Group<U, C> {
    /// A group without members.
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State {
                members: Members::default(),
                payload: Vec::new(),
                last: Last::NotSent,
            }),
            types: PhantomData,
        }
    }

    /// Makes a writer that is added get the update that was written last, by whichever form, if
    /// there has been one, before any later one (rule R-GR-7). What is written while there are no
    /// members is encoded and kept, too.
    #[must_use]
    pub fn send_last_value_on_add(self) -> Self {
        self.lock().last = Last::Sent(None);
        self
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The buffer is cleared before it is used; encoders that panic leave nothing else behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a writer.
    ///
    /// # Errors
    /// It is closed, or a member.
    pub fn add(&self, writer: DirectStreamWriter<U, C>) -> Result<(), AddError> {
        let mut state = self.lock();
        state.members.add(writer.handle())?;
        if let Last::Sent(Some(payload)) = &state.last {
            // An error would concern this member alone, and nobody here.
            let _written = writer.handle().direct.write_payload(payload);
        }
        Ok(())
    }

    /// Takes a writer out; its stream goes on, if there is another handle. Nothing, if it is no
    /// member (rule R-GR-4).
    pub fn remove(&self, writer: &DirectStreamWriter<U, C>) {
        self.lock().members.remove(writer.handle());
    }

    /// Number of members that are not closed.
    pub fn len(&self) -> usize {
        self.lock().members.len()
    }

    /// Whether every member, if there are any, is closed.
    pub fn is_empty(&self) -> bool {
        !self.lock().members.any_open()
    }

    /// The members that are not closed, in no particular order.
    pub fn members(&self) -> Vec<DirectStreamWriter<U, C>> {
        let open = self.lock().members.open().into_iter();
        open.map(DirectStreamWriter::from_handle).collect()
    }

    /// Writes an update that is encoded already, without a length before it. The bytes are copied
    /// (rule R-GR-10).
    pub fn write_encoded(&self, update: &[u8]) {
        self.lock().write_encoded(update);
    }

    /// [`write_encoded`](Self::write_encoded) with what
    /// [`write_with_pushback`](Self::write_with_pushback) results in.
    pub fn write_encoded_with_pushback(&self, update: &[u8]) -> Flushed {
        let mut state = self.lock();
        state.write_encoded(update);
        state.members.flushed()
    }
}

impl<U, C: Codec<U>> Group<U, C> {
    /// Writes an update to every member. Without members it is dropped, unless it may have to be
    /// sent [later](Self::send_last_value_on_add) (rule R-GR-6).
    ///
    /// # Errors
    /// The update cannot be encoded, and is written to nobody.
    pub fn write(&self, update: &U) -> Result<(), GroupWriteError> {
        self.lock().write::<U, C>(update)
    }

    /// Writes an update to every member. The future waits until each of those who are members now
    /// is closed, or its transport has taken everything that was sent so far (rule R-GR-9).
    ///
    /// # Errors
    /// The update cannot be encoded, and is written to nobody.
    pub fn write_with_pushback(&self, update: &U) -> Result<Flushed, GroupWriteError> {
        let mut state = self.lock();
        state.write::<U, C>(update)?;
        Ok(state.members.flushed())
    }
}

impl State {
    fn write<U, C: Codec<U>>(&mut self, update: &U) -> Result<(), GroupWriteError> {
        if self.has_no_use_for_updates() {
            return Ok(());
        }
        let promised = C::size(update);
        self.payload.clear();
        self.payload.reserve(stream::update_size(promised));
        stream::write_before_update(promised, &mut self.payload);
        let before = self.payload.len();
        C::write(update, &mut self.payload)?;
        let written = self.payload.len() - before;
        if written != promised {
            return Err(GroupWriteError::SizeMismatch { promised, written });
        }
        self.send();
        Ok(())
    }

    fn write_encoded(&mut self, update: &[u8]) {
        if self.has_no_use_for_updates() {
            return;
        }
        self.payload.clear();
        stream::write_before_update(update.len(), &mut self.payload);
        self.payload.extend_from_slice(update);
        self.send();
    }

    fn has_no_use_for_updates(&self) -> bool {
        self.members.are_none() && matches!(self.last, Last::NotSent)
    }

    fn send(&mut self) {
        self.members.write(&self.payload);
        if let Last::Sent(last) = &mut self.last {
            std::mem::swap(last.get_or_insert_default(), &mut self.payload);
        }
        if self.payload.capacity() > KEEP_CAPACITY {
            self.payload = Vec::new();
        }
    }
}

impl<U, C> Default for Group<U, C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<U, C> fmt::Debug for Group<U, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
