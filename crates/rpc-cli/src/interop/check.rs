//! What a case asks and expects, and how it fails.
//!
//! Whatever waits for the other end, waits for a bounded time.

use std::fmt;
use std::time::Duration;

use rpc_core::payload::Codec;
use rpc_core::{ConnectError, Connection, DispatchError, Pipe, PipeCloseReason, PipeRpc, Rpc};
use rpc_versioned::{CallError, MenuRequestError};
use rpc_wire::{ProtocolVersion, RpcError};
use thiserror::Error;
use tokio::time::timeout;

/// Nothing that a case waits for takes a peer that long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a case failed.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("no connection")]
    Connect(#[source] Box<ConnectError>),
    #[error("negotiated version {negotiated}, not {expected}")]
    WireVersion {
        negotiated: ProtocolVersion,
        expected: ProtocolVersion,
    },
    #[error("{what}")]
    Call { what: String, source: DispatchError },
    #[error("{what}")]
    Converted {
        what: String,
        source: Box<CallError>,
    },
    #[error("no menu")]
    Menu(#[from] MenuRequestError),
    #[error("{what}: {got} instead of {expected}")]
    Unexpected {
        what: String,
        got: String,
        expected: String,
    },
    #[error("{what}: nothing within {} s", PATIENCE.as_secs())]
    Silence { what: String },
}

/// What becomes of a case.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(super) fn unexpected(
        what: impl fmt::Display,
        got: impl fmt::Debug,
        expected: impl fmt::Display,
    ) -> Self {
        Self::Unexpected {
            what: what.to_string(),
            got: format!("{got:?}"),
            expected: expected.to_string(),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::Connect(Box::new(error))
    }
}

/// Waits, but not for ever.
pub(super) async fn within<T>(
    what: impl fmt::Display,
    future: impl Future<Output = T>,
) -> Outcome<T> {
    let result = timeout(PATIENCE, future).await;
    result.map_err(|_| Failure::Silence {
        what: what.to_string(),
    })
}

/// These two are the same.
pub(super) fn equal<T: PartialEq + fmt::Debug>(
    what: impl fmt::Display,
    got: T,
    expected: T,
) -> Outcome {
    if got == expected {
        return Ok(());
    }
    Err(Failure::unexpected(what, got, format_args!("{expected:?}")))
}

/// The text of `got` has `expected` in it.
pub(super) fn contains(what: impl fmt::Display, got: &str, expected: &str) -> Outcome {
    if got.contains(expected) {
        return Ok(());
    }
    let expected = format_args!("something with {expected:?}");
    Err(Failure::unexpected(what, got, expected))
}

/// What a dispatch results in.
pub(super) async fn answered<R>(
    what: impl fmt::Display,
    dispatch: impl Future<Output = Result<R, DispatchError>>,
) -> Outcome<R> {
    let answer = within(&what, dispatch).await?;
    answer.map_err(|source| Failure::Call {
        what: what.to_string(),
        source,
    })
}

/// The error by which the callee refuses a dispatch.
pub(super) async fn refused<R: fmt::Debug>(
    what: impl fmt::Display,
    dispatch: impl Future<Output = Result<R, DispatchError>>,
) -> Outcome<RpcError> {
    match within(&what, dispatch).await? {
        Err(DispatchError::Rpc(error)) => Ok(error),
        Err(source) => Err(Failure::Call {
            what: what.to_string(),
            source,
        }),
        Ok(answer) => Err(Failure::unexpected(what, answer, "an error")),
    }
}

/// Calls a plain RPC.
pub(super) async fn call<Q, R, C>(
    connection: &Connection,
    rpc: &Rpc<Q, R, C>,
    query: &Q,
) -> Outcome<R>
where
    R: Send + 'static,
    C: Codec<Q> + Codec<R>,
{
    answered(rpc.description(), rpc.dispatch(connection, query)).await
}

/// Calls a plain RPC that answers with this.
pub(super) async fn call_for<Q, R, C>(
    connection: &Connection,
    rpc: &Rpc<Q, R, C>,
    query: &Q,
    expected: R,
) -> Outcome
where
    R: PartialEq + fmt::Debug + Send + 'static,
    C: Codec<Q> + Codec<R>,
{
    let answer = call(connection, rpc, query).await?;
    equal(rpc.description(), answer, expected)
}

/// Opens a stream; the inner error is the user's.
pub(super) async fn open<Q, U, E, C>(
    connection: &Connection,
    rpc: &PipeRpc<Q, U, E, C>,
    query: &Q,
) -> Outcome<Result<Pipe<U>, E>>
where
    U: Send + 'static,
    E: Send + 'static,
    C: Codec<Q> + Codec<U> + Codec<E>,
{
    answered(rpc.description(), rpc.dispatch(connection, query)).await
}

/// Opens a stream that has no reason to be refused.
pub(super) async fn opened<Q, U, E, C>(
    connection: &Connection,
    rpc: &PipeRpc<Q, U, E, C>,
    query: &Q,
) -> Outcome<Pipe<U>>
where
    U: Send + 'static,
    E: fmt::Debug + Send + 'static,
    C: Codec<Q> + Codec<U> + Codec<E>,
{
    let pipe = open(connection, rpc, query).await?;
    pipe.map_err(|error| Failure::unexpected(rpc.description(), error, "a stream"))
}

/// The next updates of a stream are these.
pub(super) async fn updates<U: PartialEq + fmt::Debug>(
    what: impl fmt::Display,
    pipe: &mut Pipe<U>,
    expected: impl IntoIterator<Item = U>,
) -> Outcome {
    for expected in expected {
        let update = within(&what, pipe.next()).await?;
        equal(&what, update, Some(expected))?;
    }
    Ok(())
}

/// What is left of a stream is its ordinary end.
pub(super) async fn end<U: PartialEq + fmt::Debug>(
    what: impl fmt::Display,
    pipe: &mut Pipe<U>,
) -> Outcome {
    equal(&what, within(&what, pipe.next()).await?, None)?;
    closed_remotely(what, pipe).await
}

/// The callee ended a stream, in the ordinary way.
pub(super) async fn closed_remotely<U>(what: impl fmt::Display, pipe: &Pipe<U>) -> Outcome {
    match within(&what, pipe.close_reason()).await? {
        PipeCloseReason::ClosedRemotely => Ok(()),
        reason => Err(Failure::unexpected(what, reason, "closed remotely")),
    }
}
