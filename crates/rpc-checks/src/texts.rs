//! Values that people write: as an S-expression or as JSON, of a type known from its shape.

use bin_prot::dynamic::{ErrorKind, Type, Value};
use bin_prot::{BinWrite, Sexp};

use crate::memory::bounded;
use crate::plan::{self, Plan};
use crate::values::{has_nan, is_limit};

/// Reads a shape in [compact notation](plan), and what follows as a text of a value, in both
/// forms.
///
/// # Panics
/// A value that was accepted is not read again from what is written of it.
pub fn texts(bytes: &[u8]) {
    let Plan { shape, rest, .. } = plan::decode(bytes);
    let Ok(ty) = Type::new(&shape) else { return };
    if let Ok(sexp) = Sexp::parse(rest) {
        let length = bytes.len() + shape.to_sexp().bin_size();
        match bounded(length, || ty.parse_sexp(&sexp)) {
            Ok(value) => check(&ty, &value),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    if let Ok(json) = serde_json::from_slice(rest) {
        match ty.parse_json(&json) {
            Ok(value) => check(&ty, &value),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn check(ty: &Type, value: &Value) {
    let written = match ty.to_vec(value) {
        Ok(written) => written,
        // A number that is out of range, or a key that comes twice.
        Err(error) => {
            assert!(
                !matches!(error.kind(), ErrorKind::Mismatch { .. }),
                "{error}"
            );
            return;
        }
    };
    assert_eq!(ty.size(value), Ok(written.len()));
    match ty.from_slice(&written) {
        Ok(again) => {
            assert!(
                has_nan(value) || again == *value,
                "{value:?}, then {again:?}"
            );
            assert_eq!(ty.to_vec(&again).as_ref(), Ok(&written));
        }
        Err(error) => assert!(is_limit(&error), "{error}: {value:?}"),
    }
    let sexp = value.to_sexp();
    let again = ty
        .parse_sexp(&sexp)
        .expect("what was printed can be parsed");
    assert_eq!(again.to_sexp(), sexp);
}
