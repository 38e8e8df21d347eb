//! tonic: gRPC over HTTP/2, with prost messages.

mod news;

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use benches::load::{
    Kind, Sample, System, Workload, check,
    duel::{self, Tally},
    payload,
};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Server},
};

use echo_client::EchoClient;
use echo_server::EchoServer;
use news::News;

#[expect(
    unreachable_pub,
    unused_qualifications,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/peers.Echo.rs"));
}
use generated::{echo_client, echo_server};

/// Calls and streams of tonic.
#[derive(Debug)]
pub(crate) struct Tonic;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Payload {
    #[prost(bytes = "vec", tag = "1")]
    bytes: Vec<u8>,
}

/// 8 bytes, whatever the number.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Number {
    #[prost(fixed64, tag = "1")]
    number: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Nothing {}

struct Service {
    news: News,
}

#[tonic::async_trait]
impl echo_server::Echo for Service {
    async fn echo(&self, query: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(query.into_inner()))
    }

    type CountStream = Pin<Box<dyn Stream<Item = Result<Number, Status>> + Send>>;

    async fn count(&self, _: Request<Nothing>) -> Result<Response<Self::CountStream>, Status> {
        let numbers = stream::iter((0..).map(|number| Ok(Number { number })));
        Ok(Response::new(Box::pin(numbers)))
    }

    type NewsStream = news::Updates;

    async fn news(&self, _: Request<Nothing>) -> Result<Response<Self::NewsStream>, Status> {
        Ok(Response::new(self.news.subscribe()))
    }
}

impl System for Tonic {
    fn name(&self) -> &'static str {
        "tonic"
    }

    fn takes(&self, workload: Workload) -> bool {
        !matches!(workload.kind, Kind::Callback | Kind::OneWay | Kind::State)
    }

    fn round(&self, workload: Workload, duration: Duration) -> Result<Sample> {
        let bytes = workload.bytes;
        let serve = |listener| serve(listener, News::default());
        match workload.kind {
            Kind::Calls { in_flight: 1 } => {
                duel::run(duration, serve, move |to, tally| ping(to, tally, bytes))
            }
            Kind::Calls { in_flight } => duel::run(duration, serve, move |to, tally| {
                tasks(to, tally, in_flight, bytes)
            }),
            Kind::Connect => duel::run(duration, serve, move |to, tally| connect(to, tally, bytes)),
            Kind::Stream => duel::run(duration, serve, receive),
            Kind::Group => duel::run(
                duration,
                move |listener| news::serve(listener, bytes),
                move |to, tally| news::subscribe(to, tally, bytes),
            ),
            Kind::Callback | Kind::OneWay | Kind::State => bail!("gRPC has none"),
        }
    }
}

async fn serve(listener: TcpListener, news: News) -> Result<()> {
    let incoming = TcpListenerStream::new(listener).map(|socket| {
        let socket = socket?;
        socket.set_nodelay(true)?;
        std::io::Result::Ok(socket)
    });
    let service = EchoServer::new(Service { news });
    Server::builder()
        .add_service(service)
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

async fn caller(to: SocketAddr) -> Result<EchoClient<Channel>> {
    let channel = Endpoint::from_shared(format!("http://{to}"))?
        .tcp_nodelay(true)
        .connect()
        .await?;
    Ok(EchoClient::new(channel))
}

async fn call(client: &mut EchoClient<Channel>, number: u64, bytes: usize) -> Result<()> {
    let query = Payload {
        bytes: payload(number, bytes),
    };
    let response = client.echo(query).await?.into_inner();
    check(&response.bytes, number, bytes)
}

async fn ping(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    let mut client = caller(to).await?;
    for number in 0.. {
        let start = Instant::now();
        call(&mut client, number, bytes).await?;
        tally.add_round_trip(start.elapsed());
    }
    bail!("out of numbers")
}

async fn tasks(to: SocketAddr, tally: Tally, in_flight: u64, bytes: usize) -> Result<Infallible> {
    let client = caller(to).await?;
    let mut tasks = JoinSet::new();
    for number in 0..in_flight {
        let (mut client, tally) = (client.clone(), tally.clone());
        tasks.spawn(async move {
            loop {
                call(&mut client, number, bytes).await?;
                tally.add(1);
            }
        });
    }
    tasks.join_next().await.context("nothing in flight")??
}

async fn connect(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    for number in 0.. {
        call(&mut caller(to).await?, number, bytes).await?;
        tally.add(1);
    }
    bail!("out of numbers")
}

async fn receive(to: SocketAddr, tally: Tally) -> Result<Infallible> {
    let mut numbers = caller(to).await?.count(Nothing {}).await?.into_inner();
    let mut received = 0;
    while let Some(Number { number }) = numbers.message().await? {
        ensure!(number == received, "{number} instead of {received}");
        tally.add(1);
        received += 1;
    }
    bail!("the stream ended")
}
