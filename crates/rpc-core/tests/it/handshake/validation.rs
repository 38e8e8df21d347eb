//! Who is accepted as a peer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rpc_core::connection::{ClosedBy, Config, HandshakeFailure};
use rpc_core::{Connection, ConnectionClosed, DispatchError, HandlerError};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{CloseReason, CloseReasonKind};
use tokio::time::{Instant, sleep};

use super::{check_failure, creating, identified};
use crate::pair::{CAPACITY, alive_tasks, offering, settle};
use crate::peer::Peer;
use crate::rpcs::{ECHO, Notes, table};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Accepts the peer with this identification only.
fn demanding(config: Config, identification: &'static str) -> Config {
    config.validate(move |theirs: Option<Bytes>| async move {
        match theirs {
            Some(theirs) if theirs == identification => Ok(()),
            Some(theirs) => {
                let theirs = String::from_utf8_lossy(&theirs);
                Err(format!("Wrong peer identity: {theirs}"))
            }
            None => Err("Missing peer identity".to_owned()),
        }
    })
}

fn refusal(reason: &str) -> CloseReason {
    CloseReason {
        kind: CloseReasonKind::ConnectionValidationFailed,
        ..CloseReason::user(reason)
    }
}

/// What comes of a server and a client that demand each other's identification.
async fn meet(
    version: i64,
    server: Option<&'static str>,
    client: Option<&'static str>,
) -> (
    Result<Connection, HandshakeFailure>,
    Result<Connection, HandshakeFailure>,
    bool,
) {
    let introduced = |config: Config, identification: Option<&'static str>| match identification {
        Some(identification) => config.identification(identification),
        None => config,
    };
    let server = introduced(demanding(offering(version), "clin-id"), server);
    let client = introduced(demanding(offering(version), "serv-id"), client);
    let (server_io, client_io) = tokio::io::duplex(CAPACITY);
    let accepted = AtomicBool::new(false);
    let table = table();
    let state = |_: &Connection| {
        accepted.store(true, Ordering::Relaxed);
        Notes::default()
    };
    let (server, client) = tokio::join!(
        Connection::serve(server_io, server, &table, state),
        Connection::create(client_io, client),
    );
    let cause = |created: Result<Connection, rpc_core::connection::HandshakeError>| {
        created.map_err(|error| error.cause)
    };
    let accepted = accepted.into_inner();
    (cause(server), cause(client), accepted)
}

/// F8.
#[tokio::test(start_paused = true)]
async fn peers_that_are_right_are_accepted() {
    for version in 3..=11 {
        let (server, client, accepted) = meet(version, Some("serv-id"), Some("clin-id")).await;
        assert!(accepted && server.is_ok());
        let answer = ECHO.dispatch(&client.unwrap(), &"x".to_owned()).await;
        assert_eq!(answer.unwrap(), "x");
    }
}

/// F9, F12, C-HF-17: the refusing side's creation fails; the other side had accepted.
#[tokio::test(start_paused = true)]
async fn server_that_is_not_right_is_refused_by_the_client() {
    for (identification, reason) in [
        (None, "Missing peer identity"),
        (Some("identity"), "Wrong peer identity: identity"),
    ] {
        let (server, client, accepted) = meet(11, identification, Some("clin-id")).await;
        assert!(accepted);
        let HandshakeFailure::Refused(error) = client.unwrap_err() else {
            panic!();
        };
        assert_eq!(error.to_string(), reason);
        let closed = server.unwrap().closed().await;
        assert_eq!(closed.by, ClosedBy::Peer);
        assert_eq!(closed.reason, refusal(reason));
        settle().await;
        assert_eq!(alive_tasks(), 0);
    }
}

/// F10, F11, C-HF-22: the refused side has a connection; its end says why, as far as the version
/// can.
#[tokio::test(start_paused = true)]
async fn refused_client_has_a_connection_that_ends_with_the_reason() {
    for version in 3..=11 {
        for (identification, reason) in [
            (None, "Missing peer identity"),
            (Some("identity"), "Wrong peer identity: identity"),
        ] {
            let (server, client, accepted) = meet(version, Some("serv-id"), identification).await;
            assert!(!accepted, "the state was made");
            assert!(matches!(server, Err(HandshakeFailure::Refused(_))));
            let client = client.unwrap();
            let call = ECHO.dispatch(&client, &"x".to_owned()).await;
            let closed = client.closed().await;
            let Err(DispatchError::ConnectionClosed(ConnectionClosed { reason: end })) = call
            else {
                panic!("{call:?}");
            };
            assert_eq!(end, Some(closed.clone()));
            let text = closed.to_string();
            match version {
                3 => assert_eq!(closed.by, ClosedBy::Unknown),
                4..=9 => {
                    assert_eq!(closed.by, ClosedBy::Peer);
                    assert_eq!(closed.reason.kind, CloseReasonKind::Unspecified);
                    let embedded = format!("(Connection_validation_failed\"{reason}\")");
                    assert!(text.contains(&embedded), "{text}");
                }
                _ => {
                    assert_eq!(closed.by, ClosedBy::Peer);
                    assert_eq!(closed.reason, refusal(reason));
                }
            }
        }
    }
}

