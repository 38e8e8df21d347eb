//! Pipes: values, ends of every kind, aborts.

use std::time::Duration;

use bin_prot::ByteString;
use rpc_core::{Connection, DispatchError, PipeCloseReason};
use rpc_wire::RpcError;
use tokio::time::{Instant, sleep};

use crate::interop::check::{
    Failure, Outcome, call, call_for, closed_remotely, contains, end, equal, open, opened, refused,
    updates, within,
};
use crate::interop::rpcs::{BOOM_PIPE, COUNT, COUNT_DIRECT, CountQuery, LIVE_TICKS, TICKS};
use crate::interop::run::Run;

/// Milliseconds between two ticks.
const TICK: i64 = 10;

fn query(from_: i64, until: i64, fail_with: Option<&str>) -> CountQuery {
    CountQuery {
        from_,
        until,
        fail_with: fail_with.map(ByteString::from),
    }
}

/// A pipe, a user's error in place of one, an empty pipe, and one of a direct writer.
pub(super) async fn count(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let mut pipe = opened(&connection, &COUNT, &query(5, 15, None)).await?;
    updates("count", &mut pipe, 5..15).await?;
    end("count", &mut pipe).await?;
    let denied = open(&connection, &COUNT, &query(0, 1, Some("denied"))).await?;
    equal("error", denied.err(), Some("denied".into()))?;
    let mut pipe = opened(&connection, &COUNT, &query(3, 3, None)).await?;
    end("empty count", &mut pipe).await?;
    let mut pipe = opened(&connection, &COUNT_DIRECT, &query(7, 12, None)).await?;
    updates("count-direct", &mut pipe, 7..12).await?;
    end("count-direct", &mut pipe).await
}

/// More values than any buffer holds at once, from both kinds of sources; and the direct
/// writer's refusal.
pub(super) async fn count_large(run: &mut Run) -> Outcome {
    const MANY: i64 = 100_000;
    let connection = run.connection().await?;
    for rpc in [&COUNT, &COUNT_DIRECT] {
        let mut pipe = opened(&connection, rpc, &query(0, MANY, None)).await?;
        updates(rpc.description(), &mut pipe, 0..MANY).await?;
        end(rpc.description(), &mut pipe).await?;
    }
    let denied = open(&connection, &COUNT_DIRECT, &query(0, 1, Some("denied"))).await?;
    equal("error", denied.err(), Some("denied".into()))
}

/// The handler raises before it has a pipe.
pub(super) async fn boom(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let dispatch = BOOM_PIPE.dispatch(&connection, &"pipe-kaboom".into());
    let error = refused("boom-pipe", dispatch).await?;
    let RpcError::UncaughtExn(exn) = error else {
        return Err(Failure::unexpected("boom-pipe", error, "Uncaught_exn"));
    };
    contains("Uncaught_exn", &exn.to_string(), "pipe-kaboom")
}

/// A stream without end, ended by its caller: by dropping the pipe, and by its id.
pub(super) async fn abort(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    call_for(&connection, &LIVE_TICKS, &(), 0).await?;
    let mut ticks = opened(&connection, &TICKS, &TICK).await?;
    updates("ticks", &mut ticks, 0..3).await?;
    call_for(&connection, &LIVE_TICKS, &(), 1).await?;
    let metadata = ticks.metadata();
    drop(ticks);
    match within("reason of the dropped pipe", metadata.close_reason()).await? {
        PipeCloseReason::ClosedLocally => {}
        reason => return Err(Failure::unexpected("ticks", reason, "closed locally")),
    }
    no_live_ticks(&connection).await?;

    let mut ticks = opened(&connection, &TICKS, &TICK).await?;
    updates("ticks", &mut ticks, 0..1).await?;
    call_for(&connection, &LIVE_TICKS, &(), 1).await?;
    updates("ticks", &mut ticks, 1..4).await?;
    connection.abort(ticks.id());
    // What was on the way still comes, in order.
    let mut expected = 4;
    while let Some(tick) = within("end of the aborted stream", ticks.next()).await? {
        equal("tick", tick, expected)?;
        expected += 1;
    }
    closed_remotely("aborted stream", &ticks).await?;
    no_live_ticks(&connection).await
}

/// A stream without end, whose connection ends.
pub(super) async fn abort_by_close(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    call_for(&connection, &LIVE_TICKS, &(), 0).await?;
    let other = run.target.connect().await?;
    let mut ticks = opened(&other, &TICKS, &TICK).await?;
    updates("ticks", &mut ticks, 0..2).await?;
    call_for(&connection, &LIVE_TICKS, &(), 1).await?;
    other.close();
    match within("reason of the pipe", ticks.close_reason()).await? {
        PipeCloseReason::Error(DispatchError::ConnectionClosed(_)) => {}
        reason => return Err(Failure::unexpected("ticks", reason, "Connection_closed")),
    }
    no_live_ticks(&connection).await
}

/// The server notices soon that a stream has ended.
async fn no_live_ticks(connection: &Connection) -> Outcome {
    const SOON: Duration = Duration::from_secs(5);
    const PAUSE: Duration = Duration::from_millis(20);
    let deadline = Instant::now() + SOON;
    loop {
        match call(connection, &LIVE_TICKS, &()).await? {
            0 => return Ok(()),
            live if Instant::now() > deadline => {
                return Err(Failure::unexpected("live-ticks", live, 0));
            }
            _ => sleep(PAUSE).await,
        }
    }
}
