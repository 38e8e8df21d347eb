//! A vector of each kind, of types that the repository does not have, passes; with anything in it
//! changed it fails, and the line says what, where, what was expected and what was found.

use serde_json::{Value as Json, json};

use crate::place::run_vectors;

/// The vectors pass.
#[track_caller]
fn check(vectors: &[Json]) {
    let report = run_vectors(vectors);
    assert_eq!(report.lines, [] as [String; 0]);
    assert_eq!(report.summary.passed, vectors.len());
}

/// With one member of the last vector replaced, or removed by null, that vector fails with a line
/// that ends like this.
#[track_caller]
fn check_damaged(vectors: &[Json], member: &str, value: Json, line: &str) {
    let mut vectors = vectors.to_vec();
    let last = vectors.last_mut().unwrap();
    let name = last["name"].as_str().unwrap().to_owned();
    let damaged = last.pointer_mut(member);
    *damaged.unwrap_or_else(|| panic!("no {member}")) = value;
    let report = run_vectors(&vectors);
    assert_eq!(report.lines, [format!("FAIL vectors.json: {name}: {line}")]);
    assert_eq!(report.summary.failed, 1);
}

/// A shape with groups, recursion, parameters, annotations and an inherited row.
fn forest() -> Json {
    json!({
        "name": "digest/forest", "kind": "digest", "type": "forest",
        "shape": {"record": [
            ["trees", {"base": "array", "args": [
                {"app": "g", "name": "tree", "args": [{"annotate": "my-id", "of": "int32"}]}
            ]}],
            ["kind", {"poly_variant": [
                {"inherit": {"poly_variant": [{"tag": "Oak"}]}}, {"tag": "Ash", "arg": "char"}
            ]}]
        ]},
        "groups": {"g": [
            {"name": "tree", "params": ["a"], "body": {"variant": [
                ["Leaf", []],
                ["Fork", [{"rec": "branches", "args": [{"var": "a"}]}, {"var": "a"}]]
            ]}},
            {"name": "branches", "params": ["b"], "body": {"base": "list", "args": [
                {"rec": "tree", "args": [{"var": "b"}]}
            ]}}
        ]},
        "canonical": {"record": [
            ["trees", {"base": "array", "args": [{
                "application": {"variant": [
                    ["Leaf", []],
                    ["Fork", [
                        {"base": "list", "args": [{"rec_app": 0, "args": [{"var": 0}]}]}, {"var": 0}
                    ]]
                ]},
                "args": [{"annotate": "my-id", "of": "int32"}]
            }]}],
            ["kind", {"poly_variant": [{"tag": "Ash", "arg": "char"}, {"tag": "Oak"}]}]
        ]},
        "digest": "133f9834d5a35b09d8c559494dd09cd0"
    })
}

/// One tree with one leaf, and an ash.
fn value() -> Json {
    json!({
        "trees": [{"tag": "Fork", "args": [[{"tag": "Leaf", "args": []}], 5]}],
        "kind": {"tag": "Ash", "arg": 65}
    })
}

/// Its bytes.
const VALUE: &str = "01010100052d6e630041";

#[test]
fn digests_are_computed_from_shapes() {
    check(&[forest()]);
    let check = |member, value, line: &str| check_damaged(&[forest()], member, value, line);
    check(
        "/digest",
        json!("133f9834d5a35b09d8c559494dd09cd1"),
        "digest: expected 133f9834d5a35b09d8c559494dd09cd1, found 133f9834d5a35b09d8c559494dd09cd0",
    );
    check(
        "/groups/g/0/body/variant/0/0",
        json!("Loaf"),
        "canonical form at .trees[0].definition: expected {\"variant\":[[\"Leaf\",[]],\
         [\"Fork\",[{\"args\":[{\"args\":[{\"var\":0}],\"rec_app\":0}],\"base\":\"list\"},\
         {\"var\":0}…, found variant of Loaf, Fork",
    );
    check(
        "/canonical/record/0/1/args/0/args/0/of",
        json!("int64"),
        "canonical form at .trees[0][0].my-id: expected \"int64\", found base int32 of 0 arguments",
    );
    check(
        "/canonical/record/1/1/poly_variant/0/arg",
        json!({"base": "char", "args": ["int"]}),
        "canonical form at .kind.Ash: expected {\"args\":[\"int\"],\"base\":\"char\"}, \
         found base char of 0 arguments",
    );
    check(
        "/groups/g/1/params/0",
        json!("c"),
        "shape: expected that of a type, found no parameter is called b",
    );
    check(
        "/groups/g/0/body",
        json!(7),
        "malformed: expected a shape, found 7",
    );
    check(
        "/shape/record/0/0",
        json!(null),
        "malformed: expected a name, found null",
    );
    check(
        "/shape/record/0/1/args/0/app",
        json!("h"),
        r#"malformed: no group is called "h""#,
    );
}

