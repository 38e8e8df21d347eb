//! One stream from its dispatch to its end, or to where its caller has had enough.

use std::time::Duration;

use rpc_core::{ExpertRpc, Pipe, PipeCloseReason};
use tokio::time::sleep;

use super::ledger::{Done, Fault};
use super::rpcs::{COUNT, COUNTER, DIRECT, Range};
use super::worker::Caller;
use crate::chance::Chance;

/// What the caller does with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    ReadAll,
    ReadSlowly,
    /// After so many updates.
    Abort(i64),
    Drop(i64),
}

impl Plan {
    pub(super) fn random(chance: &mut Chance) -> Self {
        match chance.below(6) {
            0 => Self::ReadSlowly,
            1 => Self::Abort(chance.size(200).cast_signed()),
            2 => Self::Drop(chance.size(200).cast_signed()),
            _ => Self::ReadAll,
        }
    }
}

/// What has to come: one update for each number, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<U> {
    pub(super) first: i64,
    /// Whether an update is this number's.
    pub(super) is: fn(&U, i64) -> bool,
    pub(super) whole: Whole,
}

/// Where the ordinary end may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whole {
    /// Before this number, which does not come.
    Before(i64),
    /// Before a multiple of this number.
    BeforeMultiple(i64),
}

impl Whole {
    fn may_come(self, number: i64) -> bool {
        match self {
            Self::Before(end) => number < end,
            Self::BeforeMultiple(_) => true,
        }
    }

    fn may_end_before(self, number: i64) -> bool {
        match self {
            Self::Before(end) => number == end,
            Self::BeforeMultiple(of) => number % of == 0,
        }
    }
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
    let connection = caller.connection.clone();
    match chance.below(4) {
        0 => {
            let opened = caller.outcome(COUNT.dispatch(&connection, &range)).await;
            opened_for(caller, range, opened, is_number).await;
        }
        1 => {
            let opened = caller.outcome(DIRECT.dispatch(&connection, &range)).await;
            opened_for(caller, range, opened, is_number).await;
        }
        2 => {
            let opened = caller.outcome(COUNTER.dispatch(&connection, &range)).await;
            let opened = opened.map(|opened| {
                opened.map(|(state, pipe)| {
                    caller.check(state == from, format_args!("state {state} of {range:?}"));
                    pipe
                })
            });
            opened_for(caller, range, opened, is_number).await;
        }
        _ => open_as_bytes(caller, range).await,
    }
}

fn is_number(update: &i64, number: i64) -> bool {
    *update == number
}

/// The state RPC, by a caller that does not know its types.
async fn open_as_bytes(caller: &mut Caller, range: Range) {
    let Ok(query) = bin_prot::to_vec(&range) else {
        return;
    };
    let connection = caller.connection.clone();
    let rpc = ExpertRpc::from(COUNTER.description());
    let dispatch = rpc.dispatch_stream(&connection, &query);
    let opened = caller.outcome(dispatch).await.map(|opened| match opened {
        Ok((state, pipe)) => {
            let right = is_encoded(&state, range.0);
            caller.check(right, format_args!("state {state:?} of {range:?}"));
            Ok(pipe)
        }
        Err(error) => Err(bin_prot::from_slice(&error).unwrap_or_default()),
    });
    opened_for(caller, range, opened, |bytes, number| {
        is_encoded(bytes, number)
    })
    .await;
}

fn is_encoded(bytes: &[u8], number: i64) -> bool {
    bin_prot::to_vec(&number).is_ok_and(|encoded| encoded == bytes)
}

async fn opened_for<U>(
    caller: &mut Caller,
    range: Range,
    opened: Option<Result<Pipe<U>, String>>,
    is: fn(&U, i64) -> bool,
) {
    let (from, until, _) = range;
    match opened {
        Some(Ok(pipe)) => {
            let expected = Expected {
                first: from,
                is,
                whole: Whole::Before(until),
            };
            let plan = Plan::random(&mut caller.chance);
            read(caller, pipe, expected, plan).await;
        }
        Some(Err(error)) => {
            let right = until < from && error.contains(&until.to_string());
            caller.check(right, format_args!("{range:?} refused: {error}"));
        }
        // Forgotten, or the connection is over.
        None => {}
    }
}

/// Does with a stream what is planned, and checks what comes.
pub(super) async fn read<U>(
    caller: &mut Caller,
    mut pipe: Pipe<U>,
    expected: Expected<U>,
    plan: Plan,
) {
    let Expected { first, is, whole } = expected;
    let ledger = caller.ledger().clone();
    let mut next = first;
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
            Plan::Abort(after) if next - first >= after && !aborted => {
                pipe.abort();
                aborted = true;
            }
            Plan::Drop(after) if next - first >= after => {
                ledger.did(Done::AbortedStreams);
                return;
            }
            Plan::Abort(_) | Plan::Drop(_) => {}
        }
        let Some(update) = caller.in_time(pipe.next()).await else {
            return;
        };
        let Some(update) = update else { break };
        let right = is(&update, next) && whole.may_come(next);
        caller.check(
            right,
            format_args!("not number {next} of {first}, {whole:?}"),
        );
        next += 1;
        ledger.did(Done::Updates);
    }
    let Some(reason) = caller.in_time(pipe.close_reason()).await else {
        return;
    };
    match reason {
        _ if aborted => ledger.did(Done::AbortedStreams),
        PipeCloseReason::ClosedRemotely => {
            ledger.did(Done::WholeStreams);
            let right = whole.may_end_before(next);
            caller.check(
                right,
                format_args!("from {first}, {whole:?} ended at {next}"),
            );
        }
        reason => {
            ledger.did(Done::BrokenStreams);
            let over = caller.connection.is_closed();
            caller.check(
                over,
                format_args!("{first}, {whole:?} broke by itself: {reason:?}"),
            );
        }
    }
}
