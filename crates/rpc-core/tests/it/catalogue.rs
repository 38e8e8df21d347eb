//! Cases of the catalogue that need its own fixtures: the test RPCs (FX-2), and a tap between two
//! ends that shows every byte of both directions.

mod closing;
mod events;
mod handshake;
mod identification;
mod limits;
mod servers;
mod traffic;
mod transports;
mod wire_bytes;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bin_prot::{Array, Info};
use bytes::Bytes;
use rpc_core::connection::Config;
use rpc_core::{Connection, Implementations, OneWay, PipeRpc, Rpc, StateRpc};
use rpc_wire::frame;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::pair::{CAPACITY, settle};
use crate::source;

const SECOND: Duration = Duration::from_secs(1);

/// The query, sorted.
static SORT: Rpc<Array<i64>, Array<i64>> = Rpc::new("sort", 1);
static TEST_ONE_WAY: OneWay<Bytes> = OneWay::new("test-one-way-rpc", 1);
/// Two updates `response`.
static TEST_PIPE: PipeRpc<Bytes, Bytes, Info> = PipeRpc::new("test-pipe-rpc", 1);
/// The query.
static TEST_1: Rpc<Bytes, Bytes> = Rpc::new("test-rpc", 1);
/// The query.
static TEST_2: Rpc<Bytes, Bytes> = Rpc::new("test-rpc", 2);
/// The state `state`, and two updates `update`.
static TEST_STATE: StateRpc<Bytes, Bytes, Bytes, Info> = StateRpc::new("test-state-rpc", 1);

/// FX-2: ranks 0 to 5 in this order.
fn test_rpcs() -> Implementations<()> {
    Implementations::<()>::builder()
        .implement_blocking(&SORT, |(), mut array| {
            array.0.sort_unstable();
            Ok(array)
        })
        .implement_one_way(&TEST_ONE_WAY, |(), _| async { Ok(()) })
        .implement_pipe(&TEST_PIPE, |(), _| async {
            Ok(Ok(source::iter(vec![Bytes::from("response"); 2])))
        })
        .implement_blocking(&TEST_1, |(), bytes| Ok(bytes))
        .implement_blocking(&TEST_2, |(), bytes| Ok(bytes))
        .implement_state(&TEST_STATE, |(), _| async {
            let updates = source::iter(vec![Bytes::from("update"); 2]);
            Ok(Ok((Bytes::from("state"), updates)))
        })
        .build()
        .unwrap()
}

/// What one end has written.
#[derive(Clone, Debug, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    /// The bodies of all frames since the last time.
    #[track_caller]
    fn take(&self) -> Vec<Vec<u8>> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let mut frames = frame::Frames::new(&bytes, usize::MAX);
        let bodies = frames.by_ref().map(|body| body.unwrap().to_vec()).collect();
        assert!(frames.rest().is_empty(), "part of a frame");
        bodies
    }
}

/// A transport that notes what is written.
#[derive(Debug)]
struct Tap {
    io: DuplexStream,
    written: Written,
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let tap = self.get_mut();
        let written = Pin::new(&mut tap.io).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = written {
            let mut noted = tap.written.0.lock().unwrap();
            noted.extend_from_slice(&buf[..count]);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// Two ends, and what they have written.
#[derive(Debug)]
struct Wire {
    client: Connection,
    server: Connection,
    by_client: Written,
    by_server: Written,
}

fn taps() -> (Tap, Tap) {
    let (client, server) = tokio::io::duplex(CAPACITY);
    let tap = |io| Tap {
        io,
        written: Written::default(),
    };
    (tap(client), tap(server))
}

impl Wire {
    /// A client that implements nothing, and a server with the test RPCs. `first` runs on the
    /// client's end before anything else can happen there; its result is returned as it is.
    async fn with<T>(
        client: Config,
        server: Config,
        first: impl FnOnce(&Connection) -> T,
    ) -> (Self, T) {
        Self::between((client, &Implementations::empty()), server, first).await
    }

    /// Both ends have the test RPCs and the same configuration: the catalogue's loop.
    async fn looped(config: Config) -> Self {
        let (wire, ()) = Self::between((config.clone(), &test_rpcs()), config, |_| ()).await;
        wire
    }

    async fn between<T>(
        client: (Config, &Implementations<()>),
        server: Config,
        first: impl FnOnce(&Connection) -> T,
    ) -> (Self, T) {
        let (near, far) = taps();
        let (by_client, by_server) = (near.written.clone(), far.written.clone());
        let table = test_rpcs();
        let ((client, first), server) = tokio::join!(
            async {
                let connection = Connection::serve(near, client.0, client.1, |_| ()).await;
                let connection = connection.unwrap();
                let first = first(&connection);
                (connection, first)
            },
            Connection::serve(far, server, &table, |_| ()),
        );
        let wire = Self {
            client,
            server: server.unwrap(),
            by_client,
            by_server,
        };
        (wire, first)
    }

    /// What the client and the server have written since the last time, when nothing more
    /// happens.
    async fn take(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        settle().await;
        (self.by_client.take(), self.by_server.take())
    }
}

/// Bytes of digits, and of texts in quotation marks.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (n, part) in text.split('"').enumerate() {
        if n % 2 == 1 {
            bytes.extend(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> = part.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        for pair in digits.chunks(2) {
            let pair = std::str::from_utf8(pair).unwrap();
            bytes.push(u8::from_str_radix(pair, 16).unwrap());
        }
    }
    bytes
}

/// The header of versions 1 to `highest`.
fn header(highest: u8) -> Vec<u8> {
    let mut header = vec![highest + 1, 0xfd, b'R', b'P', b'C', 0];
    header.extend(1..=highest);
    header
}

/// The six entries of the test RPCs, each followed by `digest`.
fn entries(digest: &str) -> String {
    let entries = [
        r#"04 "sort" 01"#,
        r#"10 "test-one-way-rpc" 01"#,
        r#"0d "test-pipe-rpc" 01"#,
        r#"08 "test-rpc" 01"#,
        r#"08 "test-rpc" 02"#,
        r#"0e "test-state-rpc" 01"#,
    ];
    entries.map(|entry| format!("{entry} {digest}")).concat()
}
