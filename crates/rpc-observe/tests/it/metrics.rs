//! What is counted and measured.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use rpc_core::Connection;
use rpc_observe::Metrics;

use crate::ends::{COUNT, ECHO, FAIL, MISSING, NOTE, SLEEP, observed, settle, table};

/// A recorder for this thread.
struct Recorder {
    snapshotter: Snapshotter,
    _guard: metrics::LocalRecorderGuard<'static>,
}

impl Recorder {
    fn new() -> Self {
        // It lives as long as the process, since a guard borrows it.
        let recorder = Box::leak(Box::<DebuggingRecorder>::default());
        Self {
            snapshotter: recorder.snapshotter(),
            _guard: metrics::set_default_local_recorder(recorder),
        }
    }

    /// Every series with what has changed since the last time: a count, a level, or the times in
    /// milliseconds.
    fn take(&self) -> BTreeMap<String, Vec<i64>> {
        let snapshot = self.snapshotter.snapshot().into_vec().into_iter();
        let series = snapshot.map(|(key, _, _, value)| {
            let labels = key.key().labels().map(|label| label.value());
            let labels = labels.collect::<Vec<_>>().join(" ");
            let name = format!("{} {labels}", key.key().name());
            let value = match value {
                DebugValue::Counter(count) => vec![i64::try_from(count).unwrap()],
                DebugValue::Gauge(level) => vec![level.0 as i64],
                DebugValue::Histogram(times) => times
                    .iter()
                    .map(|time| (time.0 * 1000.0).round() as i64)
                    .collect(),
            };
            (name.trim_end().to_owned(), value)
        });
        series.collect()
    }
}

async fn measured() -> (Connection, Connection) {
    let metrics = Metrics::new().implementing(table().descriptions());
    let observe = |connection: &Connection| metrics.observe(connection);
    observed(11, observe, observe).await
}

