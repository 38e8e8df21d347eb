//! Every combination of what a caller and a callee know, for every kind of RPC, on every wire
//! version.

use rpc_core::Implementations;
use rpc_versioned::{CallError, ConnectionWithMenu, SelectionError};
use rpc_wire::ProtocolVersion;

use crate::families::{
    Note, Notes, Price, Query, Range, answering, count_caller, counter_caller, note_caller,
    price_caller,
};
use crate::pair::{pair, settle};

/// The subsets of versions 1 to 3 that are not empty.
fn subsets() -> impl Iterator<Item = Vec<i64>> {
    (1..8).map(|bits| {
        (1..=3)
            .filter(|version| bits >> (version - 1) & 1 == 1)
            .collect()
    })
}

#[track_caller]
fn assert_no_common(error: CallError, of: &str, ours: &[i64], theirs: &[i64]) {
    match error {
        CallError::Selection(SelectionError::NoCommonVersion {
            name,
            caller_versions,
            callee_versions,
        }) => {
            assert_eq!(name, of);
            assert_eq!(caller_versions, ours);
            assert_eq!(callee_versions, theirs);
        }
        other => panic!("{other:?}"),
    }
}

/// V-SE-1, V-CE-1, and that all conversions are where they belong: the highest common version is the
/// one that is served, of every kind; without one nothing is sent (V-SE-4).
#[tokio::test(start_paused = true)]
async fn every_combination_of_versions_on_every_wire_version() {
    for wire in ProtocolVersion::all() {
        for theirs in subsets() {
            let notes = Notes::default();
            let table = Implementations::builder().implementations(answering(&theirs));
            let (caller, _callee) = pair(wire, &table.build().unwrap(), notes.clone()).await;
            let caller = ConnectionWithMenu::request(caller).await.unwrap();
            for ours in subsets() {
                let common = ours
                    .iter()
                    .copied()
                    .filter(|version| theirs.contains(version))
                    .max();
                match common {
                    Some(version) => assert_served(&caller, &notes, &ours, version).await,
                    None => assert_refused(&caller, &ours, &theirs).await,
                }
            }
        }
    }
}

async fn assert_served(caller: &ConnectionWithMenu, notes: &Notes, ours: &[i64], version: i64) {
    let query = Query {
        symbol: "ABC".to_owned(),
        currency: "EUR".to_owned(),
    };
    let answer = price_caller(ours).dispatch(caller, query).await.unwrap();
    // Version 1 knows no currencies.
    let ccy = if version == 1 { "USD" } else { "EUR" };
    let expected = Price {
        px: 300 + version,
        ccy: ccy.to_owned(),
    };
    assert_eq!(answer, expected);

    let note = Note {
        text: "well".to_owned(),
        level: 7,
    };
    note_caller(ours).dispatch(caller, note.clone()).unwrap();
    settle().await;
    let level = if version == 1 { 0 } else { 7 };
    let noted = notes.0.lock().unwrap().drain(..).collect::<Vec<_>>();
    assert_eq!(noted, [(version, Note { level, ..note })]);

    let (ten, none) = (Range { from: 0, until: 10 }, Range { from: 0, until: -1 });
    let count = count_caller(ours);
    let mut pipe = count.dispatch(caller, ten.clone()).await.unwrap().unwrap();
    assert_eq!(pipe.next().await.unwrap().unwrap(), version);
    for expected in 0..10 {
        assert_eq!(pipe.next().await.unwrap().unwrap(), expected);
    }
    assert!(pipe.next().await.is_none());
    let refusal = count
        .dispatch(caller, none.clone())
        .await
        .unwrap()
        .unwrap_err();
    let told = match version {
        1 => "refused".to_owned(),
        _ => format!("refused by {version}"),
    };
    assert_eq!(refusal, told);

    let counter = counter_caller(ours);
    let (state, mut pipe) = counter.dispatch(caller, ten).await.unwrap().unwrap();
    assert_eq!(state, version);
    for expected in 0..10 {
        assert_eq!(pipe.next().await.unwrap().unwrap(), expected);
    }
    assert!(pipe.next().await.is_none());
    let refusal = counter.dispatch(caller, none).await.unwrap().unwrap_err();
    assert_eq!(refusal, told);
}

async fn assert_refused(caller: &ConnectionWithMenu, ours: &[i64], theirs: &[i64]) {
    let connection = caller.connection();
    let sent = || connection.bytes_written() + connection.bytes_to_write();
    let before = sent();
    let query = Query {
        symbol: "ABC".to_owned(),
        currency: "EUR".to_owned(),
    };
    let error = price_caller(ours)
        .dispatch(caller, query)
        .await
        .unwrap_err();
    assert_no_common(error, "price", ours, theirs);
    let note = Note {
        text: "well".to_owned(),
        level: 7,
    };
    let error = note_caller(ours).dispatch(caller, note).unwrap_err();
    assert_no_common(error, "note", ours, theirs);
    let range = Range { from: 0, until: 10 };
    let error = count_caller(ours)
        .dispatch(caller, range.clone())
        .await
        .unwrap_err();
    assert_no_common(error, "count", ours, theirs);
    let with = count_caller(ours).dispatch_with(caller, range.clone(), |_| ());
    assert_no_common(with.await.unwrap_err(), "count", ours, theirs);
    let error = counter_caller(ours)
        .dispatch(caller, range)
        .await
        .unwrap_err();
    assert_no_common(error, "counter", ours, theirs);
    assert_eq!(sent(), before);
    assert_eq!(connection.open_queries(), 0);
}
