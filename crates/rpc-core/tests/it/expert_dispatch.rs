//! RPCs that are dispatched by name and version, with bytes for payloads.

use std::sync::{Arc, Mutex};

use bin_prot::Sexp;
use bytes::Bytes;
use rpc_core::connection::{Config, MetadataHook};
use rpc_core::{Connection, DispatchError, ExpertRpc, Implementations, OneWay, PipeMessage};
use rpc_wire::stream::StreamQuery;
use rpc_wire::{Data, Message, Query, QueryMetadata, RpcError};
use tokio::sync::Notify;

use crate::pair::{now, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, ECHO, NOTE, Notes, table};
use crate::source::Dropped;
use crate::streams::{SECOND, assert_over, closed_remotely, drain};
use crate::trace::Trace;

/// What an expert callback was called with.
type Heard = Arc<Mutex<Vec<Result<Vec<u8>, String>>>>;

fn note(
    heard: &Heard,
) -> impl FnOnce(Result<&[u8], DispatchError>) -> std::future::Ready<()> + use<> {
    let heard = heard.clone();
    move |response| {
        let response = response.map(<[u8]>::to_vec);
        let response = response.map_err(|error| error.to_string());
        heard.lock().unwrap().push(response);
        std::future::ready(())
    }
}

/// R-EX-20, catalogue S3: the bytes as they are, in both directions.
#[tokio::test(start_paused = true)]
async fn plain_rpc_is_dispatched_by_name_with_bytes() {
    for version in [1, 8, 11] {
        let (connection, mut peer) = Peer::called_by_us(version).await;
        let rpc = ExpertRpc::new("any name", 5);
        assert_eq!(rpc.description().to_string(), "any name version 5");
        let mut query = vec![1, 2, 3];
        let response = rpc.dispatch(&connection, &query);
        query.clear();
        let asked = peer.expect_query().await;
        assert_eq!(asked.rpc, *rpc.description());
        assert_eq!(asked.payload, [1, 2, 3]);
        peer.respond(asked.id, Ok(&[4, 5])).await;
        assert_eq!(response.await.unwrap(), [4, 5].as_slice());
        assert_over(&connection, &mut peer).await;
    }
}

/// Catalogue S3: what has types answers what has none.
#[tokio::test(start_paused = true)]
async fn implementation_with_types_answers_an_expert_dispatch() {
    let (near, _far, notes) = pair(Config::default(), Config::default()).await;
    let query = bin_prot::to_vec(&"hello".to_owned()).unwrap();
    for rpc in [
        ExpertRpc::from(ECHO.description()),
        ExpertRpc::new("echo-blocking", 1),
    ] {
        assert_eq!(rpc.dispatch(&near, &query).await.unwrap(), query);
    }
    let refused = ExpertRpc::new("echo", 1).dispatch(&near, &[0xff]).await;
    let error = refused.unwrap_err();
    assert!(
        matches!(error, DispatchError::Rpc(RpcError::BinIoExn(_))),
        "{error}"
    );

    // Catalogue S4: each arrives once.
    ExpertRpc::from(NOTE.description())
        .dispatch_one_way(&near, &query)
        .unwrap();
    near.flushed().await;
    settle().await;
    assert_eq!(notes.get(), ["hello"]);
}

