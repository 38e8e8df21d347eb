//! The limit: frames over TCP that nobody understands, read and written in batches.

mod handshake;

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    CONNECTIONS, Kind, MEMBERS, Sample, System, Workload, check,
    duel::{self, Tally},
    pacer::Pacer,
};

pub use handshake::RawHandshake;

/// How much is sent at once where nothing is waited for.
pub(super) const BATCH_BYTES: usize = 64 * 1024;

/// Room for what is read at once: several of the largest payloads.
const INPUT_BYTES: usize = 256 * 1024;

/// Bytes that wait to be written at which an echo stops reading.
const HIGH_WATER: usize = 1024 * 1024;

/// Frames over TCP, and no more.
#[derive(Clone, Copy, Debug)]
pub struct Raw;

impl System for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn takes(&self, workload: Workload) -> bool {
        // There is nothing but functions that are handed what has come.
        workload.kind != Kind::Callback
    }

    fn round(&self, workload: Workload, duration: Duration) -> Result<Sample> {
        let bytes = workload.bytes;
        match workload.kind {
            Kind::Calls { in_flight: 1 } => {
                duel::run(duration, echo, move |to, tally| ping(to, tally, bytes))
            }
            Kind::Calls { in_flight } => duel::run(duration, echo, move |to, tally| {
                calls(to, tally, in_flight, bytes)
            }),
            Kind::Paced { per_second } => duel::run(duration, echo, move |to, tally| {
                paced(to, tally, per_second, bytes)
            }),
            // Which side connects makes no difference.
            Kind::Stream | Kind::Callback | Kind::State | Kind::OneWay => duel::run(
                duration,
                move |listener| async move { stream(duel::accept(&listener).await?, 1, bytes).await },
                move |to, tally| async move { receive(duel::connect(to).await?, tally, 1, bytes).await },
            ),
            Kind::Group => duel::run(
                duration,
                move |listener| fan_out(listener, bytes),
                move |to, tally| fan_in(to, tally, bytes),
            ),
            Kind::Connect => duel::run(duration, echo, move |to, tally| connect(to, tally, bytes)),
        }
    }
}

/// Answers every frame of every connection with itself.
async fn echo(listener: TcpListener) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            socket = duel::accept(&listener) => {
                connections.spawn(echo_one(Io::new(socket?, HIGH_WATER)));
            }
            Some(ended) = connections.join_next() => ended??,
        }
    }
}

async fn echo_one(mut io: Io) -> Result<()> {
    loop {
        while let Some(body) = io.input.next_frame()? {
            put_frame(&mut io.output, body);
        }
        if !io.turn().await? {
            return Ok(());
        }
    }
}

/// Keeps `in_flight` frames on their way, each followed by another as it comes back.
async fn calls(to: SocketAddr, tally: Tally, in_flight: u64, bytes: usize) -> Result<Infallible> {
    let mut io = Io::new(duel::connect(to).await?, usize::MAX);
    for number in 0..in_flight {
        put_payload(&mut io.output, number, bytes);
    }
    let mut answered = 0;
    loop {
        ensure!(io.turn().await?, "the callee closed");
        let answered_before = answered;
        while let Some(body) = io.input.next_frame()? {
            check(body, answered, bytes)?;
            put_payload(&mut io.output, answered + in_flight, bytes);
            answered += 1;
        }
        tally.add(answered - answered_before);
    }
}

/// Sends a frame, waits until it is back, and so on.
async fn ping(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    let mut io = Io::new(duel::connect(to).await?, usize::MAX);
    for number in 0.. {
        let start = Instant::now();
        io.call(number, bytes).await?;
        tally.add_call_since(start);
    }
    bail!("out of numbers")
}

/// Sends frames when they are due, and takes those that come back.
async fn paced(to: SocketAddr, tally: Tally, per_second: u32, bytes: usize) -> Result<Infallible> {
    let mut io = Io::new(duel::connect(to).await?, usize::MAX);
    let mut pacer = Pacer::new(per_second)?;
    let mut waiting = VecDeque::new();
    loop {
        tokio::select! {
            // What a turn has written and read stays where it is if the timer is first.
            open = io.turn() => ensure!(open?, "the callee closed"),
            due = pacer.due() => {
                for (number, time) in due? {
                    put_payload(&mut io.output, number, bytes);
                    waiting.push_back((number, time));
                }
            }
        }
        while let Some(body) = io.input.next_frame()? {
            let (number, time) = waiting.pop_front().context("more frames than were sent")?;
            check(body, number, bytes)?;
            tally.add_call_since(time);
        }
    }
}

/// Makes a connection, sends a frame, waits until it is back, closes, and so on.
async fn connect(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    for number in 0.. {
        let mut io = Io::new(duel::connect(to).await?, usize::MAX);
        io.call(number, bytes).await?;
        tally.add(1);
    }
    bail!("out of numbers")
}

/// Sends every number `times` times, for as long as they are taken.
async fn stream(mut socket: TcpStream, times: usize, bytes: usize) -> Result<()> {
    let mut output = Vec::with_capacity(BATCH_BYTES);
    for number in 0.. {
        for _ in 0..times {
            put_payload(&mut output, number, bytes);
        }
        if output.len() >= BATCH_BYTES - HEADER_BYTES - bytes {
            socket.write_all(&output).await?;
            output.clear();
        }
    }
    Ok(())
}

