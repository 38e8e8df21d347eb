//! Both ends' events of the same calls, with limits on the size of messages (catalogue N).

use rpc_core::connection::{ClosedBy, Config};
use rpc_core::{Connection, DispatchError, HandlerError, Implementations, OneWay, PipeRpc, Rpc};
use rpc_wire::RpcError;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::pair::{CAPACITY, settle};
use crate::source::{self, Channel, Dropped};
use crate::trace::Trace;

static COUNT: PipeRpc<i64, i64, String> = PipeRpc::new("pipe_count", 0);
/// One update at once; another one when the test says so, just before the callee closes; the end.
static WAIT: PipeRpc<(), (), String> = PipeRpc::new("pipe_wait", 0);
/// `(n, s)`: s, ss, sss and so on, n updates.
static TRI: PipeRpc<(i64, String), String, ()> = PipeRpc::new("pipe_tri", 0);
/// `(n, s)`: s, n times.
static REPLICATE: Rpc<(i64, String), String> = Rpc::new("replicate", 0);
static MESSAGE: OneWay<String> = OneWay::new("message", 0);

fn times(n: i64, text: &str) -> String {
    text.repeat(usize::try_from(n).unwrap())
}

struct Ends {
    caller: Connection,
    callee: Connection,
    /// The caller's and the callee's.
    b: Trace,
    a: Trace,
    /// Makes [`WAIT`] go on.
    go_on: UnboundedSender<()>,
}

async fn ends(caller: Config, callee: Config) -> Ends {
    let (go_on, waiting) = unbounded_channel::<()>();
    let waiting = std::sync::Mutex::new(Some(waiting));
    let implementations = Implementations::<Connection>::builder()
        .implement_pipe(&COUNT, |_, n: i64| async move {
            Ok(if n < 0 {
                Err("negative".to_owned())
            } else {
                Ok(source::iter(0..n))
            })
        })
        .implement_pipe(&WAIT, move |connection: &Connection, ()| {
            let waiting = waiting.lock().unwrap().take();
            let connection = connection.clone();
            async move {
                let mut waiting = waiting.ok_or_else(|| HandlerError::new("once only"))?;
                let (sender, updates) = Channel::new(&Dropped::default());
                tokio::spawn(async move {
                    sender.send(())?;
                    waiting.recv().await;
                    sender.send(())?;
                    connection.close();
                    Ok::<_, HandlerError>(())
                });
                Ok(Ok(updates))
            }
        })
        .implement_pipe(&TRI, |_, (n, text): (i64, String)| async move {
            Ok(Ok(source::iter((1..=n).map(move |n| times(n, &text)))))
        })
        .implement_blocking(&REPLICATE, |_, (n, text)| Ok(times(n, &text)))
        .implement_one_way(&MESSAGE, |_, _| async { Ok(()) })
        .build()
        .unwrap();
    let (caller_io, callee_io) = tokio::io::duplex(CAPACITY);
    let (caller, callee) = tokio::join!(
        Connection::create(caller_io, caller),
        Connection::serve(callee_io, callee, &implementations, Connection::clone),
    );
    let (caller, callee) = (caller.unwrap(), callee.unwrap());
    let (b, a) = (Trace::of(&caller), Trace::of(&callee));
    Ends {
        caller,
        callee,
        b,
        a,
        go_on,
    }
}

fn limit(bytes: usize) -> Config {
    Config::default().max_message_size(bytes)
}

async fn limited(bytes: usize) -> Ends {
    ends(limit(bytes), limit(bytes)).await
}

/// All that a pipe has to give.
async fn read_out<U>(mut pipe: rpc_core::Pipe<U>) -> Vec<U> {
    let mut updates = Vec::new();
    while let Some(update) = pipe.next().await {
        updates.push(update);
    }
    updates
}

/// Catalogue N1, T-S17, T-C13 to T-C15, T-1.
#[tokio::test(start_paused = true)]
async fn sizes_of_a_stream_agree() {
    let ends = limited(1_000_000).await;
    let pipe = COUNT.dispatch(&ends.caller, &3).await.unwrap().unwrap();
    assert_eq!(read_out(pipe).await, [0, 1, 2]);
    ends.a.expect(&[
        "R Query 12",
        "S Initial 9",
        "S Update 12",
        "S Update 12",
        "S Update 12",
        "S Closed 10",
    ]);
    ends.b.expect(&[
        "S Query 12",
        "R Partial 9",
        "R Partial 12",
        "R Partial 12",
        "R Partial 12",
        "R Finished_ok 10",
    ]);
}

