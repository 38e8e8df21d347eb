//! How connections end, as either side sees it.

use rpc_core::connection::ClosedBy;
use rpc_core::{Connection, DispatchError};

use super::one_way::ended_by_log_boom;
use crate::interop::check::{Failure, Outcome, call_for, contains, equal, within};
use crate::interop::rpcs::{ECHO_STRING, SLEEP};
use crate::interop::session::Session;

/// Longer than anybody waits.
const FOREVER: i64 = 3_600_000;

/// The ways to close.
pub(super) async fn close(session: &mut Session) -> Outcome {
    let connection = session.target.connect().await?;
    closes(&connection, Connection::close, "Rpc.Connection.close").await?;
    let connection = session.target.connect().await?;
    closes(&connection, |c| c.close_with_reason("bye"), "bye").await?;
    let connection = session.target.connect().await?;
    ended_by_log_boom(&connection, "the reason").await
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
    for (what, call) in [
        ("pending call", pending),
        ("call after closing", SLEEP.dispatch(connection, &0)),
    ] {
        match within(what, call).await? {
            Err(DispatchError::ConnectionClosed(_)) => {}
            result => return Err(Failure::unexpected(what, result, "Connection_closed")),
        }
    }
    Ok(())
}
