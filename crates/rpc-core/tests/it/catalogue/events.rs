//! Rows of the tables of events (*rpcs* §15) that no case of the catalogue plays.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use rpc_core::connection::Config;
use rpc_core::{
    Connection, ExpertQuery, ExpertRpc, HandlerError, Implementation, Implementations, OneWay, Rpc,
};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{Message, QueryId, RpcError};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::SECOND;
use crate::pair::{CAPACITY, settle};
use crate::peer::Peer;
use crate::rpcs::{ECHO, NOTE};
use crate::trace::Trace;

static ASK: Rpc<String, Result<String, String>> = Rpc::new("ask", 1).user_error_if(Result::is_err);

/// T-C7, T-C8: what the definition recognises.
#[tokio::test(start_paused = true)]
async fn answer_is_a_success_or_a_user_error() {
    let (connection, mut peer) = Peer::called_by_us(10).await;
    let trace = Trace::of(&connection);
    // Tag, id, no index, ok, length; variant, length and text.
    let rows = [
        (Ok("fine".to_owned()), "R Finished_ok 11"),
        (Err("no".to_owned()), "R Finished_user_error 9"),
    ];
    for (answer, received) in rows {
        let call = ASK.dispatch(&connection, &"query".to_owned());
        let id = peer.expect_query().await.id;
        peer.answer(id, &answer).await;
        assert_eq!(call.await.unwrap(), answer);
        trace.expect(&["S Query 15", received]);
    }
}

/// C-DI-11, T-C12.
#[tokio::test(start_paused = true)]
async fn answer_to_an_expert_is_not_interpreted() {
    let (connection, mut peer) = Peer::called_by_us(10).await;
    let trace = Trace::of(&connection);
    let expert = ExpertRpc::new("ask", 1);
    for error in [Some(RpcError::ConnectionClosed), None] {
        let call = expert.dispatch(&connection, b"\x05query");
        let id = peer.expect_query().await.id;
        match error {
            None => peer.respond(id, Ok(b"\x01\x02no")).await,
            Some(error) => peer.respond(id, Err(error)).await,
        }
        let received = match call.await {
            Ok(_) => "R Finished_expert 9",
            Err(_) => "R Finished_error 5",
        };
        trace.expect(&["S Query 15", received]);
    }
}

/// T-C25, T-6: whoever is not waited for and what is no RPC make no events.
#[tokio::test(start_paused = true)]
async fn messages_of_the_connection_and_strange_answers_are_no_events() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let trace = Trace::of(&connection);
    peer.expect_heartbeat().await;
    peer.send(&Message::Heartbeat).await;
    peer.send(&Message::CloseStarted).await;
    peer.answer(QueryId::new(77), &"nobody asked").await;
    peer.expect_close_reason().await;
    peer.expect_end().await;
    drop(peer);
    connection.closed().await;
    trace.expect(&[]);
}

/// T-S10: once its synchronous part is over, however it ends.
#[tokio::test(start_paused = true)]
async fn expert_one_way_message_gets_no_response() {
    static EXPERT: OneWay<String> = OneWay::new("expert", 1);
    let table = Implementations::builder()
        .implementation(Implementation::one_way_expert(
            &EXPERT,
            |(): &(), query: ExpertQuery<'_>| {
                assert!(query.bytes() != b"\x05panic", "on purpose");
                let fails = query.bytes() == b"\x05fails";
                async move {
                    match fails {
                        true => Err(HandlerError::new("on purpose")),
                        false => Ok(()),
                    }
                }
            },
        ))
        .build()
        .unwrap();
    for text in ["finds", "fails", "panic"] {
        let (connection, mut peer) = Peer::open(Config::default(), &table, (), 10).await;
        let trace = Trace::of(&connection);
        peer.query(1, &EXPERT.description(), &text).await;
        settle().await;
        trace.expect(&["R Query 18", "S One_way 0"]);
    }
}

/// A transport that takes nothing more when it is told so.
struct Stopping {
    io: DuplexStream,
    stopped: Arc<AtomicBool>,
}

impl AsyncRead for Stopping {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stopping {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.stopped.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// T-C2, C-DI-3: a transport that has stopped while the connection is open is known to be closed.
#[tokio::test(start_paused = true)]
async fn dispatch_on_a_stopped_transport_is_no_event() {
    let (mut peer, io) = Peer::new(CAPACITY);
    let stopped = Arc::new(AtomicBool::new(false));
    let transport = Stopping {
        io,
        stopped: stopped.clone(),
    };
    let (connection, ()) = tokio::join!(
        Connection::create(transport, Config::default()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    settle().await;
    stopped.store(true, Ordering::Relaxed);
    // The one by which it is noticed.
    NOTE.dispatch(&connection, &"x".to_owned()).unwrap();
    settle().await;
    assert!(connection.close_reason().is_none());
    let trace = Trace::of(&connection);
    let call = ECHO.dispatch(&connection, &"x".to_owned()).await;
    call.unwrap_err();
    NOTE.dispatch(&connection, &"x".to_owned()).unwrap_err();
    trace.expect(&[]);
    assert_eq!(connection.open_queries(), 0);
    tokio::time::sleep(6 * SECOND).await;
    assert!(connection.close_reason().is_some());
}
