//! Signs of life: when they are sent, and when a silent peer is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rpc_core::connection::heartbeat::{self, TimeoutStyle};
use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{Connection, DispatchError, Implementations};
use rpc_wire::Message;
use rpc_wire::handshake::PeerMetadata;
use tokio::time::{Instant, sleep};

use crate::pair::{pair, settle, version};
use crate::peer::{Peer, header};
use crate::rpcs::{ECHO, NOTE, Notes, table};
use crate::trace::Trace;

const SECOND: Duration = Duration::from_secs(1);

/// Longer than any silence that is tolerated.
const LONG: Duration = Duration::from_secs(1000);

/// W9, C-OP-2, C-HB-1.
#[tokio::test(start_paused = true)]
async fn heartbeats_are_sent_at_once_and_then_every_ten_seconds() {
    for number in [1, 11] {
        let (_connection, mut peer) = Peer::called_by_us(number).await;
        let start = Instant::now();
        for seconds in [0, 10, 20, 30, 40, 50] {
            peer.expect_heartbeat().await;
            assert_eq!(start.elapsed().as_secs(), seconds);
            peer.send(&Message::Heartbeat).await;
        }
    }
}

/// C-HB-14, C-RD-12, C-LM-4: where not even a heartbeat fits, nothing does. Such an end has neither
/// header nor metadata to send.
#[tokio::test(start_paused = true)]
async fn heartbeat_that_is_too_large_ends_the_connection() {
    let (mut peer, io) = Peer::at(2);
    let headers = header(version(2));
    let config = Config::default()
        .pre_shared_headers(headers.clone(), headers)
        .max_message_size(0);
    let connection = Connection::create(io, config).await.unwrap();
    let call = ECHO.dispatch(&connection, &"x".to_owned()).await;
    let too_big = matches!(call, Err(DispatchError::MessageTooBig { limit: 0, .. }));
    assert!(too_big, "{call:?}");
    peer.expect_end_at_once().await;
    drop(peer);
    let closed = connection.closed().await;
    assert_eq!(closed.by, ClosedBy::Unknown);
    let text = closed.to_string();
    let why = "heartbeat cannot be sent: message of 1 bytes exceeds the limit of 0";
    assert!(text.contains("exn raised in RPC connection loop"), "{text}");
    assert!(text.contains(why), "{text}");
}

