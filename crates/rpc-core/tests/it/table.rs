//! Tables of implementations as values (*rpcs* §2).

use std::sync::atomic::{AtomicUsize, Ordering};

use bin_prot::shape::Digest;
use bin_prot::{Sexp, WriteError};
use rpc_core::connection::Config;
use rpc_core::payload::{Codec, Raw, Undecodable};
use rpc_core::{
    Connection, HandlerError, Implementation, Implementations, MENU_RPC, NotImplemented,
    OnException, OnUnknownRpc, OneWay, PipeRpc, Rpc, StateRpc,
};
use rpc_wire::{Description, RpcDigests, RpcError};

use crate::logs::Logs;
use crate::pair::{CAPACITY, connect, offering, settle};
use crate::peer::Peer;
use crate::rpcs::{ECHO, MISSING};
use crate::source::{self, Never};

static A: Rpc<i64, i64> = Rpc::new("a", 1);
static A_2: Rpc<i64, i64> = Rpc::new("a", 2);
static B: Rpc<i64, i64> = Rpc::new("b", 2);
static C: Rpc<i64, i64> = Rpc::new("c", 1);

/// An implementation that answers with the query plus `n`.
fn plus(rpc: &'static Rpc<i64, i64>, n: i64) -> Implementation<()> {
    Implementation::blocking(rpc, move |(): &(), query| Ok(query + n))
}

fn table(implementations: impl IntoIterator<Item = Implementation<()>>) -> Implementations<()> {
    Implementations::builder()
        .implementations(implementations)
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap()
}

fn names(table: &Implementations<()>) -> Vec<String> {
    table.descriptions().map(ToString::to_string).collect()
}

async fn caller_of(table: &Implementations<()>) -> (Connection, Connection) {
    let nothing = Implementations::empty();
    connect(
        CAPACITY,
        (Config::default(), &nothing, ()),
        (Config::default(), table, ()),
    )
    .await
}

/// R-IM-2, catalogue ZR4: the duplicates together, each once; the same name in another version is
/// another RPC.
#[test]
fn duplicates_are_listed_together() {
    let implementations = [
        plus(&A, 0),
        plus(&B, 0),
        plus(&A_2, 0),
        plus(&B, 0),
        plus(&C, 0),
        plus(&A, 0),
        plus(&A, 0),
    ];
    let error = Implementations::builder()
        .implementations(implementations)
        .build()
        .unwrap_err();
    assert_eq!(error.0, [A.description(), B.description()]);
}

/// R-IM-3, catalogue ZR4: tables are values.
#[tokio::test(start_paused = true)]
async fn adding_makes_another_table_or_fails_and_changes_none() {
    let one = table([plus(&A, 1)]);
    let error = one.add(plus(&A, 100)).unwrap_err();
    assert_eq!(error.0, [A.description()]);
    let two = one.add(plus(&B, 2)).unwrap();
    assert_eq!(names(&one), ["a version 1"]);
    assert_eq!(names(&two), ["a version 1", "b version 2"]);

    let (near, _far) = caller_of(&one).await;
    assert_eq!(A.dispatch(&near, &1).await.unwrap(), 2);
    B.dispatch(&near, &1).await.unwrap_err();
    let (near, _far) = caller_of(&two).await;
    assert_eq!(A.dispatch(&near, &1).await.unwrap(), 2);
    assert_eq!(B.dispatch(&near, &1).await.unwrap(), 3);
    // The policy for unknown RPCs has come along.
    MISSING.dispatch(&near, &String::new()).await.unwrap_err();
    assert!(!near.is_closed());
}

/// R-IM-3.
#[tokio::test(start_paused = true)]
async fn removing_makes_another_table_or_fails() {
    let two = table([plus(&A, 1), plus(&B, 2)]);
    let error = two.remove(&A_2.description()).unwrap_err();
    assert_eq!(error, NotImplemented(A_2.description()));
    assert_eq!(error.to_string(), "a version 2 is not implemented");
    let one = two.remove(&A.description()).unwrap();
    assert_eq!(names(&two), ["a version 1", "b version 2"]);
    assert_eq!(names(&one), ["b version 2"]);

    let (near, _far) = caller_of(&one).await;
    A.dispatch(&near, &1).await.unwrap_err();
    assert_eq!(B.dispatch(&near, &1).await.unwrap(), 3);
}

/// R-IM-6: duplicates are found anew.
#[tokio::test(start_paused = true)]
async fn mapping_rebuilds_the_table() {
    let two = table([plus(&A, 1), plus(&B, 2)]);
    let error = two.map(|_| plus(&C, 0)).unwrap_err();
    assert_eq!(error.0, [C.description()]);

    let changed = two.map(|implementation| {
        if *implementation.description() == A.description() {
            plus(&C, 30)
        } else {
            implementation
        }
    });
    let changed = changed.unwrap();
    assert_eq!(names(&changed), ["b version 2", "c version 1"]);
    let (near, _far) = caller_of(&changed).await;
    assert_eq!(B.dispatch(&near, &1).await.unwrap(), 3);
    assert_eq!(C.dispatch(&near, &1).await.unwrap(), 31);
}

