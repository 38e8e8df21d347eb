//! What one simulation will be: who takes part with which settings, and what the adversary does
//! when. All of it follows from the seed, and all of it is data, so that it can be printed, made
//! smaller and run again.

pub mod action;
mod generate;

use std::fmt;
use std::time::Duration;

use crate::names::{ConsumerName, DurableName, ServerName};
use action::Action;

/// One simulation, before it runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it was made from; also decides latencies and how bytes are cut into segments.
    pub seed: u64,
    /// One for each server.
    pub servers: Vec<ServerPlan>,
    /// One for each durable value.
    pub durables: Vec<DurablePlan>,
    /// One for each consumer.
    pub consumers: Vec<ConsumerPlan>,
    /// What the adversary does, in order of time.
    pub script: Vec<Timed>,
    /// When the adversary has stopped whatever it does.
    pub faults_end: Duration,
}

/// Something that the adversary does at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed {
    /// Since the beginning.
    pub at: Duration,
    /// What.
    pub action: Action,
}

/// A server's settings.
#[derive(Clone, Copy, Debug)]
pub struct ServerPlan {
    /// Between two publications.
    pub interval: Duration,
    /// Publishes this many numbers at once, now and then.
    pub burst: u64,
    /// How long bytes take to it, and back.
    pub latency: Duration,
}

/// The settings of a durable value and its connections, on both sides.
#[derive(Clone, Copy, Debug)]
pub struct DurablePlan {
    /// Where it connects to.
    pub server: ServerName,
    /// Between two heartbeats.
    pub send_every: Duration,
    /// Silence that is tolerated.
    pub timeout: Duration,
    /// For connecting, and for each step of the handshake.
    pub handshake_timeout: Duration,
    /// The highest wire version that it offers.
    pub version: i64,
    /// Whether it holds the peer's menu beside the connection.
    pub with_menu: bool,
    /// How it comes to its connections.
    pub kind: Kind,
}

/// How a durable value comes to its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It makes them when it is used.
    Creates,
    /// It has a function of its own for what comes after the first.
    Rebuilds,
    /// It has those of a persistent connection.
    Persists {
        /// Between the beginnings of two attempts.
        retry_delay: Duration,
        /// Whether that is exact.
        exact: bool,
    },
}

impl Kind {
    /// The longest time between the beginnings of two attempts, if they are not those of uses.
    pub fn longest_retry(self) -> Duration {
        match self {
            Self::Creates | Self::Rebuilds => Duration::ZERO,
            Self::Persists { retry_delay, .. } => retry_delay.mul_f64(1.3),
        }
    }
}

/// How a subscription is made, and what is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Durable state subscription.
    State,
    /// The same, made only if the first attempt succeeds.
    StateOrFail,
    /// A state RPC whose client pushes back.
    PushesBack,
    /// Durable pipe subscription.
    Pipe,
    /// The same, made only if the first attempt succeeds.
    PipeOrFail,
    /// A dispatch function that asks the menu which version of the state RPC to use.
    Versioned,
    /// A state RPC of both versions, whose caller converts; of some updates that fails.
    Converted,
    /// A pipe RPC whose caller converts.
    ConvertedPipe,
    /// A state subscription with a bound on the updates that wait; more are merged.
    Merging(usize),
    /// The same; for more there is a new state.
    Dropping(usize),
    /// The same; more wait in their stream.
    Waiting(usize),
    /// A state that the updates are folded into.
    Followed,
}

impl Form {
    /// Whether it asks the peer's menu.
    pub fn is_versioned(self) -> bool {
        matches!(
            self,
            Self::Versioned | Self::Converted | Self::ConvertedPipe
        )
    }

    /// Whether the first attempt has to succeed.
    pub fn or_fails(self) -> bool {
        matches!(self, Self::StateOrFail | Self::PipeOrFail)
    }

    /// Whether its events include states.
    pub fn has_states(self) -> bool {
        !matches!(self, Self::Pipe | Self::PipeOrFail | Self::ConvertedPipe)
    }

    /// The bound on what waits for its consumer, if there is one beside the stream's.
    pub fn bound(self) -> Option<usize> {
        match self {
            Self::Merging(bound) | Self::Dropping(bound) | Self::Waiting(bound) => Some(bound),
            Self::State
            | Self::StateOrFail
            | Self::PushesBack
            | Self::Pipe
            | Self::PipeOrFail
            | Self::Versioned
            | Self::Converted
            | Self::ConvertedPipe
            | Self::Followed => None,
        }
    }
}

