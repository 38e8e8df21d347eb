//! Handlers that see the undecoded query and answer by a responder (*rpcs* §6).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bin_prot::{Sexp, to_vec};
use bytes::Bytes;
use rpc_core::connection::{Close, ClosedBy, Config};
use rpc_core::{
    Connection, ExpertQuery, HandlerError, Implementation, Implementations, OnException, OneWay,
    Reply, RespondError, Responder, Rpc,
};
use rpc_wire::{Description, RpcError};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep};

use crate::pair::{CAPACITY, connect, now, offering, settle};
use crate::peer::{Peer, framed};
use crate::rpcs::{ECHO, Notes};
use crate::trace::Trace;

static EXPERT: Rpc<String, String> = Rpc::new("expert", 1);

/// A table with an expert handler, and [`ECHO`].
fn table<Fut>(
    handler: impl Fn(&(), ExpertQuery<'_>, Responder) -> Fut + Send + Sync + 'static,
) -> Implementations<()>
where
    Fut: Future<Output = Result<Reply, HandlerError>> + Send + 'static,
{
    Implementations::builder()
        .implementation(Implementation::expert(&EXPERT, handler))
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .build()
        .unwrap()
}

async fn open(table: &Implementations<()>) -> (Connection, Peer) {
    Peer::open(Config::default(), table, (), 11).await
}

async fn expect_alive(connection: &Connection, peer: &mut Peer) {
    peer.query(1000, &ECHO.description(), &"fine").await;
    peer.expect_answer(1000, &"fine").await;
    assert!(!connection.is_closed());
}

fn uncaught(location: &str, text: &str) -> String {
    let failure = Sexp::list(["Failure", text].map(Sexp::atom));
    let location = Sexp::atom(format!("server-side {location} computation"));
    let error = Sexp::record([("location", location), ("exn", failure)]);
    RpcError::UncaughtExn(error).to_string()
}

/// R-EX-1, R-EX-2, catalogue S3: the bytes as they came; copied, scheduled, typed; with types, and
/// by name and version only; deferred and blocking; at every version.
#[tokio::test(start_paused = true)]
async fn every_form_of_answer_reaches_an_ordinary_caller() {
    static TYPED: Rpc<String, String> = Rpc::new("typed", 1);
    static SCHEDULED: Rpc<String, String> = Rpc::new("scheduled", 1);
    static BLOCKING: Rpc<String, String> = Rpc::new("blocking", 1);
    static NAMED: Rpc<String, String> = Rpc::new("named", 7);
    fn reversed(query: &[u8]) -> Vec<u8> {
        let text: String = bin_prot::from_slice(query).unwrap();
        to_vec(&text.chars().rev().collect::<String>()).unwrap()
    }
    let named = Implementation::expert(&NAMED.description(), |(): &(), query, responder| {
        let sent = responder.bytes(&reversed(query.bytes()));
        async { Ok(sent.map(|()| Reply::Replied)?) }
    });
    let blocking = Implementation::expert_blocking(&BLOCKING, |(): &(), query, responder| {
        responder.bytes(&reversed(query.bytes()))?;
        Ok(Reply::Replied)
    });
    let scheduled = Implementation::expert(&SCHEDULED, |(): &(), query, responder| {
        let response = Bytes::from(reversed(query.bytes()));
        async move {
            responder.schedule(response)?.await;
            Ok(Reply::Replied)
        }
    });
    let typed = Implementation::expert(&TYPED, |(): &(), query, responder| {
        let query = query.to_bytes();
        let reply = async move {
            tokio::task::yield_now().await;
            let response: String = bin_prot::from_slice(&reversed(&query))?;
            responder.value(&TYPED, &response)?;
            Ok(())
        };
        async { Ok(Reply::delayed(reply)) }
    });
    let table = Implementations::builder()
        .implementations([named, blocking, scheduled, typed])
        .build()
        .unwrap();
    for number in 1..=11 {
        let nothing = Implementations::empty();
        let far = (offering(number), &table, ());
        let (near, _far) = connect(CAPACITY, (offering(number), &nothing, ()), far).await;
        for rpc in [&NAMED, &BLOCKING, &SCHEDULED, &TYPED] {
            for (query, answer) in [("hello", "olleh"), ("", "")] {
                let answered = rpc.dispatch(&near, &query.to_owned()).await;
                assert_eq!(answered.unwrap(), answer, "{rpc:?} at {number}");
            }
        }
        assert!(!near.is_closed());
    }
}

/// R-EX-2: the error's location is one of its own; a proxy passes on what it was told.
#[tokio::test(start_paused = true)]
async fn responder_can_answer_with_an_error() {
    let handler = |(): &(), query: ExpertQuery<'_>, responder: Responder| {
        let id = query.context().id();
        let sent = match id.get() {
            1 => responder.error(HandlerError::new("no")),
            2 => responder.rpc_error(RpcError::unimplemented(Description::new("other", 3))),
            _ => responder.rpc_error(RpcError::LiftError(Sexp::atom("elsewhere"))),
        };
        async { Ok(sent.map(|()| Reply::Replied)?) }
    };
    let table = table(handler);
    for number in [1, 4, 5, 11] {
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), number).await;
        for id in 1..=3 {
            peer.query(id, &EXPERT.description(), &"x").await;
        }
        let error = peer.expect_error(1).await;
        assert_eq!(error.to_string(), uncaught("raw rpc", "no"));
        let expected = RpcError::unimplemented(Description::new("other", 3));
        assert_eq!(peer.expect_error(2).await, expected);
        let error = peer.expect_error(3).await;
        let expected = RpcError::LiftError(Sexp::atom("elsewhere"));
        assert_eq!(error, expected.known_to(connection.version()));
        assert!(!connection.is_closed());
    }
}

