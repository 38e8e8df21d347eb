//! When the end of a stream is sent, with a peer that does not read (rule R-SV-6).

use rpc_core::connection::Config;
use rpc_core::{Connection, DirectStreamWriter, Implementations, StateRpc};
use rpc_wire::handshake::PeerMetadata;

use super::assert_none_served;
use crate::pair::settle;
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO, HOLD};
use crate::source;

/// What fits into the transport: less than any of these streams has to say.
const LITTLE: usize = 64;

/// The query is the state; no updates.
static EMPTY: StateRpc<String, String, i64, String> = StateRpc::new("empty", 1);

fn table() -> Implementations<()> {
    Implementations::builder()
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .implement_pipe(&COUNT, |(), n| async move { Ok(Ok(source::iter(0..n))) })
        .implement_state(&EMPTY, |(), state| async {
            Ok(Ok((state, source::iter([]))))
        })
        .implement_pipe_direct(
            &HOLD,
            |(), (), writer: DirectStreamWriter<i64>| async move {
                for update in 0..10 {
                    writer.write(&update)?;
                }
                writer.close();
                Ok(Ok(()))
            },
        )
        .build()
        .unwrap()
}

async fn open() -> (Connection, Peer) {
    let (mut peer, io) = Peer::new(LITTLE);
    let table = table();
    let (connection, ()) = tokio::join!(
        Connection::serve(io, Config::default(), &table, |_| ()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    (connection.unwrap(), peer)
}

/// The streams that are served, and the bytes of all messages that were queued for the peer.
async fn served_and_queued(connection: &Connection) -> (usize, u64) {
    settle().await;
    assert!(connection.bytes_to_write() > 0, "the transport took it all");
    (connection.served_streams(), connection.bytes_written())
}

/// R-SV-6: the source has ended along with its last update, and its end is not even queued before
/// the transport has taken the updates.
#[tokio::test(start_paused = true)]
async fn end_waits_until_the_updates_are_flushed() {
    let (connection, mut peer) = open().await;
    let before = connection.bytes_written();
    peer.open_stream(7, &COUNT.description(), &10_i64).await;
    // Bodies: of the initial response, and of each update.
    let updates = 9 + 10 * 12;
    assert_eq!(served_and_queued(&connection).await, (1, before + updates));
    peer.expect_start(7, &()).await;
    for update in 0..10_i64 {
        peer.expect_update(7, &update).await;
    }
    peer.expect_end_of_stream(7).await;
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-6: the end of a stream without updates waits for the flush of its initial response.
#[tokio::test(start_paused = true)]
async fn end_of_an_empty_stream_waits_for_a_flush() {
    let (connection, mut peer) = open().await;
    let before = connection.bytes_written();
    let state = "x".repeat(100);
    peer.open_stream(7, &EMPTY.description(), &state).await;
    let initial = 6 + 2 + 101;
    assert_eq!(served_and_queued(&connection).await, (1, before + initial));
    peer.expect_start(7, &state).await;
    peer.expect_end_of_stream(7).await;
    assert_none_served(&connection, &mut peer).await;
}

/// R-SV-6: a direct writer's end is queued at once, with all that is before it.
#[tokio::test(start_paused = true)]
async fn end_of_a_direct_writer_is_queued_at_once() {
    let (connection, mut peer) = open().await;
    peer.open_stream(7, &HOLD.description(), &()).await;
    let (served, queued) = served_and_queued(&connection).await;
    assert_eq!(served, 0);
    peer.expect_start(7, &()).await;
    for update in 0..10_i64 {
        peer.expect_update(7, &update).await;
    }
    peer.expect_end_of_stream(7).await;
    assert_eq!(connection.bytes_written(), queued);
    assert_none_served(&connection, &mut peer).await;
}
