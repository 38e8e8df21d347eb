//! One member of a group, from its dispatch to its end.

use super::board::{FEED, GENERATION, update};
use super::ledger::Done;
use super::stream::{Expected, Plan, Whole, read};
use super::worker::Caller;

/// Subscribes, and checks that what comes is what the group wrote from then on, each number once
/// and in order, up to the end of a generation if the stream ends in the ordinary way.
pub(super) async fn join(caller: &mut Caller) {
    let with_latest = caller.chance.one_in(2);
    let plan = Plan::random(&mut caller.chance);
    let connection = caller.connection.clone();
    let dispatch = FEED.dispatch(&connection, &with_latest);
    match caller.outcome(dispatch).await {
        Some(Ok((next, pipe))) => {
            caller.ledger().did(Done::Members);
            let first = match with_latest {
                true => (next - 1).max(0),
                false => next,
            };
            let expected = Expected {
                first,
                is: |got, number| *got == update(number),
                whole: Whole::BeforeMultiple(GENERATION),
            };
            read(caller, pipe, expected, plan).await;
        }
        Some(Err(error)) => {
            let over = caller.connection.is_closed();
            caller.check(over, format_args!("not added to a group: {error}"));
        }
        // Forgotten, or the connection is over.
        None => {}
    }
}
