//! When each event is told, amid what the users' own code does on either side (rule T-3).

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use bin_prot::{BinWrite, WriteError};
use futures_core::Stream;
use rpc_core::connection::Config;
use rpc_core::payload::{Codec, Undecodable};
use rpc_core::{
    Connection, DirectStreamWriter, Implementation, Implementations, OneWay, Pipe, PipeMessage,
    PipeRpc, Reply, Rpc, TracingEventRef, TracingSubscription,
};
use tokio::sync::mpsc;

use crate::pair::settle;
use crate::peer::Peer;
use crate::source;
use crate::trace::shorthand;

thread_local! {
    /// What has happened in this test, in order.
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn log(line: impl Into<String>) {
    LOG.with_borrow_mut(|log| log.push(line.into()));
}

/// Nothing but this since the last time.
#[track_caller]
fn expect(lines: &[&str]) {
    assert_eq!(LOG.take(), lines);
}

/// Texts as bin_prot has them, of which reading one is logged.
enum Logged {}

impl Codec<String> for Logged {
    fn size(text: &String) -> usize {
        text.bin_size()
    }

    fn write(text: &String, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        text.bin_write(buffer)
    }

    fn read(bytes: &[u8]) -> Result<String, Undecodable> {
        let text: String = bin_prot::from_slice(bytes).map_err(Undecodable::new)?;
        log(format!("decoded {text}"));
        Ok(text)
    }
}

/// Logs who is woken.
struct LoggedWaker;

impl Wake for LoggedWaker {
    fn wake(self: Arc<Self>) {
        log("woken");
    }
}

fn poll_logged<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    let waker = Waker::from(Arc::new(LoggedWaker));
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

fn poll_next<U>(pipe: &mut Pipe<U>, waker: &Waker) -> Poll<Option<U>> {
    Pin::new(pipe).poll_next(&mut Context::from_waker(waker))
}

/// An event in shorthand, without its size.
fn told(event: &TracingEventRef<'_>) -> String {
    let line = shorthand(&event.to_event());
    line.rsplit_once(' ').unwrap().0.to_owned()
}

/// Logs each event.
fn listen(connection: &Connection) -> TracingSubscription {
    connection.subscribe(|event| log(told(event)))
}

/// Logs each event, and whether the output has taken in anything since the one before.
fn listen_and_look(connection: &Connection) -> TracingSubscription {
    let sending = connection.clone();
    let before = Mutex::new(sending.bytes_written());
    connection.subscribe(move |event| {
        let taken = sending.bytes_written();
        let before = std::mem::replace(&mut *before.lock().unwrap(), taken);
        let taken = if taken > before { ", taken" } else { "" };
        log(format!("{}{taken}", told(event)));
    })
}

static PLAIN: Rpc<String, String, Logged> = Rpc::new("plain", 1);
static ONE_WAY: OneWay<String, Logged> = OneWay::new("one-way", 1);
static PIPE: PipeRpc<String, String, String, Logged> = PipeRpc::new("pipe", 1);

/// T-3: the transport has taken or refused the message when the event is told, and the sending
/// function returns afterwards. The caller's side: queries, one-way messages and aborts.
#[tokio::test(start_paused = true)]
async fn caller_tells_of_sending_before_the_sending_function_returns() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let _listening = listen_and_look(&connection);
    let _call = PLAIN.dispatch(&connection, &"a".to_owned());
    log("returned");
    expect(&["S Query, taken", "returned"]);
    ONE_WAY.dispatch(&connection, &"b".to_owned()).unwrap();
    log("returned");
    expect(&["S Query, taken", "R One_way", "returned"]);
    let opening = PIPE.dispatch(&connection, &"c".to_owned());
    log("returned");
    expect(&["S Query, taken", "returned"]);
    for _ in 0..2 {
        peer.expect_query().await;
    }
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let pipe = opening.await.unwrap().unwrap();
    expect(&["R Partial"]);
    pipe.abort();
    log("returned");
    expect(&["S Abort, taken", "R One_way", "returned"]);
}

/// T-3, likewise on the callee's side: updates and the end by a writer; one update is refused. Of an
/// expert handler's answer is told when the handler has returned (T-S11).
#[tokio::test(start_paused = true)]
async fn callee_tells_of_sending_before_the_sending_function_returns() {
    let (writers, mut receiver) = mpsc::unbounded_channel();
    let table = Implementations::<()>::builder()
        .implement_pipe_direct(&PIPE, move |(), _, writer: DirectStreamWriter<_, _>| {
            writers.send(writer).unwrap();
            async { Ok(Ok(())) }
        })
        .implementation(Implementation::expert_blocking(
            &PLAIN,
            |(), _, responder| {
                responder.value(&PLAIN, &"b".to_owned()).unwrap();
                log("returned");
                Ok(Reply::Replied)
            },
        ))
        .build()
        .unwrap();
    let config = Config::default().max_message_size(200);
    let (connection, mut peer) = Peer::open(config, &table, (), 11).await;
    let _listening = listen_and_look(&connection);
    peer.query(1, &PLAIN.description(), &"a").await;
    settle().await;
    expect(&["R Query", "returned", "S Expert, taken"]);
    peer.open_stream(2, &PIPE.description(), &"c").await;
    settle().await;
    expect(&["R Query", "decoded c", "S Initial, taken"]);
    let writer = receiver.recv().await.unwrap();
    writer.write(&"d".to_owned()).unwrap();
    log("returned");
    expect(&["S Update, taken", "returned"]);
    writer.write(&"e".repeat(200)).unwrap_err();
    log("returned");
    expect(&["F Update Too_large", "returned"]);
    writer.close();
    log("returned");
    // What was refused is an error in its place, of which nothing is told.
    expect(&["S Closed, taken", "returned"]);
}

