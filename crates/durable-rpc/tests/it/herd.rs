//! Many subscriptions over one connection, which is lost (rules D-RA-5, D-MA-2): they share the next
//! one, and come back when their policies say, and neither earlier nor twice.

use std::time::Duration;

use durable_rpc::{Retry, state};
use tokio::time::{Instant, sleep};

use crate::server::{COUNT, Server, settle};

const SUBSCRIPTIONS: usize = 10_000;
const SECOND: Duration = Duration::from_secs(1);

/// The connection under all of them is lost, and the server is gone for so long; then all of them have
/// a state. When each of them asked for it, since the server was back.
async fn recover(retry: Retry, outage: Duration) -> Vec<Duration> {
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

    server.stop();
    sleep(outage).await;
    server.restart();
    let connects = server.connects();
    let back = Instant::now();
    let mut asked = Vec::new();
    for _ in 0..SUBSCRIPTIONS {
        let call = server.call().await;
        asked.push(back.elapsed());
        feeds.push(call.accept(2));
    }
    settle().await;
    assert_eq!(fresh(2), SUBSCRIPTIONS);
    assert_eq!(
        server.connects(),
        connects + 1,
        "the new connection is shared (D-DU-7)"
    );
    assert_eq!(server.streams(), SUBSCRIPTIONS);
    sleep(60 * SECOND).await;
    assert!(!server.has_calls(), "each has asked once");
    asked
}

/// How many of them asked in each tenth of a second.
fn by_tenths(asked: &[Duration]) -> [usize; 101] {
    let mut tenths = [0; 101];
    for at in asked {
        tenths[at.as_millis() as usize / 100] += 1;
    }
    tenths
}

/// D-RA-5, with full jitter instead of a fixed delay: they come back spread over the whole of the
/// first delay, and in no tenth of a second more than chance allows.
#[tokio::test(start_paused = true)]
async fn ten_thousand_subscriptions_come_back_spread_over_the_delay() {
    let retry = Retry::exponential(10 * SECOND, 60 * SECOND);
    let tenths = by_tenths(&recover(retry, Duration::ZERO).await);
    // A hundred on average; this is seven standard deviations.
    assert!(tenths.iter().all(|asked| *asked <= 170), "{tenths:?}");
    assert!(tenths[..100].iter().all(|asked| *asked >= 30), "{tenths:?}");
}

/// The same after some failed attempts, when the delays have grown to their cap: nobody has kept step
/// with anybody else. A short wait is likelier than a long one then, since who waits for longer has
/// been waiting already.
#[tokio::test(start_paused = true)]
async fn ten_thousand_subscriptions_come_back_spread_after_an_outage() {
    let retry = Retry::exponential(5 * SECOND, 10 * SECOND);
    let tenths = by_tenths(&recover(retry, 20 * SECOND).await);
    // Two hundred at first, falling to none after ten seconds; seven standard deviations more.
    for (tenth, asked) in tenths.iter().enumerate() {
        let mean = 200.0 - 2.0 * tenth as f64;
        let most = mean + 7.0 * mean.max(10.0).sqrt();
        assert!(
            *asked as f64 <= most,
            "{asked} in tenth {tenth}: {tenths:?}"
        );
    }
}

/// D-RA-5, D-MA-2: a fixed delay is the same for all, as in the reference; nobody comes earlier.
#[tokio::test(start_paused = true)]
async fn fixed_delay_brings_all_of_them_back_at_once() {
    let asked = recover(Retry::fixed(10 * SECOND), Duration::ZERO).await;
    let millisecond = Duration::from_millis(1);
    assert!(
        asked
            .iter()
            .all(|at| (10 * SECOND..=10 * SECOND + 2 * millisecond).contains(at))
    );
}
