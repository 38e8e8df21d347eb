//! volo-thrift: Thrift's binary encoding in framed messages, many calls on one connection. It has
//! no streams.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use benches::load::{
    Kind, Sample, System, Workload,
    caller::{self, Caller},
    check, payload,
};
use tokio::net::TcpListener;
use volo::net::{Address, incoming::DefaultIncoming};
use volo_thrift::ServerError;

#[allow(
    unsafe_code,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    reason = "generated, with other lints in mind"
)]
mod generated {
    // What volo-build 0.12.3 makes of `schema/echo.thrift`. Checked in, since it would take 125 more
    // crates to make it anew in every build.
    include!("../schema/echo_thrift.rs.in");
}
use generated::volo_gen::echo::{Echo, EchoClient, EchoClientBuilder, EchoServer};

/// Calls of volo-thrift.
#[derive(Debug)]
pub(crate) struct Volo;

impl System for Volo {
    fn name(&self) -> &'static str {
        "volo-thrift"
    }

    fn takes(&self, workload: Workload) -> bool {
        matches!(
            workload.kind,
            Kind::Calls { .. } | Kind::Paced { .. } | Kind::Connect
        )
    }

    fn round(&self, workload: Workload, duration: Duration) -> Result<Sample> {
        caller::round::<Connected, _>(workload, duration, serve)
    }
}

struct Service;

impl Echo for Service {
    async fn echo(&self, payload: pilota::Bytes) -> Result<pilota::Bytes, ServerError> {
        Ok(payload)
    }
}

pub(crate) async fn serve(listener: TcpListener) -> Result<()> {
    // Sockets that are accepted and made by volo send at once.
    EchoServer::new(Service)
        .multiplex(true)
        .run(DefaultIncoming::from(listener))
        .await
        .map_err(|error| anyhow::anyhow!(error))
}

#[derive(Clone)]
pub(crate) struct Connected(EchoClient);

impl Caller for Connected {
    /// The connection itself is made by the first call.
    async fn connect(to: SocketAddr) -> Result<Self> {
        let client = EchoClientBuilder::new("peers")
            .address(Address::Ip(to))
            .multiplex(true)
            .build();
        Ok(Self(client))
    }

    async fn call(&mut self, number: u64, bytes: usize) -> Result<()> {
        let response = self.0.echo(payload(number, bytes).into()).await?;
        check(&response, number, bytes)
    }
}
