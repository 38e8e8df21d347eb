//! Each limit at its edge: what just fits, what does not, what both sides see, what is counted.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use rpc_core::connection::{Config, HandshakeFailure, Limit, Step};
use rpc_core::{Connection, Implementations, Rpc};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{CloseReasonKind, Message, RpcError};
use tokio::time::{Instant, sleep};

use crate::pair::{CAPACITY, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO, HOLD, NOTE, Notes, SLEEP, table};

fn size(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn number(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

async fn open(config: Config) -> (Connection, Peer, Notes) {
    let notes = Notes::default();
    let (connection, peer) = Peer::open(config, &table(), notes.clone(), 11).await;
    (connection, peer, notes)
}

/// What was counted, apart from this many of one limit: nothing.
#[track_caller]
fn assert_met(connection: &Connection, limit: Limit, times: u64) {
    let met: Vec<_> = connection
        .limits_met()
        .iter()
        .filter(|met| met.1 > 0)
        .collect();
    let expected: Vec<_> = (times > 0).then_some((limit, times)).into_iter().collect();
    assert_eq!(met, expected);
}

async fn expect_refusal(peer: &mut Peer, id: i64, limit: Limit) {
    match peer.expect_error(id).await {
        RpcError::UncaughtExn(error) => {
            let text = error.to_string();
            let expected = format!(
                r#"((location"server-side limits")(exn(Failure"refused: limit of {} reached")))"#,
                limit.name()
            );
            assert_eq!(text, expected);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn query_beyond_the_open_ones_is_refused_and_the_next_one_finds_room() {
    let config = Config::default().max_open_queries(size(2));
    let (connection, mut peer, _) = open(config).await;
    let sleep = SLEEP.description();
    peer.query(1, &sleep, &1000).await;
    peer.query(2, &sleep, &2000).await;
    settle().await;
    assert_met(&connection, Limit::OpenQueries, 0);
    peer.query(3, &sleep, &3000).await;
    expect_refusal(&mut peer, 3, Limit::OpenQueries).await;
    assert_met(&connection, Limit::OpenQueries, 1);
    // Also of one that would have been ready at once, since nobody can know.
    peer.query(4, &ECHO.description(), &"x".to_owned()).await;
    expect_refusal(&mut peer, 4, Limit::OpenQueries).await;
    peer.expect_answer(1, &1000).await;
    settle().await;
    peer.query(5, &sleep, &500).await;
    peer.expect_answer(5, &500).await;
    peer.expect_answer(2, &2000).await;
    assert_met(&connection, Limit::OpenQueries, 2);
}

#[tokio::test(start_paused = true)]
async fn one_way_message_beyond_the_open_queries_is_dropped() {
    let config = Config::default().max_open_queries(size(1));
    let (connection, mut peer, notes) = open(config).await;
    peer.query(1, &SLEEP.description(), &1000).await;
    peer.query(2, &NOTE.description(), &"lost".to_owned()).await;
    peer.expect_answer(1, &1000).await;
    settle().await;
    peer.query(3, &NOTE.description(), &"kept".to_owned()).await;
    settle().await;
    assert_eq!(notes.get(), ["kept"]);
    assert_met(&connection, Limit::OpenQueries, 1);
}

#[tokio::test(start_paused = true)]
async fn abort_passes_when_no_query_does() {
    let config = Config::default().max_open_queries(size(1));
    let (connection, mut peer, _) = open(config).await;
    let hold = HOLD.description();
    peer.open_stream(1, &hold, &()).await;
    peer.expect_start(1, &()).await;
    peer.open_stream(2, &hold, &()).await;
    expect_refusal(&mut peer, 2, Limit::OpenQueries).await;
    peer.abort(1, &hold).await;
    peer.expect_end_of_stream(1).await;
    settle().await;
    peer.open_stream(3, &hold, &()).await;
    peer.expect_start(3, &()).await;
    assert_met(&connection, Limit::OpenQueries, 1);
}

#[tokio::test(start_paused = true)]
async fn stream_beyond_the_served_ones_is_refused_and_plain_calls_go_on() {
    let config = Config::default().max_served_streams(size(2));
    let (connection, mut peer, _) = open(config).await;
    let hold = HOLD.description();
    for id in [1, 2] {
        peer.open_stream(id, &hold, &()).await;
        peer.expect_start(id, &()).await;
    }
    assert_met(&connection, Limit::ServedStreams, 0);
    for id in [3, 4] {
        peer.open_stream(id, &COUNT.description(), &7).await;
        expect_refusal(&mut peer, id, Limit::ServedStreams).await;
    }
    assert_eq!(connection.served_streams(), 2);
    peer.query(5, &ECHO.description(), &"plain".to_owned())
        .await;
    peer.expect_answer(5, &"plain".to_owned()).await;
    peer.abort(2, &hold).await;
    peer.expect_end_of_stream(2).await;
    peer.open_stream(6, &COUNT.description(), &1).await;
    peer.expect_start(6, &()).await;
    peer.expect_update(6, &0).await;
    peer.expect_end_of_stream(6).await;
    assert_met(&connection, Limit::ServedStreams, 2);
}

#[tokio::test(start_paused = true)]
async fn queries_beyond_the_rate_are_refused_until_time_has_passed() {
    let config = Config::default().max_query_rate(number(10), number(3));
    let (connection, mut peer, _) = open(config).await;
    let echo = ECHO.description();
    for id in 1..=5 {
        peer.query(id, &echo, &"x".to_owned()).await;
    }
    for id in 1..=3 {
        peer.expect_answer(id, &"x".to_owned()).await;
    }
    for id in 4..=5 {
        expect_refusal(&mut peer, id, Limit::QueryRate).await;
    }
    sleep(Duration::from_millis(200)).await;
    for id in 6..=8 {
        peer.query(id, &echo, &"x".to_owned()).await;
    }
    for id in 6..=7 {
        peer.expect_answer(id, &"x".to_owned()).await;
    }
    expect_refusal(&mut peer, 8, Limit::QueryRate).await;
    assert_met(&connection, Limit::QueryRate, 3);
}

/// Heartbeats, however many, are no queries, and cost nothing that stays.
#[tokio::test(start_paused = true)]
async fn nothing_but_heartbeats_meets_no_limit() {
    let config = Config::default().max_query_rate(number(1), number(1));
    let (connection, mut peer, _) = open(config).await;
    for _ in 0..10_000 {
        peer.send(&Message::Heartbeat).await;
    }
    settle().await;
    assert_met(&connection, Limit::QueryRate, 0);
    peer.query(1, &ECHO.description(), &"heard".to_owned())
        .await;
    peer.expect_answer(1, &"heard".to_owned()).await;
    assert_eq!(
        (connection.served_streams(), connection.open_queries()),
        (0, 0)
    );
}

/// The handshake's second frame may have exactly so many bytes.
#[tokio::test(start_paused = true)]
async fn introduction_may_have_as_many_bytes_as_are_allowed_and_no_more() {
    let introduction = |bytes: usize| PeerMetadata {
        identification: Some(vec![b'x'; bytes].into()),
        menu: None,
    };
    // Tag; there is one; its length, in three bytes; no menu.
    const AROUND: usize = 1 + 1 + 3 + 1;
    for (bytes, fits) in [(1000 - AROUND, true), (1000 - AROUND + 1, false)] {
        let config = Config::default().max_peer_metadata(1000);
        let met = config.limits_met().clone();
        let (mut peer, io) = Peer::new(CAPACITY);
        let (created, ()) = tokio::join!(Connection::create(io, config), async {
            peer.exchange_headers(11).await;
            let message = introduction(bytes).to_message(rpc_wire::ProtocolVersion::MAX);
            peer.send(&message.unwrap()).await;
            peer.expect_metadata().await;
        });
        assert_eq!(created.is_ok(), fits, "{bytes}");
        assert_eq!(met.times(Limit::PeerMetadata), u64::from(!fits));
        if let Err(error) = created {
            let HandshakeFailure::Frame { step, .. } = error.cause else {
                panic!("{error:?}");
            };
            assert_eq!(step, Step::ConnectionMetadata);
            let reason = peer.expect_close_reason().await;
            assert_eq!(reason.kind, CloseReasonKind::Unspecified);
            let text = reason.to_info().to_string();
            assert!(text.contains("1001") && text.contains("1000"), "{text}");
        }
    }
}

/// A peer that keeps each step within its time cannot take up the sum of them.
#[tokio::test(start_paused = true)]
async fn handshake_as_a_whole_has_a_deadline() {
    let config = Config::default()
        .handshake_timeout(Duration::from_secs(30))
        .handshake_deadline(Duration::from_secs(40));
    let met = config.limits_met().clone();
    let (mut peer, io) = Peer::new(CAPACITY);
    let start = Instant::now();
    let created = tokio::spawn(Connection::create(io, config));
    sleep(Duration::from_secs(25)).await;
    peer.exchange_headers(11).await;
    let error = created.await.unwrap().unwrap_err();
    // Telling the peer so may take a second more.
    let seconds = start.elapsed().as_secs();
    assert!((40..=41).contains(&seconds), "{seconds}");
    let HandshakeFailure::Timeout { step, .. } = error.cause else {
        panic!("{error:?}");
    };
    assert_eq!(step, Step::ConnectionMetadata);
    assert_eq!(met.times(Limit::HandshakeTime), 1);
}

/// One byte a second is no progress: the step waits no longer for it.
#[tokio::test(start_paused = true)]
async fn one_byte_a_second_does_not_prolong_the_handshake() {
    let (mut peer, io) = Peer::new(CAPACITY);
    let start = Instant::now();
    let created = tokio::spawn(Connection::create(io, Config::default()));
    peer.send_bytes(&1000_u64.to_le_bytes()).await;
    while !created.is_finished() {
        peer.send_bytes(&[0]).await;
        sleep(Duration::from_secs(1)).await;
    }
    let error = created.await.unwrap().unwrap_err();
    assert!(matches!(error.cause, HandshakeFailure::Timeout { .. }));
    assert!(start.elapsed() <= Duration::from_secs(31));
}

/// What is unsent for too long, too much, too large or silent is counted by its name.
#[tokio::test(start_paused = true)]
async fn limits_that_end_a_connection_are_counted() {
    static LARGE: Rpc<i64, String> = Rpc::new("large", 1);
    let large = Implementations::<()>::builder()
        .implement_blocking(&LARGE, |(), bytes: i64| {
            Ok("x".repeat(usize::try_from(bytes)?))
        })
        .build()
        .unwrap();
    let asks = |peer: Peer, bytes: i64, times: i64| async move {
        let mut peer = peer;
        for id in 0..times {
            peer.query(id, &LARGE.description(), &bytes).await;
        }
        peer
    };

    let config = Config::default().max_buffered_output(CAPACITY);
    let (connection, peer) = Peer::open(config, &large, (), 11).await;
    let unread = asks(peer, 100_000, 5).await;
    connection.closed().await;
    assert_met(&connection, Limit::BufferedOutput, 1);
    drop(unread);

    let config = Config::default().write_timeout(Duration::from_secs(20));
    let (connection, peer) = Peer::open(config, &large, (), 11).await;
    let unread = asks(peer, 100_000, 1).await;
    let start = Instant::now();
    connection.closed().await;
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_met(&connection, Limit::UnsentAge, 1);
    drop(unread);

    let config = Config::default().max_message_size(1000);
    let (connection, mut peer) = Peer::open(config, &large, (), 11).await;
    peer.send_bytes(&1001_u64.to_le_bytes()).await;
    connection.closed().await;
    assert_met(&connection, Limit::MessageSize, 1);

    let (connection, peer) = Peer::open(Config::default(), &large, (), 11).await;
    connection.closed().await;
    assert_met(&connection, Limit::Silence, 1);
    drop(peer);
}
