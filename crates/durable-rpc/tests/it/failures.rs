//! Why attempts fail and streams are lost (*durable* §2.4).

use durable_rpc::{AttemptError, BuildError, Durable, Event, state, subscribe};
use rpc_core::{Connection, DispatchError, PipeCloseReason, StateRpc};
use rpc_wire::RpcError;
use tokio::join;

use crate::checked::{Checked, Counts, DELAY, counts};
use crate::dispatched::{Dispatched, Outcome, Script, intact};
use crate::events::begin;
use crate::server::{Server, settle};

async fn failure(events: &mut Counts) -> AttemptError {
    match events.next().await {
        Some(Event::FailedToConnect(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// The error of *create*, with its text.
#[tokio::test(start_paused = true)]
async fn failed_build_is_a_failed_attempt() {
    let server = Server::start();
    server.stop();
    let mut events = counts(&server.durable());
    events.expect(&["attempting"]).await;
    let error = failure(&mut events).await;
    assert_eq!(error.to_string(), "connection refused");
    assert!(matches!(error, AttemptError::Build(BuildError::Failed(_))));
}

/// The text of D-DU-3.
#[tokio::test(start_paused = true)]
async fn value_that_is_built_broken_is_a_failed_attempt() {
    let server = Server::start();
    let mut events = counts(&server.durable_unless(|_| true));
    for attempts in 1..4 {
        events.expect(&["attempting"]).await;
        let error = failure(&mut events).await;
        assert_eq!(error.to_string(), BuildError::BrokenAtOnce.to_string());
        assert_eq!(server.connects(), attempts);
    }
    assert!(!server.has_calls());
}

/// A build that panics (rule D-DU-10).
#[tokio::test(start_paused = true)]
async fn build_that_panics_is_a_failed_attempt() {
    let connection = Durable::new(
        || async { panic!("as scripted") as Result<Connection, std::fmt::Error> },
        Connection::is_closed,
    );
    let mut events = counts(&connection);
    for _ in 0..3 {
        events.expect(&["attempting"]).await;
        let error = failure(&mut events).await;
        assert!(matches!(
            error,
            AttemptError::Build(BuildError::Panicked(_))
        ));
    }
}

/// The handler fails: not the user error.
#[tokio::test(start_paused = true)]
async fn failure_of_the_handler_is_a_failed_attempt() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    events.expect(&["attempting"]).await;
    let (error, ()) = join!(failure(&mut events), async {
        server.call().await.fail("boom");
    });
    match error {
        AttemptError::Dispatch(DispatchError::Rpc(RpcError::UncaughtExn(exn))) => {
            assert!(exn.to_string().contains("boom"));
        }
        other => panic!("{other:?}"),
    }
    begin(&mut events, &mut server, 7).await;
    assert_eq!(server.connects(), 1);
}

/// ZD17.
#[tokio::test(start_paused = true)]
async fn unknown_rpc_is_a_failed_attempt() {
    static UNKNOWN: StateRpc<i64, i64, i64, String> = StateRpc::new("count", 2);
    let server = Server::start();
    let subscription = state::create(&UNKNOWN, &server.durable(), 42, DELAY);
    let mut events = Checked::new(subscription, DELAY);
    for _ in 0..3 {
        events.expect(&["attempting"]).await;
        let error = failure(&mut events).await;
        assert!(matches!(
            error,
            AttemptError::Dispatch(DispatchError::Rpc(RpcError::UnimplementedRpc(..)))
        ));
    }
    assert_eq!(server.connects(), 1);
}

/// ZD17. The callee has begun a stream by then; it is told to stop.
#[tokio::test(start_paused = true)]
async fn undecodable_state_is_a_failed_attempt() {
    static MISTAKEN: StateRpc<i64, String, i64, String> = StateRpc::new("count", 1);
    let mut server = Server::start();
    let subscription = state::create(&MISTAKEN, &server.durable(), 42, DELAY);
    let mut events = Checked::new(subscription, DELAY);
    for attempts in 1..4 {
        events.expect(&["attempting"]).await;
        let (event, feed) = join!(events.next(), async { server.call().await.accept(7) });
        assert!(matches!(
            event,
            Some(Event::FailedToConnect(AttemptError::Dispatch(
                DispatchError::Undecodable { .. }
            )))
        ));
        feed.aborted().await;
        assert_eq!(server.aborts(), attempts);
    }
    assert_eq!(server.connects(), 1);
}

/// ZD17. Nothing has begun that would have to be stopped, and the connection is as good as before.
#[tokio::test(start_paused = true)]
async fn refused_authorization_is_a_failed_attempt() {
    let mut server = Server::start();
    server.admit(false);
    let mut events = counts(&server.durable());
    for _ in 0..3 {
        events.expect(&["attempting"]).await;
        match failure(&mut events).await {
            AttemptError::Dispatch(DispatchError::Rpc(RpcError::AuthorizationFailure(why))) => {
                assert!(why.to_string().contains("not on the list"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(!server.has_calls());
    server.admit(true);
    begin(&mut events, &mut server, 7).await;
    assert_eq!((server.connects(), server.aborts()), (1, 0));
}

/// The stream is lost, not the connection; the updates before it come first (rule D-EV-2).
#[tokio::test(start_paused = true)]
async fn undecodable_update_is_a_loss() {
    static MISTAKEN: StateRpc<i64, i64, bool, String> = StateRpc::new("count", 1);
    let mut server = Server::start();
    let subscription = state::create(&MISTAKEN, &server.durable(), 42, DELAY);
    let mut events = Checked::new(subscription, DELAY);
    events.expect(&["attempting"]).await;
    let (success, feed) = join!(events.next(), async { server.call().await.accept(7) });
    feed.send(1);
    feed.send(0);
    feed.send(7);
    feed.send(1);
    events
        .expect(&["state 7", "update true", "update false", "lost"])
        .await;
    let Some(Event::ConnectionSuccess(metadata)) = success else {
        panic!("{success:?}")
    };
    let reason = metadata.close_reason().await;
    assert!(matches!(
        reason,
        PipeCloseReason::Error(DispatchError::Undecodable { .. })
    ));
    feed.aborted().await;
    assert_eq!(server.aborts(), 1);
    let ((), _feed) = join!(events.expect(&["attempting", "success"]), async {
        server.call().await.accept(7)
    });
    assert_eq!(server.connects(), 1);
}

/// The connection is lost while the answer is awaited.
#[tokio::test(start_paused = true)]
async fn loss_while_dispatching_is_a_failed_attempt() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    events.expect(&["attempting"]).await;
    let (error, mut call) = join!(failure(&mut events), async {
        let call = server.call().await;
        server.cut();
        call
    });
    assert!(matches!(
        error,
        AttemptError::Dispatch(DispatchError::ConnectionClosed(_))
    ));
    call.cancelled().await;
    begin(&mut events, &mut server, 7).await;
    assert_eq!(server.connects(), 2);
}

/// A server that falls silent is found out by its missing heartbeats, and lost like any other.
#[tokio::test(start_paused = true)]
async fn silent_server_is_a_loss() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    let _feed = begin(&mut events, &mut server, 7).await;
    // A server that does not read gives its client up, which ends the connection.
    server.hold();
    events.expect(&["lost"]).await;
    begin(&mut events, &mut server, 8).await;
    assert_eq!(server.connects(), 2);
}

/// D-RA-8: in the dispatch function or in its future; each is one failed attempt.
#[tokio::test(start_paused = true)]
async fn dispatch_that_panics_is_a_failed_attempt() {
    let panics = [Outcome::PanicAtOnce, Outcome::Panic].map(|outcome| Script {
        outcome,
        ..Script::failure()
    });
    let scripts = panics
        .into_iter()
        .cycle()
        .take(6)
        .chain([Script::stream(1)]);
    let dispatched = Dispatched::new(scripts);
    let subscription = subscribe(&intact(), DELAY, dispatched.dispatch());
    let mut events = Checked::new(subscription, DELAY);
    for _ in 0..6 {
        events.expect(&["attempting"]).await;
        match events.next().await {
            Some(Event::FailedToConnect(error)) => {
                assert!(matches!(error, AttemptError::Panicked(_)));
            }
            other => panic!("{other:?}"),
        }
    }
    events
        .expect(&["attempting", "success", "state 6", "update 0", "lost"])
        .await;
}

/// The user error of the second attempt is the second call's.
#[tokio::test(start_paused = true)]
async fn user_errors_are_told_as_they_are() {
    let mut server = Server::start();
    let mut events = counts(&server.durable());
    for error in ["not now", "", "never"] {
        let expected = format!("error {error}");
        let expected = ["attempting", &expected];
        let ((), ()) = join!(events.expect(&expected), async {
            server.call().await.refuse(error);
        });
    }
    settle().await;
    assert_eq!((server.aborts(), server.streams()), (0, 0));
}
