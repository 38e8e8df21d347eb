//! Payloads that could not be decoded are kept, for programs that want that (*connection* §13).

use std::fs;
use std::path::PathBuf;

use rpc_core::connection::Config;
use rpc_core::{Connection, Environment};
use rpc_wire::Description;
use rpc_wire::handshake::PeerMetadata;

use crate::pair::{CAPACITY, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO, NOTE, Notes, table};

/// A directory that is removed in the end; not made before something is put into it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("rpc-core-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// What the files contain, and those since then are gone.
    fn take(&self) -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(&self.0) else {
            return Vec::new();
        };
        let take = |entry: Result<fs::DirEntry, _>| {
            let path = entry.unwrap().path();
            let content = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            content
        };
        entries.map(take).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // It exists only if the test put something into it.
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// Where the two sorts of payloads go, and a connection that says so.
struct Kept {
    undecodable: Directory,
    wrong_length: Directory,
}

impl Kept {
    fn new(test: &str) -> Self {
        Self {
            undecodable: Directory::new(&format!("{test}-undecodable")),
            wrong_length: Directory::new(&format!("{test}-wrong-length")),
        }
    }

    fn config(&self) -> Config {
        Config::default()
            .keep_undecodable(&self.undecodable.0)
            .keep_wrong_length(&self.wrong_length.0)
    }

    /// One payload of one of the sorts, and nothing else, since the last time.
    #[track_caller]
    fn expect(&self, undecodable: &[&[u8]], wrong_length: &[&[u8]]) {
        assert_eq!(self.undecodable.take(), undecodable);
        assert_eq!(self.wrong_length.take(), wrong_length);
    }
}

/// Sends a query with this payload, and looks at the error that comes back.
async fn ask(peer: &mut Peer, id: i64, rpc: &Description, payload: &[u8]) {
    let message = peer.query_message(id, rpc, payload);
    peer.send_bytes(&message).await;
    peer.expect_error(id).await;
}

#[tokio::test(start_paused = true)]
async fn undecodable_queries_are_kept_as_they_came() {
    let kept = Kept::new("queries");
    let (connection, mut peer) = Peer::open(kept.config(), &table(), Notes::default(), 11).await;
    let plain = ECHO.description();
    ask(&mut peer, 1, &plain, b"\x05he").await;
    kept.expect(&[b"\x05he"], &[]);
    ask(&mut peer, 2, &plain, b"\x02he!").await;
    kept.expect(&[], &[b"\x02he!"]);
    // The outer layer of a stream's query, and the inner one; both are kept whole.
    let stream = COUNT.description();
    ask(&mut peer, 3, &stream, b"nonsense").await;
    kept.expect(&[b"nonsense"], &[]);
    let inner = b"\xd1\xf5\x2f\xe2\x02\x03\x04";
    ask(&mut peer, 4, &stream, inner).await;
    kept.expect(&[], &[inner]);
    // What can be decoded is nobody's business.
    peer.query(5, &plain, &"fine").await;
    peer.expect_answer(5, &"fine").await;
    // The last of several messages that are alike.
    let mut messages = Vec::new();
    for (id, payload) in [(200, b"\x02on"), (201, b"\x02tw"), (202, b"\x05he")] {
        messages.extend(peer.query_message(id, &NOTE.description(), payload));
    }
    peer.send_bytes(&messages).await;
    connection.closed().await;
    kept.expect(&[b"\x05he"], &[]);
}

#[tokio::test(start_paused = true)]
async fn undecodable_responses_are_kept_as_they_came() {
    let kept = Kept::new("responses");
    let (mut peer, io) = Peer::new(CAPACITY);
    let (connection, ()) = tokio::join!(
        Connection::create(io, kept.config()),
        peer.shake_hands(11, PeerMetadata::default()),
    );
    let connection = connection.unwrap();
    let call = ECHO.dispatch(&connection, &String::new());
    let id = peer.expect_query().await.id;
    peer.respond(id, Ok(b"\x02he!")).await;
    call.await.unwrap_err();
    kept.expect(&[], &[b"\x02he!"]);

    let opening = COUNT.dispatch(&connection, &3);
    let id = peer.expect_query().await.id;
    peer.respond(id, Ok(b"\x07")).await;
    opening.await.unwrap_err();
    kept.expect(&[b"\x07"], &[]);

    let opening = COUNT.dispatch(&connection, &3);
    peer.expect_abort(id).await;
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let mut pipe = opening.await.unwrap().unwrap();
    peer.update(id, &1).await;
    peer.update(id, &[2, 3].as_slice()).await;
    assert_eq!(pipe.next().await, Some(1));
    assert_eq!(pipe.next().await, None);
    let update = b"\x79\x8a\x00\x00\x03\x02\x02\x03";
    kept.expect(&[], &[update]);
}

/// What the environment says holds unless the configuration says otherwise.
#[tokio::test(start_paused = true)]
async fn environment_and_configuration_say_where_payloads_go() {
    let kept = Kept::new("environment");
    let elsewhere = Directory::new("elsewhere");
    let environment = Environment::from_variables(|name| {
        let directory = match name {
            "ASYNC_RPC_DEBUG_DUMP_DESERIALIZATION_ERRORS" => &kept.undecodable,
            "ASYNC_RPC_DEBUG_DUMP_MESSAGE_LENGTH_ERRORS" => &elsewhere,
            _ => return None,
        };
        Some(directory.0.clone().into())
    });
    let config = Config::default()
        .environment(&environment.unwrap())
        .keep_wrong_length(&kept.wrong_length.0);
    let (_connection, mut peer) = Peer::open(config, &table(), Notes::default(), 11).await;
    ask(&mut peer, 1, &ECHO.description(), b"\x05he").await;
    ask(&mut peer, 2, &ECHO.description(), b"\x02he!").await;
    kept.expect(&[b"\x05he"], &[b"\x02he!"]);
    assert!(elsewhere.take().is_empty());
}

/// Nothing is kept that nobody asked for, and what cannot be kept harms nobody.
#[tokio::test(start_paused = true)]
async fn payload_that_cannot_be_kept_is_an_error_of_its_query_all_the_same() {
    let kept = Kept::new("impossible");
    // A file where the directory should be.
    fs::write(&kept.undecodable.0, "in the way").unwrap();
    let config = Config::default().keep_undecodable(&kept.undecodable.0);
    let (connection, mut peer) = Peer::open(config, &table(), Notes::default(), 11).await;
    ask(&mut peer, 1, &ECHO.description(), b"\x05he").await;
    ask(&mut peer, 2, &ECHO.description(), b"\x02he!").await;
    peer.query(3, &ECHO.description(), &"fine").await;
    peer.expect_answer(3, &"fine").await;
    settle().await;
    assert!(!connection.is_closed());
    assert!(!kept.wrong_length.0.exists());
    assert_eq!(fs::read(&kept.undecodable.0).unwrap(), b"in the way");
    fs::remove_file(&kept.undecodable.0).unwrap();
}
