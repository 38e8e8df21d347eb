//! A plain call whose result is mapped by whoever awaits it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use super::PlainCall;
use crate::Connection;
use crate::connection::output::Output;
use crate::connection::waiting::{After, Answers, Arrived, Receiver};
use crate::error::{DispatchError, HandlerError};

/// The pending response to one query, to be mapped to a `T` as its failure is; a future whose type does
/// not tell what the response was.
///
/// Made by [`Rpc::dispatch_map`](crate::Rpc::dispatch_map), in the one allocation that any call is;
/// mapping it [once more](Self::map) takes another. Holds a handle to the connection. Dropping it
/// forgets the response. It may be polled once more although the response is there, as
/// [`Dispatch`](crate::Dispatch) says.
#[must_use = "the response is forgotten unless this is awaited"]
pub struct MappedDispatch<T> {
    call: Arc<dyn MappedCall<T>>,
    /// The response has been handed out.
    over: bool,
    /// The connection's task has been let write first.
    has_yielded: bool,
    connection: Connection,
}

/// A call apart from the type of its response.
trait MappedCall<T>: Send + Sync {
    fn poll(&self, cx: &Context<'_>, output: &Output, has_yielded: &mut bool) -> Poll<T>;

    /// Nobody wants the result any more; what else the call consists of is about to be dropped.
    fn give_up(&self) {}
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
        Self::of(call, connection.clone())
    }

    /// A dispatch that has come to this result without anything being sent.
    #[cold]
    pub fn ready(connection: &Connection, result: T) -> Self
    where
        T: Send + 'static,
    {
        let call = Arc::new(Ready(Mutex::new(Some(result))));
        Self::of(call, connection.clone())
    }

    /// The same call, whose result is mapped once more, by whoever awaits it.
    pub fn map<U, F>(self, map: F) -> MappedDispatch<U>
    where
        T: 'static,
        F: Fn(T) -> U + Send + Sync + 'static,
    {
        let connection = self.connection.clone();
        MappedDispatch::of(Arc::new(MappedAgain { inner: self, map }), connection)
    }

    fn of(call: Arc<dyn MappedCall<T>>, connection: Connection) -> Self {
        Self {
            call,
            over: false,
            has_yielded: false,
            connection,
        }
    }
}

impl<R, F, T> MappedCall<T> for Call<R, F>
where
    R: Send + 'static,
    F: Fn(Result<R, DispatchError>) -> T + Send + Sync,
{
    fn poll(&self, cx: &Context<'_>, output: &Output, has_yielded: &mut bool) -> Poll<T> {
        self.plain.poll(cx, output, has_yielded).map(&self.map)
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

/// Nothing was sent. Empty once the result is told.
struct Ready<T>(Mutex<Option<T>>);

impl<T: Send> MappedCall<T> for Ready<T> {
    fn poll(&self, _: &Context<'_>, _: &Output, _: &mut bool) -> Poll<T> {
        let result = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.map_or(Poll::Pending, Poll::Ready)
    }
}

struct MappedAgain<T, F> {
    /// Gives up when it is dropped.
    inner: MappedDispatch<T>,
    map: F,
}

impl<T, U, F: Fn(T) -> U + Send + Sync> MappedCall<U> for MappedAgain<T, F> {
    fn poll(&self, cx: &Context<'_>, output: &Output, has_yielded: &mut bool) -> Poll<U> {
        self.inner.call.poll(cx, output, has_yielded).map(&self.map)
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
        let output = &this.connection.shared().output;
        let polled = this.call.poll(cx, output, &mut this.has_yielded);
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
