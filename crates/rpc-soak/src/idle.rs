//! What ten thousand idle connections cost one server, and a busy connection beside them.
//!
//! The clients are in a process of their own, so that this one has the server's memory and nothing
//! else; and the busy connection's other end, which is there from the beginning.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rpc_core::{Client, Connection, Implementations, Rpc, Server};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::allocator;
use crate::process::Usage;

static ECHO: Rpc<String, String> = Rpc::new("echo", 1);

/// Descriptors beside those of the connections.
const OTHERS: u64 = 100;

/// Clients that shake hands at once.
const AT_ONCE: usize = 64;

/// Calls of the busy connection that are open at once.
const BUSY_CALLS: usize = 64;

/// Turns of measuring the busy connection; the median counts.
const TURNS: usize = 5;

/// How many.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Idle connections.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Seconds for each of five turns of the busy connection.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
}

/// Lets this process have so many descriptors.
fn raise_limit(connections: usize) -> Result<()> {
    let wanted = connections as u64 + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let maximum = limit.maximum;
    ensure!(
        maximum.is_none_or(|maximum| maximum >= wanted),
        "the system allows {maximum:?} descriptors, {wanted} are wanted"
    );
    let current = Some(wanted);
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}

/// Measures, and prints.
///
/// # Errors
/// Not all connections could be made, or not all live on.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    raise_limit(arguments.connections)?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(arguments))
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let connections = arguments.connections;
    let table = Implementations::builder()
        .implement_blocking(&ECHO, |(), text| Ok(text))
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = Server::builder(table, |_, _| ()).serve(listener)?;
    let busy = Client::new().connect(server.local_addr()).await?;
    let turn = Duration::from_secs(arguments.seconds);
    // Warms up.
    rate(&busy, turn).await?;
    let alone = median(&busy, turn).await?;
    let (held, usage) = (allocator::held(), Usage::of_this_process()?);

    let mut clients = Clients::start(server.local_addr(), connections)?;
    let (clients_back, lasted) = tokio::task::spawn_blocking(move || {
        let lasted = clients.wait_until_connected();
        (clients, lasted)
    })
    .await?;
    let lasted = lasted?;
    // Their buffers are given back after the handshake.
    sleep(Duration::from_secs(1)).await;
    ensure!(
        server.stats().connections == connections + 1,
        "not all are there"
    );
    let (now_held, now) = (allocator::held(), Usage::of_this_process()?);
    let each = |bytes: u64| bytes as f64 / connections as f64;
    println!(
        "{connections} connections in {lasted:.2} s, {:.0} per second",
        connections as f64 / lasted
    );
    println!(
        "memory for each on the server: {:.0} bytes allocated, {:.0} resident",
        each(now_held.saturating_sub(held) as u64),
        each(now.resident.saturating_sub(usage.resident) * 1024),
    );
    let beside = median(&busy, turn).await?;
    println!(
        "busy connection: {alone:.0} calls per second alone, {beside:.0} beside them ({:+.1} %)",
        100.0 * (beside - alone) / alone
    );
    // More than a heartbeat's time has gone by for all.
    sleep(Duration::from_secs(12)).await;
    ensure!(
        server.stats().connections == connections + 1,
        "only {} live on",
        server.stats().connections
    );
    drop(clients_back);
    busy.close();
    server.shutdown().await;
    Ok(())
}

async fn median(busy: &Connection, turn: Duration) -> Result<f64> {
    let mut rates = Vec::new();
    for _ in 0..TURNS {
        rates.push(rate(busy, turn).await?);
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates[TURNS / 2])
}

/// Calls per second, with as many open at once as a busy caller has.
async fn rate(busy: &Connection, turn: Duration) -> Result<f64> {
    let begin = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..BUSY_CALLS {
        let busy = busy.clone();
        callers.spawn(async move {
            let text = "a short text".to_owned();
            let mut calls = 0_u64;
            while begin.elapsed() < turn {
                ECHO.dispatch(&busy, &text).await?;
                calls += 1;
            }
            anyhow::Ok(calls)
        });
    }
    let mut calls = 0;
    while let Some(caller) = callers.join_next().await {
        calls += caller??;
    }
    Ok(calls as f64 / begin.elapsed().as_secs_f64())
}

/// The other process. It ends when its input does.
struct Clients(Child);

impl Clients {
    fn start(address: SocketAddr, connections: usize) -> Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args([
                "idle-clients",
                &address.to_string(),
                &connections.to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self(child))
    }

    /// Seconds that it took.
    fn wait_until_connected(&mut self) -> Result<f64> {
        let stdout = self.0.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        line.trim()
            .parse()
            .with_context(|| format!("the clients say {line:?}"))
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It has ended, or it will with this process.
        let _status = self.0.wait();
    }
}

/// Connects, says how many seconds that took, and waits for the end of its input.
///
/// # Errors
/// A connection could not be made.
pub(crate) fn clients(address: SocketAddr, connections: usize) -> Result<()> {
    raise_limit(connections)?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let all = runtime.block_on(async {
        let begin = Instant::now();
        let mut all = Vec::with_capacity(connections);
        let mut connecting = JoinSet::new();
        for started in 0..connections {
            connecting.spawn(async move { Client::new().connect(address).await });
            if started >= AT_ONCE
                && let Some(connected) = connecting.join_next().await
            {
                all.push(connected??);
            }
        }
        while let Some(connected) = connecting.join_next().await {
            all.push(connected??);
        }
        println!("{}", begin.elapsed().as_secs_f64());
        anyhow::Ok(all)
    })?;
    // The runtime's threads go on sending heartbeats.
    io::stdin().read_to_end(&mut Vec::new())?;
    drop(all);
    Ok(())
}