/// Every form of a canonical form is compared, not only its digest.
#[test]
fn canonical_forms_are_compared_whole() {
    let vector = |canonical: Json| {
        json!({
            "name": "d", "kind": "digest", "type": "d", "canonical": canonical,
            "shape": {"tuple": ["int", {"unboxed_tuple": ["int", "int"]}, {"variant": [["A", ["int"]]]}]},
            "digest": "3b6a1f5d4f5b0cb2a4d5a2a3c1a1b0f0"
        })
    };
    let canonical = |a: Json, b: Json, c: Json| json!({"tuple": [a, b, c]});
    let good = || {
        canonical(
            json!({"base": "int", "args": []}),
            json!({"unboxed_tuple": ["int", "int"]}),
            json!({"variant": [["A", ["int"]]]}),
        )
    };
    // The canonical form passes; only then the digest is compared.
    let report = run_vectors(&[vector(good())]);
    assert!(
        report.lines[0].contains("d: digest: "),
        "{:?}",
        report.lines
    );
    let damage = [
        ("/tuple/1", json!({"tuple": ["int", "int"]})),
        ("/tuple/1/unboxed_tuple", json!(["int"])),
        ("/tuple/2/variant/0/0", json!("B")),
        ("/tuple/2/variant/0/1", json!([])),
        ("/tuple/2/variant", json!([["A", ["int"]], ["B", []]])),
        ("/tuple/0", json!({"var": 0})),
        ("/tuple", json!(["int"])),
    ];
    for (member, value) in damage {
        let mut damaged = good();
        *damaged.pointer_mut(member).unwrap() = value;
        let report = run_vectors(&[vector(damaged)]);
        assert!(
            report.lines[0].contains(": canonical form"),
            "{member}: {:?}",
            report.lines
        );
    }
}

#[test]
fn values_have_their_bytes() {
    let vectors = [
        forest(),
        json!({"name": "v", "kind": "bin_prot", "type": "forest", "value": value(), "hex": VALUE}),
    ];
    check(&vectors);
    let check = |member, value, line: &str| check_damaged(&vectors, member, value, line);
    check(
        "/hex",
        json!("01010100052d6e630042"),
        "encoding at byte 9: expected …010100052d6e630042 (10 bytes), \
         found …010100052d6e630041 (10 bytes)",
    );
    check(
        "/value/kind/arg",
        json!(66),
        "encoding at byte 9: expected …010100052d6e630041 (10 bytes), \
         found …010100052d6e630042 (10 bytes)",
    );
    check(
        "/value/trees/0/tag",
        json!("Spoon"),
        "value: expected one of the type, \
         found at .trees[0]: expected a constructor of the type, found Spoon",
    );
    check(
        "/hex",
        json!("0"),
        "malformed: hex holds no pairs of hex digits",
    );
    check("/hex", json!(null), "malformed: hex is no string");
}

/// Bytes that no writer writes are read for what they are.
#[test]
fn other_forms_are_read() {
    let vectors = [
        forest(),
        json!({
            "name": "v", "kind": "bin_prot_decode", "type": "forest", "value": value(),
            "hex": "fe0100010100fe05002d6e630041ffff", "consumed": 14, "canonical_hex": VALUE
        }),
    ];
    check(&vectors);
    let check = |member, value, line: &str| check_damaged(&vectors, member, value, line);
    check("/consumed", json!(13), "bytes read: expected 13, found 14");
    check(
        "/consumed",
        json!(-1),
        "malformed: consumed is no natural number",
    );
    check("/consumed", json!(null), "malformed: has no consumed");
    check(
        "/hex",
        json!("fe0100010100fe06002d6e630041ffff"),
        "decoded value at .trees[0].args[1]: expected 5, found 6",
    );
    check(
        "/hex",
        json!("fe01000101"),
        "decoding: expected a value, \
         found at .trees[0].Fork[0]: at byte 5: 1 bytes expected, 0 left",
    );
    check(
        "/canonical_hex",
        json!("01010100062d6e630041"),
        "encoding at byte 4: expected 01010100062d6e630041 (10 bytes), \
         found 01010100052d6e630041 (10 bytes)",
    );
}

