//! The durable value (*durable* §1).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use durable_rpc::{BuildError, Durable};
use tokio::runtime::{self, Runtime};
use tokio::sync::Barrier;
use tokio::task::yield_now;

use crate::cancelling::poll_once;
use crate::server::settle;
use crate::workshop::{OutOfWood, Outcome, Thing, Workshop, poke, smash};

const BROKEN_AT_ONCE: &str = "Durable value was broken immediately after being created or rebuilt.";

fn error<T>(text: &str) -> Result<T, String> {
    Err(text.to_owned())
}

/// D-DU-1 (ZD1).
#[tokio::test(start_paused = true)]
async fn making_a_durable_value_builds_nothing() {
    let workshop = Workshop::new();
    let durable = workshop.with_rebuild();
    settle().await;
    assert_eq!(workshop.made(), (0, 0));
    assert_eq!(poke(&durable).await, Ok(1));
}

/// D-DU-6.
#[tokio::test(start_paused = true)]
async fn intact_value_is_used_again() {
    let workshop = Workshop::new();
    let durable = workshop.with_rebuild();
    for use_of in [&durable, &durable.clone(), &durable] {
        assert_eq!(poke(use_of).await, Ok(1));
    }
    assert_eq!(workshop.made(), (1, 0));
}

/// D-DU-2 (V1).
#[tokio::test(start_paused = true)]
async fn create_or_fail_succeeds_with_a_value_that_is_built() {
    let workshop = Workshop::new();
    let durable = workshop.create_or_fail().await.unwrap();
    assert_eq!(workshop.made(), (1, 0));
    assert_eq!(poke(&durable).await, Ok(1));
    assert_eq!(workshop.made(), (1, 0));
}

/// D-DU-2 (ZD2).
#[tokio::test(start_paused = true)]
async fn create_or_fail_fails_with_the_error_of_create() {
    let workshop = Workshop::new();
    workshop.will(Outcome::Fails);
    let error = workshop.create_or_fail().await.unwrap_err();
    assert_eq!(error.to_string(), "out of wood");
    settle().await;
    assert_eq!(workshop.made(), (1, 0));
}

/// D-DU-2 (ZD2).
#[tokio::test(start_paused = true)]
async fn create_or_fail_refuses_a_broken_value() {
    let workshop = Workshop::new();
    workshop.will(Outcome::Broken);
    let error = workshop.create_or_fail().await.unwrap_err();
    assert!(matches!(error, BuildError::InitiallyBroken));
    assert_eq!(error.to_string(), "Initial durable value is broken.");
    assert_eq!(workshop.made(), (1, 0));
}

/// D-DU-11.
#[tokio::test(start_paused = true)]
async fn create_or_fail_returns_a_panic_of_create_as_an_error() {
    for outcome in [Outcome::Raises, Outcome::RaisesAtOnce] {
        let workshop = Workshop::new();
        workshop.will(outcome);
        let durable = tokio::spawn(async move { workshop.create_or_fail().await });
        let durable = durable.await.expect("the panic escaped");
        durable.unwrap_err();
    }
}

/// The promise of `create_or_fail` about cancelling.
#[tokio::test(start_paused = true)]
async fn create_or_fail_that_is_dropped_drops_the_create() {
    let workshop = Workshop::new();
    let gate = workshop.gate.acquire().await.unwrap();
    let mut creating = Box::pin(workshop.create_or_fail());
    assert!(poll_once(creating.as_mut()).await.is_none());
    let held = Arc::strong_count(&workshop);
    drop(creating);
    assert!(Arc::strong_count(&workshop) < held);
    drop(gate);
    assert_eq!(Arc::strong_count(&workshop), 1);
}

/// V2 to V5: a value that breaks in one use is built once for the next three.
#[tokio::test(start_paused = true)]
async fn broken_value_is_rebuilt_once() {
    let check = async |durable: Durable<Thing>, workshop: Arc<Workshop>, expected| {
        smash(&durable).await;
        let pokes = tokio::join!(poke(&durable), poke(&durable), poke(&durable));
        assert_eq!(pokes, (Ok(2), Ok(2), Ok(2)));
        assert_eq!(workshop.made(), expected);
    };
    let workshop = Workshop::new();
    let durable = workshop.create_or_fail_with_rebuild().await.unwrap();
    check(durable, workshop, (1, 1)).await;
    let workshop = Workshop::new();
    check(workshop.with_rebuild(), workshop, (1, 1)).await;
    let workshop = Workshop::new();
    check(workshop.create_or_fail().await.unwrap(), workshop, (2, 0)).await;
    let workshop = Workshop::new();
    check(workshop.durable(), workshop, (2, 0)).await;
}

