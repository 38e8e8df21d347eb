//! One update to many subscribers, each with an object that it is sent to.

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    future,
    net::SocketAddr,
    rc::Rc,
};

use anyhow::Result;
use benches::load::{CONNECTIONS, MEMBERS, caller::Caller as _, check, duel::Tally, payload};
use tokio::{net::TcpListener, task};

use super::{Connected, echo_capnp::reader};

/// The subscribers.
#[derive(Clone, Default)]
pub(crate) struct News(Rc<RefCell<Vec<reader::Client>>>);

impl News {
    pub(super) fn subscribe(&self, reader: reader::Client) {
        self.0.borrow_mut().push(reader);
    }
}

/// Waits until all have subscribed, and then sends as fast as every subscriber takes it.
pub(super) async fn serve(listener: TcpListener, bytes: usize) -> Result<()> {
    let news = News::default();
    task::spawn_local(super::serve(listener, news.clone()));
    while news.0.borrow().len() < MEMBERS {
        task::yield_now().await;
    }
    let subscribers = news.0.take();
    for number in 0.. {
        let bytes = payload(number, bytes);
        for subscriber in &subscribers {
            let mut update = subscriber.read_request();
            update.get().set_payload(&bytes);
            update.send().await?;
        }
    }
    Ok(())
}

struct Reader {
    tally: Tally,
    next: Cell<u64>,
    bytes: usize,
}

impl reader::Server for Reader {
    async fn read(self: Rc<Self>, update: reader::ReadParams) -> capnp::Result<()> {
        let next = self.next.get();
        check(update.get()?.get_payload()?, next, self.bytes)
            .map_err(|error| capnp::Error::failed(error.to_string()))?;
        self.next.set(next + 1);
        self.tally.add(1);
        Ok(())
    }
}

/// Takes every update where it is read. If one is wrong, the callee is told, and ends.
pub(super) async fn subscribe(to: SocketAddr, tally: Tally, bytes: usize) -> Result<Infallible> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let connected = Connected::connect(to).await?;
        for _ in 0..MEMBERS / CONNECTIONS {
            subscribe_one(&connected, tally.clone(), bytes).await?;
        }
        connections.push(connected);
    }
    future::pending().await
}

/// The callee keeps what it is handed, and so the subscription, for as long as the connection lives.
pub(super) async fn subscribe_one(connected: &Connected, tally: Tally, bytes: usize) -> Result<()> {
    let next = Cell::new(0);
    let mut query = connected.client.news_request();
    let reader = capnp_rpc::new_client(Reader { tally, next, bytes });
    query.get().set_to(reader);
    query.send().promise.await?;
    Ok(())
}
