//! Servers and clients over TCP, most of them on several threads: what a paused clock and bytes
//! in memory cannot show.
//!
//! Nothing here depends on how long anything takes: what has to happen is waited for.

use std::net::SocketAddr;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Poll;
use std::time::Duration;

use bin_prot::to_vec;
use rpc_core::connection::{Closed, ClosedBy, Config, HandshakeError, HandshakeFailure, Step};
use rpc_core::{
    Client, ConnectError, Connection, ConnectionClosed, DispatchError, Implementations, Pipe,
    PipeCloseReason, PipeRpc, Rpc, Server,
};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{CloseReason, ProtocolVersion, RpcError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet, yield_now};
use tokio::time::timeout;

use crate::pair::{CAPACITY, alive_tasks, now};
use crate::peer::{Peer, framed, header};
use crate::rpcs::{
    COUNT, COUNTER, ECHO, ECHO_BLOCKING, FAIL, HOLD, MISSING, NOTE, Notes, SLEEP, table,
};
use crate::source::{self, Channel, Dropped, Endless};

/// Far more than anything takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than [`PATIENCE`], in milliseconds.
const HOUR: i64 = 3_600_000;
const VERSION: i64 = 11;

/// The address of whoever asks.
static WHO_AM_I: Rpc<(), String> = Rpc::new("who-am-i", 1);
/// 0, 1, 2 … as fast as they are taken.
static FLOOD: PipeRpc<(), i64, String> = PipeRpc::new("flood", 1);

/// Waits for what has to happen.
#[track_caller]
fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        let done = timeout(PATIENCE, future).await;
        done.unwrap_or_else(|_| panic!("waited in vain at {caller}"))
    }
}

/// Waits for what has to become true.
#[track_caller]
fn until(mut claim: impl FnMut() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !claim() {
            yield_now().await;
        }
    })
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn connect(address: SocketAddr) -> Connection {
    soon(Client::new().connect(address)).await.unwrap()
}

/// A stranger's socket, not to say a client's.
async fn socket(address: SocketAddr) -> TcpStream {
    soon(TcpStream::connect(address)).await.unwrap()
}

/// Waits until the server has accepted, and is waiting for a header.
async fn accepted(socket: &mut TcpStream) {
    soon(socket.read_u8()).await.unwrap();
}

/// Reads until the other side has ended or reset the connection.
async fn ended(socket: &mut TcpStream) {
    let mut nowhere = tokio::io::sink();
    // Which of the two is up to the operating system.
    let _ended = soon(tokio::io::copy(socket, &mut nowhere)).await;
}

/// A server, and its ends of its connections.
#[derive(Debug)]
struct Host {
    server: Server,
    ends: mpsc::UnboundedReceiver<Connection>,
}

impl Host {
    async fn serve<S: Send + Sync + 'static>(
        config: Config,
        implementations: Implementations<S>,
        state: impl Fn(SocketAddr) -> S + Send + Sync + 'static,
    ) -> Self {
        let (sender, ends) = mpsc::unbounded_channel();
        let builder = Server::builder(implementations, move |peer, connection| {
            // Most tests do not ask.
            let _asked = sender.send(connection.clone());
            state(peer)
        });
        let server = builder.config(config).serve(listener().await).unwrap();
        Self { server, ends }
    }

    /// One that serves the table of [`rpcs`](crate::rpcs).
    async fn new(config: Config) -> Self {
        Self::serve(config, table(), |_| Notes::default()).await
    }

    fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    async fn client(&self) -> Connection {
        connect(self.address()).await
    }

    /// The server's end of the next connection.
    async fn end(&mut self) -> Connection {
        soon(self.ends.recv()).await.unwrap()
    }
}

async fn assert_works(connection: &Connection) {
    let answer = soon(ECHO.dispatch(connection, &"fine".to_owned())).await;
    assert_eq!(answer.unwrap(), "fine");
}

#[track_caller]
fn check_end_of_input(closed: &Closed) {
    assert_eq!(closed.by, ClosedBy::Unknown);
    let reason = CloseReason::debug("EOF or connection closed");
    assert_eq!(closed.reason, reason);
}

