//! Nothing panics.

use std::time::Duration;

use super::Invariant;
use crate::fact::Fact;

/// In tasks that nobody waits for, too.
#[derive(Debug, Default)]
pub(super) struct Panics;

impl Invariant for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn see(&mut self, _: Duration, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Panicked(text) => Err(text.clone()),
            _ => Ok(()),
        }
    }
}
