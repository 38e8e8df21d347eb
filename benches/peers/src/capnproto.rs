//! capnp-rpc: Cap'n Proto between two parties. Streams are calls of an object that the caller hands
//! over, with flow control.

mod news;

use std::{cell::Cell, convert::Infallible, net::SocketAddr, rc::Rc, time::Duration};

use anyhow::{Result, bail};
use benches::load::{
    Kind, Sample, System, Workload,
    caller::{self, Caller},
    check,
    duel::{self, Tally},
    payload,
};
use capnp_rpc::{
    RpcSystem,
    rpc_twoparty_capnp::Side,
    twoparty::{VatId, VatNetwork},
};
use futures_util::{
    AsyncReadExt as _,
    io::{BufReader, BufWriter},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{self, AbortHandle},
};
use tokio_util::compat::TokioAsyncReadCompatExt as _;

use echo_capnp::{counter, echo};
use news::News;

#[allow(
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::semicolon_if_nothing_returned,
    clippy::use_self,
    reason = "generated, with other lints in mind"
)]
mod echo_capnp {
    include!(concat!(env!("OUT_DIR"), "/echo_capnp.rs"));
}

/// Calls and streams of capnp-rpc.
#[derive(Debug)]
pub(crate) struct Capnp;

impl System for Capnp {
    fn name(&self) -> &'static str {
        "capnp-rpc"
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
            Kind::Callback | Kind::OneWay | Kind::State => bail!("Cap'n Proto has none"),
        }
    }
}

struct Service {
    news: News,
}

impl echo::Server for Service {
    async fn echo(
        self: Rc<Self>,
        query: echo::EchoParams,
        mut response: echo::EchoResults,
    ) -> capnp::Result<()> {
        response.get().set_payload(query.get()?.get_payload()?);
        Ok(())
    }

    async fn count(
        self: Rc<Self>,
        query: echo::CountParams,
        _: echo::CountResults,
    ) -> capnp::Result<()> {
        let to = query.get()?.get_to()?;
        for number in 0.. {
            let mut update = to.add_request();
            update.get().set_number(number);
            update.send().await?;
        }
        Ok(())
    }

    async fn news(
        self: Rc<Self>,
        query: echo::NewsParams,
        _: echo::NewsResults,
    ) -> capnp::Result<()> {
        self.news.subscribe(query.get()?.get_to()?);
        Ok(())
    }
}

fn network(socket: TcpStream, side: Side) -> Box<VatNetwork<impl futures_util::AsyncRead + Unpin>> {
    let (reader, writer) = socket.compat().split();
    let (reader, writer) = (BufReader::new(reader), BufWriter::new(writer));
    Box::new(VatNetwork::new(reader, writer, side, Default::default()))
}

pub(crate) async fn serve(listener: TcpListener, news: News) -> Result<()> {
    let service: echo::Client = capnp_rpc::new_client(Service { news });
    loop {
        let socket = duel::accept(&listener).await?;
        let network = network(socket, Side::Server);
        task::spawn_local(RpcSystem::new(network, Some(service.clone().client)));
    }
}

#[derive(Clone)]
pub(crate) struct Connected {
    client: echo::Client,
    _driving: Rc<Driving>,
}

/// The task that drives a connection, which nothing else would end.
struct Driving(AbortHandle);

impl Drop for Driving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Caller for Connected {
    async fn connect(to: SocketAddr) -> Result<Self> {
        let network = network(duel::connect(to).await?, Side::Client);
        let mut system = RpcSystem::<VatId>::new(network, None);
        let client = system.bootstrap(Side::Server);
        let driving = Driving(task::spawn_local(system).abort_handle());
        Ok(Self {
            client,
            _driving: Rc::new(driving),
        })
    }

    async fn call(&mut self, number: u64, bytes: usize) -> Result<()> {
        let mut query = self.client.echo_request();
        query.get().set_payload(&payload(number, bytes));
        let response = query.send().promise.await?;
        check(response.get()?.get_payload()?, number, bytes)
    }
}

/// What is handed over to be told the numbers.
struct Counter {
    tally: Tally,
    next: Cell<u64>,
}

impl counter::Server for Counter {
    async fn add(self: Rc<Self>, update: counter::AddParams) -> capnp::Result<()> {
        let (number, next) = (update.get()?.get_number(), self.next.get());
        if number != next {
            return Err(capnp::Error::failed(format!("{number} instead of {next}")));
        }
        self.next.set(next + 1);
        self.tally.add(1);
        Ok(())
    }
}

async fn receive(to: SocketAddr, tally: Tally) -> Result<Infallible> {
    let connected = Connected::connect(to).await?;
    let next = Cell::new(0);
    let mut query = connected.client.count_request();
    let counter = capnp_rpc::new_client(Counter { tally, next });
    query.get().set_to(counter);
    query.send().promise.await?;
    bail!("the stream ended")
}

/// Subscribes so often to what is never sent, on one connection, which lives as long as what this
/// results in.
pub(crate) async fn subscribe_quietly(to: SocketAddr, count: usize) -> Result<Connected> {
    let connected = Connected::connect(to).await?;
    for _ in 0..count {
        news::subscribe_one(&connected, Tally::default(), 0).await?;
    }
    Ok(connected)
}