#[track_caller]
fn check_shut_down(closed: &Closed) {
    assert_eq!(closed.by, ClosedBy::Peer);
    assert_eq!(closed.reason, CloseReason::user("server is shutting down"));
}

/// The end of the connection, which answered a call.
#[track_caller]
fn reason(error: DispatchError) -> Arc<Closed> {
    let DispatchError::ConnectionClosed(ConnectionClosed { reason }) = error else {
        panic!("{error:?}");
    };
    reason.unwrap()
}

// Calls.

async fn read_all<U>(mut pipe: Pipe<U>) -> Vec<U> {
    let mut updates = Vec::new();
    while let Some(update) = soon(pipe.next()).await {
        updates.push(update);
    }
    let reason = soon(pipe.close_reason()).await;
    assert!(matches!(reason, PipeCloseReason::ClosedRemotely));
    updates
}

async fn check_every_kind() {
    let notes = Notes::default();
    let noted = notes.clone();
    let mut host = Host::serve(Config::default(), table(), move |_| noted.clone()).await;
    let connection = host.client().await;
    let text = || "text".to_owned();

    assert_eq!(ECHO.dispatch(&connection, &text()).await.unwrap(), "text");
    let blocking = ECHO_BLOCKING.dispatch(&connection, &text());
    assert_eq!(soon(blocking).await.unwrap(), "text");
    assert_eq!(soon(SLEEP.dispatch(&connection, &1)).await.unwrap(), 1);
    let failed = soon(FAIL.dispatch(&connection, &text())).await;
    let failed = failed.unwrap_err().to_rpc_error();
    assert!(matches!(failed, RpcError::UncaughtExn(_)), "{failed}");
    let missing = soon(MISSING.dispatch(&connection, &text())).await;
    let missing = missing.unwrap_err().to_rpc_error();
    assert!(
        matches!(missing, RpcError::UnimplementedRpc(..)),
        "{missing}"
    );

    NOTE.dispatch(&connection, &text()).unwrap();
    // What is sent first is handled first.
    assert_works(&connection).await;
    assert_eq!(notes.get(), ["text"]);

    let pipe = soon(COUNT.dispatch(&connection, &3)).await;
    assert_eq!(read_all(pipe.unwrap().unwrap()).await, [0, 1, 2]);
    let refused = soon(COUNT.dispatch(&connection, &-1)).await;
    assert_eq!(refused.unwrap().unwrap_err(), "-1 is negative");
    let counter = soon(COUNTER.dispatch(&connection, &3)).await;
    let (state, pipe) = counter.unwrap().unwrap();
    assert_eq!(state, "3");
    assert_eq!(read_all(pipe).await, [0, 1, 2]);
    let refused = soon(COUNTER.dispatch(&connection, &-1)).await;
    assert_eq!(refused.unwrap().unwrap_err(), "-1 is negative");

    let mut held = soon(HOLD.dispatch(&connection, &()))
        .await
        .unwrap()
        .unwrap();
    held.close();
    let reason = soon(held.close_reason()).await;
    assert!(matches!(reason, PipeCloseReason::ClosedLocally));
    drop(held);

    let end = host.end().await;
    drop(connection);
    check_end_of_input(&*soon(end.closed()).await);
    soon(host.server.shutdown()).await;
}

/// C-SK-1, with one thread.
#[tokio::test]
async fn every_kind_of_rpc_works_over_sockets() {
    check_every_kind().await;
}

/// C-SK-1, with several threads.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_rpc_works_between_threads() {
    check_every_kind().await;
}

/// C-SK-6 says what clients do that implement nothing; others answer.
#[tokio::test(flavor = "multi_thread")]
async fn server_can_call_its_clients() {
    let mut host = Host::new(Config::default()).await;
    let table = table();
    let client = Client::new();
    let connecting = client.connect_serving(host.address(), &table, |_| Notes::default());
    let connection = soon(connecting).await.unwrap();
    let end = host.end().await;
    assert_works(&end).await;
    let pipe = soon(COUNT.dispatch(&end, &3)).await;
    assert_eq!(read_all(pipe.unwrap().unwrap()).await, [0, 1, 2]);
    assert_works(&connection).await;
}

