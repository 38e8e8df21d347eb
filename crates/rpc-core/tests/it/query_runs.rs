//! Queries for one RPC that come together are answered as if each had come alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bin_prot::WriteError;
use proptest::prelude::*;
use rpc_core::connection::{Config, MetadataHook};
use rpc_core::payload::{BinProt, Codec, Undecodable};
use rpc_core::{
    Connection, HandlerError, Implementation, Implementations, OnUnknownRpc, OneWay, QueryContext,
    Rpc, SharedHandler, TracingSubscription,
};
use rpc_wire::{Description, RpcError};
use tokio::task::yield_now;

use crate::pair::settle;
use crate::peer::{Answered, Peer};

/// What handlers do follows from their query's first letter.
static PLAIN: Rpc<String, String> = Rpc::new("plain", 1);
static BLOCKING: Rpc<String, String> = Rpc::new("blocking", 1);
static LIFTED: Rpc<String, String> = Rpc::new("lifted", 1);
static MAPPED: Rpc<String, String> = Rpc::new("mapped", 1);
static NOTE: OneWay<String> = OneWay::new("note", 1);
static LIFTED_NOTE: OneWay<String, Careless> = OneWay::new("lifted-note", 1);

/// As bin_prot, but it panics at what begins with a "d".
enum Careless {}

impl Codec<String> for Careless {
    fn size(text: &String) -> usize {
        BinProt::size(text)
    }

    fn write(text: &String, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        BinProt::write(text, buffer)
    }

    fn read(bytes: &[u8]) -> Result<String, Undecodable> {
        assert_ne!(bytes.get(1), Some(&b'd'), "on purpose");
        BinProt::read(bytes)
    }
}

/// What a connection's handlers have done.
#[derive(Clone)]
struct Log {
    connection: Connection,
    entries: Arc<Mutex<Vec<String>>>,
    listening: Arc<Mutex<Vec<TracingSubscription>>>,
}

impl Log {
    fn push(&self, entry: String) {
        self.entries.lock().unwrap().push(entry);
    }

    /// What can happen between two queries.
    fn act(&self, text: &str) -> Result<(), HandlerError> {
        self.push(text.to_owned());
        match text.as_bytes() {
            [b'f', ..] => return Err(HandlerError::new(text.to_owned())),
            [b'p', ..] => panic!("{text}"),
            [b'c', ..] => self.connection.close(),
            [b'l', ..] => {
                let log = self.clone();
                let told = self.connection.subscribe(move |event| {
                    let (id, kind) = (event.id, &event.event);
                    log.entries.lock().unwrap().push(format!("{id} {kind:?}"));
                });
                self.listening.lock().unwrap().push(told);
            }
            [b'h', ..] => {
                let log = self.clone();
                let hook = MetadataHook::new().on_receive(move |rpc, id, payload| {
                    let entry = format!("{}: {id} {payload:?}", rpc.to_description());
                    log.entries.lock().unwrap().push(entry);
                });
                // The first one stays.
                let _set = self.connection.set_metadata_hook(0, hook);
            }
            _ => {}
        }
        Ok(())
    }
}

async fn answer(acted: Result<(), HandlerError>, text: String) -> Result<String, HandlerError> {
    acted?;
    if text.starts_with('s') {
        yield_now().await;
    }
    Ok(text)
}

fn table() -> Implementations<Log> {
    // What it was lifted from is in its answer.
    let lifted = Implementation::plain(&LIFTED, |id: &i64, text: String| {
        let text = format!("{id} {text}");
        async move { Ok(text) }
    });
    let lifted = lifted.try_lift(|log: &Log, context: &QueryContext<'_>| {
        log.push(format!("lift {}", context.id()));
        Ok(context.id().get())
    });
    let lifted_note =
        Implementation::one_way(&LIFTED_NOTE, |(log, id): &(Log, i64), text: String| {
            log.push(format!("with {id}"));
            let acted = answer(log.act(&text), text);
            async { acted.await.map(drop) }
        });
    let lifted_note = lifted_note.try_lift(|log: &Log, context: &QueryContext<'_>| {
        let id = context.id().get();
        match id % 7 {
            0 => Err(HandlerError::new("not this one")),
            1 => panic!("nor this one"),
            _ => Ok((log.clone(), id)),
        }
    });
    let handler =
        SharedHandler::new(|log: &Log, _version, text: String| answer(log.act(&text), text));
    let mapped = Implementation::mapped(&MAPPED, &handler, Ok, |text| Ok(format!("<{}>", text?)));
    Implementations::builder()
        .implement(&PLAIN, |log: &Log, text: String| {
            answer(log.act(&text), text)
        })
        .implement_blocking(&BLOCKING, |log, text| log.act(&text).map(|()| text))
        .implementation(lifted)
        .implementation(mapped)
        .implementation(lifted_note)
        .implement_one_way(&NOTE, |log, text: String| {
            let acted = answer(log.act(&text), text);
            async { acted.await.map(drop) }
        })
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap()
}

