//! One-way handlers: what they cannot tell, and what closes the connection (*rpcs* §5).

use std::time::Duration;

use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{
    Connection, HandlerError, Implementation, Implementations, OnException, OneWay, Rpc,
};
use tokio::time::sleep;

use crate::pair::settle;
use crate::peer::Peer;
use crate::rpcs::{ECHO, Notes};
use crate::trace::Trace;

static TYPED: OneWay<String> = OneWay::new("one-way", 1);
static EXPERT: OneWay<String> = OneWay::new("one-way-expert", 1);
/// Never answers.
static WAIT: Rpc<(), ()> = Rpc::new("plain", 1);

async fn raise(notes: Notes, text: String) -> Result<(), HandlerError> {
    notes.push(text.clone());
    match text.as_str() {
        "error" => Err(HandlerError::new("on purpose")),
        "panic" => panic!("on purpose"),
        "error later" => {
            sleep(Duration::from_millis(1)).await;
            Err(HandlerError::new("on purpose"))
        }
        "panic later" => {
            sleep(Duration::from_millis(1)).await;
            panic!("on purpose")
        }
        _ => Ok(()),
    }
}

fn table(policy: OnException) -> Implementations<Notes> {
    let typed = Implementation::one_way(&TYPED, |notes: &Notes, text| raise(notes.clone(), text));
    let expert = Implementation::one_way_expert(&EXPERT, |notes: &Notes, query| {
        let (notes, text) = (notes.clone(), bin_prot::from_slice(query.bytes()));
        async { raise(notes, text?).await }
    });
    Implementations::builder()
        .implementation(typed.on_exception(policy.clone()))
        .implementation(expert.on_exception(policy))
        .implement(&WAIT, |_, ()| std::future::pending())
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap()
}

async fn open(policy: OnException) -> (Connection, Peer, Notes) {
    let notes = Notes::default();
    let table = table(policy);
    let (connection, peer) = Peer::open(Config::default(), &table, notes.clone(), 11).await;
    (connection, peer, notes)
}

/// R-OW-4, C-RE-4, catalogue L2, Q10: the loop stops with the error, and what was read after the
/// message is not handled.
#[tokio::test(start_paused = true)]
async fn raise_at_once_with_policy_close_stops_the_loop() {
    for (rpc, location) in [(&TYPED, "one-way rpc"), (&EXPERT, "one-way rpc expert")] {
        for how in ["error", "panic"] {
            let (connection, mut peer, notes) = open(OnException::CloseConnection).await;
            let trace = Trace::of(&connection);
            let how_bytes = bin_prot::to_vec(how).unwrap();
            let mut chunk = peer.query_message(99, &WAIT.description(), b"\0");
            chunk.extend(peer.query_message(100, &rpc.description(), &how_bytes));
            chunk.extend(peer.query_message(101, &rpc.description(), b"\x04fine"));
            peer.send_bytes(&chunk).await;
            let reason = peer.expect_close_reason().await;
            let expected = format!(
                "(\"Rpc message handling loop stopped\"\
                 (Uncaught_exn((location\"server-side {location} computation\")\
                 (exn(Failure\"on purpose\")))))"
            );
            assert_eq!(reason.to_string(), expected);
            peer.expect_end().await;
            drop(peer);
            assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
            assert_eq!(notes.take(), [how]);
            let lines = trace.lines();
            assert_eq!(lines.len(), 3, "{lines:?}");
            assert_eq!(lines[2], "S One_way 0");
        }
    }
}

/// R-OW-5, C-RE-7, catalogue L3: ours is the closing side, and messages before that are handled.
#[tokio::test(start_paused = true)]
async fn raise_after_suspending_with_policy_close_closes() {
    for rpc in [&TYPED, &EXPERT] {
        for how in ["error later", "panic later"] {
            let (connection, mut peer, notes) = open(OnException::CloseConnection).await;
            let how_bytes = bin_prot::to_vec(how).unwrap();
            let mut chunk = peer.query_message(100, &rpc.description(), &how_bytes);
            chunk.extend(peer.query_message(101, &rpc.description(), b"\x04fine"));
            peer.send_bytes(&chunk).await;
            let reason = peer.expect_close_reason().await.to_string();
            assert!(
                reason.starts_with("(\"Uncaught exception in implementation\""),
                "{reason}"
            );
            assert!(reason.contains("on purpose"), "{reason}");
            peer.expect_end().await;
            drop(peer);
            assert_eq!(connection.closed().await.by, ClosedBy::Local);
            assert_eq!(notes.take(), [how, "fine"]);
        }
    }
}

/// R-OW-1, R-OW-4: with any other policy nothing is sent, and nothing closes.
#[tokio::test(start_paused = true)]
async fn raise_with_another_policy_is_told_to_nobody() {
    let policies = [
        OnException::Log,
        OnException::LogOnBackgroundException,
        OnException::call(|_| {}),
        OnException::raise_to_monitor(|_| {}),
    ];
    for policy in policies {
        let (connection, mut peer, notes) = open(policy).await;
        let every_way = ["error", "panic", "error later", "panic later"];
        for rpc in [&TYPED, &EXPERT] {
            for how in every_way {
                peer.query(1, &rpc.description(), &how).await;
            }
            peer.expect_silence(Duration::from_secs(1)).await;
            assert_eq!(notes.take(), every_way);
        }
        peer.query(2, &ECHO.description(), &"fine").await;
        peer.expect_answer(2, &"fine").await;
        assert!(!connection.is_closed());
    }
}

/// R-OW-2, C-RE-4, T-S9, catalogue ZR9: nobody waits who could be told.
#[tokio::test(start_paused = true)]
async fn undecodable_message_closes_the_connection() {
    for payload in [b"\x05he".as_slice(), b"\x02hello"] {
        let (connection, mut peer, notes) = open(OnException::Log).await;
        let trace = Trace::of(&connection);
        let message = peer.query_message(1, &TYPED.description(), payload);
        peer.send_bytes(&message).await;
        let reason = peer.expect_close_reason().await.to_string();
        let prefix = "(\"Rpc message handling loop stopped\"(Bin_io_exn((location\
                      \"server-side one-way rpc message un-bin-io'ing\")";
        assert!(reason.starts_with(prefix), "{reason}");
        peer.expect_end().await;
        drop(peer);
        assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
        assert_eq!(notes.take(), Vec::<String>::new());
        let lines = trace.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("R Query"), "{lines:?}");
    }
}

/// R-OW-6, R-OW-7, catalogue S4: expert or not, suspended or not, each message arrives once and
/// holds up nobody.
#[tokio::test(start_paused = true)]
async fn suspended_expert_handler_does_not_hold_up_other_messages() {
    let wait = Implementation::one_way_expert(&EXPERT, |notes: &Notes, query| {
        notes.push(query.bytes().escape_ascii().to_string());
        std::future::pending()
    });
    let table = Implementations::builder()
        .implementation(wait)
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap();
    let notes = Notes::default();
    let (connection, mut peer) = Peer::open(Config::default(), &table, notes.clone(), 11).await;
    peer.query(1, &EXPERT.description(), &"one").await;
    peer.query(2, &ECHO.description(), &"fine").await;
    peer.expect_answer(2, &"fine").await;
    assert_eq!(notes.take(), ["\\x03one"]);
    settle().await;
    assert!(!connection.is_closed());
}
