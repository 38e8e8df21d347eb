//! Many subscriptions over one connection, which is lost.

use std::time::Duration;

use durable_rpc::{Retry, state};
use tokio::time::{Instant, sleep};

use crate::server::{COUNT, Server, settle};

const SUBSCRIPTIONS: usize = 10_000;
const SECOND: Duration = Duration::from_secs(1);

/// When each of them asked again, after the loss; a loss of the connection under all of them, and
/// then all of them have a state.
async fn recover(retry: Retry) -> Vec<Duration> {
    let mut server = Server::start();
    let connection = server.durable();
    let follow = |_| {
        let counts = state::create(&COUNT, &connection, 42, retry.clone());
        counts.follow(|count, update| *count = update)
    };
    let followed: Vec<_> = (0..SUBSCRIPTIONS).map(follow).collect();
    let mut feeds = Vec::new();
    for _ in 0..SUBSCRIPTIONS {
        feeds.push(server.call().await.accept(1));
    }
    settle().await;
    let fresh = |state: i64| {
        let states = followed.iter().map(durable_rpc::Followed::borrow);
        let fresh = states.filter(|now| now.is_fresh() && now.state() == Some(&state));
        fresh.count()
    };
    assert_eq!((fresh(1), server.connects()), (SUBSCRIPTIONS, 1));

    server.cut();
    let lost = Instant::now();
    let mut asked = Vec::new();
    for _ in 0..SUBSCRIPTIONS {
        let call = server.call().await;
        asked.push(lost.elapsed());
        feeds.push(call.accept(2));
    }
    settle().await;
    assert_eq!(fresh(2), SUBSCRIPTIONS);
    assert_eq!(
        server.connects(),
        2,
        "the new connection is shared (D-DU-7)"
    );
    assert_eq!(server.streams(), SUBSCRIPTIONS);
    sleep(60 * SECOND).await;
    assert!(!server.has_calls(), "each has asked once");
    asked
}

/// Full jitter: they come back spread over the whole of the first delay, and in no tenth of a second
/// more than chance allows.
#[tokio::test(start_paused = true)]
async fn ten_thousand_subscriptions_come_back_spread_over_the_delay() {
    let asked = recover(Retry::exponential(10 * SECOND, 60 * SECOND)).await;
    let mut tenths = [0; 101];
    for at in asked {
        tenths[at.as_millis() as usize / 100] += 1;
    }
    // A hundred on average; this is seven standard deviations.
    assert!(tenths.iter().all(|asked| *asked <= 170), "{tenths:?}");
    assert!(tenths[..100].iter().all(|asked| *asked >= 30), "{tenths:?}");
}

/// A fixed delay is the same for all, as in the reference: nobody comes earlier.
#[tokio::test(start_paused = true)]
async fn fixed_delay_brings_all_of_them_back_at_once() {
    let asked = recover(Retry::fixed(10 * SECOND)).await;
    let millisecond = Duration::from_millis(1);
    assert!(
        asked
            .iter()
            .all(|at| (10 * SECOND..=10 * SECOND + 2 * millisecond).contains(at))
    );
}
