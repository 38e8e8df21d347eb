//! Waiting for a connection (*durable* §4.2).

use durable_rpc::persistent::NotConnected;
use tokio::join;
use tokio::time::{Instant, sleep, timeout};

use super::exchange::{DELAY, Exchange, Failure, LONG, Step};
use crate::server::{settle, some_time};

fn failed(text: &str) -> NotConnected<Failure> {
    NotConnected::Failed(Failure(text.to_owned()))
}

/// P-US-1 (ZP6): the present one if it is open, otherwise the next.
#[tokio::test(start_paused = true)]
async fn connected_waits_for_an_open_connection() {
    let exchange = Exchange::new([
        Step::Fails("a", "e"),
        Step::Connects("a"),
        Step::Fails("a", "e"),
        Step::Connects("a"),
    ]);
    let kept = exchange.keep();
    let start = Instant::now();
    assert_eq!(kept.connected().await.unwrap().number, 0);
    assert_eq!(start.elapsed(), DELAY, "failures do not count");
    assert_eq!(kept.connected().await.unwrap().number, 0);
    assert_eq!(start.elapsed(), DELAY, "it is there");
    // Closed, and nobody has had the time to notice.
    exchange.line().cut();
    assert_eq!(kept.current_connection().unwrap().number, 0, "P-US-3");
    let (first, second) = join!(kept.connected(), kept.connected());
    assert_eq!((first.unwrap().number, second.unwrap().number), (1, 1));
}

/// P-US-2 (ZP7): the open one, or what becomes of the attempt that is going on, or of the next.
#[tokio::test(start_paused = true)]
async fn connected_or_failed_has_the_result_of_the_next_attempt() {
    let second = std::time::Duration::from_secs(1);
    let exchange = Exchange::slow([
        (Step::Fails("a", "e"), second),
        (Step::Fails("a", "f"), second),
        (Step::Connects("a"), second),
        (Step::Fails("a", "g"), second),
    ]);
    let kept = exchange.keep();
    settle().await;
    assert_eq!(kept.connected_or_failed().await.unwrap_err(), failed("e"));
    // Not what there was before.
    let asked = Instant::now();
    assert_eq!(kept.connected_or_failed().await.unwrap_err(), failed("f"));
    assert_eq!(asked.elapsed(), DELAY);
    let (first, second) = join!(kept.connected_or_failed(), kept.connected_or_failed());
    assert_eq!((first.unwrap().number, second.unwrap().number), (0, 0));
    assert_eq!(kept.connected_or_failed().await.unwrap().number, 0);
    exchange.line().cut();
    assert_eq!(kept.connected_or_failed().await.unwrap_err(), failed("g"));
}

/// P-US-3: nothing before the first one and between two, and one that may be closed.
#[tokio::test(start_paused = true)]
async fn current_connection_is_what_there_is() {
    let exchange = Exchange::new([Step::Fails("a", "e"), Step::Connects("a")]);
    let kept = exchange.keep();
    settle().await;
    assert!(kept.current_connection().is_none());
    sleep(DELAY).await;
    assert_eq!(kept.current_connection().unwrap().number, 0);
    exchange.line().cut();
    settle().await;
    assert!(kept.current_connection().is_none());
}

/// Dropping what waits disturbs nobody.
#[tokio::test(start_paused = true)]
async fn waiting_can_be_given_up() {
    let exchange = Exchange::new([Step::Fails("a", "e"), Step::Connects("a")]);
    let kept = exchange.keep();
    for _ in 0..5 {
        assert!(timeout(DELAY / 10, kept.connected()).await.is_err());
    }
    assert_eq!(some_time(kept.connected()).await.unwrap().number, 0);
    assert_eq!(exchange.lines(), 1);
}

/// §4.4: a durable value over one. A use shares the attempt that is going on, and has its error.
#[tokio::test(start_paused = true)]
async fn durable_value_is_built_from_what_is_kept() {
    let second = std::time::Duration::from_secs(1);
    let exchange = Exchange::slow([
        (Step::Fails("a", "e"), second),
        (Step::Connects("a"), second),
        (Step::Connects("a"), second),
    ]);
    let kept = exchange.keep();
    let durable = kept.durable();
    let number = async || {
        let number = durable.with(async |line: super::exchange::Line| line.number);
        number.await.map_err(|error| error.to_string())
    };
    assert_eq!(number().await, Err("e".to_owned()));
    assert_eq!(number().await, Ok(0));
    exchange.line().cut();
    assert_eq!(number().await, Ok(1));
    sleep(LONG).await;
    assert_eq!(number().await, Ok(1));
    kept.close();
    assert_eq!(
        number().await,
        Err("Persistent connection closed".to_owned())
    );
}
