//! The baseline: frames of 8 bytes of length and a body, echoed or streamed as they are.
//!
//! Both sides handle everything that one read brought and answer with one write, which is the least
//! work that a protocol with frames can do over one socket.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    duel::{self, Tally},
    system::{PAYLOAD_BYTES, Sample, System, Workload, check, payload},
};

/// How much is read, or streamed, at once.
const BATCH_BYTES: usize = 64 * 1024;

/// Frames over TCP, and no more.
pub(crate) struct Raw;

impl System for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn round(&self, workload: Workload, duration: Duration) -> Result<Sample> {
        match workload {
            Workload::Ping => duel::run(duration, echo, ping),
            Workload::Calls64 => {
                duel::run(duration, echo, |socket, tally| calls(socket, tally, 64))
            }
            Workload::Calls1024 => {
                duel::run(duration, echo, |socket, tally| calls(socket, tally, 1024))
            }
            Workload::Stream => duel::run(duration, stream, receive),
        }
    }
}

/// Answers every frame with itself.
async fn echo(mut socket: TcpStream) -> Result<()> {
    let mut input = Input::default();
    let mut output = Vec::with_capacity(BATCH_BYTES);
    while input.fill(&mut socket).await? {
        while let Some(body) = input.next_frame()? {
            put_frame(&mut output, body);
        }
        socket.write_all(&output).await?;
        output.clear();
    }
    Ok(())
}

/// Keeps `in_flight` frames on their way, each followed by another as it comes back.
async fn calls(mut socket: TcpStream, tally: Tally, in_flight: u64) -> Result<Infallible> {
    let mut input = Input::default();
    let mut output = Vec::with_capacity(BATCH_BYTES);
    for number in 0..in_flight {
        put_frame(&mut output, &payload(number));
    }
    let mut answered = 0;
    loop {
        // Neither side can fill the other's socket: all that is in flight fits into it.
        socket.write_all(&output).await?;
        output.clear();
        ensure!(input.fill(&mut socket).await?, "the callee closed");
        let answered_before = answered;
        while let Some(body) = input.next_frame()? {
            check(body, answered)?;
            put_frame(&mut output, &payload(answered + in_flight));
            answered += 1;
        }
        tally.add(answered - answered_before);
    }
}

/// Sends a frame, waits until it is back, and so on.
async fn ping(mut socket: TcpStream, tally: Tally) -> Result<Infallible> {
    let mut input = Input::default();
    let mut output = Vec::new();
    for number in 0.. {
        let start = Instant::now();
        put_frame(&mut output, &payload(number));
        socket.write_all(&output).await?;
        output.clear();
        let body = loop {
            ensure!(input.fill(&mut socket).await?, "the callee closed");
            if let Some(body) = input.next_frame()? {
                break body;
            }
        };
        check(body, number)?;
        tally.add_round_trip(start.elapsed());
    }
    bail!("out of numbers")
}

/// Sends frames without being asked, for as long as they are taken.
async fn stream(mut socket: TcpStream) -> Result<()> {
    let mut output = Vec::with_capacity(BATCH_BYTES);
    for number in 0.. {
        put_frame(&mut output, &payload(number));
        if output.len() >= BATCH_BYTES - HEADER_BYTES - PAYLOAD_BYTES {
            socket.write_all(&output).await?;
            output.clear();
        }
    }
    Ok(())
}

/// Takes whatever comes.
async fn receive(mut socket: TcpStream, tally: Tally) -> Result<Infallible> {
    let mut input = Input::default();
    let mut received = 0;
    loop {
        ensure!(input.fill(&mut socket).await?, "the callee closed");
        let received_before = received;
        while let Some(body) = input.next_frame()? {
            check(body, received)?;
            received += 1;
        }
        tally.add(received - received_before);
    }
}

const HEADER_BYTES: usize = 8;

fn put_frame(output: &mut Vec<u8>, body: &[u8]) {
    output.extend_from_slice(&(body.len() as u64).to_le_bytes());
    output.extend_from_slice(body);
}

/// What has been read, and how far it has been handed out.
#[derive(Default)]
struct Input {
    buffer: BytesMut,
    taken: usize,
}

impl Input {
    /// Reads once. False at the end of the stream.
    async fn fill(&mut self, socket: &mut TcpStream) -> Result<bool> {
        self.buffer.advance(self.taken);
        self.taken = 0;
        self.buffer.reserve(BATCH_BYTES);
        Ok(socket.read_buf(&mut self.buffer).await? != 0)
    }

    /// The body of the next frame, if all of it is here.
    fn next_frame(&mut self) -> Result<Option<&[u8]>> {
        let Some((header, rest)) = self.buffer[self.taken..].split_first_chunk() else {
            return Ok(None);
        };
        let length = usize::try_from(u64::from_le_bytes(*header)).context("length")?;
        ensure!(length <= BATCH_BYTES, "a frame of {length} bytes");
        let body = rest.get(..length);
        if body.is_some() {
            self.taken += HEADER_BYTES + length;
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_moves() {
        for workload in Workload::chosen(&[]) {
            let sample = Raw.round(workload, Duration::from_millis(30)).unwrap();
            assert!(sample.count > 0, "{workload}");
            let timed = workload == Workload::Ping;
            assert_eq!(!sample.round_trips.is_empty(), timed, "{workload}");
        }
    }

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        let mut stream = Vec::new();
        put_frame(&mut stream, &payload(1));
        put_frame(&mut stream, &[]);
        for cut in 0..=stream.len() {
            let mut input = Input::default();
            let mut bodies = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                input.buffer.extend_from_slice(part);
                while let Some(body) = input.next_frame().unwrap() {
                    bodies.push(body.to_vec());
                }
            }
            assert_eq!(bodies, [payload(1).to_vec(), Vec::new()], "cut at {cut}");
        }
    }
}
