//! Metrics for Prometheus, over the little of HTTP that scraping needs.
//!
//! One query a connection, of at most 8 KiB, within five seconds, and of 16 connections at once:
//! whatever else somebody wants from this port is not answered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rpc_core::connection::LimitsMet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// The most bytes of a request.
const MAX_REQUEST: usize = 8 * 1024;

/// The most time that a connection may take.
const MAX_TIME: Duration = Duration::from_secs(5);

/// The most connections at once.
const MAX_CONNECTIONS: usize = 16;

/// After running out of file descriptors, for instance.
const PAUSE: Duration = Duration::from_millis(100);

/// Upper bounds of histograms, in seconds.
const BUCKETS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 60.0, 600.0,
];

/// The metrics of this process, exposed until this is dropped.
#[derive(Debug)]
pub(crate) struct Exposition {
    pub(crate) local_addr: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Exposition {
    /// Installs the recorder of this process, and exposes what it records, and how often each limit
    /// was met.
    ///
    /// # Errors
    /// The address is not free, or there is a recorder already.
    pub(crate) async fn start(address: SocketAddr, limits: Arc<LimitsMet>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}"))?;
        let recorder = PrometheusBuilder::new()
            .set_buckets(BUCKETS)?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).context("cannot record metrics")?;
        Ok(Self {
            local_addr: listener.local_addr()?,
            accepting: tokio::spawn(accept(listener, Metrics { handle, limits })),
        })
    }
}

impl Drop for Exposition {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Where the metrics are.
#[derive(Clone)]
struct Metrics {
    handle: PrometheusHandle,
    limits: Arc<LimitsMet>,
}

impl Metrics {
    fn render(&self) -> String {
        rpc_observe::Metrics::record_limits(&self.limits);
        // Histograms are kept in buckets that have to be emptied now and then.
        self.handle.run_upkeep();
        self.handle.render()
    }
}

async fn accept(listener: TcpListener, metrics: Metrics) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            // Nobody closes it.
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let metrics = metrics.clone();
        tokio::spawn(async move {
            // Whoever scrapes sees the failure, and tries again.
            let _answered = timeout(MAX_TIME, answer(stream, &metrics)).await;
            drop(place);
        });
    }
}

async fn answer(mut stream: TcpStream, metrics: &Metrics) -> io::Result<()> {
    let request = read_request(&mut stream).await?;
    let (status, body) = match target(&request) {
        Some(("GET", "/metrics")) => ("200 OK", metrics.render()),
        Some(("GET", _)) => ("404 Not Found", "see /metrics\n".to_owned()),
        Some(_) => ("405 Method Not Allowed", "GET only\n".to_owned()),
        None => ("400 Bad Request", "not HTTP\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// What comes before the empty line, or as much as is read of it.
async fn read_request(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::with_capacity(MAX_REQUEST);
    let mut stream = stream.take(MAX_REQUEST as u64);
    while stream.read_buf(&mut request).await? > 0 {
        if request.windows(4).any(|end| end == b"\r\n\r\n") {
            break;
        }
    }
    Ok(request)
}

/// Method and path of a request.
fn target(request: &[u8]) -> Option<(&str, &str)> {
    let line = request.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let path = target.split('?').next()?;
    version.starts_with("HTTP/1.").then_some((method, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_has_method_and_path() {
        let get = b"GET /metrics?name=rpc HTTP/1.1\r\nHost: here\r\n\r\n";
        assert_eq!(target(get), Some(("GET", "/metrics")));
        assert_eq!(target(b"POST / HTTP/1.0\r\n\r\n"), Some(("POST", "/")));
        for nonsense in [
            &b""[..],
            b"\r\n",
            b"GET /metrics",
            b"GET / HTTP/2\r\n",
            b"\xff\xff \xff x",
        ] {
            assert_eq!(target(nonsense), None);
        }
    }
}
