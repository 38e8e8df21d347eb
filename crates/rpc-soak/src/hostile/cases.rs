//! The hostile peers, one function each. Each results in what it saw.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bin_prot::to_vec;
use rpc_wire::{DescriptionRef, Message};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::time::{sleep, timeout};

use super::peer::{Peer, framed, header, metadata, query, receive, stream};

type Run = fn(SocketAddr) -> Pin<Box<dyn Future<Output = Result<String>> + Send>>;

/// One hostile peer.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Whether it takes as long as a timeout of the server's.
    pub(super) slow: bool,
    pub(super) run: Run,
}

macro_rules! case {
    ($name:literal, $run:path) => {
        case!($name, $run, false)
    };
    ($name:literal, $run:path, $slow:literal) => {
        Case {
            name: $name,
            slow: $slow,
            run: |address| Box::pin($run(address)),
        }
    };
}

pub(super) const CASES: &[Case] = &[
    case!("header garbage", garbage),
    case!("frame too long", too_long),
    case!("unknown tag", unknown_tag),
    case!("ten million elements in nine bytes", announced),
    case!("S-expression nested 100,000 deep", nested),
    case!("asks for much and never reads", never_reads),
    case!("opens streams without end", streams),
    case!("opens queries without end", queries),
    case!("nothing but heartbeats", heartbeats),
    case!("resets in every state", resets),
    case!("a thousand idle connections", idle),
    case!("one byte a second in the handshake", dribble, true),
    case!("half open", half_open, true),
];

const SOON: Duration = Duration::from_secs(180);

const ECHO: DescriptionRef<'static> = rpc("echo-string");
const SUM: DescriptionRef<'static> = rpc("sum");
const BIG: DescriptionRef<'static> = rpc("big");
const SLEEP: DescriptionRef<'static> = rpc("sleep");
const TICKS: DescriptionRef<'static> = rpc("ticks");

const fn rpc(name: &'static str) -> DescriptionRef<'static> {
    DescriptionRef {
        name: name.as_bytes(),
        version: 1,
    }
}

/// Whether an answer is an error that names this limit.
fn names(answer: &[u8], limit: &str) -> bool {
    let words = format!("limit of {limit} reached");
    answer
        .windows(words.len())
        .any(|part| part == words.as_bytes())
}

async fn garbage(address: SocketAddr) -> Result<String> {
    let beginnings: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 64],
        &[0x16, 3, 1, 2, 0, 1, 0, 1],
        &[4, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9],
    ];
    for bytes in beginnings {
        let mut peer = Peer::dial(address).await?;
        peer.send_until_end(bytes).await;
        peer.expect_end(SOON).await?;
    }
    Ok(format!("{} kinds, each ended", beginnings.len()))
}

async fn too_long(address: SocketAddr) -> Result<String> {
    for length in [u64::MAX, 1 << 40, 100 * 1024 * 1024 + 1] {
        let mut peer = Peer::connect(address).await?;
        peer.send_until_end(&length.to_le_bytes()).await;
        peer.expect_end(SOON).await?;
    }
    Ok("ended".to_owned())
}

async fn unknown_tag(address: SocketAddr) -> Result<String> {
    let mut peer = Peer::connect(address).await?;
    peer.send_until_end(&[1, 0, 0, 0, 0, 0, 0, 0, 0x7f]).await;
    peer.expect_end(SOON).await?;
    Ok("ended".to_owned())
}

async fn announced(address: SocketAddr) -> Result<String> {
    let mut peer = Peer::connect(address).await?;
    let payload = [0xfd, 0x80, 0x96, 0x98, 0x00, 1, 2, 3, 4];
    peer.send(&query(1, SUM, &payload)?).await?;
    let answer = peer.receive().await?;
    let text = b"un-bin-io'ing";
    let told = answer.windows(text.len()).any(|part| part == text);
    ensure!(told, "another answer");
    // The connection goes on.
    peer.send(&query(2, SUM, &to_vec(&vec![1_i64, 2])?)?)
        .await?;
    peer.receive().await?;
    Ok("refused, and the next query answered".to_owned())
}

async fn nested(address: SocketAddr) -> Result<String> {
    let mut peer = Peer::connect(address).await?;
    let mut body = vec![0x02, 0x01, 0x01, 0x03];
    body.extend([1, 1].repeat(100_000));
    body.extend([1, 0]);
    peer.send_until_end(&(body.len() as u64).to_le_bytes())
        .await;
    peer.send_until_end(&body).await;
    peer.expect_end(SOON).await?;
    Ok("ended".to_owned())
}