/// C-SK-6.
#[tokio::test]
async fn client_without_implementations_answers_a_query_and_closes() {
    let mut host = Host::new(Config::default()).await;
    let connection = host.client().await;
    let end = host.end().await;
    let answer = soon(ECHO.dispatch(&end, &"anybody?".to_owned())).await;
    let error = answer.unwrap_err().to_rpc_error();
    assert!(matches!(error, RpcError::UnimplementedRpc(..)), "{error}");
    soon(connection.closed()).await;
    soon(end.closed()).await;
}

/// C19, C-OP-1: before any query is handled.
#[tokio::test(flavor = "multi_thread")]
async fn state_function_sees_the_address_of_the_peer() {
    let implementations = Implementations::<SocketAddr>::builder()
        .implement_blocking(&WHO_AM_I, |peer, ()| Ok(peer.to_string()))
        .build()
        .unwrap();
    let host = Host::serve(Config::default(), implementations, |peer| peer).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let socket = socket(host.address()).await;
        let address = socket.local_addr().unwrap();
        let connection = Connection::create(socket, Config::default());
        clients.push((soon(connection).await.unwrap(), address));
    }
    for (connection, address) in &clients {
        let me = soon(WHO_AM_I.dispatch(connection, &())).await;
        assert_eq!(me.unwrap(), address.to_string());
    }
}

/// C-SK-4.
#[tokio::test]
async fn descriptions_name_the_addresses() {
    let mut host = Host::new(Config::default()).await;
    let server = host.address();
    let socket = socket(server).await;
    let address = socket.local_addr().unwrap();
    let connection = soon(Connection::create(socket, Config::default())).await;
    let described = format!("TCP server {server} serving {address}");
    assert_eq!(host.end().await.description(), described);
    assert_eq!(connection.unwrap().description(), "<created-directly>");

    let connection = connect(server).await;
    let described = format!("Client connected via TCP to {server}");
    assert_eq!(connection.description(), described);
    let named = server.to_string();
    let connection = soon(Client::new().connect(named.as_str())).await.unwrap();
    assert_eq!(connection.description(), described);
}

/// C-SK-4, with descriptions of the user's.
#[tokio::test]
async fn descriptions_begin_with_the_words_of_the_user() {
    let mut host = Host::new(Config::default().description("prices")).await;
    let server = host.address();
    let client = Client::new().config(Config::default().description("trader"));
    let connection = soon(client.connect(server)).await.unwrap();
    let described = connection.description();
    assert_eq!(described, format!("(trader (via TCP {server}))"));
    let end = host.end().await;
    let described = end.description();
    let begins = format!("(prices (TCP server {server} serving ");
    assert!(described.starts_with(&begins), "{described}");
}

/// R-PL-22: one outcome for each dispatch, its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_from_many_tasks_get_their_own_answers() {
    const TASKS: usize = 16;
    const ROUNDS: usize = 25;
    const AT_ONCE: usize = 25;
    let host = Host::new(Config::default()).await;
    let connection = host.client().await;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let connection = connection.clone();
        tasks.spawn(async move {
            for round in 0..ROUNDS {
                let text = |call| format!("{task} {round} {call}");
                let calls: Vec<_> = (0..AT_ONCE)
                    .map(|call| ECHO.dispatch(&connection, &text(call)))
                    .collect();
                for (call, answer) in calls.into_iter().enumerate() {
                    assert_eq!(soon(answer).await.unwrap(), text(call));
                }
            }
        });
    }
    soon(tasks.join_all()).await;
    assert_eq!(connection.open_queries(), 0);
}

