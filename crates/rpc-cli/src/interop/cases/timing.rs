//! What takes time.

use bin_prot::from_slice;
use rpc_wire::Message;
use tokio::time::sleep;

use crate::interop::check::{Outcome, answered, call_for, equal};
use crate::interop::rpcs::{ECHO_STRING, SLEEP};
use crate::interop::session::{HEARTBEAT_EVERY, Session};

/// Three calls at once are answered in the order in which they are ready.
pub(super) async fn out_of_order(session: &mut Session) -> Outcome {
    // When several answers come with one read, only their bytes tell the order.
    let (connection, seen) = session.target.connect_tapped().await?;
    let calls = [120, 60, 5].map(|milliseconds| {
        let call = SLEEP.dispatch(&connection, &milliseconds);
        (milliseconds, call)
    });
    for (milliseconds, call) in calls {
        equal("sleep", answered("sleep", call).await?, milliseconds)?;
    }
    let mut answers = Vec::new();
    seen.received(|message| {
        if let Message::Response(response) = message {
            let data = response.result.ok().and_then(|data| data.bytes().ok());
            answers.extend(data.and_then(|bytes| from_slice::<i64>(bytes).ok()));
        }
    });
    equal("order of the answers", answers, vec![5, 60, 120])
}

/// Nothing but heartbeats for a while, and the connection is still there.
pub(super) async fn heartbeat(session: &mut Session) -> Outcome {
    const SILENT_FOR: u32 = 10;
    let connection = session.connection().await?;
    sleep(HEARTBEAT_EVERY * SILENT_FOR).await;
    let text = || "after heartbeats".into();
    call_for(&connection, &ECHO_STRING, &text(), text()).await
}