/// R-EX-3, decision 10: the responder is used up by what it sends, and comes back with what it
/// could not send.
#[tokio::test(start_paused = true)]
async fn too_large_reply_may_be_followed_by_a_smaller_one() {
    let handler = |(): &(), query: ExpertQuery<'_>, responder: Responder| {
        let id = query.context().id().get();
        let large = "x".repeat(1000);
        async move {
            let refused = match id {
                1 => responder.bytes(large.as_bytes()).unwrap_err(),
                2 => responder.value(&EXPERT, &large).unwrap_err(),
                3 => responder.error(HandlerError::new(&large)).unwrap_err(),
                _ => match responder.schedule(Bytes::from(large)) {
                    Ok(_) => panic!("scheduled"),
                    Err(refused) => refused,
                },
            };
            let text = refused.to_string();
            let RespondError::TooBig {
                size,
                limit,
                responder,
            } = refused
            else {
                panic!("{refused:?}");
            };
            assert!(text.starts_with("message cannot be sent"), "{text}");
            assert!(size > 1000);
            assert_eq!(limit, 500);
            if id % 2 == 0 {
                responder.value(&EXPERT, &"small".to_owned())?;
            } else {
                responder.error(HandlerError::new("small"))?;
            }
            Ok(Reply::Replied)
        }
    };
    let config = Config::default().max_message_size(500);
    let (connection, mut peer) = Peer::open(config, &table(handler), (), 11).await;
    for id in 1..=4 {
        peer.query(id, &EXPERT.description(), &"x").await;
        if id % 2 == 0 {
            peer.expect_answer(id, &"small").await;
        } else {
            let error = peer.expect_error(id).await.to_string();
            assert_eq!(error, uncaught("raw rpc", "small"));
        }
    }
    expect_alive(&connection, &mut peer).await;
}

/// R-EX-4 with decision 10, catalogue ZR14: nothing was sent, so giving up is a raise before the reply.
#[tokio::test(start_paused = true)]
async fn too_large_reply_that_is_given_up_is_a_raise() {
    let handler = |(): &(), _: ExpertQuery<'_>, responder: Responder| {
        let sent = responder.bytes(&[0; 1000]);
        async { Ok(sent.map(|()| Reply::Replied)?) }
    };
    let config = Config::default().max_message_size(500);
    let (connection, mut peer) = Peer::open(config, &table(handler), (), 11).await;
    peer.query(1, &EXPERT.description(), &"x").await;
    let error = peer.expect_error(1).await.to_string();
    assert!(
        error.contains("server-side rpc expert computation"),
        "{error}"
    );
    assert!(error.contains("message cannot be sent"), "{error}");
    expect_alive(&connection, &mut peer).await;
}

