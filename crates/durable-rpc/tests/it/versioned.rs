//! Subscriptions to RPCs of many versions (rule D-SU-3): the state and the pipe form, over callers
//! and over both halves in one.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use durable_rpc::{AttemptError, Durable, Event, pipe, state};
use futures_core::Stream;
use rpc_core::connection::Config;
use rpc_core::{Connection, Implementations, OnUnknownRpc, PipeRpc, StateRpc};
use rpc_versioned::convert::Unconvertible;
use rpc_versioned::{
    CallError, ConnectionWithMenu, ConversionError, both_convert, caller_converts,
};
use tokio::time::{Instant, sleep};

use crate::checked::{Checked, DELAY, LONG};
use crate::server::{settle, some_time};

/// Numbers as text, and as they are.
static COUNT_1: StateRpc<String, String, String, String> = StateRpc::new("count", 1);
static COUNT_2: StateRpc<i64, i64, i64, String> = StateRpc::new("count", 2);
static TICKS_1: PipeRpc<String, String, String> = PipeRpc::new("ticks", 1);
static TICKS_2: PipeRpc<i64, i64, String> = PipeRpc::new("ticks", 2);

type Family = caller_converts::StateRpc<i64, i64, i64, String>;

fn number(text: String) -> Result<i64, Unconvertible> {
    Ok(text.parse()?)
}

/// Whoever asks for 13 has no query in version 1.
fn text(number: i64) -> Result<String, Unconvertible> {
    if number == 13 {
        return Err(Unconvertible::new("unlucky"));
    }
    Ok(number.to_string())
}

fn count() -> Family {
    Family::builder("count")
        .version(&COUNT_1, text, number, number, Ok)
        .version_from(&COUNT_2)
        .build()
        .unwrap()
}

fn ticks() -> caller_converts::PipeRpc<i64, i64, String> {
    caller_converts::PipeRpc::builder("ticks")
        .version(&TICKS_1, text, number, Ok)
        .version_from(&TICKS_2)
        .build()
        .unwrap()
}

/// What the callee sends, and then nothing, without ending the stream.
struct Sent<U>(std::vec::IntoIter<U>);

impl<U: Unpin> Stream for Sent<U> {
    type Item = U;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<U>> {
        self.0
            .next()
            .map_or(Poll::Pending, |next| Poll::Ready(Some(next)))
    }
}

fn sent<U: Clone>(updates: &[U]) -> Sent<U> {
    let updates: Vec<U> = updates.into();
    Sent(updates.into_iter())
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A server that may come back as another release.
#[derive(Clone)]
struct Server {
    inner: Arc<Mutex<(Implementations<()>, Vec<Connection>)>>,
}

impl Server {
    fn start(release: Implementations<()>) -> Self {
        Self {
            inner: Arc::new(Mutex::new((release, Vec::new()))),
        }
    }

    fn restart(&self, release: Implementations<()>) {
        let mut inner = self.inner.lock().unwrap();
        inner.0 = release;
        inner.1.drain(..).for_each(|connection| connection.close());
    }

    fn durable(&self) -> Durable<ConnectionWithMenu> {
        let this = self.clone();
        let create = move || this.clone().connect();
        Durable::new(create, |connection: &ConnectionWithMenu| {
            connection.connection().is_closed()
        })
    }

    async fn connect(self) -> Result<ConnectionWithMenu, rpc_versioned::MenuRequestError> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let release = self.inner.lock().unwrap().0.clone();
        let (callee, caller) = tokio::join!(
            Connection::serve(far, Config::default(), &release, |_| ()),
            Connection::create(near, Config::default()),
        );
        self.inner.lock().unwrap().1.push(callee.unwrap());
        ConnectionWithMenu::request(caller.unwrap()).await
    }

    /// Streams that are being served.
    fn streams(&self) -> usize {
        let inner = self.inner.lock().unwrap();
        inner.1.iter().map(Connection::served_streams).sum()
    }
}

