//! The callee's side of pipe and state RPCs.

use std::sync::{Arc, Mutex};

use bin_prot::Sexp;
use rpc_core::connection::{Close, Config};
use rpc_core::{
    Connection, DispatchError, HandlerError, Implementation, Implementations, OnException, Raised,
    StateRpc,
};
use rpc_wire::{Message, RpcError};
use tokio::sync::{Notify, mpsc};

use super::{SECOND, assert_none_served, drain, serving, serving_channel};
use crate::pair::{CAPACITY, alive_tasks, connect, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, ECHO, HOLD, Notes, table};
use crate::source;
use crate::trace::Trace;

/// R-SV-2, R-SV-5, R-SV-6, R-OR-7, at every version.
#[tokio::test(start_paused = true)]
async fn callee_sends_the_initial_response_the_updates_and_the_end() {
    for version in 1..=11 {
        let (table, mut senders, dropped) = serving_channel();
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), version).await;
        peer.open_stream(7, &HOLD.description(), &()).await;
        peer.expect_start(7, &()).await;
        assert_eq!(connection.served_streams(), 1);
        let sender = senders.recv().await.unwrap();
        for update in 0..3 {
            sender.send(update).unwrap();
            peer.expect_update(7, &update).await;
        }
        sender.send(3).unwrap();
        drop(sender);
        peer.expect_update(7, &3_i64).await;
        peer.expect_end_of_stream(7).await;
        assert_none_served(&connection, &mut peer).await;
        assert!(dropped.is_set());
        // R-SV-9: an abort that was on its way.
        peer.abort(7, &HOLD.description()).await;
        assert_none_served(&connection, &mut peer).await;
        drop((connection, peer));
        settle().await;
    }
}

