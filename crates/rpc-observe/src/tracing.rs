//! A span for each call, whose caller and callee belong to one trace.
//!
//! ```text
//! caller's process                              callee's process
//! span "checkout"
//!   └ span "rpc_call"  ── query, traceparent ─►   span "rpc_handle", of the same trace:
//!                                                   its parent is "rpc_call"
//!                                                     └ spans of the handler, and its calls
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rpc_core::connection::{HookAlreadySet, MetadataHook};
use rpc_core::{Connection, TracingEventRef};
use rpc_wire::{DescriptionRef, QueryId};
use tracing::Span;
use tracing::field::{Empty, display};

use crate::call::{Outcome, Side, Step, step};
use crate::open_calls::{Change, Ended, OpenCalls};
use crate::{TRACEPARENT_KEY, TraceContext};

/// Gives each call on a connection a span, and carries the trace from the caller to the callee.
///
/// The caller's span, `rpc_call`, lies in the span that dispatches; the callee's, `rpc_handle`, has
/// no parent in its process, and the implementation runs in it, with its future and stream. Both
/// are of level `INFO` and target `rpc_observe`, and have these fields:
///
/// | Field | |
/// |---|---|
/// | `rpc`, `id`, `connection` | name and version, the query's id, what this side calls the connection |
/// | `trace_id`, `span_id`, `parent_id` | the [context](TraceContext), and its parent's span |
/// | `outcome` | recorded at the end: see [`Outcome`] |
/// | `parts` | recorded at the end of a stream: initial response and updates |
///
/// The [tracing events](rpc_core::TracingEvent) of the call are events in it: parts of a stream of
/// level `TRACE`, the others `DEBUG`. A span is open until its call is over, or the connection.
///
/// The context travels in the metadata of the query: see [`TRACEPARENT_KEY`]. A peer that knows
/// nothing of it ignores it; a query without one begins a trace. Metadata that is no context is
/// none. Which trace the caller's current span belongs to is known if the subscriber is built on
/// `tracing_subscriber::Registry`; otherwise each call begins a trace, and still goes on at the
/// callee.
///
/// # Examples
///
/// ```
/// use rpc_core::{Implementations, Rpc, Server};
/// use rpc_observe::Tracing;
///
/// static ADD: Rpc<(i64, i64), i64> = Rpc::new("add", 1);
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let implementations = Implementations::builder()
///     .implement(&ADD, |(): &(), (a, b): (i64, i64)| async move {
///         tracing::info!("adding"); // within the span `rpc_handle`
///         Ok(a.wrapping_add(b))
///     })
///     .build()?;
/// let tracing = Tracing::new();
/// let server = Server::builder(implementations, move |_, connection| {
///     // Nobody else has set the key of a new connection.
///     let _set = tracing.observe(connection);
/// });
/// # let _ = server;
/// # Ok(())
/// # }
/// # example().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Tracing {
    key: i64,
}

/// One connection that is being observed.
struct Observed {
    connection: String,
    calls: Mutex<OpenCalls<Kept>>,
}

/// What is kept of a call.
#[derive(Debug, Default)]
struct Kept {
    /// A callee's call has none until its metadata was seen.
    span: Option<Span>,
    parts: u64,
}

impl Tracing {
    /// With contexts under [`TRACEPARENT_KEY`].
    pub fn new() -> Self {
        Self {
            key: TRACEPARENT_KEY,
        }
    }

    /// With contexts under another key of the metadata; both ends have to agree.
    #[must_use]
    pub fn key(mut self, key: i64) -> Self {
        self.key = key;
        self
    }

    /// Observes a connection until it is over. To miss nothing, do so in the function that makes
    /// the connection's [state](Connection::serve).
    ///
    /// # Errors
    /// The key has a [hook](Connection::set_metadata_hook) already. Nothing is observed then.
    pub fn observe(&self, connection: &Connection) -> Result<(), HookAlreadySet> {
        let observed = Arc::new(Observed {
            connection: connection.description().to_owned(),
            calls: Mutex::new(OpenCalls::new()),
        });
        let (caller, callee) = (observed.clone(), observed.clone());
        let hook = MetadataHook::new()
            .when_sending(move |rpc, id| Some(caller.call(rpc, id).to_string()))
            .on_receive(move |rpc, id, payload| callee.handle(rpc, id, payload));
        connection.set_metadata_hook(self.key, hook)?;
        let listening = Listening(observed);
        connection
            .subscribe(move |event| listening.0.hear(event))
            .until_the_end();
        Ok(())
    }
}

