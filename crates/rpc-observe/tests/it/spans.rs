//! What a subscriber is told of spans, on the thread of the test.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// A span with its fields, and the events in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    pub(crate) name: &'static str,
    pub(crate) fields: BTreeMap<&'static str, String>,
    pub(crate) events: Vec<String>,
    pub(crate) is_closed: bool,
}

impl Span {
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        let field = self.fields.get(name);
        field.unwrap_or_else(|| panic!("{self:?} has no {name}"))
    }
}

/// Collects spans until it is dropped.
pub(crate) struct Spans {
    all: Arc<Mutex<BTreeMap<u64, Span>>>,
    _guard: DefaultGuard,
}

impl Spans {
    pub(crate) fn new() -> Self {
        let all: Arc<Mutex<BTreeMap<u64, Span>>> = Arc::default();
        let subscriber = tracing_subscriber::registry().with(Collector(all.clone()));
        Self {
            all,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// Those of this name, in order.
    pub(crate) fn called(&self, name: &str) -> Vec<Span> {
        let all = self.all.lock().unwrap();
        all.values()
            .filter(|span| span.name == name)
            .cloned()
            .collect()
    }

    /// The only one of this name.
    #[track_caller]
    pub(crate) fn only(&self, name: &str) -> Span {
        let [span] = self.called(name).try_into().unwrap();
        span
    }
}

struct Collector(Arc<Mutex<BTreeMap<u64, Span>>>);

/// Ids are used again; numbers are not.
struct Number(u64);

impl Collector {
    fn with<S>(&self, id: Option<&Id>, context: &Context<'_, S>, act: impl FnOnce(&mut Span))
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(span) = id.and_then(|id| context.span(id)) else {
            return;
        };
        let number = span.extensions().get::<Number>().unwrap().0;
        act(self.0.lock().unwrap().get_mut(&number).unwrap());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collector {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut all = self.0.lock().unwrap();
        let number = all.len() as u64;
        let span = context.span(id).unwrap();
        span.extensions_mut().insert(Number(number));
        let mut new = Span {
            name: span.name(),
            ..Span::default()
        };
        attributes.record(&mut Fields(&mut new.fields));
        all.insert(number, new);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.with(Some(id), &context, |span| {
            values.record(&mut Fields(&mut span.fields));
        });
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let id = context.event_span(event).map(|span| span.id());
        self.with(id.as_ref(), &context, |span| {
            let mut fields = BTreeMap::new();
            event.record(&mut Fields(&mut fields));
            span.events.push(fields.remove("message").unwrap());
        });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.with(Some(&id), &context, |span| span.is_closed = true);
    }
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}