#[test]
fn values_are_refused_for_their_reason() {
    let vectors = |hex: &str, error: &str, position: Option<u64>| {
        let error = json!({
            "name": "v", "kind": "bin_prot_error", "type": "forest", "hex": hex, "error": error,
            "position": position
        });
        [forest(), error]
    };
    let sum_tag = vectors("0102", "Sum_tag", Some(2));
    check(&sum_tag);
    check(&vectors("01010100052d6e630141", "Variant", Some(9)));
    // An inline type, whose error has another name and the same meaning.
    check(&vectors(
        "01010100052d6e630141",
        "Variant_wrong_type",
        Some(9),
    ));
    check(&vectors("0101", "Buffer_short", None));
    check(&vectors("fc0000000000004000", "Array_too_long", Some(0)));
    let check = |member, value, line: &str| check_damaged(&sum_tag, member, value, line);
    check(
        "/position",
        json!(1),
        "position of Sum_tag: expected 1, found 2",
    );
    let short = vectors("0101", "Buffer_short", Some(2));
    check_damaged(
        &short,
        "/position",
        json!(1),
        "position of Buffer_short: expected 1, found none",
    );
    check(
        "/error",
        json!("Bool_code"),
        "refusal: expected Bool_code, \
         found Sum_tag (at byte 1: tag 2 of a type with 2 constructors)",
    );
    check(
        "/hex",
        json!("002d6e630041"),
        r#"refusal: expected Sum_tag, found that it was read: {"kind":{"arg":65,"tag":"Ash"},"trees":[]}"#,
    );
    check("/error", json!(null), "malformed: error is no string");
}

#[test]
fn names_have_their_hash() {
    let vectors = [json!({
        "name": "h", "kind": "variant_hash", "value": "Ash", "hash": 3_258_134, "hex": "2d6e6300"
    })];
    check(&vectors);
    let check = |member, value, line: &str| check_damaged(&vectors, member, value, line);
    check("/hash", json!(1), "hash: expected 1, found 3258134");
    check(
        "/value",
        json!("Oak"),
        "hash: expected 3258134, found 3950329",
    );
    check(
        "/hex",
        json!("2d6e6301"),
        "tag at byte 3: expected 2d6e6301 (4 bytes), found 2d6e6300 (4 bytes)",
    );
}

#[test]
fn errors_cross_the_wire() {
    let vectors = [json!({
        "name": "e", "kind": "rpc_error", "type": "Rpc_error", "hex": "07640a",
        "value": {"tag": "Message_too_big", "args": [{"size": 100, "max_message_size": 10}]}
    })];
    check(&vectors);
    let check = |member, value, line: &str| check_damaged(&vectors, member, value, line);
    check(
        "/value/args/0/size",
        json!(101),
        "encoding at byte 1: expected 07640a (3 bytes), found 07650a (3 bytes)",
    );
    check(
        "/hex",
        json!("0764"),
        "encoding at byte 2: expected 0764 (2 bytes), found 07640a (3 bytes)",
    );
    check(
        "/value",
        json!({"tag": "Message_too_small", "args": []}),
        "value: expected one of the type, \
         found expected a constructor of the type, found Message_too_small",
    );
}

#[test]
fn messages_have_their_bytes() {
    let vectors = [json!({
        "name": "m", "kind": "message", "protocol_version": 8,
        "hex": "09036f616b01fe2c0101010503e29ca402ff00",
        "value": {"message": "Query_v3", "body": {
            "tag": "oak", "version": 1, "id": 300, "metadata": {"some": [[5, {"hex": "e29ca4"}]]},
            "data": {"hex": "ff00"}
        }}
    })];
    check(&vectors);
    let check = |member, value, line: &str| check_damaged(&vectors, member, value, line);
    check(
        "/value/body/id",
        json!(301),
        "encoding at byte 7: expected 09036f616b01fe2c0101010503e29ca402ff00 (19 bytes), \
         found 09036f616b01fe2d0101010503e29ca402ff00 (19 bytes)",
    );
    check(
        "/value/message",
        json!("Query_v5"),
        "value: expected one of the type, \
         found expected a constructor of the type, found Query_v5",
    );
    check(
        "/value",
        json!({}),
        "malformed: value has neither message nor header",
    );
}

