//! A server: implements the RPCs of its menu, publishes numbers, and does what the adversary says.

mod feed;
mod source;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rpc_core::{Connection, Implementations, OnUnknownRpc};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::names::{LinkName, ServerName};
use crate::network::{Address, Break, End, Network};
use crate::plan::action::{Death, Menu};
use crate::plan::{DurablePlan, Plan, ServerPlan};
use crate::random::Random;
use crate::settings;
use crate::wire_types::{SERVED_BOOK_1, SERVED_BOOK_2, SERVED_TICKS, Snapshot, Snapshot2};
use crate::world::World;
use source::Source;

pub use source::{Fault, Numbers};

/// A server, as the adversary sees it. Dropping it ends its tasks; its connections end when their
/// clients leave.
pub struct Server {
    name: ServerName,
    network: Network,
    source: Arc<Source>,
    durables: Arc<[DurablePlan]>,
    connections: Arc<Mutex<Connections>>,
    address: Address,
    menu: Menu,
    /// How many faults keep it down.
    downs: u32,
    publishing: JoinHandle<()>,
    accepting: Option<JoinHandle<()>>,
}

/// The present connections, and those that are kept without an answer.
#[derive(Default)]
struct Connections {
    open: Vec<Connection>,
    mute: Vec<End>,
    /// How often the server has gone down: what began before is over.
    ended: u32,
}

impl Server {
    /// Starts a server that offers everything. Must be called within a runtime.
    pub fn start(
        name: ServerName,
        plan: &Plan,
        network: &Network,
        world: &World,
        numbers: &Arc<Numbers>,
        random: Random,
    ) -> Self {
        let source = Arc::new(Source::new(name, world.clone(), numbers.clone()));
        let publishing = tokio::spawn(publish(source.clone(), *plan.server(name), random));
        let mut server = Self {
            name,
            network: network.clone(),
            source,
            durables: plan.durables.clone().into(),
            connections: Arc::default(),
            address: Address::from(name.0),
            menu: Menu::ALL,
            downs: 0,
            publishing,
            accepting: None,
        };
        server.come_up();
        server
    }

    /// What it has published so far.
    pub fn published(&self) -> i64 {
        self.source.published()
    }

    /// What it offers.
    pub fn menu(&self) -> Menu {
        self.menu
    }

    /// A fault of its answers begins, or ends.
    pub fn set_fault(&self, fault: Fault, begins: bool) {
        self.source.set_fault(fault, begins);
        if fault == Fault::Mute && !begins {
            let mute = std::mem::take(&mut lock(&self.connections).mute);
            drop(mute);
        }
    }

    /// Ends every stream that it serves.
    pub fn end_streams(&self) {
        self.source.end_streams();
    }

    /// Sends something that is no update on every stream.
    pub fn garble(&self) {
        self.source.garble();
    }

    /// Closes its connections, and says why.
    pub fn close_connections(&self) {
        let open = lock(&self.connections).open.clone();
        for connection in open {
            connection.close_with_reason("closed by the adversary");
        }
    }

    /// Goes down.
    pub fn go_down(&mut self, death: Death) {
        self.downs += 1;
        self.network.stop_listening(self.address);
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
        lock(&self.connections).ended += 1;
        let mute = std::mem::take(&mut lock(&self.connections).mute);
        drop(mute);
        match death {
            Death::Crash => self.network.break_links(self.name, Break::Told),
            Death::PowerCut => {
                self.network.ignore(self.name, true);
                self.network.break_links(self.name, Break::Untold);
            }
            Death::Shutdown => self.close_connections(),
        }
    }

    /// Comes back, unless another fault still keeps it down.
    pub fn come_back(&mut self, death: Death, menu: Menu) {
        if death == Death::PowerCut {
            self.network.ignore(self.name, false);
        }
        self.menu = menu;
        self.downs = self.downs.saturating_sub(1);
        if self.downs == 0 {
            self.network.disown_links(self.name);
            self.come_up();
        }
    }

    /// The next time it comes up, it is at another address.
    pub fn move_away(&mut self) {
        self.address += 1_000;
    }

    /// Clients learn where it is.
    pub fn announce(&self) {
        self.network.announce(self.name, self.address);
    }

    fn come_up(&mut self) {
        let accepted = self.network.listen(self.name, self.address);
        let Ok(implementations) = implementations(&self.source, self.menu) else {
            return;
        };
        let accepting = Accepting {
            implementations,
            source: self.source.clone(),
            durables: self.durables.clone(),
            connections: self.connections.clone(),
        };
        self.accepting = Some(tokio::spawn(accept(accepting, accepted)));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.publishing.abort();
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        self.network.stop_listening(self.address);
    }
}

struct Accepting {
    implementations: Implementations<LinkName>,
    source: Arc<Source>,
    durables: Arc<[DurablePlan]>,
    connections: Arc<Mutex<Connections>>,
}

async fn accept(accepting: Accepting, mut accepted: mpsc::UnboundedReceiver<End>) {
    while let Some(end) = accepted.recv().await {
        if accepting.source.has_fault(Fault::Mute) {
            lock(&accepting.connections).mute.push(end);
            continue;
        }
        let implementations = accepting.implementations.clone();
        let config = settings::connection(&accepting.durables[usize::from(end.durable().0)]);
        let connections = accepting.connections.clone();
        let ended = lock(&connections).ended;
        tokio::spawn(async move {
            let link = end.link();
            let served = Connection::serve(end, config, &implementations, |_| link).await;
            // What went wrong is the client's business, too.
            let Ok(connection) = served else { return };
            let is_over = {
                let mut connections = lock(&connections);
                connections.open.push(connection.clone());
                connections.ended != ended
            };
            if is_over {
                connection.close();
            }
            connection.closed().await;
            let over = {
                let open = &mut lock(&connections).open;
                open.extract_if(.., |connection| connection.is_closed())
                    .collect::<Vec<_>>()
            };
            drop(over);
        });
    }
}

fn implementations(
    source: &Arc<Source>,
    menu: Menu,
) -> Result<Implementations<LinkName>, rpc_core::DuplicateImplementations> {
    let mut builder = Implementations::builder().on_unknown_rpc(OnUnknownRpc::Continue);
    if menu.book_1 {
        let source = source.clone();
        builder = builder.implement_state(&SERVED_BOOK_1, move |link: &LinkName, question| {
            source.clone().agree(*link, question)
        });
    }
    if menu.book_2 {
        let source = source.clone();
        builder = builder.implement_state(&SERVED_BOOK_2, move |link: &LinkName, question| {
            let agreed = source.clone().agree(*link, question);
            let second = |(snapshot, feed)| {
                let version = 2;
                (Snapshot2 { version, snapshot }, feed)
            };
            async move { Ok(agreed.await?.map(second)) }
        });
    }
    if menu.ticks {
        let source = source.clone();
        builder = builder.implement_pipe(&SERVED_TICKS, move |link: &LinkName, question| {
            let agreed = source.clone().agree(*link, question);
            async move { Ok(agreed.await?.map(|(_, feed): (Snapshot, _)| feed)) }
        });
    }
    builder.build()
}

async fn publish(source: Arc<Source>, plan: ServerPlan, mut random: Random) {
    loop {
        // Never quite regular, so that it meets everything else at all sorts of moments.
        sleep(plan.interval / 2 + random.millis(0, 1 + millis(plan.interval))).await;
        let count = if random.one_in(10) { plan.burst } else { 1 };
        source.publish(i64::try_from(count).unwrap_or(1));
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.name)
    }
}
