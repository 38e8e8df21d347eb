//! A consumer whose client pushes back holds its callee back (*durable* §2.6).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use durable_rpc::{Durable, Event, state};
use futures_core::Stream;
use rpc_core::connection::Config;
use rpc_core::{Connection, Implementations, StateRpc};

use crate::checked::DELAY;
use crate::server::{settle, some_time};

static NUMBERS: StateRpc<(), (), String, String> = StateRpc::new("numbers", 1).client_pushes_back();

/// How many unread updates stop the reader (rule R-SC-25).
const FULL: usize = 100;
/// So long that few of them are on their way when the reader has stopped.
const LENGTH: usize = 32 * 1024;
const WINDOW: usize = 4 * 1024;
/// The callee writes 256 KiB ahead, and the reader reads 64 KiB ahead; some are there in part.
const ON_THE_WAY: usize = (256 + 64) * 1024 / LENGTH + 3;
/// A callee that nobody holds back gives no more than this, so that the test comes to its end.
const MOST: usize = 5 * FULL;

/// Has another update for a long time, and counts those that were taken.
#[derive(Clone, Default)]
struct Numbers(Arc<AtomicUsize>);

impl Numbers {
    fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Stream for Numbers {
    type Item = String;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<String>> {
        if self.taken() == MOST {
            return Poll::Pending;
        }
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(format!("{}{number}", "0".repeat(LENGTH))))
    }
}

/// A connection to a callee of [`NUMBERS`].
fn durable(source: &Numbers) -> Durable<Connection> {
    let source = source.clone();
    let implementations = Implementations::builder()
        .implement_state(&NUMBERS, move |_: &(), ()| {
            let source = source.clone();
            async move { Ok(Ok(((), source))) }
        })
        .build()
        .unwrap();
    let implementations = Arc::new(implementations);
    let connect = move || {
        let implementations = implementations.clone();
        async move {
            let (near, far) = tokio::io::duplex(WINDOW);
            let (far, near) = tokio::join!(
                Connection::serve(far, Config::default(), &implementations, |_| ()),
                Connection::create(near, Config::default()),
            );
            // The callee's end is there for as long as the connection is.
            let far = far?;
            tokio::spawn(async move { far.closed().await });
            near
        }
    };
    Durable::new(connect, Connection::is_closed)
}

/// D-BP-3, R-SC-25 (ZD22): the callee's source rests while the consumer does, and until the consumer
/// has finished with all of the updates that wait, not merely until the subscription has them.
#[tokio::test(start_paused = true)]
async fn callee_is_held_back_until_the_consumer_has_taken_everything() {
    let source = Numbers::default();
    let mut events = state::create(&NUMBERS, &durable(&source), (), DELAY);
    let mut taken = 0;
    let mut next = async || some_time(events.next()).await.unwrap();
    for _ in 0..3 {
        assert!(!matches!(next().await, Event::Update(_)));
    }
    for _ in 0..2 {
        settle().await;
        let given = source.taken();
        let full = taken + FULL;
        assert!(
            (full..=full + ON_THE_WAY).contains(&given),
            "{given} given, {taken} taken"
        );
        while taken < full {
            expect(next().await, taken);
            taken += 1;
            settle().await;
            assert_eq!(source.taken(), given, "{taken} taken");
        }
        // Asking for one more is what says that the last one is finished with.
        expect(next().await, taken);
        taken += 1;
    }
}

#[track_caller]
fn expect<S, E, M>(event: Event<S, String, E, M>, number: usize) {
    match event {
        Event::Update(update) => assert_eq!(update.parse(), Ok(number)),
        _ => panic!("no update, but another event before update {number}"),
    }
}
