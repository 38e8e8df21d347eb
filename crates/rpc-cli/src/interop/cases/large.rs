//! Answers from nothing to more than may be sent.

use bin_prot::ByteString;
use rpc_wire::{RpcError, frame};

use super::plain::still_there;
use crate::interop::check::{Failure, Outcome, call_for, refused};
use crate::interop::rpcs::BIG;
use crate::interop::run::Run;

/// Nothing.
pub(super) async fn big_0(run: &mut Run) -> Outcome {
    sizes(run, &[0]).await
}

/// A little.
pub(super) async fn big_100(run: &mut Run) -> Outcome {
    sizes(run, &[100]).await
}

/// Up to 10 MB. What exceeds the callee's limit is an error, and the connection lives.
pub(super) async fn big(run: &mut Run) -> Outcome {
    sizes(run, &[0, 100, 65_535, 65_536, 1_000_000, 10_000_000]).await?;
    let connection = run.connection().await?;
    // With what is around it, just too large: nobody is known to have another limit by default.
    let too_big = i64::try_from(frame::DEFAULT_LIMIT).unwrap_or(i64::MAX);
    let error = refused("big", BIG.dispatch(&connection, &too_big)).await?;
    let RpcError::WriteError(_) = error else {
        return Err(Failure::unexpected("big", error, "Write_error"));
    };
    still_there(&connection).await
}

async fn sizes(run: &mut Run, sizes: &[i64]) -> Outcome {
    let connection = run.connection().await?;
    for &size in sizes {
        let expected = ByteString::from("x".repeat(usize::try_from(size).unwrap_or(0)));
        call_for(&connection, &BIG, &size, expected).await?;
    }
    Ok(())
}
