//! What a server is told before it starts.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use bin_prot::Info;
use bytes::Bytes;
use tokio::sync::watch;

use super::accepting::accept;
use super::tally::Tally;
use super::{Asked, Listener, Phase, Server};
use crate::connection::{Config, Connection, HandshakeError};
use crate::implementation::BoxFuture;
use crate::implementations::Implementations;

type MakeState<S, P> = dyn Fn(P, &Connection) -> S + Send + Sync;
type Admission<P> = dyn Fn(P) -> BoxFuture<bool> + Send + Sync;
type Validation<P> = dyn Fn(P, Option<Bytes>) -> BoxFuture<Result<(), Info>> + Send + Sync;
type OnHandshakeError<P> = dyn Fn(P, &HandshakeError) + Send + Sync;

/// Handshakes that go on at once, unless the program says otherwise.
const MAX_HANDSHAKES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// Collects what a server needs. Made by [`Server::builder`] for TCP, by
/// [`Server::unix_builder`] for Unix sockets, and by [`new`](Self::new) for every kind of
/// [`Listener`] whose clients are described by a `P`.
pub struct Builder<S, P = SocketAddr> {
    pub(super) implementations: Implementations<S>,
    pub(super) config: Config,
    pub(super) state: Box<MakeState<S, P>>,
    pub(super) max_connections: Option<NonZeroUsize>,
    pub(super) refuse_beyond: Option<NonZeroUsize>,
    pub(super) max_per_address: Option<NonZeroUsize>,
    pub(super) max_handshakes: NonZeroUsize,
    pub(super) admission: Option<Box<Admission<P>>>,
    pub(super) validation: Option<Arc<Validation<P>>>,
    pub(super) on_handshake_error: Option<Box<OnHandshakeError<P>>>,
}

impl<S: Send + Sync + 'static, P: Clone + Send + Sync + 'static> Builder<S, P> {
    /// Starts with what is to be served, and the function that makes each connection's state
    /// from what is known of its client. It runs after the handshake, before any query is
    /// handled.
    pub fn new(
        implementations: Implementations<S>,
        state: impl Fn(P, &Connection) -> S + Send + Sync + 'static,
    ) -> Self {
        Self {
            implementations,
            config: Config::default(),
            state: Box::new(state),
            max_connections: None,
            refuse_beyond: None,
            max_per_address: None,
            max_handshakes: MAX_HANDSHAKES,
            admission: None,
            validation: None,
            on_handshake_error: None,
        }
    }

    /// How connections behave. The two addresses are added to the description.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The most connections that are served at once, those whose handshake has not ended included.
    /// Default: any number. Further ones wait in the system's backlog until another one has ended;
    /// meanwhile their handshake may time out on the client's side (rule C-SK-3).
    #[must_use]
    pub fn max_connections(mut self, most: NonZeroUsize) -> Self {
        self.max_connections = Some(most);
        self
    }

    /// The most connections that are served at once, as above; but further clients are told:
    /// their connection closes with the kind
    /// [`ConnectionLimitReached`](rpc_wire::CloseReasonKind::ConnectionLimitReached) after the
    /// handshake, which is one of [those](Self::max_handshakes) going on. Default: any number.
    #[must_use]
    pub fn refuse_beyond(mut self, most: NonZeroUsize) -> Self {
        self.refuse_beyond = Some(most);
        self
    }

    /// The same for the connections from one IP address, whatever its ports, or of one user on a
    /// Unix socket. Default: any number.
    ///
    /// Many clients may share an address behind a translator of addresses; and who has a range of
    /// IPv6 addresses has many.
    #[must_use]
    pub fn max_connections_per_address(mut self, most: NonZeroUsize) -> Self {
        self.max_per_address = Some(most);
        self
    }

    /// The most handshakes that go on at once. Default 1024; ours. Further clients wait in the
    /// system's backlog. Each may take [`Config::handshake_deadline`] and hold
    /// [`Config::max_peer_metadata`] bytes, if the client has sent them.
    #[must_use]
    pub fn max_handshakes(mut self, most: NonZeroUsize) -> Self {
        self.max_handshakes = most;
        self
    }

    /// Decides by its address whether a client is accepted; one that is not sees the end of its
    /// connection, without a byte (rule C-SK-1). Default: everybody is.
    ///
    /// A client that nothing has been decided about counts as a connection and a handshake. A
    /// panic is a refusal.
    #[must_use]
    pub fn accept_if<Fut>(mut self, admit: impl Fn(P) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.admission = Some(Box::new(move |peer| Box::pin(admit(peer))));
        self
    }

    /// Decides by its address, or the credentials that a Unix socket knows, and its
    /// identification together whether a client is accepted. In place of [`Config::validate`],
    /// which has the details.
    #[must_use]
    pub fn validate<Fut, E>(
        mut self,
        validate: impl Fn(P, Option<Bytes>) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Info>,
    {
        let validate = Arc::new(validate);
        self.validation = Some(Arc::new(move |peer, identification| {
            let validate = validate.clone();
            Box::pin(async move { validate(peer, identification).await.map_err(Into::into) })
        }));
        self
    }

    /// Gets every error of a handshake, with the client's address, in place of the log
    /// (rule C-SK-2). Default: they are logged, and nothing else.
    #[must_use]
    pub fn on_handshake_error(
        mut self,
        on_error: impl Fn(P, &HandshakeError) + Send + Sync + 'static,
    ) -> Self {
        self.on_handshake_error = Some(Box::new(on_error));
        self
    }

    /// Starts accepting. Must be called within a tokio runtime.
    ///
    /// Failed handshakes concern nobody else. Running out of file descriptors pauses accepting:
    /// for 10 ms, and twice as long each time in a row, up to a second.
    ///
    /// # Errors
    /// The listener cannot tell its address.
    pub fn serve<L: Listener<Peer = P>>(self, listener: L) -> io::Result<Server<L::Address>> {
        let local_addr = listener.address()?;
        let limits_met = self.config.limits_met().clone();
        let (asking, asked) = watch::channel(Asked {
            phase: Phase::Accepting,
            deadline: None,
        });
        let (open, listening) = watch::channel(true);
        let tally = Arc::<Tally>::default();
        let accepting = tokio::spawn(accept(listener, self, tally.clone(), asked, open));
        Ok(Server {
            local_addr,
            asking,
            listening,
            tally,
            limits_met,
            accepting,
        })
    }
}

impl<S, P> fmt::Debug for Builder<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("implementations", &self.implementations)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
