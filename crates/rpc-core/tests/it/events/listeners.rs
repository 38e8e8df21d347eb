//! Who listens, and when.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rpc_core::connection::Config;
use rpc_core::{Connection, Implementations, Rpc, Traced};

use crate::pair::{CAPACITY, connect, pair, settle};
use crate::rpcs::{ECHO, MISSING, SLEEP};
use crate::trace::Trace;

/// T-4: subscribed within the function that makes the state, a listener misses nothing.
#[tokio::test(start_paused = true)]
async fn listener_of_the_first_hour_hears_the_first_query() {
    let implementations = Implementations::<Trace>::builder()
        .implement(&ECHO, |_, text| async move { Ok(text) })
        .build()
        .unwrap();
    let (near_io, far_io) = tokio::io::duplex(CAPACITY);
    let heard = Arc::new(AtomicUsize::new(0));
    let count = heard.clone();
    let (near, far) = tokio::join!(
        Connection::create(near_io, Config::default()),
        Connection::serve(far_io, Config::default(), &implementations, |connection| {
            let trace = Trace::of(connection);
            std::mem::forget(connection.subscribe(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            }));
            trace
        }),
    );
    let (near, _far) = (near.unwrap(), far.unwrap());
    ECHO.dispatch(&near, &"first".to_owned()).await.unwrap();
    assert_eq!(heard.load(Ordering::Relaxed), 2);
}

/// C-CL-22, T-4, T-C24, catalogue K13, ZR42: nothing of pending calls, nothing after the end.
#[tokio::test(start_paused = true)]
async fn nothing_is_told_after_the_connection_is_over() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let trace = Trace::of(&near);
    let call = SLEEP.dispatch(&near, &1_000_000);
    trace.expect(&["S Query 11"]);
    far.close();
    near.closed().await;
    call.await.unwrap_err();
    // T-C2: nor of dispatches that come too late.
    ECHO.dispatch(&near, &String::new()).await.unwrap_err();
    trace.expect(&[]);
}

/// T-C2.
#[tokio::test(start_paused = true)]
async fn dispatch_on_a_closing_connection_is_not_told_of() {
    let (near, _far, _) = pair(Config::default(), Config::default()).await;
    let trace = Trace::of(&near);
    near.close();
    ECHO.dispatch(&near, &String::new()).await.unwrap_err();
    trace.expect(&[]);
}

/// R-RE-2, catalogue ZR40.
#[tokio::test(start_paused = true)]
async fn rule_for_user_errors_is_not_asked_when_nobody_listens() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    static RULED: Rpc<(), i64> = Rpc::new("ruled", 1).user_error_if(|_| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        false
    });
    let implementations = Implementations::<()>::builder()
        .implement(&RULED, |(), ()| async { Ok(5) })
        .build()
        .unwrap();
    let (near, far) = connect(
        CAPACITY,
        (Config::default(), &Implementations::empty(), ()),
        (Config::default(), &implementations, ()),
    )
    .await;
    RULED.dispatch(&near, &()).await.unwrap();
    assert_eq!(ASKED.load(Ordering::Relaxed), 0);
    let listeners = (Trace::of(&near), Trace::of(&far));
    RULED.dispatch(&near, &()).await.unwrap();
    assert_eq!(ASKED.load(Ordering::Relaxed), 2);
    drop(listeners);
    RULED.dispatch(&near, &()).await.unwrap();
    assert_eq!(ASKED.load(Ordering::Relaxed), 2);
}

/// T-5, decision 5, catalogue ZR41.
#[tokio::test(start_paused = true)]
async fn panicking_listener_does_not_harm_the_call() {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let bad = [&near, &far].map(|connection| connection.subscribe(|_| panic!("on purpose")));
    let trace = Trace::of(&near);
    let answer = ECHO.dispatch(&near, &"hello".to_owned()).await;
    assert_eq!(answer.unwrap(), "hello");
    trace.expect(&["S Query 12", "R Finished_ok 12"]);
    drop(bad);
}

/// A listener may use its connection; what follows from it is told afterwards.
#[tokio::test(start_paused = true)]
async fn listener_may_dispatch() {
    let (near, _far, _) = pair(Config::default(), Config::default()).await;
    let trace = Trace::of(&near);
    let inner = near.clone();
    let times = AtomicUsize::new(0);
    let subscription = near.subscribe(move |_| {
        if times.fetch_add(1, Ordering::Relaxed) == 0 {
            drop(ECHO.dispatch(&inner, &"inner".to_owned()));
        }
    });
    let answer = ECHO.dispatch(&near, &"outer".to_owned()).await;
    assert_eq!(answer.unwrap(), "outer");
    settle().await;
    let ids: Vec<_> = trace.take().iter().map(|event| event.id.get()).collect();
    assert_eq!(ids, [1, 2, 1, 2]);
    drop(subscription);
}

/// C-OP-4: The stream ends with the connection, after everything that was told.
#[tokio::test(start_paused = true)]
async fn stream_of_events_ends_with_the_connection() {
    let (near, _far, _) = pair(Config::default(), Config::default()).await;
    let mut events = near.tracing_events(NonZeroUsize::new(100).unwrap());
    MISSING.dispatch(&near, &String::new()).await.unwrap_err();
    near.close();
    let mut lines = Vec::new();
    while let Some(Traced::Event(event)) = events.next().await {
        lines.push(event.to_string());
    }
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("sent query missing version 1 (id 1, "));
    assert!(lines[1].starts_with("received error "), "{}", lines[1]);
}