/// One query, by the letter that says what happens to it.
#[derive(Clone, Debug)]
struct Ask {
    rpc: Description,
    payload: Vec<u8>,
}

impl Ask {
    fn new(rpc: usize, letter: char) -> Self {
        let rpc = match rpc {
            0 => PLAIN.description(),
            1 => BLOCKING.description(),
            2 => LIFTED.description(),
            3 => NOTE.description(),
            4 => MAPPED.description(),
            5 => LIFTED_NOTE.description(),
            _ => Description::new("missing", 1),
        };
        let payload = match letter {
            // Longer than the others.
            'L' => b"\x05rlong".to_vec(),
            // Not a string.
            'u' => vec![0xff; 4],
            letter => vec![3, letter as u8, b'x', b'y'],
        };
        Self { rpc, payload }
    }
}

/// What became of the queries: the answers by their ids, those in their order that came at once,
/// and what was noted.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    answers: BTreeMap<i64, Result<Vec<u8>, RpcError>>,
    at_once: Vec<i64>,
    log: Vec<String>,
}

async fn outcome(asked: &[Ask], first: i64, version: i64, together: bool) -> Outcome {
    let (mut peer, io) = Peer::new(crate::pair::CAPACITY);
    let (entries, table) = (Arc::<Mutex<Vec<String>>>::default(), table());
    let log = |connection: &Connection| Log {
        connection: connection.clone(),
        entries: entries.clone(),
        listening: Arc::default(),
    };
    let (connection, ()) = tokio::join!(
        Connection::serve(io, Config::default(), &table, log),
        peer.shake_hands(version, rpc_wire::handshake::PeerMetadata::default()),
    );
    drop(connection.unwrap());
    let mut bytes = Vec::new();
    for (id, ask) in (first..).zip(asked) {
        let query = peer.query_message(id, &ask.rpc, &ask.payload);
        if together {
            bytes.extend(query);
        } else {
            // It may have been closed meanwhile.
            peer.try_to_send_bytes(&query).await;
            settle().await;
        }
    }
    peer.try_to_send_bytes(&bytes).await;
    settle().await;
    let mut outcome = Outcome::default();
    for Answered { id, result } in peer.responses_so_far().await {
        let suspended = asked
            .get(usize::try_from(id - first).unwrap())
            .is_some_and(|ask| {
                ask.payload.get(1) == Some(&b's') && ask.rpc != BLOCKING.description()
            });
        if !suspended {
            outcome.at_once.push(id);
        }
        assert!(outcome.answers.insert(id, result).is_none(), "{id} twice");
    }
    outcome.log = entries.lock().unwrap().clone();
    outcome
}

/// Queries in which the same is asked for several times in a row: of handlers that answer at once,
/// fail, panic and suspend, with queries that are longer or malformed; and of those that set a hook
/// or, unless something is to answer later, make a listener appear or close the connection.
fn asked() -> impl Strategy<Value = Vec<Ask>> {
    let letters = |letters: &'static [char]| {
        let one = (
            prop_oneof![3 => Just(0), 1 => Just(1), 1 => Just(2), 3 => Just(3), 3 => Just(4), 2 => Just(5), 1 => Just(6)],
            prop_oneof![6 => Just('r'), 1 => proptest::sample::select(letters)],
            1..8_usize,
        );
        let several = |(rpc, letter, count)| vec![Ask::new(rpc, letter); count];
        proptest::collection::vec(one.prop_map(several), 1..12)
    };
    prop_oneof![
        letters(&['f', 'p', 'L', 'h', 's']),
        letters(&['f', 'p', 'L', 'h', 'u', 'd', 'l', 'c']),
    ]
    .prop_map(|asked| asked.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// From ids on whose length changes on the way, in each form of queries. R-OR-3: in their order.
    #[test]
    fn queries_that_come_together_are_answered_as_those_that_come_alone(
        asked in asked(),
        first in prop_oneof![Just(1), Just(120), Just(200), Just(32_760), Just(1 << 20)],
        version in proptest::sample::select(&[1_i64, 2, 8, 11][..]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let together = runtime.block_on(outcome(&asked, first, version, true));
        let alone = runtime.block_on(outcome(&asked, first, version, false));
        prop_assert!(together.at_once.is_sorted());
        prop_assert_eq!(together, alone);
    }
}
