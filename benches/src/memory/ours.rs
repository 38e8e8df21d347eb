//! Ours, and what a socket and its task take if nobody talks over it.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{self, JoinSet},
};

use super::{Idle, Kept, LocalBox, System, connections};
use crate::load::{duel, ours};

/// Connections and pipes of `rpc-core`.
#[derive(Clone, Copy, Debug)]
pub struct Ours;

impl System for Ours {
    fn name(&self) -> &'static str {
        "ours"
    }

    fn has(&self, _: Idle) -> bool {
        true
    }

    fn serve(&self, listener: TcpListener) -> LocalBox<'_, Result<()>> {
        Box::pin(ours::serve_quietly(listener))
    }

    fn open(&self, to: SocketAddr, idle: Idle, count: usize) -> LocalBox<'_, Result<Kept>> {
        Box::pin(async move {
            match idle {
                Idle::Connections => connections::<ours::Connected>(to, count).await,
                Idle::Subscriptions => Ok(Box::new(ours::subscribe_quietly(to, count).await?) as _),
            }
        })
    }
}

/// Sockets, each with a task that waits for it to be readable: the least that tokio takes.
#[derive(Clone, Copy, Debug)]
pub struct Bare;

impl System for Bare {
    fn name(&self) -> &'static str {
        "bare sockets"
    }

    fn has(&self, idle: Idle) -> bool {
        idle == Idle::Connections
    }

    fn serve(&self, listener: TcpListener) -> LocalBox<'_, Result<()>> {
        Box::pin(async move {
            loop {
                task::spawn_local(wait(duel::accept(&listener).await?));
            }
        })
    }

    fn open(&self, to: SocketAddr, idle: Idle, count: usize) -> LocalBox<'_, Result<Kept>> {
        Box::pin(async move {
            if idle != Idle::Connections {
                bail!("nobody subscribes to a socket");
            }
            let mut waiting = JoinSet::new();
            for _ in 0..count {
                waiting.spawn_local(wait(duel::connect(to).await?));
            }
            Ok(Box::new(waiting) as _)
        })
    }
}

async fn wait(socket: TcpStream) {
    // Readable or broken: it has ended either way, and nobody asks.
    let _ = socket.readable().await;
}
