//! Updates that are read, or produced, in one go: nothing shows that they are handled together.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bin_prot::{BinWrite, WriteError};
use futures_core::Stream;
use rpc_core::{DispatchError, Implementations, PipeCloseReason, PipeMessage, PipeRpc};
use rpc_wire::RpcError;

use super::{assert_none_served, assert_over, closed_remotely, drain, started};
use crate::pair::settle;
use crate::peer::Peer;
use crate::rpcs::{COUNT, ECHO};
use crate::source;

static TEXTS: PipeRpc<(), String, String> = PipeRpc::new("texts", 1);

/// Numbers of every width on the wire, each of them several times in a row.
fn widths() -> impl Iterator<Item = i64> {
    (0..40).flat_map(|bits| [1_i64 << bits; 5])
}

/// C-DI-9: more than one run, of two streams by turns, and answers among them.
#[tokio::test(start_paused = true)]
async fn streams_and_answers_that_are_read_at_once_keep_their_order() {
    for version in [1, 11] {
        let (connection, mut peer, mut first, first_id) = started(version).await;
        let opening = COUNT.dispatch(&connection, &3);
        let second_id = peer.expect_query().await.id;
        peer.start(second_id, &()).await;
        let mut second = opening.await.unwrap().unwrap();
        let call = ECHO.dispatch(&connection, &"x".to_owned());
        let asked = peer.expect_query().await;
        for (number, update) in widths().enumerate() {
            peer.update(first_id, &update).await;
            if number % 7 == 0 {
                peer.update(second_id, &-update).await;
            }
            if number == 100 {
                peer.answer(asked.id, &"y").await;
            }
        }
        peer.end_stream(second_id).await;
        peer.end_stream(first_id).await;
        assert_eq!(call.await.unwrap(), "y");
        assert_eq!(drain(&mut first).await, widths().collect::<Vec<_>>());
        let sevenths: Vec<_> = widths().step_by(7).map(|update| -update).collect();
        assert_eq!(drain(&mut second).await, sevenths);
        closed_remotely(&first.close_reason().await);
        assert_over(&connection, &mut peer).await;
    }
}

/// The announcement of a number that does not come.
struct Truncated;

impl BinWrite for Truncated {
    fn bin_size(&self) -> usize {
        1
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.push(0xfe);
        Ok(())
    }
}

/// R-SC-2: what cannot be decoded breaks the stream where it is, behind what came before.
#[tokio::test(start_paused = true)]
async fn undecodable_update_amid_others_breaks_the_stream_in_its_place() {
    let (connection, mut peer, mut pipe, id) = started(11).await;
    for update in 0..10_i64 {
        peer.update(id, &update).await;
    }
    // A number's first byte, as long as the others.
    peer.update(id, &Truncated).await;
    peer.update(id, &11_i64).await;
    peer.end_stream(id).await;
    assert_eq!(drain(&mut pipe).await, (0..10).collect::<Vec<_>>());
    let reason = pipe.close_reason().await;
    let broken = matches!(
        reason,
        PipeCloseReason::Error(DispatchError::Undecodable { .. })
    );
    assert!(broken, "{reason:?}");
    peer.expect_abort(id).await;
    assert_over(&connection, &mut peer).await;
}

/// T-3: who begins to listen amid a run hears of the rest of it, update by update.
#[tokio::test(start_paused = true)]
async fn listener_that_comes_amid_a_run_hears_of_what_follows() {
    let (connection, mut peer) = Peer::called_by_us(11).await;
    let heard = Arc::new(Mutex::new(0));
    let subscription = Arc::new(Mutex::new(None));
    let (counted, kept, listening) = (heard.clone(), subscription.clone(), connection.clone());
    let opening = COUNT.dispatch_with(&connection, &3, move |message| {
        if let PipeMessage::Update(4) = message {
            let heard = counted.clone();
            let subscribed = listening.subscribe(move |_| *heard.lock().unwrap() += 1);
            *kept.lock().unwrap() = Some(subscribed);
        }
    });
    let id = peer.expect_query().await.id;
    peer.start(id, &()).await;
    for update in 0..10_i64 {
        peer.update(id, &update).await;
    }
    let _metadata = opening.await.unwrap().unwrap();
    settle().await;
    assert_eq!(*heard.lock().unwrap(), 5);
}

/// The first updates after which it panics.
struct Panicking(i64);

impl Stream for Panicking {
    type Item = i64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<i64>> {
        self.0 -= 1;
        assert!(self.0 >= 0, "on purpose");
        Poll::Ready(Some(self.0))
    }
}

/// R-SV-12: a source that panics loses nothing of what it has produced before, at once or not.
#[tokio::test(start_paused = true)]
async fn source_that_panics_loses_nothing_of_what_it_has_produced() {
    for count in [1, 5, 16, 100, 2000] {
        let table = super::serving(&COUNT_AT_ONCE, move || Panicking(count));
        let (connection, mut peer) = Peer::open(Default::default(), &table, (), 11).await;
        peer.open_stream(7, &COUNT_AT_ONCE.description(), &()).await;
        peer.expect_start(7, &()).await;
        for update in (0..count).rev() {
            peer.expect_update(7, &update).await;
        }
        let error = peer.expect_error(7).await;
        assert!(matches!(error, RpcError::UncaughtExn(_)), "{error:?}");
        assert_none_served(&connection, &mut peer).await;
    }
}

static COUNT_AT_ONCE: PipeRpc<(), i64, String> = PipeRpc::new("count-at-once", 1);

/// R-SV-5: sizes around those from which an update is not framed aside.
#[tokio::test(start_paused = true)]
async fn small_and_large_updates_leave_in_the_order_in_which_they_were_produced() {
    const SIZES: [usize; 9] = [1, 1, 20_000, 1, 16_380, 16_384, 16_388, 3, 3];
    let sizes = || SIZES.iter().cycle().take(90);
    let table = Implementations::<()>::builder()
        .implement_pipe(&TEXTS, move |_, ()| async move {
            Ok(Ok(source::iter(sizes().map(|n| "x".repeat(*n)))))
        })
        .implement_blocking(&ECHO, |_, text| Ok(text))
        .build()
        .unwrap();
    let (connection, mut peer) = Peer::open(Default::default(), &table, (), 11).await;
    peer.open_stream(7, &TEXTS.description(), &()).await;
    peer.expect_start(7, &()).await;
    for size in sizes() {
        peer.expect_update(7, &"x".repeat(*size)).await;
    }
    peer.expect_end_of_stream(7).await;
    assert_none_served(&connection, &mut peer).await;
}
