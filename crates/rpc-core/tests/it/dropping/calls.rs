//! Plain calls and one-way messages.

use rpc_core::ExpertRpc;
use rpc_core::connection::Config;
use rpc_wire::QueryMetadata;
use tokio::task::yield_now;

use super::{assert_unharmed, check_dropped_anywhere, dropped_at};
use crate::pair::{alive_tasks, connect, settle};
use crate::rpcs::{ECHO, FAIL, MISSING, NOTE, Notes, SLEEP, table};

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
        let answer = SLEEP.dispatch_map(near, &20, |millis| millis.unwrap() + 1);
        assert_eq!(answer.await, 21);
        yield_now().await;
    })
    .await;
    check_dropped_anywhere(async |near| {
        let answer = ECHO.dispatch_map(near, &"abc".to_owned(), |text| text.unwrap().len());
        assert_eq!(answer.await, 3);
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
