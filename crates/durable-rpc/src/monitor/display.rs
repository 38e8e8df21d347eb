//! A subscription's state as one line.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::{Interruption, Monitor, Status};

impl fmt::Display for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.clock().now();
        let ago = |since: Instant| Seconds(now - since);
        write!(f, "{}: ", self.name())?;
        match self.status() {
            Status::NotStarted => f.write_str("not started")?,
            Status::Attempting { since } => write!(f, "attempting for {}", ago(since))?,
            Status::Subscribed { since } => write!(f, "subscribed for {}", ago(since))?,
            Status::Waiting { until, after, .. } => {
                let left = Seconds(until - now);
                write!(f, "next attempt in {left} after: {after}")?;
            }
            Status::GaveUp { since, after } => {
                write!(f, "given up {} ago after: {after}", ago(since))?;
            }
            Status::Closed => f.write_str("closed")?,
        }
        let stats = self.stats();
        write!(
            f,
            "; attempts {}, losses {}, updates {}, connected {}",
            stats.attempts,
            stats.losses,
            stats.updates,
            Seconds(stats.connected)
        )
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("name", &self.name())
            .field("status", &self.status())
            .field("stats", &self.stats())
            .finish()
    }
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("the stream ended"),
            Self::Silent => f.write_str("the stream was silent for too long"),
            Self::Resubscribed => f.write_str("the stream was ended on this side"),
            Self::Overflowed { dropped_updates } => {
                write!(f, "the consumer was too slow for {dropped_updates} updates")
            }
            Self::Refused(error) => write!(f, "an update did not fit: {error}"),
            Self::FailedToConnect(error) => error.fmt(f),
            Self::RpcError => f.write_str("the callee refused"),
        }
    }
}

/// As many digits as anybody wants to read.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let decimals = if seconds < 10.0 { 1 } else { 0 };
        write!(f, "{seconds:.decimals$} s")
    }
}
