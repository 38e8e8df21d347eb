//! Futures dropped at every poll: nothing closes, nothing leaks, late answers are swallowed.

use std::any::Any;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bin_prot::WriteError;
use bin_prot::shape::Digest;
use rpc_core::connection::Config;
use rpc_core::payload::{Codec, Undecodable};
use rpc_core::{
    Connection, DirectStreamWriter, ExpertRpc, Group, Implementations, PipeResponse, PipeRpc, Rpc,
};
use rpc_wire::QueryMetadata;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::pair::{alive_tasks, connect, pair, settle};
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, ECHO, FAIL, HOLD, MISSING, NOTE, Notes, SLEEP, table};

/// Polls the future `polls` times, and drops it if it is not ready by then.
async fn dropped_at<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        let Some(next) = left.checked_sub(1) else {
            return Poll::Ready(None);
        };
        left = next;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The same with a future that does not get ready, and that nothing need wake.
async fn dropped_pending(polls: usize, future: impl Future) {
    let mut future = pin!(future);
    for _ in 0..polls {
        let ready = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
        assert!(!ready);
        yield_now().await;
    }
}

/// Drops the future that `make` makes at its first poll, its second, and so on until it is ready
/// before. After each, and after all answers have come, nothing is left on either end.
async fn check_dropped_anywhere<T>(make: impl AsyncFn(&Connection) -> T) {
    let (near, far, _) = pair(Config::default(), Config::default()).await;
    let mut polls = 0;
    while dropped_at(polls, make(&near)).await.is_none() {
        assert_unharmed(&near, &far).await;
        polls += 1;
    }
    assert!(polls > 0, "ready without being polled");
    assert_unharmed(&near, &far).await;
}

async fn assert_unharmed(near: &Connection, far: &Connection) {
    sleep(Duration::from_secs(1)).await;
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
    assert_eq!(alive_tasks(), 2);
    let answer = ECHO.dispatch(near, &"fine".to_owned()).await;
    assert_eq!(answer.unwrap(), "fine");
}

/// R-PL-23: the entry stays until the answer comes.
#[tokio::test(start_paused = true)]
async fn plain_dispatch_can_be_dropped_at_any_poll() {
    check_dropped_anywhere(async |near| SLEEP.dispatch(near, &20).await.unwrap()).await;
    check_dropped_anywhere(async |near| {
        let answer = ECHO.dispatch(near, &"x".to_owned());
        answer.await.unwrap();
        // One more poll.
        yield_now().await;
    })
    .await;
    check_dropped_anywhere(async |near| {
        let answer = SLEEP.dispatch_map(near, &20, |millis| millis + 1);
        assert_eq!(answer.await.unwrap(), 21);
        yield_now().await;
    })
    .await;
    check_dropped_anywhere(async |near| {
        let answer = ECHO.dispatch_map(near, &"abc".to_owned(), |text| text.len());
        assert_eq!(answer.await.unwrap(), 3);
        yield_now().await;
    })
    .await;
}

/// R-PL-23, of calls that fail: by the handler, and for want of one; with metadata.
#[tokio::test(start_paused = true)]
async fn failing_dispatch_can_be_dropped_at_any_poll() {
    check_dropped_anywhere(async |near| {
        let why = "no".to_owned();
        FAIL.dispatch(near, &why).await.unwrap_err();
        yield_now().await;
    })
    .await;
    check_dropped_anywhere(async |near| {
        let with = near.with_metadata(QueryMetadata::new().with(0, "zero"));
        MISSING.dispatch(&with, &String::new()).await.unwrap_err();
        yield_now().await;
    })
    .await;
}

