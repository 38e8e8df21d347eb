//! Every golden vector, by its shape alone.

use std::collections::BTreeMap;

use bin_prot::Reader;
use bin_prot::dynamic::{ErrorKind, Type};
use rpc_testkit::golden::{Vector, of_kind};
use serde_json::{Value as Json, json};

use crate::golden::shape;

fn types() -> BTreeMap<&'static str, Type> {
    of_kind("digest")
        .into_iter()
        .filter_map(|vector| {
            let ty = Type::new(&shape::parse(vector)).ok()?;
            Some((vector.type_name.as_str(), ty))
        })
        .collect()
}

#[test]
fn values_and_errors_are_those_of_the_reference() {
    let types = types();
    let mut ran = 0;
    for kind in ["bin_prot", "bin_prot_decode", "bin_prot_error"] {
        for vector in of_kind(kind) {
            let ty = &types[vector.type_name.as_str()];
            match kind {
                "bin_prot_error" => check_error(ty, vector),
                "bin_prot" => check(ty, vector, vector.bytes.len(), &vector.bytes),
                _ => {
                    let consumed = vector.number("consumed").unwrap();
                    let canonical = vector.hex("canonical_hex");
                    check(ty, vector, usize::try_from(consumed).unwrap(), &canonical);
                }
            }
            ran += 1;
        }
    }
    assert_eq!(ran, 2_239);
}

/// The basic types that the vectors make up have no encoding; all others are understood.
#[test]
fn shapes_of_the_reference_compile() {
    let refused: Vec<_> = of_kind("digest")
        .into_iter()
        .filter(|vector| Type::new(&shape::parse(vector)).is_err())
        .map(|vector| vector.type_name.as_str())
        .collect();
    assert_eq!(
        refused,
        [
            r#"basetype "my-base""#,
            r#"basetype "my-base-kind2" (int, string)"#
        ]
    );
}

/// Bytes to value, to JSON and S-expression, and back.
fn check(ty: &Type, vector: &Vector, consumed: usize, canonical: &[u8]) {
    let name = &vector.name;
    let mut reader = Reader::new(&vector.bytes);
    let value = ty
        .read(&mut reader)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(reader.offset(), consumed, "{name}");
    assert_eq!(value.to_json(), spelled_out(vector.value()), "{name}");
    assert_eq!(ty.size(&value).unwrap(), canonical.len(), "{name}");
    assert_eq!(ty.to_vec(&value).unwrap(), canonical, "{name}");

    let value = ty
        .parse_json(vector.value())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(ty.to_vec(&value).unwrap(), canonical, "{name}");

    let sexp = value.to_sexp();
    let value = ty
        .parse_sexp(&sexp)
        .unwrap_or_else(|error| panic!("{name}: {sexp}: {error}"));
    // A NaN in text is any NaN.
    if !sexp.to_string().contains("nan") {
        assert_eq!(ty.to_vec(&value).unwrap(), canonical, "{name}: {sexp}");
    }
}

fn check_error(ty: &Type, vector: &Vector) {
    let name = &vector.name;
    let Err(error) = ty.read(&mut Reader::new(&vector.bytes)) else {
        panic!("{name}: was read");
    };
    let ErrorKind::Read(error) = error.kind() else {
        panic!("{name}: {error}");
    };
    let found = error.kind.reference_name();
    match vector.text("error") {
        // The OCaml runtime's own limit; nothing of that length fits a buffer.
        "Array_too_long" => return assert_eq!(found, Some("Buffer_short"), "{name}"),
        // The reference tells named types from others; a normal form does not.
        "Variant_wrong_type" => assert_eq!(found, Some("Variant"), "{name}"),
        expected => assert_eq!(found, Some(expected), "{name}"),
    }
    if let Some(position) = vector.number("position") {
        let found = error.reference_position().map(|found| found as u64);
        assert_eq!(found, Some(position), "{name}");
    }
}

/// A vector's value without its abbreviations.
fn spelled_out(json: &Json) -> Json {
    match json {
        Json::Array(items) => items.iter().map(spelled_out).collect(),
        Json::Object(object) => {
            if object.contains_key("repeat") {
                let items = rpc_testkit::golden::items_of(json);
                return items.iter().map(spelled_out).collect();
            }
            if object.contains_key("repeat_hex") {
                let bytes = rpc_testkit::golden::bytes_of(json);
                return match String::from_utf8(bytes) {
                    Ok(text) if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => text.into(),
                    Ok(text) => hex(text.as_bytes()),
                    Err(error) => hex(error.as_bytes()),
                };
            }
            let fields = object.iter();
            fields
                .map(|(name, value)| (name.clone(), spelled_out(value)))
                .collect()
        }
        other => other.clone(),
    }
}

fn hex(bytes: &[u8]) -> Json {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"hex": digits})
}
