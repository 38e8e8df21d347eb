//! The golden vectors: values with their bytes, as printed by the reference, by its tests, or
//! derived from the specification. Knows the format of the file and nothing of any encoding.
//!
//! The file's first entry describes the format; see `conformance/vectors.json`.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Map, Value};

/// One entry of the file.
#[derive(Clone, Debug)]
pub struct Vector {
    /// Unique name, for messages.
    pub name: String,
    /// What the entry states: `bin_prot`, `bin_prot_error`, `digest`, `frame` and so on.
    pub kind: String,
    /// Name of the type, or empty for kinds that have none.
    pub type_name: String,
    /// The entry's `hex` or `hex_rle`, or nothing for kinds without bytes.
    pub bytes: Vec<u8>,
    /// All of the entry.
    pub fields: Map<String, Value>,
}

impl Vector {
    /// A field of the entry, or null.
    pub fn field(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Null)
    }

    /// A field that is a string.
    ///
    /// # Panics
    /// The entry has no such field.
    #[track_caller]
    pub fn text(&self, name: &str) -> &str {
        let Some(text) = self.field(name).as_str() else {
            panic!("{}: no text called {name}", self.name);
        };
        text
    }

    /// A field that is a number below 2^64.
    ///
    /// # Panics
    /// The field is there and no such number.
    #[track_caller]
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.field(name) {
            Value::Null => None,
            number => match number.as_u64() {
                Some(number) => Some(number),
                None => panic!("{}: {name} is {number}", self.name),
            },
        }
    }

    /// A field that holds bytes as hex digits.
    ///
    /// # Panics
    /// The entry has no such field.
    #[track_caller]
    pub fn hex(&self, name: &str) -> Vec<u8> {
        decode_hex(self.text(name))
    }

    /// The entry's value.
    pub fn value(&self) -> &Value {
        self.field("value")
    }
}

/// All entries of the file but the one that describes it, in its order.
///
/// # Panics
/// The file is missing or malformed.
pub fn vectors() -> &'static [Vector] {
    static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(|| {
        let path = conformance_directory().join("vectors.json");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        match serde_json::from_str::<Vec<Map<String, Value>>>(&text) {
            Ok(entries) => entries.into_iter().skip(1).map(vector).collect(),
            Err(error) => panic!("{}: {error}", path.display()),
        }
    });
    &VECTORS
}

/// The entries of one kind.
///
/// # Panics
/// The file is missing or malformed, or has none of the kind.
#[track_caller]
pub fn of_kind(kind: &str) -> Vec<&'static Vector> {
    let vectors: Vec<_> = vectors()
        .iter()
        .filter(|vector| vector.kind == kind)
        .collect();
    assert!(!vectors.is_empty(), "no golden vectors of kind {kind}");
    vectors
}

/// The directory that holds the vectors and recordings.
pub fn conformance_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance")
}

/// The bytes of a value of type string, bytes or bigstring, or of a digest: a plain string,
/// `{"hex": …}`, or `{"repeat_hex": …, "count": …}`.
///
/// # Panics
/// The value is none of these.
#[track_caller]
pub fn bytes_of(value: &Value) -> Vec<u8> {
    if let Some(text) = value.as_str() {
        return text.into();
    }
    if let Some(hex) = value["hex"].as_str() {
        return decode_hex(hex);
    }
    match (value["repeat_hex"].as_str(), value["count"].as_u64()) {
        (Some(hex), Some(count)) => decode_hex(hex).repeat(as_count(count)),
        _ => panic!("{value} is no byte string"),
    }
}

/// The elements of a list or array: `[…]`, or `{"repeat": …, "count": …}`.
///
/// # Panics
/// The value is neither.
#[track_caller]
pub fn items_of(value: &Value) -> Vec<Value> {
    if let Some(items) = value.as_array() {
        return items.clone();
    }
    match (value.get("repeat"), value["count"].as_u64()) {
        (Some(item), Some(count)) => vec![item.clone(); as_count(count)],
        _ => panic!("{value} is no list"),
    }
}

fn as_count(count: u64) -> usize {
    usize::try_from(count).expect("counts in the file are small")
}

fn vector(fields: Map<String, Value>) -> Vector {
    let text = |name: &str| {
        let text = fields.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let bytes = match fields.get("hex_rle") {
        None => decode_hex(&text("hex")),
        Some(runs) => items_of(runs).iter().flat_map(run).collect(),
    };
    Vector {
        name: text("name"),
        kind: text("kind"),
        type_name: text("type"),
        bytes,
        fields,
    }
}

/// `[hex, repetitions]`.
fn run(run: &Value) -> Vec<u8> {
    match (run[0].as_str(), run[1].as_u64()) {
        (Some(hex), Some(count)) => decode_hex(hex).repeat(as_count(count)),
        _ => panic!("{run} is no run of bytes"),
    }
}

#[track_caller]
fn decode_hex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "half a byte in {hex}");
    hex.as_bytes()
        .chunks(2)
        .map(|digits| {
            let byte = str::from_utf8(digits)
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            byte.unwrap_or_else(|| panic!("{hex} is not hex"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_64_bits_are_exact() {
        let least = of_kind("bin_prot")
            .into_iter()
            .filter(|vector| vector.type_name == "int64")
            .filter_map(|vector| vector.value().as_i64())
            .min();
        assert_eq!(least, Some(i64::MIN));
    }

    #[test]
    fn long_bytes_are_put_together_from_runs() {
        let long = vectors()
            .iter()
            .find(|vector| vector.fields.contains_key("hex_rle"))
            .unwrap();
        assert!(long.bytes.len() > 1000, "{}", long.bytes.len());
    }

    #[test]
    fn byte_strings_come_in_three_forms() {
        assert_eq!(bytes_of(&serde_json::json!("ab")), b"ab");
        assert_eq!(bytes_of(&serde_json::json!({"hex": "61ff"})), b"a\xff");
        let repeated = serde_json::json!({"repeat_hex": "6162", "count": 2});
        assert_eq!(bytes_of(&repeated), b"abab");
    }
}
