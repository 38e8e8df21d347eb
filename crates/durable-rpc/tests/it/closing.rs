//! Closing, by `close` and by dropping, in every state of the machine (*durable* §2.5, ZD20).

use durable_rpc::Durable;
use rpc_core::Connection;
use tokio::join;
use tokio::time::sleep;

use crate::checked::{Counts, LONG, counts};
use crate::events::{ask, begin};
use crate::or_fail::established;
use crate::server::{Server, settle};

#[derive(Clone, Copy, Debug)]
enum By {
    Close,
    /// Twice has no further effect.
    ClosingTwice,
    /// Rule D-RA-7.
    Drop,
}

const WAYS: [By; 3] = [By::Close, By::ClosingTwice, By::Drop];

/// Closes; for ever after nothing is delivered, nothing attempted, and nothing kept. The callee
/// of the stream, if there was one, has been told once, and the connection is as good as before
/// (rules D-CL-1 to D-CL-3).
async fn close_and_check(
    mut events: Counts,
    by: By,
    server: &mut Server,
    connection: &Durable<Connection>,
    aborts: usize,
) {
    let connects = server.connects();
    match by {
        By::Close => {
            events.subscription.close();
            assert!(events.next().await.is_none());
        }
        By::ClosingTwice => {
            events.subscription.close();
            assert!(events.next().await.is_none());
            events.subscription.close();
            assert!(events.next().await.is_none());
        }
        By::Drop => drop(events),
    }
    settle().await;
    assert_eq!(server.aborts(), aborts, "{by:?}");
    assert_eq!(server.streams(), 0, "{by:?}");
    sleep(LONG).await;
    assert!(!server.has_calls(), "{by:?}");
    assert_eq!(server.aborts(), aborts, "{by:?}");

    let closed =
        connection.with(async |connection| (connection.is_closed(), connection.open_queries()));
    assert_eq!(closed.await.unwrap(), (false, 0), "{by:?}");
    assert_eq!(server.connects(), connects.max(1), "{by:?}");
    // Others can subscribe over it.
    begin(&mut counts(connection), server, 1).await;
    assert_eq!(server.connects(), connects.max(1), "{by:?}");
}

/// D-CL-2 (ZD20): no attempt is made.
#[tokio::test(start_paused = true)]
async fn before_the_first_attempt() {
    for by in WAYS {
        let mut server = Server::start();
        let connection = server.durable();
        close_and_check(counts(&connection), by, &mut server, &connection, 0).await;
    }
}

/// D-CL: the attempt has been announced, and not begun.
#[tokio::test(start_paused = true)]
async fn after_the_announcement_of_an_attempt() {
    for by in WAYS {
        let mut server = Server::start();
        let connection = server.durable();
        let mut events = counts(&connection);
        events.expect(&["attempting"]).await;
        close_and_check(events, by, &mut server, &connection, 0).await;
    }
}

/// D-CL-3: the build goes on, and its value is there for others (rule D-DU-4).
#[tokio::test(start_paused = true)]
async fn while_the_connection_is_being_made() {
    for by in WAYS {
        let mut server = Server::start();
        let connection = server.durable();
        let mut events = counts(&connection);
        events.expect(&["attempting"]).await;
        let door = server.shut_door();
        events.expect_silence(LONG).await;
        assert_eq!(server.connects(), 1);
        if matches!(by, By::Drop) {
            drop(events);
        } else {
            events.subscription.close();
            assert!(events.next().await.is_none());
        }
        drop(door);
        settle().await;
        assert!(!server.has_calls());
        begin(&mut counts(&connection), &mut server, 1).await;
        assert_eq!(server.connects(), 1);
        settle().await;
        assert_eq!(
            server.aborts(),
            1,
            "that of the subscription that was dropped just now"
        );
    }
}

/// D-CL-4, decision 23: the callee has not answered yet. The dispatch is dropped, so it is told to
/// stop, and its handler is cancelled; the reference would wait for the answer.
#[tokio::test(start_paused = true)]
async fn while_the_answer_is_awaited() {
    for by in WAYS {
        let mut server = Server::start();
        let connection = server.durable();
        let mut events = counts(&connection);
        let mut call = ask(&mut events, &mut server).await;
        events.expect_silence(LONG).await;
        close_and_check(events, by, &mut server, &connection, 1).await;
        call.cancelled().await;
    }
}