/// R-IM-5: queries for anything close the connection, and a raise before the result is not
/// logged.
#[tokio::test(start_paused = true)]
async fn empty_table_raises_and_logs_only_what_nobody_else_learns() {
    let logs = Logs::new();
    let fails = Implementation::blocking(&A, |(): &(), _| Err(HandlerError::new("on purpose")));
    let table = Implementations::empty().add(fails).unwrap();
    let (connection, mut peer) = Peer::open(Config::default(), &table, (), 11).await;
    peer.query(1, &A.description(), &1_i64).await;
    peer.expect_error(1).await;
    settle().await;
    assert_eq!(logs.take(), Vec::<String>::new());
    assert!(!connection.is_closed());

    peer.query(2, &B.description(), &1_i64).await;
    let expected = RpcError::unimplemented(B.description());
    assert_eq!(peer.expect_error(2).await, expected);
    let reason = peer.expect_close_reason().await.to_string();
    assert!(
        reason.contains("exn raised in RPC connection loop"),
        "{reason}"
    );
}

/// R-IM-4, R-IM-7: by name, then version; the kind of each with the digests of the types.
#[test]
fn descriptions_and_digests_are_sorted() {
    static PIPE: PipeRpc<(), i64, String> = PipeRpc::new("c", 2);
    static STATE: StateRpc<(), i64, String, ()> = StateRpc::new("d", 1);
    static ONE_WAY: OneWay<String> = OneWay::new("B", 1);
    static RAW: Rpc<Vec<u8>, Vec<u8>, Raw> = Rpc::new("a", 10);
    let unit = "86ba5df747eec837f0b391dd49f33f9e";
    let int = "698cfa4093fe5e51523842d37b92aeac";
    let text = "d9a8da25d5656b016fb4dbdc2e4197fb";

    let reply = |_: &(), _: rpc_core::ExpertQuery<'_>, _: rpc_core::Responder| {
        Err(HandlerError::new("never called"))
    };
    let table = Implementations::builder()
        .implementation(Implementation::expert_blocking(
            &Description::new("z", 1),
            reply,
        ))
        .implementation(Implementation::expert_blocking(&C, reply).lift(|(): &(), _| ()))
        .implement_blocking(&A_2, |(): &(), n| Ok(n))
        .implement(&RAW, |_, bytes| async { Ok(bytes) })
        .implement_pipe(&PIPE, |_, ()| async { Ok(Ok(Never)) })
        .implement_state(&STATE, |_, ()| async {
            Ok(Ok((1, source::iter(Vec::new()))))
        })
        .implement_one_way(&ONE_WAY, |_, _| async { Ok(()) })
        .build()
        .unwrap();
    let lines: Vec<_> = table.iter().map(Implementation::to_sexp).collect();
    let shapes = |name: &str, fields: &[(&str, &str)]| {
        let fields: Vec<_> = fields.iter().map(|(f, d)| format!("({f} {d})")).collect();
        format!("({name}{})", fields.concat())
    };
    let line = |tag: &str, name: &str, version: i64, shapes: &str| {
        let text =
            format!("((tag {tag})(version {version})(f {name})(shapes {shapes})(on_exception()))");
        text.parse::<Sexp>().unwrap()
    };
    let both_int = shapes("Rpc", &[("query", int), ("response", int)]);
    let pipe = [
        ("query", unit),
        ("initial_response", unit),
        ("update_response", int),
        ("error", text),
    ];
    let state = [
        ("query", unit),
        ("initial_response", int),
        ("update_response", text),
        ("error", unit),
    ];
    assert_eq!(
        lines,
        [
            line("one-way", "B", 1, &shapes("One_way", &[("msg", text)])),
            line("rpc", "a", 2, &both_int),
            line("rpc", "a", 10, "Unknown"),
            line("rpc", "c", 1, &both_int),
            line("streaming-rpc", "c", 2, &shapes("Streaming_rpc", &pipe)),
            line("streaming-rpc", "d", 1, &shapes("Streaming_rpc", &state)),
            line("rpc", "z", 1, "Unknown"),
        ]
    );
    // The digests alone, one name left out.
    let kinds: Vec<_> = table
        .digests()
        .filter(|(rpc, _)| rpc.name.as_bytes() != b"c")
        .map(|(rpc, digests)| (rpc.to_string(), digests == RpcDigests::Unknown))
        .collect();
    let expected = [
        ("B version 1", false),
        ("a version 2", false),
        ("a version 10", true),
        ("d version 1", false),
        ("z version 1", true),
    ];
    assert!(kinds.iter().map(|(n, u)| (n.as_str(), *u)).eq(expected));
}

