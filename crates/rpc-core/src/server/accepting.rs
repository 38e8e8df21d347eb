//! A server's task, and those of its connections.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Builder, Phase};
use crate::connection::{Connection, HandshakeError};
use crate::error::{HandlerError, describe};

/// How long to wait after accepting failed for want of resources: file descriptors come back
/// only when connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until it is asked to stop, and serves until it is asked to stop that, too.
pub(super) async fn accept<S: Send + Sync + 'static>(
    listener: TcpListener,
    builder: Builder<S>,
    mut asked: watch::Receiver<Phase>,
    open: watch::Sender<bool>,
) {
    let builder = Arc::new(builder);
    let most = builder.max_connections.map_or(usize::MAX, usize::from);
    let mut connections = JoinSet::new();
    let told = asked.clone();
    loop {
        tokio::select! {
            // Nothing is lost with the others: accepting is cancel safe, and ended connections
            // are collected by the next round.
            () = reached(&mut asked, Phase::Serving) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < most => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve(stream, peer, builder.clone(), told.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting failed");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    open.send_replace(false);
    while connections.join_next().await.is_some() {}
}

async fn serve<S: Send + Sync + 'static>(
    stream: TcpStream,
    peer: SocketAddr,
    builder: Arc<Builder<S>>,
    mut asked: watch::Receiver<Phase>,
) {
    let connection = tokio::select! {
        // A handshake that is cut short leaves nothing behind but its socket, which closes.
        () = reached(&mut asked, Phase::Stopping) => return,
        connection = create(stream, peer, &builder) => connection,
    };
    let Some(connection) = connection else { return };
    tokio::select! {
        // Waiting for the end is cancel safe.
        _ = connection.closed() => return,
        () = reached(&mut asked, Phase::Stopping) => {
            connection.close_with_reason("server is shutting down");
        }
    }
    connection.closed().await;
}

/// The connection, unless the client is not let in, or its handshake fails.
async fn create<S: Send + Sync + 'static>(
    stream: TcpStream,
    peer: SocketAddr,
    builder: &Builder<S>,
) -> Option<Connection> {
    if let Some(admit) = &builder.admission
        && !admit(peer).await
    {
        tracing::debug!(%peer, "not accepted");
        return None;
    }
    let local = stream.local_addr();
    let local = local.map_or_else(|_| "unknown address".to_owned(), |addr| addr.to_string());
    let description = format!("TCP server {local} serving {peer}");
    let config = builder
        .config
        .clone()
        .described(description.clone(), &description);
    // Messages are batched by us; waiting for more would only delay them.
    stream.set_nodelay(true).ok()?;
    let state = |connection: &Connection| (builder.state)(peer, connection);
    let created = Connection::serve(stream, config, &builder.implementations, state).await;
    created
        .inspect_err(|error| tell_of_failure(builder, peer, error))
        .ok()
}

fn tell_of_failure<S>(builder: &Builder<S>, peer: SocketAddr, error: &HandshakeError) {
    let Some(on_error) = &builder.on_handshake_error else {
        tracing::info!(%peer, error = describe(error), "no connection");
        return;
    };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| on_error(peer, error))) {
        let error = HandlerError::from_panic(&*panic);
        tracing::error!(%peer, %error, "told of a failed handshake, the program panicked");
    }
}

/// Ready once the server is to be that far, or is gone.
async fn reached(asked: &mut watch::Receiver<Phase>, phase: Phase) {
    let _asked = asked.wait_for(|asked| *asked >= phase).await;
}
