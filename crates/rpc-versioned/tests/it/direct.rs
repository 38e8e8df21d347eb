//! Handlers that write the model's updates themselves.

use std::sync::{Arc, Mutex};

use rpc_core::{Connection, PipeRpc, StreamWriteError};
use rpc_versioned::ConnectionWithMenu;
use rpc_versioned::callee_converts::{DirectStreamWriter, PipeRpc as Pipes, WriteError};
use rpc_versioned::convert::{Unconvertible, try_into};

use crate::pair::{assert_conversion, assert_uncaught, serving, settle};

static TICKS_1: PipeRpc<i64, i32, ()> = PipeRpc::new("ticks", 1);
static TICKS_2: PipeRpc<i64, i64, String> = PipeRpc::new("ticks", 2);

/// The writers that handlers were given, with the version that each serves.
type Writers = Arc<Mutex<Vec<(i64, DirectStreamWriter<i64>)>>>;

async fn ticking() -> (ConnectionWithMenu, Connection, Writers) {
    let unlucky = |update| match update {
        13 => panic!("thirteen"),
        _ => Ok(update),
    };
    let refusal = |text: String| match &text[..] {
        "no" => Ok(()),
        _ => Err(Unconvertible::new("no such error")),
    };
    let ticks = Pipes::<Writers, i64, i64, String>::builder("ticks")
        .version(
            &TICKS_1,
            |query| {
                if query < 0 {
                    panic!("negative")
                } else {
                    Ok(query)
                }
            },
            try_into,
            refusal,
        )
        .version(&TICKS_2, Ok, unlucky, Ok)
        .build()
        .unwrap();
    let implementations = ticks.implement_direct(|writers, version, query, writer| {
        writers.lock().unwrap().push((version, writer));
        async move {
            match query {
                1 => Ok(Err("no".to_owned())),
                2 => Ok(Err("never".to_owned())),
                _ => Ok(Ok(())),
            }
        }
    });
    let writers = Writers::default();
    let (caller, callee) = serving(implementations.unwrap(), writers.clone()).await;
    (caller, callee, writers)
}

fn take(writers: &Writers) -> (i64, DirectStreamWriter<i64>) {
    writers.lock().unwrap().pop().unwrap()
}

/// V-CE-9, ZV12: write with and without push-back, flushed, closed, close; the version that is served
/// is told (V-CE-1).
#[tokio::test(start_paused = true)]
async fn writer_of_the_model_writes_what_each_version_has() {
    let (caller, _callee, writers) = ticking().await;
    let connection = caller.connection();
    let mut first = TICKS_1.dispatch(connection, &0).await.unwrap().unwrap();
    let (version, one) = take(&writers);
    assert_eq!(version, 1);
    let mut second = TICKS_2.dispatch(connection, &0).await.unwrap().unwrap();
    let (version, two) = take(&writers);
    assert_eq!(version, 2);
    for writer in [&one, &two] {
        writer.write(7).unwrap();
        writer.write_with_pushback(8).unwrap().await;
        writer.flushed().await;
        assert!(!writer.is_closed());
    }
    assert_eq!(
        (first.next().await, first.next().await),
        (Some(7_i32), Some(8))
    );
    assert_eq!(
        (second.next().await, second.next().await),
        (Some(7_i64), Some(8))
    );

    let clone = one.clone();
    drop(one);
    clone.write(9).unwrap();
    clone.close();
    clone.close();
    assert!(clone.is_closed());
    clone.closed().await;
    let error = clone.write(10).unwrap_err();
    assert!(matches!(error, WriteError::Write(StreamWriteError::Closed)));
    assert_eq!(first.next().await, Some(9));
    assert_eq!(first.next().await, None);

    // The caller's abort closes the writer too, and dropping the last handle ends the stream.
    let closed = tokio::spawn({
        let two = two.clone();
        async move { two.closed().await }
    });
    drop(second);
    closed.await.unwrap();
    assert!(two.is_closed());
    let mut third = TICKS_2.dispatch(connection, &0).await.unwrap().unwrap();
    drop(take(&writers));
    assert_eq!(third.next().await, None);
    third.close_reason().await.into_result().unwrap();
}

/// V-CE-7, ZV12: an update that cannot be converted, or whose conversion panics, is the error of its
/// `write`; the stream goes on.
#[tokio::test(start_paused = true)]
async fn bad_update_is_the_error_of_its_write() {
    let (caller, _callee, writers) = ticking().await;
    let connection = caller.connection();
    let mut first = TICKS_1.dispatch(connection, &0).await.unwrap().unwrap();
    let (_, one) = take(&writers);
    let mut second = TICKS_2.dispatch(connection, &0).await.unwrap().unwrap();
    let (_, two) = take(&writers);
    for (writer, bad, rpc, text) in [
        (&one, i64::MAX, TICKS_1.description(), "out of range"),
        (&two, 13, TICKS_2.description(), "thirteen"),
    ] {
        writer.write(1).unwrap();
        for error in [
            writer.write(bad).unwrap_err(),
            writer.write_with_pushback(bad).unwrap_err(),
        ] {
            let WriteError::Conversion(error) = error else {
                panic!("{error:?}");
            };
            assert_conversion(&error, rpc_versioned::Conversion::Response, &rpc, text);
        }
        assert!(!writer.is_closed());
        writer.write(2).unwrap();
        writer.close();
    }
    assert_eq!((first.next().await, first.next().await), (Some(1), Some(2)));
    assert_eq!(first.next().await, None);
    assert_eq!(
        (second.next().await, second.next().await),
        (Some(1), Some(2))
    );
    assert_eq!(second.next().await, None);
}

/// V-CE-3 in the direct form: query and error.
#[tokio::test(start_paused = true)]
async fn failed_conversions_are_uncaught_exceptions() {
    let (caller, callee, writers) = ticking().await;
    let connection = caller.connection();
    let error = TICKS_1.dispatch(connection, &-1).await.unwrap_err();
    assert_uncaught(&error, "Query", &TICKS_1.description());
    assert!(writers.lock().unwrap().is_empty());
    TICKS_1.dispatch(connection, &1).await.unwrap().unwrap_err();
    let error = TICKS_1.dispatch(connection, &2).await.unwrap_err();
    assert_uncaught(&error, "Error", &TICKS_1.description());
    let refusal = TICKS_2.dispatch(connection, &2).await.unwrap().unwrap_err();
    assert_eq!(refusal, "never");
    settle().await;
    assert_eq!(callee.served_streams(), 0);
    assert_eq!(connection.open_queries(), 0);
    assert!(!callee.is_closed());
}
