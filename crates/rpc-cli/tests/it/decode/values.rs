//! `rpc decode --payload value`: payloads as values of the types that a shapes file gives them.

use bin_prot::{BinWrite, Sexp, to_vec};
use rpc_wire::stream;
use rpc_wire::{
    Data, Description, Header, Message, ProtocolVersion, Query, QueryHeader, QueryId,
    QueryMetadata, Response, ResponseHeader, frame,
};

use super::*;

fn interop_shapes() -> String {
    let path = recordings().join("../interop.shapes");
    path.to_str().unwrap().to_owned()
}

/// The objects of a recording, with the values of the interop suite.
#[track_caller]
fn with_values(name: &str) -> Vec<Value> {
    decode(&[&recording(name), "--json", "--shapes", &interop_shapes()]).objects()
}

/// Of the oldest and the newest version; a unit test does all of them in one process.
#[test]
fn every_payload_of_the_interop_cases_has_a_value() {
    let mut values = 0;
    for entry in fs::read_dir(recordings()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_chosen = name.ends_with(".v1") || name.ends_with(".v6");
        if !is_chosen || name.starts_with("bad-query") {
            continue;
        }
        for object in with_values(name) {
            if object.get("payload_bytes").is_some() && object["form"] != "abort" {
                assert!(object.get("value").is_some(), "{name}: {object}");
                assert!(object.get("payload").is_none(), "{name}: {object}");
                values += 1;
            }
        }
    }
    assert!(values >= 250, "{values}");
}

#[test]
fn values_are_shown_as_ocaml_shows_them() {
    let lines = decode(&[&recording("count.v6"), "--shapes", &interop_shapes()]).succeeded();
    for expected in [
        "stream query  count v1  id 1  payload 3 B  ((from_ 5) (until 15) (fail_with ()))",
        "initial       count v1  id 1  payload 1 B  ()",
        "update        count v1  id 1  number 10  payload 1 B  14",
    ] {
        let is_there = lines.lines().any(|line| line.ends_with(expected));
        assert!(is_there, "{expected}\n{lines}");
    }
    let objects = with_values("count.v6");
    let query = objects.iter().find(|object| object["form"] == "stream");
    let expected = serde_json::json!({"from_": 5, "until": 15, "fail_with": null});
    assert_eq!(query.unwrap()["value"], expected);
    let errors = objects
        .iter()
        .find(|object| object["item"] == "initial_error");
    assert!(errors.unwrap()["value"].is_string(), "{objects:?}");
}

/// The menu RPC is known without a file; of other RPCs the bytes are shown.
#[test]
fn payloads_without_a_shape_stay_bytes() {
    let lines = decode(&[&recording("menu.v1"), "--payload", "value"]).succeeded();
    assert!(
        lines.contains("payload 198 B  ((echo-string 1) (sum 1) "),
        "{lines}"
    );
    let args = [&recording("echo-small.v6"), "--payload", "value"];
    let lines = decode(&args).succeeded();
    assert!(
        lines.contains("id 1  payload 1 B  no shape: 00\n"),
        "{lines}"
    );
    let objects = decode(&[args[0], args[1], args[2], "--json"]).objects();
    let query = objects.iter().find(|object| object["kind"] == "query");
    assert_eq!(query.unwrap()["payload"], "00");
    assert_eq!(query.unwrap().get("value"), None);
}

/// What does not fit is shown and counted, and does not stop anything; a menu with digests tells
/// that the file is wrong.
#[test]
fn payloads_that_do_not_fit_are_told() {
    let text = fs::read_to_string(interop_shapes()).unwrap();
    let wrong = text
        .replace("int list -> int", "int list -> string")
        .replace(
            "pipe    count 1 ",
            "rpc count 1 : string -> int\npipe    other 1 ",
        )
        .replace(
            "rpc     divide 1  ",
            "pipe divide 1 : unit -> unit, error unit\nrpc  x 1 ",
        );
    let wrong = Temporary::new(wrong.as_bytes());

    let decoded = decode(&[&recording("sum.v6"), "--shapes", wrong.path()]);
    assert_eq!(decoded.status, Some(3));
    assert_eq!(decoded.stderr, "rpc: 3 payloads do not fit their shapes\n");
    for expected in [
        "payload 4 B  (1 2 3)\n",
        "payload 1 B  misfit: at byte 1: 6 bytes expected, 0 left: 06\n",
    ] {
        assert!(decoded.stdout.contains(expected), "{}", decoded.stdout);
    }

    let count = decode(&[&recording("count.v6"), "--shapes", wrong.path()]);
    assert_eq!(count.status, Some(3));
    let expected = "query         count v1  id 1  payload 8 B  misfit: at byte 0: 0xd1 does not \
                    begin a natural number (it looks like the query of a stream): d1f52fe203050f00\n";
    assert!(count.stdout.contains(expected), "{}", count.stdout);

    let divide = decode(&[&recording("divide.v6"), "--json", "--shapes", wrong.path()]);
    assert_eq!(divide.status, Some(3));
    let query = divide
        .stdout
        .lines()
        .find(|line| line.contains("\"query\""));
    let query: Value = serde_json::from_str(query.unwrap()).unwrap();
    let misfit = "no query of a stream, but it is a pipe or state RPC";
    assert_eq!(
        (&query["misfit"], &query["payload"]),
        (&misfit.into(), &"1607".into())
    );

    let menu = decode(&[&recording("menu-digests.v6"), "--shapes", wrong.path()]);
    assert!(menu.is_success);
    assert_eq!(
        menu.stderr,
        "rpc: count version 1: by the menu from the server, it is a pipe or state RPC, not a plain \
         RPC\n\
         rpc: divide version 1: by the menu from the server, it is a plain RPC, not a pipe or state \
         RPC\n\
         rpc: sum version 1: by the menu from the server, the response has another shape\n"
    );
}

