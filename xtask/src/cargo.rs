//! Starts cargo in the root of the workspace, with its output left visible.

use std::{
    env,
    ffi::OsString,
    fmt,
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// One run of cargo, not started yet.
#[derive(Debug)]
pub(crate) struct Cargo {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    is_here: bool,
}

impl Cargo {
    /// A run of `cargo <line>`, the line split at its spaces, in the environment as it is.
    pub(crate) fn new(line: &str) -> Self {
        Self {
            arguments: line.split(' ').map(str::to_owned).collect(),
            environment: Vec::new(),
            is_here: false,
        }
    }

    /// The same with more arguments behind, each taken as it is.
    pub(crate) fn arguments(mut self, more: &[String]) -> Self {
        self.arguments.extend_from_slice(more);
        self
    }

    /// The same with one environment variable set.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, run where the user is instead of in the root: for arguments that are paths.
    pub(crate) fn here(mut self) -> Self {
        self.is_here = true;
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// The command line and the exit status, if it failed or could not be started.
    pub(crate) fn run(self) -> Result<()> {
        let shown = self.to_string();
        let status = self.status()?;
        if !status.success() {
            bail!("failed ({status}): {shown}");
        }
        Ok(())
    }

    /// Runs it to its end, which may be a failure.
    ///
    /// # Errors
    /// It could not be started.
    pub(crate) fn status(self) -> Result<ExitStatus> {
        println!("$ {self}");
        self.command()
            .status()
            .with_context(|| format!("could not start: {self}"))
    }

    /// The same, to be started otherwise.
    pub(crate) fn command(&self) -> Command {
        // Inside `cargo xtask` this is the very cargo that started us.
        let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        if !self.is_here {
            command.current_dir(root());
        }
        command
    }
}

impl fmt::Display for Cargo {
    /// The command as it would be typed into a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str("cargo")?;
        for argument in &self.arguments {
            write!(f, " {}", quoted(argument))?;
        }
        Ok(())
    }
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_as_a_shell_would_take_it() {
        let doc = Cargo::new("doc --no-deps").environment("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            doc.to_string(),
            "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps"
        );
        let bench = Cargo::new("bench --").arguments(&["it's".to_owned(), String::new()]);
        assert_eq!(bench.to_string(), r"cargo bench -- 'it'\''s' ''");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = Cargo::new("missing-on-purpose").run().unwrap_err();
        assert!(
            error.to_string().ends_with(": cargo missing-on-purpose"),
            "{error}"
        );
    }

    #[test]
    fn root_holds_the_workspace() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }
}