/// R-OW-20, C-BP-5: a one-way message is sent when its dispatch returns, so all that can be given
/// up is waiting until the transport has it.
#[tokio::test(start_paused = true)]
async fn waiting_behind_a_one_way_message_can_be_dropped_at_any_poll() {
    let (table, notes) = (table(), Notes::default());
    // More than fits between the two ends.
    let message = "x".repeat(1000);
    let mut sent = 0;
    for polls in 0.. {
        let near = (Config::default(), &table, Notes::default());
        let far = (Config::default(), &table, notes.clone());
        let (near, far) = connect(100, near, far).await;
        let sending = async {
            NOTE.dispatch(&near, &message).unwrap();
            near.flushed().await;
            let rpc = ExpertRpc::from(NOTE.description());
            let encoded = bin_prot::to_vec(&message).unwrap();
            rpc.dispatch_one_way(&near, &encoded).unwrap();
            near.flushed().await;
            yield_now().await;
        };
        let done = dropped_at(polls, sending).await;
        assert_unharmed(&near, &far).await;
        let noted = notes.take();
        assert!(noted.iter().all(|note| *note == message));
        // Each is sent whole or not at all, and never is one lost that was sent before.
        assert!((sent..=2).contains(&noted.len()), "{}", noted.len());
        sent = noted.len();
        drop((near, far));
        settle().await;
        assert_eq!(alive_tasks(), 0);
        if done.is_some() {
            break;
        }
    }
    assert_eq!(sent, 2);
}

/// R-SC-7: before the answer, between answer and pipe, and with the pipe.
#[tokio::test(start_paused = true)]
async fn stream_dispatch_can_be_dropped_at_any_poll() {
    check_dropped_anywhere(async |near| drop(HOLD.dispatch(near, &()).await.unwrap())).await;
    check_dropped_anywhere(async |near| {
        let mut pipe = COUNT.dispatch(near, &3).await.unwrap().unwrap();
        yield_now().await;
        while pipe.next().await.is_some() {
            yield_now().await;
        }
    })
    .await;
    check_dropped_anywhere(async |near| {
        let (_, pipe) = COUNTER.dispatch(near, &3).await.unwrap().unwrap();
        yield_now().await;
        pipe.close_reason().await;
        yield_now().await;
    })
    .await;
    check_dropped_anywhere(async |near| COUNT.dispatch(near, &-1).await.unwrap().err()).await;
}

/// R-SC-7, C-DI-10: with a callback in place of the pipe, or folded.
#[tokio::test(start_paused = true)]
async fn dispatch_with_a_callback_can_be_dropped_at_any_poll() {
    check_dropped_anywhere(async |near| {
        let opening = COUNT.dispatch_with(near, &3, |_| ());
        let metadata = opening.await.unwrap().unwrap();
        // From here on the stream goes on by itself.
        metadata.close_reason().await;
    })
    .await;
    check_dropped_anywhere(async |near| {
        let opening = COUNT.dispatch_with(near, &3, |_| {
            PipeResponse::wait(sleep(Duration::from_millis(10)))
        });
        let metadata = opening.await.unwrap().unwrap();
        metadata.close_reason().await;
    })
    .await;
    check_dropped_anywhere(async |near| {
        let opening = COUNTER.dispatch_fold(
            near,
            &3,
            |_| 0,
            |sum, update| (sum + update, ()),
            |sum, _| sum,
        );
        let (_, fold) = opening.await.unwrap().unwrap();
        assert_eq!(fold.await.unwrap(), 3);
    })
    .await;
    // Each step has reading wait for a while.
    check_dropped_anywhere(async |near| {
        let opening = COUNTER.dispatch_fold(
            near,
            &3,
            |_| 0,
            |sum, update| {
                let waiting = sleep(Duration::from_millis(10));
                (sum + update, PipeResponse::wait(waiting))
            },
            |sum, _| sum,
        );
        let (_, fold) = opening.await.unwrap().unwrap();
        assert_eq!(fold.await.unwrap(), 3);
        yield_now().await;
    })
    .await;
    check_dropped_anywhere(async |near| {
        let opening = COUNT.dispatch_with(near, &-1, |_| ());
        opening.await.unwrap().err()
    })
    .await;
}

/// R-SC-7, R-SC-25: a pipe that holds up its connection, given up at any poll.
#[tokio::test(start_paused = true)]
async fn dispatch_that_pushes_back_can_be_dropped_at_any_poll() {
    static PUSHING: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1).client_pushes_back();
    check_dropped_anywhere(async |near| {
        let mut pipe = PUSHING.dispatch(near, &350).await.unwrap().unwrap();
        yield_now().await;
        while pipe.next().await.is_some() {}
        yield_now().await;
    })
    .await;
}

