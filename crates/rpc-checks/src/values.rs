//! Values of a type that is known only when they are read.

use bin_prot::dynamic::{ErrorKind, Type, Value};
use bin_prot::{BinWrite, Reader, Sexp};

use crate::chance::Chance;
use crate::memory::bounded;
use crate::plan::{self, Plan};

/// Reads a shape in [compact notation](plan), and what follows as a value of that type.
///
/// # Panics
/// The value is not the same again after being written, or printed and parsed, in every form.
pub fn values(bytes: &[u8]) {
    let Plan {
        shape,
        has_plain_names,
        rest,
    } = plan::decode(bytes);
    // The notation is shorter than what it stands for.
    let length = bytes.len() + shape.to_sexp().bin_size();
    let ty = match bounded(length, || Type::new(&shape)) {
        Ok(ty) => ty,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut reader = Reader::new(rest);
    match bounded(length, || ty.read(&mut reader)) {
        Ok(value) => {
            let written = check_bytes(&ty, &value, reader.offset());
            // What has no rows does not show how many columns it has.
            if !has_matrix_without_rows(&value) {
                check_sexp(&ty, &value, &written);
                if has_plain_names {
                    check_json(&ty, &value, &written);
                }
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What was read from so many bytes is read again from what is written, which is returned.
fn check_bytes(ty: &Type, value: &Value, consumed: usize) -> Vec<u8> {
    let written = ty.to_vec(value).expect("what was read can be written");
    assert_eq!(ty.size(value), Ok(written.len()));
    assert!(written.len() <= consumed);
    let again = ty
        .from_slice(&written)
        .expect("what was written can be read");
    assert_eq!(ty.to_vec(&again).as_ref(), Ok(&written));
    assert!(has_nan(value) || again == *value);
    for length in Chance::of(&written).prefixes(written.len()) {
        assert!(ty.from_slice(&written[..length]).is_err(), "{length} bytes");
    }
    written
}

fn check_sexp(ty: &Type, value: &Value, written: &[u8]) {
    let sexp = value.to_sexp();
    assert_eq!(Sexp::parse(sexp.to_string().as_bytes()).as_ref(), Ok(&sexp));
    let again = ty.parse_sexp(&sexp).expect("what was read can be parsed");
    assert_eq!(again.to_sexp(), sexp);
    // An S-expression does not tell one NaN from another.
    if !has_nan(value) {
        assert_eq!(ty.to_vec(&again).as_deref(), Ok(written));
    }
}

fn check_json(ty: &Type, value: &Value, written: &[u8]) {
    let json = value.to_json();
    match serde_json::from_str::<serde_json::Value>(&json.to_string()) {
        Ok(reread) => assert!(reread == json, "{json}"),
        // Its parser has a limit of its own on depth.
        Err(error) => assert!(error.to_string().contains("recursion limit"), "{error}"),
    }
    let again = ty.parse_json(&json).expect("what was read can be parsed");
    assert_eq!(ty.to_vec(&again).as_deref(), Ok(written));
}

/// Whether a float somewhere in a value is not a number, and so not equal to itself.
pub(crate) fn has_nan(value: &Value) -> bool {
    any(value, &|part| match part {
        Value::Float(float) => float.is_nan(),
        Value::Float32(float) => float.is_nan(),
        _ => false,
    })
}

fn has_matrix_without_rows(value: &Value) -> bool {
    any(
        value,
        &|part| matches!(part, Value::Matrix(matrix) if matrix.rows().next().is_none()),
    )
}

/// Whether something holds for a value, or for a part of it.
fn any(value: &Value, holds: &dyn Fn(&Value) -> bool) -> bool {
    let inside = |value: &Value| any(value, holds);
    holds(value)
        || match value {
            Value::Option(value) => value.as_deref().is_some_and(inside),
            Value::List(values) | Value::Tuple(values) | Value::Variant(_, values) => {
                values.iter().any(inside)
            }
            Value::Matrix(matrix) => matrix.rows().any(|mut row| row.any(inside)),
            Value::Record(fields) => fields.iter().any(|(_, value)| inside(value)),
            Value::Polymorphic(_, value) => value.as_deref().is_some_and(inside),
            _ => false,
        }
}

/// Whether an error is about a limit of reading rather than about the value.
pub(crate) fn is_limit(error: &bin_prot::dynamic::Error) -> bool {
    use bin_prot::ReadErrorKind;

    match error.kind() {
        ErrorKind::TooManyValues(_) | ErrorKind::TooDeep(_) => true,
        ErrorKind::Read(error) => matches!(
            error.kind,
            ReadErrorKind::ListTooLong { .. } | ReadErrorKind::TooDeep(_)
        ),
        _ => false,
    }
}
