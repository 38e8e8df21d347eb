//! How connections end, as either side sees it.

use std::time::Duration;

use rpc_core::connection::{Close, ClosedBy};
use rpc_core::{Connection, Dispatch, DispatchError};

use super::one_way::ended_by_log_boom;
use crate::interop::check::{Failure, Outcome, answered, call_for, contains, equal, within};
use crate::interop::rpcs::{ECHO_STRING, SLEEP};
use crate::interop::run::Run;

/// Longer than anybody waits.
const FOREVER: i64 = 3_600_000;

/// The ways to close.
pub(super) async fn close(run: &mut Run) -> Outcome {
    let connection = run.target.connect().await?;
    closes(&connection, Connection::close, "Rpc.Connection.close").await?;
    let connection = run.target.connect().await?;
    closes(&connection, |c| c.close_with_reason("bye"), "bye").await?;
    let connection = run.target.connect().await?;
    ended_by_log_boom(&connection, "the reason").await?;
    closes_gracefully(&run.target.connect().await?).await
}

/// This side closes; what it waits for ends with the connection.
async fn closes(connection: &Connection, close: impl FnOnce(&Connection), why: &str) -> Outcome {
    let text = || "before close".into();
    call_for(connection, &ECHO_STRING, &text(), text()).await?;
    let pending = SLEEP.dispatch(connection, &FOREVER);
    close(connection);
    let closed = within("closing", connection.closed()).await?;
    equal("closed by", closed.by, ClosedBy::Local)?;
    contains("reason", &closed.reason.to_string(), why)?;
    fails("pending call", pending).await?;
    let after = SLEEP.dispatch(connection, &0);
    fails("call after closing", after).await
}

/// From version 9 a close can wait for what this side has asked: no new calls, but the answers of
/// the old ones. Below it, there is nothing to wait with.
async fn closes_gracefully(connection: &Connection) -> Outcome {
    const A_WHILE: i64 = 50;
    let pending = SLEEP.dispatch(connection, &A_WHILE);
    let at_most = Duration::from_secs(5);
    connection.close_with(Close::new().reason("done").wait_for_open_queries(at_most));
    let after = SLEEP.dispatch(connection, &0);
    fails("call after a graceful close", after).await?;
    if connection.version().has_close_started() {
        equal("pending call", answered("sleep", pending).await?, A_WHILE)?;
    } else {
        fails("pending call", pending).await?;
    }
    let closed = within("closing", connection.closed()).await?;
    equal("closed by", closed.by, ClosedBy::Local)?;
    contains("reason", &closed.reason.to_string(), "done")
}

/// The call ends with its connection.
async fn fails(what: &str, call: Dispatch<i64>) -> Outcome {
    match within(what, call).await? {
        Err(DispatchError::ConnectionClosed(_)) => Ok(()),
        result => Err(Failure::unexpected(what, result, "Connection_closed")),
    }
}
