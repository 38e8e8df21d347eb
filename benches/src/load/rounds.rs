//! How long and how often something is measured, and which samples count.

use std::{fmt, thread, time::Duration};

use anyhow::{Context as _, Result};
use clap::Args;

use super::{Sample, awake::Awake};

/// What others may have of all processors before a sample is taken again, as a part of them.
const OTHERS_LIMIT: f64 = 0.06;

/// How long one turn is if nothing is to be measured.
const QUICK: Duration = Duration::from_millis(50);

/// How long and how often.
#[derive(Clone, Debug, Args)]
pub struct Rounds {
    /// How long one system is measured in one round, after a warm-up of a fifth of that.
    #[arg(long, default_value_t = 0.4)]
    seconds: f64,
    /// How often every system gets its turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How often a sample is taken again because others had more than 6 % of the processors; the
    /// last one counts in any case, and is counted as disturbed.
    #[arg(long, default_value_t = 20)]
    retakes: usize,
    /// Keep idle processors from sleeping, so that what it takes to wake them is not measured; takes
    /// root. Otherwise they do what they are set to do.
    #[arg(long)]
    awake: bool,
    /// One round of a twentieth of a second: proves that everything runs, measures nothing.
    #[arg(long, conflicts_with_all = ["seconds", "rounds", "retakes", "awake"])]
    quick: bool,
}

impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        if self.quick {
            write!(f, "{cores} cores, one short round: measures nothing")
        } else {
            let Self {
                seconds,
                rounds,
                awake,
                ..
            } = self;
            let awake = if *awake { " kept awake" } else { "" };
            write!(f, "{cores} cores{awake}, {rounds} rounds of {seconds} s")
        }
    }
}

impl Rounds {
    /// Whether nothing is to be measured.
    pub fn is_quick(&self) -> bool {
        self.quick
    }

    /// Keeps the processors awake, if that is asked for, for as long as the result exists.
    ///
    /// # Errors
    /// It cannot be done.
    pub fn keep_awake(&self) -> Result<Option<Awake>> {
        self.awake.then(Awake::keep).transpose()
    }

    /// How often.
    pub fn count(&self) -> usize {
        if self.quick { 1 } else { self.rounds }
    }

    /// How long each time.
    ///
    /// # Errors
    /// The number given is none of seconds.
    pub fn duration(&self) -> Result<Duration> {
        if self.quick {
            return Ok(QUICK);
        }
        Duration::try_from_secs_f64(self.seconds).context("--seconds")
    }

    /// The order in which so many take their turns in a round: every other time in reverse, so that
    /// nobody always runs on the heels of the same neighbour.
    pub fn turns(&self, round: usize, count: usize) -> Vec<usize> {
        let mut turns: Vec<usize> = (0..count).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        turns
    }

    /// Takes a sample, and takes it again if others had too much of the processors, so often at
    /// most. What it says makes no difference.
    ///
    /// # Errors
    /// That of a sample.
    pub fn take(&self, mut take: impl FnMut() -> Result<Sample>) -> Result<Sample> {
        let retakes = if self.quick { 0 } else { self.retakes };
        let mut sample = take()?;
        for _ in 0..retakes {
            if !sample.is_disturbed() {
                break;
            }
            sample = take()?;
        }
        Ok(sample)
    }
}

impl Sample {
    /// Whether others had too much of the processors for it to say anything.
    pub fn is_disturbed(&self) -> bool {
        self.others > OTHERS_LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::super::duel;
    use super::*;

    const TWO_RETAKES: Rounds = Rounds {
        seconds: 1.0,
        rounds: 1,
        retakes: 2,
        awake: false,
        quick: false,
    };

    fn sample(others: f64) -> Sample {
        Sample {
            count: 1,
            wall: Duration::from_secs(1),
            cpu: Duration::from_secs(1),
            others,
            latencies: duel::latencies(),
        }
    }

    #[test]
    fn only_disturbed_samples_are_taken_again() {
        let taken = |all: &[f64]| {
            let mut left = all.iter();
            let next = || Ok(sample(*left.next().unwrap()));
            let kept = TWO_RETAKES.take(next).unwrap();
            (kept.others, all.len() - left.len())
        };
        assert_eq!(taken(&[0.06]), (0.06, 1));
        assert_eq!(taken(&[0.07, 0.01, 0.0]), (0.01, 2));
        // There is an end to it, and the last one shows what it is.
        assert_eq!(taken(&[0.5, 0.4, 0.3, 0.0]), (0.3, 3));
    }

    #[test]
    fn neighbours_change() {
        assert_eq!(TWO_RETAKES.turns(0, 3), [0, 1, 2]);
        assert_eq!(TWO_RETAKES.turns(1, 3), [2, 1, 0]);
    }
}
