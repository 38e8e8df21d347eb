//! Things that can be broken, and the workshop behind their durable value: it counts, and it
//! fails when it is told to.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use durable_rpc::{BuildError, Durable};
use tokio::sync::Semaphore;

/// A value that can be broken.
#[derive(Clone)]
pub(crate) struct Thing {
    pub(crate) number: usize,
    pub(crate) broken: Arc<AtomicBool>,
}

impl Thing {
    pub(crate) fn smash(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    Good,
    Broken,
    Fails,
    Raises,
    RaisesAtOnce,
}

#[derive(Debug, thiserror::Error)]
#[error("out of wood")]
pub(crate) struct OutOfWood;

/// Where things are made and repaired.
pub(crate) struct Workshop {
    creates: AtomicUsize,
    rebuilds: AtomicUsize,
    outcome: Mutex<Outcome>,
    /// Whoever makes or repairs a thing passes through it.
    pub(crate) gate: Semaphore,
}

impl Workshop {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            creates: AtomicUsize::new(0),
            rebuilds: AtomicUsize::new(0),
            outcome: Mutex::new(Outcome::Good),
            gate: Semaphore::new(1),
        })
    }

    pub(crate) fn durable(self: &Arc<Self>) -> Durable<Thing> {
        let create = self.clone();
        Durable::new(move || create.create(), Thing::is_broken)
    }

    pub(crate) fn with_rebuild(self: &Arc<Self>) -> Durable<Thing> {
        let (create, rebuild) = (self.clone(), self.clone());
        let rebuild = move |old| rebuild.rebuild(&old);
        Durable::with_rebuild(move || create.create(), rebuild, Thing::is_broken)
    }

    pub(crate) async fn create_or_fail(self: &Arc<Self>) -> Result<Durable<Thing>, BuildError> {
        let create = self.clone();
        Durable::create_or_fail(move || create.create(), Thing::is_broken).await
    }

    pub(crate) async fn create_or_fail_with_rebuild(
        self: &Arc<Self>,
    ) -> Result<Durable<Thing>, BuildError> {
        let (create, rebuild) = (self.clone(), self.clone());
        let rebuild = move |old| rebuild.rebuild(&old);
        let create = move || create.create();
        Durable::create_or_fail_with_rebuild(create, rebuild, Thing::is_broken).await
    }

    fn create(self: &Arc<Self>) -> impl Future<Output = Result<Thing, OutOfWood>> + Send + use<> {
        self.creates.fetch_add(1, Ordering::Relaxed);
        self.make()
    }

    fn rebuild(
        self: &Arc<Self>,
        old: &Thing,
    ) -> impl Future<Output = Result<Thing, OutOfWood>> + Send + use<> {
        assert!(old.is_broken());
        self.rebuilds.fetch_add(1, Ordering::Relaxed);
        self.make()
    }

    fn make(self: &Arc<Self>) -> impl Future<Output = Result<Thing, OutOfWood>> + Send + use<> {
        let this = self.clone();
        let outcome = *this.outcome.lock().unwrap();
        assert!(!matches!(outcome, Outcome::RaisesAtOnce));
        async move {
            drop(this.gate.acquire().await.unwrap());
            let (creates, rebuilds) = this.made();
            match outcome {
                Outcome::Good | Outcome::Broken => Ok(Thing {
                    number: creates + rebuilds,
                    broken: Arc::new(AtomicBool::new(matches!(outcome, Outcome::Broken))),
                }),
                Outcome::Fails => Err(OutOfWood),
                Outcome::Raises | Outcome::RaisesAtOnce => panic!("out of nails"),
            }
        }
    }

    pub(crate) fn will(&self, outcome: Outcome) {
        *self.outcome.lock().unwrap() = outcome;
    }

    /// Numbers of creates and rebuilds.
    pub(crate) fn made(&self) -> (usize, usize) {
        let count = |n: &AtomicUsize| n.load(Ordering::Relaxed);
        (count(&self.creates), count(&self.rebuilds))
    }
}

/// The number of the thing that a use gets, or the text of the error.
pub(crate) async fn poke(durable: &Durable<Thing>) -> Result<usize, String> {
    let number = durable.with(async |thing: Thing| thing.number).await;
    number.map_err(|error| error.to_string())
}

pub(crate) async fn smash(durable: &Durable<Thing>) {
    durable
        .with(async |thing: Thing| thing.smash())
        .await
        .unwrap();
}