/// R-EX-20, R-PL-22, T-C12: one call of the callback, with the response or an error.
#[tokio::test(start_paused = true)]
async fn callback_is_called_once() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let trace = Trace::of(&connection);
    let rpc = ExpertRpc::new("rpc", 1);
    let heard = Heard::default();
    rpc.dispatch_with(&connection, &[7], note(&heard)).unwrap();
    let asked = peer.expect_query().await;
    assert!(heard.lock().unwrap().is_empty());
    peer.respond(asked.id, Ok(&[8, 9])).await;
    settle().await;
    // Tag, name tag, name (4), version, id, no metadata, length, byte; tag, id, no index, ok, length,
    // bytes (2).
    trace.expect(&["S Query 11", "R Finished_expert 7"]);

    rpc.dispatch_with(&connection, &[7], note(&heard)).unwrap();
    let asked = peer.expect_query().await;
    let error = RpcError::UncaughtExn(Sexp::atom("boom"));
    peer.respond(asked.id, Err(error)).await;
    settle().await;
    let lines = trace.lines();
    assert_eq!(lines[0], "S Query 11");
    assert!(lines[1].starts_with("R Finished_error"), "{lines:?}");
    drop(trace);
    assert_over(&connection, &mut peer).await;

    // C-CL-21, T-C24: the connection's end.
    rpc.dispatch_with(&connection, &[7], note(&heard)).unwrap();
    peer.expect_query().await;
    drop(peer);
    connection.closed().await;
    let heard = heard.lock().unwrap();
    assert_eq!(heard[0], Ok(vec![8, 9]));
    assert!(heard[1].as_ref().unwrap_err().contains("boom"));
    assert!(heard[2].as_ref().unwrap_err().contains("EOF"));
    assert_eq!(heard.len(), 3);
}

/// R-EX-20, C-BP-2: nothing is handled before the callback has finished.
#[tokio::test(start_paused = true)]
async fn callback_can_make_the_connection_wait() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let proceed = Arc::new(Notify::new());
    let wait = proceed.clone();
    let finished = move |_: Result<&[u8], DispatchError>| async move { wait.notified().await };
    let rpc = ExpertRpc::new("rpc", 1);
    rpc.dispatch_with(&connection, &[], finished).unwrap();
    let expert = peer.expect_query().await;
    let mut call = ECHO.dispatch(&connection, &"x".to_owned());
    let asked = peer.expect_query().await;
    peer.respond(expert.id, Ok(&[])).await;
    peer.answer(asked.id, &"y").await;
    settle().await;
    assert!(now(&mut call).is_pending());
    proceed.notify_one();
    assert_eq!(call.await.unwrap(), "y");
    assert_over(&connection, &mut peer).await;
}

/// A callback's panic, or that of its future, is logged; the answer has been given all the same.
#[tokio::test(start_paused = true)]
async fn panicking_callback_harms_nobody() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let rpc = ExpertRpc::new("rpc", 1);
    for suspends in 0..3 {
        let sent = rpc.dispatch_with(&connection, &[], move |_| {
            assert!(suspends > 0, "on purpose");
            async move {
                if suspends > 1 {
                    tokio::task::yield_now().await;
                }
                panic!("on purpose");
            }
        });
        sent.unwrap();
        let asked = peer.expect_query().await;
        peer.respond(asked.id, Ok(&[])).await;
        settle().await;
        assert_over(&connection, &mut peer).await;
    }
}

/// R-EX-21, C-DI-5, catalogue ZR18: an error of the dispatch; nothing is sent, and the callback is
/// not called. Where the reference raises, this is a result.
#[tokio::test(start_paused = true)]
async fn query_that_cannot_be_sent_calls_nothing() {
    let config = Config::default().max_message_size(100);
    let (connection, mut peer) = Peer::open(config, &Implementations::empty(), (), 11).await;
    let rpc = ExpertRpc::new("rpc", 1);
    let heard = Heard::default();
    let error = rpc.dispatch_with(&connection, &[0; 200], note(&heard));
    assert!(matches!(
        error,
        Err(DispatchError::MessageTooBig { limit: 100, .. })
    ));
    let error = rpc.dispatch(&connection, &[0; 200]).await.unwrap_err();
    assert!(
        matches!(error, DispatchError::MessageTooBig { .. }),
        "{error}"
    );
    let error = rpc.dispatch_one_way(&connection, &[0; 200]).unwrap_err();
    assert!(
        matches!(error, DispatchError::MessageTooBig { .. }),
        "{error}"
    );
    let error = rpc
        .dispatch_stream(&connection, &[0; 200])
        .await
        .unwrap_err();
    assert!(
        matches!(error, DispatchError::MessageTooBig { .. }),
        "{error}"
    );
    peer.expect_silence(SECOND).await;
    assert_over(&connection, &mut peer).await;

    connection.close();
    let error = rpc.dispatch_with(&connection, &[], note(&heard));
    assert!(matches!(error, Err(DispatchError::ConnectionClosed(_))));
    let error = rpc.dispatch(&connection, &[]).await.unwrap_err();
    assert!(
        matches!(error, DispatchError::ConnectionClosed(_)),
        "{error}"
    );
    let error = rpc.dispatch_one_way(&connection, &[]).unwrap_err();
    assert!(
        matches!(error, DispatchError::ConnectionClosed(_)),
        "{error}"
    );
    assert!(heard.lock().unwrap().is_empty());
}