/// G7: callbacks are called as long as there is a connection, and from when they are added.
#[tokio::test(start_paused = true)]
async fn callback_counts_from_when_it_is_added_until_the_end() {
    const MILLISECONDS: Duration = Duration::from_millis(100);
    let heartbeats = heartbeat::Config::default()
        .send_every(Duration::from_millis(1))
        .timeout(24 * 3600 * SECOND);
    let config = || Config::default().heartbeat(heartbeats);
    let (near, far, _) = pair(config(), config()).await;
    let counter = |connection: &Connection| {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        connection.on_heartbeat(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        move || count.load(Ordering::Relaxed)
    };
    sleep(SECOND).await;
    let count = counter(&near);
    assert_eq!(count(), 0);
    sleep(MILLISECONDS).await;
    let before = count();
    assert!((98..=102).contains(&before), "{before}");
    sleep(MILLISECONDS).await;
    assert!((198..=202).contains(&count()), "{}", count());
    far.close();
    far.closed().await;
    near.closed().await;
    let late = counter(&near);
    let last = count();
    sleep(MILLISECONDS).await;
    assert_eq!((late(), count()), (0, last));
}

/// C-HB-1: counted from the start, regardless of other traffic.
#[tokio::test(start_paused = true)]
async fn other_traffic_does_not_move_heartbeats() {
    let (_connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    let start = Instant::now();
    peer.expect_heartbeat().await;
    for second in 1..=9 {
        sleep(SECOND).await;
        peer.query(second, &ECHO.description(), &"x").await;
        peer.expect_answer(second, &"x").await;
    }
    peer.expect_heartbeat().await;
    assert_eq!(start.elapsed().as_secs(), 10);
}

/// C-HB-2, C-HB-3, C-HB-10: the checks at 10, 20 and 30 s pass; the one at 40 s closes, and
/// tells.
#[tokio::test(start_paused = true)]
async fn silent_peer_is_given_up_at_forty_seconds_and_told() {
    for number in [1, 3, 4, 9, 10, 11] {
        let (connection, mut peer) = Peer::called_by_us(number).await;
        let start = Instant::now();
        let call = ECHO.dispatch(&connection, &"waiting".to_owned());
        sleep(Duration::from_millis(39_999)).await;
        assert!(!connection.is_closed());
        sleep(Duration::from_millis(2)).await;
        assert!(connection.is_closed());

        peer.expect_query().await;
        if number >= 4 {
            let reason = peer.expect_close_reason().await.to_string();
            let text = "No heartbeats received for 30s. Last seen 40s ago.";
            assert!(reason.contains(text), "{reason}");
        }
        peer.expect_end().await;
        drop(peer);
        let closed = connection.closed().await;
        assert_eq!(closed.by, ClosedBy::Local);
        assert!(closed.to_string().contains("No heartbeats"), "{closed}");
        let error = call.await.unwrap_err();
        assert!(matches!(error, DispatchError::ConnectionClosed(_)));
        assert_eq!(start.elapsed().as_secs(), 40);
    }
}

/// C-HB-10: both ends of a link that has gone quiet learn of it.
#[tokio::test(start_paused = true)]
async fn peer_sees_why_it_was_given_up() {
    // The far end sends nothing, so it is given up; it never gives up anybody itself.
    let silent = Config::default().heartbeat(heartbeat::Config::default().never());
    let (near, far, _) = pair(Config::default(), silent).await;
    let start = Instant::now();
    let closed = far.closed().await;
    assert_eq!(start.elapsed().as_secs(), 40);
    assert_eq!(closed.by, ClosedBy::Peer);
    assert!(closed.to_string().contains("No heartbeats"), "{closed}");
    assert_eq!(near.closed().await.by, ClosedBy::Local);
}

/// C-HB-5: a query, a response, a heartbeat, and what ends no connection.
#[tokio::test(start_paused = true)]
async fn any_message_is_a_sign_of_life() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    let start = Instant::now();
    sleep(29 * SECOND).await;
    peer.send(&Message::Heartbeat).await;
    sleep(29 * SECOND).await;
    peer.query(1, &ECHO.description(), &"x").await;
    peer.expect_answer(1, &"x").await;
    let call = ECHO.dispatch(&connection, &"y".to_owned());
    sleep(29 * SECOND).await;
    let id = peer.expect_query().await.id;
    peer.answer(id, &"y").await;
    assert_eq!(call.await.unwrap(), "y");
    sleep(29 * SECOND).await;
    peer.send(&Message::CloseStarted).await;
    // Seen last at 116 s: dead at the first check later than 146 s.
    sleep(33 * SECOND).await;
    assert!(connection.close_reason().is_none());
    sleep(2 * SECOND).await;
    assert_eq!(start.elapsed().as_secs(), 151);
    let closed = connection.close_reason().unwrap();
    assert!(closed.to_string().contains("No heartbeats"), "{closed}");
}

/// ZC33, C-HB-3, C-HB-4: when a silent peer is given up, in seconds.
#[tokio::test(start_paused = true)]
async fn moment_of_giving_up_follows_from_timeout_and_interval() {
    let rows = [
        (10, 30, TimeoutStyle::TimeBetweenHeartbeats, 40),
        (10, 25, TimeoutStyle::TimeBetweenHeartbeats, 30),
        (1, 3, TimeoutStyle::TimeBetweenHeartbeats, 4),
        (10, 30, TimeoutStyle::NumberOfHeartbeats, 30),
        (10, 1, TimeoutStyle::NumberOfHeartbeats, 10),
        (10, 31, TimeoutStyle::NumberOfHeartbeats, 40),
    ];
    for (every, timeout, style, expected) in rows {
        let heartbeat = heartbeat::Config::default()
            .send_every(Duration::from_secs(every))
            .timeout(Duration::from_secs(timeout))
            .style(style);
        let config = Config::default().heartbeat(heartbeat);
        let (connection, peer) = Peer::open(config, &Implementations::empty(), (), 11).await;
        let start = Instant::now();
        sleep(Duration::from_secs(expected) - Duration::from_millis(1)).await;
        assert!(!connection.is_closed(), "{every} {timeout} {style:?}");
        sleep(Duration::from_millis(2)).await;
        assert!(connection.is_closed(), "{every} {timeout} {style:?}");
        drop(peer);
        connection.closed().await;
        assert_eq!(start.elapsed().as_secs(), expected);
    }
}

/// C-HB-11.
#[tokio::test(start_paused = true)]
async fn without_heartbeats_nothing_is_sent_and_nobody_given_up() {
    let config = Config::default().heartbeat(heartbeat::Config::default().never());
    let (connection, mut peer) = Peer::open(config, &Implementations::empty(), (), 11).await;
    sleep(LONG).await;
    assert!(!connection.is_closed());
    let call = ECHO.dispatch(&connection, &"x".to_owned());
    let id = peer.expect_query().await.id;
    peer.answer(id, &"y").await;
    assert_eq!(call.await.unwrap(), "y");
}

/// Two ends that do nothing else keep each other.
#[tokio::test(start_paused = true)]
async fn idle_connection_lives_for_ever() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    sleep(10 * LONG).await;
    let answer = ECHO.dispatch(&near, &"still here".to_owned()).await;
    assert_eq!(answer.unwrap(), "still here");
    assert!(!far.is_closed());
}

