//! What is done with the buffer while its lock is held.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bin_prot::WriteError;
use bytes::Bytes;
use rpc_wire::QueryId;
use rpc_wire::frame::{self, AppendError};

use super::{Class, Output, State};
use crate::connection::outgoing::SHARED_FROM;
use crate::connection::waiting::Receiver;
use crate::error::{ConnectionClosed, SendError};

/// The buffer, while its lock is held.
pub(crate) struct Appending<'a> {
    pub(super) output: &'a Output,
    pub(super) state: &'a mut State,
}

impl Appending<'_> {
    /// An id that no other query has, and the next one has a larger one.
    #[inline]
    pub(crate) fn issue_id(&mut self) -> QueryId {
        self.state.issue_id()
    }

    /// Keeps who waits for the answer to the query with this id, which has just been appended, for
    /// the connection's task. Whoever takes an answer may have to
    /// [let it write first](Output::writes_first).
    #[inline]
    pub(crate) fn call(&mut self, id: QueryId, receiver: Arc<dyn Receiver>) {
        self.state.calls.add(id, receiver);
        let answered = self.output.answered.load(Ordering::Relaxed);
        let buffered = self.state.buffer.len();
        if self.state.calls.are_worth_a_write(buffered, answered) {
            self.output.write_first.store(true, Ordering::Relaxed);
        }
    }

    /// Appends one message of `size` bytes, if its class may still be sent and `wanted` says so.
    /// Returns how many bytes are buffered then; `None` if it was not wanted.
    #[inline]
    pub(crate) fn append_if(
        &mut self,
        wanted: impl FnOnce() -> bool,
        class: Class,
        size: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
    ) -> Result<Option<usize>, Box<SendError>> {
        self.allow(class)?;
        if !wanted() {
            return Ok(None);
        }
        self.refuse_overfull(class)?;
        let limit = self.output.limits.message;
        let buffer = self.state.buffer.copied();
        let body = frame::append(buffer, limit, size, write).map_err(unframed)?;
        Ok(Some(self.appended(class, body)))
    }

    /// Appends one message of `size` bytes that ends with `payload`, which is not copied if it is
    /// large; `write` writes what comes before it.
    pub(crate) fn append_shared(
        &mut self,
        class: Class,
        size: usize,
        payload: &Bytes,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), WriteError>,
    ) -> Result<(), Box<SendError>> {
        if payload.len() < SHARED_FROM {
            let whole = |buffer: &mut Vec<u8>| {
                write(buffer)?;
                buffer.extend_from_slice(payload);
                Ok(())
            };
            return self.append_if(|| true, class, size, whole).map(|_| ());
        }
        self.allow(class)?;
        self.refuse_overfull(class)?;
        let (limit, buffer) = (self.output.limits.message, &mut self.state.buffer);
        let body = frame::append_before(buffer.copied(), limit, size, payload.len(), write);
        let body = body.map_err(unframed)?;
        buffer.share(payload);
        self.appended(class, body);
        Ok(())
    }

    /// Appends `count` messages that are framed already, right behind one that was appended under
    /// the same lock. They count like it, and are not refused.
    pub(crate) fn append_frames(&mut self, class: Class, frames: &[u8], count: usize) -> usize {
        self.state.buffer.copied().extend_from_slice(frames);
        self.count_frames(class, frames.len(), count)
    }

    /// Appends `count` messages that are framed already, if this class may still be sent and
    /// `wanted` says so. Results in what is buffered then.
    pub(crate) fn append_frames_if(
        &mut self,
        wanted: impl FnOnce() -> bool,
        class: Class,
        frames: &[u8],
        count: usize,
    ) -> Result<Option<usize>, Box<SendError>> {
        self.allow(class)?;
        if !wanted() {
            return Ok(None);
        }
        self.refuse_overfull(class)?;
        Ok(Some(self.append_frames(class, frames, count)))
    }

    /// Whether messages of this class may still be sent.
    #[inline]
    fn allow(&self, class: Class) -> Result<(), Box<SendError>> {
        if class.allowed_in(self.state.stage) {
            return Ok(());
        }
        Err(self.closed())
    }

    #[cold]
    fn closed(&self) -> Box<SendError> {
        let reason = self.state.closed.clone();
        Box::new(SendError::Closed(ConnectionClosed { reason }))
    }

    #[inline]
    fn refuse_overfull(&self, class: Class) -> Result<(), Box<SendError>> {
        if class.is_bounded() && self.state.bounded > self.output.limits.buffered {
            return Err(self.overfull());
        }
        Ok(())
    }

    #[cold]
    fn overfull(&self) -> Box<SendError> {
        Box::new(SendError::Overfull {
            buffered: self.state.bounded,
            limit: self.output.limits.buffered,
        })
    }

    #[inline]
    fn appended(&mut self, class: Class, body: usize) -> usize {
        self.count_frames(class, frame::LENGTH_BYTES + body, 1)
    }

    /// Frames of so many bytes have been appended. Results in what is buffered then.
    #[inline]
    fn count_frames(&mut self, class: Class, bytes: usize, count: usize) -> usize {
        let state = &mut *self.state;
        state.count(bytes, count);
        if class.is_bounded() {
            state.bounded += bytes;
        }
        state.buffer.len()
    }
}

#[cold]
fn unframed(error: AppendError) -> Box<SendError> {
    Box::new(SendError::Frame(error))
}
