//! What shapes files mean, and what is said of those that mean nothing.

use proptest::prelude::*;
use rpc_core::Connection;
use rpc_core::connection::Config;
use rpc_testkit::recording::{Data, Recording, Side};
use rpc_wire::conversation::{Content, Conversation, Direction, ResponseItem, Rpc};

use super::syntax::Item;
use super::*;
use crate::decode::payload::{Payloads, Shown};
use crate::interop;
use crate::interop::prices::PriceVersions;

fn shapes(text: &str) -> Shapes {
    let mut shapes = Shapes::default();
    shapes.add(text).unwrap_or_else(|error| panic!("{error}"));
    shapes
}

/// The digests of an RPC's types.
#[track_caller]
fn digests(shapes: &Shapes, rpc: (&str, i64)) -> Vec<String> {
    let types = shapes.get(&Description::new(rpc.0, rpc.1)).unwrap();
    let parts = types.parts().into_iter();
    parts.map(|(_, part)| part.digest.to_string()).collect()
}

/// *Shapes* §13: what the reference printed.
#[test]
fn types_have_the_digests_of_the_reference() {
    #[track_caller]
    fn check(definitions: &str, ty: &str, digest: &str) {
        let shapes = shapes(&format!("{definitions} one-way x 1 : {ty}"));
        assert_eq!(digests(&shapes, ("x", 1)), [digest], "{definitions}: {ty}");
    }
    #[track_caller]
    fn check_body(body: &str, digest: &str) {
        check(&format!("type t = {body}"), "t", digest);
    }

    check("", "int", "698cfa4093fe5e51523842d37b92aeac");
    check("", "int lazy_t", "698cfa4093fe5e51523842d37b92aeac");
    check("", "int option", "33fd4ff7bde530bddf13dfa739207fae");
    check("", "int option option", "9115ec9b4b4d5bd99113a7fabcb446bc");
    check("", "int iarray", "4c138035aa69ec9dd8b7a7119090f84a");
    check("", "char option array", "5f18e31e33314952e9f0f794d83f08b3");
    check("", "int * string", "63153a637e01e517a5067d15d24192a9");
    check("", "(int * int) * int", "acb4de97b0866a50657e566380144aee");
    check("", "int * (int * int)", "8dab19f0ea1211389aeaba840c461733");
    check(
        "",
        "(string * int) list",
        "4c1e50c93b38c2ad0554cbd929bef3ac",
    );
    check(
        "",
        "(string, int) hashtbl",
        "b997b33265dbe94f48a55512eab77d44",
    );
    check(
        "",
        "(int, string) result",
        "03502c0d8c127f218fe1a663739083bd",
    );
    check(
        "",
        "(int, string) Either.t",
        "c23ac8e289f1c6093515a4e6a7087ff1",
    );
    check("", "string Blob.t list", "7047efbea61200a94c38d43b3563d1f1");
    check("", "Time_ns.t", "2b528f4b22f08e28876ffe0239315ac2");
    check("", "Month.t", "83816421e82e1f266df3d6d5f3ae3025");
    check("", "Sexp.t", "832b40ae394f2851da8ba67b3339b429");
    check("", "int Or_error.t", "ce7928a05bd6e1c5ac297c653c6aafa2");

    check_body(
        "{ x : int; y : string; z : bool }",
        "639a1a7db897f6ceb8fbc14af06788c4",
    );
    check_body(
        "{ mutable only : int [@default 3]; }",
        "d4955332a258a629069e09b04886b247",
    );
    check_body("Red | Green | Blue", "8e0638fc59a782d9087306f154045b54");
    check_body(
        "u = | Red | Green | Blue [@@deriving bin_io]",
        "8e0638fc59a782d9087306f154045b54",
    );
    check_body("|", "67e248d3b3dd2a1dc1cffedfb76277f3");
    check_body("A of int * int", "f49f81a3e752e7009178a6bf6be970a5");
    check_body("A of (int * int)", "b38a38ea267c549d0350a9bfadbfab9f");
    check_body(
        "private R of { q : int; r : string } | N",
        "63215ace54210ab336c176d4326d1502",
    );
    check(
        "type n = E | F of int list
         type t =
           | Circle of float | Rect of float * float | Origin | Pair of (int * int)
           | Named of { name : string; w : int } | Nested of n",
        "t",
        "ac1663c0d899147d3dd9b09479668c30",
    );

    let rows = "[ `C of string * int | `A | `B of int ]";
    check("", rows, "bb24cf7d2cf6ec50fa8133ccae0d4966");
    let including = format!("type o = {rows} type t = [ | o | `D of bool ]");
    check(&including, "t", "a4f03a36910067885490371c277e0dbf");
    check_body(
        "[ `Leaf | `Node of t * t ]",
        "bdbb60229d9af8759280a2ced9f1fc8c",
    );

    check_body("Zero | Succ of t", "acf0c11caad5da5860c6235d27acfc4a");
    check_body(
        "{ v : int; kids : t list }",
        "5d9574717dcd47ef4bab610ad7f8fb06",
    );
    let tree = "type +'a t = Leaf | Node of 'a t * 'a * 'a t";
    check(tree, "int t", "d583ea472c5d9382fc8fb52c43a673d8");
    let irregular = "type 'a t = B of 'a list t | Stop of 'a";
    check(irregular, "int t", "8052aefdc330082bcdfe419e05f76737");
    let pair = "type t1 = TT of t1 | TU of u1 | TB and u1 = UT of t1 | UU of u1 | UB";
    check(pair, "t1", "9fbc0db7b5d0a842d912ec289e603516");
    check(pair, "u1", "d0d159eca77606f3186322eb4db8f67d");
    let pair = "type t = int * float u * string list and 'a u = { foo : 'a; bar : t list }";
    check(pair, "t", "b4a7f817e98235c6f6f086af6587abd3");
    check(pair, "int u", "683d53ee191155fae1ac40f0d84249de");
    let other = "type 'a l = Nil | Cons of 'a * 'a l type t = T of t l";
    check(other, "t", "3f1802db1aac11b30e3feafe7222b877");
    let hidden = "type t = int type nonrec t = { only : t }";
    check(hidden, "t", "d4955332a258a629069e09b04886b247");
    let applied = "type ('a, 'b) both = { i : 'a; s : 'b }";
    check(
        applied,
        "(int, string) both",
        "a605bc4492cf2ba9c4e11afc64cf108f",
    );
}

