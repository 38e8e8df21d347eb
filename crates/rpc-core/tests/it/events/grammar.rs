//! Random calls of every kind: what both ends tell follows the grammars, and agrees.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rpc_core::connection::Config;
use rpc_core::{
    Connection, Event, ExpertRpc, HandlerError, Implementation, Implementations, Kind,
    OnUnknownRpc, OneWay, PipeRpc, ReceivedResponse, Reply, Rpc, SendFailure, SentResponse,
    TracingEvent,
};

use crate::pair::{CAPACITY, connect, settle};
use crate::source;
use crate::trace::Trace;

/// 0 fails, others answer that many bytes; above 300 the answer is too large.
static PLAIN: Rpc<i64, Result<String, String>> = Rpc::new("plain", 1).user_error_if(Result::is_err);
/// n updates of 100 n bytes; too large above 300; negative refuses, 0 fails.
static PIPE: PipeRpc<i64, String, String> = PipeRpc::new("pipe", 1);
static ONE_WAY: OneWay<i64> = OneWay::new("one-way", 1);
/// The query's bytes.
static EXPERT: Rpc<i64, i64> = Rpc::new("expert", 1);
static MISSING: Rpc<i64, ()> = Rpc::new("missing", 1);
/// The same names with a type that cannot be decoded as such.
static GARBLED: Rpc<String, i64> = Rpc::new("plain", 1);
static GARBLED_PIPE: PipeRpc<String, String, String> = PipeRpc::new("pipe", 1);
static GARBLED_ONE_WAY: OneWay<String> = OneWay::new("one-way", 1);

const LIMIT: usize = 320;

fn text(bytes: i64) -> String {
    "x".repeat(usize::try_from(bytes).unwrap())
}

fn implementations() -> Implementations<()> {
    Implementations::builder()
        .implement(&PLAIN, |(), n: i64| async move {
            match n {
                0 => Err(HandlerError::new("zero")),
                _ if n < 0 => Ok(Err("negative".to_owned())),
                _ => Ok(Ok(text(n))),
            }
        })
        .implement_pipe(&PIPE, |(), n: i64| async move {
            match n {
                0 => Err(HandlerError::new("zero")),
                _ if n < 0 => Ok(Err("negative".to_owned())),
                _ => Ok(Ok(source::iter((1..=n).map(|n| text(100 * n))))),
            }
        })
        .implement_one_way(&ONE_WAY, |(), n| async move {
            if n == 0 {
                return Err(HandlerError::new("zero"));
            }
            Ok(())
        })
        .implementation(Implementation::expert_blocking(
            &EXPERT,
            |(), query, responder| {
                responder.bytes(query.bytes())?;
                Ok(Reply::Replied)
            },
        ))
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Plain(i64),
    /// Dropped without waiting.
    Forgotten(i64),
    /// So many updates are read, and then the pipe is dropped.
    Pipe(i64, usize),
    /// Dropped before its answer.
    Opening(i64),
    OneWay(i64),
    /// Answered by an expert; the caller is one, too, or not.
    Expert(bool),
    Missing,
    Garbled,
    /// A query of each kind that the caller's side refuses.
    TooLarge,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        (-1..400_i64).prop_map(Call::Plain),
        (-1..400_i64).prop_map(Call::Forgotten),
        (-1..6_i64, 0..8_usize).prop_map(|(n, read)| Call::Pipe(n, read)),
        (-1..6_i64).prop_map(Call::Opening),
        (0..2_i64).prop_map(Call::OneWay),
        any::<bool>().prop_map(Call::Expert),
        Just(Call::Missing),
        Just(Call::Garbled),
        Just(Call::TooLarge),
    ];
    prop::collection::vec(call, 0..20)
}

async fn make(call: Call, connection: &Connection) {
    // How each call ends is other tests' matter.
    match call {
        Call::Plain(n) => drop(PLAIN.dispatch(connection, &n).await),
        Call::Forgotten(n) => drop(PLAIN.dispatch(connection, &n)),
        Call::Pipe(n, read) => {
            if let Ok(Ok(mut pipe)) = PIPE.dispatch(connection, &n).await {
                for _ in 0..read {
                    pipe.next().await;
                }
            }
        }
        Call::Opening(n) => drop(PIPE.dispatch(connection, &n)),
        Call::OneWay(n) => ONE_WAY.dispatch(connection, &n).unwrap(),
        Call::Expert(false) => drop(EXPERT.dispatch(connection, &1).await),
        Call::Expert(true) => {
            let expert = ExpertRpc::new("expert", 1);
            drop(expert.dispatch(connection, b"\x01").await);
        }
        Call::Missing => drop(MISSING.dispatch(connection, &1).await),
        Call::Garbled => drop(GARBLED.dispatch(connection, &"garbled".to_owned()).await),
        Call::TooLarge => {
            let text = "x".repeat(LIMIT);
            drop(GARBLED.dispatch(connection, &text));
            drop(GARBLED_PIPE.dispatch(connection, &text));
            GARBLED_ONE_WAY.dispatch(connection, &text).unwrap_err();
        }
    }
}

/// The events of each query, in order.
fn by_id(events: Vec<TracingEvent>) -> BTreeMap<i64, Vec<TracingEvent>> {
    let mut queries: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in events {
        queries.entry(event.id.get()).or_default().push(event);
    }
    queries
}

