//! Nothing goes round in circles: what happens is bounded by the time that passes.

use std::time::Duration;

use super::Invariant;
use crate::fact::Fact;

/// Also keeps a simulation whose clock stands still from going on for ever.
#[derive(Debug, Default)]
pub(super) struct Progress {
    facts: u64,
}

/// Several times what the busiest simulations have.
const FACTS_PER_SECOND: u64 = 20_000;

impl Invariant for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn see(&mut self, at: Duration, _: &Fact) -> Result<(), String> {
        self.facts += 1;
        if self.facts > FACTS_PER_SECOND * (at.as_secs() + 2) {
            return Err(format!("{} facts", self.facts));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_still_is_noticed() {
        let mut progress = Progress::default();
        let mut told = 0;
        while progress.see(Duration::ZERO, &Fact::Calm).is_ok() {
            told += 1;
        }
        assert_eq!(told, FACTS_PER_SECOND * 2);
    }
}