/// Decision 12: nobody but the library would notice, so the connection ends.
#[tokio::test(start_paused = true)]
async fn response_length_beyond_the_frame_ends_the_connection() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let rpc = ExpertRpc::new("rpc", 1);
    let response = rpc.dispatch(&connection, &[]);
    let id = peer.expect_query().await.id.get();
    // No index, ok, five bytes announced, two there.
    let id = u8::try_from(id).unwrap();
    peer.send_frame(&[0x08, id, 0, 0, 5, 1, 2]).await;
    let error = response.await.unwrap_err();
    assert!(
        matches!(error, DispatchError::Undecodable { .. }),
        "{error}"
    );
    let closed = connection.closed().await;
    assert!(
        closed
            .to_string()
            .contains("exn raised in RPC connection loop"),
        "{closed}"
    );
}

/// The metadata of the next query that the peer receives.
async fn expect_metadata(peer: &mut Peer) -> QueryMetadata {
    let body = peer.expect_frame().await;
    let Ok(Message::Query(Query { header, .. })) = Message::decode(&body) else {
        panic!("{body:02x?} is no query");
    };
    let all = header.all_metadata();
    all.collect()
}

/// R-EX-22, catalogue ZR19: exactly what was given, not cut, and no hook is asked.
#[tokio::test(start_paused = true)]
async fn exact_metadata_is_neither_cut_nor_added_to() {
    let config = Config::default().max_metadata_bytes_per_key(4);
    let (connection, mut peer) = Peer::open(config, &Implementations::empty(), (), 11).await;
    let hook = MetadataHook::new().when_sending(|_, _| Some("hook"));
    connection.set_metadata_hook(7, hook).unwrap();
    let handle = connection.with_metadata(QueryMetadata::new().with(3, "handle"));
    let exact = QueryMetadata::new()
        .with(1, "longer than four")
        .with(7, "mine");

    let rpc = ExpertRpc::new("rpc", 1);
    let _response = rpc.dispatch(&handle, &[]);
    let expected = QueryMetadata::new().with(3, "hand").with(7, "hook");
    assert_eq!(expect_metadata(&mut peer).await, expected);

    let rpc = rpc.with_exact_metadata(exact.clone());
    let _response = rpc.dispatch(&handle, &[]);
    assert_eq!(expect_metadata(&mut peer).await, exact);
    rpc.dispatch_one_way(&handle, &[]).unwrap();
    assert_eq!(expect_metadata(&mut peer).await, exact);
    let _opening = rpc.dispatch_stream(&handle, &[]);
    assert_eq!(expect_metadata(&mut peer).await, exact);
}

