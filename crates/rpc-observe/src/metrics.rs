//! Counters, gauges and histograms of calls, through the crate `metrics`.

mod series;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{counter, gauge};
use rpc_core::connection::LimitsMet;
use rpc_core::{Connection, Event, Kind, SendFailure, TracingEventRef};
use rpc_wire::Description;

use crate::call::{Outcome, Side, Step, step};
use crate::open_calls::{Change, Ended, OpenCalls};
use series::{Series, Table};

/// Measures the calls on connections.
///
/// | Name | Kind | Labels | |
/// |---|---|---|---|
/// | `rpc_connections` | gauge | | connections that are observed now |
/// | `rpc_connections_total` | counter | | connections that were |
/// | `rpc_open_calls` | gauge | `side`, `rpc`, `version` | calls without their last answer |
/// | `rpc_calls_total` | counter | and `outcome` | calls that are over |
/// | `rpc_answer_seconds` | histogram | and `outcome` | from the query to the answer, of a stream to the initial one |
/// | `rpc_stream_seconds` | histogram | and `outcome` | from the query to the end of a stream |
/// | `rpc_stream_parts_total` | counter | `side`, `rpc`, `version` | initial responses and updates |
/// | `rpc_bytes_total` | counter | and `direction` | bodies of the calls' messages |
/// | `rpc_send_failures_total` | counter | and `failure` | messages that were not sent |
/// | `rpc_limits_met_total` | counter | `limit` | how often a peer wanted more than it may; see [`record_limits`](Self::record_limits) |
///
/// `side` is [`Side`], `outcome` is [`Outcome`], `direction` is `sent` or `received`, `failure` is
/// `closed` or `too_large`. A callee's time is that between reading the query and enqueueing the
/// answer; a caller's is that and the way.
///
/// Labels cost memory for ever, and a peer may ask for whatever it likes: of the queries that
/// arrive, those for an RPC that was not [named](Self::implementing) are counted under the name
/// `other` and version 0; and so are those for another 1000 names, of the queries that leave.
///
/// The recorder has to be installed before anything is observed. Cheap to clone; the clones share
/// what they know of labels.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    table: Arc<Mutex<Table>>,
}

/// One connection that is being observed.
struct Observed {
    table: Arc<Mutex<Table>>,
    calls: Mutex<OpenCalls<Arc<Series>>>,
}

impl Metrics {
    /// Of a program that implements nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts queries for these RPCs by their names, too: those of
    /// [`Implementations::descriptions`](rpc_core::Implementations::descriptions).
    #[must_use]
    pub fn implementing<'a>(self, rpcs: impl IntoIterator<Item = &'a Description>) -> Self {
        lock(&self.table).implementing(rpcs);
        self
    }

    /// Observes a connection until it is over. To miss nothing, do so in the function that makes
    /// the connection's [state](Connection::serve).
    pub fn observe(&self, connection: &Connection) {
        gauge!("rpc_connections").increment(1);
        counter!("rpc_connections_total").increment(1);
        let observed = Observed {
            table: self.table.clone(),
            calls: Mutex::new(OpenCalls::new()),
        };
        connection
            .subscribe(move |event| observed.hear(event))
            .until_the_end();
    }
}

impl Metrics {
    /// Records how often each [limit](rpc_core::connection::Limit) was met. They are counted whether
    /// anybody observes or not, and so they are recorded when this is called: before metrics are
    /// exported, for instance.
    pub fn record_limits(met: &LimitsMet) {
        for (limit, times) in met.iter() {
            counter!("rpc_limits_met_total", "limit" => limit.name()).absolute(times);
        }
    }
}

impl Observed {
    fn calls(&self) -> MutexGuard<'_, OpenCalls<Arc<Series>>> {
        lock(&self.calls)
    }

    fn hear(&self, event: &TracingEventRef<'_>) {
        let (series, change) = match step(event.event) {
            Some((side, step)) => {
                let Some(known) = self.advance(side, step, event) else {
                    return;
                };
                known
            }
            None => {
                let Some(series) = self.calls().get(Side::Callee, event.id).cloned() else {
                    return;
                };
                (series, None)
            }
        };
        match event.event {
            Event::Sent(_) => series.sent(event.payload_bytes),
            Event::Received(_) => series.received(event.payload_bytes),
            Event::FailedToSend(_, failure) => series.failed_to_send(match failure {
                SendFailure::Closed => "closed",
                SendFailure::TooLarge => "too_large",
            }),
            // There are no others.
            _ => {}
        }
        match change {
            Some(Change::Answered(after)) => series.answered(after),
            Some(Change::Continued) => series.part(),
            Some(Change::Ended(call)) => over(&call),
            Some(Change::Aborted) | None => {}
        }
    }

    /// The series of the event's call, and what has become of the call.
    fn advance(
        &self,
        side: Side,
        step: Step,
        event: &TracingEventRef<'_>,
    ) -> Option<(Arc<Series>, Option<Change<Arc<Series>>>)> {
        let refused = matches!(event.event, Event::FailedToSend(Kind::Query, _));
        if step == Step::Begin || refused {
            let series = lock(&self.table).series(side, event.rpc);
            series.began();
            let displaced = self.calls().begin(side, event.id, series.clone());
            displaced.iter().for_each(over);
            if step == Step::Begin {
                return Some((series, None));
            }
        }
        let mut calls = self.calls();
        let series = calls.get(side, event.id)?.clone();
        let change = calls.advance(side, event.id, step);
        Some((series, change))
    }
}

impl Drop for Observed {
    /// The connection is over.
    fn drop(&mut self) {
        let open = self.calls().end();
        open.for_each(|(_, call)| over(&call));
        gauge!("rpc_connections").decrement(1);
    }
}

fn over(call: &Ended<Arc<Series>>) {
    let outcome: Outcome = call.outcome;
    call.kept.over(outcome, call.after, call.was_stream);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").finish_non_exhaustive()
    }
}