impl Default for Tracing {
    fn default() -> Self {
        Self::new()
    }
}

impl Observed {
    fn calls(&self) -> MutexGuard<'_, OpenCalls<Kept>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A query is about to be sent from here.
    fn call(&self, rpc: DescriptionRef<'_>, id: QueryId) -> TraceContext {
        let parent = TraceContext::current();
        let context = parent.map_or_else(TraceContext::root, |parent| parent.child());
        let span = tracing::info_span!(
            target: "rpc_observe",
            "rpc_call",
            %rpc,
            %id,
            connection = self.connection,
            trace_id = Empty,
            span_id = Empty,
            parent_id = Empty,
            outcome = Empty,
            parts = Empty,
        );
        record(&span, context, parent);
        let kept = Kept {
            span: Some(span),
            parts: 0,
        };
        let displaced = self.calls().begin(Side::Caller, id, kept);
        displaced.into_iter().for_each(close);
        context
    }

    /// A query has arrived, or the abort of a stream. The result is what the implementation runs
    /// in.
    fn handle(&self, rpc: DescriptionRef<'_>, id: QueryId, payload: Option<&[u8]>) -> Span {
        match self.calls().get(Side::Callee, id) {
            // The abort of a stream that is over, or a query that came before anybody listened.
            None => return Span::none(),
            Some(Kept {
                span: Some(span), ..
            }) => return span.clone(),
            Some(Kept { span: None, .. }) => {}
        }
        // The subscriber is the user's, and runs without our lock.
        let parent = payload.and_then(|bytes| TraceContext::from_bytes(bytes).ok());
        let context = parent.map_or_else(TraceContext::root, |parent| parent.child());
        let span = tracing::info_span!(
            target: "rpc_observe",
            parent: None,
            "rpc_handle",
            %rpc,
            %id,
            connection = self.connection,
            trace_id = Empty,
            span_id = Empty,
            parent_id = Empty,
            outcome = Empty,
            parts = Empty,
        );
        record(&span, context, parent);
        if let Some(kept) = self.calls().get(Side::Callee, id) {
            kept.span = Some(span.clone());
        }
        span
    }

    fn hear(&self, event: &TracingEventRef<'_>) {
        let Some((side, step)) = step(event.event) else {
            return;
        };
        if (side, step) == (Side::Callee, Step::Begin) {
            let displaced = self.calls().begin(side, event.id, Kept::default());
            return displaced.into_iter().for_each(close);
        }
        let mut calls = self.calls();
        let Some(kept) = calls.get(side, event.id) else {
            return;
        };
        kept.parts += u64::from(step == Step::Part);
        let span = kept.span.clone().unwrap_or_else(Span::none);
        let change = calls.advance(side, event.id, step);
        drop(calls);
        if step == Step::Part {
            tracing::trace!(target: "rpc_observe", parent: &span, "{event}");
        } else {
            tracing::debug!(target: "rpc_observe", parent: &span, "{event}");
        }
        if let Some(Change::Ended(ended)) = change {
            close(ended);
        }
    }
}

/// Writes into the span where it belongs.
fn record(span: &Span, context: TraceContext, parent: Option<TraceContext>) {
    context.attach(span);
    let TraceIds { trace, own } = TraceIds::of(context);
    span.record("trace_id", display(trace));
    span.record("span_id", display(own));
    if let Some(parent) = parent {
        span.record("parent_id", display(TraceIds::of(parent).own));
    }
}

/// A context's ids as they are shown.
struct TraceIds {
    trace: String,
    own: String,
}

impl TraceIds {
    fn of(context: TraceContext) -> Self {
        Self {
            trace: format!("{:032x}", context.trace_id()),
            own: format!("{:016x}", context.span_id()),
        }
    }
}

fn close(call: Ended<Kept>) {
    let Some(span) = call.kept.span else {
        return;
    };
    let outcome: Outcome = call.outcome;
    span.record("outcome", display(outcome));
    if call.was_stream {
        span.record("parts", call.kept.parts);
    }
}

/// The listener's hold on what it observes; its drop is the end of the connection.
struct Listening(Arc<Observed>);

impl Drop for Listening {
    fn drop(&mut self) {
        let open = self.0.calls().end();
        open.for_each(|(_, call)| close(call));
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
