//! The queries of one direction that may still be answered: the only place that knows how an id
//! finds its query.

use std::collections::{BTreeMap, HashMap};

use super::{AnsweredQuery, Rpc};
use crate::QueryId;

/// A query that may still be answered.
#[derive(Debug)]
pub(super) struct OpenQuery {
    pub(super) query: AnsweredQuery,
    pub(super) stage: Stage,
}

/// What the next response to a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The answer.
    Plain,
    /// The initial response of a stream.
    Initial,
    /// An update, or the end.
    Updates { seen: u64 },
}

/// At most `limit` queries; the oldest one is forgotten for a new one. One-way messages are never
/// answered and cannot be told from queries, so a table without a bound would grow for ever.
#[derive(Debug)]
pub(super) struct OpenQueries {
    by_id: HashMap<QueryId, (u64, OpenQuery)>,
    by_age: BTreeMap<u64, QueryId>,
    next_age: u64,
    name_bytes: usize,
    limit: usize,
    has_forgotten: bool,
}

/// Names are short; this bounds what long ones can hold in memory.
const NAME_BYTES_LIMIT: usize = 16 * 1024 * 1024;

impl OpenQueries {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            by_id: HashMap::new(),
            by_age: BTreeMap::new(),
            next_age: 0,
            name_bytes: 0,
            limit,
            has_forgotten: false,
        }
    }

    /// Adds a query, in place of an open one with the same id.
    pub(super) fn open(&mut self, id: QueryId, query: OpenQuery) {
        self.close(id);
        self.name_bytes += name_bytes(&query);
        self.by_id.insert(id, (self.next_age, query));
        self.by_age.insert(self.next_age, id);
        self.next_age += 1;
        while self.by_id.len() > self.limit || self.name_bytes > NAME_BYTES_LIMIT {
            let Some((_, oldest)) = self.by_age.pop_first() else {
                break;
            };
            self.close(oldest);
            self.has_forgotten = true;
        }
    }

    pub(super) fn get_mut(&mut self, id: QueryId) -> Option<&mut OpenQuery> {
        self.by_id.get_mut(&id).map(|(_, query)| query)
    }

    pub(super) fn close(&mut self, id: QueryId) {
        if let Some((age, query)) = self.by_id.remove(&id) {
            self.by_age.remove(&age);
            self.name_bytes -= name_bytes(&query);
        }
    }

    /// Whether the query may have been here before: then it is pointless to wait for it.
    pub(super) fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}

fn name_bytes(query: &OpenQuery) -> usize {
    match &query.query.rpc {
        Rpc::Named(description) => description.name.as_bytes().len(),
        Rpc::Rank(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(rank: i64) -> OpenQuery {
        OpenQuery {
            query: AnsweredQuery {
                rpc: Rpc::Rank(rank),
                offset: 0,
            },
            stage: Stage::Plain,
        }
    }

    #[test]
    fn oldest_query_is_forgotten_for_a_new_one() {
        let mut queries = OpenQueries::new(2);
        let id = QueryId::new;
        queries.open(id(1), query(1));
        queries.open(id(2), query(2));
        queries.open(id(1), query(3));
        assert!(!queries.has_forgotten());
        queries.open(id(4), query(4));
        assert!(queries.has_forgotten());
        assert!(queries.get_mut(id(2)).is_none());
        let rank = |query: &OpenQuery| query.query.rpc.clone();
        assert_eq!(queries.get_mut(id(1)).map(|q| rank(q)), Some(Rpc::Rank(3)));
        queries.close(id(1));
        queries.close(id(1));
        assert_eq!((queries.len(), queries.by_age.len()), (1, 1));
    }
}
