//! One direction of a link: bytes on their way, each segment with its time of arrival.

use std::collections::VecDeque;
use std::task::Waker;

use tokio::io::ReadBuf;
use tokio::time::Instant;

/// What may be on its way or unread.
const WINDOW: usize = 32 * 1024;

pub(super) struct Lane {
    flying: VecDeque<Segment>,
    /// Bytes that the window is full of.
    queued: usize,
    /// When the end arrives, once it has been sent.
    finished: Option<Instant>,
    /// Whether what is sent gets lost.
    dead: bool,
    /// Nothing arrives before.
    not_before: Instant,
    /// What is sent later arrives later.
    last_arrival: Instant,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

struct Segment {
    arrives: Instant,
    bytes: Vec<u8>,
    read: usize,
}

/// What there is to read.
pub(super) enum Arrived {
    /// These many bytes were taken.
    Bytes(usize),
    End,
    /// Something comes at this time, unless something changes before.
    At(Instant),
    Nothing,
}

impl Lane {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            flying: VecDeque::new(),
            queued: 0,
            finished: None,
            dead: false,
            not_before: now,
            last_arrival: now,
            reader: None,
            writer: None,
        }
    }

    pub(super) fn room(&self) -> usize {
        WINDOW.saturating_sub(self.queued)
    }

    /// Bytes set off, which would arrive at this time if nothing were before them.
    pub(super) fn send(&mut self, bytes: &[u8], arrives: Instant) {
        self.queued += bytes.len();
        if self.dead {
            return;
        }
        let arrives = self.in_order(arrives);
        self.flying.push_back(Segment {
            arrives,
            bytes: bytes.to_vec(),
            read: 0,
        });
        wake(&mut self.reader);
    }

    /// The end sets off, behind what was sent before.
    pub(super) fn finish(&mut self, arrives: Instant) {
        if self.dead || self.finished.is_some() {
            return;
        }
        self.finished = Some(self.in_order(arrives));
        wake(&mut self.reader);
    }

    fn in_order(&mut self, arrives: Instant) -> Instant {
        self.last_arrival = self.last_arrival.max(arrives);
        self.last_arrival
    }

    pub(super) fn receive(&mut self, now: Instant, buffer: &mut ReadBuf<'_>) -> Arrived {
        let Some(segment) = self.flying.front_mut() else {
            return match self.finished.map(|at| at.max(self.not_before)) {
                Some(at) if at <= now => Arrived::End,
                Some(at) => Arrived::At(at),
                None => Arrived::Nothing,
            };
        };
        let arrives = segment.arrives.max(self.not_before);
        if arrives > now {
            return Arrived::At(arrives);
        }
        let left = &segment.bytes[segment.read..];
        let count = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..count]);
        segment.read += count;
        self.queued -= count;
        if segment.read == segment.bytes.len() {
            self.flying.pop_front();
        }
        wake(&mut self.writer);
        Arrived::Bytes(count)
    }

    /// What is on its way is lost, as is what will be sent.
    pub(super) fn kill(&mut self) {
        self.dead = true;
        self.finished = None;
        self.flying.clear();
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead
    }

    pub(super) fn hold(&mut self, until: Instant) {
        self.not_before = self.not_before.max(until);
    }

    pub(super) fn wake_all(&mut self) {
        wake(&mut self.reader);
        wake(&mut self.writer);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
