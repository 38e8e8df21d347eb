//! What connecting costs if the two ends have to agree first, whoever does it.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use anyhow::{Result, bail, ensure};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{HIGH_WATER, Io, echo_one, put_frame};
use crate::load::{
    Kind, Sample, System, Workload,
    duel::{self, Tally},
};

/// Bytes of the first frame, from either side: which versions it speaks.
const HEADER: usize = 17;

/// Bytes of the second frame: the callee's menu of 20, and the caller's, who has none.
const CALLEE: usize = 144;
const CALLER: usize = 5;

/// Raw frames behind a handshake of as many bytes as ours, in as many flights: each side sends a frame,
/// and another one once it has the other's.
#[derive(Clone, Copy, Debug)]
pub struct RawHandshake;

impl System for RawHandshake {
    fn name(&self) -> &'static str {
        "raw-handshake"
    }

    fn takes(&self, workload: Workload) -> bool {
        workload.kind == Kind::Connect
    }

    fn round(&self, workload: Workload, duration: Duration) -> Result<Sample> {
        let bytes = workload.bytes;
        duel::run(duration, serve, move |to, tally| connect(to, tally, bytes))
    }
}

async fn serve(listener: TcpListener) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            socket = duel::accept(&listener) => {
                connections.spawn(agree_and_echo(socket?));
            }
            Some(ended) = connections.join_next() => ended??,
        }
    }
}

async fn agree_and_echo(socket: TcpStream) -> Result<()> {
    let mut io = Io::new(socket, HIGH_WATER);
    agree(&mut io, CALLEE, CALLER).await?;
    echo_one(io).await
}

async fn connect(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    for number in 0.. {
        let mut io = Io::new(duel::connect(to).await?, usize::MAX);
        agree(&mut io, CALLER, CALLEE).await?;
        io.call(number, bytes).await?;
        tally.add(1);
    }
    bail!("out of numbers")
}

async fn agree(io: &mut Io, ours: usize, theirs: usize) -> Result<()> {
    put_frame(&mut io.output, &[0; HEADER]);
    take(io, HEADER).await?;
    put_frame(&mut io.output, &vec![0; ours]);
    take(io, theirs).await
}

/// Sends what there is, and waits for a frame with a body of so many bytes.
async fn take(io: &mut Io, bytes: usize) -> Result<()> {
    loop {
        if let Some(body) = io.input.next_frame()? {
            ensure!(body.len() == bytes, "a frame of {} bytes", body.len());
            return Ok(());
        }
        ensure!(io.turn().await?, "the other end closed");
    }
}