/// Catalogue N2, with the text of our error.
#[tokio::test(start_paused = true)]
async fn sizes_of_a_user_error_agree() {
    let ends = limited(1_000_000).await;
    let refused = COUNT.dispatch(&ends.caller, &-1).await.unwrap();
    assert_eq!(refused.unwrap_err(), "negative");
    ends.a.expect(&["R Query 13", "S User_defined_error 17"]);
    ends.b.expect(&["S Query 13", "R Finished_user_error 17"]);
}

/// Catalogue N3, H18, T-S25: what the source had is sent when the connection closes, without an
/// end.
#[tokio::test(start_paused = true)]
async fn closing_flushes_a_stream_and_tells_of_no_end() {
    let ends = limited(1_000_000).await;
    let mut pipe = WAIT.dispatch(&ends.caller, &()).await.unwrap().unwrap();
    assert_eq!(pipe.next().await, Some(()));
    ends.go_on.send(()).unwrap();
    assert_eq!(read_out(pipe).await.len(), 1);
    ends.a
        .expect(&["R Query 12", "S Initial 9", "S Update 12", "S Update 12"]);
    ends.b
        .expect(&["S Query 12", "R Partial 9", "R Partial 12", "R Partial 12"]);
}

/// Catalogue N4, T-C4, C-DI-5, C-LM-4.
#[tokio::test(start_paused = true)]
async fn query_too_large_is_a_failure_and_nothing_is_sent() {
    let ends = limited(125).await;
    let long = (1, "x".repeat(126));
    let error = REPLICATE.dispatch(&ends.caller, &long).await.unwrap_err();
    let DispatchError::MessageTooBig { size, limit } = error else {
        panic!("{error}")
    };
    assert_eq!((size, limit), (136, 125));
    ends.b.expect(&["F Query Too_large 136"]);
    TRI.dispatch(&ends.caller, &long).await.unwrap_err();
    ends.b.expect(&["F Query Too_large 143"]);
    // T-C6.
    MESSAGE
        .dispatch(&ends.caller, &"x".repeat(126))
        .unwrap_err();
    ends.b.expect(&["F Query Too_large 133"]);
    settle().await;
    ends.a.expect(&[]);
}

/// T-C5.
#[tokio::test(start_paused = true)]
async fn one_way_query_has_its_size_twice() {
    let ends = limited(125).await;
    MESSAGE.dispatch(&ends.caller, &"hello".to_owned()).unwrap();
    ends.b.expect(&["S Query 12", "R One_way 12"]);
    settle().await;
    ends.a.expect(&["R Query 12", "S One_way 0"]);
}

/// Catalogue N5, N6, T-S5, T-C10.
#[tokio::test(start_paused = true)]
async fn response_too_large_is_a_failure_here_and_an_error_there() {
    for (limit, query, asked, attempted, error) in [
        (125, (20, "x".repeat(10)), 18, 211, "size 211"),
        (200, (100, "some string".to_owned()), 19, 1111, "size 1111"),
    ] {
        let ends = limited(limit).await;
        let failed = REPLICATE.dispatch(&ends.caller, &query).await.unwrap_err();
        assert!(failed.to_string().contains(error), "{failed}");
        let refused = format!("F Single_succeeded Too_large {attempted}");
        ends.a.expect(&[&format!("R Query {asked}"), &refused]);
        let lines = ends.b.lines();
        assert_eq!(lines[0], format!("S Query {asked}"));
        assert!(lines[1].starts_with("R Finished_error"), "{lines:?}");
    }
}

/// Catalogue N7.
#[tokio::test(start_paused = true)]
async fn updates_just_small_enough_pass() {
    let ends = limited(125).await;
    let query = (2, "x".repeat(41));
    let pipe = TRI.dispatch(&ends.caller, &query).await.unwrap().unwrap();
    assert_eq!(read_out(pipe).await.len(), 2);
    ends.a.expect(&[
        "R Query 54",
        "S Initial 9",
        "S Update 53",
        "S Update 94",
        "S Closed 10",
    ]);
    ends.b.expect(&[
        "S Query 54",
        "R Partial 9",
        "R Partial 53",
        "R Partial 94",
        "R Finished_ok 10",
    ]);
}

