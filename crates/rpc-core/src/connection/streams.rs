//! The receivers of [open streams](super::waiting::OpenStreams), where the connection's task finds
//! them without a lock, and uses them without counting one more user.
//!
//! Only that task takes streams out of there, so what is here is what is there. It is a cache
//! nevertheless: ids that meet push each other out.

use std::fmt;
use std::sync::Arc;

use rpc_wire::QueryId;

use super::waiting::{Intake, Receiver};

/// There are more places as long as there are no more than this for each stream and two ids meet.
/// Streams that stay open while others come and go have ids that are far apart.
const SPARSE: usize = 16;

/// Places that are kept however few streams there are.
const FEW: usize = 64;

pub(super) struct Open {
    receiver: Arc<dyn Receiver>,
    /// While nothing but updates has come.
    intake: Option<Box<dyn Intake>>,
}

impl Open {
    /// What takes updates, as long as the stream is open.
    #[inline]
    pub(super) fn intake(&mut self) -> Option<&mut (dyn Intake + 'static)> {
        if self.intake.is_none() {
            self.intake = self.receiver.clone().intake();
        }
        self.intake.as_deref_mut()
    }

    /// What takes everything else.
    #[inline]
    pub(super) fn receiver(&mut self) -> &Arc<dyn Receiver> {
        self.intake = None;
        &self.receiver
    }
}

type Entry = (QueryId, Open);

/// By id: a power of two of places, of which each has one of the ids that are the same modulo that.
#[derive(Default)]
pub(super) struct Streams {
    places: Vec<Option<Entry>>,
    /// How many of them are taken.
    taken: usize,
}

impl Streams {
    #[inline]
    fn index(&self, id: QueryId) -> usize {
        // Any number will do.
        id.get() as usize & self.places.len().wrapping_sub(1)
    }

    #[inline]
    pub(super) fn get(&mut self, id: QueryId) -> Option<&mut Open> {
        let index = self.index(id);
        match self.places.get_mut(index) {
            Some(Some((found, open))) if *found == id => Some(open),
            _ => None,
        }
    }

    fn has(&self, id: QueryId) -> bool {
        matches!(self.places.get(self.index(id)), Some(Some((found, _))) if *found == id)
    }

    #[cold]
    pub(super) fn insert(&mut self, id: QueryId, receiver: Arc<dyn Receiver>) {
        while self.is_in_the_way(id) && self.places.len() < SPARSE * (self.taken + 1) {
            self.grow();
        }
        let index = self.index(id);
        if let Some(place) = self.places.get_mut(index) {
            self.taken += usize::from(place.is_none());
            let intake = None;
            *place = Some((id, Open { receiver, intake }));
        }
    }

    /// Whether the place of this id is another's, or not there.
    fn is_in_the_way(&self, id: QueryId) -> bool {
        let place = self.places.get(self.index(id));
        !matches!(place, Some(None)) && !self.has(id)
    }

    fn grow(&mut self) {
        let larger = (2 * self.places.len()).max(1);
        let entries = std::mem::take(&mut self.places);
        self.places.resize_with(larger, || None);
        for entry in entries.into_iter().flatten() {
            let index = self.index(entry.0);
            if let Some(place) = self.places.get_mut(index) {
                *place = Some(entry);
            }
        }
    }

    /// The stream is over, and so is the room for many if there are few: they will be found in the
    /// table, and come back.
    pub(super) fn remove(&mut self, id: QueryId) {
        if !self.has(id) {
            return;
        }
        let index = self.index(id);
        if let Some(place) = self.places.get_mut(index) {
            *place = None;
            self.taken -= 1;
        }
        if self.taken == 0 || self.places.len() > FEW.max(2 * SPARSE * self.taken) {
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::waiting::tests::Nobody;
    use super::*;

    proptest! {
        /// Compared with a map: what is found is what was inserted last, and if ids are dense,
        /// everything is found.
        #[test]
        fn what_is_found_is_right(
            steps in proptest::collection::vec((any::<bool>(), 0..40_i64), 0..300),
            stride in 1..20_i64,
        ) {
            let mut streams = Streams::default();
            let mut naive: HashMap<i64, Arc<dyn Receiver>> = HashMap::new();
            let mut most = 0;
            for (insert, id) in steps {
                let id = id * stride;
                if insert {
                    let receiver: Arc<dyn Receiver> = Arc::new(Nobody);
                    streams.insert(QueryId::new(id), receiver.clone());
                    naive.insert(id, receiver);
                } else {
                    streams.remove(QueryId::new(id));
                    naive.remove(&id);
                }
                for id in -1..40 * stride {
                    match (streams.get(QueryId::new(id)), naive.get(&id)) {
                        (Some(found), Some(expected)) => {
                            prop_assert!(Arc::ptr_eq(found.receiver(), expected));
                        }
                        (found, _) => prop_assert!(found.is_none()),
                    }
                }
                let taken = streams.places.iter().flatten().count();
                prop_assert_eq!(taken, streams.taken);
                most = most.max(naive.len());
                prop_assert!(streams.places.len() <= 2 * SPARSE * (most + 1));
                prop_assert!(taken > 0 || streams.places.is_empty());
            }
        }

        #[test]
        fn streams_with_ids_in_a_row_are_all_found(first in 0..10_000_i64, count in 1..300_i64) {
            let mut streams = Streams::default();
            let ids = || (first..first + count).map(QueryId::new);
            for id in ids() {
                streams.insert(id, Arc::new(Nobody));
            }
            prop_assert!(ids().all(|id| streams.has(id)));
        }
    }
}
