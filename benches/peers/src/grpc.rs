//! tonic: gRPC over HTTP/2, with prost messages.

mod news;

use std::{convert::Infallible, net::SocketAddr, pin::Pin, time::Duration};

use anyhow::{Result, bail, ensure};
use benches::load::{
    Kind, Sample, System, Workload,
    caller::{self, Caller},
    check,
    duel::{self, Tally},
    payload,
};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::net::TcpListener;
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
            Kind::Calls { .. } | Kind::Paced { .. } | Kind::Connect => {
                caller::round::<Connected, _>(workload, duration, serve)
            }
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

pub(crate) async fn serve(listener: TcpListener, news: News) -> Result<()> {
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

async fn client(to: SocketAddr) -> Result<EchoClient<Channel>> {
    let channel = Endpoint::from_shared(format!("http://{to}"))?
        .tcp_nodelay(true)
        .connect()
        .await?;
    Ok(EchoClient::new(channel))
}

#[derive(Clone)]
pub(crate) struct Connected(EchoClient<Channel>);

impl Caller for Connected {
    async fn connect(to: SocketAddr) -> Result<Self> {
        Ok(Self(client(to).await?))
    }

    async fn call(&mut self, number: u64, bytes: usize) -> Result<()> {
        let query = Payload {
            bytes: payload(number, bytes),
        };
        let response = self.0.echo(query).await?.into_inner();
        check(&response.bytes, number, bytes)
    }
}

async fn receive(to: SocketAddr, tally: Tally) -> Result<Infallible> {
    let mut numbers = client(to).await?.count(Nothing {}).await?.into_inner();
    let mut received = 0;
    while let Some(Number { number }) = numbers.message().await? {
        ensure!(number == received, "{number} instead of {received}");
        tally.add(1);
        received += 1;
    }
    bail!("the stream ended")
}

/// Subscribes so often to what is never sent, on one connection.
pub(crate) async fn subscribe_quietly(to: SocketAddr, count: usize) -> Result<Vec<Quiet>> {
    let client = client(to).await?;
    let mut subscriptions = Vec::with_capacity(count);
    for _ in 0..count {
        subscriptions.push(client.clone().news(Nothing {}).await?.into_inner());
    }
    Ok(subscriptions)
}

/// A subscription to what is never sent.
pub(crate) type Quiet = tonic::Streaming<Payload>;
