//! One stream from its dispatch to its end, or to where its caller has had enough.

use std::time::Duration;

use rpc_core::{Pipe, PipeCloseReason};
use tokio::time::sleep;

use super::ledger::{Done, Fault};
use super::rpcs::{COUNT, COUNTER, DIRECT, Range};
use super::worker::Caller;

/// What the caller does with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    ReadAll,
    ReadSlowly,
    /// After so many updates.
    Abort(i64),
    Drop(i64),
}

/// Opens a stream of a random kind, and checks what comes.
pub(super) async fn open(caller: &mut Caller) {
    let chance = &mut caller.chance;
    let from = chance.below(1000).cast_signed();
    let length = chance.size(3000).cast_signed();
    let pace = match chance.one_in(3) {
        true => chance.below(2000).cast_signed(),
        false => 0,
    };
    let until = match chance.one_in(20) {
        true => from - 1,
        false => from + if pace > 0 { length.min(200) } else { length },
    };
    let range = (from, until, pace);
    let plan = match chance.below(6) {
        0 => Plan::ReadSlowly,
        1 => Plan::Abort(chance.size(200).cast_signed()),
        2 => Plan::Drop(chance.size(200).cast_signed()),
        _ => Plan::ReadAll,
    };
    let connection = caller.connection.clone();
    let opened = match chance.below(3) {
        0 => caller.outcome(COUNT.dispatch(&connection, &range)).await,
        1 => caller.outcome(DIRECT.dispatch(&connection, &range)).await,
        _ => {
            let opened = caller.outcome(COUNTER.dispatch(&connection, &range)).await;
            opened.map(|opened| {
                opened.map(|(state, pipe)| {
                    caller.check(state == from, format_args!("state {state} of {range:?}"));
                    pipe
                })
            })
        }
    };
    match opened {
        Some(Ok(pipe)) => read(caller, pipe, range, plan).await,
        Some(Err(error)) => {
            caller.check(until < from, format_args!("{range:?} refused: {error}"));
        }
        // Forgotten, or the connection is over.
        None => {}
    }
}

async fn read(caller: &mut Caller, mut pipe: Pipe<i64>, range: Range, plan: Plan) {
    let (from, until, _) = range;
    let ledger = caller.ledger().clone();
    let mut next = from;
    let mut aborted = false;
    if plan == Plan::ReadSlowly {
        ledger.fault(Fault::SlowReader);
    }
    loop {
        if caller.is_over() {
            ledger.did(Done::AbortedStreams);
            return;
        }
        match plan {
            Plan::ReadAll => {}
            Plan::ReadSlowly => {
                let micros = caller.chance.below(300);
                sleep(Duration::from_micros(micros)).await;
            }
            Plan::Abort(after) if next - from >= after && !aborted => {
                pipe.abort();
                aborted = true;
            }
            Plan::Drop(after) if next - from >= after => {
                ledger.did(Done::AbortedStreams);
                return;
            }
            Plan::Abort(_) | Plan::Drop(_) => {}
        }
        let Some(update) = caller.in_time(pipe.next()).await else {
            return;
        };
        let Some(update) = update else { break };
        caller.check(
            update == next && update < until,
            format_args!("{update} instead of {next} in {range:?}"),
        );
        next = update + 1;
        ledger.did(Done::Updates);
    }
    let Some(reason) = caller.in_time(pipe.close_reason()).await else {
        return;
    };
    match reason {
        _ if aborted => ledger.did(Done::AbortedStreams),
        PipeCloseReason::ClosedRemotely => {
            ledger.did(Done::WholeStreams);
            caller.check(next == until, format_args!("{range:?} ended at {next}"));
        }
        reason => {
            ledger.did(Done::BrokenStreams);
            let over = caller.connection.is_closed();
            caller.check(over, format_args!("{range:?} broke by itself: {reason:?}"));
        }
    }
}
