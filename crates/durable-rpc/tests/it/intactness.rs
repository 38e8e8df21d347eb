//! Whether a value is intact, and who is told (*durable* §1, *Intactness notifications*).

use std::sync::{Arc, Mutex};

use durable_rpc::{Durable, Listening};
use tokio::join;
use tokio::time::sleep;

use crate::checked::LONG;
use crate::server::{Server, settle};
use crate::workshop::{Outcome, Thing, Workshop, poke, smash};

/// What a listener has heard.
struct Heard {
    all: Arc<Mutex<Vec<bool>>>,
    _listening: Listening,
}

impl Heard {
    fn by(durable: &Durable<Thing>) -> Self {
        let all = Arc::new(Mutex::new(Vec::new()));
        let heard = all.clone();
        let listening = durable.on_intactness(move |is_intact| {
            heard.lock().unwrap().push(is_intact);
        });
        Self {
            all,
            _listening: listening,
        }
    }

    /// What has come since this was last asked.
    fn take(&self) -> Vec<bool> {
        std::mem::take(&mut *self.all.lock().unwrap())
    }
}

/// D-IN-1, D-IN-2, D-IN-3 (ZD10).
#[tokio::test(start_paused = true)]
async fn listeners_hear_of_changes_that_uses_find() {
    let workshop = Workshop::new();
    let durable = workshop.with_rebuild();
    let heard = Heard::by(&durable);
    assert!(heard.take().is_empty(), "nothing has been sent");

    poke(&durable).await.unwrap();
    assert_eq!(heard.take(), [true], "the first use");
    poke(&durable).await.unwrap();
    assert!(heard.take().is_empty(), "only on change");

    smash(&durable).await;
    sleep(LONG).await;
    assert!(heard.take().is_empty(), "nobody has used it");
    poke(&durable).await.unwrap();
    assert_eq!(heard.take(), [false, true]);

    smash(&durable).await;
    workshop.will(Outcome::Fails);
    poke(&durable).await.unwrap_err();
    assert_eq!(heard.take(), [false], "a failed build sends nothing");
    poke(&durable).await.unwrap_err();
    assert!(heard.take().is_empty());
    workshop.will(Outcome::Good);
    poke(&durable).await.unwrap();
    assert_eq!(heard.take(), [true]);
}

/// D-IN-1: "not intact" is what it is at the beginning, so a first value that is broken is no
/// change.
#[tokio::test(start_paused = true)]
async fn first_value_that_is_broken_is_no_change() {
    let workshop = Workshop::new();
    let durable = workshop.durable();
    let heard = Heard::by(&durable);
    workshop.will(Outcome::Broken);
    poke(&durable).await.unwrap_err();
    poke(&durable).await.unwrap_err();
    assert!(heard.take().is_empty());
    assert!(!durable.intactness().is_intact());
}

/// D-IN-2: a build that nobody waits for is not asked.
#[tokio::test(start_paused = true)]
async fn build_alone_finds_nothing() {
    let workshop = Workshop::new();
    let durable = workshop.durable();
    let heard = Heard::by(&durable);
    let gate = workshop.gate.acquire().await.unwrap();
    let mut waiting = Box::pin(poke(&durable));
    assert!(
        crate::cancelling::poll_once(waiting.as_mut())
            .await
            .is_none()
    );
    drop(waiting);
    drop(gate);
    settle().await;
    assert_eq!(workshop.made(), (1, 0));
    assert!(heard.take().is_empty());
    poke(&durable).await.unwrap();
    assert_eq!(heard.take(), [true]);
}

/// D-IN-2: *create or fail* asks, too.
#[tokio::test(start_paused = true)]
async fn create_or_fail_finds_the_value_intact() {
    let durable = Workshop::new().create_or_fail().await.unwrap();
    assert!(durable.intactness().is_intact());
    assert_eq!(Heard::by(&durable).take(), [true]);
}