/// The same of a value without an encoding.
#[tokio::test(start_paused = true)]
async fn value_without_an_encoding_hands_the_responder_back() {
    static WIDE: Rpc<String, i64> = Rpc::new("expert", 1);
    let handler = |(): &(), _: ExpertQuery<'_>, responder: Responder| {
        let refused = responder.value(&WIDE, &i64::MAX).unwrap_err();
        async {
            let RespondError::Unencodable { responder, .. } = refused else {
                panic!("{refused:?}");
            };
            responder.value(&WIDE, &1)?;
            Ok(Reply::Replied)
        }
    };
    let (connection, mut peer) = open(&table(handler)).await;
    peer.query(1, &EXPERT.description(), &"x").await;
    peer.expect_answer(1, &1_i64).await;
    expect_alive(&connection, &mut peer).await;
}

/// R-EX-6, R-ER-3, catalogue ZR12: at once, after suspending, and in a delayed response.
#[tokio::test(start_paused = true)]
async fn handler_that_does_not_reply_is_an_uncaught_exn() {
    let handler = |(): &(), query: ExpertQuery<'_>, responder: Responder| {
        let id = query.context().id().get();
        async move {
            drop(responder);
            match id {
                1 => Ok(Reply::Replied),
                2 => {
                    tokio::task::yield_now().await;
                    Ok(Reply::Replied)
                }
                3 => Ok(Reply::delayed(async { Ok(()) })),
                _ => Ok(Reply::delayed(async {
                    tokio::task::yield_now().await;
                    Ok(())
                })),
            }
        }
    };
    let (connection, mut peer) = open(&table(handler)).await;
    for id in 1..=4 {
        peer.query(id, &EXPERT.description(), &"x").await;
        let error = peer.expect_error(id).await.to_string();
        let text = "Expert implementation did not reply";
        assert_eq!(error, uncaught("rpc expert", text), "{id}");
    }
    expect_alive(&connection, &mut peer).await;
}

/// R-EX-3, catalogue ZR13: a responder that comes too late.
#[tokio::test(start_paused = true)]
async fn responder_that_comes_too_late_has_already_responded() {
    let (sender, mut late) = mpsc::unbounded_channel();
    let handler = move |(): &(), _: ExpertQuery<'_>, responder: Responder| {
        sender.send(responder).unwrap();
        async { Ok(Reply::Replied) }
    };
    let (connection, mut peer) = open(&table(handler)).await;
    let attempts: [fn(Responder) -> Result<(), RespondError>; 5] = [
        |responder| responder.bytes(b"x"),
        |responder| responder.value(&EXPERT, &String::new()),
        |responder| responder.error(HandlerError::new("x")),
        |responder| responder.rpc_error(RpcError::ConnectionClosed),
        |responder| responder.schedule(Bytes::new()).map(drop),
    ];
    for attempt in attempts {
        peer.query(1, &EXPERT.description(), &"x").await;
        peer.expect_error(1).await;
        let error = attempt(late.recv().await.unwrap()).unwrap_err();
        assert!(matches!(error, RespondError::AlreadyResponded));
        assert_eq!(error.to_string(), "Already responded");
        peer.expect_silence(Duration::from_secs(1)).await;
    }
    expect_alive(&connection, &mut peer).await;
}

/// C-BP-8, R-EX-1, C-BP-2, catalogue ZR15, ZR17: the next query waits until the handler has
/// returned, and
/// not for a delayed response. What has been answered leaves meanwhile.
#[tokio::test(start_paused = true)]
async fn handler_holds_up_the_connection_until_it_returns() {
    for delayed in [false, true] {
        let (go, reply) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (going, replying) = (go.clone(), reply.clone());
        let handler = move |(): &(), query: ExpertQuery<'_>, responder: Responder| {
            let (query, going, replying) = (query.to_bytes(), going.clone(), replying.clone());
            async move {
                going.notified().await;
                let reply = async move {
                    replying.notified().await;
                    responder.bytes(&query)?;
                    Ok(())
                };
                if delayed {
                    Ok(Reply::delayed(reply))
                } else {
                    reply.await?;
                    Ok(Reply::Replied)
                }
            }
        };
        let (connection, mut peer) = open(&table(handler)).await;
        let mut chunk = peer.query_message(1, &ECHO.description(), b"\x05first");
        chunk.extend(peer.query_message(2, &EXPERT.description(), b"\x06expert"));
        chunk.extend(peer.query_message(3, &ECHO.description(), b"\x06second"));
        peer.send_bytes(&chunk).await;
        peer.expect_answer(1, &"first").await;
        peer.expect_silence(Duration::from_secs(1)).await;
        peer.query(4, &ECHO.description(), &"third").await;
        peer.expect_silence(Duration::from_secs(1)).await;
        go.notify_one();
        if !delayed {
            peer.expect_silence(Duration::from_secs(1)).await;
            reply.notify_one();
            peer.expect_answer(2, &"expert").await;
        }
        peer.expect_answer(3, &"second").await;
        peer.expect_answer(4, &"third").await;
        if delayed {
            reply.notify_one();
            peer.expect_answer(2, &"expert").await;
        }
        assert!(!connection.is_closed());
    }
}

