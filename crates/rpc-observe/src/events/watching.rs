//! The events as one who watches gets them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{ServerEvent, What};

type Received = (
    Result<Arc<ServerEvent>, RecvError>,
    Receiver<Arc<ServerEvent>>,
);

/// The events of a server: a [`Stream`]. It ends when nobody is left who could tell of any.
pub struct Watching {
    /// `None` after the end.
    next: Option<Pin<Box<dyn Future<Output = Received> + Send>>>,
}

impl Watching {
    pub(super) fn new(events: Receiver<Arc<ServerEvent>>) -> Self {
        Self {
            next: Some(Box::pin(receive(events))),
        }
    }

    /// The next event.
    ///
    /// # Cancel safety
    /// No event is lost by dropping the future.
    pub async fn next(&mut self) -> Option<ServerEvent> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

async fn receive(mut events: Receiver<Arc<ServerEvent>>) -> Received {
    (events.recv().await, events)
}

impl Stream for Watching {
    type Item = ServerEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ServerEvent>> {
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        let (received, events) = ready!(next.as_mut().poll(cx));
        self.next = None;
        let event = match received {
            Ok(event) => Arc::unwrap_or_clone(event),
            Err(RecvError::Lagged(missed)) => ServerEvent {
                nanoseconds: 0,
                connection: 0,
                peer: String::new(),
                what: What::Lost(i64::try_from(missed).unwrap_or(i64::MAX)),
            },
            Err(RecvError::Closed) => return Poll::Ready(None),
        };
        self.next = Some(Box::pin(receive(events)));
        Poll::Ready(Some(event))
    }
}

impl fmt::Debug for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watching").finish_non_exhaustive()
    }
}
