//! What is asked for and not implemented (*rpcs* §11).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{
    AfterUnknownRpc, Connection, ExpertQuery, HandlerError, Implementations, OnUnknownRpc,
    QueryContext, Responder,
};
use rpc_wire::stream::{self, StreamQuery};
use rpc_wire::{QueryMetadata, RpcError};
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;

use crate::pair::settle;
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO, MISSING, Notes};
use crate::trace::Trace;

fn table<S: Send + 'static>(policy: OnUnknownRpc<S>) -> Implementations<S> {
    Implementations::builder()
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .on_unknown_rpc(policy)
        .build()
        .unwrap()
}

async fn open(policy: OnUnknownRpc<Notes>, number: i64) -> (Connection, Peer, Notes) {
    let notes = Notes::default();
    let table = table(policy);
    let (connection, peer) = Peer::open(Config::default(), &table, notes.clone(), number).await;
    (connection, peer, notes)
}

async fn expect_unimplemented(peer: &mut Peer, id: i64) {
    let expected = RpcError::unimplemented(MISSING.description());
    assert_eq!(peer.expect_error(id).await, expected);
}

async fn expect_alive(connection: &Connection, peer: &mut Peer) {
    peer.query(1000, &ECHO.description(), &"fine").await;
    peer.expect_answer(1000, &"fine").await;
    assert!(!connection.is_closed());
}

/// Notes what was asked for, and decides by the id.
fn decide(notes: &Notes, context: &QueryContext<'_>) -> AfterUnknownRpc {
    let (rpc, id) = (context.rpc(), context.id().get());
    let metadata = context
        .metadata(0)
        .map(|text| text.escape_ascii().to_string());
    notes.push(format!("{rpc}, {id}, {metadata:?}"));
    match id {
        3 => AfterUnknownRpc::CloseConnection,
        4 => panic!("cannot decide"),
        _ => AfterUnknownRpc::Continue,
    }
}

/// R-UN-1, catalogue ZR5: the answer, then the function, with state, name and version; it decides
/// whether to go on.
#[tokio::test(start_paused = true)]
async fn function_decides_after_the_answer() {
    for number in [1, 2, 8, 11] {
        let (connection, mut peer, notes) = open(OnUnknownRpc::call(decide), number).await;
        peer.query(1, &MISSING.description(), &"x").await;
        expect_unimplemented(&mut peer, 1).await;
        assert_eq!(notes.take(), ["missing version 1, 1, None"]);
        let metadata = QueryMetadata::new().with(0, "who");
        let message = peer.query_with_metadata(2, &MISSING.description(), b"\0", &metadata);
        peer.send_bytes(&message).await;
        expect_unimplemented(&mut peer, 2).await;
        let expected = match number {
            1 => "missing version 1, 2, None",
            _ => "missing version 1, 2, Some(\"who\")",
        };
        assert_eq!(notes.take(), [expected]);
        expect_alive(&connection, &mut peer).await;

        let mut chunk = peer.query_message(3, &MISSING.description(), b"\0");
        chunk.extend(peer.query_message(5, &ECHO.description(), b"\0"));
        peer.send_bytes(&chunk).await;
        expect_unimplemented(&mut peer, 3).await;
        // What follows is not handled, and no reason is told (C-RE-2).
        peer.expect_end().await;
        drop(peer);
        let closed = connection.closed().await;
        assert_eq!(closed.by, ClosedBy::Unknown);
        let reason = closed.reason.to_string();
        assert_eq!(reason, "Rpc message handling loop stopped");
    }
}

/// C-RE-5, after the answer.
#[tokio::test(start_paused = true)]
async fn function_that_panics_closes_the_connection() {
    let (connection, mut peer, _) = open(OnUnknownRpc::call(decide), 11).await;
    peer.query(4, &MISSING.description(), &"x").await;
    expect_unimplemented(&mut peer, 4).await;
    let reason = peer.expect_close_reason().await.to_string();
    let expected = "(\"exn raised in RPC connection loop\"(Failure\"cannot decide\"))";
    assert_eq!(reason, expected);
    drop(peer);
    assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
}

