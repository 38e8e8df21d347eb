//! What became of each vector and recording, as lines for people and as counts.

use std::fmt;
use std::io::{self, Write};

use rpc_testkit::golden::Malformed;

/// Why something did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Something is not what it should be.
    Differs {
        /// What was looked at.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The input itself is wrong.
    Malformed(String),
    /// It could not be checked.
    Unchecked(String),
}

/// What a check says.
pub(crate) type Checked<T = ()> = Result<T, Problem>;

impl Problem {
    pub(crate) fn differs(
        what: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::Differs {
            what: what.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// The same, found in a part of what was looked at.
    pub(crate) fn within(self, part: impl fmt::Display) -> Self {
        match self {
            Self::Differs {
                what,
                expected,
                found,
            } => Self::Differs {
                what: format!("{part}: {what}"),
                expected,
                found,
            },
            Self::Malformed(why) => Self::Malformed(format!("{part}: {why}")),
            Self::Unchecked(why) => Self::Unchecked(format!("{part}: {why}")),
        }
    }
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs {
                what,
                expected,
                found,
            } => write!(f, "{what}: expected {expected}, found {found}"),
            Self::Malformed(why) => write!(f, "malformed: {why}"),
            Self::Unchecked(why) => f.write_str(why),
        }
    }
}

/// How many vectors and recordings passed, failed, or could not be checked.
///
/// Shown as the last line of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// All of it is as it should be.
    pub passed: usize,
    /// Something is not, or the input is malformed or unreadable.
    pub failed: usize,
    /// A kind or a type of vectors that is not known here.
    pub skipped: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// Counts outcomes, and prints a line for each that is not a pass.
pub(crate) struct Report<'o> {
    output: &'o mut (dyn Write + Send),
    summary: Summary,
}

impl<'o> Report<'o> {
    pub(crate) fn new(output: &'o mut (dyn Write + Send)) -> Self {
        Self {
            output,
            summary: Summary::default(),
        }
    }

    /// Takes the outcome for what is at `place`: a file, or a file and an entry.
    pub(crate) fn add(&mut self, place: impl fmt::Display, outcome: &Checked) -> io::Result<()> {
        let (count, label, problem) = match outcome {
            Ok(()) => {
                self.summary.passed += 1;
                return Ok(());
            }
            Err(problem @ Problem::Unchecked(_)) => (&mut self.summary.skipped, "SKIP", problem),
            Err(problem) => (&mut self.summary.failed, "FAIL", problem),
        };
        *count += 1;
        // One line each, whatever the input's names contain.
        let line = format!("{label} {place}: {problem}").replace(['\n', '\r'], " ");
        writeln!(self.output, "{line}")
    }

    /// Prints the last line.
    pub(crate) fn finish(self) -> io::Result<Summary> {
        writeln!(self.output, "{}", self.summary)?;
        Ok(self.summary)
    }
}
