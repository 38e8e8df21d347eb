//! Whether a caller and a callee would understand each other, found out without any connection
//! (rule V-BA-5).

use rpc_core::Implementations;
use rpc_wire::{Description, Menu, RpcDigests};
use thiserror::Error;

use crate::registered::Registered;
use crate::selection::list;

/// Why a caller and a callee do not fit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Incompatible {
    /// The callee has nothing that the caller could use.
    #[error("could not match any RPCs; caller knows {}", list(.caller))]
    NoMatch {
        /// What the caller knows, in its order of preference.
        caller: Vec<Description>,
    },
    /// They would use the same name and version for different types.
    #[error("corresponding RPCs have mismatching shapes: {rpc}")]
    Types {
        /// What the caller would use.
        rpc: Description,
        /// The kind and the digests that it has at the caller.
        caller: Box<RpcDigests>,
        /// The kind and the digests that it has at the callee.
        callee: Box<RpcDigests>,
    },
}

/// The menu that a table is, with the digests of its types: what a peer is told of it, if it is told
/// [the shapes](rpc_core::connection::Config::provide_shapes).
pub fn menu_of<S>(table: &Implementations<S>) -> Menu {
    let entries = table.digests();
    let entries = entries.map(|(rpc, digests)| (rpc.clone(), digests));
    // A table has no duplicates, so there is always a menu.
    Menu::with_digests(entries).unwrap_or_default()
}

/// The first RPC of the caller that the callee has. Types that either side does not tell count as
/// equal.
pub(crate) fn check<'a>(
    caller: impl Iterator<Item = &'a Registered> + Clone,
    callee: &Menu,
) -> Result<Description, Incompatible> {
    let Some(rpc) = caller.clone().find(|rpc| rpc.is_on(callee)) else {
        return Err(Incompatible::NoMatch {
            caller: caller.map(Registered::description).collect(),
        });
    };
    let (description, ours) = (rpc.description(), rpc.digests());
    let theirs = callee.digests(description.as_ref());
    let theirs = theirs.unwrap_or(RpcDigests::Unknown);
    if ours == theirs || ours == RpcDigests::Unknown || theirs == RpcDigests::Unknown {
        return Ok(description);
    }
    Err(Incompatible::Types {
        rpc: description,
        caller: Box::new(ours),
        callee: Box::new(theirs),
    })
}
