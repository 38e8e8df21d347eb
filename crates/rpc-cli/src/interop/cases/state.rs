//! State RPCs: a state, and updates to it.

use std::time::Duration;

use rpc_core::{Connection, Pipe};
use tokio::time::timeout;

use super::plain::still_there;
use crate::interop::check::{Failure, Outcome, answered, end, equal, updates};
use crate::interop::rpcs::COUNTER;
use crate::interop::run::Run;

/// A state with its updates and the end, and a user's error.
pub(super) async fn state(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let mut pipe = started(&connection, "c").await?;
    updates("counter", &mut pipe, 1..=10).await?;
    end("counter", &mut pipe).await?;
    let bad = answered("counter", COUNTER.dispatch(&connection, &"bad".into())).await?;
    equal("error", bad.err(), Some("bad counter".into()))
}

/// A stream that does not end by itself, and is dropped.
pub(super) async fn hold(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    let mut pipe = started(&connection, "hold").await?;
    updates("counter", &mut pipe, 1..=10).await?;
    // An end sent with the updates would be here before this answer.
    still_there(&connection).await?;
    match timeout(Duration::ZERO, pipe.next()).await {
        Err(_) => {}
        Ok(more) => return Err(Failure::unexpected("counter", more, "nothing more")),
    }
    drop(pipe);
    still_there(&connection).await
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
