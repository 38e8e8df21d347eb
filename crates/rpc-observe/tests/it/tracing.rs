//! Spans of calls, and the trace that they belong to.

use rpc_core::Connection;
use rpc_core::connection::MetadataHook;
use rpc_observe::{TRACEPARENT_KEY, TraceContext, Tracing};
use rpc_wire::QueryMetadata;
use tracing::{Instrument, info_span};

use crate::ends::{COUNT, ECHO, FAIL, MISSING, NOTE, SECRET, SLEEP, TRACE, observed, settle};
use crate::spans::{Span, Spans};

async fn traced(version: i64) -> (Connection, Connection) {
    let observe = |connection: &Connection| Tracing::new().observe(connection).unwrap();
    observed(version, observe, observe).await
}

fn trace_of(span: &Span) -> (&str, &str) {
    (span.field("trace_id"), span.field("span_id"))
}

#[tokio::test(start_paused = true)]
async fn caller_and_callee_belong_to_the_trace_of_whoever_calls() {
    let spans = Spans::new();
    let (near, _far) = traced(11).await;
    let checkout = info_span!("checkout");
    let around = checkout.in_scope(TraceContext::current).unwrap();
    let answer = TRACE.dispatch(&near, &()).instrument(checkout);
    // The future is made outside of the span, and the query sent there.
    drop(answer);
    let checkout = info_span!("checkout");
    let (now, later) = async {
        assert_ne!(TraceContext::current(), Some(around));
        TRACE.dispatch(&near, &()).await.unwrap()
    }
    .instrument(checkout.clone())
    .await;
    let around = checkout.in_scope(TraceContext::current).unwrap();
    let [_, call] = spans.called("rpc_call").try_into().unwrap();
    let [_, handle] = spans.called("rpc_handle").try_into().unwrap();
    assert_eq!(
        call.field("trace_id"),
        format!("{:032x}", around.trace_id())
    );
    assert_eq!(
        call.field("parent_id"),
        format!("{:016x}", around.span_id())
    );
    assert_eq!(handle.field("trace_id"), call.field("trace_id"));
    assert_eq!(handle.field("parent_id"), call.field("span_id"));
    // The handler is in it, also after it has become a task.
    let (trace, span) = trace_of(&handle);
    assert_eq!(now, format!("00-{trace}-{span}-01"));
    assert_eq!(later, now);
}

#[tokio::test(start_paused = true)]
async fn span_says_what_it_is_about_and_how_it_ended() {
    let spans = Spans::new();
    let (near, _far) = traced(11).await;
    ECHO.dispatch(&near, &"hello".to_owned()).await.unwrap();
    let call = spans.only("rpc_call");
    assert_eq!(call.field("rpc"), "echo version 1");
    assert_eq!(call.field("id"), "1");
    assert_eq!(call.field("connection"), "near");
    assert_eq!(call.field("outcome"), "ok");
    assert!(!call.fields.contains_key("parent_id"));
    assert!(!call.fields.contains_key("parts"));
    assert!(call.is_closed);
    let [query, response] = &call.events[..] else {
        panic!("{call:?}");
    };
    assert!(
        query.starts_with("sent query echo version 1 (id 1, "),
        "{query}"
    );
    assert!(
        response.starts_with("received response echo version 1 "),
        "{response}"
    );
    let handle = spans.only("rpc_handle");
    assert_eq!(handle.field("connection"), "far");
    assert_eq!(handle.field("outcome"), "ok");
    assert!(handle.is_closed);
}

#[tokio::test(start_paused = true)]
async fn outcomes_of_both_sides() {
    let spans = Spans::new();
    let (near, _far) = traced(11).await;
    FAIL.dispatch(&near, &()).await.unwrap_err();
    SECRET.dispatch(&near, &()).await.unwrap_err();
    MISSING.dispatch(&near, &()).await.unwrap_err();
    NOTE.dispatch(&near, &"note".to_owned()).unwrap();
    settle().await;
    for side in ["rpc_call", "rpc_handle"] {
        let spans = spans.called(side);
        let outcomes: Vec<_> = spans.iter().map(|span| span.field("outcome")).collect();
        assert_eq!(
            outcomes,
            ["raised", "unauthorized", "unimplemented", "one_way"]
        );
        assert!(spans.iter().all(|span| span.is_closed));
    }
}

