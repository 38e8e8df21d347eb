//! How the callee's answer to a streaming query becomes ours: what pipe and state RPCs have in
//! common.

use rpc_core::DispatchError;

use crate::conversion::{Conversion, ConversionError, Convert, Version};
use crate::error::CallError;

/// Waits for the callee's answer, and converts it. Unless that succeeds, the stream is dropped, and
/// so the callee is told to stop (rules V-CA-3, V-CA-6, V-CA-7).
pub(super) async fn opened<S1, U1, E1, S, E>(
    version: Version,
    opening: impl Future<Output = Result<Result<(S1, rpc_core::Pipe<U1>), E1>, DispatchError>>,
    accepted: impl FnOnce(S1, rpc_core::Pipe<U1>) -> Result<S, ConversionError>,
    error: &impl Convert<E1, E>,
) -> Result<Result<S, E>, CallError> {
    let answer = opening.await;
    match answer.map_err(|error| CallError::dispatch(version, error))? {
        Ok((state, pipe)) => Ok(Ok(accepted(state, pipe)?)),
        Err(refusal) => {
            let refusal = version.run(Conversion::Error, || error(refusal))?;
            Ok(Err(refusal))
        }
    }
}

/// Maps the callee's own error of a call that was converted before.
pub(super) async fn map_error<T, E, P>(
    version: Version,
    opening: impl Future<Output = Result<Result<T, E>, CallError>>,
    error: &impl Convert<E, P>,
) -> Result<Result<T, P>, CallError> {
    match opening.await? {
        Ok(opened) => Ok(Ok(opened)),
        Err(refusal) => Ok(Err(version.run(Conversion::Error, || error(refusal))?)),
    }
}
