//! How a handler's answer to a streaming query becomes the version's: what pipe and state RPCs have in
//! common.

use rpc_core::HandlerError;

use super::Running;
use crate::conversion::{Conversion, ConversionError, Convert, Version};

/// Waits for the handler, whose query may not have been convertible, and converts its answer. What does
/// not succeed is raised (rule V-CE-3).
pub(super) async fn answered<S, E, S1, E1>(
    version: Version,
    running: Result<Running<Result<S, E>>, ConversionError>,
    accepted: impl FnOnce(S) -> Result<S1, HandlerError>,
    error: &impl Convert<E, E1>,
) -> Result<Result<S1, E1>, HandlerError> {
    match running.map_err(ConversionError::raise)?.await? {
        Ok(answer) => Ok(Ok(accepted(answer)?)),
        Err(refusal) => {
            let refusal = version.run(Conversion::Error, || error(refusal));
            Ok(Err(refusal.map_err(ConversionError::raise)?))
        }
    }
}