/// T-C4, T-C6: a query that was not sent, which the callee knows nothing of.
fn is_refused(events: &[TracingEvent]) -> bool {
    matches!(events[0].event, Event::FailedToSend(Kind::Query, _))
}

/// All that is told of such a query; T-32: its size is the one it would have had.
fn check_refused(events: &[TracingEvent]) {
    let [event] = events else {
        panic!("{events:?}")
    };
    let too_large = Event::FailedToSend(Kind::Query, SendFailure::TooLarge);
    assert_eq!(event.event, too_large);
    assert!(event.payload_bytes > LIMIT, "{event}");
}

/// T-30, as a regular language over one letter for each event; T-32.
fn check_caller(events: &[TracingEvent]) {
    for event in events {
        assert_ne!(event.payload_bytes, 0, "{event}");
    }
    // T-C5, T-C20: what has no response is told with the size of what was sent.
    for pair in events.windows(2) {
        let one_way = Kind::Response(ReceivedResponse::OneWaySoNoResponse);
        if pair[1].event == Event::Received(one_way) {
            assert_eq!(pair[0].payload_bytes, pair[1].payload_bytes, "{pair:?}");
        }
    }
    let word: String = events
        .iter()
        .map(|event| match &event.event {
            Event::Sent(Kind::Query) => 'q',
            Event::Sent(Kind::AbortStreamingRpcQuery) => 'a',
            Event::Received(Kind::Response(response)) => match response {
                ReceivedResponse::PartialResponse => 'p',
                ReceivedResponse::OneWaySoNoResponse => 'o',
                _ => 'f',
            },
            other => panic!("{other:?}"),
        })
        .collect();
    let calm = word.replace("ao", "").replace('p', "");
    assert!(["q", "qf", "qo"].contains(&&*calm), "caller: {word}");
    assert!(calm != "qo" || word == "qo", "caller: {word}");
}

/// T-31 and T-32, likewise.
fn check_callee(events: &[TracingEvent]) {
    let mut word = String::new();
    for event in events {
        let letter = match &event.event {
            Event::Received(Kind::Query) => 'q',
            Event::Received(Kind::AbortStreamingRpcQuery) => 'a',
            Event::Sent(Kind::Response(response))
            | Event::FailedToSend(Kind::Response(response), _) => match response {
                SentResponse::StreamingInitial => 'i',
                SentResponse::StreamingUpdate => 'u',
                SentResponse::StreamingClosed => 'c',
                _ => 's',
            },
            other => panic!("{other:?}"),
        };
        word.push(letter);
        let is_message = !matches!(
            event.event,
            Event::Sent(Kind::Response(
                SentResponse::OneWaySoNoResponse | SentResponse::ExpertSingleSucceededOrFailed
            ))
        );
        assert_eq!(event.payload_bytes > 0, is_message, "{event}");
    }
    let calm = word.replace(['a', 'u'], "");
    // An abort that overtook the initial response has the end as its only answer.
    assert!(
        ["q", "qs", "qi", "qic", "qis", "qc"].contains(&&*calm),
        "callee: {word}"
    );
    let first_update = word.find('u').unwrap_or(word.len());
    let last_update = word.rfind('u').unwrap_or(0);
    let initial = word.find('i').unwrap_or(word.len());
    assert!(initial <= first_update, "callee: {word}");
    assert!(
        word.find('c').unwrap_or(word.len()) >= last_update,
        "callee: {word}"
    );
}

/// Sizes of what one end sent and the other received.
fn sizes(events: &[TracingEvent], sent: bool) -> Vec<usize> {
    let is_message = |event: &&TracingEvent| match &event.event {
        // On the callee's side, what is no message has no size.
        Event::Sent(_) => sent && event.payload_bytes > 0,
        Event::Received(kind) => {
            !sent && *kind != Kind::Response(ReceivedResponse::OneWaySoNoResponse)
        }
        _ => false,
    };
    events
        .iter()
        .filter(is_message)
        .map(|event| event.payload_bytes)
        .collect()
}

/// T-2, T-30, T-31, T-32, catalogue ZR39.
#[test]
fn random_calls_follow_the_grammars() {
    proptest!(ProptestConfig::with_cases(64), |(calls in calls())| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let config = || Config::default().max_message_size(LIMIT);
            let (near, far) = connect(
                CAPACITY,
                (config(), &Implementations::empty(), ()),
                (config(), &implementations(), ()),
            )
            .await;
            let (caller, callee) = (Trace::of(&near), Trace::of(&far));
            for call in calls {
                make(call, &near).await;
            }
            settle().await;
            assert_eq!(near.open_queries(), 0);
            let (mut caller, callee) = (by_id(caller.take()), by_id(callee.take()));
            let refused = caller.extract_if(.., |_, events| is_refused(events));
            refused.for_each(|(_, events)| check_refused(&events));
            assert!(caller.keys().eq(callee.keys()));
            for (asked, answered) in caller.values().zip(callee.values()) {
                check_caller(asked);
                check_callee(answered);
                assert_eq!(sizes(asked, true), sizes(answered, false));
                // The error that replaces what was too large is sent without an event.
                let received = sizes(asked, false);
                let missed = |size: &&usize| !received.contains(size);
                assert_eq!(sizes(answered, true).iter().find(missed), None);
            }
        });
    });
}
