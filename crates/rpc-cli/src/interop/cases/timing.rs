//! What takes time.

use bin_prot::from_slice;
use rpc_wire::Message;
use tokio::time::sleep;

use crate::interop::check::{Outcome, answered, call_for, equal};
use crate::interop::rpcs::{ECHO_STRING, SLEEP};
use crate::interop::run::{HEARTBEAT_EVERY, Run};

/// Three calls at once are answered in the order in which they are ready.
pub(super) async fn out_of_order(run: &mut Run) -> Outcome {
    /// An end that has to wait for a processor may find several of them ready.
    const ATTEMPTS: usize = 5;
    let mut order = order_of_answers(run).await?;
    for _ in 1..ATTEMPTS {
        if order == [5, 60, 120] {
            break;
        }
        order = order_of_answers(run).await?;
    }
    equal("order of the answers", order, vec![5, 60, 120])
}

async fn order_of_answers(run: &Run) -> Outcome<Vec<i64>> {
    // When several answers come with one read, only their bytes tell the order.
    let (connection, seen) = run.target.connect_tapped().await?;
    let calls = [120, 60, 5].map(|milliseconds| {
        let call = SLEEP.dispatch(&connection, &milliseconds);
        (milliseconds, call)
    });
    for (milliseconds, call) in calls {
        equal("sleep", answered("sleep", call).await?, milliseconds)?;
    }
    let mut order = Vec::new();
    seen.received(|message| {
        if let Message::Response(response) = message {
            let data = response.result.ok().and_then(|data| data.bytes().ok());
            order.extend(data.and_then(|bytes| from_slice::<i64>(bytes).ok()));
        }
    });
    Ok(order)
}

/// Nothing but heartbeats for a while, and the connection is still there.
pub(super) async fn heartbeat(run: &mut Run) -> Outcome {
    const SILENT_FOR: u32 = 10;
    let connection = run.connection().await?;
    sleep(HEARTBEAT_EVERY * SILENT_FOR).await;
    let text = || "after heartbeats".into();
    call_for(&connection, &ECHO_STRING, &text(), text()).await
}
