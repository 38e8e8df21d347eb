//! Persistent connections over TCP.

use std::fmt::Debug;
use std::sync::Arc;

use rpc_core::connection::Config;
use rpc_core::{Client, Connection, Implementations};
use tokio::net::ToSocketAddrs;

use super::builder::Builder;
use super::failure::ConnectFailure;
use crate::lookup::Lookup;

/// Connections by the ordinary [`Client`], described as `persistent connection to SERVER NAME`
/// (rule P-TC-1). For another transport, or from a certain address of this side, use a
/// [`Builder`] with a connect function of your own.
#[track_caller]
pub fn tcp<L>(
    server_name: impl Into<Arc<str>>,
    lookup: L,
    config: Config,
) -> Builder<L::Address, Connection, ConnectFailure>
where
    L: Lookup<Error: Into<ConnectFailure>>,
    L::Address: ToSocketAddrs<Future: Send> + Clone + Debug + PartialEq + Send + Sync + 'static,
{
    tcp_serving(
        server_name,
        lookup,
        config,
        Implementations::empty(),
        |_| (),
    )
}

/// The same, answering the server's queries with `implementations`. `state` is called for each
/// connection.
#[track_caller]
pub fn tcp_serving<L, S>(
    server_name: impl Into<Arc<str>>,
    lookup: L,
    config: Config,
    implementations: Implementations<S>,
    state: impl Fn(&Connection) -> S + Send + Sync + 'static,
) -> Builder<L::Address, Connection, ConnectFailure>
where
    L: Lookup<Error: Into<ConnectFailure>>,
    L::Address: ToSocketAddrs<Future: Send> + Clone + Debug + PartialEq + Send + Sync + 'static,
    S: Send + Sync + 'static,
{
    let server_name = server_name.into();
    let description = format!("persistent connection to {server_name}");
    let client = Client::new().config(config.description(description));
    let parts = Arc::new((client, implementations, state));
    Builder::new(server_name, lookup, move |address: L::Address| {
        let parts = parts.clone();
        async move {
            let (client, implementations, state) = &*parts;
            let connecting = client.connect_serving(address, implementations, state);
            connecting.await.map_err(ConnectFailure::from)
        }
    })
}
