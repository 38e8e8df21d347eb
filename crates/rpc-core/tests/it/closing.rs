//! How connections end: who learns what, what is still delivered, and that nothing stays behind.

mod calls;
mod causes;
mod delivery;
mod graceful;
mod promises;
mod reasons;
mod transports;

use std::time::Duration;

use rpc_core::connection::Closed;
use rpc_core::{ConnectionClosed, DispatchError};
use rpc_wire::CloseReason;

const SECOND: Duration = Duration::from_secs(1);

fn end_of_input() -> CloseReason {
    CloseReason::debug("EOF or connection closed")
}

/// The error of a call that the end of the connection answered.
#[track_caller]
fn check_closed<T: std::fmt::Debug>(result: Result<T, DispatchError>, closed: &Closed) {
    let error = result.unwrap_err();
    let DispatchError::ConnectionClosed(ConnectionClosed { reason }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(reason.as_deref(), Some(closed));
}
