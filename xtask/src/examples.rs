//! Runs every example, and compares what it prints with what it says at its top that it prints.
//!
//! The expected lines are the example's first `text` block; `…` in one stands for anything.

use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context as _, Result, bail};

use crate::cargo::{Cargo, root};

/// Only a broken example takes that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often is looked whether an example is over.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Builds the examples, and runs one after the other.
///
/// # Errors
/// The first one that fails, takes too long, or prints something else.
pub(crate) fn run() -> Result<()> {
    Cargo::new("build -p examples --examples").run()?;
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("examples"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(
                path.file_stem()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    for name in &names {
        check(name).with_context(|| format!("example {name}"))?;
        println!("{name}: ok");
    }
    Ok(())
}

fn check(name: &str) -> Result<()> {
    let source = fs::read_to_string(root().join(format!("examples/{name}.rs")))?;
    let expected = promised(&source);
    if expected.is_empty() {
        bail!("does not say what it prints");
    }
    let printed = output(name)?;
    match first_difference(&expected, &printed) {
        None => Ok(()),
        Some(line) => bail!("line {line} is not as promised; it printed:\n{printed}"),
    }
}

/// The lines of the first `text` block in the documentation of the file.
fn promised(source: &str) -> Vec<&str> {
    let docs = source.lines().map_while(|line| line.strip_prefix("//!"));
    let docs = docs.map(|line| line.strip_prefix(' ').unwrap_or(line));
    docs.skip_while(|line| *line != "```text")
        .skip(1)
        .take_while(|line| *line != "```")
        .collect()
}

/// The first line, counted from 1, that is missing, too much, or different.
fn first_difference(expected: &[&str], printed: &str) -> Option<usize> {
    let printed: Vec<_> = printed.lines().collect();
    let count = expected.len().max(printed.len());
    let differs = |index: &usize| match (expected.get(*index), printed.get(*index)) {
        (Some(pattern), Some(line)) => !matches(pattern, line),
        _ => true,
    };
    (0..count).find(differs).map(|index| index + 1)
}

/// Whether the line is the pattern with something in the place of each `…`.
fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

/// What the example prints.
fn output(name: &str) -> Result<String> {
    // Cargo turns into the example, so that killing the one kills the other.
    let mut child = Cargo::new(&format!("run --quiet -p examples --example {name}"))
        .command()
        .stdout(Stdio::piped())
        .spawn()
        .context("could not be started")?;
    let mut stdout = child.stdout.take().context("has no output")?;
    let reader = thread::spawn(move || {
        let mut printed = String::new();
        stdout.read_to_string(&mut printed).map(|_| printed)
    });
    let status = wait(&mut child)?;
    let printed = match reader.join() {
        Ok(printed) => printed?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    if !status {
        bail!("failed; it printed:\n{printed}");
    }
    Ok(printed)
}

/// Whether it has succeeded. It is killed when it takes too long.
fn wait(child: &mut Child) -> Result<bool> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if start.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("is not over after {} s", PATIENCE.as_secs());
        }
        thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_is_the_first_text_block() {
        let source = "//! What.\n//!\n//! ```proto\n//! no\n//! ```\n//! ```text\n//! a\n//!\n//! b\n//! \
                      ```\n//! ```text\n//! c\n//! ```\nfn main() {}\n";
        assert_eq!(promised(source), ["a", "", "b"]);
        assert!(promised("//! Nothing.\n// ```text\n// a\n// ```\n").is_empty());
    }

    #[test]
    fn ellipsis_stands_for_anything() {
        for (pattern, line) in [
            ("a", "a"),
            ("…", ""),
            ("…", "ab"),
            ("a … c", "a b b c"),
            ("a…", "a"),
            ("…=…, x", "k=v, x"),
            ("… x … x", "a x b x c x"),
        ] {
            assert!(matches(pattern, line), "{pattern:?} {line:?}");
        }
        for (pattern, line) in [
            ("a", "ab"),
            ("a", ""),
            ("a…", "b"),
            ("…a", "ab"),
            ("…=…", "none"),
            ("a…a", "a"),
        ] {
            assert!(!matches(pattern, line), "{pattern:?} {line:?}");
        }
    }

    #[test]
    fn every_line_counts() {
        assert_eq!(first_difference(&["a", "…"], "a\nb\n"), None);
        assert_eq!(first_difference(&["a", "b"], "a\nc\n"), Some(2));
        assert_eq!(first_difference(&["a", "b"], "a\n"), Some(2));
        assert_eq!(first_difference(&["a"], "a\nb\n"), Some(2));
    }
}
