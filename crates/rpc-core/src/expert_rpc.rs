//! RPCs of which only name and version are known: their payloads are bytes (*rpcs* §6).

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use bin_prot::{ByteString, Info};
use bytes::Bytes;
use rpc_wire::{Description, DescriptionRef, QueryMetadata};
use tokio::sync::oneshot;

use crate::connection::Asking;
use crate::connection::waiting::{After, Answers, Arrived, Receiver};
use crate::dispatch::{LOCATION, undecodable};
use crate::error::{ConnectionClosed, HandlerError};
use crate::payload::Undecodable;
use crate::pipe::{Definition, Name, Queue, bytes_to, open};
use crate::tracing_event::ReceivedResponse;
use crate::{Connection, DispatchError, Pipe, PipeMessage, PipeMetadata, PipeResponse};

/// An RPC by name and version, whose queries and responses are encoded bytes: for proxies, for
/// tools, and for what is known at run time only.
///
/// Which kind the RPC is of is up to whoever dispatches: plain ([`dispatch`](Self::dispatch)),
/// one-way ([`dispatch_one_way`](Self::dispatch_one_way)), or pipe and state
/// ([`dispatch_stream`](Self::dispatch_stream)). The callee's answer to a query of the wrong kind is
/// *Bin_io_exn*.
///
/// Cheap to clone.
///
/// # Examples
///
/// ```
/// use rpc_core::{Connection, DispatchError, ExpertRpc};
///
/// async fn add(connection: &Connection) -> Result<i64, Box<dyn std::error::Error>> {
///     let rpc = ExpertRpc::new("add", 1);
///     let query = bin_prot::to_vec(&(1_i64, 2_i64))?;
///     let response = rpc.dispatch(connection, &query).await?;
///     Ok(bin_prot::from_slice(&response)?)
/// }
/// # let _ = add;
/// ```
#[derive(Clone)]
pub struct ExpertRpc {
    description: Arc<Description>,
    metadata: Option<Arc<QueryMetadata>>,
}

impl ExpertRpc {
    /// Version `version` of the RPC called `name`.
    pub fn new(name: impl Into<ByteString>, version: i64) -> Self {
        Description {
            name: name.into(),
            version,
        }
        .into()
    }

    /// Makes every dispatch send exactly this metadata: as long as it is, nothing else, and
    /// without asking the connection's [hooks](Connection::set_metadata_hook) (rule R-EX-22). For a
    /// proxy, which passes on what it was sent. Otherwise dispatches carry what the others of
    /// the same handle do.
    #[must_use]
    pub fn with_exact_metadata(mut self, metadata: QueryMetadata) -> Self {
        self.metadata = Some(Arc::new(metadata));
        self
    }

    /// Name and version.
    pub fn description(&self) -> &Description {
        &self.description
    }

    fn asking<'a>(&'a self, connection: &'a Connection, rpc: &'a DescriptionRef<'a>) -> Asking<'a> {
        let asking = connection.asking(rpc);
        match &self.metadata {
            Some(metadata) => Asking {
                metadata,
                exact: true,
                ..asking
            },
            None => asking,
        }
    }

    /// Sends an encoded query; resolves with the encoded response. The query is in the output
    /// buffer when this returns; the bytes are copied.
    ///
    /// # Cancel safety
    /// Dropping the future forgets the response. The query has been sent all the same.
    ///
    /// # Errors
    /// See [`DispatchError`]. A query above the size limit is one of them, where the reference
    /// raises (rule R-EX-21).
    pub fn dispatch(
        &self,
        connection: &Connection,
        query: &[u8],
    ) -> impl Future<Output = Result<Bytes, DispatchError>> + Send + use<> {
        let (sender, response) = oneshot::channel();
        let sent = self.dispatch_with(connection, query, move |result| {
            // Whether anybody still wants it makes no difference.
            let _unwanted = sender.send(result.map(Bytes::copy_from_slice));
            std::future::ready(())
        });
        let connection = connection.clone();
        async move {
            sent?;
            let response = response.await;
            drop(connection);
            // The callback is called in every case.
            let closed = ConnectionClosed { reason: None };
            response.unwrap_or(Err(DispatchError::ConnectionClosed(closed)))
        }
    }

    /// [`dispatch`](Self::dispatch) with a callback, which is called once: where the response is
    /// read, with its bytes or the callee's error, or when the connection ends (rule R-EX-20).
    ///
    /// The connection handles no further message before the future that the callback results in is
    /// ready; [`std::future::ready`] makes it go on at once. At the connection's end the future is
    /// dropped. A panic of either is logged and concerns nobody else. The connection is not kept
    /// open: keep a handle.
    ///
    /// # Errors
    /// The query could not be sent, and the callback is not called. See [`DispatchError`].
    pub fn dispatch_with<F, Fut>(
        &self,
        connection: &Connection,
        query: &[u8],
        on_response: F,
    ) -> Result<(), DispatchError>
    where
        F: FnOnce(Result<&[u8], DispatchError>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let call = Arc::new(ExpertCall {
            rpc: self.description.clone(),
            on_response: Mutex::new(Some(on_response)),
        });
        let rpc = self.description.as_ref().as_ref();
        let asking = self.asking(connection, &rpc);
        let shared = connection.shared();
        shared.call(asking, Answers::One, call, query.len(), |buffer| {
            buffer.extend_from_slice(query);
            Ok(())
        })?;
        Ok(())
    }

