//! What one side answers: a table of implementations by name and version.

mod builder;
mod instance;
mod lift;
mod menu_rpc;
mod offered;

use std::fmt;
use std::sync::{Arc, OnceLock};

use rpc_wire::{Description, DescriptionRef, Menu, RpcDigests};
use thiserror::Error;

use crate::connection::CustomMenu;
use crate::error::HandlerError;
use crate::implementation::Implementation;
use crate::on_exception::OnException;
use crate::unknown_rpc::OnUnknownRpc;
use instance::Instance;
use menu_rpc::MenuRpc;
use offered::Offered;

pub use builder::Builder;
pub(crate) use instance::{Find, Index, Serve};

/// An immutable table of implementations, for connections whose state is `S`.
///
/// Cheap to clone; one table serves any number of connections. What changes a table makes a new
/// one; connections go on with that which they were given.
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
    /// In the order of the catalogue.
    entries: Vec<Implementation<S>>,
    catalogue: Arc<Catalogue>,
    /// Answers menu queries, unless the user's entries do (rule C-CR-1).
    menu_rpc: Option<MenuRpc>,
    on_unknown_rpc: OnUnknownRpc<S>,
    on_exception: OnException,
    /// What connections offer, without digests and with them; made when first offered.
    menu: OnceLock<Menu>,
    menu_with_digests: OnceLock<Menu>,
}

/// What calls need to know of a table, apart from its state's type.
#[derive(Debug)]
pub(crate) struct Catalogue {
    /// Sorted: an index here is a rank in the menu.
    descriptions: Box<[Description]>,
    /// The policies in force, in the same order (rule R-IM-10).
    policies: Box<[OnException]>,
}

impl Catalogue {
    pub(crate) fn rpc(&self, index: usize) -> Option<&Description> {
        self.descriptions.get(index)
    }

    pub(crate) fn on_exception(&self, index: usize) -> &OnException {
        let policy = self.policies.get(index);
        policy.unwrap_or(&OnException::LogOnBackgroundException)
    }

    fn find(&self, rpc: DescriptionRef<'_>) -> Option<usize> {
        self.descriptions
            .binary_search_by(|description| description.as_ref().cmp(&rpc))
            .ok()
    }
}

/// Two or more implementations of the same name and version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("implemented more than once: {}", list(.0))]
pub struct DuplicateImplementations(
    /// Each duplicated description once, sorted.
    pub Vec<Description>,
);

