//! One-way messages: nothing is answered, and what happens then.

use bin_prot::ByteString;
use rpc_core::connection::ClosedBy;
use rpc_core::{Connection, DispatchError, OneWay};

use super::plain::still_there;
use crate::interop::check::{Failure, Outcome, call, contains, equal, within};
use crate::interop::rpcs::{LOG, LOG_BOOM, LOG_COUNT};
use crate::interop::run::Run;

/// Three messages are counted, in order with the calls around them.
pub(super) async fn oneway(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let before = call(&connection, &LOG_COUNT, &()).await?;
    for text in ["one", "two", "three"] {
        send(&connection, &LOG, text)?;
    }
    let after = call(&connection, &LOG_COUNT, &()).await?;
    equal("messages counted", after - before, 3)
}

/// The handler raises, and its policy ends the connection. A new one works.
pub(super) async fn boom(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    ended_by_log_boom(&connection, "oneway-kaboom").await?;
    still_there(&run.connection().await?).await
}

/// The callee cannot know that nobody waits, and answers: our side closes (rule R-UN-4).
pub(super) async fn unimplemented(run: &mut Run) -> Outcome {
    static NO_SUCH_ONEWAY: OneWay<String> = OneWay::new("no-such-oneway", 1);
    let connection = run.connection().await?;
    NO_SUCH_ONEWAY
        .dispatch(&connection, &"hi".to_owned())
        .map_err(|source| failed("no-such-oneway", source))?;
    let closed = within("end of the connection", connection.closed()).await?;
    equal("closed by", closed.by, ClosedBy::Unknown)?;
    contains("reason", &closed.to_string(), "Unknown_query_id")
}

/// Makes the server end the connection. It tells why, if the version has a message for it.
pub(super) async fn ended_by_log_boom(connection: &Connection, text: &str) -> Outcome {
    send(connection, &LOG_BOOM, text)?;
    let closed = within("end of the connection", connection.closed()).await?;
    let reason = closed.reason.to_string();
    if connection.version().has_close_reason() {
        equal("closed by", closed.by, ClosedBy::Peer)?;
        return contains("reason", &reason, text);
    }
    equal("closed by", closed.by, ClosedBy::Unknown)?;
    // The one if our reading noticed first, the other one if our writing did.
    let silent = ["EOF or connection closed", "RPC transport stopped"];
    match silent.iter().any(|silent| reason.contains(silent)) {
        true => Ok(()),
        false => Err(Failure::unexpected(
            "reason",
            reason,
            "the end of the stream",
        )),
    }
}

fn send(connection: &Connection, rpc: &OneWay<ByteString>, text: &str) -> Outcome {
    let sent = rpc.dispatch(connection, &text.into());
    sent.map_err(|source| failed(rpc.name(), source))
}

fn failed(what: &str, source: DispatchError) -> Failure {
    Failure::Call {
        what: what.to_owned(),
        source,
    }
}