/// R-SC-6, R-SC-7, R-PL-23: what is dropped is forgotten by both ends, at whatever stage.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_streams_and_aborts_of_several_threads_leave_nothing_behind() {
    // More than one batch of updates.
    const LONG: i64 = 2500;
    let mut host = Host::new(Config::default()).await;
    let connection = host.client().await;
    let end = host.end().await;
    // Both ends have their tasks now.
    assert_works(&connection).await;
    let idle = alive_tasks();
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let connection = connection.clone();
        tasks.spawn(async move {
            for round in 0..20 {
                let text = format!("{task} {round}");
                let echo = ECHO.dispatch(&connection, &text);
                let count = COUNT.dispatch(&connection, &round);
                let held = HOLD.dispatch(&connection, &());
                let cut = COUNT.dispatch(&connection, &LONG);
                let forgotten = SLEEP.dispatch(&connection, &1);
                drop(COUNTER.dispatch(&connection, &LONG));
                let opened = soon(async { tokio::join!(held, count, cut, echo) }).await;
                let (held, count, cut, echo) = opened;
                assert_eq!(echo.unwrap(), text);
                let (held, mut cut) = (held.unwrap().unwrap(), cut.unwrap().unwrap());
                // Dropped by whichever thread takes it.
                tokio::spawn(async move { drop(held) });
                drop(forgotten);
                let counted: Vec<i64> = (0..round).collect();
                assert_eq!(read_all(count.unwrap().unwrap()).await, counted);
                assert_eq!(soon(cut.next()).await, Some(0));
                drop(cut);
            }
        });
    }
    soon(tasks.join_all()).await;
    until(|| connection.open_queries() == 0).await;
    until(|| end.served_streams() == 0).await;
    until(|| alive_tasks() == idle).await;
    assert_works(&connection).await;
}

/// *protocol* §2: up to the limit, however many reads it takes.
#[tokio::test(flavor = "multi_thread")]
async fn large_messages_pass_both_ways() {
    const SIZE: usize = 8 * 1024 * 1024;
    let host = Host::new(Config::default()).await;
    let connection = host.client().await;
    let digits = (0..SIZE + 1).map(|n| char::from(b'a' + (n % 23) as u8));
    let text: String = digits.collect();
    let (first, second) = (text[..SIZE].to_owned(), text[1..].to_owned());
    let first_answer = ECHO.dispatch(&connection, &first);
    let small_answer = ECHO.dispatch(&connection, &"small".to_owned());
    let second_answer = ECHO.dispatch(&connection, &second);
    // Not compared by `assert_eq`, which would print them.
    assert!(soon(first_answer).await.unwrap() == first);
    assert_eq!(soon(small_answer).await.unwrap(), "small");
    assert!(soon(second_answer).await.unwrap() == second);
}

// Strangers, and clients that are no better.

/// Writes `bytes`, and nothing more; waits until the server has had enough.
async fn write_garbage(address: SocketAddr, bytes: &[u8]) {
    let mut socket = socket(address).await;
    // The server may have had enough before.
    let _written = soon(socket.write_all(bytes)).await;
    let _ended = soon(socket.shutdown()).await;
    ended(&mut socket).await;
}

/// Carries bytes between the two until it is aborted, or one of them fails; then drops both.
fn relay(mut near: DuplexStream, mut far: TcpStream) -> AbortHandle {
    let relaying = tokio::spawn(async move {
        // It is over, well or not.
        let _over = copy_bidirectional(&mut near, &mut far).await;
    });
    relaying.abort_handle()
}

/// A scripted peer that is connected to the address, before its handshake.
async fn scripted(address: SocketAddr) -> Peer {
    let (peer, io) = Peer::new(CAPACITY);
    relay(io, socket(address).await);
    peer
}

/// C-SK-2: handshakes that fail concern nobody else, nor do connections that do.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_concern_nobody_else() {
    let mut host = Host::new(Config::default()).await;
    let (address, connection) = (host.address(), host.client().await);
    host.end().await;
    let silent = socket(address).await;
    let mut waiting = socket(address).await;
    accepted(&mut waiting).await;

    let half_a_header = framed(&header(ProtocolVersion::MAX));
    let half_a_header = &half_a_header[..half_a_header.len() / 2];
    let no_version = [2, 0, 0, 0, 0, 0, 0, 0, 1, 99];
    let garbage: [&[u8]; 6] = [
        b"",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &[0; 100_000],
        &[0xff; 100_000],
        half_a_header,
        &no_version,
    ];
    for bytes in garbage {
        write_garbage(address, bytes).await;
        assert_works(&connection).await;
        assert_works(&host.client().await).await;
        host.end().await;
    }

    for wait in [false, true] {
        let mut socket = socket(address).await;
        socket.set_zero_linger().unwrap();
        if wait {
            accepted(&mut socket).await;
        }
        drop(socket);
        assert_works(&connection).await;
        assert_works(&host.client().await).await;
        host.end().await;
    }

    let mut peer = scripted(address).await;
    peer.shake_hands(VERSION, PeerMetadata::default()).await;
    peer.send_frame(b"\xff\xff").await;
    peer.expect_close_reason().await;
    peer.expect_end().await;
    peer.end().await;
    let end = host.end().await;
    assert_eq!(soon(end.closed()).await.by, ClosedBy::Unknown);
    assert_works(&connection).await;
    assert_works(&host.client().await).await;

    drop((silent, waiting));
    soon(host.server.shutdown()).await;
}

