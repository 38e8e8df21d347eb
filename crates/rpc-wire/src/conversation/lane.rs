//! The bytes of one direction: cut into frames, each held until it has been understood.

use bytes::{Buf, Bytes, BytesMut};

use crate::frame::{self, LENGTH_BYTES};

/// One direction's bytes.
#[derive(Debug)]
pub(super) struct Lane {
    unread: BytesMut,
    /// The body of the frame at `offset`, taken off `unread`.
    front: Option<Bytes>,
    offset: u64,
    is_ended: bool,
    has_failed: bool,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The body of a frame.
    Frame(Bytes),
    /// More bytes are needed.
    Incomplete,
    /// The direction ended, this many bytes into a frame.
    Ended { inside: usize },
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            unread: BytesMut::new(),
            front: None,
            offset: 0,
            is_ended: false,
            has_failed: false,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if !self.is_ended && !self.has_failed {
            self.unread.extend_from_slice(bytes);
        }
    }

    pub(super) fn end(&mut self) {
        self.is_ended = true;
    }

    /// Gives up: nothing that follows is looked at or kept.
    pub(super) fn fail(&mut self) {
        self.has_failed = true;
        self.front = None;
        self.unread = BytesMut::new();
    }

    /// The frame at [`offset`](Self::offset), again and again until it is consumed.
    pub(super) fn next(&mut self, limit: usize) -> Result<Next, frame::Error> {
        if let Some(front) = &self.front {
            return Ok(Next::Frame(front.clone()));
        }
        let Some((body, _)) = frame::split(&self.unread, limit)? else {
            return Ok(match self.is_ended {
                true => Next::Ended {
                    inside: self.unread.len(),
                },
                false => Next::Incomplete,
            });
        };
        let length = body.len();
        self.unread.advance(LENGTH_BYTES);
        let body = self.unread.split_to(length).freeze();
        Ok(Next::Frame(self.front.insert(body).clone()))
    }

    /// The frame was understood. Returns its offset and its size with its length.
    pub(super) fn consume(&mut self) -> (u64, usize) {
        let size = self
            .front
            .take()
            .map_or(0, |body| LENGTH_BYTES + body.len());
        let offset = self.offset;
        self.offset += size as u64;
        (offset, size)
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes behind the frame that is next.
    pub(super) fn backlog(&self) -> usize {
        self.unread.len()
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Whether nothing more can come out of it.
    pub(super) fn is_over(&self) -> bool {
        self.has_failed || (self.is_ended && self.front.is_none() && self.unread.is_empty())
    }
}
