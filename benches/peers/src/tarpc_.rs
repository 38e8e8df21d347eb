//! tarpc, with bincode in length-delimited frames. It has no streams.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use benches::load::{
    Kind, Sample, System, Workload,
    caller::{self, Caller},
    check, duel, payload,
};
use futures_util::StreamExt as _;
use tarpc::{
    client, context,
    serde_transport::{self, Transport},
    server::{BaseChannel, Channel as _},
    tokio_serde::formats::Bincode,
    tokio_util::codec::LengthDelimitedCodec,
};
use tokio::net::{TcpListener, TcpStream};

/// Calls of tarpc.
#[derive(Debug)]
pub(crate) struct Tarpc;

#[tarpc::service]
trait Echo {
    async fn echo(payload: Vec<u8>) -> Vec<u8>;
}

#[derive(Clone)]
struct Server;

impl Echo for Server {
    async fn echo(self, _: context::Context, payload: Vec<u8>) -> Vec<u8> {
        payload
    }
}

impl System for Tarpc {
    fn name(&self) -> &'static str {
        "tarpc"
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

fn framed<Item, SinkItem>(
    socket: TcpStream,
) -> Transport<TcpStream, Item, SinkItem, Bincode<Item, SinkItem>>
where
    Item: for<'de> tarpc::serde::Deserialize<'de>,
    SinkItem: tarpc::serde::Serialize,
{
    let framed = LengthDelimitedCodec::builder().new_framed(socket);
    serde_transport::new(framed, Bincode::default())
}

pub(crate) async fn serve(listener: TcpListener) -> Result<()> {
    loop {
        let socket = duel::accept(&listener).await?;
        let requests = BaseChannel::with_defaults(framed(socket)).execute(Server.serve());
        tokio::spawn(requests.for_each(|request| async {
            tokio::spawn(request);
        }));
    }
}

#[derive(Clone)]
pub(crate) struct Connected(EchoClient);

impl Caller for Connected {
    async fn connect(to: SocketAddr) -> Result<Self> {
        // As many as any workload has; the default is fewer.
        let mut config = client::Config::default();
        config.max_in_flight_requests = 1024;
        config.pending_request_buffer = 1024;
        let socket = duel::connect(to).await?;
        Ok(Self(EchoClient::new(config, framed(socket)).spawn()))
    }

    async fn call(&mut self, number: u64, bytes: usize) -> Result<()> {
        let response = self.0.echo(context::current(), payload(number, bytes));
        check(&response.await?, number, bytes)
    }
}