/// Takes whatever comes, every number `times` times.
async fn receive(
    mut socket: TcpStream,
    tally: Tally,
    times: u64,
    bytes: usize,
) -> Result<Infallible> {
    let mut input = Input::new();
    let mut received = 0;
    loop {
        let read = socket.read(input.room()).await?;
        ensure!(read != 0, "the callee closed");
        input.end += read;
        let received_before = received;
        while let Some(body) = input.next_frame()? {
            check(body, received / times, bytes)?;
            received += 1;
        }
        tally.add(received - received_before);
    }
}

/// Sends the same frame to all members, and so on, for as long as they are taken.
async fn fan_out(listener: TcpListener, bytes: usize) -> Result<()> {
    let mut sending = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let socket = duel::accept(&listener).await?;
        sending.spawn(stream(socket, MEMBERS / CONNECTIONS, bytes));
    }
    sending.join_next().await.context("no connection")??
}

async fn fan_in(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    let mut receiving = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let socket = duel::connect(to).await?;
        let times = (MEMBERS / CONNECTIONS) as u64;
        receiving.spawn(receive(socket, tally.clone(), times, bytes));
    }
    receiving.join_next().await.context("no connection")??
}

const HEADER_BYTES: usize = 8;

fn put_frame(output: &mut Vec<u8>, body: &[u8]) {
    output.extend_from_slice(&(body.len() as u64).to_le_bytes());
    output.extend_from_slice(body);
}

/// A frame with the payload of this number, made where it is sent from.
fn put_payload(output: &mut Vec<u8>, number: u64, bytes: usize) {
    output.extend_from_slice(&(bytes as u64).to_le_bytes());
    output.extend_from_slice(&number.to_le_bytes());
    output.resize(output.len() + bytes - 8, 0);
}

/// One end of a connection.
struct Io {
    socket: TcpStream,
    input: Input,
    output: Vec<u8>,
    written: usize,
    /// Bytes that wait to be written at which nothing more is read.
    high_water: usize,
}

impl Io {
    fn new(socket: TcpStream, high_water: usize) -> Self {
        Self {
            high_water,
            socket,
            input: Input::new(),
            output: Vec::with_capacity(BATCH_BYTES),
            written: 0,
        }
    }

    /// Sends a frame, and waits until it is back.
    async fn call(&mut self, number: u64, bytes: usize) -> Result<()> {
        put_payload(&mut self.output, number, bytes);
        loop {
            ensure!(self.turn().await?, "the callee closed");
            if let Some(body) = self.input.next_frame()? {
                return check(body, number, bytes);
            }
        }
    }

    /// Writes what there is, as far as it is taken, and reads once, unless too much has to be
    /// written before. False at the end of what can be read.
    async fn turn(&mut self) -> Result<bool> {
        loop {
            while self.written < self.output.len() {
                match self.socket.try_write(&self.output[self.written..]) {
                    Ok(taken) => self.written += taken,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
            let unwritten = self.output.len() - self.written;
            if unwritten == 0 {
                self.output.clear();
                self.written = 0;
            }
            let interest = if unwritten == 0 {
                Interest::READABLE
            } else if unwritten < self.high_water {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::WRITABLE
            };
            let ready = self.socket.ready(interest).await?;
            if ready.is_readable() && interest.is_readable() {
                match self.socket.try_read(self.input.room()) {
                    Ok(0) => return Ok(false),
                    Ok(read) => {
                        self.input.end += read;
                        return Ok(true);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

/// What has been read, and how far it has been handed out.
struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    fn new() -> Self {
        Self {
            buffer: vec![0; INPUT_BYTES],
            start: 0,
            end: 0,
        }
    }

    /// Where the next bytes go.
    fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end > INPUT_BYTES / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.buffer[self.end..]
    }

    /// The body of the next frame, if all of it is here.
    fn next_frame(&mut self) -> Result<Option<&[u8]>> {
        let unread = &self.buffer[self.start..self.end];
        let Some((header, rest)) = unread.split_first_chunk() else {
            return Ok(None);
        };
        let length = usize::try_from(u64::from_le_bytes(*header)).context("length")?;
        ensure!(length <= BATCH_BYTES, "a frame of {length} bytes");
        let body = rest.get(..length);
        if body.is_some() {
            self.start += HEADER_BYTES + length;
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{assert_moves, payload};
    use super::*;

    #[test]
    fn every_workload_moves() {
        assert_moves(&[&Raw, &RawHandshake]);
    }

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        let mut stream = Vec::new();
        put_frame(&mut stream, &payload(1, 32));
        put_frame(&mut stream, &[]);
        for cut in 0..=stream.len() {
            let mut input = Input::new();
            let mut bodies = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                input.room()[..part.len()].copy_from_slice(part);
                input.end += part.len();
                while let Some(body) = input.next_frame().unwrap() {
                    bodies.push(body.to_vec());
                }
            }
            assert_eq!(bodies, [payload(1, 32), Vec::new()], "cut at {cut}");
        }
    }
}
