//! Values as JSON; the form of `conformance/vectors.json`.
//!
//! | Type | JSON |
//! |---|---|
//! | unit | `null` |
//! | bool | `true`, `false` |
//! | integers | a number, exact in all 64 bits |
//! | char | its code |
//! | string, bytes | a string if all bytes are printable ASCII, else `{"hex": …}`; also read: `{"repeat_hex": …, "count": …}` |
//! | md5 | `{"hex": …}` |
//! | float | `{"f64": …}`, `{"f32": …}`: the bits in hex digits; also read: a number |
//! | option | `null` or `{"some": …}` |
//! | list, array | `[…]`; also read: `{"repeat": …, "count": …}` |
//! | map, table | `[[key, data], …]` |
//! | matrix | `{"rows": [[…], …]}`; one without rows does not tell its columns |
//! | tuple | `[…]` |
//! | record | an object |
//! | variant | `{"tag": …, "args": […]}` |
//! | polymorphic variant | `{"tag": …}` or `{"tag": …, "arg": …}` |
//! | date | `{"year": …, "month": "Jan", "day": …}`; also read: a month as a number from 1 |
//! | Sexp | the variant that it is |
//!
//! ```
//! use bin_prot::dynamic::Type;
//! use bin_prot::shape::BinShape;
//!
//! let ty = Type::new(&<(i64, Option<String>)>::bin_shape())?;
//! let value = ty.from_slice(&[0x07, 0x01, 0x02, b'h', b'i'])?;
//! assert_eq!(value.to_json().to_string(), r#"[7,{"some":"hi"}]"#);
//! assert_eq!(ty.parse_json(&value.to_json())?, value);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod parse;

use serde_json::Value as Json;

use super::{Name, Value};
use crate::Sexp;

impl Value {
    /// The value as JSON. Names of fields and constructors that are no UTF-8 are shown escaped.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Unit => Json::Null,
            Self::Bool(value) => (*value).into(),
            Self::Char(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Float(value) => object([("f64", format!("{:016x}", value.to_bits()).into())]),
            Self::Float32(value) => object([("f32", format!("{:08x}", value.to_bits()).into())]),
            Self::Bytes(value) => text_or_hex(value.as_bytes()),
            Self::Md5(value) => object([("hex", value.to_string().into())]),
            Self::Date(value) => object([
                ("year", value.year().into()),
                ("month", format!("{:?}", value.month()).into()),
                ("day", value.day().into()),
            ]),
            Self::Sexp(value) => sexp(value),
            Self::Option(None) => Json::Null,
            Self::Option(Some(value)) => object([("some", value.to_json())]),
            Self::List(values) | Self::Tuple(values) => all(values),
            Self::Matrix(matrix) => {
                let rows = matrix
                    .rows()
                    .map(|row| row.map(Self::to_json).collect::<Json>());
                object([("rows", rows.collect())])
            }
            Self::Record(fields) => fields
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_json()))
                .collect(),
            Self::Variant(name, arguments) => {
                object([("tag", text(name)), ("args", all(arguments))])
            }
            Self::Polymorphic(name, None) => object([("tag", text(name))]),
            Self::Polymorphic(name, Some(argument)) => {
                object([("tag", text(name)), ("arg", argument.to_json())])
            }
        }
    }
}

/// An object of these members. `json!` would copy each, and what is in it, once more at every
/// level.
fn object<const MEMBERS: usize>(members: [(&str, Json); MEMBERS]) -> Json {
    let members = members.into_iter();
    members
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn all(values: &[Value]) -> Json {
    values.iter().map(Value::to_json).collect()
}

fn text(name: &Name) -> Json {
    name.to_string().into()
}

fn sexp(value: &Sexp) -> Json {
    let (tag, argument) = match value {
        Sexp::Atom(atom) => ("Atom", text_or_hex(atom.as_bytes())),
        Sexp::List(items) => ("List", items.iter().map(sexp).collect()),
    };
    object([("tag", tag.into()), ("args", Json::Array(vec![argument]))])
}

fn text_or_hex(bytes: &[u8]) -> Json {
    match str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) => text.into(),
        Ok(_) | Err(_) => {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
            object([("hex", digits.collect::<String>().into())])
        }
    }
}
