//! The servers, over each transport one, which are replaced under load.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use rpc_core::connection::{Config, heartbeat};
use rpc_core::{Listener, Origin, Server, ServerBuilder};
use tokio::io::DuplexStream;
use tokio::net::unix::SocketAddr as UnixAddress;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::board::Board;
use super::ledger::{Done, Fault, Ledger};
use super::rpcs::{State, table};
use super::turns::Turns;
use crate::chance::Chance;

const FLUSH: Duration = Duration::from_secs(1);

/// For how long a connection that has been flushed waits for the peer to read the rest.
const LINGER: Duration = Duration::from_secs(1);

/// What a shutdown may take beyond its own limits, if every task has its turn at once.
const SLACK: Duration = Duration::from_secs(1);

/// How many times tasks wait for their turn in a shutdown, one behind the other: that of the
/// server, those of its connections several times, and that of whoever waits.
const TURNS: u32 = 10;

/// How connections on both sides behave: quick to give up.
pub(crate) fn config() -> Config {
    let heartbeat = heartbeat::Config::default()
        .send_every(Duration::from_secs(1))
        .timeout(Duration::from_secs(6));
    Config::default()
        .heartbeat(heartbeat)
        .handshake_timeout(Duration::from_secs(5))
        .flush_timeout(FLUSH)
        .reader_drain_timeout(Duration::from_secs(1))
        .write_timeout(Duration::from_secs(10))
}

/// Where clients in memory arrive.
pub(crate) struct Memory(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Memory {
    type Io = DuplexStream;
    type Peer = ();
    type Address = ();

    async fn accept(&mut self) -> io::Result<(DuplexStream, ())> {
        match self.0.recv().await {
            Some(io) => Ok((io, ())),
            None => std::future::pending().await,
        }
    }

    fn address(&self) -> io::Result<()> {
        Ok(())
    }

    fn describe(_: &DuplexStream, (): &()) -> String {
        "memory".to_owned()
    }

    fn origin((): &()) -> Option<Origin> {
        None
    }
}

struct Servers {
    memory: (Option<Server<()>>, mpsc::UnboundedSender<DuplexStream>),
    tcp: (Option<Server>, SocketAddr),
    unix: (Option<Server<UnixAddress>>, PathBuf),
}

/// The servers that there are now.
pub(crate) struct World {
    pub(crate) ledger: Arc<Ledger>,
    common: Common,
    servers: Mutex<Servers>,
    turns: Turns,
    /// In milliseconds.
    longest_shutdown: AtomicU64,
    /// The board's task.
    writing: JoinHandle<Result<()>>,
    directory: PathBuf,
    sockets: AtomicU64,
}

/// What the servers' connections share.
#[derive(Clone)]
struct Common {
    ledger: Arc<Ledger>,
    board: Arc<Board>,
}

fn builder<P: Clone + Send + Sync + 'static>(common: &Common) -> Result<ServerBuilder<State, P>> {
    let Common { ledger, board } = common.clone();
    let builder = ServerBuilder::new(table()?, move |_, connection| {
        State::new(connection, &ledger, &board)
    });
    // Failed handshakes are what the faults are about.
    Ok(builder.config(config()).on_handshake_error(|_, _| {}))
}

type InMemory = (Option<Server<()>>, mpsc::UnboundedSender<DuplexStream>);

fn in_memory(common: &Common) -> Result<InMemory> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let server = builder(common)?.serve(Memory(receiver))?;
    Ok((Some(server), sender))
}

fn over_tcp(common: &Common) -> Result<(Option<Server>, SocketAddr)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let server = builder(common)?.serve(TcpListener::from_std(listener)?)?;
    let address = server.local_addr();
    Ok((Some(server), address))
}