#[test]
fn bad_shapes_files_are_refused_with_their_place() {
    let capture = recording("sum.v6");
    let check = |text: &str, expected: &str| {
        let file = Temporary::new(text.as_bytes());
        let expected = expected.replace("FILE", file.path());
        decode(&[&capture, "--shapes", file.path()]).failed_with(&expected);
    };
    check(
        "rpc sum 1 : int list ->\n  integer",
        "FILE:2:3: no type is called integer; a type is defined before it is used",
    );
    check(
        "(((name sum) (version 1)) (Rpc))",
        "FILE:1:1: sum version 1: no shape of query",
    );
    let twice = decode(&[
        &capture,
        "--shapes",
        &interop_shapes(),
        "--shapes",
        &interop_shapes(),
    ]);
    twice.failed_with("echo-string version 1 is described twice");
    decode(&[&capture, "--shapes", "/no/such/file"]).failed_with("cannot read /no/such/file");
    let hex = ["--payload", "hex", "--shapes", &interop_shapes()];
    decode(&[&[capture.as_str()][..], &hex].concat())
        .failed_with("--shapes is for --payload value");
}

/// A capture of one plain call at version 1.
fn call(rpc: &Description, query: &[u8], response: &[u8]) -> [Temporary; 2] {
    fn framed(message: &impl BinWrite) -> Vec<u8> {
        let mut buffer = Vec::new();
        let size = message.bin_size();
        frame::append(&mut buffer, usize::MAX, size, |buffer| {
            message.bin_write(buffer)
        })
        .unwrap();
        buffer
    }
    let version = ProtocolVersion::new(1).unwrap();
    let (id, no_metadata) = (QueryId::new(1), QueryMetadata::new());
    let header = framed(&Header::new([version]));
    let query = Message::Query(Query {
        header: QueryHeader::new(version, rpc.as_ref(), None, id, &no_metadata),
        data: Data::new(query),
    });
    let response = Message::Response(Response {
        header: ResponseHeader::new(version, id, None),
        result: Ok(Data::new(response)),
    });
    [framed(&query), framed(&response)]
        .map(|message| Temporary::new(&[&header[..], &message].concat()))
}

/// *Protocol* §12: what one peer's menu answers is a shapes file for the next capture.
#[test]
fn printed_shape_menu_is_a_shapes_file() {
    let answer: Sexp =
        "((((name swap) (version 2)) (Rpc (query (Tuple ((Base string ()) (Base int ())))) \
                        (response (Base int ())))) (((name other) (version 1)) Unknown))"
            .parse()
            .unwrap();
    let Sexp::List(entries) = &answer else {
        panic!("{answer}");
    };
    // A list of records and variants, whose first constructor is `Rpc` and the last `Unknown`.
    let part = |sexp: &Sexp, path: &[usize]| {
        path.iter().fold(sexp.clone(), |sexp, index| match sexp {
            Sexp::List(items) => items[*index].clone(),
            Sexp::Atom(atom) => panic!("{atom}"),
        })
    };
    let description = |name: &str, version: i64| to_vec(&Description::new(name, version)).unwrap();
    let shape = |path: &[usize]| to_vec(&part(&entries[0], path)).unwrap();
    let payload = [
        vec![2],
        description("swap", 2),
        vec![0],
        shape(&[1, 1, 1]),
        shape(&[1, 2, 1]),
        description("other", 1),
        vec![3],
    ];
    let menu = Description::new("__Versioned_rpc.Shape_menu", 1);
    let [client, server] = call(&menu, &[0], &payload.concat());
    let lines = decode(&[client.path(), server.path(), "--payload", "value"]).succeeded();
    let (_, printed) = lines.rsplit_once(" B  ").unwrap();
    assert_eq!(printed.parse(), Ok(answer));

    let shapes = Temporary::new(printed.as_bytes());
    let [client, server] = call(&Description::new("swap", 2), &[1, b'a', 5], &[7]);
    let args = [client.path(), server.path(), "--shapes", shapes.path()];
    let lines = decode(&args).succeeded();
    assert!(lines.contains("payload 3 B  (a 5)\n"), "{lines}");
    assert!(lines.ends_with("payload 1 B  7\n"), "{lines}");
}

/// The query of a plain RPC may look like an abort; its shape tells that it is none.
#[test]
fn plain_query_that_looks_like_an_abort_is_a_value() {
    let shapes = Temporary::new(b"rpc transact 1 : [ `Begin | `Commit | `Abort ] -> bool");
    let rpc = Description::new("transact", 1);
    let [client, server] = call(&rpc, stream::ABORT_PAYLOAD, &[1]);
    let args = [client.path(), server.path()];
    let lines = decode(&args).succeeded();
    assert!(
        lines.contains("abort         transact v1  id 1\n"),
        "{lines}"
    );
    let lines = decode(&[args[0], args[1], "--shapes", shapes.path()]).succeeded();
    assert!(
        lines.contains("query         transact v1  id 1  payload 4 B  Abort\n"),
        "{lines}"
    );
    assert!(
        lines.contains("response      transact v1  id 1  payload 1 B  true\n"),
        "{lines}"
    );
}