/// `String.Map.t` and its like; a type that is defined here may be a key too.
#[test]
fn containers_may_be_named_after_their_keys() {
    #[track_caller]
    fn check(one: &str, other: &str) {
        let text = format!("type Id.t = int63 rpc x 1 : {one} -> {other}");
        let digests = digests(&shapes(&text), ("x", 1));
        assert_eq!(digests[0], digests[1], "{one} and {other}");
    }
    check("int String.Map.t", "(string, int) Map.t");
    check("Int.Set.t", "int Set.t");
    check("bool Id.Table.t", "(int63, bool) Core.Hashtbl.t");
    check("Date.Hash_set.t", "Date.Stable.V1.t Hash_set.t");
}

#[test]
fn all_kinds_are_declared() {
    let text = r#"
        rpc "a \"b\"" 1 : int -> string
        one-way c:d -2 : int
        pipe e 3 : int -> string, error bool
        type state = unit type error = bool
        state f 4 : int -> state, string, error error
    "#;
    let shapes = shapes(text);
    let [int, text, bool, unit] = ["int", "string", "bool", "unit"].map(|ty| {
        let shape = Shape::base(ty, []);
        shape.digest().unwrap().to_string()
    });
    let check = |rpc, expected: &[&String]| {
        assert_eq!(digests(&shapes, rpc).iter().collect::<Vec<_>>(), expected);
    };
    check((r#"a "b""#, 1), &[&int, &text]);
    check(("c:d", -2), &[&int]);
    check(("e", 3), &[&int, &unit, &text, &bool]);
    check(("f", 4), &[&int, &unit, &text, &bool]);
    check(
        ("__Versioned_rpc.Menu", 1),
        &[
            &unit,
            &Vec::<(String, i64)>::bin_shape()
                .digest()
                .unwrap()
                .to_string(),
        ],
    );
}

#[test]
fn errors_say_where_and_what() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let error = Shapes::default().add(text).unwrap_err();
        assert_eq!(error.to_string(), expected, "{text}");
    }
    check(
        "rcp echo 1 : int -> int",
        "1:1: expected `type`, `rpc`, `one-way`, `pipe` or `state`, found `rcp echo 1 : int -> …`",
    );
    check(
        "rpc echo : int",
        "1:10: expected the RPC's version, found `: int`",
    );
    check("rpc echo 1 : int", "1:17: expected `->`, found the end");
    check(
        "rpc a 1 : int ->\nrpc b 1 : int -> int",
        "2:1: expected a type, found `rpc b 1 : int -> int`",
    );
    check("pipe a 1 : int -> int", "1:22: expected `,`, found the end");
    check(
        "state a 1 : int -> int, error string",
        "1:37: expected `,`, found the end",
    );
    check(
        "pipe a 1 : int -> int, string",
        "1:24: expected `error` and its type, found `string`",
    );
    check(
        "one-way a 1 : int\nrpc a 1 : int -> int",
        "2:5: a version 1 is described twice",
    );
    check(
        "type t =\n  { a : int\n  ; b : strnig\n  }",
        "3:9: no type is called strnig; a type is defined before it is used",
    );
    check(
        "type a = b type b = int",
        "1:10: no type is called b; a type is defined before it is used",
    );
    check(
        "type a = int list list * (int, int) list",
        "1:37: list takes 1 types, and has 2",
    );
    check(
        "type 'a t = 'a type u = t",
        "1:25: t takes 1 types, and has 0",
    );
    check("type t = 'a", "1:10: the definition has no parameter 'a");
    check(
        "type t = { a : int, b : int }",
        "1:19: expected `;` or `}`, found `, b : int }`",
    );
    check("type t = A of", "1:14: expected a type, found the end");
    check("type t = A | b", "1:14: expected a constructor, found `b`");
    check("type t = int type t", "1:20: expected `=`, found the end");
    check(
        "type t = int and t = int",
        "1:18: two types of one group are called t",
    );
    check(
        "type t = (int, int)",
        "1:20: expected a type of several parameters, found the end",
    );
    check(
        "type t = Time_ns.",
        "1:18: expected the type's name, found the end",
    );
    check(
        "one-way a 1 : [ int | `A ]",
        "1:9: a version 1, message: a polymorphic variant inherits from another kind of type",
    );
    let deep = format!("type t = {}", "(".repeat(1_000));
    check(&deep, "1:110: nested deeper than 100 levels");
}