/// When a subscription is attempted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// After the same delay every time.
    Fixed(Duration),
    /// After delays whose bound doubles from the first to the cap.
    Exponential(Duration, Duration),
}

impl Pace {
    /// The longest delay.
    pub fn longest(self) -> Duration {
        match self {
            Self::Fixed(delay) => delay,
            Self::Exponential(_, cap) => cap,
        }
    }
}

/// How a consumer reads its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As soon as they come.
    Prompt,
    /// Gives up waiting now and then and asks again, which must lose nothing.
    Impatient,
    /// Is busy with each event for up to this long.
    Slow(Duration),
}

/// A consumer's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConsumerPlan {
    /// What it subscribes through.
    pub durable: DurableName,
    /// How.
    pub form: Form,
    /// When it attempts again.
    pub pace: Pace,
    /// How long a stream may bring nothing.
    pub silence_limit: Option<Duration>,
    /// How it reads.
    pub manner: Manner,
}

/// What a connection may take to write what it has when it closes.
pub const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
/// How long until the next try, if a subscription depends on its first attempt.
pub const TRY_AGAIN: Duration = Duration::from_millis(300);
/// What the transport may take for bytes that it does not take any more.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(3);

impl Plan {
    /// The longest that recovery may take once faults have stopped, as the settings imply: the
    /// detection of a dead peer, an attempt that was under way and has to time out, the delay,
    /// and an attempt that succeeds.
    pub fn recovery_bound(&self, consumer: &ConsumerPlan) -> Duration {
        let durable = self.durable(consumer.durable);
        let latency = self.server(durable.server).latency;
        // Given up at the first heartbeat after the timeout; then what is left is flushed, twice
        // over, and the input is drained.
        let detection = durable.timeout + durable.send_every + FLUSH_TIMEOUT * 3;
        // Connecting and both steps of the handshake, each to its limit.
        let attempt_under_way = durable.handshake_timeout * 3 + durable.kind.longest_retry() * 2;
        let attempt = latency * 10;
        // Whoever depends on a first attempt tries again.
        let again = if consumer.form.or_fails() {
            TRY_AGAIN
        } else {
            Duration::ZERO
        };
        // What is published is known some intervals later.
        let publication = self.server(durable.server).interval * 4;
        again + publication + detection + attempt_under_way + consumer.pace.longest() + attempt
    }

    /// The longest of all.
    pub fn longest_recovery(&self) -> Duration {
        let bounds = self.consumers.iter().map(|c| self.recovery_bound(c));
        bounds.max().unwrap_or_default()
    }

    /// Time for something to go to any server, and back, a few times.
    pub fn round_trips(&self) -> Duration {
        let latencies = self.servers.iter().map(|server| server.latency);
        latencies.max().unwrap_or_default() * 10
    }

    /// What a query of this consumer and its answer take, when nothing is wrong.
    pub fn round_trip(&self, name: ConsumerName) -> Duration {
        let consumer = &self.consumers[usize::from(name.0)];
        let server = self.durable(consumer.durable).server;
        self.server(server).latency * 2
    }

    /// The settings of this server.
    pub fn server(&self, name: ServerName) -> &ServerPlan {
        &self.servers[usize::from(name.0)]
    }

    /// The settings of this durable value.
    pub fn durable(&self, name: DurableName) -> &DurablePlan {
        &self.durables[usize::from(name.0)]
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        for (index, server) in self.servers.iter().enumerate() {
            let name = ServerName(u8::try_from(index).unwrap_or(u8::MAX));
            writeln!(
                f,
                "  {name}: publishes every {:?} (bursts of {}), latency {:?}",
                server.interval, server.burst, server.latency
            )?;
        }
        for (index, durable) in self.durables.iter().enumerate() {
            writeln!(
                f,
                "  connection {index}: to {}, heartbeats every {:?}, timeout {:?}, handshake \
                 timeout {:?}, wire version {}{}, {:?}",
                durable.server,
                durable.send_every,
                durable.timeout,
                durable.handshake_timeout,
                durable.version,
                if durable.with_menu { ", with menu" } else { "" },
                durable.kind,
            )?;
        }
        for (index, consumer) in self.consumers.iter().enumerate() {
            writeln!(
                f,
                "  consumer {index}: {:?} on {}, {:?}, reads {:?}, silence limit {:?}",
                consumer.form,
                consumer.durable,
                consumer.pace,
                consumer.manner,
                consumer.silence_limit
            )?;
        }
        for timed in &self.script {
            writeln!(f, "  at {:>9.3?}: {}", timed.at, timed.action)?;
        }
        write!(f, "  at {:>9.3?}: faults are over", self.faults_end)
    }
}
