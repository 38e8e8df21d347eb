//! Passing on what one does not understand (catalogue S): expert handlers and expert dispatches
//! together.

use std::time::Duration;

use bin_prot::to_vec;
use bytes::Bytes;
use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{
    Connection, DispatchError, ExpertQuery, ExpertRpc, HandlerError, Implementation,
    Implementations, OnUnknownRpc, OneWay, PipeCloseReason, Reply, Responder, Rpc,
};
use rpc_wire::{QueryMetadata, RpcError};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::pair::{CAPACITY, connect, offering, pair, settle, version};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO, FAIL, MISSING, NOTE, Notes, SLEEP};
use crate::source::Dropped;

/// A table that passes every query on to the connection that is its state, metadata included,
/// and the answer back. Others are served meanwhile.
fn proxy() -> Implementations<Connection> {
    Implementations::builder()
        .on_unknown_rpc(OnUnknownRpc::expert(pass_on))
        .build()
        .unwrap()
}

fn pass_on(
    upstream: &Connection,
    query: ExpertQuery<'_>,
    responder: Responder,
) -> std::future::Ready<Result<(), HandlerError>> {
    let context = query.context();
    let rpc = ExpertRpc::from(context.rpc().to_description())
        .with_exact_metadata(context.all_metadata().collect());
    let answer = rpc.dispatch(upstream, query.bytes());
    tokio::spawn(async move {
        let sent = match answer.await {
            Ok(response) => match responder.schedule(response) {
                Ok(flushed) => {
                    flushed.await;
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Err(error) => responder.rpc_error(error.to_rpc_error()),
        };
        sent.map_err(|error| error.to_string())
    });
    std::future::ready(Ok(()))
}

/// A caller whose callee passes everything on to a third side, where [`rpcs`](crate::rpcs) are
/// implemented.
struct Scene {
    caller: Connection,
    upstream: Connection,
    _others: [Connection; 2],
}

async fn scene(number: i64) -> Scene {
    let (upstream, server, _) = pair(offering(number), offering(number)).await;
    let nothing = Implementations::empty();
    let (caller, proxy) = connect(
        CAPACITY,
        (offering(number), &nothing, ()),
        (offering(number), &proxy(), upstream.clone()),
    )
    .await;
    Scene {
        caller,
        upstream,
        _others: [server, proxy],
    }
}

/// S1: plain calls succeed, whatever their types and whatever they result in, at every version.
#[tokio::test(start_paused = true)]
async fn plain_calls_pass_through() {
    for number in 1..=11 {
        let scene = scene(number).await;
        let (caller, upstream) = (&scene.caller, &scene.upstream);
        let slow = SLEEP.dispatch(caller, &20);
        for text in ["", "hello", &"x".repeat(100_000)] {
            let answer = ECHO.dispatch(caller, &text.to_owned()).await;
            assert_eq!(answer.unwrap(), text);
        }
        assert_eq!(slow.await.unwrap(), 20);
        // Errors arrive as the real server sent them.
        let direct = FAIL.dispatch(upstream, &"no".to_owned()).await;
        let passed_on = FAIL.dispatch(caller, &"no".to_owned()).await;
        assert_eq!(
            passed_on.unwrap_err().to_rpc_error(),
            direct.unwrap_err().to_rpc_error()
        );
        let missing = MISSING.dispatch(caller, &String::new()).await.unwrap_err();
        let expected = RpcError::unimplemented(MISSING.description());
        assert_eq!(missing.to_rpc_error(), expected);
        // The lost connection behind the proxy is an error of the call, and the proxy lives.
        upstream.close();
        let lost = ECHO.dispatch(caller, &String::new()).await.unwrap_err();
        assert!(matches!(
            lost,
            DispatchError::Rpc(RpcError::ConnectionClosed)
        ));
        assert!(!caller.is_closed());
    }
}

/// S1: what the proxy does not look at stays as it was.
#[tokio::test(start_paused = true)]
async fn metadata_passes_through_uncut() {
    let (mut server, io) = Peer::new(CAPACITY);
    let nothing = Implementations::empty();
    let config = Config::default().max_metadata_bytes_per_key(3);
    let (upstream, ()) = tokio::join!(
        Connection::serve(io, config, &nothing, |_| ()),
        server.shake_hands(11, Default::default()),
    );
    let upstream = upstream.unwrap();
    let config = Config::default();
    let (_proxy, mut caller) = Peer::open(config, &proxy(), upstream.clone(), 11).await;
    let metadata = QueryMetadata::new()
        .with(0, "longer than three")
        .with(7, "seven");
    let payload = to_vec(&"hello").unwrap();
    let query = caller.query_with_metadata(5, &ECHO.description(), &payload, &metadata);
    caller.send_bytes(&query).await;
    let asked = server.expect_query().await;
    assert_eq!(asked.rpc, ECHO.description());
    assert_eq!(asked.payload, payload);
    let expected = [(0, "longer than three"), (7, "seven")];
    let expected = expected.map(|(key, text)| (key, text.as_bytes().to_vec()));
    assert_eq!(asked.metadata, expected);
    server.answer(asked.id, &"answer").await;
    caller.expect_answer(5, &"answer").await;
}

/// S2: a proxy of single answers is none of streams: the initial response is passed on, and no
/// update ever comes.
#[tokio::test(start_paused = true)]
async fn streams_do_not_pass_through() {
    let scene = scene(11).await;
    let mut pipe = COUNT.dispatch(&scene.caller, &3).await.unwrap().unwrap();
    let never = timeout(Duration::from_secs(1), pipe.next()).await;
    assert!(never.is_err());
    // To the proxy the stream was one call, and what follows its answer is its server's mistake.
    assert!(scene.upstream.is_closed());
    assert!(!scene.caller.is_closed());
    scene.caller.close();
    assert_eq!(pipe.next().await, None);
    let reason = pipe.close_reason().await;
    let PipeCloseReason::Error(DispatchError::ConnectionClosed(error)) = reason else {
        panic!("{reason:?}");
    };
    let closed = error.reason.unwrap();
    assert_eq!(closed.by, ClosedBy::Local);
    assert_eq!(closed.reason.to_string(), "Rpc.Connection.close");
}

fn reversed(query: &[u8]) -> Result<Vec<u8>, HandlerError> {
    let text: String = bin_prot::from_slice(query)?;
    Ok(to_vec(&text.chars().rev().collect::<String>())?)
}

/// S3: every way to implement and every way to dispatch go together; the bytes are exactly those
/// of the value.
#[tokio::test(start_paused = true)]
async fn every_implementation_answers_every_dispatch() {
    static RAW: Rpc<String, String> = Rpc::new("raw", 1);
    static NORMAL: Rpc<String, String> = Rpc::new("normal", 1);
    static UNTYPED: Rpc<String, String> = Rpc::new("untyped", 12);
    static UNKNOWN: Rpc<String, String> = Rpc::new("unknown-raw", 1);
    let raw = |(): &(), query: ExpertQuery<'_>, responder: Responder| {
        responder.bytes(&reversed(query.bytes())?)?;
        Ok(Reply::Replied)
    };
    let unknown = |(): &(), query: ExpertQuery<'_>, responder: Responder| {
        let sent = reversed(query.bytes()).map(|bytes| responder.schedule(Bytes::from(bytes)));
        async {
            sent??.await;
            Ok(())
        }
    };
    let table = Implementations::builder()
        .implementation(Implementation::expert_blocking(&RAW, raw))
        .implementation(Implementation::expert_blocking(&UNTYPED.description(), raw))
        .implement(&NORMAL, |(), text: String| async move {
            Ok(text.chars().rev().collect())
        })
        .on_unknown_rpc(OnUnknownRpc::expert(unknown))
        .build()
        .unwrap();
    for number in [1, 7, 11] {
        let nothing = Implementations::empty();
        let far = (offering(number), &table, ());
        let (near, far) = connect(CAPACITY, (offering(number), &nothing, ()), far).await;
        assert_eq!(far.version(), version(number));
        for rpc in [&RAW, &NORMAL, &UNTYPED, &UNKNOWN] {
            let typed = rpc.dispatch(&near, &"hello".to_owned()).await;
            assert_eq!(typed.unwrap(), "olleh");
            let expert = ExpertRpc::from(rpc.description());
            let answer = expert.dispatch(&near, b"\x05hello").await;
            assert_eq!(answer.unwrap(), &b"\x05olleh"[..]);
            let (sender, mut answers) = mpsc::unbounded_channel();
            let sent = expert.dispatch_with(&near, b"\x03abc", move |answer| {
                sender.send(answer.unwrap().to_vec()).unwrap();
                std::future::ready(())
            });
            sent.unwrap();
            assert_eq!(answers.recv().await.unwrap(), b"\x03cba");
            assert_eq!(answers.recv().await, None);
        }
        assert!(!near.is_closed());
    }
}