/// D-DU-7 (ZD3). The barrier is passed only if all ten functions run at the same time.
#[tokio::test(start_paused = true)]
async fn concurrent_uses_share_one_build_and_run_concurrently() {
    let workshop = Workshop::new();
    let durable = workshop.durable();
    let barrier = Arc::new(Barrier::new(10));
    let uses: Vec<_> = (0..10)
        .map(|_| {
            let (durable, barrier) = (durable.clone(), barrier.clone());
            tokio::spawn(async move {
                durable
                    .with(async |_| barrier.wait().await.is_leader())
                    .await
            })
        })
        .collect();
    let mut leaders = 0;
    for each in uses {
        leaders += usize::from(each.await.unwrap().unwrap());
    }
    assert_eq!(leaders, 1);
    assert_eq!(workshop.made(), (1, 0));
}

/// D-DU-7: the value is not locked by a use that takes its time.
#[tokio::test(start_paused = true)]
async fn uses_are_not_serialised() {
    let durable = Workshop::new().durable();
    let mut slow = Box::pin(durable.with(|_| std::future::pending::<()>()));
    assert!(poll_once(slow.as_mut()).await.is_none());
    settle().await;
    assert!(poll_once(slow.as_mut()).await.is_none());
    assert_eq!(poke(&durable).await, Ok(1));
}

/// D-DU-5, D-DU-6 (ZD3).
#[tokio::test(start_paused = true)]
async fn failed_build_is_the_error_of_all_who_waited() {
    let workshop = Workshop::new();
    let durable = workshop.with_rebuild();
    workshop.will(Outcome::Fails);
    let uses: Vec<_> = (0..10)
        .map(|_| {
            let durable = durable.clone();
            tokio::spawn(async move { poke(&durable).await })
        })
        .collect();
    for each in uses {
        assert_eq!(each.await.unwrap(), error("out of wood"));
    }
    settle().await;
    assert_eq!(workshop.made(), (1, 0), "nobody retries");
    workshop.will(Outcome::Good);
    assert_eq!(poke(&durable).await, Ok(2));
    assert_eq!(workshop.made(), (2, 0));
}

/// D-DU-5 (ZD4).
#[tokio::test(start_paused = true)]
async fn failed_rebuild_forgets_the_old_value() {
    let workshop = Workshop::new();
    let durable = workshop.with_rebuild();
    let flag = durable.with(async |thing: Thing| Arc::downgrade(&thing.broken));
    let flag = flag.await.unwrap();
    smash(&durable).await;
    workshop.will(Outcome::Fails);
    assert_eq!(poke(&durable).await, error("out of wood"));
    assert_eq!(workshop.made(), (1, 1));
    assert!(flag.upgrade().is_none());
    workshop.will(Outcome::Good);
    assert_eq!(poke(&durable).await, Ok(3));
    assert_eq!(workshop.made(), (2, 1));
}

/// D-DU-3, D-DU-4, D-DU-6 (ZD5): the value stays all the same, and is what the next use rebuilds.
#[tokio::test(start_paused = true)]
async fn value_that_is_built_broken_is_an_error_of_each_use() {
    let workshop = Workshop::new();
    let durable = workshop.with_rebuild();
    workshop.will(Outcome::Broken);
    assert_eq!(poke(&durable).await, error(BROKEN_AT_ONCE));
    assert_eq!(workshop.made(), (1, 0));
    for rebuilds in 1..4 {
        assert_eq!(poke(&durable).await, error(BROKEN_AT_ONCE));
        assert_eq!(workshop.made(), (1, rebuilds));
    }
    workshop.will(Outcome::Good);
    assert_eq!(poke(&durable).await, Ok(5));

    let workshop = Workshop::new();
    let durable = workshop.durable();
    workshop.will(Outcome::Broken);
    for creates in 1..4 {
        assert_eq!(poke(&durable).await, error(BROKEN_AT_ONCE));
        assert_eq!(workshop.made(), (creates, 0));
    }
}