    /// Sends an encoded one-way message. It is in the output buffer when this returns; the bytes
    /// are copied. See [`OneWay::dispatch`](crate::OneWay::dispatch).
    ///
    /// # Errors
    /// The connection is closed, or the message is too large.
    pub fn dispatch_one_way(
        &self,
        connection: &Connection,
        message: &[u8],
    ) -> Result<(), DispatchError> {
        let rpc = self.description.as_ref().as_ref();
        let asking = self.asking(connection, &rpc);
        let shared = connection.shared();
        shared.send_one_way(asking, message.len(), |buffer| {
            buffer.extend_from_slice(message);
            Ok(())
        })
    }

    /// Sends the encoded query of a pipe or state RPC; resolves with the encoded initial state,
    /// which of a pipe RPC is one zero byte, and a pipe of encoded updates; or with the callee's
    /// own error, encoded. The query is in the output buffer when this returns.
    ///
    /// # Cancel safety
    /// Dropping the future aborts the stream; what the callee still sends is swallowed.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub fn dispatch_stream(
        &self,
        connection: &Connection,
        query: &[u8],
    ) -> impl Future<Output = Result<Result<(Bytes, Pipe<Bytes>), Bytes>, DispatchError>> + Send + use<>
    {
        let queue = Queue::new(copy, copy, false);
        let definition = self.definition(queue);
        let rpc = self.description.as_ref().as_ref();
        let asking = self.asking(connection, &rpc);
        let opening = open(connection, asking, definition, query.len(), |buffer| {
            buffer.extend_from_slice(query);
            Ok(())
        });
        async move { opening?.pipe().await }
    }

    /// The same with a callback in place of the pipe, as in
    /// [`PipeRpc::dispatch_with`](crate::PipeRpc::dispatch_with), which gets each update's bytes
    /// where they were read, uncopied (rule R-SC-34).
    ///
    /// # Cancel safety
    /// Dropping the future before it resolves aborts the stream, and the callback is not called any
    /// more.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub fn dispatch_stream_with<F, R>(
        &self,
        connection: &Connection,
        query: &[u8],
        on_message: F,
    ) -> impl Future<Output = Result<Result<(Bytes, PipeMetadata), Bytes>, DispatchError>>
    + Send
    + use<F, R>
    where
        F: FnMut(PipeMessage<&[u8]>) -> R + Send + 'static,
        R: Into<PipeResponse> + 'static,
    {
        let definition = self.definition(bytes_to(copy, on_message));
        let rpc = self.description.as_ref().as_ref();
        let asking = self.asking(connection, &rpc);
        let opening = open(connection, asking, definition, query.len(), |buffer| {
            buffer.extend_from_slice(query);
            Ok(())
        });
        async move { opening?.answer().await }
    }

    fn definition<S>(&self, sink: S) -> Definition<S, Bytes> {
        Definition {
            name: Name::Given(self.description.clone()),
            sink,
            error: copy,
        }
    }
}

/// What no codec understands is a value, whatever it is.
#[expect(
    clippy::unnecessary_wraps,
    reason = "in the place of a codec's function, which can fail"
)]
fn copy(bytes: &[u8]) -> Result<Bytes, Undecodable> {
    Ok(Bytes::copy_from_slice(bytes))
}

impl From<Description> for ExpertRpc {
    fn from(description: Description) -> Self {
        Self {
            description: Arc::new(description),
            metadata: None,
        }
    }
}

impl fmt::Debug for ExpertRpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Description { name, version } = &*self.description;
        write!(f, "ExpertRpc({name} version {version})")
    }
}

/// A plain call whose response goes to a callback.
struct ExpertCall<F> {
    rpc: Arc<Description>,
    on_response: Mutex<Option<F>>,
}

impl<F, Fut> ExpertCall<F>
where
    F: FnOnce(Result<&[u8], DispatchError>) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    fn respond(&self, result: Result<&[u8], DispatchError>) -> Option<Fut> {
        let on_response = self.on_response.lock();
        let on_response = on_response.unwrap_or_else(PoisonError::into_inner).take()?;
        match catch_unwind(AssertUnwindSafe(|| on_response(result))) {
            Ok(wait) => Some(wait),
            Err(panic) => {
                self.wait_failed(HandlerError::from_panic(&*panic));
                None
            }
        }
    }
}

impl<F, Fut> Receiver for ExpertCall<F>
where
    F: FnOnce(Result<&[u8], DispatchError>) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    fn response(&self, arrived: Arrived<'_>) -> After {
        let Arrived { result, note } = arrived;
        let mut overlong = None;
        let result = match result {
            Ok(data) => data.bytes().map_err(|error| {
                let error = undecodable(LOCATION, Undecodable::wrong_length(error));
                note.keep_undecodable(&error, data);
                // Nobody else would notice that the bytes are not what the callee meant
                // (decision 12).
                overlong = Some(Info::from(error.to_string()));
                error
            }),
            Err(error) => Err(DispatchError::Rpc(error)),
        };
        let kind = note.is_wanted().then(|| match &result {
            Ok(_) => ReceivedResponse::ResponseFinishedExpertUninterpreted,
            Err(error) => ReceivedResponse::ResponseFinishedRpcErrorOrExn(error.to_rpc_error()),
        });
        let wait = self.respond(result);
        if let Some(kind) = kind {
            note.tell(self.rpc.as_ref().as_ref(), kind);
        }
        match (overlong, wait) {
            (Some(error), _) => After::Stop(error),
            (None, Some(wait)) => After::Wait(Box::pin(wait)),
            // The place of a call with one answer is free already.
            (None, None) => After::Keep,
        }
    }

    fn fail(&self, error: DispatchError) {
        drop(self.respond(Err(error)));
    }

    fn wait_failed(&self, error: HandlerError) {
        tracing::error!(rpc = %self.rpc, %error, "callback failed");
    }

    /// It is no stream.
    fn abort(&self) {}
}
