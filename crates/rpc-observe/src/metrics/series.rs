//! The metrics of one RPC, and which RPCs have metrics of their own.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use rpc_wire::{Description, DescriptionRef};

use crate::call::{Outcome, Side};

/// The most RPCs that this process calls, and that have metrics of their own.
const MOST_CALLED: usize = 1000;

/// The metrics of every RPC so far.
#[derive(Debug, Default)]
pub(super) struct Table {
    implemented: HashSet<Description>,
    called: HashMap<Description, Arc<Series>>,
    answered: HashMap<Description, Arc<Series>>,
    others: HashMap<Side, Arc<Series>>,
}

/// The metrics of one RPC, on one side.
pub(super) struct Series {
    labels: Labels,
    open: Gauge,
    parts: OnceLock<Counter>,
    sent: Counter,
    received: Counter,
    outcomes: [OfOutcome; Outcome::ALL.len()],
}

struct Labels {
    side: Side,
    rpc: String,
    version: String,
}

/// Calls that ended in one way. Each metric is there once there is something to measure: what is
/// never answered with a stream has none of streams.
#[derive(Default)]
struct OfOutcome {
    calls: OnceLock<Counter>,
    answer: OnceLock<Histogram>,
    stream: OnceLock<Histogram>,
}

impl Labels {
    fn array(&self) -> [(&'static str, String); 3] {
        [
            ("side", self.side.as_str().to_owned()),
            ("rpc", self.rpc.clone()),
            ("version", self.version.clone()),
        ]
    }

    fn with(&self, key: &'static str, value: &str) -> [(&'static str, String); 4] {
        let [side, rpc, version] = self.array();
        [side, rpc, version, (key, value.to_owned())]
    }
}

impl Table {
    pub(super) fn implementing<'a>(&mut self, rpcs: impl IntoIterator<Item = &'a Description>) {
        self.implemented.extend(rpcs.into_iter().cloned());
        self.implemented.insert(rpc_core::MENU_RPC.description());
    }

    pub(super) fn series(&mut self, side: Side, rpc: DescriptionRef<'_>) -> Arc<Series> {
        let rpc = rpc.to_description();
        let (known, has_place) = match side {
            Side::Caller => (&mut self.called, true),
            Side::Callee => (&mut self.answered, self.implemented.contains(&rpc)),
        };
        if let Some(series) = known.get(&rpc) {
            return series.clone();
        }
        if has_place && known.len() < MOST_CALLED.max(self.implemented.len()) {
            let name = String::from_utf8_lossy(rpc.name.as_bytes()).into_owned();
            let series = Arc::new(Series::new(side, name, rpc.version));
            known.insert(rpc, series.clone());
            return series;
        }
        let other = || Arc::new(Series::new(side, "other".to_owned(), 0));
        self.others.entry(side).or_insert_with(other).clone()
    }
}

impl Series {
    fn new(side: Side, rpc: String, version: i64) -> Self {
        let labels = Labels {
            side,
            rpc,
            version: version.to_string(),
        };
        let bytes = |direction| counter!("rpc_bytes_total", &labels.with("direction", direction));
        let (sent, received) = (bytes("sent"), bytes("received"));
        Self {
            open: gauge!("rpc_open_calls", &labels.array()),
            parts: OnceLock::new(),
            sent,
            received,
            outcomes: Default::default(),
            labels,
        }
    }

    pub(super) fn began(&self) {
        self.open.increment(1);
    }

    /// The first part of a stream: for whoever waited, the answer.
    pub(super) fn answered(&self, after: Duration) {
        self.answer(Outcome::Ok).record(after);
        self.part();
    }

    pub(super) fn part(&self) {
        let parts = || counter!("rpc_stream_parts_total", &self.labels.array());
        self.parts.get_or_init(parts).increment(1);
    }

    pub(super) fn over(&self, outcome: Outcome, after: Duration, was_stream: bool) {
        self.open.decrement(1);
        let labels = || self.labels.with("outcome", outcome.as_str());
        let OfOutcome { calls, stream, .. } = &self.outcomes[outcome as usize];
        let counter = || counter!("rpc_calls_total", &labels());
        calls.get_or_init(counter).increment(1);
        if was_stream {
            let histogram = || histogram!("rpc_stream_seconds", &labels());
            stream.get_or_init(histogram).record(after);
        } else {
            self.answer(outcome).record(after);
        }
    }

    fn answer(&self, outcome: Outcome) -> &Histogram {
        let labels = || self.labels.with("outcome", outcome.as_str());
        let histogram = || histogram!("rpc_answer_seconds", &labels());
        self.outcomes[outcome as usize]
            .answer
            .get_or_init(histogram)
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.sent.increment(number(bytes));
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received.increment(number(bytes));
    }

    pub(super) fn failed_to_send(&self, failure: &'static str) {
        let labels = self.labels.with("failure", failure);
        counter!("rpc_send_failures_total", &labels).increment(1);
    }
}

/// No process counts further than 64 bits.
fn number(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Labels { side, rpc, version } = &self.labels;
        write!(f, "Series({side} of {rpc} version {version})")
    }
}
