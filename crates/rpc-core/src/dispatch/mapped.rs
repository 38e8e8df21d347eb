//! A plain call whose result is mapped by whoever awaits it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::PlainCall;
use crate::Connection;
use crate::connection::waiting::{After, Answers, Arrived, Receiver};
use crate::error::{DispatchError, HandlerError};

/// The pending response to one query, to be mapped to a `T` as its failure is; a future whose type does
/// not tell what the response was.
///
/// Made by [`Rpc::dispatch_map`](crate::Rpc::dispatch_map), in the one allocation that any call is.
/// Holds a handle to the connection. Dropping it forgets the response.
#[must_use = "the response is forgotten unless this is awaited"]
pub struct MappedDispatch<T> {
    call: Arc<dyn MappedCall<T>>,
    /// The response has been handed out.
    over: bool,
    _connection: Connection,
}

/// A call apart from the type of its response.
trait MappedCall<T>: Send + Sync {
    fn poll(&self, cx: &Context<'_>) -> Poll<T>;

    fn give_up(&self);
}

struct Call<R, F> {
    plain: PlainCall<R>,
    map: F,
}

impl<T> MappedDispatch<T> {
    /// Registers the call and sends the query, which `send` does.
    pub(crate) fn new<R, F>(
        connection: &Connection,
        plain: PlainCall<R>,
        map: F,
        send: impl FnOnce(Answers, Arc<dyn Receiver>) -> Result<(), DispatchError>,
    ) -> Self
    where
        R: Send + 'static,
        F: Fn(Result<R, DispatchError>) -> T + Send + Sync + 'static,
    {
        let call = Arc::new(Call { plain, map });
        if let Err(error) = send(Answers::One, call.clone()) {
            call.plain.fail_to_send(error);
        }
        Self {
            call,
            over: false,
            _connection: connection.clone(),
        }
    }
}

impl<R, F, T> MappedCall<T> for Call<R, F>
where
    R: Send + 'static,
    F: Fn(Result<R, DispatchError>) -> T + Send + Sync,
{
    fn poll(&self, cx: &Context<'_>) -> Poll<T> {
        self.plain.poll(cx).map(&self.map)
    }

    fn give_up(&self) {
        self.plain.give_up();
    }
}

impl<R: Send + 'static, F: Send + Sync + 'static> Receiver for Call<R, F> {
    fn response(&self, arrived: Arrived<'_>) -> After {
        self.plain.response(arrived)
    }

    fn fail(&self, error: DispatchError) {
        self.plain.fail(error);
    }

    fn wait_failed(&self, error: HandlerError) {
        self.plain.wait_failed(error);
    }

    fn abort(&self) {
        self.plain.abort();
    }
}

impl<T> Future for MappedDispatch<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.over {
            // As with any future, polling it again after the end is a mistake; it never resolves.
            return Poll::Pending;
        }
        let polled = this.call.poll(cx);
        this.over = polled.is_ready();
        polled
    }
}

impl<T> Drop for MappedDispatch<T> {
    fn drop(&mut self) {
        if !self.over {
            self.call.give_up();
        }
    }
}

impl<T> fmt::Debug for MappedDispatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedDispatch").finish_non_exhaustive()
    }
}
