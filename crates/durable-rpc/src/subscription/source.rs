//! Where the updates of one stream come from.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use rpc_core::Pipe;

/// Something that updates are taken from, several at once if it can.
pub(crate) trait Source<U>: Send {
    /// Adds what is there to `ready`, which is empty. Ready with `false` at the end.
    fn poll_more(&mut self, ready: &mut VecDeque<U>, cx: &mut Context<'_>) -> Poll<bool>;
}

/// The updates of one stream, whatever it is.
pub(crate) type Updates<U> = Box<dyn Source<U>>;

pub(crate) fn pipe<U: Send + 'static>(pipe: Pipe<U>) -> Updates<U> {
    Box::new(pipe)
}

pub(crate) fn stream<U>(stream: impl Stream<Item = U> + Send + 'static) -> Updates<U> {
    Box::new(OneByOne(Box::pin(stream)))
}

impl<U: Send> Source<U> for Pipe<U> {
    fn poll_more(&mut self, ready: &mut VecDeque<U>, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_next_many(ready, cx)
    }
}

/// A stream has no way to tell how much is there.
struct OneByOne<St>(Pin<Box<St>>);

impl<St: Stream + Send> Source<St::Item> for OneByOne<St> {
    fn poll_more(&mut self, ready: &mut VecDeque<St::Item>, cx: &mut Context<'_>) -> Poll<bool> {
        let update = ready!(self.0.as_mut().poll_next(cx));
        let any = update.is_some();
        ready.extend(update);
        Poll::Ready(any)
    }
}
