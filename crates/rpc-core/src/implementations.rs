//! What one side answers: a table of implementations by name and version.

mod menu_rpc;

use std::fmt;
use std::sync::Arc;

use futures_core::Stream;
use rpc_wire::{Data, Description, DescriptionRef, Menu, Specifier};
use thiserror::Error;

use crate::error::HandlerError;
use crate::implementation::blocking::Blocking;
use crate::implementation::one_way::OneWay as OneWayHandler;
use crate::implementation::plain::Plain;
use crate::implementation::streaming::Streaming;
use crate::implementation::{Call, CalledRpc, Handler, Started};
use crate::payload::{BinProt, Codec};
use crate::{OneWay, PipeRpc, Rpc, StateRpc};
use menu_rpc::MenuRpc;

/// What happens after a query for an RPC that is not implemented. The caller is answered
/// *Unimplemented_rpc* in every case (rule R-UN-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnknownRpc {
    /// Nothing more.
    Continue,
    /// The connection closes.
    CloseConnection,
    /// The connection closes, and the peer is told that its query was the reason. The
    /// reference's policy for tables that are not given another.
    #[default]
    Raise,
}

/// An immutable table of implementations, for connections whose state is `S`.
///
/// Cheap to clone; one table serves any number of connections.
pub struct Implementations<S> {
    table: Arc<Table<S>>,
}

impl<S> Clone for Implementations<S> {
    fn clone(&self) -> Self {
        Self {
            table: self.table.clone(),
        }
    }
}

struct Table<S> {
    /// Sorted: an index here is a rank in the menu.
    descriptions: Arc<[Description]>,
    /// In the order of the descriptions.
    handlers: Vec<Box<dyn Handler<S>>>,
    /// Answers menu queries, unless the user's entries do (rule C-CR-1).
    menu_rpc: Option<MenuRpc>,
    on_unknown_rpc: OnUnknownRpc,
}

struct Entry<S> {
    description: Description,
    handler: Box<dyn Handler<S>>,
}

/// Two or more implementations of the same name and version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("implemented more than once: {}", list(.0))]
pub struct DuplicateImplementations(
    /// Each duplicated description once, sorted.
    pub Vec<Description>,
);

fn list(descriptions: &[Description]) -> String {
    let texts: Vec<_> = descriptions.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

impl<S> Implementations<S> {
    /// Starts a table.
    ///
    /// # Examples
    ///
    /// ```
    /// use rpc_core::{Implementations, Rpc};
    ///
    /// static ADD: Rpc<(i64, i64), i64> = Rpc::new("add", 1);
    ///
    /// let implementations = Implementations::<()>::builder()
    ///     .implement(&ADD, |_state, (a, b)| async move { Ok(a + b) })
    ///     .build()?;
    /// # let _ = implementations;
    /// # Ok::<(), rpc_core::DuplicateImplementations>(())
    /// ```
    pub fn builder() -> Builder<S> {
        Builder {
            entries: Vec::new(),
            on_unknown_rpc: OnUnknownRpc::default(),
        }
    }

    /// Nothing is implemented; queries for anything end the connection (rule R-IM-5).
    pub fn empty() -> Self {
        Self::from_sorted(Vec::new(), OnUnknownRpc::default())
    }

    /// What is implemented, sorted by name and version. The menu RPC is not listed
    /// (rule C-CR-3).
    pub fn descriptions(&self) -> impl ExactSizeIterator<Item = &Description> {
        self.table.descriptions.iter()
    }

    fn from_sorted(entries: Vec<Entry<S>>, on_unknown_rpc: OnUnknownRpc) -> Self {
        let (descriptions, handlers): (Vec<_>, _) = entries
            .into_iter()
            .map(|entry| (entry.description, entry.handler))
            .unzip();
        let answered = |rpc: &Description| menu_rpc::is_menu(rpc.as_ref());
        let menu_rpc =
            (!descriptions.iter().any(answered)).then(|| MenuRpc::new(descriptions.iter()));
        Self {
            table: Arc::new(Table {
                descriptions: descriptions.into(),
                handlers,
                menu_rpc,
                on_unknown_rpc,
            }),
        }
    }

    /// What the peer is told in the handshake; nothing if menu queries are answered by the user
    /// (rules C-CR-1, C-CR-2).
    pub(crate) fn menu(&self, provide_shapes: bool) -> Option<Menu> {
        self.table.menu_rpc.as_ref()?;
        let descriptions = self.table.descriptions.iter().cloned();
        let menu = if provide_shapes {
            let digests = self.table.handlers.iter().map(|handler| handler.digests());
            Menu::with_digests(descriptions.zip(digests))
        } else {
            Menu::new(descriptions)
        };
        // The builder has found duplicates.
        menu.ok()
    }

    /// Every name and version, in the table's order.
    pub(crate) fn shared_descriptions(&self) -> Arc<[Description]> {
        self.table.descriptions.clone()
    }
}

impl<S: Send + Sync + 'static> Implementations<S> {
    /// The table in use by one connection.
    pub(crate) fn instance(&self, state: S) -> Box<dyn Serve> {
        Box::new(Instance {
            table: self.table.clone(),
            state,
        })
    }
}