/// *Protocol* §12, *shapes* §12.
#[test]
fn answers_of_the_shape_menu_are_shapes_files() {
    let text = "
        type 'a tree = Leaf | Node of 'a tree * 'a * 'a tree
        rpc plain 1 : int tree -> string
        one-way one 2 : [ `A | `B of int ]
        pipe many 3 : int -> string, error bool
    ";
    let mut scope = Scope::new(text);
    let mut entries = Vec::new();
    for item in parser::parse(text).unwrap() {
        match item {
            Item::Types {
                definitions,
                is_recursive,
            } => scope.define(&definitions, is_recursive).unwrap(),
            Item::Rpc(rpc) => {
                let signature = rpc.signature.try_map(|_, ty| scope.shape(&ty)).unwrap();
                let (kind, fields): (_, &[_]) = match &signature {
                    Signature::Plain { .. } => ("Rpc", &["query", "response"]),
                    Signature::OneWay { .. } => ("One_way", &["msg"]),
                    Signature::Stream { .. } => (
                        "Streaming_rpc",
                        &["query", "initial_response", "update_response", "error"],
                    ),
                };
                let shapes = fields.iter().zip(signature.parts());
                let shapes = shapes
                    .map(|(field, (_, shape))| Sexp::list([Sexp::atom(*field), shape.to_sexp()]));
                let shapes = Sexp::list([Sexp::atom(kind)].into_iter().chain(shapes));
                let Description { name, version } = rpc.description;
                let description = Sexp::record([
                    ("name", Sexp::Atom(name)),
                    ("version", Sexp::atom(version.to_string())),
                ]);
                entries.push(Sexp::list([description, shapes]));
            }
        }
    }
    let unknown = "(((name unknown) (version 1)) Unknown)".parse().unwrap();
    entries.push(unknown);

    let expected = shapes(text);
    let one_by_one: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
    let answer = Sexp::List(entries);
    // It is an answer as this command prints it.
    let menu_rpc = Description::new("__Versioned_rpc.Shape_menu", 1);
    let Some(Signature::Plain { response, .. }) = expected.get(&menu_rpc) else {
        panic!("no plain RPC");
    };
    let value = response.ty.parse_sexp(&answer).unwrap();
    assert_eq!(value.to_sexp(), answer);

    for text in [one_by_one, format!("; a comment\n {answer}")] {
        let found = shapes(&text);
        for rpc in [("plain", 1), ("one", 2), ("many", 3)] {
            assert_eq!(digests(&found, rpc), digests(&expected, rpc));
        }
        assert!(found.get(&Description::new("unknown", 1)).is_none());
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let error = Shapes::default().add(text).unwrap_err();
        assert_eq!(error.to_string(), expected, "{text}");
    }
    check("\n(a (b)", "2:1: the list is not closed");
    check(
        "(a b)",
        "1:1: expected (((name NAME) (version N)) SHAPES), found (a b)",
    );
    check(
        "(((name a) (version 1)) (Rpc (query (Base int ()))))",
        "1:1: a version 1: no shape of response",
    );
    check(
        "(((name a) (version 1)) (One_way (msg (Bass int ()))))",
        "1:1: a version 1, msg: expected a shape, such as (Base int ()), found (Bass int())",
    );
}

