//! Every knob of a connection.

mod limits;

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bin_prot::Info;
use bytes::Bytes;
use rpc_wire::{Header, Menu, MenuError, ProtocolVersion, frame};

use super::heartbeat;
use crate::environment::Environment;
use crate::implementation::BoxFuture;
use crate::payload::dump::{Dump, Dumps};
pub(crate) use limits::Allowed;

/// How a connection behaves. Plain data; the defaults are the reference's.
///
/// ```
/// use std::time::Duration;
/// use rpc_core::connection::Config;
///
/// let config = Config::default()
///     .description("prices, from the exchange")
///     .handshake_timeout(Duration::from_secs(5));
/// # let _ = config;
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// The user's words; the addresses are added by whoever knows them.
    pub(crate) description: Option<String>,
    versions: Option<RangeInclusive<ProtocolVersion>>,
    pre_shared_headers: Option<Box<PreSharedHeaders>>,
    pub(crate) identification: Option<Bytes>,
    pub(crate) provide_shapes: bool,
    pub(crate) custom_menu: Option<CustomMenu>,
    pub(super) validation: Option<Validation>,
    pub(super) validation_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    heartbeat: heartbeat::Config,
    max_message_size: Option<usize>,
    pub(crate) max_buffered_output: usize,
    pub(crate) max_metadata_bytes_per_key: usize,
    pub(crate) write_timeout: Duration,
    pub(crate) flush_timeout: Duration,
    pub(crate) reader_drain_timeout: Duration,
    pub(crate) allowed: Allowed,
    dumps: Dumps,
    environment: Environment,
}

/// Headers that both sides know without exchanging them.
#[derive(Clone, Debug)]
struct PreSharedHeaders {
    ours: Header,
    peers: Header,
}

/// The function that makes each connection's menu.
#[derive(Clone)]
pub(crate) struct CustomMenu(Arc<dyn Fn() -> Result<Menu, MenuError> + Send + Sync>);

impl CustomMenu {
    pub(crate) fn make(&self) -> Result<Menu, MenuError> {
        (self.0)()
    }
}

impl fmt::Debug for CustomMenu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomMenu")
    }
}

/// The function that decides about peers.
#[derive(Clone)]
pub(super) struct Validation(Arc<dyn Fn(Option<Bytes>) -> Verdict + Send + Sync>);

type Verdict = BoxFuture<Result<(), Info>>;

impl Validation {
    pub(super) fn validate(&self, identification: Option<Bytes>) -> Verdict {
        (self.0)(identification)
    }
}

impl fmt::Debug for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Validation")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            description: None,
            versions: None,
            pre_shared_headers: None,
            identification: None,
            provide_shapes: false,
            custom_menu: None,
            validation: None,
            validation_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(30),
            heartbeat: heartbeat::Config::default(),
            max_message_size: None,
            max_buffered_output: 256 * 1024 * 1024,
            max_metadata_bytes_per_key: 1024,
            write_timeout: Duration::from_secs(120),
            flush_timeout: Duration::from_secs(5),
            reader_drain_timeout: Duration::from_secs(5),
            allowed: Allowed::default(),
            dumps: Dumps::default(),
            environment: Environment::default(),
        }
    }
}

impl Config {
    /// What the connection is called in errors and logs on this side. Default
    /// `<created-directly>`; [`Client`](crate::Client) and [`Server`](crate::Server) add the
    /// addresses (rule C-SK-4).
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The wire versions to offer. Default: all, up to what the
    /// [environment](Self::environment) says. The highest that both sides offer is used.
    #[must_use]
    pub fn versions(mut self, versions: RangeInclusive<ProtocolVersion>) -> Self {
        self.versions = Some(versions);
        self
    }

    /// Headers that both sides know beforehand, because whatever made the transport has brought
    /// them to agree: they are not exchanged, and the handshake begins behind them
    /// (rule C-HS-11). [`versions`](Self::versions) is not used then. Both sides must do so; one
    /// that does not takes the other's first message for a header. Default: none.
    #[must_use]
    pub fn pre_shared_headers(mut self, ours: Header, peers: Header) -> Self {
        self.pre_shared_headers = Some(Box::new(PreSharedHeaders { ours, peers }));
        self
    }

