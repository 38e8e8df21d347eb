//! What the peers keep in memory while nothing is said.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use benches::memory::{Idle, Kept, LocalBox, System, connections};
use tokio::net::TcpListener;

use crate::{capnproto, grpc, tarpc_, thrift};

/// A peer's calls, and its subscriptions if it has any.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    Tarpc,
    Tonic,
    Capnp,
    Volo,
}

impl System for Peer {
    fn name(&self) -> &'static str {
        match self {
            Self::Tarpc => "tarpc",
            Self::Tonic => "tonic",
            Self::Capnp => "capnp-rpc",
            Self::Volo => "volo-thrift",
        }
    }

    fn has(&self, idle: Idle) -> bool {
        match idle {
            Idle::Connections => true,
            Idle::Subscriptions => matches!(self, Self::Tonic | Self::Capnp),
        }
    }

    fn serve(&self, listener: TcpListener) -> LocalBox<'_, Result<()>> {
        match self {
            Self::Tarpc => Box::pin(tarpc_::serve(listener)),
            Self::Tonic => Box::pin(grpc::serve(listener, Default::default())),
            Self::Capnp => Box::pin(capnproto::serve(listener, Default::default())),
            Self::Volo => Box::pin(thrift::serve(listener)),
        }
    }

    fn open(&self, to: SocketAddr, idle: Idle, count: usize) -> LocalBox<'_, Result<Kept>> {
        Box::pin(async move {
            match (self, idle) {
                (Self::Tarpc, Idle::Connections) => {
                    connections::<tarpc_::Connected>(to, count).await
                }
                (Self::Tonic, Idle::Connections) => connections::<grpc::Connected>(to, count).await,
                (Self::Tonic, Idle::Subscriptions) => {
                    Ok(Box::new(grpc::subscribe_quietly(to, count).await?) as _)
                }
                (Self::Capnp, Idle::Connections) => {
                    connections::<capnproto::Connected>(to, count).await
                }
                (Self::Capnp, Idle::Subscriptions) => {
                    Ok(Box::new(capnproto::subscribe_quietly(to, count).await?) as _)
                }
                (Self::Volo, Idle::Connections) => {
                    connections::<thrift::Connected>(to, count).await
                }
                (Self::Tarpc | Self::Volo, Idle::Subscriptions) => bail!("it has no streams"),
            }
        })
    }
}