/// W23, C-HF-25.
#[tokio::test(flavor = "multi_thread")]
async fn panicking_state_function_concerns_only_its_connection() {
    let (sender, mut ends) = mpsc::unbounded_channel();
    let server = Server::builder(table(), move |_, connection| {
        sender.send(connection.clone()).unwrap();
        let bad = connection.peer_identification().is_some();
        assert!(!bad, "no state for this one");
        Notes::default()
    });
    let server = server.serve(listener().await).unwrap();
    let before = connect(server.local_addr()).await;
    soon(ends.recv()).await.unwrap();

    let bad = Client::new().config(Config::default().identification("bad"));
    let connection = soon(bad.connect(server.local_addr())).await.unwrap();
    let call = ECHO.dispatch(&connection, &"anybody?".to_owned());
    assert!(soon(call).await.is_err());
    soon(connection.closed()).await;
    let end = soon(ends.recv()).await.unwrap();
    soon(end.closed()).await;

    assert_works(&before).await;
    assert_works(&connect(server.local_addr()).await).await;
    soon(server.shutdown()).await;
}

/// How a client's socket disappears.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Vanishing {
    Closed,
    Reset,
}

/// A client opens the stream, and is gone after the first update; so is the stream.
async fn check_vanished(vanishing: Vanishing, rpc: &PipeRpc<(), i64, String>) {
    let dropped = Dropped::default();
    let (sender, mut held) = mpsc::unbounded_channel();
    let (hold, flood) = (dropped.clone(), dropped.clone());
    let implementations = Implementations::<()>::builder()
        .implement_pipe(&HOLD, move |(), ()| {
            let (updates, stream) = Channel::new(&hold);
            updates.send(0).unwrap();
            sender.send(updates).unwrap();
            async { Ok(Ok(stream)) }
        })
        .implement_pipe(&FLOOD, move |(), ()| {
            let stream = Endless::new(Arc::<AtomicUsize>::default(), &flood);
            async { Ok(Ok(stream)) }
        })
        .build()
        .unwrap();
    let mut host = Host::serve(Config::default(), implementations, |_| ()).await;
    let socket = socket(host.address()).await;
    if vanishing == Vanishing::Reset {
        socket.set_zero_linger().unwrap();
    }
    let (near, far) = tokio::io::duplex(CAPACITY);
    let relay = relay(far, socket);
    let connection = soon(Connection::create(near, Config::default())).await;
    let connection = connection.unwrap();
    let mut pipe = soon(rpc.dispatch(&connection, &())).await.unwrap().unwrap();
    assert_eq!(soon(pipe.next()).await, Some(0));
    let end = host.end().await;
    assert!(!dropped.is_set());

    relay.abort();
    let closed = soon(end.closed()).await;
    assert_eq!(closed.by, ClosedBy::Unknown);
    assert!(dropped.is_set());
    assert_eq!(end.served_streams(), 0);
    if let Ok(updates) = held.try_recv() {
        soon(updates.closed()).await;
        check_end_of_input(&closed);
    }
    let reason = soon(pipe.close_reason()).await;
    assert!(matches!(reason, PipeCloseReason::Error(_)), "{reason:?}");
    soon(host.server.shutdown()).await;
}

/// C-RE-1.
#[tokio::test(flavor = "multi_thread")]
async fn vanished_client_takes_its_silent_streams_along() {
    check_vanished(Vanishing::Closed, &HOLD).await;
    check_vanished(Vanishing::Reset, &HOLD).await;
}

