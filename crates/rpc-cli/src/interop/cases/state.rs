//! State RPCs: a state, and updates to it.

use rpc_core::{Connection, Pipe};

use crate::interop::check::{Failure, Outcome, answered, end, equal, updates};
use crate::interop::rpcs::COUNTER;
use crate::interop::session::Session;

/// A state with its updates and the end, a user's error, and a stream that does not end by
/// itself.
pub(super) async fn state(session: &mut Session) -> Outcome {
    let connection = session.connection().await?;
    let mut pipe = started(&connection, "c").await?;
    updates("counter", &mut pipe, 1..=10).await?;
    end("counter", &mut pipe).await?;
    let bad = answered("counter", COUNTER.dispatch(&connection, &"bad".into())).await?;
    equal("error", bad.err(), Some("bad counter".into()))
}

/// Opens a counter, which begins at 100.
async fn started(connection: &Connection, query: &str) -> Outcome<Pipe<i64>> {
    let started = answered("counter", COUNTER.dispatch(connection, &query.into())).await?;
    match started {
        Ok((state, pipe)) => {
            equal("state", state, 100)?;
            Ok(pipe)
        }
        Err(error) => Err(Failure::unexpected("counter", error, "a state")),
    }
}
