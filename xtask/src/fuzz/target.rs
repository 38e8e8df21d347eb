//! One fuzz target: its folders, its run, and what libFuzzer said of it.

use std::{
    fmt, fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::build::Binaries;
use crate::cargo::root;

/// Inputs are not made longer than this, in bytes.
pub(super) const LONGEST: &str = "-max_len=4096";
/// Seconds after which one input is a finding; all take milliseconds on a machine that is free.
const SLOWEST: &str = "-timeout=20";

/// A target, by its name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    name: String,
}

impl Target {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is checked in.
    pub(super) fn corpus(&self) -> PathBuf {
        root().join("fuzz/corpus").join(&self.name)
    }

    /// What once broke something.
    pub(super) fn regressions(&self) -> PathBuf {
        root().join("fuzz/regressions").join(&self.name)
    }

    /// What runs on this machine found that reaches something new.
    pub(super) fn found(&self) -> PathBuf {
        root().join("fuzz/target/corpus").join(&self.name)
    }

    /// What runs on this machine found that breaks something.
    fn findings(&self) -> PathBuf {
        root().join("fuzz/target/findings").join(&self.name)
    }

    fn log(&self) -> PathBuf {
        root().join("fuzz/target/logs").join(&self.name)
    }

    /// Runs it.
    ///
    /// # Errors
    /// It could not be started. A finding is no error, but in the report.
    pub(super) fn fuzz(&self, binaries: &Binaries, duration: Duration) -> Result<Report> {
        let [found, findings, log] = [self.found(), self.findings(), self.log()];
        for folder in [Some(found.as_path()), Some(&findings), log.parent()] {
            fs::create_dir_all(folder.unwrap_or(&found))?;
        }
        // New inputs go to the first folder.
        let mut command = self.command(binaries);
        command
            .arg(format!("-max_total_time={}", duration.as_secs()))
            .args([LONGEST, SLOWEST, "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", findings.display()))
            .arg(&found);
        let kept = [self.corpus(), self.regressions()];
        command.args(kept.iter().filter(|folder| folder.is_dir()));
        let printed = fs::File::create(&log)?;
        let status = command
            .stderr(printed)
            .status()
            .with_context(|| format!("could not start {}", self.name))?;
        let text = fs::read(&log)?;
        let mut report = Report::parse(&self.name, &String::from_utf8_lossy(&text));
        if !status.success() {
            report.finding.get_or_insert_default();
        }
        Ok(report)
    }

    /// Its command, up to what libFuzzer is told.
    pub(super) fn command(&self, binaries: &Binaries) -> Command {
        let mut command = Command::new(binaries.path(self));
        command
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .env("RUST_BACKTRACE", "1");
        command
    }
}

/// What a run came to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Report {
    name: String,
    executions: u64,
    per_second: u64,
    /// Edges of the code that some input reached.
    coverage: u64,
    new_inputs: u64,
    finding: Option<Finding>,
}

/// An input that broke something.
#[derive(Debug, Default, PartialEq)]
struct Finding {
    /// What was said about it.
    message: String,
    /// Where libFuzzer left the input.
    input: Option<PathBuf>,
}

impl Report {
    pub(super) const HEADING: &str =
        "target        executions    per s  coverage  new inputs  outcome";

    pub(super) fn found_nothing(&self) -> bool {
        self.finding.is_none()
    }

    /// From what libFuzzer printed.
    fn parse(name: &str, log: &str) -> Self {
        let number = |text: Option<&str>| {
            let word = text.and_then(|text| text.split_whitespace().next());
            word.and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        let last = |label: &str| {
            let found = log.rfind(label);
            number(found.and_then(|at| log.get(at + label.len()..)))
        };
        let input = log.lines().rev().find_map(|line| {
            line.split_once("Test unit written to ")
                .map(|(_, path)| PathBuf::from(path))
        });
        let message = log
            .lines()
            .skip_while(|line| !line.contains("panicked at") && !line.starts_with("=="))
            .take_while(|line| !line.starts_with("stack backtrace"))
            .take(12);
        let finding = input.map(|input| Finding {
            message: message.collect::<Vec<_>>().join("\n"),
            input: Some(input),
        });
        Self {
            name: name.into(),
            executions: last("stat::number_of_executed_units:"),
            per_second: last("stat::average_exec_per_sec:"),
            coverage: last(" cov:"),
            new_inputs: last("stat::new_units_added:"),
            finding,
        }
    }
}

impl fmt::Display for Report {
    /// A row below [`Report::HEADING`], and after it what was found.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            executions,
            per_second,
            coverage,
            new_inputs,
            finding,
        } = self;
        write!(
            f,
            "{name:<12}  {executions:>10}  {per_second:>7}  {coverage:>8}  {new_inputs:>10}  "
        )?;
        let Some(Finding { message, input }) = finding else {
            return f.write_str("nothing found");
        };
        writeln!(f, "FOUND SOMETHING\n{message}")?;
        match input {
            Some(input) => {
                let input = input.strip_prefix(root()).unwrap_or(input).display();
                write!(
                    f,
                    "to reproduce: mkdir -p fuzz/regressions/{name} && \
                     cp {input} fuzz/regressions/{name}/ && cargo test -p rpc-checks"
                )
            }
            None => write!(f, "it failed without an input: see fuzz/target/logs/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_found_nothing_is_summed_up() {
        let log = "#2\tINITED cov: 3 ft: 4 corp: 1/1b\n#99\tDONE   cov: 48 ft: 60 corp: 9/9b\n\
            Done 99 runs in 1 second(s)\nstat::number_of_executed_units: 99\n\
            stat::average_exec_per_sec:     98\nstat::new_units_added:          7\n";
        let report = Report::parse("frames", log);
        assert_eq!(
            report,
            Report {
                name: "frames".into(),
                executions: 99,
                per_second: 98,
                coverage: 48,
                new_inputs: 7,
                finding: None,
            }
        );
        assert!(report.found_nothing());
        assert!(report.to_string().ends_with("nothing found"), "{report}");
    }

    #[test]
    fn a_finding_is_told_with_its_input() {
        let log = "#2\tNEW    cov: 3\n\nthread 'main' panicked at src/a.rs:1:2:\nnot equal\n\
            stack backtrace:\n   0: f\n==1== ERROR: libFuzzer: deadly signal\n\
            artifact_prefix='x'; Test unit written to x/crash-1\n";
        let report = Report::parse("frames", log);
        let finding = report.finding.as_ref().unwrap();
        assert_eq!(
            finding.message,
            "thread 'main' panicked at src/a.rs:1:2:\nnot equal"
        );
        assert_eq!(finding.input, Some("x/crash-1".into()));
        let text = report.to_string();
        assert!(
            text.contains("cp x/crash-1 fuzz/regressions/frames/"),
            "{text}"
        );
    }

    #[test]
    fn a_run_that_is_too_slow_is_a_finding() {
        let log = "==1== ERROR: libFuzzer: timeout after 20 seconds\n\
            artifact_prefix='x'; Test unit written to x/timeout-1\n";
        let report = Report::parse("values", log);
        assert!(!report.found_nothing());
        assert!(report.to_string().contains("timeout after 20 seconds"));
    }
}