/// C-RE-1, C-CL-30: noticed by the reader or by the writer.
#[tokio::test(flavor = "multi_thread")]
async fn vanished_client_takes_its_busy_streams_along() {
    check_vanished(Vanishing::Closed, &FLOOD).await;
    check_vanished(Vanishing::Reset, &FLOOD).await;
}

/// C-BP-7.
#[tokio::test(flavor = "multi_thread")]
async fn peer_that_asks_and_never_reads_is_given_up() {
    let config = Config::default()
        .max_buffered_output(64 * 1024)
        .flush_timeout(Duration::from_millis(100));
    let mut host = Host::new(config).await;
    let other = host.client().await;
    host.end().await;

    let mut socket = socket(host.address()).await;
    let handshake = framed(&header(ProtocolVersion::MAX));
    soon(socket.write_all(&handshake)).await.unwrap();
    let metadata = PeerMetadata::default();
    let metadata = framed(&metadata.to_message(ProtocolVersion::MAX).unwrap());
    soon(socket.write_all(&metadata)).await.unwrap();
    let end = host.end().await;
    let (peer, _) = Peer::at(VERSION);
    let payload = to_vec(&"x".repeat(16 * 1024)).unwrap();
    let query = peer.query_message(1, &ECHO.description(), &payload);
    let asking = async { while socket.write_all(&query).await.is_ok() {} };
    soon(async { tokio::join!(asking, assert_works(&other)) }).await;

    let closed = soon(end.closed()).await;
    assert_eq!(closed.by, ClosedBy::Unknown);
    let reason = closed.to_string();
    assert!(reason.contains("peer does not read"), "{reason}");
    assert!(reason.contains("allowed are 65536"), "{reason}");
    assert_works(&other).await;
    soon(host.server.shutdown()).await;
}

/// C-BP-6: a stream waits for the transport; only who does not read is given up.
#[tokio::test(flavor = "multi_thread")]
async fn peer_that_reads_gets_streams_of_any_length() {
    let host = Host::new(Config::default().max_buffered_output(4096)).await;
    let connection = host.client().await;
    let pipe = soon(COUNT.dispatch(&connection, &10_000)).await;
    let counted: Vec<i64> = (0..10_000).collect();
    assert_eq!(read_all(pipe.unwrap().unwrap()).await, counted);
}

/// C-BP-7: what a stream has buffered is not held against whoever reads it.
#[tokio::test]
async fn peer_that_reads_a_stream_gets_its_other_answers() {
    static PAGES: PipeRpc<(), String, String> = PipeRpc::new("pages", 1);
    let implementations = Implementations::<()>::builder()
        .implement(&ECHO, |(), text| async move { Ok(text) })
        .implement_pipe(&PAGES, |(), ()| async {
            Ok(Ok(source::iter(vec!["x".repeat(1024); 100])))
        })
        .build()
        .unwrap();
    let config = Config::default().max_buffered_output(4096);
    let host = Host::serve(config, implementations, |_| ()).await;
    let connection = host.client().await;
    // They arrive together, and the first updates are buffered when the second is answered.
    let pages = PAGES.dispatch(&connection, &());
    let fine = assert_works(&connection);
    let (pages, ()) = soon(async { tokio::join!(pages, fine) }).await;
    assert_eq!(read_all(pages.unwrap().unwrap()).await.len(), 100);
}

/// C-BP-7: our own queries wait for nobody, but are told.
#[tokio::test]
async fn query_above_the_bound_fails_and_can_be_repeated() {
    let host = Host::new(Config::default()).await;
    let client = Client::new().config(Config::default().max_buffered_output(4096));
    let connection = soon(client.connect(host.address())).await.unwrap();
    let large = "x".repeat(4096);
    // Nothing leaves before the first await.
    let first = ECHO.dispatch(&connection, &large);
    let second = ECHO.dispatch(&connection, &large);
    let error = soon(second).await.unwrap_err();
    let DispatchError::OutputFull { buffered } = error else {
        panic!("{error:?}");
    };
    assert!(buffered > 4096, "{buffered}");
    assert_eq!(soon(first).await.unwrap(), large);
    soon(connection.flushed()).await;
    assert_works(&connection).await;
    assert_eq!(connection.open_queries(), 0);
}

