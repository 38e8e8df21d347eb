//! Either side closes, with and without each form of reason.

use std::time::Duration;

use bin_prot::{Info, Sexp};
use rpc_core::connection::ClosedBy;
use rpc_core::{Connection, Implementations, Rpc};
use rpc_testkit::recording::Side;
use rpc_wire::{CloseReason, Message};
use tokio::time::sleep;

use super::{ECHO_STRING, half, play_callee, play_caller, recordings};

static CLOSE_ME: Rpc<String, ()> = Rpc::new("close-me", 1);

pub(super) const SERVER_CLOSES: &[&str] = &[
    "server-close-none",
    "server-close-empty",
    "server-close-text",
    "server-close-sexp",
    "server-close-tag",
    "server-close-list",
    "server-close-exn",
    "server-close-create",
];

pub(super) const CLIENT_CLOSES: &[&str] = &["close-none", "close-text", "close-sexp", "close-tag"];

/// The reasons by their names in the recordings.
fn reason(name: &str) -> Option<Info> {
    let atom = |text: &str| Sexp::atom(text);
    Some(match name {
        "none" => return None,
        "empty" => "".into(),
        "text" => "server says bye".into(),
        "sexp" => Sexp::list([atom("going"), Sexp::list([atom("n"), atom("3")])]).into(),
        "tag" => Info::from("inner").tag("outer"),
        "list" => Info::OfList(None, vec!["a".into(), "b".into()]),
        "exn" => Info::Exn(Sexp::list([atom("Failure"), atom("exn reason")])),
        "create" => Info::TagSexp("tagged-sexp".into(), atom("7"), None),
        other => panic!("no reason is called {other:?}"),
    })
}

fn close(connection: &Connection, reason: Option<Info>) {
    match reason {
        Some(reason) => connection.close_with_reason(reason),
        None => connection.close(),
    }
}

/// C-CL-5, C-RS-4: the callee closes a while after it answered.
#[tokio::test(start_paused = true)]
async fn our_callee_gives_the_reason_that_the_recorded_callee_gave() {
    let table = Implementations::builder()
        .implement_blocking(&CLOSE_ME, |connection: &Connection, name: String| {
            let connection = connection.clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(50)).await;
                close(&connection, reason(&name));
            });
            Ok(())
        })
        .build()
        .unwrap();
    for recording in recordings(SERVER_CLOSES) {
        let (connection, mut peer) = play_caller(&recording, &table).await;
        if let Some(reason) = half(&recording, Side::Callee).reason {
            assert_eq!(peer.expect_frame().await, reason, "{}", recording.name);
        }
        peer.expect_end().await;
        assert_eq!(connection.closed().await.by, ClosedBy::Local);
    }
}

/// C-RM-8: the caller of such a callee.
#[tokio::test(start_paused = true)]
async fn our_caller_sees_the_reason_that_the_recorded_callee_gave() {
    for recording in recordings(SERVER_CLOSES) {
        let (_, name) = recording.case.rsplit_once('-').unwrap();
        let (connection, mut peer) = play_callee(&recording, async |connection| {
            let asked = CLOSE_ME.dispatch(connection, &name.to_owned());
            asked.await.unwrap();
        })
        .await;
        if let Some(reason) = half(&recording, Side::Callee).reason {
            peer.send_frame(&reason).await;
        }
        peer.end().await;
        let closed = connection.closed().await;
        match reason(name) {
            Some(reason) => {
                assert_eq!(closed.by, ClosedBy::Peer, "{}", recording.name);
                assert_eq!(
                    closed.reason,
                    CloseReason::debug(reason),
                    "{}",
                    recording.name
                );
            }
            None => assert_eq!(closed.by, ClosedBy::Unknown),
        }
        peer.expect_end().await;
    }
}

/// C-CL-5, C-RS-4: the caller closes.
#[tokio::test(start_paused = true)]
async fn our_caller_gives_the_reason_that_the_recorded_caller_gave() {
    for recording in recordings(CLIENT_CLOSES) {
        let (connection, mut peer) = play_callee(&recording, before_close).await;
        let reason = match recording.case.as_str() {
            "close-text" => Some("bye".into()),
            other => reason(other.trim_start_matches("close-")),
        };
        close(&connection, reason);
        if let Some(reason) = half(&recording, Side::Caller).reason {
            assert_eq!(peer.expect_frame().await, reason, "{}", recording.name);
        }
        peer.expect_end().await;
    }
}

async fn before_close(connection: &Connection) {
    let text = "before close".to_owned();
    let answer = ECHO_STRING.dispatch(connection, &text).await;
    assert_eq!(answer.unwrap(), text);
}

/// C-RM-8: the callee of such a caller.
#[tokio::test(start_paused = true)]
async fn our_callee_sees_the_reason_that_the_recorded_caller_gave() {
    let table = Implementations::builder()
        .implement_blocking(&ECHO_STRING, |_: &Connection, text| Ok(text))
        .build()
        .unwrap();
    for recording in recordings(CLIENT_CLOSES) {
        let (connection, mut peer) = play_caller(&recording, &table).await;
        let reason = half(&recording, Side::Caller).reason;
        if let Some(reason) = &reason {
            peer.send_frame(reason).await;
        }
        peer.end().await;
        peer.expect_end().await;
        let closed = connection.closed().await;
        match reason.as_deref().map(Message::decode) {
            Some(Ok(Message::CloseReason(info))) => {
                assert_eq!(closed.by, ClosedBy::Peer);
                assert_eq!(closed.reason, CloseReason::from(info));
            }
            Some(other) => panic!("{other:?}"),
            None => assert_eq!(closed.by, ClosedBy::Unknown),
        }
    }
}