/// C-BP-3: the peer is not given up for what we do not read, and is told that we live.
#[tokio::test(start_paused = true)]
async fn heartbeats_are_sent_while_a_handler_holds_up_the_connection() {
    let handler = |(): &(), _: ExpertQuery<'_>, responder: Responder| async move {
        sleep(Duration::from_secs(25)).await;
        responder.bytes(b"\0")?;
        Ok(Reply::Replied)
    };
    let (connection, mut peer) = open(&table(handler)).await;
    peer.query(1, &EXPERT.description(), &"x").await;
    for _ in 0..3 {
        peer.expect_heartbeat().await;
    }
    peer.send_bytes(&framed(&rpc_wire::Message::Heartbeat))
        .await;
    assert!(!connection.is_closed());
    peer.expect_answer(1, &"").await;
    expect_alive(&connection, &mut peer).await;
}

/// How an expert handler fails after it has replied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fails {
    AtOnce,
    Panics,
    Later,
    Delayed,
    DelayedLater,
}

/// R-EX-7, C-RE-4, C-RE-5, catalogue ZR16: the caller has its answer, the policy is called, and
/// the connection closes; differently for a failure at once and for a later one.
#[tokio::test(start_paused = true)]
async fn failure_after_the_reply_closes_the_connection() {
    for fails in [
        Fails::AtOnce,
        Fails::Panics,
        Fails::Later,
        Fails::Delayed,
        Fails::DelayedLater,
    ] {
        let notes = Notes::default();
        let noted = notes.clone();
        let handler = move |(): &(), _: ExpertQuery<'_>, responder: Responder| {
            responder.bytes(b"\0").unwrap();
            assert_ne!(fails, Fails::Panics, "on purpose");
            let error = HandlerError::new("on purpose");
            async move {
                match fails {
                    Fails::AtOnce | Fails::Panics => Err(error),
                    Fails::Later => {
                        tokio::task::yield_now().await;
                        Err(error)
                    }
                    Fails::Delayed => Ok(Reply::delayed(async { Err(error) })),
                    Fails::DelayedLater => Ok(Reply::delayed(async move {
                        tokio::task::yield_now().await;
                        Err(error)
                    })),
                }
            }
        };
        let table = table(handler)
            .map(|handler| {
                let noted = noted.clone();
                handler.on_exception(OnException::call(move |exception| {
                    noted.push(exception.rpc.to_string());
                }))
            })
            .unwrap();
        let (connection, mut peer) = open(&table).await;
        let trace = Trace::of(&connection);
        peer.query(1, &EXPERT.description(), &"x").await;
        peer.expect_answer(1, &"").await;
        let reason = peer.expect_close_reason().await.to_string();
        let at_once = matches!(fails, Fails::AtOnce | Fails::Panics | Fails::Delayed);
        let prefix = match at_once {
            true => "(\"Rpc message handling loop stopped\"",
            false => "(\"exn raised in RPC connection loop\"",
        };
        assert!(reason.starts_with(prefix), "{fails:?}: {reason}");
        assert!(
            reason.contains("server-side rpc expert computation"),
            "{reason}"
        );
        peer.expect_end().await;
        drop(peer);
        assert_eq!(connection.closed().await.by, ClosedBy::Unknown);
        assert_eq!(notes.take(), ["expert version 1"], "{fails:?}");
        // T-S13.
        trace.expect(&["R Query 15"]);
    }
}

