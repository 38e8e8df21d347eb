//! Comparisons whose outcome a person can act on: the place of the first difference, and not more
//! of long values than is needed to see it.

use std::fmt;

use serde_json::Value as Json;

use crate::report::{Checked, Problem};

/// Two values that are short when printed.
pub(crate) fn equal<T: PartialEq + fmt::Display>(
    what: impl fmt::Display,
    expected: T,
    found: T,
) -> Checked {
    if expected == found {
        Ok(())
    } else {
        Err(Problem::differs(what, expected, found))
    }
}

/// Two byte strings.
pub(crate) fn bytes(what: impl fmt::Display, expected: &[u8], found: &[u8]) -> Checked {
    if expected == found {
        return Ok(());
    }
    let same = expected.iter().zip(found).take_while(|(a, b)| a == b);
    let at = same.count();
    Err(Problem::differs(
        format!("{what} at byte {at}"),
        excerpt(expected, at),
        excerpt(found, at),
    ))
}

/// The bytes around a position as hex digits, and how many there are in all.
fn excerpt(bytes: &[u8], at: usize) -> String {
    /// What is shown before the position, and of it and what follows.
    const BEFORE: usize = 8;
    const AFTER: usize = 24;
    let start = at.saturating_sub(BEFORE);
    let end = bytes.len().min(at.saturating_add(AFTER));
    let shown = bytes.get(start..end).unwrap_or_default();
    let digits: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    let before = if start > 0 { "…" } else { "" };
    let after = if end < bytes.len() { "…" } else { "" };
    let unit = if bytes.len() == 1 { "byte" } else { "bytes" };
    format!("{before}{digits}{after} ({} {unit})", bytes.len())
}

/// Two values as JSON.
pub(crate) fn json(what: impl fmt::Display, expected: &Json, found: &Json) -> Checked {
    let mut path = String::new();
    match difference(expected, found, &mut path) {
        None => Ok(()),
        Some((expected, found)) => {
            let what = match path.as_str() {
                "" => what.to_string(),
                path => format!("{what} at {path}"),
            };
            Err(Problem::differs(what, short(expected), short(found)))
        }
    }
}

/// The innermost parts that differ, with the way to them appended to `path`.
fn difference<'a>(
    expected: &'a Json,
    found: &'a Json,
    path: &mut String,
) -> Option<(&'a Json, &'a Json)> {
    if expected == found {
        return None;
    }
    let length = path.len();
    let inner = match (expected, found) {
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            let parts = a.iter().zip(b).enumerate();
            let mut parts = parts.map(|(index, (a, b))| (format!("[{index}]"), a, b));
            parts.find(|(_, a, b)| a != b)
        }
        (Json::Object(a), Json::Object(b)) if a.keys().eq(b.keys()) => {
            let parts = a.iter().zip(b.values());
            let mut parts = parts.map(|((name, a), b)| (format!(".{name}"), a, b));
            parts.find(|(_, a, b)| a != b)
        }
        _ => None,
    };
    let Some((step, a, b)) = inner else {
        return Some((expected, found));
    };
    path.push_str(&step);
    difference(a, b, path).or_else(|| {
        path.truncate(length);
        Some((expected, found))
    })
}

/// As much of a value as fits a line.
pub(crate) fn short(json: &Json) -> String {
    /// Enough to recognise the value.
    const LONGEST: usize = 100;
    let mut text = json.to_string();
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(checked: Checked, message: &str) {
        assert_eq!(checked.unwrap_err().to_string(), message);
    }

    #[test]
    fn bytes_are_shown_around_the_first_difference() {
        assert_eq!(bytes("all", b"abc", b"abc"), Ok(()));
        check(
            bytes("all", &[1, 2, 3], &[1, 2]),
            "all at byte 2: expected 010203 (3 bytes), found 0102 (2 bytes)",
        );
        let (a, mut b) = ([0; 100], [0; 100]);
        b[50] = 7;
        check(
            bytes("all", &a, &b),
            "all at byte 50: \
             expected …0000000000000000000000000000000000000000000000000000000000000000… (100 bytes), \
             found …0000000000000000070000000000000000000000000000000000000000000000… (100 bytes)",
        );
    }

    #[test]
    fn values_are_shown_where_they_differ() {
        let value = json!({"a": [1, {"b": 2}], "c": 3});
        assert_eq!(json("value", &value, &value.clone()), Ok(()));
        check(
            json("value", &value, &json!({"a": [1, {"b": 5}], "c": 3})),
            "value at .a[1].b: expected 2, found 5",
        );
        check(
            json("value", &value, &json!({"a": [1], "c": 3})),
            r#"value at .a: expected [1,{"b":2}], found [1]"#,
        );
        check(
            json("value", &value, &json!(null)),
            r#"value: expected {"a":[1,{"b":2}],"c":3}, found null"#,
        );
    }

    #[test]
    fn long_values_are_cut() {
        let long = short(&"é".repeat(200).into());
        assert_eq!(long.chars().count(), 101);
        assert!(long.ends_with('…'), "{long}");
    }
}
