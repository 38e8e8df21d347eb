//! Catalogue K, M and ZC: messages that just fit, that do not, and answers that nobody expects.

use bin_prot::Sexp;
use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{DispatchError, HandlerError, Implementations, OnException, OneWay, Rpc};
use rpc_wire::RpcError;
use rpc_wire::handshake::PeerMetadata;
use tokio::task::yield_now;

use crate::pair::CAPACITY;
use crate::peer::Peer;
use crate::rpcs::{ECHO, Notes};
use crate::trace::Trace;

static RPC: Rpc<String, Result<String, String>> = Rpc::new("rpc", 1).user_error_if(Result::is_err);

/// Body of the *Write_error* about 108 bytes where 50 are allowed: tag, id, index, error, its kind;
/// then five atoms and four lists, of which each takes a tag and a length.
const WRITE_ERROR: usize = 1 + 1 + 2 + 1 + 1 + ("Message_too_big".len() + 4 + 3 + 16 + 2) + 2 * 9;

/// K6, K10, R-PL-6: neither the response nor the error in its place can be sent, so the connection
/// ends. The reason is too large as well, with a limit so small, and the peer sees the end alone.
#[tokio::test(start_paused = true)]
async fn error_that_is_too_large_as_well_ends_the_connection() {
    let table = Implementations::<()>::builder()
        .implement_blocking(&RPC, |(), ok: String| {
            let large = "x".repeat(100);
            Ok(if ok == "ok" { Ok(large) } else { Err(large) })
        })
        .build()
        .unwrap();
    for (query, kind) in [("ok", "Single_succeeded"), ("no", "User_defined_error")] {
        let config = Config::default().max_message_size(50);
        let (connection, mut peer) = Peer::open(config, &table, (), 10).await;
        let trace = Trace::of(&connection);
        peer.query(123, &RPC.description(), &query).await;
        peer.expect_end().await;
        drop(peer);
        let closed = connection.closed().await;
        assert_eq!(closed.by, ClosedBy::Unknown);
        let text = closed.to_string();
        let words =
            r#"exn raised in RPC connection loop"("Failed to send write error to client"(("#;
        assert!(text.contains(words), "{text}");
        let first = "(error(Message_too_big((size 108)(max_message_size 50))))";
        assert!(text.contains(first), "{text}");
        let second = format!(r#"(reason"message of {WRITE_ERROR} bytes exceeds the limit of 50")"#);
        assert!(text.contains(&second), "{text}");
        // Tag, name and version, id, no metadata, length, text; tag, id, index, ok, length, value.
        let failed = format!("F {kind} Too_large 108");
        trace.expect(&["R Query 12", &failed]);
    }
}

/// R-PL-6, R-PL-4: what a handler raises may be too large as well. The policy is consulted all the
/// same.
#[tokio::test(start_paused = true)]
async fn raise_that_is_too_large_is_a_write_error() {
    let raised = Notes::default();
    let notes = raised.clone();
    let policy =
        OnException::call(move |raise| notes.push(format!("{} {:?}", raise.rpc, raise.raised)));
    let table = Implementations::<()>::builder()
        .implement_blocking(&RPC, |(), _| Err(HandlerError::new("x".repeat(1000))))
        .implement(&ECHO, |(), _| async {
            yield_now().await;
            Err(HandlerError::new("x".repeat(1000)))
        })
        .on_exception(policy)
        .build()
        .unwrap();
    let config = Config::default().max_message_size(200);
    let (connection, mut peer) = Peer::open(config, &table, (), 10).await;
    let trace = Trace::of(&connection);
    for (id, rpc) in [(1, RPC.description()), (2, ECHO.description())] {
        peer.query(id, &rpc, &"query").await;
        let RpcError::WriteError(error) = peer.expect_error(id).await else {
            panic!("another error");
        };
        let events = trace.lines();
        let [received, failed] = &events[..] else {
            panic!("{events:?}");
        };
        assert!(received.starts_with("R Query"), "{received}");
        let size = failed.strip_prefix("F Error_or_exn Too_large ").unwrap();
        let expected = format!("(Message_too_big((size {size})(max_message_size 200)))");
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(
        raised.get(),
        ["rpc version 1 BeforeReturn", "echo version 1 BeforeReturn"]
    );
    assert!(!connection.is_closed());
}

/// ZC37, C-LM-3, C-LM-4: both sides with the same limit, to the byte.
#[tokio::test(start_paused = true)]
async fn message_of_exactly_the_limit_passes_both_sides() {
    const LIMIT: usize = 100;
    // Tag, id, no index, ok, length, the text's length.
    const AROUND_RESPONSE: usize = 1 + 1 + 1 + 1 + 1 + 1;
    // Tag, specifier with name and version, id, no metadata, length, the text's length.
    const AROUND_QUERY: usize = 1 + 1 + 5 + 1 + 1 + 1 + 1 + 1;
    let config = || Config::default().max_message_size(LIMIT);
    let (mut peer, io) = Peer::new(CAPACITY);
    let (connection, ()) = tokio::join!(
        rpc_core::Connection::create(io, config()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    let most = "x".repeat(LIMIT - AROUND_QUERY);
    let error = ECHO.dispatch(&connection, &format!("{most}x")).await;
    let expected = LIMIT + 1;
    assert!(matches!(
        error.unwrap_err(),
        DispatchError::MessageTooBig { size, limit: LIMIT } if size == expected
    ));
    let call = ECHO.dispatch(&connection, &most);
    let id = peer.expect_query().await.id;
    let answer = "y".repeat(LIMIT - AROUND_RESPONSE);
    peer.answer(id, &answer).await;
    assert_eq!(call.await.unwrap(), answer);
    let call = ECHO.dispatch(&connection, &"again".to_owned());
    let id = peer.expect_query().await.id;
    peer.answer(id, &format!("{answer}y")).await;
    let error = call.await.unwrap_err();
    assert!(
        matches!(error, DispatchError::ConnectionFailed(_)),
        "{error:?}"
    );
    let text = "frame of 101 bytes, allowed are 0 to 100";
    assert!(error.to_string().contains(text), "{error}");
}

/// M14, C-DI-10: whoever takes an RPC for a one-way one does not expect the error.
#[tokio::test(start_paused = true)]
async fn error_for_a_one_way_query_ends_the_callers_connection() {
    static MISTAKEN: OneWay<String> = OneWay::new("pipe-rpc", 1);
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let trace = Trace::of(&connection);
    MISTAKEN.dispatch(&connection, &"text".to_owned()).unwrap();
    let asked = peer.expect_query().await;
    let size = 1 + 1 + 9 + 1 + 1 + 1 + 1 + asked.payload.len();
    trace.expect(&[&format!("S Query {size}"), &format!("R One_way {size}")]);
    let error = RpcError::BinIoExn(Sexp::atom("server-side"));
    peer.respond(asked.id, Err(error)).await;
    let told = peer.expect_close_reason().await.to_string();
    assert!(told.contains("Rpc message handling loop stopped"), "{told}");
    assert!(told.contains("(Unknown_query_id 1)"), "{told}");
    peer.expect_end().await;
    drop(peer);
    assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
    trace.expect(&[]);
}