/// R-SV-2: and nothing else, also if an abort was on its way.
#[tokio::test(start_paused = true)]
async fn callee_sends_a_user_error_and_nothing_after_it() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    peer.open_stream(7, &COUNTER.description(), &-1_i64).await;
    let payload = b"\x00\x01\x0e-1 is negative";
    let answered = peer.expect_response().await;
    assert_eq!(answered.result.unwrap(), payload);
    peer.abort(7, &COUNTER.description()).await;
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-3, R-SV-15, R-ER-1.
#[tokio::test(start_paused = true)]
async fn undecodable_stream_query_is_answered_with_its_location() {
    let outer = "server-side pipe_rpc stream_query un-bin-io'ing";
    let inner = "streaming_rpc server-side query un-bin-io'ing";
    let rows: [(&[u8], &str); 5] = [
        (b"\x01\x02\x03\x04", outer),
        (b"", outer),
        // A byte beyond the query's length.
        (b"\xd1\xf5\x2f\xe2\x01\x03\x04", outer),
        (b"\xd1\xf5\x2f\xe2\x01\xfb", inner),
        (b"\xd1\xf5\x2f\xe2\x02\x03\x04", inner),
    ];
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    for (payload, location) in rows {
        let message = peer.query_message(7, &COUNT.description(), payload);
        peer.send_bytes(&message).await;
        let RpcError::BinIoExn(error) = peer.expect_error(7).await else {
            panic!("another error");
        };
        let error = error.to_string();
        assert!(error.contains(location), "{payload:02x?}: {error}");
    }
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-12: what was there is sent, then the error, in place of the end.
#[tokio::test(start_paused = true)]
async fn panic_of_the_source_is_an_uncaught_exn_without_location() {
    let table = serving(&HOLD, || {
        source::iter((0..4).inspect(|n| assert!(*n < 3, "boom at {n}")))
    });
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(7, &HOLD.description(), &()).await;
    peer.expect_start(7, &()).await;
    for update in 0..3_i64 {
        peer.expect_update(7, &update).await;
    }
    let failure = Sexp::list([Sexp::atom("Failure"), Sexp::atom("boom at 3")]);
    assert_eq!(peer.expect_error(7).await, RpcError::UncaughtExn(failure));
    peer.abort(7, &HOLD.description()).await;
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// The same for an update that has no encoding.
#[tokio::test(start_paused = true)]
async fn update_outside_63_bits_ends_the_stream_with_an_uncaught_exn() {
    let table = serving(&HOLD, || source::iter([1, i64::MAX, 2]));
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(7, &HOLD.description(), &()).await;
    peer.expect_start(7, &()).await;
    peer.expect_update(7, &1_i64).await;
    let error = peer.expect_error(7).await;
    assert!(matches!(error, RpcError::UncaughtExn(_)), "{error}");
    assert!(error.to_string().contains("63 bits"), "{error}");
    peer.expect_silence(SECOND).await;
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-14: producers notice, however the connection ends.
#[tokio::test(start_paused = true)]
async fn source_is_dropped_when_the_connection_closes() {
    for end in 0..3 {
        let (table, mut senders, dropped) = serving_channel();
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
        peer.open_stream(7, &HOLD.description(), &()).await;
        peer.expect_start(7, &()).await;
        let sender = senders.recv().await.unwrap();
        match end {
            0 => connection.close(),
            1 => drop(peer),
            _ => peer.send_frame(&[0xff]).await,
        }
        connection.closed().await;
        assert!(dropped.is_set());
        assert!(sender.is_closed());
        settle().await;
        assert_eq!(alive_tasks(), 0);
    }
}

/// A peer that opens another stream under an id in use takes the place of the first
/// (*protocol* §11); nothing is left of either.
#[tokio::test(start_paused = true)]
async fn id_used_twice_leaves_nothing_behind() {
    let (table, mut senders, dropped) = serving_channel();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    for _ in 0..2 {
        peer.open_stream(7, &HOLD.description(), &()).await;
        peer.expect_start(7, &()).await;
    }
    let first = senders.recv().await.unwrap();
    let second = senders.recv().await.unwrap();
    assert_eq!(connection.served_streams(), 1);
    drop(first);
    peer.expect_end_of_stream(7).await;
    settle().await;
    assert_eq!(connection.served_streams(), 1);
    peer.abort(7, &HOLD.description()).await;
    peer.expect_end_of_stream(7).await;
    settle().await;
    assert!(second.is_closed());
    assert!(dropped.is_set());
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-1: an abort finds the stream while its handler is called.
#[tokio::test(start_paused = true)]
async fn stream_is_registered_before_its_handler_runs() {
    let table = Implementations::builder()
        .implement_pipe(&HOLD, |connection: &Connection, ()| {
            let served = i64::try_from(connection.served_streams());
            async move { Ok(Ok(source::iter([served?]))) }
        })
        .build()
        .unwrap();
    let (mut peer, io) = Peer::new(CAPACITY);
    let (connection, ()) = tokio::join!(
        Connection::serve(io, Config::default(), &table, Clone::clone),
        peer.shake_hands(11, Default::default()),
    );
    peer.open_stream(7, &HOLD.description(), &()).await;
    peer.expect_start(7, &()).await;
    peer.expect_update(7, &1_i64).await;
    peer.expect_end_of_stream(7).await;
    settle().await;
    assert_eq!(connection.unwrap().served_streams(), 0);
}

/// R-SV-3: a handler that panics before it has a future leaves no stream.
#[tokio::test(start_paused = true)]
async fn panic_before_the_handlers_future_leaves_no_stream() {
    let table = Implementations::builder()
        .implement_pipe(&HOLD, |(), ()| {
            if true {
                panic!("on purpose");
            }
            async { Ok(Ok(source::Never)) }
        })
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(7, &HOLD.description(), &()).await;
    let error = peer.expect_error(7).await.to_string();
    assert!(
        error.contains("server-side pipe_rpc computation"),
        "{error}"
    );
    assert_none_served(&connection, &mut peer).await;
}

/// What policies were told.
type Raises = Arc<Mutex<Vec<(Raised, String)>>>;

fn noting(raises: &Raises) -> OnException {
    let raises = raises.clone();
    OnException::call(move |exception| {
        let raise = (exception.raised, exception.error.to_string());
        raises.lock().unwrap().push(raise);
    })
}

/// R-SV-12, catalogue O8: a source that fails is a raise in the background. O10: everything before
/// it arrives, however much.
#[tokio::test(start_paused = true)]
async fn failing_source_ends_its_stream_behind_everything_it_yielded() {
    static STATE: StateRpc<i64, i64, i64, String> = StateRpc::new("state", 1);
    let raises = Raises::default();
    let updates = |n: i64| {
        let failure = HandlerError::new("source is gone");
        source::iter((0..n).map(Ok).chain([Err(failure), Ok(n)]))
    };
    let pipe =
        Implementation::fallible_pipe(
            &COUNT,
            move |(): &(), n: i64| async move { Ok(Ok(updates(n))) },
        );
    let state = Implementation::fallible_state(&STATE, move |(): &(), n: i64| async move {
        Ok(Ok((n, updates(n))))
    });
    let table = Implementations::builder()
        .implementation(pipe)
        .implementation(state)
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .on_exception(noting(&raises))
        .build()
        .unwrap();
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, far) = connect(CAPACITY, near, (Config::default(), &table, ())).await;
    let mut pipe = COUNT.dispatch(&near, &10_000).await.unwrap().unwrap();
    for update in 0..10_000 {
        assert_eq!(pipe.try_next().await.unwrap(), Some(update));
    }
    let error = pipe.try_next().await.unwrap_err();
    let failure = Sexp::list([Sexp::atom("Failure"), Sexp::atom("source is gone")]);
    let expected = RpcError::UncaughtExn(failure.clone());
    assert!(matches!(error, DispatchError::Rpc(error) if error == expected));
    let (state, mut pipe) = STATE.dispatch(&near, &3).await.unwrap().unwrap();
    assert_eq!(state, 3);
    assert_eq!(drain(&mut pipe).await, [0, 1, 2]);
    let raise = (Raised::InBackground, failure.to_string());
    assert_eq!(*raises.lock().unwrap(), [raise.clone(), raise]);
    let fine = ECHO.dispatch(&near, &"fine".to_owned()).await;
    assert_eq!(fine.unwrap(), "fine");
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}

/// Catalogue O6.
/// R-SV-12, catalogue O11: a raise before the return, and one after the initial response; each is
/// one raise. Between the two nothing of ours can raise but the encoding of the state, which counts
/// as before.
#[tokio::test(start_paused = true)]
async fn raise_around_the_return_is_one_error() {
    static STATE: StateRpc<i64, i64, i64, String> = StateRpc::new("state", 1);
    let raises = Raises::default();
    let table = Implementations::builder()
        .implement_state(&STATE, |(), when: i64| async move {
            tokio::task::yield_now().await;
            assert!(when != 0, "boom");
            let state = if when == 1 { i64::MAX } else { 0 };
            let source = source::iter((when..when + 1).inspect(|_| panic!("boom")));
            Ok(Ok((state, source)))
        })
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .on_exception(noting(&raises))
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    for when in 0..3_i64 {
        peer.open_stream(7, &STATE.description(), &when).await;
        if when == 2 {
            peer.expect_start(7, &0_i64).await;
        }
        let error = peer.expect_error(7).await;
        assert!(matches!(error, RpcError::UncaughtExn(_)), "{error}");
        let located = error
            .to_string()
            .contains("server-side pipe_rpc computation");
        assert_eq!(located, when < 2, "{error}");
        peer.expect_silence(SECOND).await;
        assert_none_served(&connection, &mut peer).await;
    }
    let raises: Vec<_> = raises
        .lock()
        .unwrap()
        .iter()
        .map(|(when, _)| *when)
        .collect();
    let before = Raised::BeforeReturn;
    assert_eq!(raises, [before, before, Raised::InBackground]);
}

/// R-SV-14: the peer takes nothing any more, though it may still send: producers notice at once, and
/// not when the connection is given up.
#[tokio::test(start_paused = true)]
async fn transport_that_takes_nothing_drops_the_sources() {
    let (table, mut senders, dropped) = serving_channel();
    let (mut peer, io) = Peer::new(CAPACITY);
    let (read, _) = tokio::io::split(io);
    let (write, sink) = tokio::io::duplex(CAPACITY);
    let (connection, ()) = tokio::join!(
        Connection::serve(
            tokio::io::join(read, write),
            Config::default(),
            &table,
            |_| ()
        ),
        peer.send_handshake(11),
    );
    let connection = connection.unwrap();
    for id in [7, 8] {
        peer.open_stream(id, &HOLD.description(), &()).await;
        settle().await;
    }
    let first = senders.recv().await.unwrap();
    let second = senders.recv().await.unwrap();
    assert_eq!(connection.served_streams(), 2);
    drop(sink);
    first.send(1).unwrap();
    settle().await;
    assert!(connection.close_reason().is_none());
    assert!(first.is_closed());
    assert!(second.is_closed());
    assert!(dropped.is_set());
    assert_eq!(connection.served_streams(), 0);
}

/// T-S6, R-SV-4, catalogue M10: a handler that refuses when nobody can be told.
#[tokio::test(start_paused = true)]
async fn user_error_on_a_transport_that_takes_nothing_is_an_event() {
    let refuse = Arc::new(Notify::new());
    let refuses = refuse.clone();
    let (writers, mut receiver) = mpsc::unbounded_channel();
    let table = Implementations::builder()
        .implement_pipe_direct(&COUNT, move |(), _, writer| {
            let known = writers.send(writer);
            let refuses = refuses.clone();
            async move {
                known?;
                refuses.notified().await;
                Ok(Err("no".to_owned()))
            }
        })
        .build()
        .unwrap();
    let (mut peer, io) = Peer::new(CAPACITY);
    let (read, _) = tokio::io::split(io);
    let (write, sink) = tokio::io::duplex(CAPACITY);
    let (connection, ()) = tokio::join!(
        Connection::serve(
            tokio::io::join(read, write),
            Config::default(),
            &table,
            |_| ()
        ),
        peer.send_handshake(11),
    );
    let connection = connection.unwrap();
    let trace = Trace::of(&connection);
    peer.open_stream(7, &COUNT.description(), &1_i64).await;
    let writer = receiver.recv().await.unwrap();
    drop(sink);
    // Something to be written.
    let _call = ECHO.dispatch(&connection, &"x".to_owned());
    let flushed = writer.write_with_pushback(&1).unwrap();
    flushed.await;
    writer.closed().await;
    trace.lines();
    refuse.notify_one();
    settle().await;
    trace.expect(&["F User_defined_error Closed 0"]);
}

/// R-SV-13, catalogue O9: what the handler has left running by itself is its own; a raise in it
/// leaves the stream open.
#[tokio::test(start_paused = true)]
async fn raise_in_a_task_of_the_handlers_own_leaves_the_stream_open() {
    let raises = Raises::default();
    let table = Implementations::builder()
        .implement_pipe_direct(&HOLD, |(), (), writer| async move {
            writer.write(&1)?;
            let own = writer.clone();
            let failing = tokio::spawn(async move {
                let _handle = own;
                panic!("on purpose")
            });
            tokio::spawn(async move {
                failing.await.unwrap_err();
                writer.write(&2).unwrap();
            });
            Ok(Ok(()))
        })
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .on_exception(noting(&raises))
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(7, &HOLD.description(), &()).await;
    peer.expect_start(7, &()).await;
    peer.expect_update(7, &1_i64).await;
    peer.expect_update(7, &2_i64).await;
    peer.expect_end_of_stream(7).await;
    assert!(raises.lock().unwrap().is_empty());
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-16, C-CL-9: a graceful close does not wait for streams that this side serves.
#[tokio::test(start_paused = true)]
async fn served_streams_are_no_open_queries() {
    let (table, mut senders, _) = serving_channel();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(7, &HOLD.description(), &()).await;
    peer.expect_start(7, &()).await;
    let sender = senders.recv().await.unwrap();
    let before = tokio::time::Instant::now();
    connection.close_with(Close::new().wait_for_open_queries(100 * SECOND));
    // Close-started, and then the end of the stream of bytes: not that of the pipe.
    let frame = peer.expect_frame().await;
    assert_eq!(Message::decode(&frame), Ok(Message::CloseStarted));
    peer.expect_end().await;
    drop(peer);
    connection.closed().await;
    assert!(before.elapsed() < SECOND);
    assert!(sender.is_closed());
}

/// Catalogue O1: bytes that are no update, from a callee that writes them itself.
#[tokio::test(start_paused = true)]
async fn undecodable_update_breaks_the_callers_pipe_and_closes_the_writer() {
    let (writers, mut receiver) = mpsc::unbounded_channel();
    let table = Implementations::builder()
        .implement_pipe_direct(&HOLD, move |(), (), writer| {
            let known = writers.send(writer);
            async move {
                known?;
                Ok(Ok(()))
            }
        })
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .build()
        .unwrap();
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, far) = connect(CAPACITY, near, (Config::default(), &table, ())).await;
    let mut pipe = HOLD.dispatch(&near, &()).await.unwrap().unwrap();
    let writer = receiver.recv().await.unwrap();
    writer.write(&1).unwrap();
    assert_eq!(pipe.try_next().await.unwrap(), Some(1));
    writer.write_encoded(&[0, 0]).unwrap();
    writer.write(&2).unwrap();
    writer.write(&3).unwrap();
    let error = pipe.try_next().await.unwrap_err();
    let DispatchError::Undecodable { location, reason } = error else {
        panic!("{error:?}");
    };
    assert!(location.ends_with("to [bin_reader_update]"), "{location}");
    assert!(
        reason
            .to_string()
            .contains("length (1) did not match expected length (2)"),
        "{reason}"
    );
    writer.closed().await;
    assert!(writer.write(&4).is_err());
    let fine = ECHO.dispatch(&near, &"fine".to_owned()).await;
    assert_eq!(fine.unwrap(), "fine");
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}
