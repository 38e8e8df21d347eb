//! A table in use by one connection: the table with that connection's state, types erased.

use std::sync::Arc;

use rpc_wire::{DescriptionRef, Specifier};

use super::offered::{self, Offered};
use super::{Table, menu_rpc};
use crate::connection::query_run::QueryRun;
use crate::implementation::{CalledRpc, Handler, HandlerKind, Own, Received, Started};

/// What a connection asks of the table that it uses.
pub(crate) trait Serve: Send + Sync {
    /// Who answers.
    fn find<'a>(&'a self, specifier: Specifier<'a>) -> Find<'a>;

    /// The index by which responses name the implementation.
    fn menu_index(&self, index: Index) -> Option<usize>;

    /// Starts answering. Panics of the handler come out of here.
    fn handle(&self, index: Index, query: &Received<'_>) -> Started;

    /// Goes on answering queries. Panics of the handler come out of here.
    fn handle_run(&self, index: Index, run: &mut QueryRun<'_>) -> Started;

    /// Answers a query for what is not implemented.
    fn handle_unknown(&self, query: &Received<'_>) -> Started;

    fn kind(&self, index: Index) -> HandlerKind;
}

/// One of the implementations in use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Index {
    Entry(usize),
    MenuRpc,
}

impl Index {
    pub(crate) fn called_rpc(self) -> CalledRpc {
        match self {
            Self::Entry(index) => CalledRpc::Implemented(index),
            Self::MenuRpc => CalledRpc::Menu,
        }
    }
}

/// Who answers a query.
pub(crate) enum Find<'a> {
    Implementation(Index),
    Unknown(DescriptionRef<'a>),
    BadRank(i64),
}

pub(super) struct Instance<S> {
    table: Arc<Table<S>>,
    state: S,
    /// A menu that is not the table's.
    offered: Option<Offered>,
}

impl<S> Instance<S> {
    pub(super) fn new(table: Arc<Table<S>>, state: S, offered: Option<Offered>) -> Self {
        Self {
            table,
            state,
            offered,
        }
    }

    /// Who answers queries for the entry of our menu with this rank.
    fn ranked(&self, rank: i64) -> Option<Find<'_>> {
        let rank = usize::try_from(rank).ok()?;
        if let Some(offered) = &self.offered {
            return Some(match offered.entry(rank)? {
                offered::Entry::Implemented(index) => Find::Implementation(Index::Entry(*index)),
                offered::Entry::Unknown(rpc) => Find::Unknown(rpc.as_ref()),
            });
        }
        let table = &self.table;
        let offered = table.menu_rpc.is_some() && rank < table.entries.len();
        offered.then_some(Find::Implementation(Index::Entry(rank)))
    }

    fn handler(&self, index: Index) -> Option<&dyn Handler<S>> {
        match index {
            Index::Entry(index) => Some(self.table.entries.get(index)?.handler()),
            Index::MenuRpc => Some(match &self.offered {
                Some(offered) => &offered.menu_rpc,
                None => self.table.menu_rpc.as_ref()?,
            }),
        }
    }
}

impl<S: Send + Sync> Serve for Instance<S> {
    fn find<'a>(&'a self, specifier: Specifier<'a>) -> Find<'a> {
        let table = &self.table;
        match specifier {
            Specifier::Description(rpc) => match table.catalogue.find(rpc) {
                Some(index) => Find::Implementation(Index::Entry(index)),
                None if table.menu_rpc.is_some() && menu_rpc::is_menu(rpc) => {
                    Find::Implementation(Index::MenuRpc)
                }
                None => Find::Unknown(rpc),
            },
            Specifier::Rank(rank) => self.ranked(rank).unwrap_or(Find::BadRank(rank)),
        }
    }

    fn menu_index(&self, index: Index) -> Option<usize> {
        match index {
            Index::Entry(index) => match &self.offered {
                Some(offered) => offered.rank(index),
                None => self.table.menu_rpc.as_ref().map(|_| index),
            },
            Index::MenuRpc => None,
        }
    }

    fn handle(&self, index: Index, query: &Received<'_>) -> Started {
        match self.handler(index) {
            Some(handler) => handler.handle(&Own(&self.state), query),
            None => Started::Done,
        }
    }

    fn handle_run(&self, index: Index, run: &mut QueryRun<'_>) -> Started {
        match self.handler(index) {
            Some(handler) => handler.handle_run(&Own(&self.state), run),
            None => Started::Done,
        }
    }

    fn handle_unknown(&self, query: &Received<'_>) -> Started {
        self.table.on_unknown_rpc.handle(&Own(&self.state), query)
    }

    fn kind(&self, index: Index) -> HandlerKind {
        // The index comes from this table.
        self.handler(index)
            .map_or(HandlerKind::Plain, Handler::kind)
    }
}
