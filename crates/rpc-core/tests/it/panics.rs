//! Panics of the user's code, wherever it runs: they concern one call, whose caller learns of it,
//! and leave nothing behind. The panics of handlers are in `calls` and `streams`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bin_prot::shape::Digest;
use bin_prot::{BinReadOwned, BinWrite, WriteError, to_vec};
use rpc_core::connection::Config;
use rpc_core::payload::{Codec, Undecodable};
use rpc_core::{
    Connection, DispatchError, Implementations, OneWay, Pipe, PipeCloseReason, Rpc, StateRpc,
};
use rpc_wire::RpcError;
use tokio::time::{sleep, timeout};

use crate::pair::{CAPACITY, alive_tasks, connect, settle};
use crate::peer::Peer;
use crate::source;

/// What [`Fragile`] cannot cope with.
const BOOM: &str = "boom";

/// Panics when it writes or reads a value whose encoding ends with [`BOOM`].
enum Fragile {}

impl<T: BinReadOwned + BinWrite> Codec<T> for Fragile {
    fn size(value: &T) -> usize {
        value.bin_size()
    }

    fn write(value: &T, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        value.bin_write(buffer)?;
        assert!(!buffer.ends_with(BOOM.as_bytes()), "boom when writing");
        Ok(())
    }

    fn read(bytes: &[u8]) -> Result<T, Undecodable> {
        assert!(!bytes.ends_with(BOOM.as_bytes()), "boom when reading");
        bin_prot::from_slice(bytes).map_err(Undecodable::new)
    }

    fn digest() -> Option<Digest> {
        None
    }
}

/// Answers "boom" to "answer", and the query to all others.
static BLOCKING: Rpc<String, String, Fragile> = Rpc::new("blocking", 1);
static AT_ONCE: Rpc<String, String, Fragile> = Rpc::new("at-once", 1);
static LATER: Rpc<String, String, Fragile> = Rpc::new("later", 1);
/// "state", "error" and "update" say what is to be "boom".
static STREAM: StateRpc<String, String, String, String, Fragile> = StateRpc::new("stream", 1);
static STREAM_LATER: StateRpc<String, String, String, String, Fragile> =
    StateRpc::new("stream-later", 1);
static ONE_WAY: OneWay<String, Fragile> = OneWay::new("one-way", 1);

fn answer(query: String) -> String {
    if query == "answer" {
        BOOM.to_owned()
    } else {
        query
    }
}

type Source = source::Iter<std::vec::IntoIter<String>>;

fn stream(query: &str) -> Result<(String, Source), String> {
    let boom_if = |what: &str| if query == what { BOOM } else { what }.to_owned();
    if query == "error" {
        return Err(boom_if("error"));
    }
    let updates = vec!["first".to_owned(), boom_if("update"), "last".to_owned()];
    Ok((boom_if("state"), source::iter(updates)))
}

fn table() -> Implementations<()> {
    let pause = || sleep(Duration::from_millis(1));
    Implementations::builder()
        .implement_blocking(&BLOCKING, |(), query| Ok(answer(query)))
        .implement(&AT_ONCE, |(), query| async { Ok(answer(query)) })
        .implement(&LATER, move |(), query| async move {
            pause().await;
            Ok(answer(query))
        })
        .implement_state(
            &STREAM,
            |(), query: String| async move { Ok(stream(&query)) },
        )
        .implement_state(&STREAM_LATER, move |(), query: String| async move {
            pause().await;
            Ok(stream(&query))
        })
        .implement_one_way(&ONE_WAY, |(), _| async { Ok(()) })
        .build()
        .unwrap()
}

async fn pair() -> (Connection, Connection) {
    let table = table();
    let near = (Config::default(), &table, ());
    connect(CAPACITY, near.clone(), near).await
}

/// The result, which has to come.
async fn result<T>(call: impl Future<Output = T>) -> T {
    let result = timeout(Duration::from_secs(5), call).await;
    result.expect("nobody answers")
}

#[track_caller]
fn check_uncaught(error: &DispatchError) {
    let DispatchError::Rpc(RpcError::UncaughtExn(error)) = error else {
        panic!("{error:?}");
    };
    let error = error.to_string();
    assert!(error.contains("boom when writing"), "{error}");
}

async fn assert_unharmed(near: &Connection, far: &Connection) {
    settle().await;
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
    assert_eq!(alive_tasks(), 2);
    let answer = result(AT_ONCE.dispatch(near, &"fine".to_owned())).await;
    assert_eq!(answer.unwrap(), "fine");
}

async fn drain(pipe: &mut Pipe<String>) -> Vec<String> {
    let mut updates = Vec::new();
    while let Some(update) = pipe.next().await {
        updates.push(update);
    }
    updates
}

/// The caller's own affair: nothing was sent, so nothing is waited for.
#[tokio::test(start_paused = true)]
async fn encoder_of_a_query_leaves_nothing_behind() {
    let (near, far) = pair().await;
    let boom = BOOM.to_owned();
    let dispatches: [&dyn Fn(); 3] = [
        &|| drop(AT_ONCE.dispatch(&near, &boom)),
        &|| drop(STREAM.dispatch(&near, &boom)),
        &|| drop(ONE_WAY.dispatch(&near, &boom)),
    ];
    for dispatch in dispatches {
        catch_unwind(AssertUnwindSafe(dispatch)).unwrap_err();
        assert_unharmed(&near, &far).await;
    }
}

