//! Who the responses are for, as the connection's task knows it.

use std::sync::Arc;

use rpc_wire::QueryId;

use super::output::Output;
use super::streams::Streams;
use super::waiting::{Receiver, Waiting};

#[derive(Debug)]
pub(super) struct Receivers {
    pub(super) waiting: Waiting,
    pub(super) streams: Streams,
}

impl Receivers {
    pub(super) fn new() -> Self {
        Self {
            waiting: Waiting::new(),
            streams: Streams::default(),
        }
    }

    /// The call that waits for its answer under this id, and does so no longer.
    #[inline]
    pub(super) fn take_call(&mut self, id: QueryId, output: &Output) -> Option<Arc<dyn Receiver>> {
        if let Some(call) = self.waiting.take(id) {
            return Some(call);
        }
        self.waiting.fetch(output);
        self.waiting.take(id)
    }
}
