//! One update to many subscribers: a bounded channel for each of them.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result, bail};
use benches::load::{CONNECTIONS, MEMBERS, check, duel::Tally, payload};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Nothing, Payload};

/// Updates that may wait for one subscriber.
const WAITING: usize = 16;

pub(super) type Updates = ReceiverStream<Result<Payload, Status>>;

/// The subscribers.
#[derive(Clone, Default)]
pub(crate) struct News(Arc<Mutex<Vec<mpsc::Sender<Result<Payload, Status>>>>>);

impl News {
    pub(super) fn subscribe(&self) -> Updates {
        let (sender, receiver) = mpsc::channel(WAITING);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sender);
        ReceiverStream::new(receiver)
    }

    fn all(&self) -> Vec<mpsc::Sender<Result<Payload, Status>>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Waits until all have subscribed, and then sends as fast as every subscriber takes it.
pub(super) async fn serve(listener: TcpListener, bytes: usize) -> Result<()> {
    let news = News::default();
    let serving = tokio::spawn(super::serve(listener, news.clone()));
    while news.all().len() < MEMBERS {
        tokio::task::yield_now().await;
    }
    let subscribers = news.all();
    for number in 0.. {
        let bytes = payload(number, bytes);
        for subscriber in &subscribers {
            let update = Payload {
                bytes: bytes.clone(),
            };
            if subscriber.send(Ok(update)).await.is_err() {
                serving.abort();
                bail!("a subscriber has left");
            }
        }
    }
    Ok(())
}

/// Takes every update in a task for each subscription.
pub(super) async fn subscribe(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    let mut subscriptions = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let client = super::client(to).await?;
        for _ in 0..MEMBERS / CONNECTIONS {
            let (mut client, tally) = (client.clone(), tally.clone());
            subscriptions.spawn(async move {
                let mut updates = client.news(Nothing {}).await?.into_inner();
                let mut next = 0;
                while let Some(update) = updates.message().await? {
                    check(&update.bytes, next, bytes)?;
                    tally.add(1);
                    next += 1;
                }
                bail!("the stream ended")
            });
        }
    }
    subscriptions
        .join_next()
        .await
        .context("no subscription")??
}
