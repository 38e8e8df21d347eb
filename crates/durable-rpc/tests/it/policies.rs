//! What a configuration changes: the delays, the limit on silence, the clock.

use std::time::Duration;

use durable_rpc::{Config, Interruption, Retry, Status, state, subscribe};
use rpc_core::StateRpc;
use tokio::join;
use tokio::time::{Instant, sleep, timeout};

use crate::checked::{Checked, Counts, DELAY, LONG};
use crate::dispatched::{Dispatched, Outcome, Script, intact};
use crate::events::begin;
use crate::server::{COUNT, Server, settle, some_time};
use crate::set_by_hand::SetByHand;

const SECOND: Duration = Duration::from_secs(1);
/// The limit on silence in these tests.
const LIMIT: Duration = Duration::from_secs(60);

fn failures(number: usize) -> Dispatched {
    let script = Script {
        outcome: Outcome::Failure,
        pause: Duration::ZERO,
    };
    Dispatched::new(vec![script; number])
}

fn silent(server: &Server) -> Counts {
    let config = Config::new(DELAY).silence_limit(LIMIT);
    Checked::new(state::create(&COUNT, &server.durable(), 42, config), DELAY)
}

/// Exponential with full jitter, and a cap: each wait lies below its bound.
#[tokio::test(start_paused = true)]
async fn exponential_delays_grow_up_to_the_cap() {
    let mut longest = [Duration::ZERO; 6];
    for seed in 0..100 {
        let dispatched = failures(7);
        let retry = Retry::exponential(SECOND, 8 * SECOND).seed(seed);
        let subscription = subscribe(&intact(), retry, dispatched.dispatch());
        let mut events = Checked::new(subscription, Duration::ZERO);
        let failure = ["attempting", "failed: no more queries can be sent"];
        events.expect(&failure).await;
        for longest in &mut longest {
            let failed = Instant::now();
            events.expect(&failure).await;
            *longest = failed.elapsed().max(*longest);
        }
    }
    let millisecond = Duration::from_millis(1);
    for (n, longest) in longest.into_iter().enumerate() {
        let bound = (SECOND * 2_u32.pow(n as u32)).min(8 * SECOND);
        assert!(longest <= bound + millisecond, "{n}: {longest:?}");
        assert!(longest > bound.mul_f64(0.9), "{n}: {longest:?}");
    }
}

/// A stream that lives for long enough makes the delays short again; one that does not, does not.
#[tokio::test(start_paused = true)]
async fn healthy_stream_resets_the_delays() {
    for (lives, is_reset) in [(SECOND, false), (20 * SECOND, true)] {
        let mut waits = Vec::new();
        for seed in 0..40 {
            let stream = Script {
                outcome: Outcome::Stream(0),
                pause: lives,
            };
            let failure = Script {
                outcome: Outcome::Failure,
                pause: Duration::ZERO,
            };
            let script = [failure, failure, failure, failure, stream, failure];
            let dispatched = Dispatched::new(script);
            let retry = Retry::exponential(SECOND, 100 * SECOND).reset_after(10 * SECOND);
            let mut events = subscribe(&intact(), retry.seed(seed), dispatched.dispatch());
            while events.stats().losses == 0 {
                events.next().await;
            }
            let lost = Instant::now();
            events.next().await;
            waits.push(lost.elapsed());
        }
        let longest = waits.into_iter().max().unwrap();
        assert_eq!(longest < 2 * SECOND, is_reset, "{longest:?}");
        assert!(longest < 17 * SECOND);
    }
}

