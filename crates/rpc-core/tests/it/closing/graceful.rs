//! Closing that waits for what is open.

use std::time::Duration;

use bin_prot::Info;
use rpc_core::connection::{Close, ClosedBy, Config, heartbeat};
use rpc_core::{Connection, Implementation, Implementations, OneWay, PipeCloseReason, Reply, Rpc};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{CloseReason, Message};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::{SECOND, check_closed, end_of_input};
use crate::pair::{CAPACITY, alive_tasks, connect, now, offering, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO, HOLD, NOTE, Notes, SLEEP, table};
use crate::source::{Channel, Dropped, Never};

const MINUTE: Duration = Duration::from_secs(60);

fn graceful(at_most: Duration) -> Close {
    Close::new().wait_for_open_queries(at_most)
}

/// A connection that implements the usual table, and its peer.
async fn serving(number: i64) -> (Connection, Peer) {
    Peer::open(Config::default(), &table(), Notes::default(), number).await
}

/// H2: what the peer has asked is answered; then it is over.
#[tokio::test(start_paused = true)]
async fn open_query_of_the_peer_is_answered_first() {
    for version in [9, 10, 11] {
        let (near, far, _) = pair(offering(version), offering(version)).await;
        let call = SLEEP.dispatch(&near, &10_000);
        sleep(SECOND).await;
        let start = Instant::now();
        far.close_with(graceful(MINUTE));
        assert_eq!(call.await.unwrap(), 10_000);
        assert_eq!(start.elapsed(), 9 * SECOND);
        let closed = far.closed().await;
        assert!(start.elapsed() < 10 * SECOND, "{:?}", start.elapsed());
        assert_eq!(closed.by, ClosedBy::Local);
        assert_eq!(closed.reason, CloseReason::debug("Rpc.Connection.close"));
        assert_eq!(near.closed().await.reason, end_of_input());
        settle().await;
        assert_eq!(alive_tasks(), 0);
    }
}

/// C-CL-6, H10, byte by byte: the announcement at once, the response when it is there, and the
/// end; no
/// reason, since none was given.
#[tokio::test(start_paused = true)]
async fn close_started_is_sent_at_once_and_no_reason_at_the_end() {
    static UNIT: Rpc<(), ()> = Rpc::new("unit", 1);
    let table = Implementations::<()>::builder()
        .implement(&UNIT, |(), ()| async {
            sleep(SECOND).await;
            Ok(())
        })
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.query(1, &UNIT.description(), &()).await;
    sleep(SECOND / 2).await;
    let start = Instant::now();
    connection.close_with(graceful(SECOND));
    assert!(connection.is_closed());
    assert!(now(&mut Box::pin(connection.close_started())).is_ready());
    peer.expect_close_started().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    let response = [0x08, 0x01, 0x01, 0x00, 0x00, 0x01, 0x00];
    assert_eq!(peer.expect_frame().await, response);
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    peer.expect_end_at_once().await;
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    drop(peer);
    connection.closed().await;
}

/// H3: neither side begins anything new.
#[tokio::test(start_paused = true)]
async fn no_new_queries_of_either_side_during_the_wait() {
    let (near, far, notes) = pair(Config::default(), Config::default()).await;
    let call = SLEEP.dispatch(&near, &10_000);
    sleep(SECOND).await;
    far.close_with(graceful(MINUTE));
    sleep(4 * SECOND).await;
    assert!(now(&mut Box::pin(far.closed())).is_pending());
    for connection in [&near, &far] {
        assert!(connection.is_closed());
        SLEEP.dispatch(connection, &1).await.unwrap_err();
        NOTE.dispatch(connection, &"x".to_owned()).unwrap_err();
        HOLD.dispatch(connection, &()).await.unwrap_err();
    }
    // The near end has not started to close.
    assert!(near.close_reason().is_none());
    assert!(now(&mut Box::pin(near.close_started())).is_pending());
    assert_eq!(call.await.unwrap(), 10_000);
    far.closed().await;
    assert!(notes.get().is_empty());
}