/// R-OW-20, R-OW-21: in the buffer when it returns, and nothing waits.
#[tokio::test(start_paused = true)]
async fn one_way_messages_are_sent_and_forgotten() {
    static MESSAGE: OneWay<String> = OneWay::new("message", 1);
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let trace = Trace::of(&connection);
    MESSAGE.dispatch(&connection, &"a".to_owned()).unwrap();
    let rpc = ExpertRpc::from(MESSAGE.description());
    rpc.dispatch_one_way(&connection, &[1, b'b']).unwrap();
    assert_eq!(connection.open_queries(), 0);
    // T-C5.
    trace.expect(&["S Query 16", "R One_way 16", "S Query 16", "R One_way 16"]);
    for text in [b"\x01a", b"\x01b"] {
        let asked = peer.expect_query().await;
        assert_eq!(asked.rpc, MESSAGE.description());
        assert_eq!(asked.payload, text);
    }
}

/// R-SC-34, catalogue O15, what a proxy needs: query, state, updates and error as bytes.
#[tokio::test(start_paused = true)]
async fn streams_are_dispatched_by_name_with_bytes() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let rpc = ExpertRpc::from(COUNTER.description());
    let opening = rpc.dispatch_stream(&connection, &[3]);
    let asked = peer.expect_query().await;
    let query = bin_prot::from_slice::<StreamQuery<'_>>(&asked.payload);
    assert_eq!(query.unwrap(), StreamQuery::Query(Data::new(&[3])));
    peer.start(asked.id, &"state").await;
    peer.update(asked.id, &"response").await;
    peer.update(asked.id, &5_i64).await;
    peer.end_stream(asked.id).await;
    let (state, mut pipe) = opening.await.unwrap().unwrap();
    assert_eq!(state, b"\x05state".as_slice());
    let expected: [&[u8]; 2] = [b"\x08response", &[5]];
    assert_eq!(drain(&mut pipe).await, expected);
    closed_remotely(&pipe.close_reason().await);

    let opening = rpc.dispatch_stream(&connection, &[3]);
    let asked = peer.expect_query().await;
    peer.refuse(asked.id, &"no").await;
    let error: Bytes = opening.await.unwrap().unwrap_err();
    assert_eq!(error, b"\x02no".as_slice());
    drop(pipe);
    assert_over(&connection, &mut peer).await;
}

/// The same with a callback, which gets the bytes where they were read.
#[tokio::test(start_paused = true)]
async fn expert_callback_gets_the_bytes_of_each_update() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let heard: Heard = Heard::default();
    let noted = heard.clone();
    let rpc = ExpertRpc::from(COUNT.description());
    let opening = rpc.dispatch_stream_with(&connection, &[3], move |message| {
        noted.lock().unwrap().push(match message {
            PipeMessage::Update(bytes) => Ok(bytes.to_vec()),
            PipeMessage::Closed(result) => Err(format!("{result:?}")),
        });
    });
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    peer.update(id, &"response").await;
    // Bytes that are no value of any type in particular.
    peer.respond(id, Ok(b"\x79\x8a\x00\x00\x02\xff\xff")).await;
    let (unit, metadata) = opening.await.unwrap().unwrap();
    assert_eq!(unit, [0].as_slice());
    metadata.abort();
    peer.expect_abort(id).await;
    peer.end_stream(id).await;
    closed_remotely(&metadata.close_reason().await);
    let expected = [
        Ok(b"\x08response".to_vec()),
        Ok(b"\xff\xff".to_vec()),
        Err("Ok(())".to_owned()),
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
    assert_over(&connection, &mut peer).await;
}

/// R-SC-2: the library's own layer around the bytes is checked.
#[tokio::test(start_paused = true)]
async fn undecodable_layer_breaks_the_expert_stream() {
    for payload in [b"\x01\x02\x03\x04".as_slice(), b"\x79\x8a\x00\x00\x05\x01"] {
        let (connection, mut peer) = Peer::called_by_us(11).await;
        let rpc = ExpertRpc::from(COUNT.description());
        let opening = rpc.dispatch_stream(&connection, &[3]);
        let id = peer.expect_query().await.id;
        peer.start(id, &()).await;
        peer.respond(id, Ok(payload)).await;
        let (_, mut pipe) = opening.await.unwrap().unwrap();
        let error = pipe.try_next().await.unwrap_err();
        assert!(
            matches!(error, DispatchError::Undecodable { .. }),
            "{error}"
        );
        peer.expect_abort(id).await;
        peer.end_stream(id).await;
        settle().await;
        drop(pipe);
        assert_over(&connection, &mut peer).await;
    }
}