    /// Opaque bytes by which this side introduces itself, from version 3. Default: none.
    #[must_use]
    pub fn identification(mut self, identification: impl Into<Bytes>) -> Self {
        self.identification = Some(identification.into());
        self
    }

    /// Whether the menu that this side offers carries the digests of its RPCs' types. Default:
    /// no; they make the handshake longer by up to 64 bytes for each RPC.
    #[must_use]
    pub fn provide_shapes(mut self, provide: bool) -> Self {
        self.provide_shapes = provide;
        self
    }

    /// Offers this menu in place of what the table implements: what a proxy tells of others.
    /// The function is called once for each connection, before its handshake (rule C-CR-6), unless
    /// the table implements the menu RPC itself (rule C-CR-1). Default: none.
    ///
    /// Queries for what is only on the menu are queries for unknown RPCs. Digests in it are sent
    /// if [`provide_shapes`](Self::provide_shapes) says so. A failure is that of the connection's
    /// creation.
    ///
    /// ```
    /// use rpc_core::connection::Config;
    /// use rpc_wire::{Description, Menu};
    ///
    /// let config = Config::default().custom_menu(|| {
    ///     Menu::new([Description::new("price", 1), Description::new("price", 2)])
    /// });
    /// # let _ = config;
    /// ```
    #[must_use]
    pub fn custom_menu(
        mut self,
        menu: impl Fn() -> Result<Menu, MenuError> + Send + Sync + 'static,
    ) -> Self {
        self.custom_menu = Some(CustomMenu(Arc::new(menu)));
        self
    }

    /// Decides by its identification whether a peer is accepted; from version 3, since below it
    /// peers do not introduce themselves, and are accepted (rule C-HS-4). Default: everybody is.
    ///
    /// The function gets what the peer sent, or nothing. A peer that is refused learns the error
    /// from version 4 on; our own identification and menu have been sent to it before
    /// (rule C-HS-9). Nothing else happens on the connection while the function decides: the
    /// peer, for which the connection exists already, hears no heartbeats.
    ///
    /// ```
    /// use rpc_core::connection::Config;
    ///
    /// let config = Config::default().validate(|identification| async move {
    ///     match identification.as_deref() {
    ///         Some(b"exchange") => Ok(()),
    ///         Some(_) => Err("wrong peer identity"),
    ///         None => Err("missing peer identity"),
    ///     }
    /// });
    /// # let _ = config;
    /// ```
    #[must_use]
    pub fn validate<Fut, E>(
        mut self,
        validate: impl Fn(Option<Bytes>) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Info>,
    {
        let validate = Arc::new(validate);
        self.validation = Some(Validation(Arc::new(move |identification| {
            let validate = validate.clone();
            // A panic of the function itself is one of its future.
            Box::pin(async move { validate(identification).await.map_err(Into::into) })
        })));
        self
    }

    /// How long [`validate`](Self::validate) may take. Default 30 s: longer than that a peer with
    /// the default heartbeats would hardly wait for the first one. Ours, since the reference
    /// has no such limit; [`Duration::MAX`] is none.
    #[must_use]
    pub fn validation_timeout(mut self, timeout: Duration) -> Self {
        self.validation_timeout = timeout;
        self
    }

    /// How long each of the two steps of the handshake may wait for the peer. Default 30 s
    /// (rule C-HS-20). What we send in it, and [validation](Self::validate), have their own
    /// limits.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// When heartbeats are sent, and when a silent peer is given up.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: heartbeat::Config) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// The largest body of a message, in bytes, for reading and for writing. Default 100 MiB, or
    /// what the [environment](Self::environment) says; of that and this the larger counts.
    /// A message above it is not sent; one that arrives ends the connection. The two sides'
    /// limits are independent. A large message takes that much memory, though never before its
    /// bytes have arrived.
    #[must_use]
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = Some(bytes);
        self
    }