/// The first release: it sends these texts, and refuses whoever asks for 0.
fn first(state: &'static str, updates: &'static [&'static str]) -> Implementations<()> {
    let answer = move |query: String| {
        if query == "0" {
            return Err("not zero".to_owned());
        }
        Ok((state.to_owned(), sent(&owned(updates))))
    };
    Implementations::builder()
        .implement_state(
            &COUNT_1,
            move |_: &(), query| async move { Ok(answer(query)) },
        )
        .implement_pipe(&TICKS_1, move |_: &(), query| async move {
            Ok(answer(query).map(|(_, updates)| updates))
        })
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap()
}

/// The second release has only the second version.
fn second(state: i64, updates: &'static [i64]) -> Implementations<()> {
    Implementations::builder()
        .implement_state(&COUNT_2, move |_: &(), _| async move {
            Ok(Ok((state, sent(updates))))
        })
        .implement_pipe(&TICKS_2, |_: &(), _| async { Ok(Ok(sent(updates))) })
        .build()
        .unwrap()
}

/// One that has neither.
fn neither() -> Implementations<()> {
    static COUNT_3: StateRpc<(), (), (), ()> = StateRpc::new("count", 3);
    Implementations::builder()
        .implement_state(&COUNT_3, |_: &(), ()| async { Ok(Ok(((), sent(&[])))) })
        .build()
        .unwrap()
}

type Counts = Checked<i64, Result<i64, ConversionError>, String, rpc_core::PipeMetadata>;

fn counts(server: &Server, query: i64) -> Counts {
    let counts = state::create_versioned(&count(), &server.durable(), query, DELAY);
    Checked::new(counts, DELAY)
}

/// The next events, an update that is an error as `update: text`.
async fn labels(counts: &mut Counts, number: usize) -> Vec<String> {
    let mut labels = Vec::new();
    for _ in 0..number {
        let event = some_time(counts.next()).await.unwrap();
        let event = event.map_update(|update| match update {
            Ok(number) => number.to_string(),
            Err(error) => error.to_string(),
        });
        labels.push(crate::checked::label(&event));
    }
    labels
}

async fn failure(counts: &mut Counts) -> CallError {
    assert_eq!(labels(counts, 1).await, ["attempting"]);
    match some_time(counts.next()).await {
        Some(Event::FailedToConnect(AttemptError::Call(error))) => error,
        other => panic!("{other:?}"),
    }
}

/// ZD18, D-SU-3, V-SE-3: the version is that of the release that is there now.
#[tokio::test(start_paused = true)]
async fn version_is_selected_at_every_attempt() {
    let server = Server::start(first("7", &["8", "9"]));
    let mut counts = counts(&server, 42);
    let begun = ["attempting", "success", "state 7", "update 8", "update 9"];
    assert_eq!(labels(&mut counts, 5).await, begun);
    server.restart(second(10, &[11]));
    let again = ["lost", "attempting", "success", "state 10", "update 11"];
    assert_eq!(labels(&mut counts, 5).await, again);
    server.restart(first("12", &[]));
    let again = ["lost", "attempting", "success", "state 12"];
    assert_eq!(labels(&mut counts, 4).await, again);
    assert_eq!(counts.subscription.monitor().name(), "count");
}

/// ZD18 (D-MA-2, V-SE-2): no version in common is a failed attempt, and so is no such RPC; retried like
/// any other.
#[tokio::test(start_paused = true)]
async fn release_without_a_common_version_is_a_failed_attempt() {
    let server = Server::start(neither());
    let mut counts = counts(&server, 42);
    let start = Instant::now();
    for _ in 0..3 {
        let error = failure(&mut counts).await;
        assert!(matches!(error, CallError::Selection(_)), "{error:?}");
    }
    assert_eq!(start.elapsed(), 2 * DELAY);
    server.restart(Implementations::builder().build().unwrap());
    settle().await;
    let error = failure(&mut counts).await;
    let text = "callee does not know RPC count; caller knows versions [1, 2]";
    assert_eq!(error.to_string(), text);
    server.restart(second(7, &[]));
    settle().await;
    assert_eq!(
        labels(&mut counts, 3).await,
        ["attempting", "success", "state 7"]
    );
}

/// ZD18, D-SU-3, V-CA-4: one bad update is an error in its place, and the stream goes on.
#[tokio::test(start_paused = true)]
async fn update_that_cannot_be_converted_is_an_error_in_its_place() {
    let server = Server::start(first("7", &["8", "nine", "10"]));
    let mut counts = counts(&server, 42);
    let seen = labels(&mut counts, 6).await;
    assert_eq!(seen[3], "update 8");
    assert!(
        seen[4].contains("invalid digit found in string"),
        "{}",
        seen[4]
    );
    assert_eq!(seen[5], "update 10");
    counts.expect_silence(LONG).await;
    assert_eq!(server.streams(), 1);
}

/// §2.4, V-CF-1: the query, the state and the callee's error; nothing stays open.
#[tokio::test(start_paused = true)]
async fn other_conversions_that_fail_are_failed_attempts() {
    let server = Server::start(first("seven", &["8"]));
    for query in [13, 42] {
        let mut counts = counts(&server, query);
        for _ in 0..2 {
            let error = failure(&mut counts).await;
            assert!(matches!(error, CallError::Conversion(_)), "{error:?}");
        }
        settle().await;
        assert_eq!(server.streams(), 0);
    }
    let no_error = Family::builder("count")
        .version(&COUNT_1, text, number, number, |text: String| {
            Err(Unconvertible::new(text))
        })
        .build()
        .unwrap();
    let subscription = state::create_versioned(&no_error, &server.durable(), 0, DELAY);
    let error = failure(&mut Checked::new(subscription, DELAY)).await;
    assert!(error.to_string().contains("not zero"), "{error}");
}

/// D-SU-3, D-MA-5 (ZD18, ZD19): the three outcomes.
#[tokio::test(start_paused = true)]
async fn create_or_fail_has_three_outcomes() {
    let server = Server::start(neither());
    let connection = server.durable();
    let create =
        async |query| state::create_or_fail_versioned(&count(), &connection, query, DELAY).await;
    let failed = create(42).await.unwrap_err();
    assert!(matches!(
        failed,
        AttemptError::Call(CallError::Selection(_))
    ));
    server.restart(first("7", &["8"]));
    settle().await;
    assert_eq!(create(0).await.unwrap().unwrap_err(), "not zero");
    let mut counts = Checked::new(create(42).await.unwrap().unwrap(), DELAY);
    sleep(LONG).await;
    let begun = ["attempting", "success", "state 7", "update 8"];
    assert_eq!(labels(&mut counts, 4).await, begun);
    drop(counts);
    settle().await;
    assert_eq!(server.streams(), 0, "D-CL-1");
}

/// D-SU-1, D-SU-3 (ZD12, ZD18): the pipe form.
#[tokio::test(start_paused = true)]
async fn pipes_have_versions_too() {
    let server = Server::start(first("7", &["8", "nine"]));
    let connection = server.durable();
    let label = |event: pipe::Event<Result<i64, ConversionError>, String, _>| match event {
        pipe::Event::AttemptingNewConnection => "attempting".to_owned(),
        pipe::Event::ConnectionSuccess(rpc_core::PipeMetadata { .. }) => "success".to_owned(),
        pipe::Event::Update(Ok(update)) => format!("update {update}"),
        pipe::Event::Update(Err(_)) => "bad update".to_owned(),
        pipe::Event::LostConnection => "lost".to_owned(),
        other => format!("{other:?}"),
    };
    let mut ticks = pipe::create_versioned(&ticks(), &connection, 42, DELAY);
    let mut labels = Vec::new();
    for number in 0..8 {
        if number == 4 {
            server.restart(second(0, &[10]));
        }
        labels.push(label(some_time(ticks.next()).await.unwrap()));
    }
    let expected = [
        "attempting",
        "success",
        "update 8",
        "bad update",
        "lost",
        "attempting",
        "success",
        "update 10",
    ];
    assert_eq!(labels, expected);

    server.restart(first("7", &["8"]));
    settle().await;
    let create = async |query| {
        pipe::create_or_fail_versioned(&self::ticks(), &connection, query, DELAY).await
    };
    assert_eq!(create(0).await.unwrap().unwrap_err(), "not zero");
    assert!(matches!(
        create(13).await.unwrap_err(),
        AttemptError::Call(CallError::Conversion(_))
    ));
    create(42).await.unwrap().unwrap();
}

/// D-SU-3: over both halves in one, which answers itself.
#[tokio::test(start_paused = true)]
async fn both_halves_in_one_can_be_subscribed_to() {
    type Both = both_convert::StateRpc<(), i64, i64, i64, String, i64, i64, i64, String>;
    let of_number = |number: i64| Ok::<_, Unconvertible>(number.to_string());
    let both = Both::builder("count")
        .version(
            &COUNT_1,
            (of_number, number),
            (of_number, number),
            (of_number, number),
            (Ok, Ok),
        )
        .build()
        .unwrap();
    let answers = both
        .callee()
        .implement(|_: &(), _version, query: i64| async move {
            Ok(Ok((query + 1, sent(&[query + 2, query + 3]))))
        });
    let release = Implementations::builder().implementations(answers);
    let server = Server::start(release.build().unwrap());
    let connection = server.durable();
    let subscription = state::create_versioned(both.caller(), &connection, 42, DELAY);
    let mut counts = Checked::new(subscription, DELAY);
    let begun = [
        "attempting",
        "success",
        "state 43",
        "update 44",
        "update 45",
    ];
    assert_eq!(labels(&mut counts, 5).await, begun);
}

/// An update that cannot be converted can be made to end the stream, by whoever folds it.
#[tokio::test(start_paused = true)]
async fn followed_state_may_refuse_what_cannot_be_converted() {
    let server = Server::start(first("7", &["8", "nine", "10"]));
    let counts = state::create_versioned(&count(), &server.durable(), 42, DELAY);
    let followed = counts.follow(|count, update| update.map(|update| *count = update));
    settle().await;
    assert_eq!(followed.borrow().state(), Some(&8));
    assert!(!followed.borrow().is_fresh());
    assert_eq!(server.streams(), 0);
}
