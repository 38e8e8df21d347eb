//! A peer that speaks bytes over TCP, and owes nobody anything.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bin_prot::{BinWrite, to_vec};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::stream::StreamQuery;
use rpc_wire::{
    Data, DescriptionRef, Header, Message, ProtocolVersion, Query, QueryHeader, QueryId,
    QueryMetadata, frame,
};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The newest version.
const VERSION: ProtocolVersion = ProtocolVersion::MAX;

/// One end of a connection.
pub(super) struct Peer {
    pub(super) io: TcpStream,
}

/// Length and body.
pub(super) fn framed(value: &impl BinWrite) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let write = |buffer: &mut Vec<u8>| value.bin_write(buffer);
    frame::append(&mut bytes, usize::MAX, value.bin_size(), write)
        .context("a frame cannot be written")?;
    Ok(bytes)
}

/// The header of a peer that speaks every version.
pub(super) fn header() -> Result<Vec<u8>> {
    framed(&Header::new(ProtocolVersion::all()))
}

/// The metadata of a peer that tells nothing of itself.
pub(super) fn metadata() -> Result<Vec<u8>> {
    match PeerMetadata::default().to_message(VERSION) {
        Some(message) => framed(&message),
        None => bail!("the newest version has metadata"),
    }
}

/// A query with this payload.
pub(super) fn query(id: i64, rpc: DescriptionRef<'_>, payload: &[u8]) -> Result<Vec<u8>> {
    let metadata = QueryMetadata::new();
    let header = QueryHeader::new(VERSION, rpc, None, QueryId::new(id), &metadata);
    let data = Data::new(payload);
    framed(&Message::Query(Query { header, data }))
}

/// A query that opens a stream.
pub(super) fn stream(id: i64, rpc: DescriptionRef<'_>, payload: &[u8]) -> Result<Vec<u8>> {
    query(id, rpc, &to_vec(&StreamQuery::Query(Data::new(payload)))?)
}

/// The body of the next frame that is no heartbeat: those come when the server likes.
pub(super) async fn receive(io: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>> {
    // Nothing else is as short.
    const HEARTBEAT_BYTES: usize = 1;
    loop {
        let length = io.read_u64_le().await?;
        let mut body = vec![0; usize::try_from(length)?];
        io.read_exact(&mut body).await?;
        if body.len() > HEARTBEAT_BYTES {
            return Ok(body);
        }
    }
}

impl Peer {
    /// Connected, and nothing said.
    pub(super) async fn dial(address: SocketAddr) -> Result<Self> {
        let io = TcpStream::connect(address).await?;
        io.set_nodelay(true)?;
        Ok(Self { io })
    }

    /// After the handshake.
    pub(super) async fn connect(address: SocketAddr) -> Result<Self> {
        let mut peer = Self::dial(address).await?;
        peer.send(&header()?).await?;
        peer.send(&metadata()?).await?;
        // Theirs.
        peer.receive().await?;
        peer.receive().await?;
        Ok(peer)
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.io.write_all(bytes).await?)
    }

    /// Sends as much as the other side takes before it ends the connection.
    pub(super) async fn send_until_end(&mut self, bytes: &[u8]) {
        // That it ends is what the case is about.
        let _ended = self.io.write_all(bytes).await;
    }

    /// The body of the next frame that is no heartbeat.
    pub(super) async fn receive(&mut self) -> Result<Vec<u8>> {
        timeout(Duration::from_secs(30), receive(&mut self.io)).await?
    }

    /// Reads on until the other side ends the connection.
    pub(super) async fn expect_end(&mut self, within: Duration) -> Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        let ended = timeout(within, async {
            loop {
                // A reset is an end, too.
                if !matches!(self.io.read(&mut buffer).await, Ok(1..)) {
                    return;
                }
            }
        });
        ended.await.context("the connection does not end")
    }

    /// Ends with a reset in place of an ordinary end.
    pub(super) fn reset(self) -> Result<()> {
        SockRef::from(&self.io).set_linger(Some(Duration::ZERO))?;
        Ok(())
    }
}
