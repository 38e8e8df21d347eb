//! Calls of all kinds at once.

use std::time::Duration;

use rpc_core::connection::Config;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::{assert_unharmed, dropped_at};
use crate::pair::pair;
use crate::rpcs::{COUNT, COUNTER, ECHO, HOLD, SLEEP};

/// Many at once, each given up at another moment.
#[tokio::test(start_paused = true)]
async fn any_mixture_of_dropped_calls_leaves_nothing_behind() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    for polls in 0..4 {
        let mut calls = Vec::new();
        for n in 0..100 {
            let near = near.clone();
            calls.push(tokio::spawn(async move {
                match n % 4 {
                    0 => drop(dropped_at(polls, SLEEP.dispatch(&near, &n)).await),
                    1 => drop(dropped_at(polls, COUNT.dispatch(&near, &(n * 50))).await),
                    2 => drop(dropped_at(polls, COUNTER.dispatch(&near, &n)).await),
                    _ => drop(dropped_at(polls, HOLD.dispatch(&near, &())).await),
                }
            }));
        }
        for call in calls {
            call.await.unwrap();
        }
        assert_unharmed(&near, &far).await;
    }
}

/// The same on several threads, for whatever order the paused clock does not try.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_dropped_on_several_threads_leave_nothing_behind() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let mut calls = Vec::new();
    for task in 0..8 {
        let near = near.clone();
        calls.push(tokio::spawn(async move {
            for n in 0..100 {
                let polls = usize::try_from((n + task) % 4).unwrap();
                match (n + task) % 5 {
                    0 => drop(dropped_at(polls, SLEEP.dispatch(&near, &(n % 3))).await),
                    1 => drop(dropped_at(polls, COUNT.dispatch(&near, &(n * 10))).await),
                    2 => drop(dropped_at(polls, COUNTER.dispatch(&near, &n)).await),
                    3 => drop(HOLD.dispatch(&near, &()).await.unwrap()),
                    _ => {
                        let text = n.to_string();
                        assert_eq!(ECHO.dispatch(&near, &text).await.unwrap(), text);
                    }
                }
            }
        }));
    }
    for call in calls {
        call.await.unwrap();
    }
    let empty = async {
        while near.open_queries() + far.served_streams() > 0 {
            yield_now().await;
        }
    };
    let limit = Duration::from_secs(10);
    let emptied = timeout(limit, empty).await;
    emptied.unwrap_or_else(|_| panic!("{} {}", near.open_queries(), far.served_streams()));
    assert!(!near.is_closed());
}