/// D-DU-3 (ZD6): the first of two uses breaks the value that both waited for.
#[tokio::test(start_paused = true)]
async fn value_that_breaks_before_its_use_is_an_error() {
    let workshop = Workshop::new();
    let durable = workshop.with_rebuild();
    let (first, second) = tokio::join!(
        biased;
        durable.with(async |thing: Thing| thing.smash()),
        durable.with(async |_| panic!("used a broken value")),
    );
    first.unwrap();
    let second: Result<(), _> = second;
    assert!(matches!(second, Err(BuildError::BrokenAtOnce)));
    assert_eq!(workshop.made(), (1, 0));
}

/// D-DU-4.
#[tokio::test(start_paused = true)]
async fn build_that_nobody_waits_for_any_more_is_kept() {
    let workshop = Workshop::new();
    let durable = workshop.durable();
    let gate = workshop.gate.acquire().await.unwrap();
    assert!(poll_once(Box::pin(poke(&durable)).as_mut()).await.is_none());
    drop(gate);
    settle().await;
    assert_eq!(poke(&durable).await, Ok(1));
    assert_eq!(workshop.made(), (1, 0));
}

/// D-DU-8 (ZD8).
#[tokio::test(start_paused = true)]
async fn failing_function_leaves_the_value_as_it_is() {
    let workshop = Workshop::new();
    let durable = workshop.with_rebuild();
    let failed = durable.with(async |_| Err::<(), _>("no")).await;
    assert_eq!(failed.unwrap(), Err("no"));
    let raising = durable.clone();
    let raised = tokio::spawn(async move { raising.with(async |_| panic!("no")).await });
    let raised: Result<Result<(), _>, _> = raised.await;
    assert!(raised.unwrap_err().is_panic());
    assert_eq!(poke(&durable).await, Ok(1));
    assert_eq!(workshop.made(), (1, 0));
}

/// D-DU-9 (ZD9): wherever in the line of those who wait the dropped use stands.
#[tokio::test(start_paused = true)]
async fn dropped_use_does_not_disturb_the_others() {
    for dropped in 0..3 {
        let workshop = Workshop::new();
        let durable = workshop.durable();
        let gate = workshop.gate.acquire().await.unwrap();
        let mut uses: Vec<_> = (0..3).map(|_| Box::pin(poke(&durable))).collect();
        for each in &mut uses {
            assert!(poll_once(each.as_mut()).await.is_none());
        }
        drop(uses.remove(dropped));
        settle().await;
        drop(gate);
        for each in uses {
            assert_eq!(each.await, Ok(1));
        }
        assert_eq!(workshop.made(), (1, 0));
    }
}

/// A use that is never polled does nothing.
#[tokio::test(start_paused = true)]
async fn use_that_is_not_polled_builds_nothing() {
    let workshop = Workshop::new();
    drop(poke(&workshop.durable()));
    settle().await;
    assert_eq!(workshop.made(), (0, 0));
}

/// D-DU-10 (ZD7).
#[tokio::test(start_paused = true)]
async fn panic_of_create_is_a_failed_build() {
    for outcome in [Outcome::Raises, Outcome::RaisesAtOnce] {
        let workshop = Workshop::new();
        let durable = workshop.with_rebuild();
        workshop.will(outcome);
        for creates in 1..3 {
            poke(&durable).await.unwrap_err();
            assert_eq!(workshop.made(), (creates, 0));
        }
        workshop.will(Outcome::Good);
        assert_eq!(poke(&durable).await, Ok(3));
    }
}

/// D-DU-10, D-DU-5.
#[tokio::test(start_paused = true)]
async fn panic_of_rebuild_is_a_failed_build() {
    for outcome in [Outcome::Raises, Outcome::RaisesAtOnce] {
        let workshop = Workshop::new();
        let durable = workshop.with_rebuild();
        smash(&durable).await;
        workshop.will(outcome);
        poke(&durable).await.unwrap_err();
        assert_eq!(workshop.made(), (1, 1));
        workshop.will(Outcome::Good);
        assert_eq!(poke(&durable).await, Ok(3));
        assert_eq!(workshop.made(), (2, 1));
    }
}