/// R-UN-6, R-AU-3: a refused lift keeps the function from running, and the query has its answer.
#[tokio::test(start_paused = true)]
async fn lifting_a_table_lifts_what_the_function_gets() {
    let narrow = |notes: &Notes, context: &QueryContext<'_>| {
        notes.push(format!("lift {}", context.rpc()));
        match context.id().get() {
            2 => Err(HandlerError::new("no")),
            _ => Ok(notes.clone()),
        }
    };
    let deferred = move |notes: &Notes, context: &QueryContext<'_>| {
        let narrow = narrow(notes, context);
        async {
            sleep(Duration::from_millis(1)).await;
            narrow
        }
    };
    let table = table(OnUnknownRpc::call(decide));
    for table in [
        table.authorize(narrow),
        table.try_lift(narrow),
        table.authorize_async(deferred),
        table.try_lift_async(deferred),
    ] {
        let notes = Notes::default();
        let config = Config::default();
        let (connection, mut peer) = Peer::open(config, &table, notes.clone(), 11).await;
        let lift = "lift missing version 1";
        for id in [1, 2, 3] {
            peer.query(id, &MISSING.description(), &"x").await;
            expect_unimplemented(&mut peer, id).await;
            sleep(Duration::from_millis(5)).await;
            let decided = format!("missing version 1, {id}, None");
            match id {
                2 => assert_eq!(notes.take(), [lift]),
                _ => assert_eq!(notes.take(), [lift, &decided]),
            }
        }
        peer.expect_end().await;
        drop(peer);
        connection.closed().await;
    }
}

/// What an expert function got.
fn noted(notes: &Notes, query: &ExpertQuery<'_>) {
    let context = query.context();
    let metadata: Vec<_> = context
        .all_metadata()
        .map(|(key, text)| format!("{key}={}", text.escape_ascii()))
        .collect();
    notes.push(format!(
        "{} {} [{}] {}",
        context.rpc(),
        context.id(),
        metadata.join(" "),
        query.bytes().escape_ascii()
    ));
}

/// R-UN-3, R-UN-5, K14, I5: it gets everything, of streams and aborts too, and answers itself;
/// the answer has no menu index.
#[tokio::test(start_paused = true)]
async fn expert_function_gets_everything_and_answers() {
    let answer = |notes: &Notes, query: ExpertQuery<'_>, responder: Responder| {
        noted(notes, &query);
        let sent = match query.context().id().get() {
            1 => responder.error(HandlerError::new("not here")),
            2 => responder.bytes(query.bytes()),
            _ => {
                drop(responder);
                Ok(())
            }
        };
        async { Ok(sent?) }
    };
    for number in [1, 2, 7, 8, 11] {
        let (connection, mut peer, notes) = open(OnUnknownRpc::expert(answer), number).await;
        let missing = MISSING.description();
        let metadata = QueryMetadata::new().with(5, "five").with(0, "zero");
        let message = peer.query_with_metadata(1, &missing, b"\x01x", &metadata);
        peer.send_bytes(&message).await;
        let error = peer.expect_error(1).await.to_string();
        assert!(error.contains("server-side raw rpc computation"), "{error}");
        assert!(error.contains("not here"), "{error}");
        let metadata = match number {
            1 => "",
            2..8 => "0=zero",
            _ => "5=five 0=zero",
        };
        let expected = format!("missing version 1 1 [{metadata}] \\x01x");
        assert_eq!(notes.take(), [expected]);

        peer.query(2, &missing, &"y").await;
        let body = peer.expect_frame().await;
        let expected = match number {
            7.. => b"\x08\x02\0\0\x02\x01y".as_slice(),
            _ => b"\x02\x02\0\x02\x01y",
        };
        assert_eq!(body, expected, "at {number}");
        assert_eq!(notes.take(), ["missing version 1 2 [] \\x01y"]);

        // A stream's query has its layer, and so has its abort. No answer is an answer.
        peer.open_stream(3, &missing, &"z").await;
        peer.abort(3, &missing).await;
        peer.expect_silence(Duration::from_secs(1)).await;
        let inner = rpc_wire::Data::new(b"\x01z");
        let layer = bin_prot::to_vec(&StreamQuery::Query(inner)).unwrap();
        let expected = [layer.as_slice(), stream::ABORT_PAYLOAD]
            .map(|bytes| format!("missing version 1 3 [] {}", bytes.escape_ascii()));
        assert_eq!(notes.take(), expected);
        expect_alive(&connection, &mut peer).await;
    }
}

