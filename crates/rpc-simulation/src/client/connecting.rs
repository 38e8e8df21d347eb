//! Durable values over the network, which tell of all that happens to them.

mod persistent;

use std::io;
use std::sync::Arc;

use durable_rpc::{Durable, Listening};
use rpc_core::Connection;
use rpc_core::connection::HandshakeError;
use rpc_versioned::{ConnectionWithMenu, MenuRequestError};
use thiserror::Error;
use tokio::time::timeout;

use crate::fact::{Build, Fact};
use crate::names::{DurableName, LinkName};
use crate::network::{Address, Network};
use crate::plan::{DurablePlan, Kind};
use crate::settings;
use crate::world::World;

/// What subscriptions are made through.
#[derive(Clone, Debug)]
pub enum DurableValue {
    /// A connection.
    Plain(Durable<Connection>),
    /// A connection and its peer's menu.
    WithMenu(Durable<ConnectionWithMenu>),
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(super) enum ConnectError {
    /// The network has none.
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    /// The network does not answer.
    #[error("connecting takes too long")]
    Timeout,
    /// The peer does not agree.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The peer does not say what it implements.
    #[error(transparent)]
    Menu(#[from] MenuRequestError),
}

/// How connections are made.
#[derive(Debug)]
pub struct Making {
    /// For whom.
    pub name: DurableName,
    /// With which settings.
    pub plan: DurablePlan,
    /// Over which network.
    pub network: Network,
    /// Who is told.
    pub world: World,
}

impl DurableValue {
    /// A durable value that makes its connections like this, and what tells whether it is intact.
    pub fn new(making: Making) -> (Self, Listening) {
        let (kind, with_menu) = (making.plan.kind, making.plan.with_menu);
        let making = Arc::new(making);
        if let Kind::Persists { retry_delay, exact } = kind {
            return persistent::persistent(&making, retry_delay, exact);
        }
        let rebuilds = kind == Kind::Rebuilds;
        if with_menu {
            let build = |making: &Arc<Making>, build| {
                let making = making.clone();
                async move {
                    let connect = async {
                        let (connection, link) = making.connect().await?;
                        // A peer that does not answer would be waited for until its connection
                        // is given up.
                        let connection = ConnectionWithMenu::request(connection).await?;
                        Ok((connection, link))
                    };
                    making.told(build, connect).await
                }
            };
            let is_broken = |c: &ConnectionWithMenu| c.connection().is_closed();
            let (durable, listening) = durable(making, rebuilds, build, is_broken);
            return (Self::WithMenu(durable), listening);
        }
        let build = |making: &Arc<Making>, build| {
            let making = making.clone();
            async move { making.told(build, making.connect()).await }
        };
        let (durable, listening) = durable(making, rebuilds, build, Connection::is_closed);
        (Self::Plain(durable), listening)
    }
}

/// A durable value with or without a function that rebuilds.
fn durable<T, Fut>(
    making: Arc<Making>,
    rebuilds: bool,
    build: impl Fn(&Arc<Making>, Build) -> Fut + Copy + Send + Sync + 'static,
    is_broken: impl Fn(&T) -> bool + Send + Sync + 'static,
) -> (Durable<T>, Listening)
where
    T: Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<T, ConnectError>> + Send + 'static,
{
    let (creating, rebuilding, asking) = (making.clone(), making.clone(), making.clone());
    let is_broken = move |value: &T| {
        let broken = is_broken(value);
        if broken {
            asking.world.tell(Fact::FoundBroken(asking.name));
        }
        broken
    };
    let (world, name) = (making.world.clone(), making.name);
    let create = move || build(&creating, Build::Create);
    let durable = if rebuilds {
        let rebuild = move |_: T| build(&rebuilding, Build::Rebuild);
        Durable::with_rebuild(create, rebuild, is_broken)
    } else {
        Durable::new(create, is_broken)
    };
    let listening = listen(&durable, world, name);
    (durable, listening)
}

/// Tells of what the value tells.
fn listen<T>(durable: &Durable<T>, world: World, name: DurableName) -> Listening
where
    T: Clone + Send + Sync + 'static,
{
    durable.on_intactness(move |intact| world.tell(Fact::Intact(name, intact)))
}

impl Making {
    async fn connect(&self) -> Result<(Connection, LinkName), ConnectError> {
        self.connect_to(self.network.look_up(self.plan.server))
            .await
    }

    async fn connect_to(&self, address: Address) -> Result<(Connection, LinkName), ConnectError> {
        let connect = self.network.connect(self.name, self.plan.server, address);
        let end = timeout(self.plan.handshake_timeout, connect).await;
        let end = end.map_err(|_| ConnectError::Timeout)??;
        let link = end.link();
        let connection = Connection::create(end, settings::connection(&self.plan)).await?;
        Ok((connection, link))
    }

    async fn told<T>(
        &self,
        build: Build,
        connect: impl Future<Output = Result<(T, LinkName), ConnectError>>,
    ) -> Result<T, ConnectError> {
        self.world.tell(Fact::BuildStarted(self.name, build));
        let result = connect.await;
        let link = result.as_ref().map(|(_, link)| *link);
        let link = link.map_err(ToString::to_string);
        self.world.tell(Fact::BuildEnded(self.name, link));
        result.map(|(value, _)| value)
    }
}
