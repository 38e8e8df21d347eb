//! The suite's client as a process, and what it printed.

use std::process::{Command, Output};

/// Clients at a time: they mostly wait.
pub(super) const AT_ONCE: usize = 4;

/// What a client printed, and whether it was content.
pub(super) struct Run {
    pub(super) is_success: bool,
    pub(super) lines: Vec<String>,
    pub(super) stderr: String,
}

pub(super) fn client(args: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_rpc"))
        .args(["interop", "client"])
        .args(args)
        .output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.unwrap();
    Run {
        is_success: status.success(),
        lines: String::from_utf8(stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

impl Run {
    /// The last line, and the ones before it.
    pub(super) fn split(&self) -> (&str, &[String]) {
        let (last, cases) = self.lines.split_last().unwrap();
        (last, cases)
    }
}