/// R-PL-23, R-SC-7, of dispatches by name.
#[tokio::test(start_paused = true)]
async fn expert_dispatch_can_be_dropped_at_any_poll() {
    check_dropped_anywhere(async |near| {
        let rpc = ExpertRpc::from(SLEEP.description());
        rpc.dispatch(near, &[20]).await.unwrap()
    })
    .await;
    // By the form that sends just this metadata.
    check_dropped_anywhere(async |near| {
        let rpc = ExpertRpc::from(SLEEP.description())
            .with_exact_metadata(QueryMetadata::new().with(0, "zero"));
        assert_eq!(rpc.dispatch(near, &[20]).await.unwrap(), [20].as_slice());
        yield_now().await;
    })
    .await;
    // The callback, which makes reading wait, is called whether or not anybody waits for it.
    check_dropped_anywhere(async |near| {
        let rpc = ExpertRpc::from(SLEEP.description());
        let (sender, called) = tokio::sync::oneshot::channel();
        let sent = rpc.dispatch_with(near, &[20], |response| {
            let _unwanted = sender.send(response.unwrap().to_vec());
            sleep(Duration::from_millis(20))
        });
        sent.unwrap();
        assert_eq!(called.await.unwrap(), [20]);
        yield_now().await;
    })
    .await;
    check_dropped_anywhere(async |near| {
        let rpc = ExpertRpc::from(COUNTER.description());
        let (_, mut pipe) = rpc.dispatch_stream(near, &[3]).await.unwrap().unwrap();
        yield_now().await;
        while pipe.next().await.is_some() {}
    })
    .await;
    check_dropped_anywhere(async |near| {
        let rpc = ExpertRpc::from(HOLD.description());
        drop(rpc.dispatch_stream(near, &[0]).await.unwrap());
    })
    .await;
    check_dropped_anywhere(async |near| {
        let rpc = ExpertRpc::from(COUNT.description());
        let opening = rpc.dispatch_stream_with(near, &[3], |_| ());
        let (_, metadata) = opening.await.unwrap().unwrap();
        metadata.close_reason().await;
    })
    .await;
}