#[test]
fn headers_have_their_bytes() {
    let vectors = [json!({
        "name": "h", "kind": "message", "hex": "04fd52504300fd3dda9302020b",
        "value": {"header": [4_411_474, 43_244_093, 2, 11]}
    })];
    check(&vectors);
    let check = |member, value, line: &str| check_damaged(&vectors, member, value, line);
    check(
        "/value/header/3",
        json!(10),
        "entries at [3]: expected 10, found 11",
    );
    check(
        "/value/header",
        json!("RPC"),
        r#"malformed: expected a list of integers, found "RPC""#,
    );
    check(
        "/hex",
        json!("04fd5250"),
        "decoding: expected a header, found unreadable header",
    );
    check(
        "/hex",
        json!("04fd52504300fd3dda930202fe0b00"),
        "encoding at byte 12: expected …4300fd3dda930202fe0b00 (15 bytes), \
         found …4300fd3dda9302020b (13 bytes)",
    );
}

#[test]
fn messages_with_a_bare_unit_have_their_layout() {
    let vectors = [json!({
        "name": "m", "kind": "message_bare_unit", "type": "Message(unit)", "hex": "0c01030200" .to_owned() + "00",
        "value": {"tag": "Query_v4", "args": [
            {"specifier": {"tag": "Rank", "args": [3]}, "id": 2, "metadata": null, "data": null}
        ]}
    })];
    check(&vectors);
    check_damaged(
        &vectors,
        "/value/args/0/specifier/args/0",
        json!(4),
        "encoding at byte 2: expected 0c0103020000 (6 bytes), found 0c0104020000 (6 bytes)",
    );
}

#[test]
fn messages_are_refused_for_their_reason() {
    let vectors = |hex: &str, error: &str| {
        [
            json!({"name": "m", "kind": "message_error", "type": "Message", "hex": hex, "error": error}),
        ]
    };
    check(&vectors("0d", "Sum_tag"));
    check(&vectors("", "Buffer_short"));
    // The payload is part of the message here.
    check(&vectors("010361736801020341", "Buffer_short"));
    check(&vectors("0201000341", "Buffer_short"));
    check_damaged(
        &vectors("0d", "Sum_tag"),
        "/error",
        json!("Int_code"),
        "refusal: expected Int_code, found Sum_tag (at byte 0: tag 13 of a type with 13 constructors)",
    );
    check_damaged(
        &vectors("0d", "Sum_tag"),
        "/hex",
        json!("00"),
        "refusal: expected Sum_tag, found that it was read: a heartbeat",
    );
    check_damaged(
        &vectors("0201000341", "Buffer_short"),
        "/hex",
        json!("0201000141"),
        "refusal: expected Buffer_short, found that it was read: a response",
    );
}

/// A frame with a response that has a payload.
fn frame(payload_type: &str, payload: Json, data: &str) -> [Json; 2] {
    let data_bytes = u8::try_from(data.len() / 2).unwrap();
    let hex = format!(
        "{:02x}000000000000000801010700{data_bytes:02x}{data}",
        data_bytes + 6
    );
    let frame = json!({
        "name": "f", "kind": "frame", "protocol_version": 7, "hex": hex,
        "value": {"message": "Response_v2", "body": {
            "id": 1, "impl_menu_index": {"some": 7}, "data": {"tag": "Ok", "args": [{"hex": data}]}
        }},
        "payload_type": payload_type, "payload": payload
    });
    [forest(), frame]
}

#[test]
fn frames_have_their_length_and_payload() {
    let vectors = frame("forest", value(), VALUE);
    check(&vectors);
    let check = |member, value, line: &str| check_damaged(&vectors, member, value, line);
    let hex = vectors[1]["hex"].as_str().unwrap();
    check(
        "/hex",
        json!(format!("11{}", &hex[2..])),
        "frame: expected a whole one, found too few bytes",
    );
    check(
        "/hex",
        json!(format!("0f{}", &hex[2..])),
        "bytes after the frame: expected 0, found 1",
    );
    check(
        "/hex",
        json!("ffffffffffffffff"),
        "frame: expected a length, found frame of -1 bytes, allowed are 0 to 104857600",
    );
    check(
        "/value/body/impl_menu_index/some",
        json!(8),
        "encoding at byte 3: expected 08010107000a01010100052d6e630041 (16 bytes), \
         found 08010108000a01010100052d6e630041 (16 bytes)",
    );
    check(
        "/payload/trees/0/args/1",
        json!(6),
        "payload: encoding at byte 4: expected 01010100052d6e630041 (10 bytes), \
         found 01010100062d6e630041 (10 bytes)",
    );
    check(
        "/payload_type",
        json!(1),
        "malformed: payload_type is no string",
    );
}

