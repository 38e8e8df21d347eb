//! Proves that the simulation can fail: breaks the code in meaningful ways, one at a time, and
//! counts the seeds that notice.
//!
//! A mutation is a patch in `crates/rpc-simulation/mutations`, whose first line says what it
//! breaks. It is applied to a copy of the sources below `target/mutations`.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Arguments, simulation};
use crate::cargo::root;

/// Seeds for each mutation, unless it is said how many.
const SEEDS: u64 = 300;

const FOLDER: &str = "crates/rpc-simulation/mutations";

/// One way to break the code.
#[derive(Debug)]
struct Mutation {
    name: String,
    what: String,
    patch: PathBuf,
}

/// A copy of the sources.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
}

/// Applies each mutation, and prints how many seeds noticed and by which invariants.
///
/// # Errors
/// A mutation cannot be applied or built, or no seed noticed it; or the code without any is
/// noticed.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let seeds = arguments.seeds.unwrap_or(SEEDS);
    let copy = Copy::make()?;
    let unbroken = copy.count(seeds, arguments)?;
    ensure!(unbroken.is_empty(), "without any mutation: {unbroken:?}");
    let mut unnoticed = Vec::new();
    let mut table = Vec::new();
    for mutation in mutations()? {
        copy.apply(&mutation.patch, &[])?;
        let counts = copy.count(seeds, arguments);
        copy.apply(&mutation.patch, &["--reverse"])?;
        let counts = counts.with_context(|| mutation.name.clone())?;
        let noticed: u64 = counts.values().sum();
        let mut by = counts.iter().collect::<Vec<_>>();
        by.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let by: Vec<_> = by.iter().map(|(name, n)| format!("{name} {n}")).collect();
        let by = by.join(", ");
        println!("{}: {noticed} of {seeds} ({by})", mutation.name);
        table.push(format!("| {} | {noticed} | {by} |", mutation.what));
        if noticed == 0 {
            unnoticed.push(mutation.name);
        }
    }
    println!("\n| Mutation | Seeds of {seeds} that notice | By invariant |\n|---|---|---|");
    println!("{}", table.join("\n"));
    ensure!(unnoticed.is_empty(), "not noticed: {unnoticed:?}");
    Ok(())
}

/// Sees whether each mutation could be applied to the sources as they are.
///
/// # Errors
/// One could not: the code it breaks has changed.
pub(super) fn check() -> Result<()> {
    for mutation in mutations()? {
        apply(root(), &mutation.patch, &["--check"])?;
    }
    Ok(())
}

fn mutations() -> Result<Vec<Mutation>> {
    let folder = root().join(FOLDER);
    let mut mutations = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("no {FOLDER}"))? {
        let patch = entry?.path();
        if patch.extension() != Some(OsStr::new("patch")) {
            continue;
        }
        let text = fs::read_to_string(&patch)?;
        let what = text.lines().next().unwrap_or_default().to_owned();
        let name = patch.file_stem().unwrap_or_default();
        mutations.push(Mutation {
            name: name.to_string_lossy().into_owned(),
            what,
            patch,
        });
    }
    mutations.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(mutations)
}

fn apply(tree: &Path, patch: &Path, options: &[&str]) -> Result<()> {
    let status = Command::new("git")
        .args(["apply", "-C1"])
        .args(options)
        .arg(patch)
        .current_dir(tree)
        // The copy lies within a repository, and is none of its business.
        .env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap_or(tree))
        .status()
        .context("could not start git")?;
    ensure!(
        status.success(),
        "git apply {options:?} {}",
        patch.display()
    );
    Ok(())
}

impl Copy {
    /// Copies every source file that differs from the copy there may be, so that little is built
    /// anew.
    fn make() -> Result<Self> {
        let target = env::var_os("CARGO_TARGET_DIR");
        let target = target.map_or_else(|| root().join("target"), PathBuf::from);
        let copy = Self {
            tree: target.join("mutations").join("tree"),
            target: target.join("mutations").join("target"),
        };
        let listed = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            // Whatever belongs to the workspace; these do not, and are large.
            .args([".", ":!benches", ":!fuzz", ":!conformance"])
            .current_dir(root())
            .stderr(Stdio::inherit())
            .output()
            .context("could not start git")?;
        ensure!(listed.status.success(), "git ls-files");
        for path in listed.stdout.split(|byte| *byte == 0) {
            let path = Path::new(std::str::from_utf8(path)?);
            if !path.as_os_str().is_empty() {
                copy.update(path)?;
            }
        }
        Ok(copy)
    }

    fn update(&self, path: &Path) -> Result<()> {
        let from = root().join(path);
        let content = match fs::read(&from) {
            Ok(content) => content,
            // Deleted, and still in the index.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(|| from.display().to_string()),
        };
        let to = self.tree.join(path);
        if fs::read(&to).is_ok_and(|there| there == content) {
            return Ok(());
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&to, content).with_context(|| to.display().to_string())
    }

    fn apply(&self, patch: &Path, options: &[&str]) -> Result<()> {
        apply(&self.tree, patch, options)
    }

    /// Builds it as it is, and counts the seeds that fail, by invariant.
    fn count(&self, seeds: u64, arguments: &Arguments) -> Result<BTreeMap<String, u64>> {
        let target = self.target.display().to_string();
        let mut line = vec!["--count".to_owned()];
        line.extend(["--seeds".to_owned(), seeds.to_string()]);
        line.extend(["--first".to_owned(), arguments.first.to_string()]);
        if let Some(jobs) = arguments.jobs {
            line.extend(["--jobs".to_owned(), jobs.to_string()]);
        }
        // Each is built anew, and runs few seeds: what takes time is building.
        let cargo = simulation("run", &line)
            .environment("CARGO_TARGET_DIR", &target)
            .environment("CARGO_INCREMENTAL", "1")
            .environment("CARGO_PROFILE_SIMULATION_OPT_LEVEL", "1");
        let output = cargo
            .command()
            .current_dir(&self.tree)
            .stderr(Stdio::piped())
            .output()
            .with_context(|| format!("could not start {cargo}"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            if errors.contains("does not end") {
                return Ok(BTreeMap::from([("does not end".to_owned(), 1)]));
            }
            bail!("{cargo}\n{errors}");
        }
        let counts = String::from_utf8(output.stdout)?;
        let count = |line: &str| {
            let (name, count) = line.rsplit_once(' ')?;
            Some((name.to_owned(), count.parse().ok()?))
        };
        Ok(counts.lines().filter_map(count).collect())
    }
}