/// C-OP-1, C-HS-20: the handshake has its own limit, and neither heartbeats nor their timeout
/// begin before it is over.
#[tokio::test(start_paused = true)]
async fn silence_during_the_handshake_does_not_count() {
    let config = Config::default()
        .handshake_timeout(LONG)
        .handshake_deadline(LONG);
    let (mut peer, io) = Peer::new(1000);
    let creating = tokio::spawn(Connection::create(io, config));
    sleep(100 * SECOND).await;
    peer.exchange_headers(11).await;
    peer.expect_metadata().await;
    peer.expect_silence(100 * SECOND).await;
    let message = PeerMetadata::default().to_message(version(11));
    peer.send(&message.unwrap()).await;
    let connection = creating.await.unwrap().unwrap();
    let start = Instant::now();
    peer.expect_heartbeat().await;
    settle().await;
    assert!(!connection.is_closed());
    sleep(Duration::from_secs(39)).await;
    assert!(!connection.is_closed());
    drop(peer);
    connection.closed().await;
    assert!(start.elapsed() < 40 * SECOND);
}

/// C-HB-5, C-HB-6: at first when the connection began, then when something came.
#[tokio::test(start_paused = true)]
async fn last_seen_is_the_moment_of_the_last_message() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    let start = Instant::now();
    let seen = || connection.last_seen().duration_since(start).as_secs();
    sleep(5 * SECOND).await;
    assert_eq!(seen(), 0);
    peer.send(&Message::Heartbeat).await;
    settle().await;
    assert_eq!(seen(), 5);
    sleep(7 * SECOND).await;
    // Bytes that complete no message are none.
    peer.send_bytes(&[2, 0, 0]).await;
    settle().await;
    assert_eq!(seen(), 5);
    peer.send_bytes(&[0, 0, 0, 0, 0, 0, 0]).await;
    settle().await;
    assert_eq!(seen(), 12);
}

/// G1, G2: the moments of a peer that falls silent, in both styles.
#[tokio::test(start_paused = true)]
async fn texts_say_what_was_missing_since_when() {
    let heartbeat = heartbeat::Config::default()
        .send_every(2 * SECOND)
        .timeout(10 * SECOND);
    let rows = [
        (
            TimeoutStyle::TimeBetweenHeartbeats,
            "No heartbeats received for 10s. Last seen 11.99",
        ),
        (
            TimeoutStyle::NumberOfHeartbeats,
            "No heartbeats received after 5 were sent. Last seen 11.99",
        ),
    ];
    for (style, expected) in rows {
        let config = Config::default().heartbeat(heartbeat.style(style));
        let (connection, mut peer) = Peer::open(config, &Implementations::empty(), (), 11).await;
        let start = Instant::now();
        sleep(2 * SECOND + Duration::from_millis(1)).await;
        peer.send(&Message::Heartbeat).await;
        let closed = connection.close_started().await;
        assert_eq!(closed.by, ClosedBy::Local);
        assert_eq!(start.elapsed().as_secs(), 14);
        let text = closed.to_string();
        assert!(text.contains(expected), "{text}");
    }
}

/// C-HB-7, ZC34: at 25 s of silence set to 60 s; dead at the first check later than 85 s.
#[tokio::test(start_paused = true)]
async fn changed_timeout_counts_from_the_change() {
    let (connection, _peer) = Peer::called_by_us(11).await;
    let start = Instant::now();
    sleep(25 * SECOND).await;
    connection.set_heartbeat_timeout(60 * SECOND);
    assert_eq!(connection.heartbeat_timeout(), 60 * SECOND);
    assert_eq!(connection.last_seen(), start + 25 * SECOND);
    connection.close_started().await;
    assert_eq!(start.elapsed().as_secs(), 90);
}

/// C-HB-7: the second style's count goes on, towards another threshold.
#[tokio::test(start_paused = true)]
async fn changed_timeout_does_not_reset_the_count() {
    let heartbeat = heartbeat::Config::default().style(TimeoutStyle::NumberOfHeartbeats);
    for (timeout, dead) in [(50, 50), (20, 30), (1, 30)] {
        let config = Config::default().heartbeat(heartbeat);
        let (connection, _peer) = Peer::open(config, &Implementations::empty(), (), 11).await;
        let start = Instant::now();
        // Sent at 0, 10 and 20 s.
        sleep(25 * SECOND).await;
        connection.set_heartbeat_timeout(SECOND * timeout);
        connection.close_started().await;
        assert_eq!(start.elapsed().as_secs(), dead);
    }
}