impl<S> fmt::Debug for Implementations<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let descriptions = self.descriptions().map(ToString::to_string);
        f.debug_list().entries(descriptions).finish()
    }
}

/// Collects implementations.
///
/// Handlers get the connection's state by reference, so what a future needs of it is cloned
/// before the `async move`. A handler's error or panic reaches the caller as *Uncaught_exn*; the
/// connection and its other queries go on. Handlers of a connection that has closed are
/// cancelled: their futures and streams are dropped.
pub struct Builder<S> {
    entries: Vec<Entry<S>>,
    on_unknown_rpc: OnUnknownRpc,
}

impl<S: 'static> Builder<S> {
    /// Implements a plain RPC.
    ///
    /// The future is polled where the query was read; if it is ready at once, its answer leaves
    /// before that of any later query. Otherwise it becomes a task, and answers leave in order of
    /// completion.
    #[must_use]
    pub fn implement<Q, R, C, F, Fut>(self, rpc: &Rpc<Q, R, C>, handler: F) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
        Q: 'static,
        R: 'static,
        C: Codec<Q> + Codec<R>,
    {
        let handler = Plain::<F, Q, R, C>::new(handler, rpc.user_errors());
        self.add(rpc.description(), handler)
    }

    /// Implements a plain RPC by a function that does not suspend. It holds up all other
    /// messages of the connection while it runs.
    #[must_use]
    pub fn implement_blocking<Q, R, C, F>(self, rpc: &Rpc<Q, R, C>, handler: F) -> Self
    where
        F: Fn(&S, Q) -> Result<R, HandlerError> + Send + Sync + 'static,
        Q: 'static,
        R: 'static,
        C: Codec<Q> + Codec<R>,
    {
        let handler = Blocking::<F, Q, R, C>::new(handler, rpc.user_errors());
        self.add(rpc.description(), handler)
    }

    /// Implements a one-way RPC. Nobody learns of a failure; it is logged.
    #[must_use]
    pub fn implement_one_way<Q, C, F, Fut>(self, rpc: &OneWay<Q, C>, handler: F) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
        Q: 'static,
        C: Codec<Q>,
    {
        self.add(rpc.description(), OneWayHandler::<F, Q, C>::new(handler))
    }

    /// Implements a pipe RPC: the handler results in a stream of updates, or in the RPC's own
    /// error.
    ///
    /// Updates are taken from the stream in batches of at most 1000, and then only when the
    /// transport has taken them: a slow caller stops the stream. The stream is dropped when it
    /// has ended, when the caller aborts, and when the connection closes.
    #[must_use]
    pub fn implement_pipe<Q, U, E, C, F, Fut, St>(
        self,
        rpc: &PipeRpc<Q, U, E, C>,
        handler: F,
    ) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<St, E>, HandlerError>> + Send + 'static,
        St: Stream<Item = U> + Send + 'static,
        Q: 'static,
        U: Send + 'static,
        E: Send + 'static,
        C: Codec<Q> + Codec<U> + Codec<E>,
    {
        let handler = move |state: &S, query: Q| {
            let future = handler(state, query);
            async move { Ok(future.await?.map(|updates| ((), updates))) }
        };
        let handler = Streaming::<_, Q, (), U, E, C, BinProt>::new(handler);
        self.add(rpc.description(), handler)
    }

    /// Implements a state RPC: the handler results in the initial state and a stream of updates
    /// to it, or in the RPC's own error. The stream is treated as that of a
    /// [pipe](Self::implement_pipe).
    #[must_use]
    pub fn implement_state<Q, T, U, E, C, F, Fut, St>(
        self,
        rpc: &StateRpc<Q, T, U, E, C>,
        handler: F,
    ) -> Self
    where
        F: Fn(&S, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<(T, St), E>, HandlerError>> + Send + 'static,
        St: Stream<Item = U> + Send + 'static,
        Q: 'static,
        T: Send + 'static,
        U: Send + 'static,
        E: Send + 'static,
        C: Codec<Q> + Codec<T> + Codec<U> + Codec<E>,
    {
        let handler = Streaming::<F, Q, T, U, E, C, C>::new(handler);
        self.add(rpc.description(), handler)
    }

    /// What happens after a query for something else. Default: [`OnUnknownRpc::Raise`].
    #[must_use]
    pub fn on_unknown_rpc(mut self, policy: OnUnknownRpc) -> Self {
        self.on_unknown_rpc = policy;
        self
    }

    /// The finished table.
    ///
    /// # Errors
    /// Lists every name and version that was implemented more than once (rule R-IM-2).
    pub fn build(mut self) -> Result<Implementations<S>, DuplicateImplementations> {
        self.entries
            .sort_by(|a, b| a.description.cmp(&b.description));
        let pairs = self.entries.iter().zip(self.entries.iter().skip(1));
        let mut duplicates: Vec<_> = pairs
            .filter(|(a, b)| a.description == b.description)
            .map(|(a, _)| a.description.clone())
            .collect();
        duplicates.dedup();
        if duplicates.is_empty() {
            Ok(Implementations::from_sorted(
                self.entries,
                self.on_unknown_rpc,
            ))
        } else {
            Err(DuplicateImplementations(duplicates))
        }
    }

    fn add(mut self, description: Description, handler: impl Handler<S> + 'static) -> Self {
        self.entries.push(Entry {
            description,
            handler: Box::new(handler),
        });
        self
    }
}

