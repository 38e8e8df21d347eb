//! Which trace context a `tracing` span has.
//!
//! A context is kept in the span's extensions, where every subscriber built on
//! [`tracing_subscriber::Registry`] has room for it; so there is no layer to install. A span gets
//! one when it is first asked for, from its parent's.

use tracing::{Dispatch, Span, dispatcher};
use tracing_subscriber::Registry;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::TraceContext;

impl TraceContext {
    /// The context of the span that this code runs in. Calls made here belong to it.
    ///
    /// `None` outside of spans, and if the subscriber is not built on
    /// [`tracing_subscriber::Registry`].
    pub fn current() -> Option<Self> {
        dispatcher::get_default(|dispatch| {
            let current = dispatch.current_span();
            let registry = dispatch.downcast_ref::<Registry>()?;
            Some(of(&registry.span(current.id()?)?))
        })
    }

    /// Gives a span this context: for spans that continue a trace which came by another way, as
    /// an HTTP header does. What is in the span already keeps its own. Nothing, if the span is
    /// disabled, or the subscriber not built on [`tracing_subscriber::Registry`].
    ///
    /// ```
    /// use rpc_observe::TraceContext;
    ///
    /// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let caller: TraceContext = header.parse()?;
    /// let span = tracing::info_span!("checkout");
    /// caller.child().attach(&span);
    /// let _in_span = span.enter();
    /// // What is called here belongs to the caller's trace.
    /// # Ok::<(), rpc_observe::TraceContextError>(())
    /// ```
    pub fn attach(self, span: &Span) {
        span.with_subscriber(|(id, dispatch): (_, &Dispatch)| {
            let registry = dispatch.downcast_ref::<Registry>();
            if let Some(span) = registry.and_then(|registry| registry.span(id)) {
                span.extensions_mut().replace(self);
            }
        });
    }
}

/// The span's context; spans around it that have none get theirs.
fn of(span: &SpanRef<'_, Registry>) -> TraceContext {
    let mut around: Option<TraceContext> = None;
    for span in span.scope().from_root() {
        let mut extensions = span.extensions_mut();
        let own = extensions
            .get_mut()
            .map(|context: &mut TraceContext| *context);
        around = own.or_else(|| {
            let new = around.map_or_else(TraceContext::root, |around| around.child());
            extensions.insert(new);
            Some(new)
        });
    }
    // The scope of a span contains the span.
    around.unwrap_or_else(TraceContext::root)
}

#[cfg(test)]
mod tests {
    use tracing::info_span;

    use super::*;

    #[test]
    fn spans_within_a_span_belong_to_its_trace() {
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry());
        assert_eq!(TraceContext::current(), None);
        let outer = info_span!("outer");
        let inner = {
            let _outer = outer.enter();
            info_span!("inner")
        };
        let within = inner.in_scope(TraceContext::current).unwrap();
        let around = outer.in_scope(TraceContext::current).unwrap();
        assert_eq!(within.trace_id(), around.trace_id());
        assert_ne!(within.span_id(), around.span_id());
        // Asking again changes nothing.
        assert_eq!(inner.in_scope(TraceContext::current), Some(within));
        let other = info_span!("other").in_scope(TraceContext::current).unwrap();
        assert_ne!(other.trace_id(), around.trace_id());
    }

    #[test]
    fn attached_context_is_that_of_what_follows() {
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry());
        let given = TraceContext::root();
        let span = info_span!("continued");
        given.attach(&span);
        let _in_span = span.enter();
        assert_eq!(TraceContext::current(), Some(given));
        let within = info_span!("within").in_scope(TraceContext::current);
        assert_eq!(within.unwrap().trace_id(), given.trace_id());
    }

    #[test]
    fn there_is_none_without_a_registry() {
        let _guard = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
        let span = info_span!("span");
        TraceContext::root().attach(&span);
        assert_eq!(span.in_scope(TraceContext::current), None);
    }
}
