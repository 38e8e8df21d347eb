//! Inputs that are no vectors and no recordings, or of kinds and types that nobody knows.

use std::fs;

use rpc_conformance::{Places, Summary};
use serde_json::json;

use crate::place::{folder, run, run_text, run_vectors};

fn failed(failed: usize) -> Summary {
    Summary {
        failed,
        ..Summary::default()
    }
}

#[test]
fn a_file_that_is_none_is_named() {
    let folder = folder();
    let missing = folder.join("missing.json");
    let report = run(&Places {
        vectors: vec![missing],
        recordings: vec![folder.join("missing"), folder.clone()],
    });
    let path = folder.display();
    let no_file = "malformed: cannot be read: No such file or directory (os error 2)";
    assert_eq!(
        report.lines,
        [
            format!("FAIL {path}/missing.json: {no_file}"),
            format!("FAIL {path}/missing: {no_file}"),
            format!("FAIL {path}: malformed: holds no recordings (*.jsonl)"),
        ]
    );
    assert_eq!(report.summary, failed(3));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_of_something_else_says_so() {
    let check = |text: &str, problem: &str| {
        let report = run_text(text);
        assert_eq!(
            report.lines,
            [format!("FAIL vectors.json: malformed: {problem}")]
        );
        assert_eq!(report.summary, failed(1));
    };
    check(
        "",
        "is no JSON: EOF while parsing a value at line 1 column 0",
    );
    check("[{]", "is no JSON: key must be a string at line 1 column 3");
    check("{}", "is no list of entries");
    let deep = "[".repeat(20_000);
    check(&deep, "is nested deeper than 10000 levels, at line 1");
}

/// The others run all the same.
#[test]
fn a_malformed_entry_is_named() {
    let hash = |name: &str| json!({"name": name, "kind": "variant_hash", "value": "A", "hash": 65, "hex": "83000000"});
    let report = run_vectors(&[
        json!({"name": "meta", "kind": "meta"}),
        hash("good"),
        json!(7),
        json!({"kind": "variant_hash"}),
        json!({"name": "a"}),
        json!({"name": "b\nc", "kind": "variant_hash"}),
        json!({"name": "d", "kind": "bin_prot", "type": "int", "hex": "05"}),
        hash("good too"),
    ]);
    assert_eq!(
        report.lines,
        [
            "FAIL vectors.json: entry 3: malformed: is no object",
            "FAIL vectors.json: entry 4: malformed: has no name",
            "FAIL vectors.json: a: malformed: has no kind",
            "FAIL vectors.json: b c: malformed: has no value",
            "FAIL vectors.json: d: malformed: has no value",
        ]
    );
    assert_eq!((report.summary.passed, report.summary.failed), (2, 5));
}

#[test]
fn unknown_kinds_and_types_are_skipped() {
    let value = |name: &str, ty: &str| json!({"name": name, "kind": "bin_prot", "type": ty, "value": 5, "hex": "05"});
    let report = run_vectors(&[
        json!({"name": "a", "kind": "sexp"}),
        value("b", "int lisp"),
        // A basic type needs no digest vector.
        value("c", "nativeint"),
        json!({
            "name": "d", "kind": "frame", "hex": "070000000000000002010003026f6b",
            "value": {"message": "Response_v1", "body": {
                "id": 1, "data": {"tag": "Ok", "args": [{"hex": "026f6b"}]}
            }},
            "payload_type": "Stream_query(int lisp)", "payload": null
        }),
    ]);
    let missing = "no digest vector has the type \"int lisp\", nor is it a basic type";
    assert_eq!(
        report.lines,
        [
            "SKIP vectors.json: a: no vectors of kind \"sexp\" are known".to_owned(),
            format!("SKIP vectors.json: b: {missing}"),
            format!("SKIP vectors.json: d: {missing}"),
        ]
    );
    assert_eq!((report.summary.passed, report.summary.skipped), (1, 3));
}

/// The vectors of a type are no better than its shape.
#[test]
fn values_of_a_type_without_a_shape_fail() {
    let report = run_vectors(&[
        json!({"name": "d", "kind": "digest", "type": "t", "shape": {"var": "a"}, "digest": ""}),
        json!({"name": "v", "kind": "bin_prot", "type": "t", "value": 5, "hex": "05"}),
    ]);
    assert_eq!(
        report.lines,
        [
            "FAIL vectors.json: d: shape: expected that of a type, \
             found no parameter is called a",
            "FAIL vectors.json: v: type \"t\": expected a shape whose values can be read, \
             found no parameter is called a",
        ]
    );
}

/// The type of a key is that of the same file, before those of others.
#[test]
fn a_file_describes_its_own_types() {
    let folder = folder();
    let paths = ["a.json", "b.json"].map(|name| folder.join(name));
    let digest = |name: &str, shape: &str, digest: &str| json!({"name": name, "kind": "digest", "type": "t", "shape": shape, "digest": digest});
    let value =
        |hex: &str| json!({"name": "v", "kind": "bin_prot", "type": "t", "value": 5, "hex": hex});
    let (int, fixed) = (
        "698cfa4093fe5e51523842d37b92aeac",
        "663b83f99471bf403ebbaceff0d9657b",
    );
    let a = json!([
        digest("d", "int", int),
        value("05"),
        digest("again", "int_8bit", fixed)
    ]);
    let other = json!({"name": "w", "kind": "bin_prot", "type": "u", "value": 5, "hex": "0500"});
    let b = json!([
        digest("d", "int_16bit", "53291fd58d58f8d81c1a865727913c7c"),
        value("0500"),
        other
    ]);
    fs::write(&paths[0], a.to_string()).unwrap();
    fs::write(&paths[1], b.to_string()).unwrap();
    let report = run(&Places {
        vectors: paths.to_vec(),
        recordings: vec![],
    });
    assert_eq!(
        (report.summary.passed, report.summary.skipped),
        (5, 1),
        "{:?}",
        report.lines
    );
    fs::remove_dir_all(folder).unwrap();
}

/// Values nest deeper than the libraries allow by default, and no stack overflows.
#[test]
fn deep_values_are_run() {
    const DEPTH: usize = 4_000;
    let value = [
        r#"{"tag": "Succ", "args": ["#.repeat(DEPTH),
        r#"{"tag": "Zero", "args": []}"#.to_owned(),
        "]}".repeat(DEPTH),
    ];
    let report = run_text(&format!(
        r#"[{{"name": "v", "kind": "bin_prot", "type": "t = Zero | Succ of t",
            "hex_rle": [["01", {DEPTH}], ["00", 1]], "value": {}}}]"#,
        value.concat()
    ));
    assert_eq!(report.lines, [] as [String; 0]);

    let report = run_vectors(&[json!({
        "name": "v", "kind": "bin_prot_error", "type": "t = Zero | Succ of t",
        "hex_rle": [["01", 100_000]], "error": "Buffer_short"
    })]);
    let line = &report.lines[0];
    assert!(
        line.starts_with("FAIL vectors.json: v: refusal: expected Buffer_short, "),
        "{line}"
    );
    assert!(
        line.ends_with("nested deeper than 5000 levels"),
        "{}",
        line.len()
    );
}
