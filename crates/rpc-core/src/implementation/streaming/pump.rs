//! From the stream that a handler returned to the connection, at the transport's pace.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::chunk::Chunk;
use super::sender::{Flow, Sender};
use crate::connection::Shared;
use crate::error::{HandlerError, SendError};
use crate::payload::Codec;

/// Updates that are taken from a stream before waiting for the transport (rule R-SV-5).
const BATCH: usize = 1000;

/// The same for the first time, where the query was read: a peer that opens many streams at once
/// must not hold up others.
const FIRST_BATCH: usize = 16;

/// What a handler's stream yields: updates, or that producing them has failed.
pub(crate) trait Item<U> {
    fn into_update(self) -> Result<U, HandlerError>;
}

impl<U> Item<U> for U {
    fn into_update(self) -> Result<U, HandlerError> {
        Ok(self)
    }
}

impl<U> Item<U> for Result<U, HandlerError> {
    fn into_update(self) -> Self {
        self
    }
}

/// Sends what the stream yields, and its end. If so much waits for the transport already that it is
/// to pause, it begins afterwards: a peer that opens streams and does not read must not make each of
/// them produce. The error is that of whoever produces the updates; it stands for the end.
pub(super) async fn pump<St, U, C>(
    sender: Arc<Sender>,
    updates: St,
    room: Flow,
) -> Result<(), HandlerError>
where
    St: Stream<Item: Item<U>> + Send + 'static,
    U: Send + 'static,
    C: Codec<U>,
{
    let mut updates = pin!(updates);
    let mut pumping = Pumping::new(&sender);
    let mut limit = FIRST_BATCH;
    let output = &sender.call.shared().output;
    if room == Flow::Pause {
        output.flushed_to(output.mark()).await;
    }
    loop {
        let batch = std::future::poll_fn(|cx| {
            pumping.wake_up();
            let batch = poll_batch::<St, U, C>(&sender, updates.as_mut(), limit, cx);
            if batch.is_pending() {
                pumping.sleep(cx);
            }
            batch
        });
        let batch = batch.await;
        pumping.go_on();
        limit = BATCH;
        let batch = batch?;
        if batch == Batch::Stopped {
            return Ok(());
        }
        // A slow transport stops the consumption of the source (rule C-BP-6), and delays the end
        // (rule R-SV-6).
        output.flushed_to(output.mark()).await;
        if batch == Batch::Ended {
            // A connection that closes ends its streams without saying so (rule R-SV-14).
            if !output.is_flushing() {
                sender.end();
            }
            return Ok(());
        }
    }
}

/// What the connection knows of a pump: whether its source may have more to give, and how to have
/// it asked.
struct Pumping<'a> {
    sender: &'a Sender,
    busy: Option<Busy<'a>>,
    /// Whom the connection would wake.
    waker: Option<Waker>,
}

impl<'a> Pumping<'a> {
    fn new(sender: &'a Sender) -> Self {
        sender.served.upstream.start();
        Self {
            sender,
            busy: Some(Busy::new(sender)),
            waker: None,
        }
    }

    /// The source is about to be asked, be it on the connection's behalf.
    #[inline]
    fn wake_up(&mut self) {
        if self.sender.served.upstream.take_asked() {
            // If it is busy anyway, it is not so twice.
            let asked = Busy::taken_over(self.sender);
            self.busy.get_or_insert(asked);
        }
    }

    /// The source has nothing at present.
    fn sleep(&mut self, cx: &Context<'_>) {
        let waker = cx.waker();
        if !self.waker.as_ref().is_some_and(|it| it.will_wake(waker)) {
            self.waker = Some(waker.clone());
            if self.sender.served.upstream.sleep_in(waker) {
                // The connection did not know whom to wake.
                waker.wake_by_ref();
            }
        }
        self.busy = None;
    }

    /// The source has had something, and may have more.
    fn go_on(&mut self) {
        self.busy.get_or_insert_with(|| Busy::new(self.sender));
    }
}

impl Drop for Pumping<'_> {
    fn drop(&mut self) {
        if self.sender.served.upstream.finish() {
            drop(Busy::taken_over(self.sender));
        }
    }
}

/// While this exists, the source may have more to give, and closing waits for it.
struct Busy<'a>(&'a Shared);

impl<'a> Busy<'a> {
    fn new(sender: &'a Sender) -> Self {
        let shared = sender.call.shared();
        shared.serving.begin_busy();
        Self(shared)
    }

    /// Of a source that the connection has made busy by asking.
    fn taken_over(sender: &'a Sender) -> Self {
        Self(sender.call.shared())
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.serving.end_busy();
        if self.0.output.is_closing() {
            self.0.output.wake_task();
        }
    }
}

/// Why a batch is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batch {
    /// It is full, or no more updates are there at present.
    Taken,
    /// The source has ended.
    Ended,
    /// Nobody wants more.
    Stopped,
}

/// Takes what the source has to give, and sends it. An update that has no encoding ends the stream,
/// behind those before it.
fn poll_batch<St, U, C>(
    sender: &Sender,
    updates: Pin<&mut St>,
    limit: usize,
    cx: &mut Context<'_>,
) -> Poll<Result<Batch, HandlerError>>
where
    St: Stream<Item: Item<U>>,
    C: Codec<U>,
{
    let mut chunk = Chunk::new(sender);
    let batch = fill::<St, U, C>(&mut chunk, updates, limit, cx);
    match chunk.send() {
        Ok(Flow::Continue | Flow::Pause) => batch,
        Ok(Flow::Stop) | Err(_) => Poll::Ready(Ok(Batch::Stopped)),
    }
}

fn fill<St, U, C>(
    chunk: &mut Chunk<'_>,
    mut updates: Pin<&mut St>,
    limit: usize,
    cx: &mut Context<'_>,
) -> Poll<Result<Batch, HandlerError>>
where
    St: Stream<Item: Item<U>>,
    C: Codec<U>,
{
    for taken in 0..limit {
        let update = match updates.as_mut().poll_next(cx) {
            Poll::Ready(Some(item)) => item.into_update()?,
            Poll::Ready(None) => return Poll::Ready(Ok(Batch::Ended)),
            Poll::Pending if taken > 0 => return Poll::Ready(Ok(Batch::Taken)),
            Poll::Pending => return Poll::Pending,
        };
        match chunk.add::<U, C>(&update).map_err(|error| *error) {
            Ok(Flow::Continue) => {}
            Ok(Flow::Pause) => return Poll::Ready(Ok(Batch::Taken)),
            Ok(Flow::Stop) | Err(SendError::Closed(_) | SendError::Overfull { .. }) => {
                return Poll::Ready(Ok(Batch::Stopped));
            }
            Err(SendError::Frame(error)) => return Poll::Ready(Err(error.into())),
        }
    }
    Poll::Ready(Ok(Batch::Taken))
}