/// R-EX-5, R-PL-7: answers on a closed connection go nowhere; only the scheduling form says so.
#[tokio::test(start_paused = true)]
async fn closed_connection_takes_no_answer() {
    let (sender, mut responders) = mpsc::unbounded_channel();
    let handler = move |(): &(), _: ExpertQuery<'_>, responder: Responder| {
        let (delay, gone) = oneshot::channel::<()>();
        sender.send((responder, delay)).unwrap();
        async {
            Ok(Reply::delayed(async {
                gone.await?;
                Ok(())
            }))
        }
    };
    let (connection, mut peer) = open(&table(handler)).await;
    let mut taken = Vec::new();
    for id in 1..=5 {
        peer.query(id, &EXPERT.description(), &"x").await;
        taken.push(responders.recv().await.unwrap());
    }
    drop(peer);
    connection.closed().await;
    let mut taken = taken.into_iter();
    let mut next = || taken.next().unwrap().0;
    next().bytes(b"x").unwrap();
    next().value(&EXPERT, &String::new()).unwrap();
    next().error(HandlerError::new("x")).unwrap();
    next().rpc_error(RpcError::ConnectionClosed).unwrap();
    let Err(error) = next().schedule(Bytes::new()) else {
        panic!("scheduled");
    };
    assert!(matches!(error, RespondError::Closed));
}

/// R-EX-8, C-CL-9: a graceful close waits for a handler until it has returned, and not for its
/// delayed response.
#[tokio::test(start_paused = true)]
async fn graceful_close_waits_until_the_handler_has_returned() {
    let handler = |(): &(), query: ExpertQuery<'_>, responder: Responder| {
        let delayed = query.context().id().get() == 2;
        async move {
            let reply = async move {
                sleep(Duration::from_secs(5)).await;
                responder.bytes(b"\0")?;
                Ok(())
            };
            if delayed {
                return Ok(Reply::delayed(reply));
            }
            reply.await?;
            Ok(Reply::Replied)
        }
    };
    let table = table(handler);
    for (id, is_open) in [(1, true), (2, false)] {
        let (connection, mut peer) = open(&table).await;
        peer.query(id, &EXPERT.description(), &"x").await;
        settle().await;
        let start = Instant::now();
        connection.close_with(Close::new().wait_for_open_queries(Duration::from_secs(60)));
        peer.expect_close_started().await;
        if is_open {
            peer.expect_answer(id, &"").await;
        }
        peer.expect_end().await;
        let waited = start.elapsed() > Duration::from_secs(4);
        assert_eq!(waited, is_open, "{:?}", start.elapsed());
        drop(peer);
        connection.closed().await;
    }
}

/// R-EX-2: a large response is not copied, but kept until the transport took it, which the future
/// waits for. It leaves in its turn, among others.
#[tokio::test(start_paused = true)]
async fn scheduled_response_is_kept_until_the_transport_took_it() {
    for length in [1000, 16 * 1024, 100_000] {
        let response = Bytes::from(to_vec(&"x".repeat(length)).unwrap());
        let (sender, mut flushes) = mpsc::unbounded_channel();
        let scheduled = Mutex::new(Some(response.clone()));
        let handler = move |(): &(), query: ExpertQuery<'_>, responder: Responder| {
            if query.context().id().get() == 2 {
                let scheduled = scheduled.lock().unwrap().take().unwrap();
                sender.send(responder.schedule(scheduled)).unwrap();
            } else {
                responder.bytes(query.bytes()).unwrap();
            }
            async { Ok(Reply::Replied) }
        };
        let (mut peer, io) = Peer::new(100);
        let table = table(handler);
        let (connection, ()) = tokio::join!(
            Connection::serve(io, Config::default(), &table, |_| ()),
            peer.shake_hands(11, Default::default()),
        );
        let connection = connection.unwrap();
        for id in 1..=3 {
            peer.query(id, &EXPERT.description(), &"y").await;
            settle().await;
        }
        let mut flushed = flushes.recv().await.unwrap().unwrap();
        assert!(now(&mut flushed).is_pending());
        let copied = length < 16 * 1024;
        assert_eq!(response.is_unique(), copied);
        assert!(connection.bytes_to_write() > 800);
        peer.expect_answer(1, &"y").await;
        assert!(now(&mut flushed).is_pending());
        peer.expect_answer(2, &"x".repeat(length)).await;
        peer.expect_answer(3, &"y").await;
        settle().await;
        assert!(now(&mut flushed).is_ready());
        assert_eq!(connection.bytes_to_write(), 0);
        assert!(response.is_unique());
    }
}

