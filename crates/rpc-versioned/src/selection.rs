//! Which version both sides know.

use std::sync::Arc;

use rpc_wire::{Description, DescriptionRef, Menu};
use thiserror::Error;

/// Why there is no version to use (rule V-ME-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoCommonVersion {
    /// The peer has no RPC of this name.
    #[error("the peer does not implement an RPC of this name")]
    NoSuchRpc,
    /// The peer has some, but none that we know.
    #[error("the peer implements no version of this RPC that we know")]
    NoSuchVersion,
}

/// The highest version of `name` that is both on `menu` and among `versions`, which may come in
/// any order and repeat. Does not allocate; looks each of them up on the menu.
///
/// # Errors
/// There is none; see [`NoCommonVersion`].
pub fn highest_common(menu: &Menu, name: &str, versions: &[i64]) -> Result<i64, NoCommonVersion> {
    let name = name.as_bytes();
    let offered = |version: &i64| {
        let version = *version;
        menu.rank(DescriptionRef { name, version }).is_some()
    };
    let common = versions.iter().copied().filter(offered).max();
    common.ok_or_else(|| {
        if menu.has_name(name) {
            NoCommonVersion::NoSuchVersion
        } else {
            NoCommonVersion::NoSuchRpc
        }
    })
}

/// Why a caller and its callee have nothing to talk about. Nothing was sent (rules V-SE-2, V-SE-4).
///
/// The third error of rule V-SE-2, a selected version that is not registered, cannot arise: only
/// registered ones are selected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// The callee has nothing of this name.
    #[error("callee does not know RPC {name}; caller knows versions {caller_versions:?}")]
    UnknownRpc {
        /// The name.
        name: &'static str,
        /// The caller's versions, ascending.
        caller_versions: Vec<i64>,
        /// All that the callee has.
        callee_menu: Arc<Menu>,
    },
    /// The callee has other versions of it than the caller.
    #[error(
        "caller and callee share no common versions for RPC {name}: \
         caller knows {caller_versions:?}, callee knows {callee_versions:?}"
    )]
    NoCommonVersion {
        /// The name.
        name: &'static str,
        /// The caller's versions, ascending.
        caller_versions: Vec<i64>,
        /// The callee's versions, ascending.
        callee_versions: Vec<i64>,
    },
    /// The callee has none of the RPCs that a caller [by preference](crate#preference) knows
    /// (rule V-BA-2).
    #[error("could not find any supported RPC in callee; caller knows {}", list(.caller))]
    NoSupportedRpc {
        /// What the caller knows, in its order of preference.
        caller: Vec<Description>,
        /// All that the callee has.
        callee_menu: Arc<Menu>,
    },
}

pub(crate) fn list(descriptions: &[Description]) -> String {
    let texts: Vec<_> = descriptions.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// V-ME-4, V-ME-5, V-SE-1.
    #[test]
    fn highest_version_of_both_sides_wins() {
        let versions = [-3, 0, 2, 7].map(|version| Description::new("price", version));
        let other = Description::new("prices", 9);
        let menu = Menu::new(versions.into_iter().chain([other])).unwrap();
        let check = |versions: &[i64], expected| {
            assert_eq!(highest_common(&menu, "price", versions), expected);
        };
        check(&[1, 2, 3], Ok(2));
        check(&[7, 2, 7], Ok(7));
        check(&[-3, -4], Ok(-3));
        check(&[0], Ok(0));
        check(&[9], Err(NoCommonVersion::NoSuchVersion));
        check(&[], Err(NoCommonVersion::NoSuchVersion));
        let unknown = highest_common(&menu, "pric", &[1]);
        assert_eq!(unknown, Err(NoCommonVersion::NoSuchRpc));
    }
}