/// S4: typed and undecoded one-way messages arrive once, however they are sent.
#[tokio::test(start_paused = true)]
async fn one_way_messages_arrive_once() {
    static RAW: OneWay<String> = OneWay::new("raw", 1);
    let raw = Implementation::one_way_expert(&RAW, |notes: &Notes, query| {
        notes.push(query.bytes().escape_ascii().to_string());
        async { Ok(()) }
    });
    let table = Implementations::builder()
        .implementation(raw)
        .implement_one_way(&NOTE, |notes: &Notes, text| {
            notes.push(text);
            async { Ok(()) }
        })
        .build()
        .unwrap();
    let (notes, nothing) = (Notes::default(), Implementations::empty());
    let far = (Config::default(), &table, notes.clone());
    let (near, _far) = connect(CAPACITY, (Config::default(), &nothing, ()), far).await;
    for (rpc, expected) in [(&RAW, "\\x02hi"), (&NOTE, "hi")] {
        rpc.dispatch(&near, &"hi".to_owned()).unwrap();
        let expert = ExpertRpc::from(rpc.description());
        expert.dispatch_one_way(&near, b"\x02hi").unwrap();
        settle().await;
        assert_eq!(notes.take(), [expected, expected]);
    }
    assert!(!near.is_closed());
}

