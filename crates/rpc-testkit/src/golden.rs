//! Golden vectors: values with their bytes, as printed by the reference, by its tests, or derived
//! from the specification. Knows the format of the files and nothing of any encoding.
//!
//! `docs/conformance.md` describes the format.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{fs, io};

use serde::Deserialize as _;
use serde_json::{Map, Value};
use thiserror::Error;

/// One entry of a file.
#[derive(Clone, Debug)]
pub struct Vector {
    /// Its name, for messages.
    pub name: String,
    /// What the entry states: `bin_prot`, `bin_prot_error`, `digest`, `frame` and so on.
    pub kind: String,
    /// The key of its type, or empty for kinds that have none.
    pub type_name: String,
    /// All of the entry.
    pub fields: Map<String, Value>,
}

/// An entry that lacks what it needs, or has it in another form.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{entry}: {problem}")]
pub struct Malformed {
    /// The entry's name, or `entry N` counted from 1.
    pub entry: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A file that holds no vectors at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot be read")]
    Unreadable(#[from] io::Error),
    /// It is no JSON.
    #[error("is no JSON")]
    Json(#[from] serde_json::Error),
    /// Lists and objects are nested deeper than [`MAX_NESTING`].
    #[error("is nested deeper than {MAX_NESTING} levels, at line {line}")]
    TooDeep {
        /// Where the limit is passed, counted from 1.
        line: usize,
    },
    /// It is JSON, but no list of entries.
    #[error("is no list of entries")]
    NoList,
}

/// How deep lists and objects of a file may be nested. Each level takes a few hundred bytes of
/// the stack of whoever reads it.
pub const MAX_NESTING: usize = 10_000;

/// How many elements or bytes an abbreviation may stand for.
const MAX_REPEATED: u64 = 1 << 28;

/// Reads a file: its entries in their order, without the one that describes the format.
///
/// # Errors
/// The file as a whole is none; a malformed entry is an error of that entry alone.
pub fn read(path: &Path) -> Result<Vec<Result<Vector, Malformed>>, FileError> {
    parse(&fs::read_to_string(path)?)
}

/// Reads the text of a file, as [`read`].
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str) -> Result<Vec<Result<Vector, Malformed>>, FileError> {
    // The parser recurses; its own limit of 128 levels is less than values may have.
    if let Some(line) = too_deep(text) {
        return Err(FileError::TooDeep { line });
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.disable_recursion_limit();
    let file = Value::deserialize(&mut deserializer)?;
    deserializer.end()?;
    let Value::Array(entries) = file else {
        return Err(FileError::NoList);
    };
    let entries = (1..)
        .zip(entries)
        .map(|(number, entry)| entry_of(number, entry));
    let is_described =
        |entry: &Result<Vector, _>| !entry.as_ref().is_ok_and(|vector| vector.kind == "meta");
    Ok(entries.filter(is_described).collect())
}

fn entry_of(number: usize, entry: Value) -> Result<Vector, Malformed> {
    let entry_number = format!("entry {number}");
    let malformed = |entry: &str, problem: &str| Malformed {
        entry: entry.to_owned(),
        problem: problem.to_owned(),
    };
    let Value::Object(fields) = entry else {
        return Err(malformed(&entry_number, "is no object"));
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").ok_or_else(|| malformed(&entry_number, "has no name"))?;
    Ok(Vector {
        kind: text("kind").ok_or_else(|| malformed(&name, "has no kind"))?,
        type_name: text("type").unwrap_or_default(),
        name,
        fields,
    })
}

/// The line on which lists and objects are nested too deep, if there is one.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut line) = (0_usize, 1);
    let (mut in_text, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_text,
            b'"' => in_text = !in_text,
            b'\n' => line += 1,
            b'[' | b'{' if !in_text => {
                depth += 1;
                if depth > MAX_NESTING {
                    return Some(line);
                }
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

impl Vector {
    /// That something is wrong with this entry.
    pub fn malformed(&self, problem: impl Into<String>) -> Malformed {
        Malformed {
            entry: self.name.clone(),
            problem: problem.into(),
        }
    }

    /// A field that has to be there, null included.
    ///
    /// # Errors
    /// It is not.
    pub fn field(&self, name: &str) -> Result<&Value, Malformed> {
        let field = self.fields.get(name);
        field.ok_or_else(|| self.malformed(format!("has no {name}")))
    }

    /// A field that is a string.
    ///
    /// # Errors
    /// There is no such field, or it is something else.
    pub fn text(&self, name: &str) -> Result<&str, Malformed> {
        let field = self.field(name)?;
        let text = field.as_str();
        text.ok_or_else(|| self.malformed(format!("{name} is no string")))
    }

    /// A field that is a natural number, if it is there.
    ///
    /// # Errors
    /// It is something else.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Malformed> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(field) => match field.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.malformed(format!("{name} is no natural number"))),
            },
        }
    }

    /// A field that holds bytes as hex digits.
    ///
    /// # Errors
    /// There is no such field, or it is something else.
    pub fn hex(&self, name: &str) -> Result<Vec<u8>, Malformed> {
        let digits = self.text(name)?;
        decode_hex(digits)
            .ok_or_else(|| self.malformed(format!("{name} holds no pairs of hex digits")))
    }

    /// The entry's `hex` or `hex_rle`.
    ///
    /// # Errors
    /// It has neither, or not in this form.
    pub fn bytes(&self) -> Result<Vec<u8>, Malformed> {
        match self.fields.get("hex_rle") {
            None => self.hex("hex"),
            Some(runs) => {
                let problem = "hex_rle is no list of [hex digits, repetitions]";
                runs_of(runs).ok_or_else(|| self.malformed(problem))
            }
        }
    }

    /// The entry's value.
    ///
    /// # Errors
    /// It has none.
    pub fn value(&self) -> Result<&Value, Malformed> {
        self.field("value")
    }
}

/// All entries of `conformance/vectors.json`, in its order.
///
/// # Panics
/// The file is missing or malformed.
pub fn vectors() -> &'static [Vector] {
    static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(|| {
        let path = default_vectors();
        let entries = read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let entries = entries.into_iter().collect::<Result<_, _>>();
        entries.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Where the repository's own vectors are.
pub fn default_vectors() -> PathBuf {
    repository().join("conformance/vectors.json")
}

/// The bytes of a value of type string, bytes or bigstring, or of a digest: a plain string,
/// `{"hex": …}`, or `{"repeat_hex": …, "count": …}`. Nothing else is one.
pub fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    if let Some(text) = value.as_str() {
        return Some(text.into());
    }
    match (&value["hex"], &value["repeat_hex"]) {
        (Value::String(digits), Value::Null) => decode_hex(digits),
        (Value::Null, Value::String(digits)) => repeated(digits, &value["count"]),
        _ => None,
    }
}

/// The elements of a list or array: `[…]`, or `{"repeat": …, "count": …}`. Nothing else is one.
pub fn items_of(value: &Value) -> Option<Vec<Value>> {
    if let Some(items) = value.as_array() {
        return Some(items.clone());
    }
    let item = value.get("repeat")?;
    let count = value["count"]
        .as_u64()
        .filter(|count| *count <= MAX_REPEATED)?;
    Some(vec![item.clone(); usize::try_from(count).ok()?])
}

/// Runs of `[hex, repetitions]`.
fn runs_of(runs: &Value) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for run in runs.as_array()? {
        let [digits, count] = run.as_array()?.as_slice() else {
            return None;
        };
        bytes.extend(repeated(digits.as_str()?, count)?);
        if bytes.len() as u64 > MAX_REPEATED {
            return None;
        }
    }
    Some(bytes)
}

fn repeated(digits: &str, count: &Value) -> Option<Vec<u8>> {
    let bytes = decode_hex(digits)?;
    let count = count.as_u64()?;
    let total = count.checked_mul(bytes.len() as u64)?;
    (total <= MAX_REPEATED).then_some(())?;
    Some(bytes.repeat(usize::try_from(count).ok()?))
}

/// The bytes of pairs of hex digits.
pub(crate) fn decode_hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |&[high, low]: &[u8; 2]| u8::try_from(digit(high)? << 4 | digit(low)?).ok();
    let (pairs, []) = digits.as_bytes().as_chunks() else {
        return None;
    };
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_of_64_bits_are_exact() {
        let least = of_kind("bin_prot")
            .into_iter()
            .filter(|vector| vector.type_name == "int64")
            .filter_map(|vector| vector.value().unwrap().as_i64())
            .min();
        assert_eq!(least, Some(i64::MIN));
    }

    #[test]
    fn long_bytes_are_put_together_from_runs() {
        assert_eq!(
            runs_of(&json!([["6162", 2], ["", 9], ["ff", 1]])),
            Some(b"abab\xff".to_vec())
        );
        for malformed in [
            json!(7),
            json!([["61"]]),
            json!([["6", 1]]),
            json!([["61", -1]]),
        ] {
            assert_eq!(runs_of(&malformed), None, "{malformed}");
        }
        assert_eq!(runs_of(&json!([["61", u64::MAX]])), None);
        assert_eq!(runs_of(&json!([["61", MAX_REPEATED], ["61", 1]])), None);
    }

    #[test]
    fn byte_strings_come_in_three_forms() {
        assert_eq!(bytes_of(&json!("ab")), Some(b"ab".to_vec()));
        assert_eq!(bytes_of(&json!({"hex": "61fF"})), Some(b"a\xff".to_vec()));
        let repeated = json!({"repeat_hex": "6162", "count": 2});
        assert_eq!(bytes_of(&repeated), Some(b"abab".to_vec()));
        for malformed in [
            json!(7),
            json!({"hex": "6"}),
            json!({"hex": "+1"}),
            json!({}),
        ] {
            assert_eq!(bytes_of(&malformed), None, "{malformed}");
        }
        assert_eq!(
            bytes_of(&json!({"repeat_hex": "6162", "count": u64::MAX})),
            None
        );
    }

    #[test]
    fn lists_come_in_two_forms() {
        assert_eq!(items_of(&json!([1, 2])), Some(vec![json!(1), json!(2)]));
        let repeated = json!({"repeat": "a", "count": 2});
        assert_eq!(items_of(&repeated), Some(vec![json!("a"), json!("a")]));
        assert_eq!(items_of(&json!({"repeat": "a", "count": u64::MAX})), None);
        assert_eq!(items_of(&json!("a")), None);
    }

    #[test]
    fn a_malformed_entry_spoils_itself_alone() {
        let text = r#"[
            {"name": "m", "kind": "meta"}, 7, {"kind": "digest"}, {"name": "a"},
            {"name": "b", "kind": "digest", "hex": "0g", "n": -1}
        ]"#;
        let entries = parse(text).unwrap();
        let problems = entries.iter().map(|entry| match entry {
            Ok(vector) => vector.name.clone(),
            Err(malformed) => malformed.to_string(),
        });
        assert_eq!(
            problems.collect::<Vec<_>>(),
            [
                "entry 2: is no object",
                "entry 3: has no name",
                "a: has no kind",
                "b"
            ]
        );
        let vector = entries.last().unwrap().as_ref().unwrap();
        let message = |malformed: Malformed| malformed.to_string();
        assert_eq!(
            message(vector.bytes().unwrap_err()),
            "b: hex holds no pairs of hex digits"
        );
        assert_eq!(message(vector.value().unwrap_err()), "b: has no value");
        assert_eq!(message(vector.text("n").unwrap_err()), "b: n is no string");
        assert_eq!(
            message(vector.number("n").unwrap_err()),
            "b: n is no natural number"
        );
        assert_eq!(vector.number("position"), Ok(None));
    }

    #[test]
    fn what_is_no_list_is_no_file() {
        assert!(matches!(parse("{}"), Err(FileError::NoList)));
        assert!(matches!(parse("[1] 2"), Err(FileError::Json(_))));
        assert!(matches!(parse(""), Err(FileError::Json(_))));
        assert!(matches!(
            read(Path::new("none.json")),
            Err(FileError::Unreadable(_))
        ));
    }

    #[test]
    fn deep_values_are_read_up_to_the_limit() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let read = |text: String| {
            let thread = std::thread::Builder::new().stack_size(1 << 26);
            thread
                .spawn(move || parse(&text).map(drop))
                .unwrap()
                .join()
                .unwrap()
        };
        assert!(read(nested(MAX_NESTING)).is_ok());
        let error = read(format!("\n{}", nested(MAX_NESTING + 1))).unwrap_err();
        assert!(matches!(error, FileError::TooDeep { line: 2 }), "{error}");
        // What is inside a string does not count.
        let text = format!(r#"["\"{}"]"#, "[".repeat(MAX_NESTING + 1));
        assert!(read(text).is_ok());
    }
}
