//! The network path to the server: a proxy that forwards bytes, until it is cut. Then it loses
//! everything and tells nobody, as a network does from which a cable was pulled.

use std::io;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// A path. Dropping it closes its connections, and nobody listens at its address any more.
#[derive(Debug)]
pub(crate) struct Path {
    address: SocketAddr,
    is_cut: watch::Sender<bool>,
    forwarding: AbortHandle,
}

impl Path {
    /// A path to this server, which begins at a port of its own.
    pub(crate) async fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((server.ip(), 0)).await?;
        let address = listener.local_addr()?;
        let (is_cut, cut) = watch::channel(false);
        let forwarding = tokio::spawn(forward_all(listener, server, cut)).abort_handle();
        Ok(Self {
            address,
            is_cut,
            forwarding,
        })
    }

    /// Where it begins.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on everything is lost.
    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// From now on it works again. What was connected before it was cut is closed: a peer that has
    /// not given up yet learns it now.
    pub(crate) fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        self.forwarding.abort();
    }
}

async fn forward_all(listener: TcpListener, server: SocketAddr, cut: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // Accepting is cancel safe, and connections that are over are collected later.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                // One that failed is the client's business.
                let Ok((client, _)) = accepted else { continue };
                connections.spawn(forward(client, server, cut.clone()));
            }
        }
    }
}

/// Until either side is done, or the path has been cut and mended.
async fn forward(
    mut client: TcpStream,
    server: SocketAddr,
    mut cut: watch::Receiver<bool>,
) -> io::Result<()> {
    // Who connects through a path that is cut hears nothing; the system has accepted for us.
    let mended = cut.wait_for(|is_cut| !is_cut).await;
    mended.map_err(|_| io::ErrorKind::ConnectionAborted)?;
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    tokio::select! {
        // Bytes that one side has sent when the path is cut are lost, which is the purpose.
        copied = copy_bidirectional(&mut client, &mut server) => return copied.map(drop),
        _ = cut.wait_for(|is_cut| *is_cut) => {}
    }
    // Both sockets stay open, and nobody reads them.
    let mended = cut.wait_for(|is_cut| !is_cut).await;
    mended
        .map(drop)
        .map_err(|_| io::ErrorKind::ConnectionAborted.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;

    async fn path() -> (Path, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let path = Path::to(listener.local_addr().unwrap()).await.unwrap();
        (path, listener)
    }

    async fn read(stream: &mut TcpStream) -> [u8; 2] {
        let mut bytes = [0; 2];
        stream.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn bytes_go_both_ways_and_so_does_the_end() {
        let (path, listener) = path().await;
        let mut client = TcpStream::connect(path.address()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"hi").await.unwrap();
        assert_eq!(&read(&mut server).await, b"hi");
        server.write_all(b"ho").await.unwrap();
        drop(server);
        assert_eq!(&read(&mut client).await, b"ho");
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn cut_path_loses_everything_until_it_is_mended() {
        let (path, listener) = path().await;
        let mut client = TcpStream::connect(path.address()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"hi").await.unwrap();
        read(&mut server).await;
        path.cut();
        // Somebody who connects meanwhile waits, and gets through later.
        let mut late = TcpStream::connect(path.address()).await.unwrap();
        late.write_all(b"me").await.unwrap();
        client.write_all(b"lo").await.unwrap();
        // As long as it takes to see nothing.
        let moment = Duration::from_millis(50);
        assert!(timeout(moment, server.read(&mut [0; 2])).await.is_err());
        path.mend();
        let (mut server, _) = listener.accept().await.unwrap();
        assert_eq!(&read(&mut server).await, b"me");
        assert!(matches!(client.read(&mut [0]).await, Ok(0) | Err(_)));
    }
}