impl World {
    pub(crate) fn new(ledger: &Arc<Ledger>, chance: &mut Chance) -> Result<Self> {
        let board = Arc::new(Board::new());
        let common = Common {
            ledger: ledger.clone(),
            board: board.clone(),
        };
        let directory = std::env::temp_dir().join(format!("rpc-soak-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        let first = directory.join("first");
        let unix = builder(&common)?.serve(UnixListener::bind(&first)?)?;
        Ok(Self {
            ledger: ledger.clone(),
            servers: Mutex::new(Servers {
                memory: in_memory(&common)?,
                tcp: over_tcp(&common)?,
                unix: (Some(unix), first),
            }),
            common,
            turns: Turns::watch(),
            longest_shutdown: AtomicU64::new(0),
            writing: tokio::spawn(board.go_on(chance.fork())),
            directory,
            sockets: AtomicU64::new(0),
        })
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        self.servers().tcp.1
    }

    pub(crate) fn unix(&self) -> PathBuf {
        self.servers().unix.1.clone()
    }

    /// A client's end of a transport in memory. If the server is going, its other end is gone.
    pub(crate) fn memory(&self, capacity: usize) -> DuplexStream {
        let (near, far) = tokio::io::duplex(capacity);
        let _gone = self.servers().memory.1.send(far);
        near
    }

    /// Shuts one of the servers down while it is busy; another one has taken its place by then.
    pub(crate) async fn replace_one(&self, chance: &mut Chance) -> Result<()> {
        let grace = match chance.one_in(3) {
            true => None,
            false => Some(Duration::from_millis(chance.below(500))),
        };
        let ledger = &self.ledger;
        ledger.did(Done::Restarts);
        ledger.fault(Fault::Shutdown);
        match chance.below(3) {
            0 => {
                let next = in_memory(&self.common)?;
                let before = std::mem::replace(&mut self.servers().memory, next).0;
                self.stop(before, grace).await;
            }
            1 => {
                let next = over_tcp(&self.common)?;
                let before = std::mem::replace(&mut self.servers().tcp, next).0;
                self.stop(before, grace).await;
            }
            _ => {
                let number = self.sockets.fetch_add(1, Ordering::Relaxed);
                let path = self.directory.join(number.to_string());
                let server = builder(&self.common)?.serve(UnixListener::bind(&path)?)?;
                let next = (Some(server), path);
                let (before, path) = std::mem::replace(&mut self.servers().unix, next);
                self.stop(before, grace).await;
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    async fn stop<A>(&self, server: Option<Server<A>>, grace: Option<Duration>) {
        let Some(server) = server else { return };
        self.turns.lately();
        let begin = Instant::now();
        match grace {
            Some(grace) => server.shutdown_within(grace).await,
            None => server.shutdown().await,
        }
        let (lasted, turn) = (begin.elapsed(), self.turns.lately());
        let most = grace.unwrap_or_default() + FLUSH + LINGER + SLACK + TURNS * turn;
        let ledger = &self.ledger;
        ledger.check(
            lasted <= most,
            format_args!("shutdown took {lasted:?} where a turn took at most {turn:?}"),
        );
        let millis = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
        self.longest_shutdown.fetch_max(millis, Ordering::Relaxed);
    }

    /// Stops all of them.
    pub(crate) async fn end(self) {
        println!(
            "longest shutdown {} ms; a task waited for its turn for {} ms at most",
            self.longest_shutdown.load(Ordering::Relaxed),
            self.turns.longest().as_millis()
        );
        self.turns.stop().await;
        self.writing.abort();
        let error = match self.writing.await {
            Ok(Ok(())) => unreachable!("it writes for ever"),
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(error) => error.is_panic().then(|| error.to_string()),
        };
        if let Some(error) = error {
            let ledger = &self.ledger;
            ledger.violated(format_args!("writing to groups failed: {error}"));
        }
        let Servers { memory, tcp, unix } = {
            let servers = self.servers.into_inner();
            servers.unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(server) = memory.0 {
            server.shutdown().await;
        }
        if let Some(server) = tcp.0 {
            server.shutdown_within(Duration::from_secs(1)).await;
        }
        if let Some(server) = unix.0 {
            server.shutdown().await;
        }
        // A directory that is left over is the next run's.
        let _removed = std::fs::remove_dir_all(self.directory);
    }
}