/// H4: the time is limited.
#[tokio::test(start_paused = true)]
async fn wait_ends_after_its_time() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let call = SLEEP.dispatch(&near, &10_000);
    sleep(SECOND).await;
    far.close_with(graceful(SECOND));
    sleep(SECOND / 2).await;
    assert!(now(&mut Box::pin(far.closed())).is_pending());
    sleep(SECOND / 2 + Duration::from_millis(2)).await;
    assert!(now(&mut Box::pin(far.closed())).is_ready());
    let closed = near.closed().await;
    assert_eq!(closed.reason, end_of_input());
    check_closed(call.await, &closed);
}

/// H5: what is done in time is answered.
#[tokio::test(start_paused = true)]
async fn several_queries_are_answered_as_far_as_the_time_allows() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let [two, five, ten] = [2_000, 5_000, 10_000].map(|millis| SLEEP.dispatch(&near, &millis));
    sleep(SECOND).await;
    far.close_with(graceful(5 * SECOND));
    assert_eq!(two.await.unwrap(), 2_000);
    assert_eq!(five.await.unwrap(), 5_000);
    ten.await.unwrap_err();
    far.closed().await;
}

/// SLEEP by an expert handler, which answers before it returns or afterwards.
fn expert_sleeper(delayed: bool) -> Implementations<()> {
    let sleeper = Implementation::expert(&SLEEP, move |(): &(), query, responder| {
        let millis: i64 = bin_prot::from_slice(query.bytes()).unwrap();
        let response = query.to_bytes();
        let answer = async move {
            sleep(Duration::from_millis(millis.unsigned_abs())).await;
            responder.bytes(&response)?;
            Ok(())
        };
        async move {
            if delayed {
                return Ok(Reply::delayed(answer));
            }
            answer.await.map(|()| Reply::Replied)
        }
    });
    Implementations::builder()
        .implementation(sleeper)
        .build()
        .unwrap()
}

/// H6, H7: an expert handler counts until it returns.
#[tokio::test(start_paused = true)]
async fn expert_handler_is_waited_for() {
    for (wait, answered) in [(60, true), (5, false)] {
        let (near, far) = connect(
            CAPACITY,
            (Config::default(), &Implementations::empty(), ()),
            (Config::default(), &expert_sleeper(false), ()),
        )
        .await;
        let call = SLEEP.dispatch(&near, &10_000);
        sleep(SECOND).await;
        far.close_with(graceful(SECOND * wait));
        assert_eq!(call.await.is_ok(), answered);
        far.closed().await;
    }
}

/// ZC20 (c), C-CL-9: its delayed response does not count.
#[tokio::test(start_paused = true)]
async fn delayed_response_of_an_expert_handler_is_not_waited_for() {
    let (near, far) = connect(
        CAPACITY,
        (Config::default(), &Implementations::empty(), ()),
        (Config::default(), &expert_sleeper(true), ()),
    )
    .await;
    let call = SLEEP.dispatch(&near, &10_000);
    sleep(SECOND).await;
    let start = Instant::now();
    far.close_with(graceful(MINUTE));
    let closed = near.closed().await;
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    check_closed(call.await, &closed);
}

/// H13, C-CL-8: with a reason both are sent, the reason at the end; without a wait, only that.
#[tokio::test(start_paused = true)]
async fn reason_comes_after_the_wait() {
    let text = b"\x03\x00\x0btest reason";
    let reason = || bin_prot::Sexp::atom("test reason");
    for (version, wait, expected) in [
        (8, Some(Duration::ZERO), vec![b'\x05']),
        (9, Some(Duration::ZERO), vec![b'\x0a', b'\x05']),
        (9, None, vec![b'\x05']),
        (11, Some(Duration::ZERO), vec![b'\x0a', b'\x0b']),
        (11, Some(MINUTE), vec![b'\x0a', b'\x0b']),
        (11, None, vec![b'\x0b']),
    ] {
        let (connection, mut peer) = serving(version).await;
        let close = Close::new().reason(reason());
        connection.close_with(match wait {
            Some(wait) => close.wait_for_open_queries(wait),
            None => close,
        });
        for tag in expected {
            let frame = peer.expect_frame().await;
            assert_eq!(frame[0], tag, "{version} {wait:?}");
            assert!(tag == b'\x0a' || frame.ends_with(text));
        }
        peer.expect_end().await;
    }
}