/// T-3: a query is told of before its payload is decoded, and the handler runs after that.
#[tokio::test(start_paused = true)]
async fn query_is_told_of_before_it_is_decoded_and_handled() {
    let table = Implementations::<()>::builder()
        .implement_blocking(&PLAIN, |(), text| {
            log("handled");
            Ok(text)
        })
        .implement_one_way(&ONE_WAY, |(), _| {
            log("handled");
            async { Ok(()) }
        })
        .implement_pipe(&PIPE, |(), text| {
            log("handled");
            async { Ok(Ok(source::iter([text]))) }
        })
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    let _listening = listen(&connection);
    peer.query(1, &PLAIN.description(), &"a").await;
    settle().await;
    expect(&["R Query", "decoded a", "handled", "S Single_succeeded"]);
    peer.query(2, &ONE_WAY.description(), &"b").await;
    settle().await;
    expect(&["R Query", "decoded b", "handled", "S One_way"]);
    peer.open_stream(3, &PIPE.description(), &"c").await;
    settle().await;
    let sent = ["S Initial", "S Update", "S Closed"];
    let handled = ["R Query", "decoded c", "handled"];
    expect(&[handled, sent].concat());
}

/// T-3: a response is told of when it is decoded, and before whoever waits is woken.
#[tokio::test(start_paused = true)]
async fn response_is_told_of_before_its_waiter_is_woken() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let _listening = listen(&connection);
    let mut call = PLAIN.dispatch(&connection, &"a".to_owned());
    assert!(poll_logged(&mut call).is_pending());
    let mut opening = Box::pin(PIPE.dispatch(&connection, &"b".to_owned()));
    assert!(poll_logged(&mut opening).is_pending());
    expect(&["S Query", "S Query"]);
    let id = peer.expect_query().await.id;
    peer.answer(id, &"c").await;
    settle().await;
    expect(&["decoded c", "R Finished_ok", "woken"]);
    assert_eq!(call.await.unwrap(), "c");
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    settle().await;
    expect(&["R Partial", "woken"]);
    opening.await.unwrap().unwrap();
}

/// T-3: an update is told of after the callback has returned.
#[tokio::test(start_paused = true)]
async fn update_is_told_of_after_its_callback() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let _listening = listen(&connection);
    let opening = PIPE.dispatch_with(&connection, &"a".to_owned(), |message| match message {
        PipeMessage::Update(text) => log(format!("callback {text}")),
        PipeMessage::Closed(end) => log(format!("callback {end:?}")),
    });
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let metadata = opening.await.unwrap().unwrap();
    LOG.take();
    let mut closing = Box::pin(metadata.close_reason());
    assert!(poll_logged(&mut closing).is_pending());
    for text in ["b", "c"] {
        peer.update(id, &text).await;
    }
    peer.end_stream(id).await;
    settle().await;
    let expected = [
        ["decoded b", "callback b", "R Partial"],
        ["decoded c", "callback c", "R Partial"],
        ["callback Ok(())", "R Finished_ok", "woken"],
    ];
    expect(&expected.concat());
}

/// T-3: an update is told of when it is in its pipe, and before the reader is woken, however many
/// are read at once.
#[tokio::test(start_paused = true)]
async fn update_is_told_of_when_it_is_in_its_pipe() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let opening = PIPE.dispatch(&connection, &"a".to_owned());
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    let mut pipe = opening.await.unwrap().unwrap();

    // A listener that finds in the pipe what it is told of.
    let waker = Waker::from(Arc::new(LoggedWaker));
    assert!(poll_next(&mut pipe, &waker).is_pending());
    let shared = Arc::new(Mutex::new(pipe));
    let (looked_at, found) = (shared.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = found.clone();
    let looking = connection.subscribe(move |event| {
        let mut pipe = looked_at.lock().unwrap();
        while let Poll::Ready(Some(_)) = poll_next(&mut pipe, Waker::noop()) {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        log(format!(
            "{}, {}",
            told(event),
            counted.load(Ordering::Relaxed)
        ));
    });
    peer.update(id, &"b").await;
    settle().await;
    expect(&["decoded b", "R Partial, 1", "woken"]);
    drop(looking);

    let _listening = listen(&connection);
    assert!(poll_next(&mut shared.lock().unwrap(), &waker).is_pending());
    for text in ["c", "d", "e"] {
        peer.update(id, &text).await;
    }
    settle().await;
    // Woken once, by what the reader had waited for.
    let updates = [
        ["decoded c", "R Partial"],
        ["decoded d", "R Partial"],
        ["decoded e", "R Partial"],
    ];
    let log = LOG.take();
    let (woken, rest): (Vec<_>, Vec<_>) = log
        .iter()
        .enumerate()
        .partition(|(_, line)| *line == "woken");
    assert!(
        rest.iter().map(|(_, line)| line).eq(&updates.concat()),
        "{log:?}"
    );
    assert!(woken.len() == 1 && woken[0].0 >= 2, "{log:?}");
}
