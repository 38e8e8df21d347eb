//! Mistakes of the derive's users, and what is said about them.
//!
//! What the derive says is compared word by word (`tests/ui`); `TRYBUILD=overwrite` writes it anew.
//! Other mistakes are found by the compiler in what the derive wrote (`tests/compiler`). Its words
//! change from release to release, so of these only the lines are compared, the codes, and what is
//! ours of the words.
//!
//! Here and not in `bin-prot`: the compiler is given a package with all that this one's tests
//! depend on, which is built for the purpose, and `bin-prot`'s tests depend on much more.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn mistakes_are_shown_at_their_line() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

#[test]
fn mistakes_that_the_compiler_finds_are_shown_at_their_line() {
    let files = cases();
    let output = compiler_output(&files);
    assert!(files.len() >= 7, "{files:?}");
    for file in files {
        let expected = expected(&file);
        assert!(!expected.is_empty(), "{}", file.display());
        let found = errors(&output, &file);
        let lines = |errors: &[Mistake]| -> BTreeSet<(usize, Option<String>)> {
            let place = |mistake: &Mistake| (mistake.line, mistake.code.clone());
            errors.iter().map(place).collect()
        };
        assert_eq!(
            lines(&found),
            lines(&expected),
            "{}\n{output}",
            file.display()
        );
        for mistake in expected {
            let is_said =
                |other: &&Mistake| other.line == mistake.line && other.text.contains(&mistake.text);
            assert!(
                found.iter().any(|other| is_said(&other)),
                "{mistake:?}\n{output}"
            );
        }
    }
}

/// An error, or the expectation of one.
#[derive(Debug)]
struct Mistake {
    line: usize,
    /// The compiler's number; the derive's errors have none.
    code: Option<String>,
    text: String,
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compiler");
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The lines that end with `//~ CODE TEXT`, both optional.
fn expected(file: &Path) -> Vec<Mistake> {
    let text = fs::read_to_string(file).unwrap();
    let mistakes = text.lines().zip(1..).filter_map(|(line, number)| {
        let (_, comment) = line.split_once("//~")?;
        let (code, text) = match comment.trim().split_once(' ') {
            Some((code, text)) => (code, text),
            None => (comment.trim(), ""),
        };
        Some(Mistake {
            line: number,
            code: (!code.is_empty()).then(|| code.to_owned()),
            text: text.to_owned(),
        })
    });
    mistakes.collect()
}

/// The errors in one file, from lines such as `fields.rs:9:9: error[E0277]: …`.
fn errors(output: &str, file: &Path) -> Vec<Mistake> {
    let name = file.to_str().unwrap();
    let errors = output.lines().filter_map(|line| {
        let (line, rest) = line
            .strip_prefix(name)?
            .strip_prefix(':')?
            .split_once(':')?;
        let (_column, rest) = rest.split_once(": error")?;
        let (code, text) = match rest.strip_prefix('[') {
            Some(rest) => rest
                .split_once("]: ")
                .map(|(code, text)| (Some(code), text))?,
            None => (None, rest.strip_prefix(": ")?),
        };
        Some(Mistake {
            line: line.parse().unwrap(),
            code: code.map(str::to_owned),
            text: text.to_owned(),
        })
    });
    errors.collect()
}

/// What the compiler says of the files, each a program of one package.
fn compiler_output(files: &[PathBuf]) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let bin_prot = workspace.join("crates/bin-prot").canonicalize().unwrap();
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistakes");
    fs::create_dir_all(&package).unwrap();
    let programs: String = files
        .iter()
        .map(|file| {
            let name = file.file_stem().unwrap().to_str().unwrap();
            format!("[[bin]]\nname = {name:?}\npath = {file:?}\n\n")
        })
        .collect();
    let manifest = format!(
        "[package]\nname = \"mistakes\"\nedition = \"2024\"\npublish = false\n\n\
         [workspace]\n\n[dependencies]\nbin-prot = {{ path = {bin_prot:?} }}\n\n{programs}"
    );
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    // The versions that were downloaded for everything else.
    let versions = workspace.join("Cargo.lock");
    fs::copy(versions, package.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--bins", "--keep-going", "--offline", "--quiet"])
        .args(["--message-format", "short", "--color", "never"])
        .current_dir(&package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .output()
        .unwrap();
    assert!(!output.status.success(), "the mistakes were accepted");
    String::from_utf8(output.stderr).unwrap()
}
