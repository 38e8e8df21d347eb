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
//! | matrix | `{"rows": [[…], …]}` |
//! | tuple | `[…]` |
//! | record | an object |
//! | variant | `{"tag": …, "args": […]}` |
//! | polymorphic variant | `{"tag": …}` or `{"tag": …, "arg": …}` |
//! | date | `{"year": …, "month": "Jan", "day": …}` |
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

use serde_json::{Map, Value as Json, json};

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
            Self::Float(value) => json!({"f64": format!("{:016x}", value.to_bits())}),
            Self::Float32(value) => json!({"f32": format!("{:08x}", value.to_bits())}),
            Self::Bytes(value) => text_or_hex(value.as_bytes()),
            Self::Md5(value) => json!({"hex": value.to_string()}),
            Self::Date(value) => json!({
                "year": value.year(),
                "month": format!("{:?}", value.month()),
                "day": value.day(),
            }),
            Self::Sexp(value) => sexp(value),
            Self::Option(None) => Json::Null,
            Self::Option(Some(value)) => json!({"some": value.to_json()}),
            Self::List(values) | Self::Tuple(values) => all(values),
            Self::Matrix(matrix) => {
                let rows = matrix
                    .rows()
                    .map(|row| row.map(Self::to_json).collect::<Json>());
                json!({"rows": rows.collect::<Json>()})
            }
            Self::Record(fields) => fields
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_json()))
                .collect(),
            Self::Variant(name, arguments) => json!({"tag": text(name), "args": all(arguments)}),
            Self::Polymorphic(name, argument) => {
                let mut object = Map::from_iter([("tag".to_owned(), text(name))]);
                if let Some(argument) = argument {
                    object.insert("arg".into(), argument.to_json());
                }
                object.into()
            }
        }
    }
}

fn all(values: &[Value]) -> Json {
    values.iter().map(Value::to_json).collect()
}

fn text(name: &Name) -> Json {
    name.to_string().into()
}

fn sexp(value: &Sexp) -> Json {
    match value {
        Sexp::Atom(atom) => json!({"tag": "Atom", "args": [text_or_hex(atom.as_bytes())]}),
        Sexp::List(items) => {
            let items: Json = items.iter().map(sexp).collect();
            json!({"tag": "List", "args": [items]})
        }
    }
}

fn text_or_hex(bytes: &[u8]) -> Json {
    match str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) => text.into(),
        Ok(_) | Err(_) => {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
            json!({"hex": digits.collect::<String>()})
        }
    }
}