/// What could not be sent is let go with the connection.
#[tokio::test(start_paused = true)]
async fn scheduled_response_is_let_go_when_the_connection_is_over() {
    let response = Bytes::from(vec![0; 100_000]);
    let scheduled = Mutex::new(Some(response.clone()));
    let handler = move |(): &(), _: ExpertQuery<'_>, responder: Responder| {
        let scheduled = scheduled.lock().unwrap().take().unwrap();
        async move {
            let flushed = responder.schedule(scheduled)?;
            Ok(Reply::delayed(async move {
                flushed.await;
                Ok(())
            }))
        }
    };
    let (mut peer, io) = Peer::new(100);
    let table = table(handler);
    let (connection, ()) = tokio::join!(
        Connection::serve(io, Config::default(), &table, |_| ()),
        peer.shake_hands(11, Default::default()),
    );
    let connection = connection.unwrap();
    peer.query(1, &EXPERT.description(), &"x").await;
    settle().await;
    assert!(!response.is_unique());
    connection.close();
    connection.closed().await;
    assert!(response.is_unique());
}

/// C-RD-14, decision 12: nobody else would notice that bytes are missing.
#[tokio::test(start_paused = true)]
async fn length_that_passes_the_frame_is_fatal() {
    static ONE_WAY: OneWay<String> = OneWay::new("one-way", 1);
    let never = |(): &(), _: ExpertQuery<'_>, _: Responder| async {
        panic!("called with what is not there")
    };
    let one_way = Implementation::one_way_expert(&ONE_WAY, |(): &(), _| async {
        panic!("called with what is not there")
    });
    let table = table(never).add(one_way).unwrap();
    for rpc in [EXPERT.description(), ONE_WAY.description()] {
        let (connection, mut peer) = open(&table).await;
        let mut message = peer.query_message(1, &rpc, b"\x03abc");
        // The length of the payload is the fifth byte from the end.
        let place = message.len() - 5;
        assert_eq!(message[place], 4);
        message[place] = 9;
        peer.send_bytes(&message).await;
        let reason = peer.expect_close_reason().await.to_string();
        let prefix = "(\"exn raised in RPC connection loop\"";
        assert!(reason.starts_with(prefix), "{reason}");
        assert!(reason.contains("9 bytes"), "{reason}");
        drop(peer);
        connection.closed().await;
    }
}

/// T-S11, T-S12: one event of no bytes when the handler has returned; that of the error if it has
/// not replied.
#[tokio::test(start_paused = true)]
async fn events_tell_of_the_answer_when_the_handler_has_returned() {
    let go = Arc::new(Notify::new());
    let going = go.clone();
    let handler = move |(): &(), query: ExpertQuery<'_>, responder: Responder| {
        let (id, going) = (query.context().id().get(), going.clone());
        async move {
            match id {
                1 => responder.bytes(b"\0")?,
                2 => responder.error(HandlerError::new("x"))?,
                3 => {
                    responder.bytes(b"\0")?;
                    return Ok(Reply::delayed(async move {
                        going.notified().await;
                        Ok(())
                    }));
                }
                4 => drop(responder),
                5 => return Err(HandlerError::new("x")),
                _ => return Err(HandlerError::not_authorized("x")),
            }
            Ok(Reply::Replied)
        }
    };
    let (connection, mut peer) = open(&table(handler)).await;
    let trace = Trace::of(&connection);
    for id in 1..=6 {
        peer.query(id, &EXPERT.description(), &"x").await;
        let bytes = peer.expect_frame().await.len();
        settle().await;
        let answer = match id {
            1 | 2 => "S Expert 0".to_owned(),
            3 => {
                trace.expect(&["R Query 15"]);
                go.notify_one();
                settle().await;
                trace.expect(&["S Expert 0"]);
                continue;
            }
            _ => format!("S Error_or_exn {bytes}"),
        };
        trace.expect(&["R Query 15", &answer]);
    }
}