async fn never_reads(address: SocketAddr) -> Result<String> {
    const ASKED: i64 = 1000;
    let mut peer = Peer::connect(address).await?;
    let megabyte = to_vec(&(1_i64 << 20))?;
    for id in 0..ASKED {
        peer.send_until_end(&query(id, BIG, &megabyte)?).await;
    }
    // Whoever does not read learns of the end when it writes.
    let heartbeat = framed(&Message::Heartbeat)?;
    let given_up = timeout(SOON, async {
        while peer.send(&heartbeat).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    given_up.await.context("a thousand megabytes wait")?;
    Ok(format!("given up before {ASKED} MiB were ready"))
}

/// Sends queries 0 to `last` while reading what comes back, up to the refusal of the last one; how
/// many were refused.
async fn flood(
    address: SocketAddr,
    last: i64,
    limit: &'static str,
    message: impl Fn(i64) -> Result<Vec<u8>>,
) -> Result<(Peer, u64)> {
    let Peer { io } = Peer::connect(address).await?;
    let (reading, writing) = io.into_split();
    let mut bytes = Vec::new();
    for id in 0..=last {
        bytes.extend(message(id)?);
    }
    let writer = tokio::spawn(async move {
        let mut writing = writing;
        writing.write_all(&bytes).await?;
        anyhow::Ok(writing)
    });
    let mut reading = BufReader::new(reading);
    let (mut refused, mut over) = (0, false);
    while !over {
        let answer = receive(&mut reading).await?;
        match Message::decode(&answer)? {
            Message::Response(response) if names(&answer, limit) => {
                refused += 1;
                over = response.header.id.get() == last;
            }
            Message::Response(_) => {}
            // That of a connection that ends says why.
            other => bail!("{other:?}"),
        }
    }
    let io = reading.into_inner().reunite(writer.await??)?;
    Ok((Peer { io }, refused))
}

const LAST: i64 = 69_999;
const MOST: u64 = 65_536;
const REFUSED: u64 = 70_000 - MOST;

async fn streams(address: SocketAddr) -> Result<String> {
    // An update every hour.
    let hour = to_vec(&3_600_000_i64)?;
    let message = |id| stream(id, TICKS, &hour);
    let (mut peer, refused) = flood(address, LAST, "open_queries", message).await?;
    ensure!(refused == REFUSED, "{refused} were refused");
    peer.send(&framed(&Message::Heartbeat)?).await?;
    peer.reset()?;
    Ok(format!(
        "{MOST} served, {refused} refused, and all gone with the connection"
    ))
}

async fn queries(address: SocketAddr) -> Result<String> {
    let hour = to_vec(&3_600_000_i64)?;
    let message = |id| query(id, SLEEP, &hour);
    let (peer, refused) = flood(address, LAST, "open_queries", message).await?;
    ensure!(refused == REFUSED, "{refused} were refused");
    peer.reset()?;
    Ok(format!(
        "{MOST} open, {refused} refused, and all gone with the connection"
    ))
}

async fn heartbeats(address: SocketAddr) -> Result<String> {
    const COUNT: usize = 1_000_000;
    let mut peer = Peer::connect(address).await?;
    peer.send(&framed(&Message::Heartbeat)?.repeat(COUNT))
        .await?;
    peer.send(&query(1, ECHO, &to_vec("heard")?)?).await?;
    let answer = peer.receive().await?;
    let heard = answer.windows(5).any(|part| part == b"heard");
    ensure!(heard, "another answer");
    Ok(format!("{COUNT} read, and the query behind them answered"))
}

async fn resets(address: SocketAddr) -> Result<String> {
    let (header, metadata) = (header()?, metadata()?);
    let echo = query(1, ECHO, &to_vec("bytes")?)?;
    let sleep = query(2, SLEEP, &to_vec(&60_000_i64)?)?;
    let ticks = stream(3, TICKS, &to_vec(&1_i64)?)?;
    let script = [header, metadata, echo, sleep, ticks].concat();
    for sent in 0..=script.len() {
        let mut peer = Peer::dial(address).await?;
        peer.send(script.get(..sent).context("in the script")?)
            .await?;
        peer.reset()?;
    }
    let mut streaming = Peer::connect(address).await?;
    streaming.send(&stream(1, TICKS, &to_vec(&1_i64)?)?).await?;
    for _ in 0..10 {
        streaming.receive().await?;
    }
    streaming.reset()?;
    Ok(format!(
        "after each of {} bytes, and in a stream",
        script.len()
    ))
}

async fn idle(address: SocketAddr) -> Result<String> {
    let mut peers = Vec::new();
    for _ in 0..1000 {
        peers.push(Peer::connect(address).await?);
    }
    sleep(Duration::from_secs(1)).await;
    // Each is there.
    for peer in &mut peers {
        peer.send(&query(1, ECHO, &to_vec("there")?)?).await?;
        peer.receive().await?;
    }
    Ok(format!("{} there", peers.len()))
}

async fn dribble(address: SocketAddr) -> Result<String> {
    let mut peer = Peer::dial(address).await?;
    peer.send(&1000_u64.to_le_bytes()).await?;
    let mut bytes = 0;
    loop {
        if peer.io.try_write(&[0]).is_err() {
            break;
        }
        bytes += 1;
        ensure!(bytes < 60, "the handshake goes on");
        if peer.expect_end(Duration::from_secs(1)).await.is_ok() {
            break;
        }
    }
    Ok(format!("given up after {bytes} bytes"))
}

/// The other end is there and says nothing any more, as after a cable was pulled.
async fn half_open(address: SocketAddr) -> Result<String> {
    let mut peer = Peer::connect(address).await?;
    peer.expect_end(Duration::from_secs(60)).await?;
    Ok("given up".to_owned())
}
