//! Whoever waits for answers lets the connection's task write before it looks for them, if there is
//! much to write.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rpc_core::connection::Config;
use rpc_core::{Connection, DispatchError};
use rpc_wire::handshake::PeerMetadata;

use crate::pair::connect;
use crate::peer::Peer;
use crate::rpcs::{ECHO, Notes, table};

/// Bytes in the text of a call, of which there are several in a write that is worth it.
const TEXT: usize = 4096;

/// A task that takes one answer after the other, and makes another call for each, would have all of
/// its calls waiting at this end, and then all at the other.
#[tokio::test(start_paused = true)]
async fn half_of_the_calls_are_written_while_the_other_half_is_made() {
    const IN_FLIGHT: usize = 100;
    // So that one read takes them all.
    const TEXT: usize = 500;
    let table = table();
    let end = || (Config::default(), &table, Notes::default());
    let (near, _far) = connect(4 << 20, end(), end()).await;
    let calling = async {
        let text = "x".repeat(TEXT);
        let mut calls: VecDeque<_> = (0..IN_FLIGHT)
            .map(|_| ECHO.dispatch(&near, &text))
            .collect();
        let mut most = 0;
        for number in 0..20 * IN_FLIGHT {
            calls.pop_front().unwrap().await.unwrap();
            calls.push_back(ECHO.dispatch(&near, &text));
            // At first, they are all here.
            if number > IN_FLIGHT {
                most = most.max(near.bytes_to_write());
            }
        }
        most
    };
    let most = calling.await;
    let all = (IN_FLIGHT * TEXT) as u64;
    assert!(most > all / 8, "{most} of {all}");
    assert!(most < all * 3 / 4, "{most} of {all}");
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How often the future asks to be polled again, and is, with nobody else doing anything.
fn own_wakes<F: Future<Output = Result<String, DispatchError>> + Unpin>(call: &mut F) -> usize {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    let mut polls = 0;
    loop {
        assert!(matches!(Pin::new(&mut *call).poll(&mut cx), Poll::Pending));
        if wakes.0.load(Ordering::Relaxed) == polls {
            return polls;
        }
        polls += 1;
        assert!(polls < 10);
    }
}

/// A connection whose peer reads nothing.
async fn unread() -> (Connection, Peer) {
    let (mut peer, io) = Peer::new(100);
    let (connection, ()) = tokio::join!(
        Connection::create(io, Config::default()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    (connection.unwrap(), peer)
}

/// Each call gives way once, however long the transport takes nothing.
#[tokio::test(start_paused = true)]
async fn each_call_gives_way_once() {
    let (connection, _peer) = unread().await;
    let text = "x".repeat(TEXT);
    let mut calls: Vec<_> = (0..8).map(|_| ECHO.dispatch(&connection, &text)).collect();
    let mut mapped = ECHO.dispatch_map(&connection, &text, |result| result);
    for call in &mut calls {
        assert_eq!(own_wakes(call), 1);
        assert_eq!(own_wakes(call), 0);
    }
    assert_eq!(own_wakes(&mut mapped), 1);
    assert_eq!(own_wakes(&mut mapped), 0);
}

/// Of few bytes, or of one call, there is nothing to be gained.
#[tokio::test(start_paused = true)]
async fn nobody_gives_way_to_a_small_write_or_to_one_call() {
    let (connection, _peer) = unread().await;
    let mut calls: Vec<_> = (0..8)
        .map(|_| ECHO.dispatch(&connection, &"x".repeat(100)))
        .collect();
    for call in &mut calls {
        assert_eq!(own_wakes(call), 0);
    }
    let (connection, _peer) = unread().await;
    let mut call = ECHO.dispatch(&connection, &"x".repeat(20 * TEXT));
    assert_eq!(own_wakes(&mut call), 0);
}