/// `DirectStreamWriter` and `Group`: waiting is all that is given up.
#[tokio::test(start_paused = true)]
async fn waiting_for_a_direct_writer_can_be_dropped_at_any_poll() {
    let (writers, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let table = Implementations::builder()
        .implement_pipe_direct(&HOLD, move |(), (), writer| {
            let known = writers.send(writer);
            async move {
                known?;
                yield_now().await;
                Ok(Ok(()))
            }
        })
        .build()
        .unwrap();
    let near = (Config::default(), &Implementations::empty(), ());
    let (near, far) = connect(50, near, (Config::default(), &table, ())).await;
    let group = Group::new();
    let opening = HOLD.dispatch(&near, &());
    let writer: DirectStreamWriter<i64> = receiver.recv().await.unwrap();
    group.add(writer.clone()).unwrap();
    for polls in 0..3 {
        dropped_at(polls, writer.started()).await;
        dropped_pending(polls, writer.closed()).await;
        dropped_at(polls, writer.write_with_pushback(&1).unwrap()).await;
        dropped_at(polls, group.write_with_pushback(&2).unwrap()).await;
    }
    writer.started().await;
    let mut pipe = opening.await.unwrap().unwrap();
    for _ in 0..3 {
        assert_eq!(pipe.next().await, Some(1));
        assert_eq!(pipe.next().await, Some(2));
    }
    drop(pipe);
    writer.closed().await;
    assert_eq!(near.open_queries(), 0);
    assert_eq!(far.served_streams(), 0);
}

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

/// `Pipe::next`: no update is lost.
#[tokio::test(start_paused = true)]
async fn dropping_next_loses_no_update() {
    let (near, _far, _) = pair(Config::default(), Config::default()).await;
    let mut pipe = COUNT.dispatch(&near, &2500).await.unwrap().unwrap();
    let mut updates = Vec::new();
    let mut polls = 0;
    while updates.len() < 2500 {
        if let Some(update) = dropped_at(polls % 3, pipe.next()).await {
            updates.push(update.unwrap());
        }
        polls += 1;
        if polls.is_multiple_of(7) {
            settle().await;
        }
    }
    assert!(updates.into_iter().eq(0..2500));
    assert_eq!(pipe.next().await, None);
}

/// `Connection::serve`: the transport is dropped with the future, and nothing else was begun.
#[tokio::test(start_paused = true)]
async fn handshake_can_be_dropped_at_any_poll() {
    let mut polls = 0;
    loop {
        // Few bytes at a time make many polls.
        let (mut peer, io) = Peer::new(5);
        let table = table();
        let creating = Connection::serve(io, Config::default(), &table, |_| Notes::default());
        let theirs = tokio::spawn(async move {
            peer.try_to_shake_hands(11).await;
            peer
        });
        let created = dropped_at(polls, creating).await;
        if let Some(connection) = created {
            assert!(polls > 5, "{polls} polls");
            drop(connection);
            theirs.await.unwrap();
            break;
        }
        theirs.await.unwrap();
        settle().await;
        assert_eq!(alive_tasks(), 0, "after {polls} polls");
        polls += 1;
    }
}

/// `Connection::closed` and `Connection::flushed`.
#[tokio::test(start_paused = true)]
async fn waiting_for_the_end_can_be_dropped_at_any_poll() {
    let (table, notes) = (table(), Notes::default());
    let near = (Config::default(), &table, notes.clone());
    let far = (Config::default(), &table, notes);
    let (near, far) = connect(10, near, far).await;
    let text = "x".repeat(1000);
    let call = ECHO.dispatch(&near, &text);
    for polls in 0..3 {
        dropped_pending(polls, near.closed()).await;
        dropped_at(polls, near.flushed()).await;
        dropped_at(polls, far.flushed()).await;
    }
    assert_eq!(call.await.unwrap(), text);
    near.flushed().await;
    near.close();
    for polls in 0..3 {
        dropped_at(polls, far.closed()).await;
    }
    near.closed().await;
    far.closed().await;
}

thread_local! {
    /// What [`DropsTheCall`] drops.
    static VICTIM: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Units, of which reading one drops something.
enum DropsTheCall {}

impl Codec<()> for DropsTheCall {
    fn size((): &()) -> usize {
        1
    }

    fn write((): &(), buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.push(0);
        Ok(())
    }

    fn read(bytes: &[u8]) -> Result<(), Undecodable> {
        drop(VICTIM.take());
        if bytes == [0] {
            Ok(())
        } else {
            Err(Undecodable::new("no unit"))
        }
    }

    fn digest() -> Option<Digest> {
        None
    }
}

static DROPPED_PLAIN: Rpc<(), (), DropsTheCall> = Rpc::new("plain", 1);
static DROPPED_STREAM: PipeRpc<(), (), (), DropsTheCall> = PipeRpc::new("stream", 1);

/// Dispatches, and gives the peer's answer to a decoder that drops the call.
async fn check_dropped_by_decoder<F: 'static>(
    dispatch: impl FnOnce(&Connection) -> F,
    answer: &[u8],
) {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    VICTIM.set(Some(Box::new(dispatch(&connection))));
    let id = peer.expect_query().await.id;
    peer.respond(id, Ok(answer)).await;
    settle().await;
    assert!(VICTIM.take().is_none());
    assert_eq!(connection.open_queries(), 0);
}

/// Decoders are the user's code, and run without any lock held.
#[tokio::test(start_paused = true)]
async fn call_can_be_dropped_by_its_own_decoder() {
    let plain = |connection: &Connection| DROPPED_PLAIN.dispatch(connection, &());
    check_dropped_by_decoder(plain, b"\x00").await;
    check_dropped_by_decoder(plain, b"\x07").await;
}

/// The same of the user's error, after which nothing comes: so nothing can be waited for.
#[tokio::test(start_paused = true)]
async fn stream_can_be_dropped_by_the_decoder_of_its_error() {
    let stream = |connection: &Connection| DROPPED_STREAM.dispatch(connection, &());
    check_dropped_by_decoder(stream, b"\x00\x01\x00").await;
    check_dropped_by_decoder(stream, b"\x00\x01\x07").await;
}
