//! Queries that the callee cannot or will not serve.

use rpc_core::{ExpertRpc, PipeRpc, Rpc};
use rpc_wire::{Description, RpcError};

use super::plain::still_there;
use crate::interop::check::{Failure, Outcome, contains, equal, refused};
use crate::interop::rpcs::{BIG, COUNT, ECHO_STRING, FORBIDDEN, FORBIDDEN_PIPE};
use crate::interop::run::Run;

/// The callee's authorization refuses, and tells why.
pub(super) async fn auth(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let version = connection.version();
    let check = |rpc: Description, error: RpcError, why: &str| {
        let refusal = match error {
            RpcError::AuthorizationFailure(why) if version.has_errors_of_version_3() => why,
            // Stands for the error that this version does not know (rule C-OP-6).
            RpcError::UncaughtExn(why) if !version.has_errors_of_version_3() => why,
            error => return Err(Failure::unexpected(rpc, error, "Authorization_failure")),
        };
        contains(rpc, &refusal.to_string(), why)
    };
    let dispatch = FORBIDDEN.dispatch(&connection, &"way".into());
    let error = refused("forbidden", dispatch).await?;
    check(FORBIDDEN.description(), error, "no way")?;
    let dispatch = FORBIDDEN_PIPE.dispatch(&connection, &"pipe".into());
    let error = refused("forbidden-pipe", dispatch).await?;
    check(FORBIDDEN_PIPE.description(), error, "no pipe")
}

/// Unknown names and versions, of calls and streams. The answer names what was asked.
pub(super) async fn unimplemented(run: &mut Run) -> Outcome {
    static NO_SUCH_RPC: Rpc<String, String> = Rpc::new("no-such-rpc", 1);
    static NO_SUCH_VERSION: Rpc<String, String> = Rpc::new("echo-string", 99);
    static NO_SUCH_PIPE: PipeRpc<String, String, String> = PipeRpc::new("no-such-pipe", 3);
    let connection = run.connection().await?;
    let query = "x".to_owned();
    let check = |rpc: Description, error: RpcError| {
        let what = rpc.to_string();
        equal(what, error, RpcError::unimplemented(rpc))
    };
    for rpc in [&NO_SUCH_RPC, &NO_SUCH_VERSION] {
        let dispatch = rpc.dispatch(&connection, &query);
        check(
            rpc.description(),
            refused(rpc.description(), dispatch).await?,
        )?;
    }
    let dispatch = NO_SUCH_PIPE.dispatch(&connection, &query);
    let error = refused("no-such-pipe", dispatch).await?;
    check(NO_SUCH_PIPE.description(), error)?;
    still_there(&connection).await
}

/// Queries that cannot be decoded are answered with an error, and the connection lives.
pub(super) async fn bad_query(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let queries: [(Description, &[u8]); 3] = [
        // No integer begins like this.
        (BIG.description(), &[0xfb]),
        (ECHO_STRING.description(), b"\x05hello!"),
        // Neither the query of a stream nor an abort.
        (COUNT.description(), b"\x05\x0f\0\0\0\0\0\0"),
    ];
    for (rpc, query) in queries {
        let dispatch = ExpertRpc::from(rpc.clone()).dispatch(&connection, query);
        let error = refused(&rpc, dispatch).await?;
        let RpcError::BinIoExn(_) = error else {
            return Err(Failure::unexpected(rpc, error, "Bin_io_exn"));
        };
    }
    still_there(&connection).await
}
