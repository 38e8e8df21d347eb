//! What is logged by this thread, kept for a test to look at.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    /// The spans that have been entered.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

pub(crate) struct Log {
    kept: Arc<Mutex<Kept>>,
    _default: DefaultGuard,
}

#[derive(Default)]
struct Kept {
    entries: Vec<Entry>,
    /// By number, from 1: the name and the fields.
    spans: Vec<String>,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) level: String,
    target: String,
    /// The span that it is in.
    pub(crate) span: String,
    fields: Fields,
}

#[derive(Clone, Debug, Default)]
struct Fields(HashMap<&'static str, String>);

impl Log {
    /// Keeps what this thread logs.
    pub(crate) fn start() -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let keeping = Keeping(kept.clone());
        Self {
            kept,
            _default: tracing::subscriber::set_default(keeping),
        }
    }

    /// Everything so far whose target begins so.
    pub(crate) fn take(&self, target: &str) -> Vec<Entry> {
        let mut entries = std::mem::take(&mut self.kept.lock().unwrap().entries);
        entries.retain(|entry| entry.target.starts_with(target));
        entries
    }
}

impl Entry {
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        let Some(value) = self.fields.0.get(name) else {
            panic!("no {name} in {self:?}");
        };
        value
    }
}

impl Entry {
    /// What it says, apart from its fields.
    pub(crate) fn message(&self) -> &str {
        self.fields.0.get("message").map_or("", String::as_str)
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

struct Keeping(Arc<Mutex<Kept>>);

impl Subscriber for Keeping {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.target().starts_with("rpc_core")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let mut kept = self.0.lock().unwrap();
        kept.spans
            .push(format!("{}{fields}", span.metadata().name()));
        Id::from_u64(kept.spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let entered = ENTERED.with_borrow(|entered| entered.last().copied());
        let span = event.parent().map(Id::into_u64).or(entered);
        let mut kept = self.0.lock().unwrap();
        let span = span.map(|number| kept.spans[number as usize - 1].clone());
        kept.entries.push(Entry {
            level: event.metadata().level().to_string(),
            target: event.metadata().target().to_owned(),
            span: span.unwrap_or_default(),
            fields,
        });
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.into_u64()));
    }

    fn exit(&self, _: &Id) {
        ENTERED.with_borrow_mut(Vec::pop);
    }
}