/// R-IM-1, R-IM-9, catalogue Q17: kind, version, name, shapes, policy.
#[test]
fn text_of_an_implementation_tells_kind_shapes_and_policy() {
    static PLAIN: Rpc<(), i64> = Rpc::new("rpc", 1);
    static ONE_WAY: OneWay<()> = OneWay::new("one-way", 1);
    let plain = Implementation::blocking(&PLAIN, |(): &(), ()| Ok(1));
    assert_eq!(
        plain.to_sexp().to_string(),
        "((tag rpc)(version 1)(f rpc)(shapes(Rpc(query 86ba5df747eec837f0b391dd49f33f9e)\
         (response 698cfa4093fe5e51523842d37b92aeac)))(on_exception()))"
    );
    let one_way = Implementation::one_way(&ONE_WAY, |(): &(), ()| async { Ok(()) })
        .on_exception(OnException::CloseConnection);
    let text = format!("{one_way:?}");
    assert!(text.starts_with("((tag one-way)"), "{text}");
    assert!(
        text.ends_with("(on_exception(Close_connection)))"),
        "{text}"
    );
}

/// R-IM-8: not before somebody asks, and then once for the table, however many connections ask.
#[tokio::test(start_paused = true)]
async fn digests_are_computed_when_first_asked_for() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    enum Counting {}
    impl Codec<String> for Counting {
        fn size(value: &String) -> usize {
            value.len()
        }

        fn write(value: &String, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
            buffer.extend_from_slice(value.as_bytes());
            Ok(())
        }

        fn read(bytes: &[u8]) -> Result<String, Undecodable> {
            String::from_utf8(bytes.to_vec()).map_err(Undecodable::new)
        }

        fn digest() -> Option<Digest> {
            ASKED.fetch_add(1, Ordering::Relaxed);
            Some(Digest::of("counting"))
        }
    }
    static COUNTING: OneWay<String, Counting> = OneWay::new("counting", 1);
    let one_way = Implementation::one_way(&COUNTING, |(): &(), _| async { Ok(()) });
    let table = table([one_way]).lift(|(): &(), _| ());
    let _connection = Peer::open(Config::default(), &table, (), 11).await;
    assert_eq!(ASKED.load(Ordering::Relaxed), 0);
    for _ in 0..3 {
        let _connection = Peer::open(Config::default().provide_shapes(true), &table, (), 11).await;
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    }
}

/// R-PL-2: also when the value says no, at every version.
#[tokio::test(start_paused = true)]
async fn value_that_says_no_is_a_success_on_the_wire() {
    static DIVIDE: Rpc<(i64, i64), Result<i64, String>> =
        Rpc::new("divide", 1).user_error_if(Result::is_err);
    let divide = |(): &(), (a, b): (i64, i64)| {
        let result = a.checked_div(b);
        Ok(result.ok_or_else(|| "division by zero".to_owned()))
    };
    let table = table([Implementation::blocking(&DIVIDE, divide)]);
    for number in 1..=11 {
        let (_connection, mut peer) = Peer::open(Config::default(), &table, (), number).await;
        peer.query(1, &DIVIDE.description(), &(7_i64, 2_i64)).await;
        peer.expect_answer(1, &Result::<i64, String>::Ok(3)).await;
        peer.query(2, &DIVIDE.description(), &(7_i64, 0_i64)).await;
        let no = Result::<i64, String>::Err("division by zero".into());
        peer.expect_answer(2, &no).await;
    }
}

/// R-PL-9, R-PL-3: the menu RPC is answered as others are.
#[tokio::test(start_paused = true)]
async fn undecodable_menu_query_is_answered() {
    let (connection, mut peer) = Peer::open(offering(2), &table([plus(&A, 1)]), (), 2).await;
    let message = peer.query_message(1, &MENU_RPC.description(), b"\x01");
    peer.send_bytes(&message).await;
    let error = peer.expect_error(1).await;
    let RpcError::BinIoExn(error) = error else {
        panic!("{error:?}");
    };
    let location = "(location\"server-side rpc query un-bin-io'ing\")";
    assert!(error.to_string().contains(location), "{error}");
    peer.query(2, &MENU_RPC.description(), &()).await;
    peer.expect_answer(2, &vec![("a", 1_i64)]).await;
    assert!(!connection.is_closed());
}

/// Definitions that are implemented can be listed, and implementations taken from one table into
/// another.
#[tokio::test(start_paused = true)]
async fn tables_can_be_merged() {
    let numbers = table([plus(&A, 1), plus(&B, 2)]);
    let texts = Implementations::builder()
        .implement_blocking(&ECHO, |(): &(), text| Ok(text))
        .implementations(numbers.iter().cloned())
        .build()
        .unwrap();
    assert_eq!(
        names(&texts),
        ["a version 1", "b version 2", "echo version 1"]
    );
    let (near, _far) = caller_of(&texts).await;
    assert_eq!(B.dispatch(&near, &1).await.unwrap(), 3);
    let echo = ECHO.dispatch(&near, &"x".to_owned()).await;
    assert_eq!(echo.unwrap(), "x");
}
