//! What a persistent connection is made of.

use std::fmt::{self, Debug, Display};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rpc_core::Connection;
use rpc_versioned::{ConnectionWithMenu, MenuRequestError};
use tokio::sync::watch;

use super::closable::Closable;
use super::context::ConnectContext;
use super::cycle::Cycle;
use super::delay::RetryDelay;
use super::event::Event;
use super::failure::AttemptPanicked;
use super::progress::Progress;
use super::{PersistentConnection, Shared};
use crate::clock::{AnyClock, Clock, TokioClock};
use crate::listeners::Listeners;
use crate::lookup::Lookup;
use crate::random::Random;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(super) type LookUp<A, E> = Box<dyn Fn(u64) -> BoxFuture<Result<A, E>> + Send + Sync>;
pub(super) type Connect<A, C, E> =
    Box<dyn Fn(A, ConnectContext<E>) -> BoxFuture<Result<C, E>> + Send + Sync>;
pub(super) type OnEvent<A, E> = Box<dyn Fn(Event<A, E>) -> BoxFuture<()> + Send + Sync>;

/// What a persistent connection is made of, until it is [started](Self::start): connections `C` to
/// addresses `A`, and errors `E`.
///
/// `E` is what the connect function fails with, of any type with these abilities (rule P-US-8):
/// [`ConnectFailure`](super::ConnectFailure) will do, if nobody needs more than the text. The
/// errors of the lookup are converted to it.
pub struct Builder<A, C, E> {
    pub(super) server_name: Arc<str>,
    pub(super) created_at: &'static Location<'static>,
    pub(super) look_up: LookUp<A, E>,
    pub(super) connect: Connect<A, C, E>,
    pub(super) on_event: OnEvent<A, E>,
    pub(super) delay: RetryDelay,
    pub(super) clock: AnyClock,
}

impl<A, C, E> Builder<A, C, E>
where
    A: Clone + Debug + PartialEq + Send + Sync + 'static,
    C: Closable,
    E: Clone + Display + PartialEq + From<AttemptPanicked> + Send + Sync + 'static,
{
    /// Connections that `connect` makes to the addresses that `lookup` finds, each time anew. The
    /// name of the server is for logs.
    ///
    /// How long an attempt may take is up to the two: nothing else ends it, and closing waits for it.
    #[track_caller]
    pub fn new<L, Fut>(
        server_name: impl Into<Arc<str>>,
        lookup: L,
        connect: impl Fn(A) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        L: Lookup<Address = A>,
        L::Error: Into<E>,
        Fut: Future<Output = Result<C, E>> + Send + 'static,
    {
        Self::with_context(server_name, lookup, move |address, _| connect(address))
    }

    /// The same with a connect function that knows how often connecting has failed, and can end
    /// the attempts (rule P-US-7).
    #[track_caller]
    pub fn with_context<L, Fut>(
        server_name: impl Into<Arc<str>>,
        lookup: L,
        connect: impl Fn(A, ConnectContext<E>) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        L: Lookup<Address = A>,
        L::Error: Into<E>,
        Fut: Future<Output = Result<C, E>> + Send + 'static,
    {
        let lookup = Arc::new(lookup);
        Self {
            server_name: server_name.into(),
            created_at: Location::caller(),
            look_up: Box::new(move |failed_attempts| {
                let lookup = lookup.clone();
                Box::pin(async move {
                    let address = lookup.look_up(failed_attempts).await;
                    address.map_err(Into::into)
                })
            }),
            connect: Box::new(move |address, context| Box::pin(connect(address, context))),
            on_event: Box::new(|_| Box::pin(std::future::ready(()))),
            delay: RetryDelay::default(),
            clock: AnyClock::new(TokioClock),
        }
    }

    /// The least time between the beginnings of two attempts. Default: 10 s (rule P-CY-7).
    #[must_use]
    pub fn retry_delay(self, delay: Duration) -> Self {
        self.retry_delay_by(move || delay)
    }

    /// The same, asked before each attempt. If the function panics, that is logged, and the default
    /// stands in for what it would have said.
    #[must_use]
    pub fn retry_delay_by(mut self, delay: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.delay.delay = Box::new(delay);
        self
    }

    /// The delays as they are. Default: each is up to 30 % longer or shorter (rule P-CY-7).
    #[must_use]
    pub fn without_randomness(mut self) -> Self {
        self.delay.random = None;
        self
    }

    /// The same random numbers every time, for tests.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.delay.random = Some(Random::new(Some(seed)));
        self
    }

    /// The clock for the delays. Default: [`TokioClock`].
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = AnyClock::new(clock);
        self
    }

    /// Called for each event, and waited for: nothing goes on before its future is ready
    /// (rule P-CY-4). If it panics, that is logged, and things go on (rule P-CY-5). Beside it there
    /// may be any number of listeners: [`PersistentConnection::on_event`].
    #[must_use]
    pub fn on_event<Fut: Future<Output = ()> + Send + 'static>(
        mut self,
        on_event: impl Fn(Event<A, E>) -> Fut + Send + Sync + 'static,
    ) -> Self {
        self.on_event = Box::new(move |event| Box::pin(on_event(event)));
        self
    }

    /// Starts connecting (rule P-CY-1). Must be called within a tokio runtime: there is a task,
    /// which ends when the persistent connection has been closed.
    pub fn start(self) -> PersistentConnection<C, E> {
        let shared = Arc::new(Shared {
            server_name: self.server_name.clone(),
            progress: watch::Sender::new(Progress::new()),
            listeners: Listeners::new(),
        });
        tokio::spawn(Cycle::new(self, shared.clone()).run());
        PersistentConnection::new(shared)
    }
}

impl<A, E> Builder<A, Connection, E>
where
    A: 'static,
    E: From<MenuRequestError> + Send + 'static,
{
    /// The versioned variant: each connection comes with its peer's menu, and an attempt that does
    /// not get one has failed; its connection is closed (rule P-TC-2).
    #[must_use]
    pub fn with_menu(self) -> Builder<A, ConnectionWithMenu, E> {
        let connect = self.connect;
        Builder {
            server_name: self.server_name,
            created_at: self.created_at,
            look_up: self.look_up,
            connect: Box::new(move |address, context| {
                let connecting = connect(address, context);
                Box::pin(async move {
                    let connection = connecting.await?;
                    let requested = ConnectionWithMenu::request(connection.clone()).await;
                    requested.map_err(|error| {
                        connection.close();
                        error.into()
                    })
                })
            }),
            on_event: self.on_event,
            delay: self.delay,
            clock: self.clock,
        }
    }
}

impl<A, C, E> Debug for Builder<A, C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}
