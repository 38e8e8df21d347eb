//! Lifts that refuse, and a handler that raises and has its connection closed.

use bin_prot::Sexp;
use rpc_core::connection::ClosedBy;
use rpc_core::{
    Connection, DispatchError, HandlerError, Implementation, Implementations, OnException, OneWay,
    PipeRpc, Rpc,
};
use rpc_testkit::recording::{Recording, Side};
use rpc_wire::{CloseReason, Message, RpcError};

use super::{ECHO_STRING, half, play_callee, play_caller, recordings};
use crate::source;

/// The callee refuses, and both go on.
pub(super) const LIFTS: &[&str] = &["lift-error", LIFT_ONE_WAY];

/// The callee's handler raises, and its connection ends.
pub(super) const CLOSES: &[&str] = &["boom-close"];

const LIFT_ONE_WAY: &str = "lift-error-oneway";

static LIFT_FAIL: Rpc<String, String> = Rpc::new("lift-fail", 1);
static LIFT_DEFERRED_FAIL: Rpc<String, String> = Rpc::new("lift-deferred-fail", 1);
static LIFT_RAISE: Rpc<String, String> = Rpc::new("lift-raise", 1);
static LIFT_FAIL_PIPE: PipeRpc<String, i64, String> = PipeRpc::new("lift-fail-pipe", 1);
static LIFT_FAIL_ONEWAY: OneWay<String> = OneWay::new("lift-fail-oneway", 1);
static BOOM_CLOSE: Rpc<String, String> = Rpc::new("boom-close", 1);

fn refusal() -> HandlerError {
    let code = Sexp::list([Sexp::atom("code"), Sexp::atom("5")]);
    HandlerError::from_sexp(Sexp::list([Sexp::atom("lift refused"), code]))
}

fn table() -> Implementations<Connection> {
    let echo = |_: &(), text| Ok(text);
    Implementations::builder()
        .implement_blocking(&ECHO_STRING, |_, text| Ok(text))
        .implementation(Implementation::blocking(&LIFT_FAIL, echo).try_lift(|_, _| Err(refusal())))
        .implementation(
            Implementation::blocking(&LIFT_DEFERRED_FAIL, echo)
                .try_lift_async(|_, _| async { Err(refusal()) }),
        )
        .implementation(
            Implementation::blocking(&LIFT_RAISE, echo).lift(|_, _| panic!("lift raised")),
        )
        .implementation(
            Implementation::pipe(&LIFT_FAIL_PIPE, |_: &(), _| async {
                Ok(Ok(source::iter([])))
            })
            .try_lift(|_, _| Err(refusal())),
        )
        .implementation(
            Implementation::one_way(&LIFT_FAIL_ONEWAY, |_: &(), _| async { Ok(()) })
                .try_lift(|_, _| Err(refusal())),
        )
        .implementation(
            Implementation::blocking(&BOOM_CLOSE, |_, text: String| Err(HandlerError::new(text)))
                .on_exception(OnException::CloseConnection),
        )
        .build()
        .unwrap()
}

/// R-AU-2, R-OW-3: what a refused caller is told, at versions with and without *Lift_error*.
#[tokio::test(start_paused = true)]
async fn our_callee_refuses_what_the_recorded_callee_refused() {
    for recording in recordings(LIFTS) {
        let (connection, mut peer) = play_caller(&recording, &table()).await;
        peer.end().await;
        peer.expect_end().await;
        connection.closed().await;
    }
}

/// R-XN-1, R-XN-3: first the answer, then the reason for closing.
#[tokio::test(start_paused = true)]
async fn our_callee_closes_where_the_recorded_callee_closed() {
    for recording in recordings(CLOSES) {
        let (connection, mut peer) = play_caller(&recording, &table()).await;
        let reason = peer.expect_close_reason().await.to_string();
        peer.expect_end().await;
        for part in ["Uncaught exception in implementation", "boom"] {
            assert!(reason.contains(part), "{reason}");
        }
        assert_eq!(connection.closed().await.by, ClosedBy::Local);
    }
}

/// The error that a recorded callee answered this query with.
fn recorded_error(recording: &Recording, id: i64) -> RpcError {
    let callee = half(recording, Side::Callee);
    match Message::decode(&callee.by_id[&id][0]) {
        Ok(Message::Response(response)) => response.result.unwrap_err(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check<R: std::fmt::Debug>(answer: Result<R, DispatchError>, recorded: &RpcError) {
    match answer.unwrap_err() {
        DispatchError::Rpc(error) => assert_eq!(error, *recorded),
        other => panic!("{other:?} instead of {recorded:?}"),
    }
}

/// Errors reach the caller as they were sent; the connection lives. Of a one-way message it hears nothing.
#[tokio::test(start_paused = true)]
async fn our_caller_is_told_what_the_recorded_caller_was_told() {
    for recording in recordings(LIFTS) {
        let error = |id| recorded_error(&recording, id);
        let (connection, mut peer) = play_callee(&recording, async |connection| {
            let x = "x".to_owned();
            if recording.case == LIFT_ONE_WAY {
                LIFT_FAIL_ONEWAY.dispatch(connection, &x).unwrap();
            } else {
                check(LIFT_FAIL.dispatch(connection, &x).await, &error(1));
                check(LIFT_DEFERRED_FAIL.dispatch(connection, &x).await, &error(2));
                check(LIFT_RAISE.dispatch(connection, &x).await, &error(3));
                check(LIFT_FAIL_PIPE.dispatch(connection, &x).await, &error(4));
            }
            let here = ECHO_STRING.dispatch(connection, &"still here".to_owned());
            assert_eq!(here.await.unwrap(), "still here");
        })
        .await;
        connection.close();
        peer.expect_end().await;
    }
}

/// The answer first, and then the peer's reason.
#[tokio::test(start_paused = true)]
async fn our_caller_sees_why_the_recorded_callee_closed() {
    for recording in recordings(CLOSES) {
        let error = recorded_error(&recording, 1);
        let (connection, mut peer) = play_callee(&recording, async |connection| {
            let answer = BOOM_CLOSE.dispatch(connection, &"boom".to_owned());
            check(answer.await, &error);
        })
        .await;
        let reason = half(&recording, Side::Callee).reason.unwrap();
        peer.send_frame(&reason).await;
        peer.end().await;
        let closed = connection.closed().await;
        assert_eq!(closed.by, ClosedBy::Peer);
        let Ok(Message::CloseReason(info)) = Message::decode(&reason) else {
            panic!("{reason:02x?}");
        };
        assert_eq!(closed.reason, CloseReason::from(info));
        peer.expect_end().await;
    }
}
