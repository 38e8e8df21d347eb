//! Updates of one stream that follow one another in what has been read.
//!
//! A stream that is alone on its connection, or has more to say than the others, fills the input
//! with nothing else. Taking its updates in one go costs the locks of one. If they are equally
//! long, what precedes them is the same, and is compared with the one before instead of decoded.

use rpc_wire::{Data, QueryId, Response, stream};

use super::Shared;
use super::reader::{Head, Reader};
use super::waiting::Note;
use crate::error::DispatchError;

/// Updates in one run, so that who waits for them can begin before everything has been decoded.
const MOST: usize = 128;

pub(crate) struct Run<'a> {
    reader: &'a mut Reader,
    id: QueryId,
    shared: &'a Shared,
    left: usize,
    last: Option<Head>,
}

impl<'a> Run<'a> {
    pub(super) fn new(reader: &'a mut Reader, id: QueryId, shared: &'a Shared) -> Self {
        Self {
            reader,
            id,
            shared,
            left: MOST,
            last: None,
        }
    }

    /// What is needed to tell of the last update.
    pub(crate) fn note(&self) -> Note<'_> {
        let body = self.last.map_or(0, Head::body);
        Note::new(self.id, body, self.shared)
    }

    /// Keeps the payload of the last update, which could not be decoded, if the program wants that.
    #[cold]
    pub(crate) fn keep_undecodable(&self, error: &DispatchError) {
        let body = self.last.and_then(|head| self.reader.body(head));
        if let Some((_, payload)) = body.and_then(Response::split_ok) {
            self.note().keep_undecodable(error, Data::new(payload));
        }
    }

    /// The next update, encoded. `None` at anything else, which is left where it is; and as soon as
    /// somebody listens to the events, since each update is one.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        if self.left == 0 || self.shared.events.are_heard() {
            return None;
        }
        self.left -= 1;
        let id = self.id;
        let (head, update) = self.reader.next_tail(self.last, |body| {
            let (found, payload) = Response::split_ok(body)?;
            (found == id)
                .then(|| stream::split_update(payload))
                .flatten()
        })?;
        self.last = Some(head);
        Some(update)
    }
}
