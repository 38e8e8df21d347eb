//! A network in memory, on tokio's clock: hosts at addresses, connections with latency, bandwidth
//! and a window, and whatever can go wrong with them.
//!
//! ```text
//!   client's end ── write ──► lane up:   segments, each with its time of arrival ── read ──► server's end
//!                ◄── read ──  lane down: the same                               ◄── write ──
//! ```
//!
//! What a lane holds, read or not, is bounded by its window; a writer waits beyond that. So a peer
//! that does not read is felt, as with TCP.

mod end;
mod lane;
mod link;
mod tap;
#[cfg(test)]
mod tests;
mod weather;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::fact::Fact;
use crate::names::{DurableName, LinkName, ServerName};
use crate::plan::action::Direction;
use crate::random::Random;
use crate::world::World;
use link::Link;
use weather::Weather;

pub use end::End;

/// Where a host can be reached.
pub type Address = u32;

/// The network. Cheap to clone; the clones share it.
#[derive(Clone)]
pub struct Network {
    world: World,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    random: Random,
    doors: BTreeMap<Address, Door>,
    hosts: Vec<Host>,
    links: Vec<Arc<Link>>,
    next_link: u32,
}

/// Where a host listens.
struct Door {
    server: ServerName,
    accepts: mpsc::UnboundedSender<End>,
}

/// What is known of a host, wherever it is.
struct Host {
    /// Where clients think that it is.
    known_address: Address,
    weather: Arc<Weather>,
    /// How many faults make it refuse connections, and how many make it ignore them.
    refuses: u32,
    ignores: u32,
    frozen: u32,
}

/// Segments of a connection that ends at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Both ends are told.
    Told,
    /// The server's end breaks; the client's is told when it sends something, if ever.
    Untold,
}

