//! One call across two processes, as one trace: `cargo run --example trace`.
//!
//! This process starts itself again as the callee, calls it within a span, and prints what both
//! log. The trace's id is the same on every line; the parent of `rpc_handle` is `rpc_call`.
//!
//! ```text
//! callee │ INFO rpc_handle{… trace_id=… span_id=… parent_id=…}: adding 2 and 3
//! callee │ INFO rpc_handle{rpc=add version 1 id=1 … trace_id=… span_id=… parent_id=… outcome=ok}: close
//! caller │ INFO checkout:rpc_call{rpc=add version 1 id=1 … trace_id=… span_id=… parent_id=… outcome=ok}: close
//! caller │ INFO checkout: the sum is 5
//! caller │ INFO checkout: close
//! callee and caller belong to trace …
//! ```
#![expect(clippy::print_stdout, reason = "what an example shows is its output")]

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use rpc_core::{Client, Connection, Implementations, Rpc, Server};
use rpc_observe::Tracing;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tracing::{Instrument, info, info_span};
use tracing_subscriber::fmt::format::FmtSpan;

static ADD: Rpc<(i64, i64), i64> = Rpc::new("add", 1);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("callee") => callee().await,
        _ => caller().await,
    }
}

/// Lines without time and colour, and one for the end of each span.
macro_rules! log_to {
    ($writer:expr) => {
        tracing_subscriber::fmt()
            .without_time()
            .with_target(false)
            .with_ansi(false)
            .with_span_events(FmtSpan::CLOSE)
            .with_writer($writer)
            .init()
    };
}

fn observe(connection: &Connection) {
    // Nobody else has set the key of a new connection.
    let _set = Tracing::new().observe(connection);
}

async fn callee() -> anyhow::Result<()> {
    log_to!(std::io::stdout);
    let implementations = Implementations::builder()
        .implement(&ADD, |(): &(), (a, b): (i64, i64)| async move {
            info!("adding {a} and {b}");
            Ok(a.wrapping_add(b))
        })
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = Server::builder(implementations, |_peer, connection| observe(connection));
    let server = server.serve(listener)?;
    println!("{}", server.local_addr());
    // Until the caller lets go of our input.
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    server.shutdown().await;
    Ok(())
}

async fn caller() -> anyhow::Result<()> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = log.clone();
    log_to!(move || Log(writer.clone()));
    let mut callee = Command::new(std::env::current_exe()?)
        .arg("callee")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = callee.stdout.take().context("no output")?;
    let mut output = BufReader::new(output).lines();
    let address = output.next_line().await?.context("no address")?;

    let nothing = Implementations::empty();
    let client = Client::new();
    let connection = client.connect_serving(&*address, &nothing, observe).await?;
    async {
        let sum = ADD.dispatch(&connection, &(2, 3)).await?;
        info!("the sum is {sum}");
        anyhow::Ok(())
    }
    .instrument(info_span!("checkout"))
    .await?;

    drop(callee.stdin.take());
    let mut traces = Vec::new();
    while let Some(line) = output.next_line().await? {
        traces.extend(trace_id(&line));
        println!("callee │ {}", line.trim());
    }
    let log = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for line in String::from_utf8(log)?.lines() {
        traces.extend(trace_id(line));
        println!("caller │ {}", line.trim());
    }
    traces.dedup();
    anyhow::ensure!(traces.len() == 1, "more than one trace: {traces:?}");
    println!("callee and caller belong to trace {}", traces.concat());
    Ok(())
}

fn trace_id(line: &str) -> Option<String> {
    let (_, after) = line.split_once("trace_id=")?;
    after.split(' ').next().map(str::to_owned)
}

/// What is logged here is printed after what is logged there.
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
