//! A connection of the network: two lanes, and what has happened to it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::lane::{Arrived, Lane};
use super::weather::Weather;
use super::{Break, Network};
use crate::fact::Fact;
use crate::names::{DurableName, LinkName, ServerName};
use crate::plan::action::Direction;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

pub(super) struct Link {
    pub(super) name: LinkName,
    pub(super) durable: DurableName,
    pub(super) server: ServerName,
    pub(super) network: Network,
    weather: Arc<Weather>,
    inner: Mutex<Inner>,
}

struct Inner {
    up: Lane,
    down: Lane,
    client: Condition,
    server: Condition,
    /// Whether the server's end neither reads nor writes.
    frozen: bool,
    /// Whether the client's end breaks when it sends something.
    disowned: bool,
}

/// How an end of the link is.
#[derive(Default)]
struct Condition {
    /// When it breaks, or broke.
    breaks: Option<Instant>,
    /// Whether it has been told that nothing more comes.
    told: bool,
    /// Whether it has ended its half.
    left: bool,
    /// Whether it was dropped.
    gone: bool,
}

/// What an attempt to read gives.
pub(super) enum Reading {
    Done(Poll<io::Result<usize>>),
    /// Nothing before this time, unless the waker is used.
    At(Instant),
}

impl Link {
    pub(super) fn new(
        name: LinkName,
        durable: DurableName,
        server: ServerName,
        network: Network,
        weather: Arc<Weather>,
    ) -> Self {
        let now = Instant::now();
        Self {
            name,
            durable,
            server,
            network,
            weather,
            inner: Mutex::new(Inner {
                up: Lane::new(now),
                down: Lane::new(now),
                client: Condition::default(),
                server: Condition::default(),
                frozen: false,
                disowned: false,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, fact: Fact) {
        self.network.world.tell(fact);
    }

    pub(super) fn read(
        &self,
        side: Side,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Reading {
        let now = Instant::now();
        let inner = &mut *self.lock();
        let frozen = inner.frozen && side == Side::Server;
        let (lane, condition) = inner.incoming(side);
        lane.reader = Some(cx.waker().clone());
        if frozen {
            return Reading::Done(Poll::Pending);
        }
        let breaks = condition.breaks;
        if breaks.is_some_and(|at| at <= now) {
            self.told(side, condition);
            return Reading::Done(Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())));
        }
        let arrives = match lane.receive(now, buffer) {
            Arrived::Bytes(count) => return Reading::Done(Poll::Ready(Ok(count))),
            Arrived::End => {
                self.told(side, condition);
                return Reading::Done(Poll::Ready(Ok(0)));
            }
            Arrived::At(at) => Some(at),
            Arrived::Nothing => None,
        };
        match arrives.into_iter().chain(breaks).min() {
            Some(at) => Reading::At(at),
            None => Reading::Done(Poll::Pending),
        }
    }

    fn told(&self, side: Side, condition: &mut Condition) {
        if side == Side::Client && !condition.told {
            self.tell(Fact::LinkEnded(self.name));
        }
        condition.told = true;
    }

    pub(super) fn write(
        &self,
        side: Side,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        let inner = &mut *self.lock();
        if inner.frozen && side == Side::Server {
            inner.outgoing(side).writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if side == Side::Client && inner.disowned && inner.client.breaks.is_none() {
            // The answer takes a round trip.
            inner.client.breaks = Some(now + self.weather.latency() * 2);
            inner.down.wake_all();
        }
        let (own, peer) = inner.conditions(side);
        if own.breaks.is_some_and(|at| at <= now) || peer.gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let lane = inner.outgoing(side);
        let count = bytes.len().min(lane.room());
        if count == 0 {
            lane.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let arrives = now + self.weather.latency() + self.weather.sending(count);
        lane.send(&bytes[..count], arrives);
        Poll::Ready(Ok(count))
    }

    /// The end's half is over, behind what it has written.
    pub(super) fn shut_down(&self, side: Side) {
        let arrives = Instant::now() + self.weather.latency();
        let inner = &mut *self.lock();
        inner.outgoing(side).finish(arrives);
        let left = std::mem::replace(&mut inner.conditions(side).0.left, true);
        if side == Side::Client && !left {
            self.tell(Fact::LinkLeft(self.name));
        }
    }

    /// The end is dropped.
    pub(super) fn leave(&self, side: Side) {
        self.shut_down(side);
        let both_gone = {
            let inner = &mut *self.lock();
            let (own, peer) = inner.conditions(side);
            own.gone = true;
            let both_gone = peer.gone;
            // Whoever waits to write there is told.
            inner.incoming(side).0.wake_all();
            both_gone
        };
        if both_gone {
            self.network.forget(self.name);
        }
    }

    pub(super) fn set_frozen(&self, frozen: bool) {
        let inner = &mut *self.lock();
        inner.frozen = frozen;
        inner.up.wake_all();
        inner.down.wake_all();
    }

    pub(super) fn break_off(&self, how: Break) {
        let now = Instant::now();
        let inner = &mut *self.lock();
        inner.up.kill();
        inner.down.kill();
        inner.server.breaks.get_or_insert(now);
        match how {
            Break::Told => {
                inner.client.breaks.get_or_insert(now);
            }
            Break::Untold => self.silent(&inner.client),
        }
        inner.up.wake_all();
        inner.down.wake_all();
    }

    pub(super) fn disown(&self) {
        let inner = &mut *self.lock();
        if inner.server.breaks.is_some() {
            inner.disowned = true;
        }
    }

    pub(super) fn finish(&self) {
        let arrives = Instant::now() + self.weather.latency();
        let inner = &mut *self.lock();
        inner.up.finish(arrives);
        inner.down.finish(arrives);
    }

    pub(super) fn silence(&self, direction: Direction) {
        let inner = &mut *self.lock();
        if matches!(direction, Direction::Up | Direction::Both) {
            inner.up.kill();
        }
        if matches!(direction, Direction::Down | Direction::Both) && !inner.down.is_dead() {
            inner.down.kill();
            self.silent(&inner.client);
        }
    }

    fn silent(&self, client: &Condition) {
        if !client.told && !client.gone && client.breaks.is_none() {
            self.tell(Fact::LinkSilent(self.name));
        }
    }

    pub(super) fn hold(&self, until: Instant) {
        let inner = &mut *self.lock();
        inner.up.hold(until);
        inner.down.hold(until);
    }
}

impl Inner {
    /// What the side reads from, and how it is.
    fn incoming(&mut self, side: Side) -> (&mut Lane, &mut Condition) {
        match side {
            Side::Client => (&mut self.down, &mut self.client),
            Side::Server => (&mut self.up, &mut self.server),
        }
    }

    fn outgoing(&mut self, side: Side) -> &mut Lane {
        match side {
            Side::Client => &mut self.up,
            Side::Server => &mut self.down,
        }
    }

    /// How the side is, and its peer.
    fn conditions(&mut self, side: Side) -> (&mut Condition, &mut Condition) {
        match side {
            Side::Client => (&mut self.client, &mut self.server),
            Side::Server => (&mut self.server, &mut self.client),
        }
    }
}