/// H11, C-CL-7: a peer that cannot be asked is not waited for.
#[tokio::test(start_paused = true)]
async fn below_version_9_nothing_is_waited_for() {
    for version in [1, 3, 8] {
        let (connection, mut peer) = serving(version).await;
        peer.query(1, &SLEEP.description(), &1000).await;
        let call = ECHO.dispatch(&connection, &"x".to_owned());
        peer.expect_query().await;
        let start = Instant::now();
        connection.close_with(graceful(MINUTE));
        peer.expect_end().await;
        drop(peer);
        let closed = connection.closed().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        check_closed(call.await, &closed);
    }
}

/// C-CL-9: our own calls, the forgotten ones included, which the peer may still be answering.
#[tokio::test(start_paused = true)]
async fn own_calls_are_waited_for() {
    for forgotten in [false, true] {
        let (connection, mut peer) = serving(11).await;
        let call = ECHO.dispatch(&connection, &"x".to_owned());
        let id = peer.expect_query().await.id;
        let call = (!forgotten).then_some(call);
        connection.close_with(graceful(MINUTE));
        peer.expect_close_started().await;
        let start = Instant::now();
        peer.expect_silence(3 * SECOND).await;
        peer.answer(id, &"y").await;
        peer.expect_end().await;
        assert_eq!(start.elapsed(), 3 * SECOND);
        if let Some(call) = call {
            assert_eq!(call.await.unwrap(), "y");
        }
        drop(peer);
        connection.closed().await;
    }
}

