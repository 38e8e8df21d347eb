//! Queries for one RPC that follow one another in what has been read.
//!
//! Who is asked for one thing in bulk is sent little else. Such queries differ in their ids and their
//! payloads; who answers them, whether they are admitted, and how they are decoded is the same. That
//! is found out for the first of them, and the others are compared with it.

use rpc_wire::{Data, Query, QueryHeader};

use super::reader::{Pattern, Unread};
use crate::implementation::{Call, Received, Started};
use crate::query_context::QueryContext;

/// The queries that follow one which has been handled, as long as they are like it and nothing has
/// changed that they could meet.
pub(crate) struct QueryRun<'a> {
    unread: Unread<'a>,
    pattern: Pattern,
    /// Bytes of a payload.
    size: usize,
    /// Of the query that was taken last.
    header: QueryHeader<'a>,
    call: &'a mut Call,
}

impl<'a> QueryRun<'a> {
    /// What follows the query in the frame `last`, which `call` has answered. `None` if no query
    /// could be compared with it.
    pub(super) fn new(last: &'a [u8], unread: Unread<'a>, call: &'a mut Call) -> Option<Self> {
        let Query { header, data } = Query::split(last.get(rpc_wire::frame::LENGTH_BYTES..)?)?;
        let size = data.bytes().ok()?.len();
        Some(Self {
            unread,
            pattern: Pattern::new(last, size)?,
            size,
            header,
            call,
        })
    }

    /// The next query, which is the one that [`call`](Self::call) answers from now on. `None` at
    /// anything else, which is left where it is; once the connection is closing, handles nothing
    /// for now, or has somebody who wants to know of each query.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Received<'_>> {
        let shared = self.call.shared();
        if shared.output.is_closing()
            || shared.output.has_ended()
            || shared.gate.is_held()
            || shared.events.are_heard()
            || shared.hooks.are_set()
        {
            return None;
        }
        let (id, payload) = self.unread.take_query(&self.pattern, self.size)?;
        self.header.id = id;
        self.call.renew_id(id);
        Some(Received {
            context: QueryContext::new(self.call, &self.header),
            data: Data::new(payload),
        })
    }

    /// Has the queries answered one after the other, until one of them is not done with at once.
    #[inline]
    pub(crate) fn each(&mut self, mut handle: impl FnMut(&Received<'_>) -> Started) -> Started {
        while let Some(query) = self.next() {
            let started = handle(&query);
            if !matches!(started, Started::Done) {
                return started;
            }
        }
        Started::Done
    }

    /// The query that was taken last.
    pub(crate) fn last(&self) -> Received<'_> {
        let payload = self.unread.taken(self.size).unwrap_or_default();
        Received {
            context: QueryContext::new(self.call, &self.header),
            data: Data::new(payload),
        }
    }

    /// What answers the query that was taken last.
    pub(crate) fn call(&self) -> &Call {
        self.call
    }
}