/// What `docs/decode.md` shows can be used.
#[test]
fn documented_examples_are_shapes_files() {
    let page = include_str!("../../../../../docs/decode.md");
    let (_, section) = page.split_once("## Shapes files").unwrap();
    let mut blocks = section.split("```").skip(1).step_by(2);
    let declared = shapes(blocks.next().unwrap().trim_start_matches("ocaml"));
    for rpc in [
        ("place-order", 1),
        ("log", 2),
        ("trades", 1),
        ("book", 3),
        ("with spaces", 1),
    ] {
        digests(&declared, rpc);
    }
    let told = shapes(blocks.next().unwrap());
    for rpc in [("echo", 1), ("log", 2)] {
        digests(&told, rpc);
    }
}

/// The checked-in file.
fn interop_shapes() -> Shapes {
    shapes(include_str!("../../../../../conformance/interop.shapes"))
}

/// The file says what the suite's own definitions say.
#[tokio::test]
async fn interop_file_has_the_types_of_the_suite() {
    let shapes = interop_shapes();
    let versions = PriceVersions::default();
    let table = interop::server::table_with_price_streams(&versions).unwrap();
    let (near, far) = tokio::io::duplex(65_536);
    let config = Config::default().provide_shapes(true);
    let (server, client) = tokio::join!(
        Connection::serve(far, config, &table, |_| interop::server::Tallies::default()),
        Connection::create(near, Config::default()),
    );
    let (_server, client) = (server.unwrap(), client.unwrap());
    let mut compared = 0;
    for entry in client.peer_menu().unwrap().entries() {
        let rpc = &entry.description;
        let types = shapes.get(rpc).unwrap_or_else(|| panic!("{rpc}"));
        // The suite registers RPCs that nobody is allowed to call without their types.
        compared += u64::from(entry.digests != RpcDigests::Unknown);
        assert_eq!(types.contradiction(&entry.digests), None, "{rpc}");
    }
    assert!(compared >= 22, "{compared}");
}

/// Every value of every recording is written as it was read, and no menu says otherwise.
#[test]
fn recorded_values_are_those_of_the_interop_file() {
    let shapes = interop_shapes();
    let payloads = Payloads::Values(interop_shapes());
    let mut values = 0;
    for recording in Recording::load_all() {
        let name = &recording.name;
        let mut conversation = Conversation::default().plain_rpcs(payloads.plain_rpcs());
        for chunk in &recording.chunks {
            let from = match chunk.from {
                Side::Caller => Direction::FromClient,
                Side::Callee => Direction::FromServer,
            };
            match &chunk.data {
                Data::Bytes(bytes) => conversation.feed(from, bytes),
                Data::End => conversation.end(from),
            }
        }
        while let Some(event) = conversation.next_event() {
            let (rpc, bytes, shown) = match event.unwrap().content {
                Content::Query(query) => {
                    let shown = payloads.of_query(&query);
                    (query.rpc, query.payload.ok(), shown)
                }
                Content::Response(response) => {
                    let shown = payloads.of_response(&response);
                    let bytes = match response.item {
                        ResponseItem::Answer(payload)
                        | ResponseItem::Initial(payload)
                        | ResponseItem::InitialError(payload)
                        | ResponseItem::Update { payload, .. } => Some(payload),
                        _ => None,
                    };
                    (response.query.unwrap().rpc, bytes, shown)
                }
                Content::Metadata(metadata) => {
                    assert_eq!(payloads.contradictions(&metadata), [], "{name}");
                    continue;
                }
                _ => continue,
            };
            match shown {
                None => {}
                Some(Shown::Value(value)) => {
                    let Rpc::Named(rpc) = rpc else {
                        panic!("{name}: {rpc}");
                    };
                    let types = shapes.get(&rpc).unwrap().parts();
                    let mut written = types.iter().map(|(_, part)| part.ty.to_vec(&value));
                    assert!(written.any(|written| written.ok().as_deref() == bytes.as_deref()));
                    values += 1;
                }
                // The case is about queries that are not of their type.
                Some(Shown::Misfit { .. }) if recording.case == "bad-query" => {}
                Some(other) => panic!("{name}: {other:?}"),
            }
        }
    }
    assert!(values >= 600, "{values}");
}

proptest! {
    #[test]
    fn no_text_panics(
        words in proptest::collection::vec(
            prop_oneof![
                Just("type"), Just("and"), Just("of"), Just("rpc"), Just("pipe"), Just("state"),
                Just("one-way"), Just("error"), Just("t"), Just("T"), Just("'a"), Just("int"),
                Just("="), Just("|"), Just("{"), Just("}"), Just("["), Just("]"), Just("("),
                Just(")"), Just("*"), Just(":"), Just(";"), Just(","), Just("->"), Just("1"),
                Just("`A"), Just("\""), Just("(*"), Just("[@"), Just("."), Just("é"),
            ],
            0..30,
        ),
    ) {
        for separator in ["", " "] {
            let _outcome = Shapes::default().add(&words.join(separator));
        }
    }
}
