//! tarpc, with bincode in length-delimited frames. It has no streams.

use std::{
    convert::Infallible,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use benches::load::{
    Kind, Sample, System, Workload, check,
    duel::{self, Tally},
    payload,
};
use futures_util::StreamExt as _;
use tarpc::{
    client, context,
    serde_transport::{self, Transport},
    server::{BaseChannel, Channel as _},
    tokio_serde::formats::Bincode,
    tokio_util::codec::LengthDelimitedCodec,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

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
        matches!(workload.kind, Kind::Calls { .. } | Kind::Connect)
    }

    fn round(&self, workload: Workload, duration: Duration) -> Result<Sample> {
        let bytes = workload.bytes;
        match workload.kind {
            Kind::Calls { in_flight: 1 } => {
                duel::run(duration, serve, move |to, tally| ping(to, tally, bytes))
            }
            Kind::Calls { in_flight } => duel::run(duration, serve, move |to, tally| {
                tasks(to, tally, in_flight, bytes)
            }),
            Kind::Connect => duel::run(duration, serve, move |to, tally| connect(to, tally, bytes)),
            _ => bail!("tarpc has no streams"),
        }
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

async fn serve(listener: TcpListener) -> Result<()> {
    loop {
        let socket = duel::accept(&listener).await?;
        let requests = BaseChannel::with_defaults(framed(socket)).execute(Server.serve());
        tokio::spawn(requests.for_each(|request| async {
            tokio::spawn(request);
        }));
    }
}

async fn caller(to: SocketAddr) -> Result<EchoClient> {
    // As many as any workload has; the default is fewer.
    let mut config = client::Config::default();
    config.max_in_flight_requests = 1024;
    config.pending_request_buffer = 1024;
    Ok(EchoClient::new(config, framed(duel::connect(to).await?)).spawn())
}

async fn call(client: &EchoClient, number: u64, bytes: usize) -> Result<()> {
    let response = client.echo(context::current(), payload(number, bytes));
    check(&response.await?, number, bytes)
}

async fn ping(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    let client = caller(to).await?;
    for number in 0.. {
        let start = Instant::now();
        call(&client, number, bytes).await?;
        tally.add_round_trip(start.elapsed());
    }
    bail!("out of numbers")
}

async fn tasks(to: SocketAddr, tally: Tally, in_flight: u64, bytes: usize) -> Result<Infallible> {
    let client = caller(to).await?;
    let mut tasks = JoinSet::new();
    for number in 0..in_flight {
        let (client, tally) = (client.clone(), tally.clone());
        tasks.spawn(async move {
            loop {
                call(&client, number, bytes).await?;
                tally.add(1);
            }
        });
    }
    tasks.join_next().await.context("nothing in flight")??
}

async fn connect(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    for number in 0.. {
        call(&caller(to).await?, number, bytes).await?;
        tally.add(1);
    }
    bail!("out of numbers")
}
