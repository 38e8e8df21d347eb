//! Builds the package `fuzz` so that libFuzzer sees which code an input reaches.
//!
//! This is what `cargo fuzz build --sanitizer none` does, without cargo-fuzz and with the stable
//! compiler: the instrumentation is a pass of LLVM, and passes are stable options.

use std::{
    env, fmt,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use super::target::Target;
use crate::cargo::{Cargo, root};

/// A counter for each edge of the code, the table of their places, and the values that
/// comparisons compare.
const INSTRUMENTED: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    --cfg fuzzing -Ccodegen-units=1";

/// Where the built targets are.
#[derive(Debug)]
pub(super) struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    pub(super) fn path(&self, target: &Target) -> PathBuf {
        self.folder.join(target.name())
    }
}

impl fmt::Display for Binaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.strip_prefix(root());
        folder.unwrap_or(&self.folder).display().fmt(f)
    }
}

/// Builds the targets.
///
/// # Errors
/// No C++ compiler, or the command that failed.
pub(super) fn build(targets: &[Target]) -> Result<Binaries> {
    require_cpp_compiler()?;
    let host = host()?;
    let names = targets.iter().flat_map(|target| ["--bin", target.name()]);
    let names: Vec<_> = names.map(str::to_owned).collect();
    // With a target named, build scripts and procedural macros are built without the flags.
    Cargo::new("build --release --manifest-path fuzz/Cargo.toml --target-dir fuzz/target")
        .arguments(&["--target".to_owned(), host.clone()])
        .arguments(&names)
        .environment("RUSTFLAGS", INSTRUMENTED)
        .run()?;
    Ok(Binaries {
        folder: root().join("fuzz/target").join(host).join("release"),
    })
}

/// libFuzzer itself is C++, which the crate `libfuzzer-sys` compiles.
fn require_cpp_compiler() -> Result<()> {
    let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let status = Command::new(&compiler)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => bail!(
            "fuzzing needs a C++ compiler, and {} does not run: install g++ or clang, or name \
             one in the environment variable CXX",
            compiler.display()
        ),
    }
}

/// The machine that the compiler runs on and builds for.
fn host() -> Result<String> {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler)
        .arg("-vV")
        .output()
        .context("could not start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("rustc did not name its host")
}
