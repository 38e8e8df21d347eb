//! A menu of the user's own: what its ranks mean in the table that answers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rpc_wire::{Description, Menu};

use super::Catalogue;
use super::menu_rpc::MenuRpc;
use crate::connection::CustomMenu;
use crate::error::HandlerError;

/// Makes the menu of one connection (rule C-CR-6).
///
/// # Errors
/// The function's; a panic is one.
pub(super) fn make(custom: &CustomMenu, provide_shapes: bool) -> Result<Menu, HandlerError> {
    let made = catch_unwind(AssertUnwindSafe(|| custom.make()));
    let menu = made.map_err(|panic| HandlerError::from_panic(&*panic))??;
    if provide_shapes {
        return Ok(menu);
    }
    Ok(Menu::new(menu.descriptions().cloned())?)
}

/// What one connection has offered in place of its table.
pub(super) struct Offered {
    /// Tells what was offered (rule C-CR-3).
    pub(super) menu_rpc: MenuRpc,
    by_rank: Vec<Entry>,
    /// By the index in the table.
    ranks: Vec<Option<usize>>,
}

/// Who answers queries for one entry of the menu.
pub(super) enum Entry {
    /// The implementation at this index of the table.
    Implemented(usize),
    /// The policy for unknown RPCs.
    Unknown(Description),
}

impl Offered {
    pub(super) fn new(menu: &Menu, catalogue: &Catalogue) -> Self {
        let entry = |rpc: &Description| match catalogue.find(rpc.as_ref()) {
            Some(index) => Entry::Implemented(index),
            None => Entry::Unknown(rpc.clone()),
        };
        let implemented = catalogue.descriptions.iter();
        Self {
            menu_rpc: MenuRpc::new(menu.descriptions()),
            by_rank: menu.descriptions().map(entry).collect(),
            ranks: implemented.map(|rpc| menu.rank(rpc.as_ref())).collect(),
        }
    }

    pub(super) fn entry(&self, rank: usize) -> Option<&Entry> {
        self.by_rank.get(rank)
    }

    /// The rank of the implementation at this index of the table, if it was offered.
    pub(super) fn rank(&self, index: usize) -> Option<usize> {
        *self.ranks.get(index)?
    }
}