/// ZC20 (a), C-CL-9: a stream that we serve is not waited for, nor are one-way handlers.
#[tokio::test(start_paused = true)]
async fn served_streams_and_one_way_messages_are_not_waited_for() {
    static WAIT: OneWay<()> = OneWay::new("wait", 1);
    let table = Implementations::<()>::builder()
        .implement_one_way(&WAIT, |(), ()| async {
            std::future::pending::<()>().await;
            Ok(())
        })
        .implement_pipe(&HOLD, |(), ()| async { Ok(Ok(Never)) })
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.open_stream(1, &HOLD.description(), &()).await;
    peer.expect_start(1, &()).await;
    peer.query(2, &WAIT.description(), &()).await;
    settle().await;
    assert_eq!(connection.served_streams(), 1);
    let start = Instant::now();
    connection.close_with(graceful(MINUTE));
    peer.expect_close_started().await;
    peer.expect_end().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// ZC20 (b), C-CL-9: a stream that we receive is waited for until its end, or the time is over.
#[tokio::test(start_paused = true)]
async fn received_stream_is_waited_for() {
    for ends in [true, false] {
        let (connection, mut peer) = serving(11).await;
        let opening = COUNT.dispatch(&connection, &3);
        let id = peer.expect_query().await.id;
        peer.start(id, &()).await;
        let mut pipe = opening.await.unwrap().unwrap();
        connection.close_with(graceful(10 * SECOND));
        peer.expect_close_started().await;
        let start = Instant::now();
        sleep(4 * SECOND).await;
        peer.update(id, &7).await;
        assert_eq!(pipe.next().await, Some(7));
        if ends {
            peer.end_stream(id).await;
        }
        peer.expect_end().await;
        assert_eq!(pipe.next().await, None);
        let reason = pipe.close_reason().await;
        if ends {
            assert_eq!(start.elapsed(), 4 * SECOND);
            assert!(matches!(reason, PipeCloseReason::ClosedRemotely));
        } else {
            let taken = start.elapsed() - 10 * SECOND;
            assert!(taken <= 2 * SECOND, "{taken:?}");
            assert!(matches!(reason, PipeCloseReason::Error(_)));
        }
    }
}

/// C-CL-4, R-SC-5: closing a pipe meanwhile sends no abort, and does not end the wait.
#[tokio::test(start_paused = true)]
async fn no_abort_is_sent_during_the_wait() {
    let (connection, mut peer) = serving(11).await;
    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let mut pipe = opening.await.unwrap().unwrap();
    connection.close_with(graceful(MINUTE));
    peer.expect_close_started().await;
    pipe.close();
    peer.expect_silence(SECOND).await;
    assert_eq!(connection.open_queries(), 1);
    peer.end_stream(id).await;
    peer.expect_end().await;
}

/// C-CL-10, C-RM-2, ZC21, decision 1: queries of every form are dropped.
#[tokio::test(start_paused = true)]
async fn queries_of_the_peer_are_dropped_during_the_wait() {
    for version in [9, 10, 11] {
        let (connection, mut peer) = serving(version).await;
        let call = ECHO.dispatch(&connection, &"x".to_owned());
        let id = peer.expect_query().await.id;
        connection.close_with(graceful(MINUTE));
        peer.expect_close_started().await;
        for form in [1, 2, 8, 11] {
            let (other, _) = Peer::at(form);
            let query = other.query_message(form, &ECHO.description(), b"\x01y");
            peer.send_bytes(&query).await;
        }
        peer.open_stream(20, &COUNT.description(), &3).await;
        peer.expect_silence(SECOND).await;
        peer.answer(id, &"x").await;
        assert_eq!(call.await.unwrap(), "x");
        peer.expect_end().await;
    }
}

/// C-HB-13, C-HB-15: and so does the detection of silence.
#[tokio::test(start_paused = true)]
async fn heartbeats_go_on_during_the_wait() {
    let (connection, mut peer) = serving(11).await;
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    peer.expect_query().await;
    let start = Instant::now();
    connection.close_with(graceful(1000 * SECOND));
    peer.expect_close_started().await;
    for seconds in [10, 20, 30, 40, 50] {
        peer.expect_heartbeat().await;
        assert_eq!(start.elapsed().as_secs(), seconds);
        if seconds <= 30 {
            peer.send(&Message::Heartbeat).await;
        }
    }
    // Seen last at 30 s: dead at 70 s. The cause stays that of the close.
    peer.expect_heartbeat().await;
    sleep(5 * SECOND).await;
    peer.expect_end_at_once().await;
    assert_eq!(start.elapsed().as_secs(), 70);
    drop(peer);
    let closed = connection.closed().await;
    assert_eq!(closed.reason, CloseReason::debug("Rpc.Connection.close"));
    check_closed(call.await, &closed);
}

/// C-HB-13: they stop when the actual close begins.
#[tokio::test(start_paused = true)]
async fn no_heartbeats_are_sent_once_the_wait_is_over() {
    let (mut peer, io) = Peer::new(100);
    let config = Config::default()
        .flush_timeout(MINUTE)
        .heartbeat(heartbeat::Config::default().send_every(SECOND));
    let (connection, ()) = tokio::join!(
        Connection::create(io, config),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    // More than is taken before the peer reads.
    NOTE.dispatch(&connection, &"x".repeat(1000)).unwrap();
    settle().await;
    connection.close_with(graceful(Duration::ZERO));
    sleep(10 * SECOND).await;
    let connection = tokio::spawn(async move { connection.closed().await });
    peer.expect_query().await;
    peer.expect_close_started().await;
    peer.expect_end_at_once().await;
    drop(peer);
    connection.await.unwrap();
}

/// Decision 6 (open point 3): there is nothing left to wait for.
#[tokio::test(start_paused = true)]
async fn vanished_peer_ends_the_wait() {
    let (connection, mut peer) = serving(11).await;
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    peer.expect_query().await;
    connection.close_with(graceful(1000 * SECOND));
    peer.expect_close_started().await;
    sleep(SECOND).await;
    let start = Instant::now();
    drop(peer);
    let closed = connection.closed().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(closed.by, ClosedBy::Local);
    check_closed(call.await, &closed);
}

/// ZC23, C-RS-8: the peer's reason ends the wait and suppresses ours; ours stays ours.
#[tokio::test(start_paused = true)]
async fn reason_of_the_peer_ends_the_wait_and_suppresses_ours() {
    let (connection, mut peer) = serving(11).await;
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    peer.expect_query().await;
    connection.close_with(graceful(MINUTE).reason("ours"));
    peer.expect_close_started().await;
    let theirs = Message::CloseReason(Info::from("theirs"));
    peer.send(&theirs).await;
    peer.expect_end().await;
    let closed = connection.closed().await;
    assert_eq!(closed.by, ClosedBy::Local);
    assert_eq!(closed.reason, CloseReason::user("ours"));
    check_closed(call.await, &closed);
}

/// ZC28 (open point 7): each with a call to the other.
#[tokio::test(start_paused = true)]
async fn both_ends_closing_gracefully_at_once_answer_each_other() {
    for version in [9, 11] {
        let (near, far, _) = pair(offering(version), offering(version)).await;
        let calls = (SLEEP.dispatch(&near, &3000), SLEEP.dispatch(&far, &7000));
        settle().await;
        let start = Instant::now();
        near.close_with(graceful(MINUTE).reason("near's"));
        far.close_with(graceful(MINUTE).reason("far's"));
        let (near_answer, far_answer) = tokio::join!(calls.0, calls.1);
        assert_eq!((near_answer.unwrap(), far_answer.unwrap()), (3000, 7000));
        let (near, far) = tokio::join!(near.closed(), far.closed());
        assert!(start.elapsed() < 9 * SECOND, "{:?}", start.elapsed());
        assert_eq!(near.reason, CloseReason::user("near's"));
        assert_eq!(far.reason, CloseReason::user("far's"));
        settle().await;
        assert_eq!(alive_tasks(), 0);
    }
}

/// C-CL-11: whoever was asked can still close.
#[tokio::test(start_paused = true)]
async fn side_that_was_asked_for_no_more_queries_may_close_itself() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let call = SLEEP.dispatch(&near, &10_000);
    settle().await;
    far.close_with(graceful(MINUTE));
    settle().await;
    let start = Instant::now();
    near.close_with_reason("enough");
    let (near, far) = tokio::join!(near.closed(), far.closed());
    assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
    assert_eq!(near.reason, CloseReason::user("enough"));
    // It had its own reason.
    assert_eq!(far.reason, CloseReason::debug("Rpc.Connection.close"));
    check_closed(call.await, &near);
}

/// C-CL-2: the first close says how.
#[tokio::test(start_paused = true)]
async fn later_closes_do_not_shorten_the_wait() {
    let (connection, mut peer) = serving(11).await;
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    let id = peer.expect_query().await.id;
    connection.close_with(graceful(MINUTE));
    connection.close_with_reason("now");
    connection.close_with(graceful(Duration::ZERO));
    peer.expect_close_started().await;
    peer.expect_silence(5 * SECOND).await;
    peer.answer(id, &"y").await;
    assert_eq!(call.await.unwrap(), "y");
    peer.expect_end().await;
}

/// R-SV-6: a stream that ends during the wait says so, as always.
#[tokio::test(start_paused = true)]
async fn stream_that_ends_during_the_wait_is_ended() {
    let (senders, mut receiver) = mpsc::unbounded_channel();
    let table = Implementations::<()>::builder()
        .implement_pipe(&HOLD, move |(), ()| {
            let (sender, source) = Channel::new(&Dropped::default());
            senders.send(sender).unwrap();
            async { Ok(Ok(source)) }
        })
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    let id = peer.expect_query().await.id;
    peer.open_stream(1, &HOLD.description(), &()).await;
    peer.expect_start(1, &()).await;
    let send = receiver.recv().await.unwrap();
    connection.close_with(graceful(MINUTE));
    peer.expect_close_started().await;
    send.send(5).unwrap();
    peer.expect_update(1, &5).await;
    drop(send);
    peer.expect_end_of_stream(1).await;
    peer.answer(id, &"x").await;
    assert_eq!(call.await.unwrap(), "x");
    peer.expect_end().await;
}

/// Threads for whatever order the paused clock does not try: calls that are refused, answered and
/// forgotten while the wait begins do not keep it from ending.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn wait_ends_whatever_other_threads_do() {
    for round in 0..100 {
        let (near, far, _) = pair(Config::default(), Config::default()).await;
        let calls: Vec<_> = (0..4)
            .map(|n| {
                let near = near.clone();
                tokio::spawn(async move {
                    loop {
                        let call = ECHO.dispatch(&near, &"x".to_owned());
                        if n == 0 {
                            drop(call);
                        } else if call.await.is_err() {
                            return;
                        }
                        if near.is_closed() {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        let closing = if round % 2 == 0 { &near } else { &far };
        closing.close_with(graceful(1000 * SECOND));
        let over = async {
            for call in calls {
                call.await.unwrap();
            }
            closing.closed().await;
        };
        let over = timeout(30 * SECOND, over).await;
        over.expect("the wait does not end");
    }
}