/// The last event is the failure; then the subscription is over, and says so.
#[tokio::test(start_paused = true)]
async fn subscription_ends_when_the_limit_is_reached() {
    let dispatched = failures(4);
    let retry = Retry::fixed(SECOND).give_up_after(3 * SECOND);
    let mut events = subscribe(&intact(), retry, dispatched.dispatch());
    let start = Instant::now();
    let mut seen = 0;
    while some_time(events.next()).await.is_some() {
        seen += 1;
    }
    assert_eq!(seen, 8, "two events of each attempt, at 0, 1, 2, 3 seconds");
    assert_eq!(start.elapsed(), 3 * SECOND, "nothing is waited for in vain");
    assert!(events.next().await.is_none());
    assert_eq!(dispatched.dispatches(), 4);
    let given_up = events.status();
    assert!(matches!(
        given_up,
        Status::GaveUp {
            after: Interruption::FailedToConnect(_),
            ..
        }
    ));
}

/// A stream that is silent for too long counts as lost: the callee is told, the delay passes, and
/// the next one is on the same connection.
#[tokio::test(start_paused = true)]
async fn silent_stream_is_lost() {
    let mut server = Server::start();
    let mut events = silent(&server);
    let feed = begin(&mut events, &mut server, 7).await;
    let start = Instant::now();
    events.expect(&["lost"]).await;
    assert_eq!(start.elapsed(), LIMIT);
    feed.aborted().await;
    assert!(matches!(
        events.subscription.status(),
        Status::Waiting {
            after: Interruption::Silent,
            ..
        }
    ));
    let _feed = begin(&mut events, &mut server, 8).await;
    assert_eq!(start.elapsed(), LIMIT + DELAY);
    assert_eq!((server.connects(), server.aborts()), (1, 1));
}

/// Each update begins the silence anew.
#[tokio::test(start_paused = true)]
async fn stream_that_speaks_in_time_is_not_lost() {
    let mut server = Server::start();
    let mut events = silent(&server);
    let feed = begin(&mut events, &mut server, 7).await;
    let almost = LIMIT - Duration::from_millis(10);
    for update in 0..20 {
        let label = format!("update {update}");
        let expected = [&*label];
        let ((), ()) = join!(events.expect(&expected), async {
            sleep(almost).await;
            feed.send(update);
        });
    }
    let start = Instant::now();
    events.expect(&["lost"]).await;
    assert_eq!(start.elapsed(), LIMIT);
}

/// A consumer that is slow is no reason to call the callee silent: what has arrived counts.
#[tokio::test(start_paused = true)]
async fn slow_consumer_does_not_make_a_stream_silent() {
    let mut server = Server::start();
    let mut events = silent(&server);
    let feed = begin(&mut events, &mut server, 7).await;
    for update in 0..3 {
        feed.send(update);
    }
    for update in 0..3 {
        sleep(LONG).await;
        events.expect(&[&format!("update {update}")]).await;
    }
    let start = Instant::now();
    events.expect(&["lost"]).await;
    assert_eq!(start.elapsed(), LIMIT, "since the last update was taken");
}

static PUSHING: StateRpc<i64, i64, i64, String> = StateRpc::new("count", 1).client_pushes_back();

/// Nor is a consumer that pushes back and is slow: its connection is not read meanwhile, so that
/// nothing arrives, although the callee is well.
#[tokio::test(start_paused = true)]
async fn consumer_that_pushes_back_does_not_make_a_stream_silent() {
    // As many as are kept at most.
    const FULL: i64 = 100;
    // Less than it takes for the connection to miss its peer's heartbeats.
    const SHORT: Duration = Duration::from_secs(5);
    let mut server = Server::start();
    let config = Config::new(DELAY).silence_limit(SHORT);
    let subscription = state::create(&PUSHING, &server.durable(), 42, config);
    let mut events = Checked::new(subscription, DELAY);
    let feed = begin(&mut events, &mut server, 7).await;
    let updates = 10 * FULL;
    for update in 0..updates {
        feed.send(update);
    }
    for update in 0..updates {
        events.expect(&[&format!("update {update}")]).await;
        if (update + 1) % FULL == 0 {
            // Nothing of what follows has been read.
            sleep(2 * SHORT).await;
        }
    }
    let start = Instant::now();
    events.expect(&["lost"]).await;
    assert_eq!(start.elapsed(), SHORT, "since somebody waited");
}

