//! The hostile peers, one function each. Each results in what it saw.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bin_prot::to_vec;
use rpc_wire::{DescriptionRef, Message};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::peer::{Peer, framed, header, metadata, query, stream};

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

const SOON: Duration = Duration::from_secs(20);

/// When no answer comes for so long, all have come.
const QUIET: Duration = Duration::from_secs(3);

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

/// Sends so many queries while reading what comes back; how many were refused.
async fn flood(
    address: SocketAddr,
    count: i64,
    limit: &'static str,
    message: impl Fn(i64) -> Result<Vec<u8>>,
) -> Result<(Peer, u64)> {
    let Peer { io } = Peer::connect(address).await?;
    let (reading, writing) = io.into_split();
    let mut bytes = Vec::new();
    for id in 0..count {
        bytes.extend(message(id)?);
    }
    let writer = tokio::spawn(async move {
        let mut writing = writing;
        tokio::io::AsyncWriteExt::write_all(&mut writing, &bytes).await?;
        anyhow::Ok(writing)
    });
    // A frame of its own for each refusal; nobody else answers soon.
    let mut peer = Reading(tokio::io::BufReader::new(reading));
    let (mut refused, mut last) = (0, Vec::new());
    let mut quiet_at = Instant::now() + QUIET;
    while let Ok(answer) = timeout_at(quiet_at, peer.receive()).await {
        // The last frame of a connection that ends says why.
        let answer = answer.with_context(|| String::from_utf8_lossy(&last).into_owned())?;
        if answer.len() <= 1 {
            // A heartbeat.
            continue;
        }
        quiet_at = Instant::now() + QUIET;
        refused += u64::from(names(&answer, limit));
        last = answer;
    }
    let writing = writer.await??;
    let io = peer.0.into_inner().reunite(writing)?;
    Ok((Peer { io }, refused))
}

struct Reading(tokio::io::BufReader<tokio::net::tcp::OwnedReadHalf>);

impl Reading {
    async fn receive(&mut self) -> Result<Vec<u8>> {
        use tokio::io::AsyncReadExt as _;
        let length = self.0.read_u64_le().await?;
        let mut body = vec![0; usize::try_from(length)?];
        self.0.read_exact(&mut body).await?;
        Ok(body)
    }
}

const FLOOD: i64 = 70_000;
const MOST: u64 = 65_536;

async fn streams(address: SocketAddr) -> Result<String> {
    // An update every hour.
    let hour = to_vec(&3_600_000_i64)?;
    let message = |id| stream(id, TICKS, &hour);
    let (mut peer, refused) = flood(address, FLOOD, "open_queries", message).await?;
    ensure!(
        refused == FLOOD.cast_unsigned() - MOST,
        "{refused} were refused"
    );
    peer.send(&framed(&Message::Heartbeat)?).await?;
    peer.reset()?;
    Ok(format!(
        "{MOST} served, {refused} refused, and all gone with the connection"
    ))
}

async fn queries(address: SocketAddr) -> Result<String> {
    let hour = to_vec(&3_600_000_i64)?;
    let message = |id| query(id, SLEEP, &hour);
    let (peer, refused) = flood(address, FLOOD, "open_queries", message).await?;
    ensure!(
        refused == FLOOD.cast_unsigned() - MOST,
        "{refused} were refused"
    );
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
    let answer = loop {
        let answer = peer.receive().await?;
        // The server's own heartbeats are one byte long.
        if answer.len() > 1 {
            break answer;
        }
    };
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
