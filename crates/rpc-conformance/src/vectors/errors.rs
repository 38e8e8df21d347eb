//! Bytes that have to be refused, each for its reason.

use bin_prot::ReadError;
use bin_prot::dynamic::ErrorKind;
use rpc_testkit::golden::Vector;
use rpc_wire::{Data, Message};

use super::Scope;
use crate::compare;
use crate::report::{Checked, Problem};
use crate::types::reader;

/// `bin_prot_error`: the bytes begin with no value of the type.
pub(super) fn check_value(vector: &Vector, scope: Scope<'_>) -> Checked {
    let ty = scope.get(&vector.type_name)?;
    let bytes = vector.bytes()?;
    let expected = vector.text("error")?;
    match ty.read(&mut reader(&bytes)) {
        Ok(value) => Err(accepted(expected, compare::short(&value.to_json()))),
        Err(error) => match error.kind() {
            ErrorKind::Read(refusal) => check_refusal(vector, expected, *refusal),
            _ => Err(Problem::differs("refusal", expected, error)),
        },
    }
}

/// `message_error`: the bytes begin with no message. A payload that passes the end spoils the
/// message here, as it would if it were read with it.
pub(super) fn check_message(vector: &Vector) -> Checked {
    let bytes = vector.bytes()?;
    let expected = vector.text("error")?;
    let message = match Message::decode(&bytes) {
        Err(refusal) => return check_refusal(vector, expected, refusal),
        Ok(message) => message,
    };
    let is_overlong = |data: Data<'_>| data.bytes().is_err();
    let is_short = match &message {
        Message::Query(query) => is_overlong(query.data),
        Message::Response(response) => response
            .result
            .as_ref()
            .is_ok_and(|data| is_overlong(*data)),
        _ => false,
    };
    match is_short {
        true => compare::equal("refusal", expected, "Buffer_short"),
        false => Err(accepted(expected, format!("a {}", message.kind()))),
    }
}

fn accepted(expected: &str, found: String) -> Problem {
    Problem::differs("refusal", expected, format!("that it was read: {found}"))
}

fn check_refusal(vector: &Vector, expected: &str, refusal: ReadError) -> Checked {
    let found = refusal.kind.reference_name();
    let has_same_place = match expected {
        // Limits of OCaml's memory; no frame has room for the bytes that would be missing first
        // (bin_prot §14.5).
        "String_too_long" | "Array_too_long" if found == Some("Buffer_short") => false,
        // One error is enough for both (bin_prot §7.3); a shape does not tell which types have names.
        "Variant_wrong_type" if found == Some("Variant") => true,
        expected if found == Some(expected) => true,
        _ => {
            return Err(Problem::differs(
                "refusal",
                expected,
                match found {
                    Some(name) => format!("{name} ({refusal})"),
                    None => refusal.to_string(),
                },
            ));
        }
    };
    match vector.number("position")? {
        Some(position) if has_same_place => {
            let found = refusal.reference_position();
            let found = found.map_or_else(|| "none".to_owned(), |found| found.to_string());
            let what = format!("position of {expected}");
            compare::equal(what, position.to_string(), found)
        }
        _ => Ok(()),
    }
}