/// R-SC-22: whoever ends a stream cannot try again, so the abort is sent above the bound, too.
#[tokio::test]
async fn abort_above_the_bound_is_sent_nevertheless() {
    let mut host = Host::new(Config::default()).await;
    let client = Client::new().config(Config::default().max_buffered_output(4096));
    let connection = soon(client.connect(host.address())).await.unwrap();
    let end = host.end().await;
    let held = soon(HOLD.dispatch(&connection, &()))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(end.served_streams(), 1);
    // Nothing leaves before the first await.
    let large = ECHO.dispatch(&connection, &"x".repeat(4096));
    drop(held);
    soon(large).await.unwrap();
    soon(connection.flushed()).await;
    assert_works(&connection).await;
    assert_eq!(end.served_streams(), 0);
    assert_eq!(connection.open_queries(), 0);
}

// The end of a server.

/// Waits until nobody listens at the address.
async fn deserted(address: SocketAddr) {
    soon(async {
        while let Ok(mut socket) = TcpStream::connect(address).await {
            ended(&mut socket).await;
        }
    })
    .await;
}

/// W20, C-CL-5, C-CL-21, C-CL-23: whoever is connected learns why, whoever waits gets an answer,
/// and then it is over.
#[tokio::test(flavor = "multi_thread")]
async fn shutdown_tells_clients_why_and_answers_their_calls() {
    let mut host = Host::new(Config::default()).await;
    let (address, mut ends) = (host.address(), Vec::new());
    let idle = host.client().await;
    ends.push(host.end().await);
    let calling = host.client().await;
    ends.push(host.end().await);
    let call = SLEEP.dispatch(&calling, &HOUR);
    let pipe = soon(HOLD.dispatch(&calling, &())).await.unwrap().unwrap();

    soon(host.server.shutdown()).await;
    for end in ends {
        let Poll::Ready(closed) = now(&mut Box::pin(end.closed())) else {
            panic!("{end:?} is not over");
        };
        assert_eq!(closed.by, ClosedBy::Local);
        assert_eq!(end.served_streams(), 0);
    }
    assert!(TcpStream::connect(address).await.is_err());
    check_shut_down(&*soon(idle.closed()).await);
    check_shut_down(&*soon(calling.closed()).await);
    check_shut_down(&reason(soon(call).await.unwrap_err()));
    let PipeCloseReason::Error(error) = soon(pipe.close_reason()).await else {
        panic!("no error");
    };
    check_shut_down(&reason(error));
    let late = soon(ECHO.dispatch(&idle, &"late".to_owned())).await;
    check_shut_down(&reason(late.unwrap_err()));
}

/// C-SK-2: a stranger who says nothing holds up nobody.
#[tokio::test(flavor = "multi_thread")]
async fn shutdown_does_not_wait_for_handshakes() {
    let host = Host::new(Config::default().handshake_timeout(Duration::MAX)).await;
    let address = host.address();
    let mut silent = socket(address).await;
    accepted(&mut silent).await;
    let mut half = socket(address).await;
    soon(half.write_all(&framed(&header(ProtocolVersion::MAX))))
        .await
        .unwrap();
    accepted(&mut half).await;
    soon(host.server.shutdown()).await;
    ended(&mut silent).await;
    ended(&mut half).await;
}

/// C-CL-14: the flush timeout bounds it.
#[tokio::test(flavor = "multi_thread")]
async fn shutdown_does_not_wait_for_a_client_that_does_not_read() {
    let dropped = Dropped::default();
    let flood = dropped.clone();
    let implementations = Implementations::<()>::builder()
        .implement_pipe(&FLOOD, move |(), ()| {
            let stream = Endless::new(Arc::<AtomicUsize>::default(), &flood);
            async { Ok(Ok(stream)) }
        })
        .build()
        .unwrap();
    let config = Config::default().flush_timeout(Duration::from_millis(100));
    let host = Host::serve(config, implementations, |_| ()).await;
    let mut peer = scripted(host.address()).await;
    peer.shake_hands(VERSION, PeerMetadata::default()).await;
    peer.open_stream(1, &FLOOD.description(), &()).await;
    peer.expect_start(1, &()).await;
    soon(host.server.shutdown()).await;
    assert!(dropped.is_set());
}