    /// How many bytes of queries and answers may wait for the peer to read what is before them.
    /// Default 256 MiB; ours, since the reference has no such limit. One message may pass it.
    /// Streams are not counted, since they wait by themselves, except what is written through a
    /// [`DirectStreamWriter`](crate::DirectStreamWriter), which does not.
    ///
    /// A peer that makes *answers* pile up beyond this is given up: the connection closes. A
    /// *query* of ours beyond it fails with
    /// [`OutputFull`](crate::DispatchError::OutputFull), and nothing closes.
    #[must_use]
    pub fn max_buffered_output(mut self, bytes: usize) -> Self {
        self.max_buffered_output = bytes;
        self
    }

    /// To how many bytes the metadata that goes with our queries is cut, for each key. Default
    /// 1024. Characters may be cut in two. What the peer sends is not cut.
    #[must_use]
    pub fn max_metadata_bytes_per_key(mut self, bytes: usize) -> Self {
        self.max_metadata_bytes_per_key = bytes;
        self
    }

    /// How long what was sent may wait for the transport to take it. Default 2 minutes. A peer
    /// that makes its oldest byte wait longer is given up: the connection closes (rule C-BP-7).
    ///
    /// Heartbeats usually find out sooner. They do not when the peer goes on sending, and does not
    /// read.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How long closing may wait for what is in the output buffer, and for what streams have
    /// ready, to be taken by the transport, unless the
    /// [close](super::Close::flush_timeout) says otherwise. Default 5 s. What is then still
    /// unsent is lost.
    #[must_use]
    pub fn flush_timeout(mut self, timeout: Duration) -> Self {
        self.flush_timeout = timeout;
        self
    }

    /// How long to go on reading after the transport stopped taking our bytes, in the hope of
    /// learning the peer's close reason. Default 5 s (rule C-CL-30).
    #[must_use]
    pub fn reader_drain_timeout(mut self, timeout: Duration) -> Self {
        self.reader_drain_timeout = timeout;
        self
    }

    /// Keeps the payloads of messages that cannot be decoded, each in a file of its own in this
    /// directory, which is made when it is needed. Default: they are not kept, unless the
    /// [environment](Self::environment) says so. The log says which file has what.
    ///
    /// For finding out what a peer means. The files are for this process's user alone, and take up
    /// 64 MiB together at most, for all connections with a copy of this configuration; after that
    /// nothing is kept. They are written where the message is handled, which waits for it.
    #[must_use]
    pub fn keep_undecodable(mut self, directory: impl Into<PathBuf>) -> Self {
        self.dumps.undecodable = Some(Dump::new(directory));
        self
    }

    /// The same with payloads whose value is readable, but has another length than was announced:
    /// what peers send that have another type in mind.
    #[must_use]
    pub fn keep_wrong_length(mut self, directory: impl Into<PathBuf>) -> Self {
        self.dumps.wrong_length = Some(Dump::new(directory));
        self
    }

    /// The description of a connection whose transport is described by `alone`, or by `beside`
    /// when the user's words stand before it (rule C-SK-4).
    pub(crate) fn described(mut self, alone: String, beside: &str) -> Self {
        self.description = Some(match self.description {
            Some(description) => format!("({description} ({beside}))"),
            None => alone,
        });
        self
    }

    pub(crate) fn text(&self) -> &str {
        self.description.as_deref().unwrap_or("<created-directly>")
    }

    /// Takes the process's [environment](Environment) into account. Default: it is not.
    #[must_use]
    pub fn environment(mut self, environment: &Environment) -> Self {
        self.environment = environment.clone();
        self
    }

    pub(crate) fn header(&self) -> Header {
        if let Some(headers) = &self.pre_shared_headers {
            return headers.ours.clone();
        }
        let highest = self.environment.max_version.unwrap_or(ProtocolVersion::MAX);
        let offered = |version: &ProtocolVersion| match &self.versions {
            Some(versions) => versions.contains(version),
            None => *version <= highest,
        };
        Header::new(ProtocolVersion::all().filter(offered))
    }

