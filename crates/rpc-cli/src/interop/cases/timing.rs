//! What takes time.

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::interop::check::{Failure, Outcome, answered, call_for, equal, within};
use crate::interop::rpcs::{ECHO_STRING, SLEEP};
use crate::interop::session::{HEARTBEAT_EVERY, Session};

/// Three calls at once are answered in the order in which they are ready.
pub(super) async fn out_of_order(session: &mut Session) -> Outcome {
    let connection = session.connection().await?;
    let mut calls = JoinSet::new();
    for milliseconds in [120, 60, 5] {
        calls.spawn(answered(
            "sleep",
            SLEEP.dispatch(&connection, &milliseconds),
        ));
    }
    for expected in [5, 60, 120] {
        let Some(Ok(answer)) = within("sleep", calls.join_next()).await? else {
            return Err(Failure::unexpected("sleep", "nothing", expected));
        };
        equal("sleep", answer?, expected)?;
    }
    Ok(())
}

/// Nothing but heartbeats for a while, and the connection is still there.
pub(super) async fn heartbeat(session: &mut Session) -> Outcome {
    const SILENT_FOR: u32 = 10;
    let connection = session.connection().await?;
    sleep(HEARTBEAT_EVERY * SILENT_FOR).await;
    let text = || "after heartbeats".into();
    call_for(&connection, &ECHO_STRING, &text(), text()).await
}