/// D-CL-4 (ZD20): the query stays sent, and the dispatch succeeds before the callee knows that it
/// is not wanted any more. The stream is ended, and the connection goes on.
#[tokio::test(start_paused = true)]
async fn while_the_answer_is_on_its_way() {
    for by in WAYS {
        let mut server = Server::start();
        let connection = server.durable();
        let mut events = counts(&connection);
        let call = ask(&mut events, &mut server).await;
        server.hold();
        if matches!(by, By::Drop) {
            drop(events);
        } else {
            events.subscription.close();
            assert!(events.next().await.is_none());
        }
        let feed = call.accept(7);
        feed.send(8);
        settle().await;
        assert!(!feed.is_aborted(), "the abort has not been read");
        server.release();
        feed.aborted().await;
        settle().await;
        let open = connection.with(async |connection| connection.open_queries());
        assert_eq!(open.await.unwrap(), 0);
        begin(&mut counts(&connection), &mut server, 1).await;
        assert_eq!(server.connects(), 1);
    }
}

/// D-CL: the answer has arrived, and the consumer has not read it.
#[tokio::test(start_paused = true)]
async fn when_the_answer_is_there_unread() {
    for by in WAYS {
        let mut server = Server::start();
        let connection = server.durable();
        let mut events = counts(&connection);
        let feed = ask(&mut events, &mut server).await.accept(7);
        feed.send(8);
        settle().await;
        close_and_check(events, by, &mut server, &connection, 1).await;
        assert!(feed.is_aborted());
    }
}

/// D-CL: between the first events of a stream.
#[tokio::test(start_paused = true)]
async fn before_the_events_of_success_are_read() {
    let first = ["attempting", "success", "state 7"];
    for by in WAYS {
        for read in 0..=first.len() {
            let mut server = Server::start();
            let connection = server.durable();
            let (mut events, feed) = established(&connection, &mut server).await;
            feed.send(8);
            events.expect(&first[..read]).await;
            close_and_check(events, by, &mut server, &connection, 1).await;
            assert!(feed.is_aborted());
        }
    }
}

/// D-CL-1, D-CL-2, D-RA-7 (ZD20, ZD23): with updates that nobody will read.
#[tokio::test(start_paused = true)]
async fn while_streaming() {
    for by in WAYS {
        let mut server = Server::start();
        let connection = server.durable();
        let mut events = counts(&connection);
        let feed = begin(&mut events, &mut server, 7).await;
        feed.send(8);
        feed.send(9);
        events.expect(&["update 8"]).await;
        settle().await;
        feed.send(10);
        close_and_check(events, by, &mut server, &connection, 1).await;
        assert!(feed.is_aborted());
    }
}

/// D-CL: the callee has ended the stream, so there is nobody to tell.
#[tokio::test(start_paused = true)]
async fn when_the_end_of_the_stream_is_there_unread() {
    for by in WAYS {
        let mut server = Server::start();
        let connection = server.durable();
        let mut events = counts(&connection);
        let feed = begin(&mut events, &mut server, 7).await;
        feed.send(8);
        feed.end();
        settle().await;
        close_and_check(events, by, &mut server, &connection, 0).await;
    }
}

/// D-CL: during the delay, after each of the events that it follows.
#[tokio::test(start_paused = true)]
async fn during_the_delay() {
    for by in WAYS {
        let mut server = Server::start();
        let connection = server.durable();
        let mut events = counts(&connection);
        begin(&mut events, &mut server, 7).await.end();
        events.expect(&["lost"]).await;
        events.expect_silence(crate::checked::DELAY / 2).await;
        close_and_check(events, by, &mut server, &connection, 0).await;

        let mut server = Server::start();
        let connection = server.durable();
        let mut events = counts(&connection);
        let ((), ()) = join!(events.expect(&["attempting", "error no"]), async {
            server.call().await.refuse("no");
        });
        close_and_check(events, by, &mut server, &connection, 0).await;

        let mut server = Server::start();
        server.stop();
        let connection = server.durable();
        let mut events = counts(&connection);
        events
            .expect(&["attempting", "failed: connection refused"])
            .await;
        drop(events);
        server.restart();
        sleep(LONG).await;
        assert_eq!(server.connects(), 1);
        begin(&mut counts(&connection), &mut server, 1).await;
    }
}

/// D-CL-1: one of two subscriptions over one connection.
#[tokio::test(start_paused = true)]
async fn other_subscriptions_go_on() {
    for by in WAYS {
        let mut server = Server::start();
        let connection = server.durable();
        let mut events = counts(&connection);
        let mut others = counts(&connection);
        let feed = begin(&mut events, &mut server, 7).await;
        let other_feed = begin(&mut others, &mut server, 8).await;
        if matches!(by, By::Drop) {
            drop(events);
        } else {
            events.subscription.close();
        }
        feed.aborted().await;
        other_feed.send(9);
        others.expect(&["update 9"]).await;
        assert_eq!((server.aborts(), server.streams()), (1, 1));
        assert_eq!(server.connects(), 1);
    }
}
