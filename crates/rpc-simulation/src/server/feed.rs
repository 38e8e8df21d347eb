//! One stream, at its source.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::source::{Asked, Source};
use crate::fact::Fact;
use crate::names::StreamName;
use crate::wire_types::{Sent, Update};

/// Yields every number that is published after the one that it began at.
pub(super) struct Feed {
    source: Arc<Source>,
    stream: StreamName,
    /// The number last yielded.
    position: i64,
    /// Updates yielded.
    index: i64,
    ends: u64,
    garbles: u64,
    ended: bool,
}

impl Feed {
    pub(super) fn new(
        source: Arc<Source>,
        stream: StreamName,
        position: i64,
        ends: u64,
        garbles: u64,
    ) -> Self {
        Self {
            source,
            stream,
            position,
            index: 0,
            ends,
            garbles,
            ended: false,
        }
    }
}

impl Stream for Feed {
    type Item = Sent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Sent>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        let asked = this
            .source
            .poll(cx, this.ends, &mut this.garbles, this.position);
        Poll::Ready(match ready!(asked) {
            Asked::Ended => {
                this.ended = true;
                let fact = Fact::StreamEnded(this.stream, this.index);
                this.source.world.tell(fact);
                None
            }
            Asked::Garbled => {
                let fact = Fact::Garbled(this.stream, this.index);
                this.source.world.tell(fact);
                Some(Sent::Garbage)
            }
            Asked::Number(number) => {
                let update = Update::new(this.stream.0, this.index, number);
                this.position = number;
                this.index += 1;
                Some(Sent::Update(update))
            }
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if !self.ended {
            self.source.world.tell(Fact::StreamDropped(self.stream));
        }
    }
}