/// Catalogue N8, N9, T-S24, T-C18, T-C19: the first of several is what the stream finishes with.
#[tokio::test(start_paused = true)]
async fn updates_too_large_end_the_stream_at_the_caller() {
    for (query, fine, refused, first) in [
        ((3, "x".repeat(41)), 2, 1, "size 137"),
        ((5, "x".repeat(30)), 3, 2, "size 132"),
    ] {
        let ends = limited(125).await;
        let pipe = TRI.dispatch(&ends.caller, &query).await.unwrap().unwrap();
        assert_eq!(read_out(pipe).await.len(), fine);
        settle().await;
        let lines = ends.a.lines();
        let failures = lines
            .iter()
            .filter(|line| line.starts_with("F Update Too_large"));
        assert_eq!(failures.count(), refused);
        assert_eq!(lines[lines.len() - 2..], ["S Closed 10", "R Abort 10"]);
        let events = ends.b.take();
        let line = events.last().unwrap().to_string();
        assert!(line.contains(first), "{line}");
        let position = |kind: &str| {
            let lines = events.iter().map(ToString::to_string);
            lines
                .into_iter()
                .position(|line| line.starts_with(kind))
                .unwrap()
        };
        assert_eq!(position("sent abort"), 2 + fine);
        assert_eq!(events.len(), 2 + fine + 2 + refused + 1);
    }
}

/// Catalogue N10, C-LM-5, C-RD-2: the callee gives up its connection, and says why.
#[tokio::test(start_paused = true)]
async fn query_too_large_for_the_callee_ends_the_connection() {
    let ends = ends(limit(10_000), limit(8_000)).await;
    let query = (1, "x".repeat(8_000));
    let error = TRI.dispatch(&ends.caller, &query).await.unwrap_err();
    ends.b.expect(&["S Query 8019"]);
    let there = ends.callee.closed().await;
    assert_eq!(there.by, ClosedBy::Unknown);
    let text = there.to_string();
    assert!(text.contains("exn raised in RPC connection loop"), "{text}");
    assert!(text.contains("8019") && text.contains("8000"), "{text}");
    let here = ends.caller.closed().await;
    assert_eq!(here.by, ClosedBy::Peer);
    assert!(
        matches!(error, DispatchError::ConnectionClosed(_)),
        "{error}"
    );
    assert!(error.to_string().contains("8019"), "{error}");
    ends.a.expect(&[]);
}

/// Catalogue N11: the caller gives up.
#[tokio::test(start_paused = true)]
async fn response_too_large_for_the_caller_ends_the_connection() {
    let ends = ends(limit(8_000), limit(10_000)).await;
    let query = (2, "x".repeat(4_900));
    let error = REPLICATE.dispatch(&ends.caller, &query).await.unwrap_err();
    assert!(
        matches!(error.to_rpc_error(), RpcError::UncaughtExn(_)),
        "{error}"
    );
    assert_eq!(ends.caller.closed().await.by, ClosedBy::Unknown);
    assert_eq!(ends.callee.closed().await.by, ClosedBy::Peer);
    ends.a.expect(&["R Query 4912", "S Single_succeeded 9811"]);
    ends.b.expect(&["S Query 4912"]);
}

/// Catalogue N12.
#[tokio::test(start_paused = true)]
async fn update_too_large_for_the_caller_ends_the_connection() {
    let ends = ends(limit(8_000), limit(10_000)).await;
    let query = (2, "x".repeat(4_900));
    let pipe = TRI.dispatch(&ends.caller, &query).await.unwrap().unwrap();
    assert_eq!(read_out(pipe).await.len(), 1);
    assert_eq!(ends.caller.closed().await.by, ClosedBy::Unknown);
    assert_eq!(ends.callee.closed().await.by, ClosedBy::Peer);
    let lines = ends.a.lines();
    assert_eq!(
        lines[..4],
        [
            "R Query 4919",
            "S Initial 9",
            "S Update 4918",
            "S Update 9818"
        ]
    );
    ends.b
        .expect(&["S Query 4919", "R Partial 9", "R Partial 4918"]);
}