impl<S> fmt::Debug for Builder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let descriptions = self
            .entries
            .iter()
            .map(|entry| entry.description.to_string());
        f.debug_list().entries(descriptions).finish()
    }
}

/// A table together with one connection's state, types erased.
pub(crate) trait Serve: Send + Sync {
    /// Who answers.
    fn find<'a>(&self, specifier: Specifier<'a>) -> Find<'a>;

    /// The index by which responses name the implementation.
    fn menu_index(&self, index: Index) -> Option<usize>;

    /// Starts answering. Panics of the handler come out of here.
    fn handle(&self, index: Index, data: Data<'_>, call: &Call) -> Started;

    /// Where a panic of the handler is said to have arisen.
    fn location(&self, index: Index) -> &'static str;

    /// Whether its queries open streams.
    fn is_streaming(&self, index: Index) -> bool;

    fn on_unknown_rpc(&self) -> OnUnknownRpc;
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

struct Instance<S> {
    table: Arc<Table<S>>,
    state: S,
}

impl<S> Instance<S> {
    fn handler(&self, index: Index) -> Option<&dyn Handler<S>> {
        match index {
            Index::Entry(index) => Some(&**self.table.handlers.get(index)?),
            Index::MenuRpc => Some(self.table.menu_rpc.as_ref()?),
        }
    }
}

impl<S: Send + Sync> Serve for Instance<S> {
    fn find<'a>(&self, specifier: Specifier<'a>) -> Find<'a> {
        let descriptions = &self.table.descriptions;
        match specifier {
            Specifier::Description(rpc) => {
                match descriptions.binary_search_by(|description| description.as_ref().cmp(&rpc)) {
                    Ok(index) => Find::Implementation(Index::Entry(index)),
                    Err(_) if self.table.menu_rpc.is_some() && menu_rpc::is_menu(rpc) => {
                        Find::Implementation(Index::MenuRpc)
                    }
                    Err(_) => Find::Unknown(rpc),
                }
            }
            Specifier::Rank(rank) => match usize::try_from(rank) {
                Ok(index) if index < descriptions.len() && self.table.menu_rpc.is_some() => {
                    Find::Implementation(Index::Entry(index))
                }
                _ => Find::BadRank(rank),
            },
        }
    }

    fn menu_index(&self, index: Index) -> Option<usize> {
        match index {
            Index::Entry(index) => self.table.menu_rpc.as_ref().map(|_| index),
            Index::MenuRpc => None,
        }
    }

    fn handle(&self, index: Index, data: Data<'_>, call: &Call) -> Started {
        match self.handler(index) {
            Some(handler) => handler.handle(&self.state, data, call),
            None => Started::Done,
        }
    }

    fn location(&self, index: Index) -> &'static str {
        self.handler(index).map_or("", Handler::location)
    }

    fn is_streaming(&self, index: Index) -> bool {
        self.handler(index).is_some_and(Handler::is_streaming)
    }

    fn on_unknown_rpc(&self) -> OnUnknownRpc {
        self.table.on_unknown_rpc
    }
}
