//! One update to many subscribers, encoded once.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result, anyhow, bail};
use bin_prot::ByteString;
use rpc_core::{
    Connection, Group, HandlerError, Implementations, PipeMessage, PipeRpc, connection::Config,
};
use tokio::{net::TcpListener, task::JoinSet};

use super::super::{
    CONNECTIONS, MEMBERS, check,
    duel::{self, Tally},
    payload,
    raw::BATCH_BYTES,
    renumber,
};

/// What precedes an update in its frame, about.
const FRAME_BYTES: usize = 24;

static NEWS: PipeRpc<(), ByteString, String> = PipeRpc::new("news", 1);

/// How many subscribe, and over how many connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) members: usize,
    pub(super) connections: usize,
}

impl Shape {
    /// That of the workload.
    pub(super) const MANY: Self = Self {
        members: MEMBERS,
        connections: CONNECTIONS,
    };
}

/// Waits until all have subscribed, and then writes as fast as every connection takes it.
pub(super) async fn serve(listener: TcpListener, shape: Shape, bytes: usize) -> Result<()> {
    let group = Arc::new(Group::<ByteString>::new());
    let joined = group.clone();
    let implementations = Implementations::<()>::builder()
        .implement_pipe_direct(&NEWS, move |_state, (), writer| {
            let added = joined.add(writer).map_err(HandlerError::from);
            async move { added.map(Ok) }
        })
        .build()?;
    let mut connections = Vec::new();
    for _ in 0..shape.connections {
        let socket = duel::accept(&listener).await?;
        let config = Config::default();
        connections.push(Connection::serve(socket, config, &implementations, |_| ()).await?);
    }
    while group.len() < shape.members {
        tokio::task::yield_now().await;
    }
    // As much for a connection at once as raw has.
    let at_once = BATCH_BYTES * shape.connections / (shape.members * (FRAME_BYTES + bytes));
    // One value, as raw has one buffer: making an update is not what is measured.
    let mut update = ByteString(payload(0, bytes));
    let mut numbers = 0..;
    while !group.is_empty() {
        for number in numbers.by_ref().take(at_once.saturating_sub(1)) {
            renumber(&mut update.0, number);
            group.write(&update)?;
        }
        let number = numbers.next().context("out of numbers")?;
        renumber(&mut update.0, number);
        group.write_with_pushback(&update)?.await;
    }
    drop(connections);
    Ok(())
}

/// Takes every update where it is read.
pub(super) async fn subscribe(
    to: SocketAddr,
    tally: Tally,
    shape: Shape,
    bytes: usize,
) -> Result<Infallible> {
    let mut connections = JoinSet::new();
    for _ in 0..shape.connections {
        let connection = super::caller(to).await?;
        let tally = tally.clone();
        connections.spawn(async move {
            let mut subscriptions = Vec::new();
            for _ in 0..shape.members / shape.connections {
                let (tally, mut next) = (tally.clone(), 0);
                let on_message = move |message| {
                    if let PipeMessage::Update(ByteString(update)) = message {
                        check(&update, next, bytes).expect("the next number");
                        tally.add(1);
                        next += 1;
                    }
                };
                let opened = NEWS.dispatch_with(&connection, &(), on_message).await?;
                subscriptions.push(opened.map_err(|refusal| anyhow!(refusal))?);
            }
            let first = subscriptions.first().context("no subscription")?;
            bail!("ended: {:?}", first.close_reason().await)
        });
    }
    connections.join_next().await.context("no connection")??
}