/// R-UN-3, C-BP-2: the reader waits for the future, and not for the responder.
#[tokio::test(start_paused = true)]
async fn expert_function_holds_up_the_connection_until_its_future_is_ready() {
    let go = Arc::new(Notify::new());
    let (responders, mut taken) = mpsc::unbounded_channel();
    let going = go.clone();
    let answer = move |_: &Notes, _: ExpertQuery<'_>, responder: Responder| {
        responders.send(responder).unwrap();
        let going = going.clone();
        async move {
            going.notified().await;
            Ok(())
        }
    };
    let (connection, mut peer, _) = open(OnUnknownRpc::expert(answer), 11).await;
    let trace = Trace::of(&connection);
    peer.query(1, &MISSING.description(), &"x").await;
    peer.query(2, &ECHO.description(), &"fine").await;
    peer.expect_silence(Duration::from_secs(1)).await;
    // T-S15, Decision 11: when the function has returned its future.
    trace.expect(&["R Query 16", "S Expert 0"]);
    go.notify_one();
    peer.expect_answer(2, &"fine").await;
    let responder = taken.recv().await.unwrap();
    responder.bytes(b"\x04late").unwrap();
    peer.expect_answer(1, &"late").await;
    assert!(!connection.is_closed());
}

/// R-UN-3, C-RE-5, T-S16: at once, as a panic, and later; with no event if it was at once.
#[tokio::test(start_paused = true)]
async fn expert_function_that_raises_closes_the_connection() {
    let answer = |_: &Notes, query: ExpertQuery<'_>, _: Responder| {
        let id = query.context().id().get();
        assert_ne!(id, 1, "on purpose");
        async move {
            if id == 2 {
                return Err(HandlerError::new("on purpose"));
            }
            sleep(Duration::from_millis(1)).await;
            assert_ne!(id, 3, "on purpose");
            Err(HandlerError::new("on purpose"))
        }
    };
    for id in 1..=4 {
        let (connection, mut peer, _) = open(OnUnknownRpc::expert(answer), 11).await;
        let trace = Trace::of(&connection);
        peer.query(id, &MISSING.description(), &"x").await;
        let reason = peer.expect_close_reason().await.to_string();
        assert!(
            reason.starts_with("(\"exn raised in RPC connection loop\""),
            "{reason}"
        );
        assert!(reason.contains("on purpose"), "{reason}");
        peer.expect_end().await;
        let expected = ["R Query 16", "S Expert 0"];
        trace.expect(if id <= 2 { &expected[..1] } else { &expected });
        drop(peer);
        assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
    }
}

/// R-UN-6, R-EX-7: a refused lift is answered as that of an expert handler.
#[tokio::test(start_paused = true)]
async fn lifting_a_table_lifts_what_the_expert_function_gets() {
    let answer = |text: &String, _: ExpertQuery<'_>, responder: Responder| {
        let response = bin_prot::to_vec(text).unwrap();
        async move {
            responder.schedule(Bytes::from(response))?.await;
            Ok(())
        }
    };
    let narrow = |_: &Notes, context: &QueryContext<'_>| match context.id().get() {
        2 => Err(HandlerError::new("not you")),
        id => Ok(format!("for {id}")),
    };
    let deferred = move |notes: &Notes, context: &QueryContext<'_>| {
        let narrow = narrow(notes, context);
        async {
            sleep(Duration::from_millis(1)).await;
            narrow
        }
    };
    let table = table(OnUnknownRpc::expert(answer));
    for (table, what) in [
        (table.authorize(narrow), "authorization"),
        (table.try_lift(narrow), "lift"),
        (table.authorize_async(deferred), "authorization"),
        (table.try_lift_async(deferred), "lift"),
    ] {
        let notes = Notes::default();
        let (connection, mut peer) = Peer::open(Config::default(), &table, notes, 11).await;
        peer.query(1, &MISSING.description(), &"x").await;
        peer.expect_answer(1, &"for 1").await;
        peer.query(2, &MISSING.description(), &"x").await;
        let error = peer.expect_error(2).await;
        let location = format!("server-side rpc expert {what}");
        assert!(error.to_string().contains(&location), "{error}");
        assert!(error.to_string().contains("not you"), "{error}");
        assert_eq!(
            matches!(error, RpcError::AuthorizationFailure(_)),
            what == "authorization"
        );
        settle().await;
        assert!(!connection.is_closed());
    }
}

/// R-UN-5, catalogue ZR7: an abort is answered like a query.
#[tokio::test(start_paused = true)]
async fn abort_of_an_unknown_rpc_is_answered() {
    let (connection, mut peer, _) = open(OnUnknownRpc::Continue, 11).await;
    let unknown = COUNT.description();
    peer.abort(1, &unknown).await;
    let expected = RpcError::unimplemented(unknown);
    assert_eq!(peer.expect_error(1).await, expected);
    expect_alive(&connection, &mut peer).await;
}
