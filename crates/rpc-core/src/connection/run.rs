//! Updates of one stream that follow one another in what has been read.
//!
//! A stream that is alone on its connection, or has more to say than the others, fills the input
//! with nothing else. Taking its updates in one go costs the locks of one. If they are equally
//! long, what precedes them is the same, and is compared with the one before instead of decoded.

use std::sync::atomic::{AtomicBool, Ordering};

use rpc_wire::{Data, QueryId, Response, frame, stream};

use super::Shared;
use super::reader::Unread;
use super::waiting::Note;
use crate::error::DispatchError;
use crate::tracing_event::Events;

/// Updates in one run, so that who waits for them can begin before everything has been decoded.
const MOST: usize = 128;

pub(crate) struct Run<'a> {
    unread: Unread<'a>,
    id: QueryId,
    shared: &'a Shared,
    /// Of the connection, which is asked for each update.
    events: &'a Events,
    left: usize,
    /// What precedes the last update in its frame, the frame's length included.
    head: &'a [u8],
    /// How long the last update was.
    size: usize,
}

/// A run, as long as its stream is open.
pub(crate) struct OpenRun<'a, 'b> {
    run: &'a mut Run<'b>,
    open: &'a AtomicBool,
}

impl<'a> Run<'a> {
    pub(super) fn new(unread: Unread<'a>, id: QueryId, shared: &'a Shared) -> Self {
        Self {
            unread,
            id,
            shared,
            events: &shared.events,
            left: MOST,
            head: &[],
            size: 0,
        }
    }

    /// The updates up to the moment at which `open` becomes false.
    pub(crate) fn while_open<'b>(&'b mut self, open: &'b AtomicBool) -> OpenRun<'b, 'a> {
        OpenRun { run: self, open }
    }

    /// Whether any update has been taken.
    pub(crate) fn has_begun(&self) -> bool {
        self.left < MOST
    }

    /// What is needed to tell of the last update.
    pub(crate) fn note(&self) -> Note<'_> {
        let body = (self.head.len() + self.size).saturating_sub(frame::LENGTH_BYTES);
        Note::new(self.id, body, self.shared)
    }

    /// Keeps the payload of the last update, which could not be decoded, if the program wants that.
    #[cold]
    pub(crate) fn keep_undecodable(&self, error: &DispatchError) {
        let last = self.unread.taken(self.head.len() + self.size);
        let body = last.and_then(|frame| frame.get(frame::LENGTH_BYTES..));
        if let Some((_, payload)) = body.and_then(Response::split_ok) {
            self.note().keep_undecodable(error, Data::new(payload));
        }
    }

    /// The next update, encoded. `None` at anything else, which is left where it is; and as soon as
    /// somebody listens to the events, since each update is one.
    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.left == 0 || self.events.are_heard() {
            return None;
        }
        let update = match self.unread.take_like(self.head, self.size) {
            Some(update) => update,
            None => self.decode()?,
        };
        self.left -= 1;
        Some(update)
    }

    /// The next update, if it is another kind of frame than the last one.
    #[inline(never)]
    fn decode(&mut self) -> Option<&'a [u8]> {
        let id = self.id;
        let (head, update) = self.unread.take(|body| {
            let (found, payload) = Response::split_ok(body)?;
            (found == id)
                .then(|| stream::split_update(payload))
                .flatten()
        })?;
        (self.head, self.size) = (head, update.len());
        Some(update)
    }
}

impl<'b> OpenRun<'_, 'b> {
    /// The [next update](Run::next), if the stream is still open.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<&'b [u8]> {
        if self.open.load(Ordering::Relaxed) {
            self.run.next()
        } else {
            None
        }
    }
}