#[test]
fn payloads_may_be_in_the_layer_of_streams() {
    let tagged = |tag: &str| json!({"tag": tag, "arg": value()});
    let query = format!("d1f52fe20a{VALUE}");
    let update = format!("798a00000a{VALUE}");
    let initial = |tag: &str, value: Json| json!({"unused_query_id": 0, "initial": {"tag": tag, "args": [value]}});
    check(&frame("Stream_query(forest)", tagged("Query"), &query));
    check(&frame(
        "Stream_query(forest)",
        json!({"tag": "Abort"}),
        "21774e5c",
    ));
    check(&frame(
        "Stream_response_data(forest)",
        tagged("Ok"),
        &update,
    ));
    check(&frame(
        "Stream_response_data(forest)",
        json!({"tag": "Eof"}),
        "39796900",
    ));
    let state = "Stream_initial_message(forest, Error)";
    check(&frame(
        state,
        initial("Ok", value()),
        &format!("0000{VALUE}"),
    ));
    let error = json!({"tag": "String", "args": ["no"]});
    check(&frame(state, initial("Error", error), "000101026e6f"));

    let damaged = |payload_type, payload, data: &str, line: &str| {
        let report = run_vectors(&frame(payload_type, payload, data));
        assert_eq!(
            report.lines,
            [format!("FAIL vectors.json: f: payload: {line}")]
        );
    };
    damaged(
        "Stream_query(forest)",
        tagged("Abort"),
        &query,
        r#"constructor: expected "Abort", found "Query""#,
    );
    damaged(
        "Stream_response_data(forest)",
        tagged("Ok"),
        "39796900",
        r#"constructor: expected "Ok", found "Eof""#,
    );
    damaged(
        "Stream_response_data(forest)",
        tagged("Ok"),
        &update.replace("0a01", "0b01"),
        "decoding: expected a inner payload, found at byte 0: 11 bytes expected, 10 left",
    );
    damaged(
        "Stream_query(forest)",
        tagged("Query"),
        &query.replace("d1f5", "d1f6"),
        "decoding: expected a query of a stream, found at byte 0: no constructor has the hash -250086552",
    );
    damaged(
        "Stream_initial_message(forest, Error)",
        initial("Ok", value()),
        &format!("0100{VALUE}"),
        "unused id: expected 0, found 1",
    );
    damaged(
        "Stream_initial_message(forest, Error)",
        initial("Error", value()),
        &format!("0000{VALUE}"),
        r#"constructor: expected "Error", found "Ok""#,
    );
    damaged(
        "Stream_query(forest)",
        json!({"tag": "Query", "arg": 7}),
        &query,
        "value: expected one of the type, found expected record, found 7",
    );
}

#[test]
fn negotiations_have_their_outcome() {
    let vector = |us: Json, peer: Json, result: Json| {
        [json!({
            "name": "n", "kind": "negotiation",
            "value": {"us": us, "peer": peer, "result": result}
        })]
    };
    let rpc = |versions: &[i64]| json!([&[4_411_474], versions].concat());
    let error = |name: &str| json!({"error": name});
    let agreed = vector(rpc(&[3, 5, 7]), rpc(&[7, 5, 1]), json!({"version": 7}));
    check(&agreed);
    check(&vector(rpc(&[3]), rpc(&[4]), error("no_common_version")));
    check(&vector(
        json!([3]),
        rpc(&[3]),
        error("own_protocol_unknown"),
    ));
    check(&vector(
        rpc(&[3]),
        json!([843_207_243, 3]),
        error("different_protocol"),
    ));
    check(&vector(
        json!([843_207_243, 3]),
        rpc(&[3]),
        error("different_protocol"),
    ));
    check(&vector(
        rpc(&[4_411_474, 3]),
        rpc(&[3]),
        error("multiple_protocols"),
    ));
    let long = json!({"repeat": 3, "count": 101});
    check(&vector(rpc(&[3]), long, error("header_too_long")));
    check_damaged(
        &agreed,
        "/value/result/version",
        json!(5),
        "outcome at .version: expected 5, found 7",
    );
    check_damaged(
        &agreed,
        "/value/result",
        error("no_common_version"),
        r#"outcome: expected {"error":"no_common_version"}, found {"version":7}"#,
    );
    check_damaged(
        &agreed,
        "/value/peer",
        json!("RPC"),
        r#"malformed: expected a list of integers, found "RPC""#,
    );
    check_damaged(
        &agreed,
        "/value",
        json!({"us": [], "peer": []}),
        "malformed: value has no result",
    );
}