#[track_caller]
fn check(all: &BTreeMap<String, Vec<i64>>, expected: &[(&str, &[i64])]) {
    for (name, value) in expected {
        assert_eq!(
            all.get(*name).map(Vec::as_slice),
            Some(*value),
            "{name} in {all:#?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_counted_and_timed_on_both_sides() {
    let recorder = Recorder::new();
    let (near, _far) = measured().await;
    let slow = SLEEP.dispatch(&near, &250);
    settle().await;
    check(
        &recorder.take(),
        &[
            ("rpc_connections", &[2]),
            ("rpc_connections_total", &[2]),
            ("rpc_open_calls caller sleep 2", &[1]),
            ("rpc_open_calls callee sleep 2", &[1]),
        ],
    );
    slow.await.unwrap();
    SLEEP.dispatch(&near, &40).await.unwrap();
    FAIL.dispatch(&near, &()).await.unwrap_err();
    NOTE.dispatch(&near, &"note".to_owned()).unwrap();
    settle().await;
    let all = recorder.take();
    for side in ["caller", "callee"] {
        check(
            &all,
            &[
                (&format!("rpc_open_calls {side} sleep 2"), &[-1]),
                (&format!("rpc_open_calls {side} note 1"), &[0]),
                (&format!("rpc_calls_total {side} sleep 2 ok"), &[2]),
                (&format!("rpc_calls_total {side} fail 1 raised"), &[1]),
                (&format!("rpc_calls_total {side} note 1 one_way"), &[1]),
                (&format!("rpc_answer_seconds {side} sleep 2 ok"), &[250, 40]),
                (&format!("rpc_answer_seconds {side} fail 1 raised"), &[0]),
            ],
        );
    }
    // What one side has sent, the other one has received.
    for (rpc, directions) in [
        ("sleep 2", ["sent", "received"]),
        ("note 1", ["sent", "received"]),
    ] {
        let [sent, received] = directions;
        let sent = &all[&format!("rpc_bytes_total caller {rpc} {sent}")];
        let received = &all[&format!("rpc_bytes_total callee {rpc} {received}")];
        assert_eq!(sent, received);
        assert!(sent[0] > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn streams_have_the_time_of_their_answer_and_of_their_end() {
    let recorder = Recorder::new();
    let (near, _far) = measured().await;
    let mut count = COUNT.dispatch(&near, &3).await.unwrap().unwrap();
    while count.next().await.is_some() {}
    let endless = COUNT.dispatch(&near, &-1).await.unwrap().unwrap();
    drop(endless);
    settle().await;
    let all = recorder.take();
    check(
        &all,
        &[
            ("rpc_open_calls caller count 1", &[0]),
            ("rpc_open_calls callee count 1", &[0]),
            ("rpc_calls_total caller count 1 ok", &[2]),
            ("rpc_calls_total callee count 1 ok", &[2]),
            ("rpc_answer_seconds caller count 1 ok", &[0, 0]),
            ("rpc_answer_seconds callee count 1 ok", &[0, 0]),
        ],
    );
    assert_eq!(all["rpc_stream_seconds caller count 1 ok"].len(), 2);
    assert!(all["rpc_stream_parts_total callee count 1"][0] > 4);
}

#[tokio::test(start_paused = true)]
async fn connection_ends_its_open_calls() {
    let recorder = Recorder::new();
    let (near, far) = measured().await;
    let slow = SLEEP.dispatch(&near, &1_000_000);
    settle().await;
    near.close();
    far.closed().await;
    near.closed().await;
    slow.await.unwrap_err();
    drop((near, far));
    settle().await;
    check(
        &recorder.take(),
        &[
            ("rpc_connections", &[0]),
            ("rpc_connections_total", &[2]),
            ("rpc_open_calls caller sleep 2", &[0]),
            ("rpc_open_calls callee sleep 2", &[0]),
            ("rpc_calls_total caller sleep 2 unanswered", &[1]),
            ("rpc_calls_total callee sleep 2 unanswered", &[1]),
        ],
    );
}

/// A peer cannot fill the memory of the recorder with names that it makes up.
#[tokio::test(start_paused = true)]
async fn names_that_a_peer_makes_up_are_counted_together() {
    let recorder = Recorder::new();
    let metrics = Metrics::new().implementing(table().descriptions());
    let (near, _far) = observed(11, |_| {}, |connection| metrics.observe(connection)).await;
    for number in 0..50 {
        let rpc = rpc_wire::Description::new(format!("made-up-{number}"), number);
        let made_up = rpc_core::ExpertRpc::from(rpc).dispatch(&near, b"");
        made_up.await.unwrap_err();
    }
    MISSING.dispatch(&near, &()).await.unwrap_err();
    ECHO.dispatch(&near, &String::new()).await.unwrap();
    let all = recorder.take();
    check(
        &all,
        &[
            ("rpc_calls_total callee other 0 unimplemented", &[51]),
            ("rpc_calls_total callee echo 1 ok", &[1]),
        ],
    );
    let calls = all
        .keys()
        .filter(|name| name.starts_with("rpc_calls_total "));
    assert_eq!(calls.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn query_that_is_too_large_is_a_call_that_failed() {
    let recorder = Recorder::new();
    let metrics = Metrics::new();
    let (near_io, far_io) = tokio::io::duplex(4096);
    let (nothing, table) = (rpc_core::Implementations::empty(), table());
    let small = crate::ends::offering(11).max_message_size(1024);
    let (near, _far) = tokio::join!(
        Connection::serve(near_io, small, &nothing, |connection| metrics
            .observe(connection)),
        Connection::serve(far_io, crate::ends::offering(11), &table, |_| ()),
    );
    let sent = tokio::time::timeout(
        Duration::from_secs(1),
        ECHO.dispatch(&near.unwrap(), &"x".repeat(2000)),
    );
    sent.await.unwrap().unwrap_err();
    check(
        &recorder.take(),
        &[
            ("rpc_open_calls caller echo 1", &[0]),
            ("rpc_calls_total caller echo 1 too_large", &[1]),
            ("rpc_send_failures_total caller echo 1 too_large", &[1]),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn limits_are_recorded_by_their_names() {
    let recorder = Recorder::new();
    let one = std::num::NonZeroU32::MIN;
    let config = crate::ends::offering(11).max_query_rate(one, one);
    let (near_io, far_io) = tokio::io::duplex(4096);
    let (nothing, table) = (rpc_core::Implementations::empty(), table());
    let met = config.limits_met().clone();
    let (near, far) = tokio::join!(
        Connection::serve(near_io, crate::ends::offering(11), &nothing, |_| ()),
        Connection::serve(far_io, config, &table, |_| ()),
    );
    let (near, _far) = (near.unwrap(), far.unwrap());
    let calls = (0..10).map(|_| ECHO.dispatch(&near, &String::new()));
    let mut refused = 0;
    for call in calls.collect::<Vec<_>>() {
        refused += i64::from(call.await.is_err());
    }
    assert!(refused > 0);
    Metrics::record_limits(&met);
    check(
        &recorder.take(),
        &[
            ("rpc_limits_met_total query_rate", &[refused]),
            ("rpc_limits_met_total silence", &[0]),
        ],
    );
}

/// Every name of a metric in the text, without what Prometheus adds to those of histograms.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("rpc_"));
    // Spans and crates are called so.
    let others = ["rpc_call", "rpc_handle", "rpc_observe", "rpc_core"];
    let names = names.filter(|name| !others.contains(name));
    names
        .map(|name| {
            let histogram = ["_bucket", "_count", "_sum"];
            let stripped = histogram
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix));
            stripped.unwrap_or(name)
        })
        .collect()
}

/// docs/observability.md names exactly what there is, and the dashboard nothing else.
#[tokio::test(start_paused = true)]
async fn documents_name_the_metrics_that_exist() {
    let recorder = Recorder::new();
    let metrics = Metrics::new();
    let (near_io, far_io) = tokio::io::duplex(4096);
    let (nothing, table) = (rpc_core::Implementations::empty(), table());
    let small = crate::ends::offering(11).max_message_size(1024);
    let (near, far) = tokio::join!(
        Connection::serve(near_io, small, &nothing, |connection| metrics
            .observe(connection)),
        Connection::serve(far_io, crate::ends::offering(11), &table, |_| ()),
    );
    let (near, _far) = (near.unwrap(), far.unwrap());
    ECHO.dispatch(&near, &"x".repeat(2000)).await.unwrap_err();
    let mut count = COUNT.dispatch(&near, &3).await.unwrap().unwrap();
    while count.next().await.is_some() {}
    Metrics::record_limits(near.limits_met());
    let all = recorder.take();
    let recorded: BTreeSet<_> = all
        .keys()
        .filter_map(|name| name.split(' ').next())
        .collect();
    let page = include_str!("../../../../docs/observability.md");
    assert_eq!(names(page), recorded);
    let dashboard = include_str!("../../../../docs/grafana-dashboard.json");
    assert!(
        names(dashboard).is_subset(&recorded),
        "{:?}",
        names(dashboard)
    );
}