/// Who gives up waiting and comes back has waited all the time: what had arrived would be there.
#[tokio::test(start_paused = true)]
async fn waiting_for_an_update_may_be_interrupted() {
    let mut server = Server::start();
    let mut events = silent(&server);
    let _feed = begin(&mut events, &mut server, 7).await;
    sleep(LONG).await;
    events.expect_silence(LIMIT / 2).await;
    sleep(LIMIT).await;
    let start = Instant::now();
    events.expect(&["lost"]).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// By default a stream may be silent for ever.
#[tokio::test(start_paused = true)]
async fn silence_has_no_limit_by_default() {
    let mut server = Server::start();
    let mut events = crate::checked::counts(&server.durable());
    let feed = begin(&mut events, &mut server, 7).await;
    events.expect_silence(50 * LONG).await;
    assert!(!feed.is_aborted());
}

/// What begins a stream is handed out, its updates are not, and then it is lost.
#[tokio::test(start_paused = true)]
async fn resubscribing_ends_the_stream_at_any_time() {
    let first = ["attempting", "success", "state 7"];
    for read in 0..=first.len() {
        let mut server = Server::start();
        let connection = server.durable();
        let (mut events, feed) = crate::or_fail::established(&connection, &mut server).await;
        feed.send(8);
        settle().await;
        events.expect(&first[..read]).await;
        events.subscription.resubscribe();
        feed.aborted().await;
        events.expect(&first[read..]).await;
        events.expect(&["lost"]).await;
        let lost = Instant::now();
        events.subscription.resubscribe();
        let _feed = begin(&mut events, &mut server, 9).await;
        assert_eq!(lost.elapsed(), DELAY);
        assert_eq!((server.aborts(), server.connects()), (1, 1));
    }
}

/// Between streams there is nothing to end; an attempt that is going on is not disturbed.
#[tokio::test(start_paused = true)]
async fn resubscribing_between_streams_does_nothing() {
    let mut server = Server::start();
    let mut events = crate::checked::counts(&server.durable());
    events.subscription.resubscribe();
    let call = crate::events::ask(&mut events, &mut server).await;
    events.subscription.resubscribe();
    let feed = call.accept(7);
    events.expect(&["success", "state 7"]).await;
    feed.end();
    events.expect(&["lost"]).await;
    events.subscription.close();
    events.subscription.resubscribe();
    assert!(events.next().await.is_none());
}

/// D-SU-2, D-RA-9: only the given clock counts, in both directions.
#[tokio::test(start_paused = true)]
async fn only_the_given_clock_counts() {
    let mut server = Server::start();
    let clock = SetByHand::new();
    let config = Config::new(DELAY).silence_limit(LIMIT).clock(clock.clone());
    let mut events = state::create(&COUNT, &server.durable(), 42, config);
    let mut begin = async |events: &mut state::Subscription<i64, i64, String>| {
        let (feed, ()) = join!(async { server.call().await.accept(7) }, async {
            for _ in 0..3 {
                events.next().await;
            }
        });
        feed
    };
    let feed = begin(&mut events).await;
    feed.end();
    events.next().await;

    // Everybody else's time passes, ours does not.
    assert!(timeout(100 * LONG, events.next()).await.is_err());
    clock.advance(DELAY - Duration::from_millis(1));
    assert!(timeout(LONG, events.next()).await.is_err());
    // Ours passes, nobody else's does.
    let start = Instant::now();
    clock.advance(Duration::from_millis(1));
    let feed = begin(&mut events).await;
    assert_eq!(start.elapsed(), Duration::ZERO);

    // The same with the limit on silence, over a jump.
    assert!(timeout(100 * LONG, events.next()).await.is_err());
    clock.advance(1000 * LONG);
    let lost = timeout(Duration::ZERO, events.next()).await.unwrap();
    assert!(matches!(lost, Some(durable_rpc::Event::LostConnection)));
    feed.aborted().await;
}