#[tokio::test(start_paused = true)]
async fn stream_is_one_span_until_its_end() {
    let spans = Spans::new();
    let (near, _far) = traced(11).await;
    let mut count = COUNT.dispatch(&near, &3).await.unwrap().unwrap();
    while count.next().await.is_some() {}
    for side in ["rpc_call", "rpc_handle"] {
        let span = spans.only(side);
        assert_eq!((span.field("outcome"), span.field("parts")), ("ok", "4"));
        assert!(span.is_closed);
    }
    let handle = spans.only("rpc_handle");
    // The source runs in it.
    let counting = handle.events.iter().filter(|event| *event == "counting");
    assert_eq!(counting.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn aborted_stream_is_over_when_its_callee_says_so() {
    let spans = Spans::new();
    let (near, _far) = traced(11).await;
    let mut count = COUNT.dispatch(&near, &-1).await.unwrap().unwrap();
    count.next().await.unwrap();
    assert!(!spans.only("rpc_call").is_closed);
    drop(count);
    settle().await;
    for side in ["rpc_call", "rpc_handle"] {
        let span = spans.only(side);
        assert_eq!(span.field("outcome"), "ok");
        assert!(span.is_closed);
        assert!(
            span.events.iter().any(|event| event.contains(" abort ")),
            "{span:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn connection_ends_the_spans_of_its_open_calls() {
    let spans = Spans::new();
    let (near, far) = traced(11).await;
    let slow = SLEEP.dispatch(&near, &1_000_000);
    settle().await;
    assert!(!spans.only("rpc_handle").is_closed);
    near.close();
    far.closed().await;
    slow.await.unwrap_err();
    near.closed().await;
    for side in ["rpc_call", "rpc_handle"] {
        let span = spans.only(side);
        assert_eq!(span.field("outcome"), "unanswered");
        assert!(span.is_closed, "{span:?}");
    }
    // What is tried afterwards leaves nothing behind, either.
    ECHO.dispatch(&near, &String::new()).await.unwrap_err();
    assert!(spans.called("rpc_call").iter().all(|span| span.is_closed));
}

/// C-MD-7: what older peers are not sent.
#[tokio::test(start_paused = true)]
async fn trace_reaches_older_peers_under_key_0_only() {
    let traces = async |version, key| {
        let spans = Spans::new();
        let observe = |connection: &Connection| {
            Tracing::new().key(key).observe(connection).unwrap();
        };
        let (near, _far) = observed(version, observe, observe).await;
        ECHO.dispatch(&near, &String::new()).await.unwrap();
        let (call, handle) = (spans.only("rpc_call"), spans.only("rpc_handle"));
        call.field("trace_id") == handle.field("trace_id")
    };
    assert!(!traces(1, 0).await);
    assert!(traces(2, 0).await);
    assert!(!traces(7, TRACEPARENT_KEY).await);
    assert!(traces(7, 0).await);
    assert!(traces(8, TRACEPARENT_KEY).await);
}

#[tokio::test(start_paused = true)]
async fn callee_goes_on_with_what_a_caller_sends_if_it_is_a_context() {
    let spans = Spans::new();
    let observe = |connection: &Connection| Tracing::new().observe(connection).unwrap();
    let (near, _far) = observed(11, |_| {}, observe).await;
    let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for payload in [text, "nonsense", ""] {
        let metadata = QueryMetadata::new().with(TRACEPARENT_KEY, payload);
        let caller = near.with_metadata(metadata);
        ECHO.dispatch(&caller, &String::new()).await.unwrap();
    }
    ECHO.dispatch(&near, &String::new()).await.unwrap();
    let [known, nonsense, empty, none] = spans.called("rpc_handle").try_into().unwrap();
    assert_eq!(known.field("trace_id"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(known.field("parent_id"), "00f067aa0ba902b7");
    assert_ne!(known.field("span_id"), "00f067aa0ba902b7");
    for span in [nonsense, empty, none] {
        assert!(!span.fields.contains_key("parent_id"));
        assert_ne!(span.field("trace_id"), known.field("trace_id"));
    }
}

/// C-MD-2.
#[tokio::test(start_paused = true)]
async fn connection_whose_key_is_taken_is_not_observed() {
    let spans = Spans::new();
    let (near, _far) = observed(11, |_| {}, |_| {}).await;
    near.set_metadata_hook(TRACEPARENT_KEY, MetadataHook::new())
        .unwrap();
    let error = Tracing::new().observe(&near).unwrap_err();
    assert_eq!(error.key, TRACEPARENT_KEY);
    ECHO.dispatch(&near, &String::new()).await.unwrap();
    assert!(spans.called("rpc_call").is_empty());
}
