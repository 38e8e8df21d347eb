//! A server whose answers are the test's: every query comes up as a [`Call`]. It can be stopped,
//! started, held and cut.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use durable_rpc::Durable;
use futures_core::Stream;
use rpc_core::connection::{Config, HandshakeError};
use rpc_core::{Connection, HandlerError, Implementations, OnUnknownRpc, PipeRpc, StateRpc};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};

use crate::link::Link;

pub(crate) static COUNT: StateRpc<i64, i64, i64, String> = StateRpc::new("count", 1);
/// As `count`, without the state.
pub(crate) static TICKS: PipeRpc<i64, i64, String> = PipeRpc::new("ticks", 1);

/// Lets everybody else run until there is nothing left to do.
pub(crate) async fn settle() {
    // The paused clock advances only then.
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// What has to happen some time. Connections that are idle keep the clock going, so a test that
/// waited without this would hang instead of failing.
pub(crate) async fn some_time<F: Future>(future: F) -> F::Output {
    let never = Duration::from_secs(100_000);
    let happened = tokio::time::timeout(never, future).await;
    happened.expect("it never happens")
}

pub(crate) struct Server {
    shared: Arc<Shared>,
    calls: mpsc::UnboundedReceiver<Call>,
}

struct Shared {
    implementations: Implementations<()>,
    is_up: AtomicBool,
    admits: Arc<AtomicBool>,
    connects: AtomicUsize,
    /// Whoever connects passes through it.
    door: Semaphore,
    links: Mutex<Vec<(Link, Connection)>>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("connection refused")]
    Refused,
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

impl Server {
    pub(crate) fn start() -> Self {
        let (sender, calls) = mpsc::unbounded_channel();
        let ask = move |query| {
            let (reply, answer) = oneshot::channel();
            let sent = sender.send(Call { query, reply });
            async move {
                sent.map_err(|_| HandlerError::new("the test is over"))?;
                answer.await?
            }
        };
        let ask_again = ask.clone();
        let admits = Arc::new(AtomicBool::new(true));
        let admitting = admits.clone();
        let implementations = Implementations::builder()
            .implement_state(&COUNT, move |_: &(), query| ask(query))
            .implement_pipe(&TICKS, move |_: &(), query| {
                let asked = ask_again(query);
                async move { Ok(asked.await?.map(|(_, updates)| updates)) }
            })
            .on_unknown_rpc(OnUnknownRpc::Continue)
            .build()
            .unwrap()
            .authorize(move |(): &(), _| {
                let admitted = admitting.load(Ordering::Relaxed);
                admitted
                    .then_some(())
                    .ok_or_else(|| HandlerError::new("not on the list"))
            });
        Self {
            shared: Arc::new(Shared {
                implementations,
                is_up: AtomicBool::new(true),
                admits,
                connects: AtomicUsize::new(0),
                door: Semaphore::new(1),
                links: Mutex::default(),
            }),
            calls,
        }
    }

    /// A connection to it that is made again once it is closed.
    pub(crate) fn durable(&self) -> Durable<Connection> {
        self.durable_unless(Connection::is_closed)
    }

    /// The same with another idea of what is broken.
    pub(crate) fn durable_unless(
        &self,
        is_broken: impl Fn(&Connection) -> bool + Send + Sync + 'static,
    ) -> Durable<Connection> {
        let shared = self.shared.clone();
        Durable::new(move || shared.clone().connect(), is_broken)
    }

    /// The next query.
    pub(crate) async fn call(&mut self) -> Call {
        some_time(self.calls.recv()).await.unwrap()
    }

    /// Whether queries have arrived that the test has not looked at.
    pub(crate) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Cuts every connection, and refuses new ones until [`restart`](Self::restart).
    pub(crate) fn stop(&self) {
        self.shared.is_up.store(false, Ordering::Relaxed);
        self.cut();
    }

    pub(crate) fn restart(&self) {
        self.shared.is_up.store(true, Ordering::Relaxed);
    }

    /// Whether queries are let through to the implementations; the others are not authorized.
    pub(crate) fn admit(&self, admits: bool) {
        self.shared.admits.store(admits, Ordering::Relaxed);
    }

    pub(crate) fn cut(&self) {
        self.each_link(Link::cut);
    }

    /// Reads nothing from the present connections, until [`release`](Self::release).
    pub(crate) fn hold(&self) {
        self.each_link(Link::hold);
    }

    pub(crate) fn release(&self) {
        self.each_link(Link::release);
    }

    /// Nobody who connects gets anywhere until the permit is dropped.
    pub(crate) fn shut_door(&self) -> SemaphorePermit<'_> {
        self.shared.door.try_acquire().unwrap()
    }

    /// Number of attempts to connect, successful or not.
    pub(crate) fn connects(&self) -> usize {
        self.shared.connects.load(Ordering::Relaxed)
    }

    /// Number of aborts that have arrived on all connections.
    pub(crate) fn aborts(&self) -> usize {
        let links = self.shared.links.lock().unwrap();
        links.iter().map(|(link, _)| link.aborts()).sum()
    }

    /// Number of streams being served on connections that are open.
    pub(crate) fn streams(&self) -> usize {
        let links = self.shared.links.lock().unwrap();
        let connections = links.iter().map(|(_, connection)| connection);
        connections
            .filter(|connection| !connection.is_closed())
            .map(Connection::served_streams)
            .sum()
    }

    fn each_link(&self, f: impl Fn(&Link)) {
        let links = self.shared.links.lock().unwrap();
        links.iter().for_each(|(link, _)| f(link));
    }
}

