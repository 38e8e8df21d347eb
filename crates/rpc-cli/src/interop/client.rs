//! Runs cases one after the other, and tells how they went.

use std::io::{self, Write};

use super::cases::Case;
use super::check::{Failure, Outcome};
use super::run::{Run, Target};
use crate::progress::Progress;
use crate::watch::text;

/// The longest line of a failure.
const MAX_TEXT: usize = 1000;

/// How many cases passed and failed, and of how many the server lacks what they are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

/// What becomes of a case that did not fail.
enum Done {
    Passed,
    /// The server does not implement this RPC, and need not.
    Skipped(&'static str),
}

/// Runs the cases in order, and writes a line for each and one for all.
///
/// # Errors
/// The lines cannot be written.
pub(crate) async fn run(
    target: Target,
    cases: impl IntoIterator<Item = &'static Case>,
    out: &mut impl Write,
) -> io::Result<Tally> {
    let cases: Vec<_> = cases.into_iter().collect();
    let mut progress = Progress::steps(cases.len() as u64);
    let mut run = Run::new(target);
    let mut tally = Tally::default();
    for case in cases {
        match check(case, &mut run).await {
            Ok(Done::Passed) => {
                tally.passed += 1;
                writeln!(out, "ok {}", case.name)?;
            }
            Ok(Done::Skipped(rpc)) => {
                tally.skipped += 1;
                let name = case.name;
                writeln!(out, "skip {name}: the server does not implement {rpc}")?;
            }
            Err(failure) => {
                tally.failed += 1;
                writeln!(out, "FAIL {}: {}", case.name, describe(failure))?;
                // What the failure left behind must not spoil the cases that follow.
                run.forget_connection();
            }
        }
        out.flush()?;
        progress.advance(1);
    }
    drop(progress);
    let Tally {
        passed,
        failed,
        skipped,
    } = tally;
    write!(out, "{passed} passed, {failed} failed")?;
    if skipped > 0 {
        write!(out, ", {skipped} skipped")?;
    }
    writeln!(out)?;
    out.flush()?;
    Ok(tally)
}

async fn check(case: &Case, run: &mut Run) -> Outcome<Done> {
    if let Some(rpc) = case.needs
        && !run.is_offered(rpc).await?
    {
        return Ok(Done::Skipped(rpc));
    }
    (case.check)(run).await?;
    Ok(Done::Passed)
}

/// The failure with its causes, which may quote the peer, on one line.
fn describe(failure: Failure) -> String {
    text::clean(&format!("{:#}", anyhow::Error::from(failure)), MAX_TEXT)
}
