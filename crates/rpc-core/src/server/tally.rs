//! What a server counts, and who takes which place.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Origin;

/// What a server has done so far, and what it has now: see [`Server::stats`](super::Server::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Clients ever accepted from the listener, whatever became of them.
    pub accepted: u64,
    /// Errors of accepting, such as running out of file descriptors.
    pub accept_errors: u64,
    /// Clients that were not let in by [`accept_if`](super::Builder::accept_if).
    pub not_admitted: u64,
    /// Clients that were told of a limit.
    pub refused: u64,
    /// Handshakes that failed.
    pub handshakes_failed: u64,
    /// Handshakes going on now, those of clients that will be refused included.
    pub handshakes: usize,
    /// Connections being served now.
    pub connections: usize,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) accepted: AtomicU64,
    pub(super) accept_errors: AtomicU64,
    pub(super) not_admitted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) handshakes_failed: AtomicU64,
    handshakes: AtomicUsize,
    connections: AtomicUsize,
    /// Clients that have a place, from before their handshake until the end of their connection.
    places: AtomicUsize,
    origins: Mutex<HashMap<Origin, usize>>,
}

impl Tally {
    pub(super) fn stats(&self) -> ServerStats {
        let total = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let now = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        ServerStats {
            accepted: total(&self.accepted),
            accept_errors: total(&self.accept_errors),
            not_admitted: total(&self.not_admitted),
            refused: total(&self.refused),
            handshakes_failed: total(&self.handshakes_failed),
            handshakes: now(&self.handshakes),
            connections: now(&self.connections),
        }
    }

    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn origins(&self) -> MutexGuard<'_, HashMap<Origin, usize>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A handshake is going on as long as the result lives.
    pub(super) fn handshake(self: &Arc<Self>) -> impl Drop + use<> {
        Counted::new(self, |tally| &tally.handshakes)
    }

    /// A connection is being served as long as the result lives.
    pub(super) fn connection(self: &Arc<Self>) -> impl Drop + use<> {
        Counted::new(self, |tally| &tally.connections)
    }

    /// A place among at most so many. Only the accepting task takes any.
    pub(super) fn place(self: &Arc<Self>, most: usize) -> Option<Place> {
        if self.places.load(Ordering::Acquire) >= most {
            return None;
        }
        Some(Place(Counted::new(self, |tally| &tally.places)))
    }

    /// A place among at most so many of the same origin.
    pub(super) fn place_of(self: &Arc<Self>, origin: Origin, most: usize) -> Option<OriginPlace> {
        let mut origins = self.origins();
        let taken = origins.entry(origin).or_insert(0);
        if *taken >= most {
            return None;
        }
        *taken += 1;
        drop(origins);
        let tally = self.clone();
        Some(OriginPlace { tally, origin })
    }
}

/// Adds one as long as it lives.
struct Counted {
    tally: Arc<Tally>,
    of: fn(&Tally) -> &AtomicUsize,
}

impl Counted {
    fn new(tally: &Arc<Tally>, of: fn(&Tally) -> &AtomicUsize) -> Self {
        of(tally).fetch_add(1, Ordering::AcqRel);
        let tally = tally.clone();
        Self { tally, of }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.of)(&self.tally).fetch_sub(1, Ordering::AcqRel);
    }
}

/// One of the server's places.
pub(super) struct Place(#[expect(dead_code, reason = "held for its drop")] Counted);

/// One of the places of an origin.
pub(super) struct OriginPlace {
    tally: Arc<Tally>,
    origin: Origin,
}

impl Drop for OriginPlace {
    fn drop(&mut self) {
        // An origin without connections is forgotten, or the table would grow for ever.
        if let Entry::Occupied(mut taken) = self.tally.origins().entry(self.origin) {
            *taken.get_mut() -= 1;
            if *taken.get() == 0 {
                taken.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_without_connections_is_forgotten() {
        let tally = Arc::<Tally>::default();
        let origin = Origin::User(7);
        let first = tally.place_of(origin, 2).unwrap();
        let second = tally.place_of(origin, 2).unwrap();
        assert!(tally.place_of(origin, 2).is_none());
        assert!(tally.place_of(Origin::User(8), 2).is_some());
        drop(first);
        let third = tally.place_of(origin, 2).unwrap();
        drop((second, third));
        assert!(tally.origins().is_empty());
    }
}