/// C-HB-8, ZC34: the minimum can only lengthen; a change beyond it wins.
#[tokio::test(start_paused = true)]
async fn minimum_of_the_timeout_only_lengthens() {
    let rows = [
        (30, 45, None, 45, 50),
        (30, 15, None, 30, 40),
        (30, 45, Some(20), 45, 50),
        (30, 45, Some(60), 60, 70),
    ];
    for (timeout, min, change, effective, dead) in rows {
        let heartbeat = heartbeat::Config::default()
            .timeout(Duration::from_secs(timeout))
            .min_timeout(Duration::from_secs(min));
        let config = Config::default().heartbeat(heartbeat);
        let (connection, _peer) = Peer::open(config, &Implementations::empty(), (), 11).await;
        let start = Instant::now();
        if let Some(change) = change {
            connection.set_heartbeat_timeout(Duration::from_secs(change));
        }
        assert_eq!(connection.heartbeat_timeout().as_secs(), effective);
        connection.close_started().await;
        assert_eq!(start.elapsed().as_secs(), dead);
    }
}

/// `set_heartbeat_timeout`: with the extremes.
#[tokio::test(start_paused = true)]
async fn timeout_without_end_gives_up_nobody() {
    let (connection, _peer) = Peer::called_by_us(11).await;
    connection.set_heartbeat_timeout(Duration::MAX);
    sleep(LONG).await;
    assert!(!connection.is_closed());
    connection.set_heartbeat_timeout(Duration::ZERO);
    let start = Instant::now();
    connection.close_started().await;
    assert!(start.elapsed() <= 10 * SECOND);
}

/// C-RM-1, C-HB-9, ZC35: for each heartbeat, and nothing else; the last one registered runs first.
#[tokio::test(start_paused = true)]
async fn callbacks_run_for_each_heartbeat_in_reverse_order() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    let notes = Notes::default();
    let note = |text: &'static str| {
        let notes = notes.clone();
        move || notes.push(text)
    };
    peer.send(&Message::Heartbeat).await;
    settle().await;
    connection.on_heartbeat(note("a"));
    connection.on_heartbeat(note("b"));
    peer.query(1, &ECHO.description(), &"x").await;
    peer.expect_answer(1, &"x").await;
    assert!(notes.get().is_empty());
    for _ in 0..2 {
        peer.send(&Message::Heartbeat).await;
    }
    settle().await;
    assert_eq!(notes.get(), ["b", "a", "b", "a"]);
}

/// C-HB-9, decision 5: logged, and the connection lives.
#[tokio::test(start_paused = true)]
async fn panic_of_a_callback_concerns_nobody_else() {
    let (connection, mut peer) =
        Peer::open(Config::default(), &table(), Notes::default(), 11).await;
    let notes = Notes::default();
    let noted = notes.clone();
    connection.on_heartbeat(move || noted.push("ran"));
    connection.on_heartbeat(|| panic!("no"));
    peer.send(&Message::Heartbeat).await;
    peer.query(1, &ECHO.description(), &"x").await;
    peer.expect_answer(1, &"x").await;
    assert_eq!(notes.get(), ["ran"]);
}

/// G3: whoever sends none is kept by its other messages, and learns of ours.
#[tokio::test(start_paused = true)]
async fn side_without_heartbeats_is_kept_by_its_messages() {
    let counting = heartbeat::Config::default()
        .send_every(5 * SECOND)
        .timeout(10 * SECOND)
        .style(TimeoutStyle::NumberOfHeartbeats);
    let (near, far, notes) = pair(
        Config::default().heartbeat(counting.never()),
        Config::default().heartbeat(counting),
    )
    .await;
    let heard = Notes::default();
    let hearing = heard.clone();
    near.on_heartbeat(move || hearing.push("heartbeat"));
    let start = Instant::now();
    for round in 1..=4 {
        NOTE.dispatch(&near, &"x".to_owned()).unwrap();
        sleep(5 * SECOND).await;
        settle().await;
        assert_eq!(notes.get().len(), round);
    }
    assert!(heard.get().len() >= 4);
    assert!(far.last_seen() >= start + 15 * SECOND);
    assert!(!near.is_closed() && !far.is_closed());
    far.close();
    assert_eq!(near.closed().await.by, ClosedBy::Unknown);
    assert_eq!(far.closed().await.by, ClosedBy::Local);
}

/// C-HB-12, T-6.
#[tokio::test(start_paused = true)]
async fn heartbeats_are_no_events() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let trace = Trace::of(&connection);
    peer.send(&Message::Heartbeat).await;
    peer.expect_heartbeat().await;
    peer.expect_heartbeat().await;
    assert!(trace.take().is_empty());
}