/// Two ends of our own: an implementation with types, called without.
#[tokio::test(start_paused = true)]
async fn expert_stream_of_an_implementation_with_types() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let rpc = ExpertRpc::from(COUNTER.description());
    let (state, mut pipe) = rpc.dispatch_stream(&near, &[3]).await.unwrap().unwrap();
    assert_eq!(state, b"\x013".as_slice());
    assert_eq!(drain(&mut pipe).await, [[0].as_slice(), &[1], &[2]]);
    // A plain query to a pipe, and the other way round.
    let error = rpc.dispatch(&near, &[3]).await.unwrap_err();
    assert!(
        matches!(error, DispatchError::Rpc(RpcError::BinIoExn(_))),
        "{error}"
    );
    let plain = ExpertRpc::from(ECHO.description());
    let error = plain.dispatch_stream(&near, &[1, b'x']).await.unwrap_err();
    assert!(
        matches!(error, DispatchError::Rpc(RpcError::BinIoExn(_))),
        "{error}"
    );
    settle().await;
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}

/// Catalogue S1: a proxy that knows no types: what its client asks is asked of another server.
#[tokio::test(start_paused = true)]
async fn proxy_passes_on_what_it_does_not_understand() {
    let (to_server, _server, notes) = pair(Config::default(), Config::default()).await;
    let proxy = Implementations::<Connection>::builder()
        .on_unknown_rpc(rpc_core::OnUnknownRpc::expert(
            |server: &Connection,
             query: rpc_core::ExpertQuery<'_>,
             responder: rpc_core::Responder| {
                let rpc = ExpertRpc::from(query.context().rpc().to_description())
                    .with_exact_metadata(query.context().all_metadata().collect());
                let response = rpc.dispatch(server, query.bytes());
                async move {
                    match response.await {
                        Ok(response) => responder.bytes(&response)?,
                        Err(error) => responder.rpc_error(error.to_rpc_error())?,
                    }
                    Ok(())
                }
            },
        ))
        .build()
        .unwrap();
    let (client, _proxy) = crate::pair::connect(
        crate::pair::CAPACITY,
        (Config::default(), &table(), Notes::default()),
        (Config::default(), &proxy, to_server),
    )
    .await;
    assert_eq!(
        ECHO.dispatch(&client, &"hello".to_owned()).await.unwrap(),
        "hello"
    );
    let error = crate::rpcs::FAIL
        .dispatch(&client, &"boom".to_owned())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("boom"), "{error}");
    assert!(notes.get().is_empty());
}

/// R-PL-23 in this form: a late answer is swallowed, and nothing keeps the future's result.
#[tokio::test(start_paused = true)]
async fn dropped_dispatch_is_forgotten() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let rpc = ExpertRpc::new("rpc", 1);
    drop(rpc.dispatch(&connection, &[]));
    let asked = peer.expect_query().await;
    assert_eq!(connection.open_queries(), 1);
    peer.respond(asked.id, Ok(&[1])).await;
    settle().await;
    assert_over(&connection, &mut peer).await;

    // What a callback holds is let go with the answer.
    let dropped = Dropped::default();
    let guard = dropped.guard();
    let sent = rpc.dispatch_with(&connection, &[], move |_| {
        drop(guard);
        std::future::ready(())
    });
    sent.unwrap();
    let asked = peer.expect_query().await;
    assert!(!dropped.is_set());
    peer.respond(asked.id, Ok(&[1])).await;
    settle().await;
    assert!(dropped.is_set());
}