/// A proxy that waits for the answer where the query was read holds up its caller, and is
/// cancelled with its caller's connection.
#[tokio::test(start_paused = true)]
async fn waiting_proxy_is_cancelled_with_its_connection() {
    let dropped = Dropped::default();
    let observed = dropped.clone();
    let wait = move |upstream: &Connection, query: ExpertQuery<'_>, responder: Responder| {
        let rpc = ExpertRpc::from(query.context().rpc().to_description());
        let (answer, guard) = (rpc.dispatch(upstream, query.bytes()), observed.guard());
        async move {
            let _guard = guard;
            responder.bytes(&answer.await?)?;
            Ok(())
        }
    };
    let table = Implementations::builder()
        .on_unknown_rpc(OnUnknownRpc::expert(wait))
        .build()
        .unwrap();
    let (upstream, _server, notes) = pair(Config::default(), Config::default()).await;
    let (proxy, mut caller) = Peer::open(Config::default(), &table, upstream.clone(), 11).await;
    caller.query(1, &ECHO.description(), &"hello").await;
    caller.expect_answer(1, &"hello").await;
    caller.query(2, &SLEEP.description(), &1_000_000_i64).await;
    settle().await;
    caller.query(3, &NOTE.description(), &"behind it").await;
    caller.expect_silence(Duration::from_secs(1)).await;
    assert_eq!(notes.take(), Vec::<String>::new());
    proxy.close();
    caller.expect_end().await;
    drop(caller);
    proxy.closed().await;
    assert!(dropped.is_set());
    assert!(!upstream.is_closed());
}