/// ZC10, C-HS-4: below version 3 nobody introduces themselves.
#[tokio::test(start_paused = true)]
async fn below_version_3_nobody_is_validated() {
    for version in [1, 2] {
        let (server, client, accepted) = meet(version, None, None).await;
        assert!(accepted && server.is_ok() && client.is_ok());
    }
}

/// ZC9, C-HS-9: our metadata is sent before; nothing else happens meanwhile.
#[tokio::test(start_paused = true)]
async fn slow_validation_delays_everything_but_our_metadata() {
    let config = Config::default()
        .handshake_deadline(Duration::MAX)
        .validation_timeout(Duration::MAX)
        .validate(|_| async {
            sleep(HOUR).await;
            Ok::<(), String>(())
        });
    let (mut peer, creating) = creating(config);
    let start = Instant::now();
    peer.exchange_headers(11).await;
    peer.expect_metadata().await;
    peer.send_frame(&[7, 0, 0]).await;
    sleep(HOUR - SECOND).await;
    assert!(!creating.is_finished());
    // The first one that was sent.
    peer.expect_heartbeat().await;
    assert_eq!(start.elapsed(), HOUR);
    let connection = creating.await.unwrap().unwrap();
    assert!(!connection.is_closed());
}

/// Open point 8: bounded, by default too.
#[tokio::test(start_paused = true)]
async fn validation_without_a_verdict_is_given_up() {
    for (config, limit) in [
        (Config::default(), 30 * SECOND),
        (Config::default().validation_timeout(2 * SECOND), 2 * SECOND),
    ] {
        let config = config.validate(|_| std::future::pending::<Result<(), String>>());
        let (mut peer, creating) = creating(config);
        peer.exchange_headers(11).await;
        peer.expect_metadata().await;
        let start = Instant::now();
        peer.send_frame(&[7, 0, 0]).await;
        sleep(limit - SECOND / 2).await;
        let reason = peer.expect_close_reason().await;
        assert_eq!(start.elapsed(), limit);
        assert_eq!(reason.kind, CloseReasonKind::ConnectionValidationFailed);
        let text = reason.to_string();
        assert!(text.contains("no verdict of the validation"), "{text}");
        peer.expect_end().await;
        let error = creating.await.unwrap().unwrap_err();
        check_failure(
            &error,
            |cause| matches!(cause, HandshakeFailure::ValidationTimeout { after } if *after == limit),
        );
    }
}

/// C-HF-25: whether the function panics or its future; the peer learns only that it is refused.
#[tokio::test(start_paused = true)]
async fn panic_of_the_validation_is_an_error_and_refuses() {
    fn panicking() -> Result<(), String> {
        panic!("secret")
    }
    let at_once = Config::default().validate(|_| std::future::ready(panicking()));
    let later = Config::default().validate(|_| async {
        sleep(SECOND).await;
        panicking()
    });
    for config in [at_once, later] {
        let (mut peer, creating) = creating(config);
        peer.exchange_headers(11).await;
        peer.expect_metadata().await;
        peer.send_frame(&[7, 0, 0]).await;
        let reason = peer.expect_close_reason().await;
        assert_eq!(reason.kind, CloseReasonKind::ConnectionValidationFailed);
        assert!(!reason.to_string().contains("secret"), "{reason}");
        peer.expect_end().await;
        let error = creating.await.unwrap().unwrap_err();
        let is_panic = |error: &HandlerError| error.to_string().contains("secret");
        check_failure(
            &error,
            |cause| matches!(cause, HandshakeFailure::Validation(error) if is_panic(error)),
        );
    }
}

/// C-HS-9: called once, with what the peer sent.
#[tokio::test(start_paused = true)]
async fn validation_gets_the_identification_once() {
    for (sent, seen) in [
        (PeerMetadata::default(), None),
        (identified(""), Some("")),
        (identified("me"), Some("me")),
    ] {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let config = Config::default().validate(move |identification: Option<Bytes>| {
            counter.fetch_add(1, Ordering::Relaxed);
            let right = identification.as_deref() == seen.map(str::as_bytes);
            async move {
                if right {
                    Ok(())
                } else {
                    Err("not what was sent")
                }
            }
        });
        let (mut peer, creating) = creating(config);
        peer.shake_hands(11, sent).await;
        creating.await.unwrap().unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}

/// C-HS-13: a peer may call while it is being validated.
#[tokio::test(start_paused = true)]
async fn query_during_validation_is_answered_afterwards() {
    let config = Config::default().validate(|_| async {
        sleep(5 * SECOND).await;
        Ok::<(), String>(())
    });
    let (mut peer, io) = Peer::new(CAPACITY);
    let table = table();
    let start = Instant::now();
    let (connection, ()) = tokio::join!(
        Connection::serve(io, config, &table, |_| Notes::default()),
        async {
            peer.shake_hands(11, PeerMetadata::default()).await;
            peer.query(1, &ECHO.description(), &"x").await;
            peer.expect_answer(1, &"x").await;
        },
    );
    connection.unwrap();
    assert_eq!(start.elapsed(), 5 * SECOND);
}
