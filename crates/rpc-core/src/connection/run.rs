//! Updates of one stream that follow one another in what has been read.
//!
//! A stream that is alone on its connection, or has more to say than the others, fills the input
//! with nothing else. Taking its updates in one go costs the locks of one.

use rpc_wire::{QueryId, Response, stream};

use super::reader::Reader;
use super::waiting::Note;
use crate::tracing_event::Events;

/// Updates in one run, so that who waits for them can begin before everything has been decoded.
const MOST: usize = 128;

pub(crate) struct Run<'a> {
    reader: &'a mut Reader,
    id: QueryId,
    events: &'a Events,
    left: usize,
    /// Size of the last update's frame's body.
    body: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(reader: &'a mut Reader, id: QueryId, events: &'a Events) -> Self {
        Self {
            reader,
            id,
            events,
            left: MOST,
            body: 0,
        }
    }

    /// What is needed to tell of the last update.
    pub(crate) fn note(&self) -> Note<'_> {
        Note::new(self.id, self.body, self.events)
    }

    /// The next update, encoded. `None` at anything else, which is left where it is; and as soon as
    /// somebody listens to the events, since each update is one.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        if self.left == 0 || self.events.are_heard() {
            return None;
        }
        self.left -= 1;
        let id = self.id;
        let size = &mut self.body;
        self.reader.next_frame_if(|body| {
            let (found, payload) = Response::split_ok(body)?;
            *size = body.len();
            (found == id).then(|| stream::split_update(payload)).flatten()
        })
    }
}