impl Network {
    /// A network of hosts with these latencies, at the addresses 0 …
    pub fn new(world: World, random: Random, latencies: impl Iterator<Item = Duration>) -> Self {
        let hosts = latencies.enumerate().map(|(index, latency)| Host {
            known_address: u32::try_from(index).unwrap_or(u32::MAX),
            weather: Arc::new(Weather::new(latency)),
            refuses: 0,
            ignores: 0,
            frozen: 0,
        });
        Self {
            world,
            inner: Arc::new(Mutex::new(Inner {
                random,
                doors: BTreeMap::new(),
                hosts: hosts.collect(),
                links: Vec::new(),
                next_link: 0,
            })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where clients think that the server is.
    pub fn look_up(&self, server: ServerName) -> Address {
        self.lock().host(server).known_address
    }

    /// Makes a connection to this server, if it is the one that listens at the address.
    ///
    /// # Cancel safety
    /// Dropping the future ends the connection.
    ///
    /// # Errors
    /// Nobody listens there, or it refuses. Takes for ever, if it ignores.
    pub async fn connect(
        &self,
        durable: DurableName,
        server: ServerName,
        address: Address,
    ) -> io::Result<End> {
        let weather = self.lock().host(server).weather.clone();
        sleep(weather.latency()).await;
        let knocked = self.knock(durable, address, server);
        if let Knocked::Ignored = knocked {
            std::future::pending::<()>().await;
        }
        sleep(weather.latency()).await;
        match knocked {
            Knocked::Accepted(end) => Ok(*end),
            Knocked::Refused | Knocked::Ignored => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    fn knock(&self, durable: DurableName, address: Address, server: ServerName) -> Knocked {
        let inner = &mut *self.lock();
        let host = inner.host(server);
        if host.ignores > 0 {
            return Knocked::Ignored;
        }
        let Some(door) = inner.doors.get(&address) else {
            return Knocked::Refused;
        };
        if host.refuses > 0 || door.server != server {
            return Knocked::Refused;
        }
        let name = LinkName(inner.next_link);
        let link = Link::new(name, durable, server, self.clone(), host.weather.clone());
        let link = Arc::new(link);
        link.set_frozen(host.frozen > 0);
        let client_end = End::client(link.clone(), inner.random.fork());
        let server_end = End::server(link.clone(), inner.random.fork());
        inner.links.push(link);
        inner.next_link += 1;
        self.world.tell(Fact::LinkOpened(name, durable, server));
        let door = &inner.doors[&address];
        match door.accepts.send(server_end) {
            Ok(()) => Knocked::Accepted(Box::new(client_end)),
            // Its ends, which are dropped when nothing is locked, were never connected.
            Err(_) => Knocked::Refused,
        }
    }

    /// Listens for the connections to an address, in place of whoever did.
    pub fn listen(&self, server: ServerName, address: Address) -> mpsc::UnboundedReceiver<End> {
        let (accepts, accepted) = mpsc::unbounded_channel();
        self.lock().doors.insert(address, Door { server, accepts });
        accepted
    }

    /// Nobody listens there any more.
    pub fn stop_listening(&self, address: Address) {
        self.lock().doors.remove(&address);
    }

    /// From now on clients look for the server at this address.
    pub fn announce(&self, server: ServerName, address: Address) {
        self.lock().host_mut(server).known_address = address;
    }

    /// One more fault, or one less, makes the server refuse connections.
    pub fn refuse(&self, server: ServerName, refuses: bool) {
        count(&mut self.lock().host_mut(server).refuses, refuses);
    }

    /// One more fault, or one less, makes the server ignore who connects.
    pub fn ignore(&self, server: ServerName, ignores: bool) {
        count(&mut self.lock().host_mut(server).ignores, ignores);
    }

    /// One more fault, or one less, keeps the server from reading and writing.
    pub fn freeze(&self, server: ServerName, freezes: bool) {
        let frozen = {
            let mut inner = self.lock();
            let host = inner.host_mut(server);
            count(&mut host.frozen, freezes);
            host.frozen > 0
        };
        for link in self.links_of(server) {
            link.set_frozen(frozen);
        }
    }

    /// The server's links transport this many bytes in a second; or what they did before.
    pub fn slow(&self, server: ServerName, rate: u32, begins: bool) {
        self.lock().host(server).weather.slow(rate, begins);
    }

    /// The server's links take this much longer; or what they did before.
    pub fn far(&self, server: ServerName, latency: Duration, begins: bool) {
        self.lock().host(server).weather.far(latency, begins);
    }

    /// Breaks the server's links.
    pub fn break_links(&self, server: ServerName, how: Break) {
        for link in self.links_of(server) {
            link.break_off(how);
        }
    }

    /// The server is back: whoever still sends to its old links is told that they have broken.
    pub fn disown_links(&self, server: ServerName) {
        for link in self.links_of(server) {
            link.disown();
        }
    }

    /// Breaks the present link of this durable value.
    pub fn cut(&self, durable: DurableName) {
        if let Some(link) = self.present_link(durable) {
            link.break_off(Break::Told);
        }
    }

    /// Ends the present link from both sides.
    pub fn finish(&self, durable: DurableName) {
        if let Some(link) = self.present_link(durable) {
            link.finish();
        }
    }

    /// Nothing arrives any more in these directions of the present link.
    pub fn silence(&self, durable: DurableName, direction: Direction) {
        if let Some(link) = self.present_link(durable) {
            link.silence(direction);
        }
    }

    /// Nothing arrives before this time over the present link.
    pub fn hold(&self, durable: DurableName, until: Instant) {
        if let Some(link) = self.present_link(durable) {
            link.hold(until);
        }
    }

    /// The links of which an end is still held by somebody.
    pub fn links(&self) -> Vec<LinkName> {
        self.lock().links.iter().map(|link| link.name).collect()
    }

    fn links_of(&self, server: ServerName) -> Vec<Arc<Link>> {
        let inner = self.lock();
        let links = inner.links.iter().filter(|link| link.server == server);
        links.cloned().collect()
    }

    fn present_link(&self, durable: DurableName) -> Option<Arc<Link>> {
        let inner = self.lock();
        let mut links = inner.links.iter().rev();
        links.find(|link| link.durable == durable).cloned()
    }

    /// Both ends of the link have been dropped.
    fn forget(&self, name: LinkName) {
        self.lock().links.retain(|link| link.name != name);
        self.world.tell(Fact::LinkGone(name));
    }
}

enum Knocked {
    Accepted(Box<End>),
    Refused,
    Ignored,
}

impl Inner {
    fn host(&self, server: ServerName) -> &Host {
        &self.hosts[usize::from(server.0)]
    }

    fn host_mut(&mut self, server: ServerName) -> &mut Host {
        &mut self.hosts[usize::from(server.0)]
    }
}

/// Faults of one kind may overlap.
fn count(faults: &mut u32, begins: bool) {
    if begins {
        *faults += 1;
    } else {
        *faults = faults.saturating_sub(1);
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}
