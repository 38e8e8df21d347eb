//! Runs cases one after the other, and tells how they went.

use std::io::{self, Write};

use super::cases::Case;
use super::check::Failure;
use super::run::{Run, Target};
use crate::progress::Progress;
use crate::watch::text;

/// The longest line of a failure.
const MAX_TEXT: usize = 1000;

/// How many cases passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
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
        match (case.check)(&mut run).await {
            Ok(()) => {
                tally.passed += 1;
                writeln!(out, "ok {}", case.name)?;
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
    let Tally { passed, failed } = tally;
    writeln!(out, "{passed} passed, {failed} failed")?;
    out.flush()?;
    Ok(tally)
}

/// The failure with its causes, which may quote the peer, on one line.
fn describe(failure: Failure) -> String {
    text::clean(&format!("{:#}", anyhow::Error::from(failure)), MAX_TEXT)
}
