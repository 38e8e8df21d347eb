//! Updates on their way from a source to the output: several under one lock.
//!
//! A source is the user's, so it cannot be asked for updates while the output is locked. What it
//! yields is framed aside, and appended when there is enough of it, or nothing more at present.

use std::cell::Cell;
use std::ops::Range;

use rpc_wire::frame::{self, AppendError};
use rpc_wire::stream;

use super::sender::{Flow, Sender};
use crate::error::SendError;
use crate::implementation::call::too_big;
use crate::payload::Codec;
use crate::tracing_event::Events;

/// Updates after which a chunk is appended, so that a source that takes its time over each of them
/// does not keep the first ones back for long.
const UPDATES: usize = 64;

/// The same in bytes of frames. An update as large as this is encoded straight into the output.
const BYTES: usize = 16 * 1024;

thread_local! {
    /// The memory of this thread's last chunk. A source that serves a stream of its own while it is
    /// asked finds it taken.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Frames that are yet to be appended to the output. If the source panics, those before are sent.
pub(super) struct Chunk<'a> {
    sender: &'a Sender,
    /// Of the connection, which is asked for each update.
    events: &'a Events,
    frames: Vec<u8>,
    updates: usize,
    /// What precedes an update of `size` bytes in the last frame. The next one's, if it is as long.
    head: Range<usize>,
    size: usize,
}

impl<'a> Chunk<'a> {
    pub(super) fn new(sender: &'a Sender) -> Self {
        Self {
            sender,
            events: &sender.call.shared().events,
            frames: SPARE.try_with(Cell::take).unwrap_or_default(),
            updates: 0,
            head: 0..0,
            size: 0,
        }
    }

    /// Adds one update.
    ///
    /// # Errors
    /// It has no encoding, or nobody can be sent anything any more. One that is too large is
    /// reported to the caller instead; it does not end the stream (rule R-SV-10).
    pub(super) fn add<U, C: Codec<U>>(&mut self, update: &U) -> Result<Flow, Box<SendError>> {
        let Sender { call, served } = self.sender;
        let size = C::size(update);
        if size >= BYTES || self.events.are_heard() {
            return self.add_at_once::<U, C>(update);
        }
        if served.is_ended() {
            return Ok(Flow::Stop);
        }
        let frames = &mut self.frames;
        let framed = if size == self.size && self.updates > 0 {
            let head = self.head.clone();
            frame::append_like(frames, head, size, |buffer| C::write(update, buffer))
        } else {
            let start = frames.len();
            let payload = stream::update_size(size);
            let framed = call.frame(frames, payload, |buffer| {
                stream::write_before_update(size, buffer);
                C::write(update, buffer)
            });
            self.size = size;
            self.head = start..frames.len().saturating_sub(size);
            framed.map(drop)
        };
        match framed {
            Ok(()) => {}
            Err(AppendError::TooBig { .. }) => return self.add_at_once::<U, C>(update),
            Err(error) => return Err(Box::new(SendError::Frame(error))),
        }
        self.updates += 1;
        if self.updates < UPDATES && self.frames.len() < BYTES {
            return Ok(Flow::Continue);
        }
        self.send()
    }

    /// The update goes where all before it have gone first.
    #[cold]
    fn add_at_once<U, C: Codec<U>>(&mut self, update: &U) -> Result<Flow, Box<SendError>> {
        if self.send()? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        self.sender.update::<U, C>(update).or_else(|error| {
            let SendError::Frame(AppendError::TooBig { size, limit }) = *error else {
                return Err(error);
            };
            self.sender.report(too_big(size, limit));
            Ok(Flow::Continue)
        })
    }

    /// Appends what has been framed.
    pub(super) fn send(&mut self) -> Result<Flow, Box<SendError>> {
        if self.updates == 0 {
            return Ok(Flow::Continue);
        }
        let sent = self.sender.frames(&self.frames, self.updates);
        self.frames.clear();
        self.updates = 0;
        sent
    }
}

impl Drop for Chunk<'_> {
    fn drop(&mut self) {
        // Empty unless the source has panicked, and then its failure is what is told.
        let _sent = self.send();
        let frames = std::mem::take(&mut self.frames);
        if frames.capacity() <= 2 * BYTES {
            // A thread that is ending keeps nothing.
            let _kept = SPARE.try_with(|spare| spare.set(frames));
        }
    }
}