/// There is no implementation of this name and version to take out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0} is not implemented")]
pub struct NotImplemented(
    /// What was asked for.
    pub Description,
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
        Builder::new()
    }

    /// Nothing is implemented; queries for anything end the connection (rule R-IM-5).
    pub fn empty() -> Self {
        Self::from_sorted(Vec::new(), OnUnknownRpc::default(), OnException::default())
    }

    /// What is implemented, sorted by name and version. The menu RPC is not listed
    /// (rule C-CR-3).
    pub fn descriptions(&self) -> impl ExactSizeIterator<Item = &Description> {
        self.table.catalogue.descriptions.iter()
    }

    /// The implementations, in the same order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Implementation<S>> {
        self.table.entries.iter()
    }

    /// What is implemented, with the kind of each RPC and the digests of its types, in the same
    /// order. The digests are computed when first asked for (rules R-IM-4, R-IM-8).
    pub fn digests(&self) -> impl ExactSizeIterator<Item = (&Description, RpcDigests)> {
        self.iter()
            .map(|entry| (entry.description(), entry.digests()))
    }

    /// This table and one implementation more.
    ///
    /// # Errors
    /// Its name and version are implemented already (rule R-IM-3).
    pub fn add(&self, implementation: Implementation<S>) -> Result<Self, DuplicateImplementations> {
        self.rebuilt(self.iter().cloned().chain([implementation]))
    }

    /// This table without the implementation of `rpc`.
    ///
    /// # Errors
    /// There is none (rule R-IM-3).
    pub fn remove(&self, rpc: &Description) -> Result<Self, NotImplemented> {
        let others = self.iter().filter(|entry| entry.description() != rpc);
        let others: Vec<_> = others.cloned().collect();
        if others.len() == self.table.entries.len() {
            return Err(NotImplemented(rpc.clone()));
        }
        let (unknown, exception) = self.policies();
        Ok(Self::from_sorted(others, unknown, exception))
    }

    /// The table of what `change` makes of each implementation (rule R-IM-6).
    ///
    /// # Errors
    /// What it makes has the same name and version more than once.
    pub fn map(
        &self,
        change: impl FnMut(Implementation<S>) -> Implementation<S>,
    ) -> Result<Self, DuplicateImplementations> {
        self.rebuilt(self.iter().cloned().map(change))
    }

    fn policies(&self) -> (OnUnknownRpc<S>, OnException) {
        let table = &self.table;
        (table.on_unknown_rpc.clone(), table.on_exception.clone())
    }

    fn rebuilt(
        &self,
        entries: impl Iterator<Item = Implementation<S>>,
    ) -> Result<Self, DuplicateImplementations> {
        let (unknown, exception) = self.policies();
        Self::from_unsorted(entries.collect(), unknown, exception)
    }

    fn from_unsorted(
        mut entries: Vec<Implementation<S>>,
        on_unknown_rpc: OnUnknownRpc<S>,
        on_exception: OnException,
    ) -> Result<Self, DuplicateImplementations> {
        entries.sort_by(|a, b| a.description().cmp(b.description()));
        let pairs = entries.iter().zip(entries.iter().skip(1));
        let mut duplicates: Vec<_> = pairs
            .filter(|(a, b)| a.description() == b.description())
            .map(|(a, _)| a.description().clone())
            .collect();
        duplicates.dedup();
        if duplicates.is_empty() {
            Ok(Self::from_sorted(entries, on_unknown_rpc, on_exception))
        } else {
            Err(DuplicateImplementations(duplicates))
        }
    }

    fn from_sorted(
        entries: Vec<Implementation<S>>,
        on_unknown_rpc: OnUnknownRpc<S>,
        on_exception: OnException,
    ) -> Self {
        let descriptions = entries.iter().map(|entry| entry.description().clone());
        let policies = entries
            .iter()
            .map(|entry| entry.own_policy().unwrap_or(&on_exception).clone());
        let catalogue = Catalogue {
            descriptions: descriptions.collect(),
            policies: policies.collect(),
        };
        let menu_rpc = catalogue
            .find(crate::rpc::MENU)
            .is_none()
            .then(|| MenuRpc::new(catalogue.descriptions.iter()));
        Self {
            table: Arc::new(Table {
                entries,
                catalogue: Arc::new(catalogue),
                menu_rpc,
                on_unknown_rpc,
                on_exception,
                menu: OnceLock::new(),
                menu_with_digests: OnceLock::new(),
            }),
        }
    }

    /// What the peer is told in the handshake; nothing if menu queries are answered by the user
    /// (rules C-CR-1, C-CR-2).
    ///
    /// # Errors
    /// The function for a custom menu failed.
    pub(crate) fn menu(
        &self,
        provide_shapes: bool,
        custom: Option<&CustomMenu>,
    ) -> Result<Option<Menu>, HandlerError> {
        if self.table.menu_rpc.is_none() {
            return Ok(None);
        }
        if let Some(custom) = custom {
            return offered::make(custom, provide_shapes).map(Some);
        }
        let table = &self.table;
        // The table has no duplicates.
        let menu = if provide_shapes {
            table.menu_with_digests.get_or_init(|| {
                let entries = self.digests().map(|(rpc, digests)| (rpc.clone(), digests));
                Menu::with_digests(entries).unwrap_or_default()
            })
        } else {
            table.menu.get_or_init(|| {
                let descriptions = self.descriptions().cloned();
                Menu::new(descriptions).unwrap_or_default()
            })
        };
        Ok(Some(menu.clone()))
    }

    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        self.table.catalogue.clone()
    }
}

impl<S: Send + Sync + 'static> Implementations<S> {
    /// The table in use by one connection, which has offered this menu if it is not the table's.
    pub(crate) fn instance(&self, state: S, offered: Option<&Menu>) -> Box<dyn Serve> {
        let offered = offered.map(|menu| Offered::new(menu, &self.table.catalogue));
        Box::new(Instance::new(self.table.clone(), state, offered))
    }
}

impl<S> fmt::Debug for Implementations<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let descriptions = self.descriptions().map(ToString::to_string);
        f.debug_list().entries(descriptions).finish()
    }
}