impl Shared {
    async fn connect(self: Arc<Self>) -> Result<Connection, ConnectError> {
        self.connects.fetch_add(1, Ordering::Relaxed);
        drop(self.door.acquire().await.unwrap());
        if !self.is_up.load(Ordering::Relaxed) {
            return Err(ConnectError::Refused);
        }
        let (near, far) = tokio::io::duplex(64 * 1024);
        let link = Link::new(far);
        let (callee, caller) = tokio::join!(
            Connection::serve(
                link.clone(),
                Config::default(),
                &self.implementations,
                |_| ()
            ),
            Connection::create(near, Config::default()),
        );
        self.links.lock().unwrap().push((link, callee?));
        Ok(caller?)
    }
}

/// A query that waits for the test to answer it.
pub(crate) struct Call {
    pub(crate) query: i64,
    reply: oneshot::Sender<Answer>,
}

type Answer = Result<Result<(i64, Updates), String>, HandlerError>;

impl Call {
    /// A stream begins; dropping the feed ends it in the ordinary way.
    pub(crate) fn accept(self, state: i64) -> Feed {
        let (feed, updates) = mpsc::unbounded_channel();
        // Nobody is there to take it if the call has been cancelled; the feed is aborted then.
        let _cancelled = self.reply.send(Ok(Ok((state, Updates(updates)))));
        Feed(feed)
    }

    /// The user error.
    pub(crate) fn refuse(self, error: &str) {
        self.answer(Ok(Err(error.to_owned())));
    }

    /// The handler fails.
    pub(crate) fn fail(self, text: &str) {
        self.answer(Err(HandlerError::new(text)));
    }

    /// Waits until the caller has given up.
    pub(crate) async fn cancelled(&mut self) {
        some_time(self.reply.closed()).await;
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.reply.is_closed()
    }

    fn answer(self, answer: Answer) {
        assert!(self.reply.send(answer).is_ok(), "the call was cancelled");
    }
}

/// The producing end of a stream that is being served.
pub(crate) struct Feed(mpsc::UnboundedSender<i64>);

impl Feed {
    pub(crate) fn send(&self, update: i64) {
        assert!(self.0.send(update).is_ok(), "the stream was aborted");
    }

    /// Waits until nobody wants the updates any more.
    pub(crate) async fn aborted(&self) {
        some_time(self.0.closed()).await;
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.0.is_closed()
    }

    /// The ordinary end.
    pub(crate) fn end(self) {}
}

struct Updates(mpsc::UnboundedReceiver<i64>);

impl Stream for Updates {
    type Item = i64;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<i64>> {
        self.0.poll_recv(cx)
    }
}