/// R-PL-4: a failure of the handler, whenever it is.
#[tokio::test(start_paused = true)]
async fn encoder_of_a_response_is_an_uncaught_exn() {
    let (near, far) = pair().await;
    for rpc in [&BLOCKING, &AT_ONCE, &LATER] {
        let answer = result(rpc.dispatch(&near, &"answer".to_owned())).await;
        check_uncaught(&answer.unwrap_err());
        assert_unharmed(&near, &far).await;
    }
}

/// R-SV-12: in place of the initial response.
#[tokio::test(start_paused = true)]
async fn encoder_of_an_initial_response_is_an_uncaught_exn() {
    let (near, far) = pair().await;
    for rpc in [&STREAM, &STREAM_LATER] {
        for what in ["state", "error"] {
            let started = result(rpc.dispatch(&near, &what.to_owned())).await;
            check_uncaught(&started.unwrap_err());
            assert_unharmed(&near, &far).await;
        }
    }
}

/// R-SV-12: in place of the end.
#[tokio::test(start_paused = true)]
async fn encoder_of_an_update_is_an_uncaught_exn() {
    let (near, far) = pair().await;
    for rpc in [&STREAM, &STREAM_LATER] {
        let started = result(rpc.dispatch(&near, &"update".to_owned())).await;
        let (_, mut pipe) = started.unwrap().unwrap();
        assert_eq!(drain(&mut pipe).await, ["first"]);
        let reason = pipe.close_reason().await;
        let PipeCloseReason::Error(error) = reason else {
            panic!("{reason:?}");
        };
        check_uncaught(&error);
        assert_unharmed(&near, &far).await;
    }
}

/// R-PL-4, R-SV-3: like a handler that raised.
#[tokio::test(start_paused = true)]
async fn decoder_of_a_query_is_an_error_of_its_query() {
    let (connection, mut peer) = Peer::open(Config::default(), &table(), (), 11).await;
    for rpc in [&BLOCKING, &AT_ONCE, &LATER] {
        peer.query(1, &rpc.description(), &BOOM).await;
        let error = peer.expect_error(1).await.to_string();
        assert!(error.contains("boom when reading"), "{error}");
    }
    for rpc in [&STREAM, &STREAM_LATER] {
        peer.open_stream(1, &rpc.description(), &BOOM).await;
        let error = peer.expect_error(1).await.to_string();
        assert!(error.contains("boom when reading"), "{error}");
    }
    assert_eq!(connection.served_streams(), 0);
    peer.query(2, &AT_ONCE.description(), &"fine").await;
    peer.expect_answer(2, &"fine").await;
}

/// R-OW-1, R-OW-2: like any message that cannot be decoded. An answer would end the connection
/// without anybody knowing why.
#[tokio::test(start_paused = true)]
async fn decoder_of_a_one_way_message_ends_the_connection_and_tells() {
    let (connection, mut peer) = Peer::open(Config::default(), &table(), (), 11).await;
    peer.query(1, &ONE_WAY.description(), &BOOM).await;
    let reason = peer.expect_close_reason().await.to_string();
    assert!(reason.contains("boom when reading"), "{reason}");
    drop(peer);
    connection.closed().await;
}

/// R-PL-21: an error of that call.
#[tokio::test(start_paused = true)]
async fn decoder_of_a_response_is_an_error_of_its_call() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let call = AT_ONCE.dispatch(&connection, &String::new());
    let id = peer.expect_query().await.id;
    peer.answer(id, &BOOM).await;
    let error = result(call).await.unwrap_err();
    assert!(
        matches!(error, DispatchError::Undecodable { .. }),
        "{error:?}"
    );
    assert_usable(&connection, &mut peer).await;
}

/// R-SC-2: the callee may still be sending, if it has started.
#[tokio::test(start_paused = true)]
async fn decoder_of_a_streams_message_breaks_its_stream() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let undecodable =
        |error: &DispatchError| assert!(matches!(error, DispatchError::Undecodable { .. }));

    let opening = STREAM.dispatch(&connection, &String::new());
    let id = peer.expect_query().await.id;
    peer.start(id, &BOOM).await;
    undecodable(&result(opening).await.unwrap_err());
    peer.expect_abort(id).await;
    peer.end_stream(id).await;
    assert_usable(&connection, &mut peer).await;

    let opening = STREAM.dispatch(&connection, &String::new());
    let id = peer.expect_query().await.id;
    peer.refuse(id, &BOOM).await;
    undecodable(&result(opening).await.unwrap_err());
    assert_usable(&connection, &mut peer).await;

    let opening = STREAM.dispatch(&connection, &String::new());
    let id = peer.expect_query().await.id;
    peer.start(id, &"state").await;
    peer.update(id, &"first").await;
    peer.update(id, &BOOM).await;
    let (_, mut pipe) = result(opening).await.unwrap().unwrap();
    assert_eq!(result(drain(&mut pipe)).await, ["first"]);
    match pipe.close_reason().await {
        PipeCloseReason::Error(error) => undecodable(&error),
        other => panic!("{other:?}"),
    }
    peer.expect_abort(id).await;
    peer.end_stream(id).await;
    assert_usable(&connection, &mut peer).await;
}

async fn assert_usable(connection: &Connection, peer: &mut Peer) {
    settle().await;
    assert_eq!(connection.open_queries(), 0);
    let call = AT_ONCE.dispatch(connection, &"question".to_owned());
    let asked = peer.expect_query().await;
    assert_eq!(asked.payload, to_vec("question").unwrap());
    peer.answer(asked.id, &"answer").await;
    assert_eq!(result(call).await.unwrap(), "answer");
}
