//! The test functions in the sources, as text.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{cargo::root, tidy};

/// Where the tests of the rules are. Not this package, whose tests are about numbers of rules.
const FOLDER: &str = "crates";

/// One test function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Test {
    pub(super) name: String,
    /// Its file, from the root of the repository.
    pub(super) path: String,
    /// What stands above it, and the comments inside, without their slashes.
    pub(super) comments: String,
    /// All of its lines.
    pub(super) body: String,
}

/// All tests, by path and place.
pub(super) fn tests() -> Result<Vec<Test>> {
    let mut files = Vec::new();
    let folder = root().join(FOLDER);
    tidy::collect(&folder, &mut files)
        .with_context(|| format!("could not list {}", folder.display()))?;
    files.sort();
    let mut tests = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)
            .with_context(|| format!("could not read {}", file.display()))?;
        let path = file.strip_prefix(root()).unwrap_or(&file);
        tests.extend(tests_in(path, &text));
    }
    Ok(tests)
}

fn tests_in(path: &Path, text: &str) -> Vec<Test> {
    let path = path.display().to_string();
    let lines: Vec<_> = text.lines().collect();
    let mut tests = Vec::new();
    let mut above = Above::default();
    for (index, line) in lines.iter().enumerate() {
        match name(line) {
            Some(name) if above.is_test => {
                let body = body(&lines[index..]);
                let mut comments = above.comments;
                comments.extend(body.iter().filter_map(|line| comment(line)));
                tests.push(Test {
                    name: name.to_owned(),
                    path: path.clone(),
                    comments: comments.join(" "),
                    body: body.join(" "),
                });
                above = Above::default();
            }
            _ => above.take(line),
        }
    }
    tests
}

/// The comments and attributes right above a line.
#[derive(Default)]
struct Above<'a> {
    comments: Vec<&'a str>,
    is_test: bool,
    /// Inside an attribute of several lines.
    in_attribute: bool,
}

impl<'a> Above<'a> {
    fn take(&mut self, line: &'a str) {
        let line = line.trim();
        if self.in_attribute || line.starts_with("#[") {
            self.in_attribute = !line.ends_with(']');
            self.is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            return;
        }
        match comment(line) {
            // The file's own comment is about all of it.
            Some(comment) if !line.starts_with("//!") => self.comments.push(comment),
            _ => *self = Self::default(),
        }
    }
}

/// The text of a comment that a line consists of or ends with.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim();
    let comment = match line.strip_prefix("//") {
        Some(comment) => comment.trim_start_matches('/'),
        None => line.split_once(" // ")?.1,
    };
    Some(comment.trim())
}

/// The name of the function that a line begins.
fn name(line: &str) -> Option<&str> {
    let mut line = line.trim_start();
    for qualifier in ["pub(crate) ", "pub ", "async "] {
        line = line.strip_prefix(qualifier).unwrap_or(line);
    }
    let (name, _) = line.strip_prefix("fn ")?.split_once('(')?;
    Some(name)
}

/// The lines of a function, up to the brace below its first letter.
fn body<'a, 'l>(lines: &'l [&'a str]) -> &'l [&'a str] {
    let indentation = lines
        .first()
        .map_or(0, |line| line.len() - line.trim_start().len());
    let ends = |line: &&str| line.trim_end() == format!("{}}}", " ".repeat(indentation));
    let length = lines.iter().position(ends).map_or(1, |last| last + 1);
    &lines[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let tests = tests_in(Path::new("a.rs"), text);
        let found: Vec<_> = tests
            .iter()
            .map(|test| (test.name.as_str(), test.comments.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_test_has_the_comments_above_and_inside() {
        let text = "\
//! C-HS-1.

/// C-HS-2: first,
/// second.
#[tokio::test(start_paused = true)]
async fn one() {
    // C-HS-3.
    f(); // C-HS-4.
    g(\"}\");
}

/// C-HS-5.
fn no_test() {}

/// C-HS-6.

#[test]
#[expect(
    clippy::all,
    reason = \"long\"
)]
fn two() {
}

proptest! {
    /// C-HS-7.
    #[test]
    fn three(a in any::<u8>()) {
        h(a);
    }
}
";
        check(
            text,
            &[
                ("one", "C-HS-2: first, second. C-HS-3. C-HS-4."),
                ("two", ""),
                ("three", "C-HS-7."),
            ],
        );
        let tests = tests_in(Path::new("a.rs"), text);
        assert!(tests[0].body.ends_with("g(\"}\"); }"), "{}", tests[0].body);
    }

    #[test]
    fn what_is_no_test_takes_its_comments_along() {
        check(
            "/// C-HS-1.\nstruct A;\n#[test]\nfn a() {\n}\n",
            &[("a", "")],
        );
        check(
            "/// C-HS-1.\n#[derive(Debug)]\nstruct A;\nfn a() {\n}\n",
            &[],
        );
    }
}
