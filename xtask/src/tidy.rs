//! Reads the sources as text: fails on what is never right, lists what deserves a second look.

mod names;

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::cargo::root;

/// Lines of code beyond which a file is listed.
const LONG: usize = 400;

/// Folders of the repository that hold our sources.
const FOLDERS: &[&str] = &["benches", "crates", "examples", "fuzz", "xtask"];

// Taken apart, so that this file does not find itself.
const MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// Something found in one file.
#[derive(Debug, PartialEq)]
enum Finding {
    /// The file does not open with `//!`.
    Unexplained,
    /// A mark for later without the number of an issue, on this line.
    StrayMark { line: usize },
    /// An ignored test, on this line.
    IgnoredTest { line: usize },
    /// More than [`LONG`] lines of code that are neither comment nor test.
    Long { code_lines: usize },
}

impl Finding {
    const fn is_never_right(&self) -> bool {
        match self {
            Self::Unexplained | Self::StrayMark { .. } | Self::IgnoredTest { .. } => true,
            Self::Long { .. } => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexplained => write!(f, "1: opens without `//!`"),
            Self::StrayMark { line } => write!(f, "{line}: {} without #NNN", MARKS.join(" or ")),
            Self::IgnoredTest { line } => write!(f, "{line}: ignored test"),
            Self::Long { code_lines } => {
                write!(f, " {code_lines} lines of code (aim below {LONG})")
            }
        }
    }
}

/// Reads every source file of the repository.
///
/// # Errors
/// How many findings are never right; they have been printed.
pub(crate) fn run() -> Result<()> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        let folder = root().join(folder);
        if folder.is_dir() {
            collect(&folder, &mut files)
                .with_context(|| format!("could not list {}", folder.display()))?;
        }
    }
    files.sort();
    let mut never_right = 0;
    let mut declared = BTreeSet::new();
    for file in &files {
        let text = fs::read_to_string(file)
            .with_context(|| format!("could not read {}", file.display()))?;
        let path = file.strip_prefix(root()).unwrap_or(file);
        for finding in findings(path, &text) {
            println!("{}:{finding}", path.display());
            never_right += usize::from(finding.is_never_right());
        }
        if path.starts_with("crates") && !is_test_file(path) {
            names::declared(&text, &mut declared);
        }
    }
    let page = fs::read_to_string(root().join(names::PAGE)).context(names::PAGE)?;
    for (line, name) in names::unknown(&page, &declared) {
        println!("{}:{line}: nothing is called {name}", names::PAGE);
        never_right += 1;
    }
    if never_right > 0 {
        bail!("tidy: {never_right} findings that are never right");
    }
    println!("tidy: {} files are in order", files.len());
    Ok(())
}

/// Adds the `.rs` files below `folder`, except those of hidden folders and of `target`.
pub(crate) fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Everything found in the text of one file, by line, the whole file's findings around them.
fn findings(path: &Path, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        findings.push(Finding::Unexplained);
    }
    for (number, line) in (1..).zip(text.lines()) {
        if has_stray_mark(line) {
            findings.push(Finding::StrayMark { line: number });
        }
        if line.trim_start().starts_with("#[ignore") {
            findings.push(Finding::IgnoredTest { line: number });
        }
    }
    let code_lines = if is_test_file(path) {
        0
    } else {
        code_lines(text)
    };
    if code_lines > LONG {
        findings.push(Finding::Long { code_lines });
    }
    findings
}

/// Whether a mark stands in the line as a word of its own, and no `#NNN` anywhere in the line.
fn has_stray_mark(line: &str) -> bool {
    let has_mark = line
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| MARKS.contains(&word));
    let has_issue = line
        .split('#')
        .skip(1)
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    has_mark && !has_issue
}

/// Whether the whole file is test code: `tests.rs`, or anything in a folder `tests`.
fn is_test_file(path: &Path) -> bool {
    path.components()
        .any(|component| component.as_os_str() == "tests")
        || path.file_name().is_some_and(|name| name == "tests.rs")
}

/// Lines that are neither empty nor comment, up to the test module at the foot of the file.
fn code_lines(text: &str) -> usize {
    text.lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[Finding]) {
        assert_eq!(findings(Path::new(path), text), expected);
    }

    #[test]
    fn a_file_opens_with_its_purpose() {
        check("a.rs", "//! What it is for.\n", &[]);
        check("a.rs", "", &[Finding::Unexplained]);
        check("a.rs", "\n//! Too late.\n", &[Finding::Unexplained]);
        check("a.rs", "// Not a doc comment.\n", &[Finding::Unexplained]);
        check("tests/a.rs", "use std::io;\n", &[Finding::Unexplained]);
    }

    #[test]
    fn marks_name_their_issue() {
        for mark in MARKS {
            check(
                "a.rs",
                &format!("//! A.\n\n// {mark}: later.\n"),
                &[Finding::StrayMark { line: 3 }],
            );
            check(
                "a.rs",
                &format!("//! A.\nf(); // {mark}(#12): later.\n"),
                &[],
            );
            check(
                "a.rs",
                &format!("//! A.\n// {mark} # 12.\n"),
                &[Finding::StrayMark { line: 2 }],
            );
            check(
                "a.rs",
                &format!("//! A.\nconst {mark}_LIST: u8 = 0;\n"),
                &[],
            );
        }
    }

    #[test]
    fn no_test_is_ignored() {
        let ignored = &[Finding::IgnoredTest { line: 2 }];
        check("a.rs", "//! A.\n#[ignore]\n", ignored);
        check("tests/a.rs", "//! A.\n    #[ignore = \"slow\"]\n", ignored);
        check("a.rs", "//! A.\n// Never `#[ignore]`.\n", &[]);
    }

    #[test]
    fn long_files_are_listed_by_their_code() {
        let code = "f();\n".repeat(LONG);
        check("a.rs", &format!("//! A.\n{code}"), &[]);
        check("a.rs", &format!("//! A.\n{code}\n    // Why.\n\n"), &[]);
        check(
            "a.rs",
            &format!("//! A.\n{code}}}\n"),
            &[Finding::Long {
                code_lines: LONG + 1,
            }],
        );
        check(
            "a.rs",
            &format!("//! A.\n{code}#[cfg(test)]\nmod tests {{\n}}\n"),
            &[],
        );
        check("tests/a.rs", &format!("//! A.\n{code}}}\n"), &[]);
        check("src/frame/tests.rs", &format!("//! A.\n{code}}}\n"), &[]);
    }

    #[test]
    fn only_length_is_tolerated() {
        assert!(
            !Finding::Long {
                code_lines: LONG + 1
            }
            .is_never_right()
        );
        for finding in [
            Finding::Unexplained,
            Finding::StrayMark { line: 1 },
            Finding::IgnoredTest { line: 1 },
        ] {
            assert!(finding.is_never_right(), "{finding:?}");
        }
    }
}