/// Our choice: dropping is shutting down without waiting.
#[tokio::test(flavor = "multi_thread")]
async fn dropped_server_stops_accepting_and_closes() {
    let mut host = Host::new(Config::default()).await;
    let (address, connection) = (host.address(), host.client().await);
    host.end().await;
    let call = SLEEP.dispatch(&connection, &HOUR);
    let mut stranger = socket(address).await;
    accepted(&mut stranger).await;
    drop(host);
    check_shut_down(&*soon(connection.closed()).await);
    check_shut_down(&reason(soon(call).await.unwrap_err()));
    ended(&mut stranger).await;
    deserted(address).await;
}

/// Our choice: once begun, it cannot be taken back.
#[tokio::test(flavor = "multi_thread")]
async fn shutdown_goes_on_when_its_future_is_dropped() {
    let mut host = Host::new(Config::default()).await;
    let (address, connection) = (host.address(), host.client().await);
    host.end().await;
    // Nobody cares whether it was quick.
    let _over = now(&mut Box::pin(host.server.shutdown()));
    check_shut_down(&*soon(connection.closed()).await);
    deserted(address).await;
}

// Connecting.

/// C-SK-8.
#[tokio::test]
async fn connecting_to_nobody_is_an_error_with_the_address() {
    // Bound, so that nobody else gets the port, but not listening.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let target = nobody.local_addr().unwrap();
    let error = soon(Client::new().connect(target)).await.unwrap_err();
    let ConnectError::Connect { address, source } = error else {
        panic!("{error:?}");
    };
    assert_eq!(address, target.to_string());
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionRefused);
}

const SHORT: Duration = Duration::from_millis(500);

/// What connecting with a short timeout comes to, if the other side says only this much.
async fn check_silent(said: Vec<u8>, expected: Step) {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    let accepting = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(&said).await.unwrap();
        ended(&mut socket).await;
    });
    let client = Client::new().config(Config::default().handshake_timeout(SHORT));
    let error = soon(client.connect(address)).await.unwrap_err();
    let ConnectError::Handshake(HandshakeError { connection, cause }) = error else {
        panic!("{error:?}");
    };
    assert!(connection.contains(&address.to_string()), "{connection}");
    let HandshakeFailure::Timeout { step, after } = cause else {
        panic!("{cause:?}");
    };
    assert_eq!(step, expected);
    assert!(after < SHORT, "connecting took no time");
    // Our end is closed.
    soon(accepting).await.unwrap();
}

/// C-HS-22: each step may take what connecting left.
#[tokio::test(flavor = "multi_thread")]
async fn handshake_of_a_client_gets_the_time_that_connecting_left() {
    check_silent(Vec::new(), Step::Header).await;
    let header = framed(&header(ProtocolVersion::MAX));
    check_silent(header, Step::ConnectionMetadata).await;
}

/// C-HS-22: connecting itself is limited, too.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn connecting_is_limited_by_the_handshake_timeout() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    // The system accepts as many as fit, and lets others wait.
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config::default().handshake_timeout(Duration::from_millis(50));
    let client = Client::new().config(config);
    let waiting = async {
        loop {
            match client.connect(address).await.unwrap_err() {
                ConnectError::Connect { source, .. } => break source,
                _accepted_by_the_system => {}
            }
        }
    };
    assert_eq!(soon(waiting).await.kind(), std::io::ErrorKind::TimedOut);
}

/// *Cancel safety* of `Client::connect`.
#[tokio::test]
async fn dropped_attempt_to_connect_closes_its_socket() {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    let attempt = tokio::spawn(async move { Client::new().connect(address).await });
    let (mut socket, _) = soon(listener.accept()).await.unwrap();
    accepted(&mut socket).await;
    attempt.abort();
    ended(&mut socket).await;
    assert!(soon(attempt).await.unwrap_err().is_cancelled());
}
