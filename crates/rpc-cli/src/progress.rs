//! How far something is that takes its time: a bar on the standard error, if that is a terminal
//! and the output is not. Where the output itself can be seen, it shows how far things are.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is over sooner needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

const STEPS: &str = "{wide_bar} {pos}/{len} {eta}";
const BYTES: &str = "{wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";

/// A bar that appears after a second, and is wiped away when this is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    appears: Option<Instant>,
}

impl Progress {
    /// Of so many steps.
    pub(crate) fn steps(all: u64) -> Self {
        Self::new(all, STEPS)
    }

    /// Of so many bytes.
    pub(crate) fn bytes(all: u64) -> Self {
        Self::new(all, BYTES)
    }

    fn new(all: u64, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let seen = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
        Self {
            bar,
            appears: seen.then(|| Instant::now() + PATIENCE),
        }
    }

    /// So much more is done.
    pub(crate) fn advance(&mut self, by: u64) {
        if self.appears.is_some_and(|at| Instant::now() >= at) {
            self.appears = None;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(by);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_can_be_read() {
        for template in [STEPS, BYTES] {
            ProgressStyle::with_template(template).unwrap();
        }
    }

    /// Tests are not at a terminal, or their output is captured.
    #[test]
    fn nothing_is_shown_to_nobody() {
        let mut progress = Progress::steps(3);
        progress.appears = None;
        progress.advance(2);
        assert!(progress.bar.is_hidden());
        assert_eq!(progress.bar.position(), 2);
    }
}