    /// The peer's header, if it is known beforehand.
    pub(super) fn peers_header(&self) -> Option<&Header> {
        Some(&self.pre_shared_headers.as_ref()?.peers)
    }

    /// Where payloads go that cannot be decoded.
    pub(super) fn dumps(&self) -> Option<Box<Dumps>> {
        let dumps = self.dumps.or(&self.environment.dumps);
        (dumps != Dumps::default()).then(|| Box::new(dumps))
    }

    /// The limit in effect (rule C-LM-2).
    pub(crate) fn message_limit(&self) -> usize {
        match (self.max_message_size, self.environment.max_message_size) {
            (Some(configured), Some(environment)) => configured.max(environment),
            (configured, environment) => configured.or(environment).unwrap_or(frame::DEFAULT_LIMIT),
        }
    }

    /// The heartbeats in effect (rule C-HB-8).
    pub(super) fn heartbeats(&self) -> heartbeat::Config {
        match self.environment.min_heartbeat_timeout {
            Some(timeout) => self.heartbeat.lengthened(timeout),
            None => self.heartbeat,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variable: &'static str, value: &str) -> Environment {
        Environment::from_variables(|name| (name == variable).then(|| value.into())).unwrap()
    }

    /// C8, C-LM-2: the table.
    #[test]
    fn larger_of_two_limits_counts() {
        const DEFAULT: usize = 104_857_600;
        const LARGE: usize = 209_715_200;
        const LARGER: usize = 314_572_800;
        for (requested, in_environment, effective) in [
            (None, None, DEFAULT),
            (Some(1), None, 1),
            (Some(LARGE), None, LARGE),
            (None, Some(1024), 1024),
            (Some(1), Some(1024), 1024),
            (Some(LARGE), Some(1024), LARGE),
            (None, Some(LARGER), LARGER),
            (Some(1), Some(LARGER), LARGER),
            (Some(LARGE), Some(LARGER), LARGER),
        ] {
            let mut config = Config::default();
            if let Some(bytes) = requested {
                config = config.max_message_size(bytes);
            }
            if let Some(bytes) = in_environment {
                let bytes = usize::to_string(&bytes);
                config = config.environment(&environment("ASYNC_RPC_MAX_MESSAGE_SIZE", &bytes));
            }
            assert_eq!(
                config.message_limit(),
                effective,
                "{requested:?} {in_environment:?}"
            );
        }
    }

    /// E2, C-EN-2: the bound is about what is offered by default.
    #[test]
    fn version_bound_concerns_the_default_header_only() {
        let bound = environment("ASYNC_RPC_FORCE_PROTOCOL_VERSION_NUMBER_UPPER_BOUND", "3");
        let offered = |config: Config| config.header().versions().collect::<Vec<_>>();
        let all: Vec<i64> = (1..=11).collect();
        assert_eq!(offered(Config::default()), all);
        let config = Config::default().environment(&bound);
        assert_eq!(offered(config.clone()), [1, 2, 3]);
        let version = |number| ProtocolVersion::new(number).unwrap();
        let config = config.versions(version(2)..=version(5));
        assert_eq!(offered(config.clone()), [2, 3, 4, 5]);
        let explicit = Header::new([version(7), version(9)]);
        let config = config.pre_shared_headers(explicit, Header::default());
        assert_eq!(offered(config), [7, 9]);
    }

    /// G6, C-HB-8: whatever the order of the setters.
    #[test]
    fn environment_lengthens_the_heartbeat_timeout() {
        for (value, effective) in [("45s", 45), ("15s", 30)] {
            let environment = environment("ASYNC_RPC_HEARTBEAT_TIMEOUT_OVERRIDE", value);
            let config = Config::default()
                .environment(&environment)
                .heartbeat(heartbeat::Config::default());
            let (timeout, min) = config.heartbeats().timeouts();
            assert_eq!(timeout.max(min).as_secs(), effective);
        }
    }
}
