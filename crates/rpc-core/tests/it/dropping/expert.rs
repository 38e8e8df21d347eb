//! Calls and streams by name.

use std::time::Duration;

use rpc_core::connection::Config;
use rpc_core::{Connection, DispatchError, ExpertRpc, Implementations};
use rpc_wire::QueryMetadata;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::check_dropped_anywhere;
use crate::peer::Peer;
use crate::rpcs::{COUNT, COUNTER, ECHO, HOLD, SLEEP};

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

/// The callback of a query that could not be sent is dropped when no lock is held: it may do as it
/// likes.
#[tokio::test(start_paused = true)]
async fn unsent_callback_may_dispatch_when_it_is_dropped() {
    struct Dispatches(Connection);

    impl Drop for Dispatches {
        fn drop(&mut self) {
            drop(ECHO.dispatch(&self.0, &"x".to_owned()));
        }
    }

    let config = Config::default().max_message_size(1000);
    let (connection, mut peer) = Peer::open(config, &Implementations::empty(), (), 11).await;
    let dispatches = Dispatches(connection.clone());
    let rpc = ExpertRpc::from(SLEEP.description());
    let sent = rpc.dispatch_with(&connection, &[0; 1001], move |_| {
        let _kept = &dispatches;
        std::future::ready(())
    });
    let error = sent.unwrap_err();
    assert!(
        matches!(error, DispatchError::MessageTooBig { .. }),
        "{error:?}"
    );
    assert_eq!(peer.expect_query().await.rpc, ECHO.description());
    assert_eq!(connection.open_queries(), 1);
}