/// D-IN-4 (ZD10).
#[tokio::test(start_paused = true)]
async fn late_listener_is_told_the_last_notification() {
    let workshop = Workshop::new();
    let durable = workshop.with_rebuild();
    poke(&durable).await.unwrap();
    assert_eq!(Heard::by(&durable).take(), [true]);
    smash(&durable).await;
    workshop.will(Outcome::Fails);
    poke(&durable).await.unwrap_err();
    let late = Heard::by(&durable);
    assert_eq!(late.take(), [false]);
    workshop.will(Outcome::Good);
    poke(&durable).await.unwrap();
    assert_eq!(late.take(), [true]);
}

/// D-IN-4.
#[tokio::test(start_paused = true)]
async fn failing_listener_disturbs_nobody() {
    let workshop = Workshop::new();
    let durable = workshop.with_rebuild();
    let before = Heard::by(&durable);
    let _failing = durable.on_intactness(|_| panic!("as scripted"));
    let after = Heard::by(&durable);
    assert_eq!(poke(&durable).await, Ok(1));
    smash(&durable).await;
    assert_eq!(poke(&durable).await, Ok(2));
    assert_eq!(before.take(), [true, false, true]);
    assert_eq!(after.take(), [true, false, true]);
}

#[tokio::test(start_paused = true)]
async fn listener_that_is_dropped_hears_nothing_more() {
    let durable = Workshop::new().with_rebuild();
    let Heard { all, _listening } = Heard::by(&durable);
    poke(&durable).await.unwrap();
    drop(_listening);
    assert_eq!(Arc::strong_count(&all), 1, "it is gone");
    smash(&durable).await;
    poke(&durable).await.unwrap();
    assert_eq!(*all.lock().unwrap(), [true]);
}

/// What a listener causes by using the value is told after what it is hearing.
#[tokio::test(start_paused = true)]
async fn listener_may_use_the_value() {
    let durable = Workshop::new().with_rebuild();
    let first = Arc::new(Mutex::new(Vec::new()));
    let (heard, used) = (first.clone(), durable.clone());
    let _using = durable.on_intactness(move |is_intact| {
        heard.lock().unwrap().push(is_intact);
        if is_intact && heard.lock().unwrap().len() == 1 {
            // Breaks it, and finds it broken: two polls, since neither has anything to wait for.
            let mut smashing = Box::pin(smash(&used));
            let mut poking = Box::pin(poke(&used));
            let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
            assert!(smashing.as_mut().poll(cx).is_ready());
            assert!(poking.as_mut().poll(cx).is_pending());
        }
    });
    let second = Heard::by(&durable);
    assert_eq!(poke(&durable).await, Ok(1));
    assert_eq!(poke(&durable).await, Ok(2));
    assert_eq!(*first.lock().unwrap(), [true, false, true]);
    assert_eq!(second.take(), [true, false, true]);
}

/// The watchable form: what it is, and waiting for a change.
#[tokio::test(start_paused = true)]
async fn intactness_can_be_watched() {
    let mut server = Server::start();
    let connection = server.durable();
    let mut intactness = connection.intactness();
    assert!(!intactness.is_intact());
    let (changed, ()) = join!(intactness.changed(), async {
        connection.with(async |_| ()).await.unwrap();
    });
    assert_eq!(changed, Some(true));
    server.stop();
    settle().await;
    assert!(intactness.is_intact(), "nobody has used it");
    let (changed, _) = join!(intactness.changed(), connection.with(async |_| ()));
    assert_eq!(changed, Some(false));
    server.restart();
    let mut events = crate::checked::counts(&connection);
    let (changed, _feed) = join!(
        intactness.changed(),
        crate::events::begin(&mut events, &mut server, 7)
    );
    assert_eq!(changed, Some(true));
    drop((events, connection));
    settle().await;
    assert_eq!(intactness.changed().await, None);
}