/// A lock is held while the test is asked; it is not left poisoned.
#[tokio::test(start_paused = true)]
async fn panic_of_is_broken_concerns_one_use() {
    let raises = Arc::new(AtomicBool::new(false));
    let is_broken = raises.clone();
    let durable = Durable::new(
        async || Ok::<_, OutOfWood>(7),
        move |_| {
            assert!(!is_broken.load(Ordering::Relaxed));
            false
        },
    );
    assert_eq!(durable.with(async |n| n).await.unwrap(), 7);
    raises.store(true, Ordering::Relaxed);
    let raising = durable.clone();
    let raised = tokio::spawn(async move { raising.with(async |n| n).await }).await;
    assert!(raised.unwrap_err().is_panic());
    raises.store(false, Ordering::Relaxed);
    assert_eq!(durable.with(async |n| n).await.unwrap(), 7);
}

/// Those who wait elsewhere are told, and the next use builds again, whether or not the build
/// had begun when its runtime was shut down.
#[test]
fn build_whose_runtime_goes_away_is_aborted() {
    for begun in [false, true] {
        let workshop = Workshop::new();
        let durable = workshop.durable();
        let other = runtime();
        let gate = workshop.gate.try_acquire().unwrap();
        let mut waiting = Box::pin(durable.with(async |thing: Thing| thing.number));
        let builder = runtime();
        builder.block_on(async {
            assert!(poll_once(waiting.as_mut()).await.is_none());
            if begun {
                yield_now().await;
            }
        });
        assert_eq!(workshop.made(), (usize::from(begun), 0));
        drop(builder);
        drop(gate);
        let aborted = other.block_on(waiting);
        assert!(matches!(aborted, Err(BuildError::Aborted)));
        other.block_on(poke(&durable)).unwrap();
    }
}

fn runtime() -> Runtime {
    runtime::Builder::new_current_thread().build().unwrap()
}

/// Ours: a use that waits gets an error, what it waited for is dropped, and so is every use from
/// then on.
#[tokio::test(start_paused = true)]
async fn closed_value_cannot_be_used() {
    let workshop = Workshop::new();
    let durable = workshop.with_rebuild();
    let flag = durable.with(async |thing: Thing| Arc::downgrade(&thing.broken));
    let flag = flag.await.unwrap();
    durable.close();
    assert!(flag.upgrade().is_none(), "the value is forgotten");
    durable.clone().close();
    assert_eq!(
        poke(&durable).await,
        error("the durable value has been closed")
    );
    assert_eq!(workshop.made(), (1, 0));

    let workshop = Workshop::new();
    let durable = workshop.durable();
    let gate = workshop.gate.acquire().await.unwrap();
    let mut waiting = Box::pin(durable.with(async |thing: Thing| thing.number));
    assert!(poll_once(waiting.as_mut()).await.is_none());
    durable.close();
    drop(gate);
    assert!(matches!(waiting.await, Err(BuildError::Closed)));
    assert_eq!(
        poke(&durable).await,
        error("the durable value has been closed")
    );
    assert_eq!(workshop.made(), (1, 0));
}

/// The value goes with the last handle, also if it was still being built.
#[tokio::test(start_paused = true)]
async fn value_is_dropped_with_the_last_handle() {
    let workshop = Workshop::new();
    let durable = workshop.durable();
    let flag = durable.with(async |thing: Thing| Arc::downgrade(&thing.broken));
    let flag = flag.await.unwrap();
    drop(durable.clone());
    assert!(flag.upgrade().is_some());
    drop(durable);
    assert!(flag.upgrade().is_none());

    let alive = Arc::new(());
    let made = alive.clone();
    let durable = Durable::new(
        move || {
            let made = made.clone();
            async move {
                yield_now().await;
                Ok::<_, OutOfWood>(made)
            }
        },
        |_| false,
    );
    let mut using = Box::pin(durable.with(async |_| ()));
    assert!(poll_once(using.as_mut()).await.is_none());
    drop(using);
    drop(durable);
    assert!(Arc::strong_count(&alive) > 1, "the build goes on");
    settle().await;
    assert_eq!(Arc::strong_count(&alive), 1);
}
