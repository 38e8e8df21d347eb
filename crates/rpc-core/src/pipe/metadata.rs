//! What there is to know of a stream beside its updates.

use std::fmt;
use std::sync::Arc;

use rpc_wire::QueryId;

use super::PipeCloseReason;
use super::incoming::End;

/// Tells streams apart, asks for their end, and says why each ended. Does not keep the stream or
/// its connection open.
#[derive(Clone)]
pub struct PipeMetadata {
    id: QueryId,
    end: Arc<dyn End>,
}

impl PipeMetadata {
    pub(super) fn new(id: QueryId, end: Arc<dyn End>) -> Self {
        Self { id, end }
    }

    /// The id of the query that opened the stream.
    pub fn id(&self) -> QueryId {
        self.id
    }

    /// Waits for the stream to end, and tells why.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn close_reason(&self) -> PipeCloseReason {
        std::future::poll_fn(|cx| self.end.poll_close_reason(cx)).await
    }

    /// Asks the callee to end the stream, as [`Pipe::abort`](crate::Pipe::abort) does.
    pub fn abort(&self) {
        self.end.abort();
    }
}

impl fmt::Debug for PipeMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeMetadata")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
